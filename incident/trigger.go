package incident

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"picket"
)

// resourceID returns the Azure resource ID of something of Microsoft.SecurityInsights.
func (d *Desk) resourceID(path string) string {
	return fmt.Sprintf("/subscriptions/%s/resourceGroups/%s/providers/Microsoft.OperationalInsights/workspaces/%s/providers/Microsoft.SecurityInsights/%s",
		d.place.SubscriptionID, d.place.ResourceGroup, d.place.Workspace, path)
}

// TriggerBody returns what a playbook with an incident trigger is given when
// the incident is created ("Supported triggers and actions in Microsoft
// Sentinel playbooks"; the shape is that of the Logic Apps connector azuresentinel).
func (d *Desk) TriggerBody(in picket.Incident) (json.RawMessage, error) {
	return d.triggerBody(in, change{created: true})
}

type trigger struct {
	EventID       string        `json:"eventUniqueId"`
	SchemaType    string        `json:"objectSchemaType"`
	EventType     string        `json:"objectEventType"`
	WorkspaceInfo workspaceInfo `json:"workspaceInfo"`
	WorkspaceID   string        `json:"workspaceId"`
	Updates       *updates      `json:"incidentUpdates,omitempty"`
	Object        resource      `json:"object"`
}

type workspaceInfo struct {
	SubscriptionID    string
	ResourceGroupName string
	WorkspaceName     string
}

type resource struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Etag       string `json:"etag,omitempty"`
	Type       string `json:"type"`
	Kind       string `json:"kind,omitempty"`
	Properties any    `json:"properties"`
}

type incidentProperties struct {
	Title                 string         `json:"title"`
	Description           string         `json:"description"`
	Severity              string         `json:"severity"`
	Status                string         `json:"status"`
	Classification        string         `json:"classification,omitempty"`
	ClassificationReason  string         `json:"classificationReason,omitempty"`
	ClassificationComment string         `json:"classificationComment,omitempty"`
	Owner                 owner          `json:"owner"`
	Labels                []label        `json:"labels"`
	FirstActivity         time.Time      `json:"firstActivityTimeUtc"`
	LastActivity          time.Time      `json:"lastActivityTimeUtc"`
	Modified              time.Time      `json:"lastModifiedTimeUtc"`
	Created               time.Time      `json:"createdTimeUtc"`
	Number                int64          `json:"incidentNumber"`
	AdditionalData        additionalData `json:"additionalData"`
	RuleIDs               []string       `json:"relatedAnalyticRuleIds"`
	URL                   string         `json:"incidentUrl"`
	Provider              string         `json:"providerName"`
	ProviderID            string         `json:"providerIncidentId"`
	Alerts                []resource     `json:"alerts"`
	Bookmarks             []resource     `json:"bookmarks"`
	Entities              []resource     `json:"relatedEntities"`
	Comments              []comment      `json:"comments"`
}

type alertObject struct {
	ID             string            `json:"systemAlertId"`
	Name           string            `json:"alertDisplayName"`
	Description    string            `json:"description"`
	Severity       string            `json:"severity"`
	Vendor         string            `json:"vendorName"`
	Product        string            `json:"productName"`
	Component      string            `json:"productComponentName"`
	Type           string            `json:"alertType"`
	Start          time.Time         `json:"startTimeUtc"`
	End            time.Time         `json:"endTimeUtc"`
	Time           time.Time         `json:"timeGenerated"`
	Status         string            `json:"status"`
	Tactics        []string          `json:"tactics"`
	AdditionalData map[string]string `json:"additionalData"`
	Resources      []map[string]any  `json:"resourceIdentifiers"`
	FriendlyName   string            `json:"friendlyName"`
}

// updates tells a playbook what an update changed.
type updates struct {
	Time     time.Time  `json:"incidentUpdateTime"`
	By       updatedBy  `json:"updatedBy"`
	Alerts   []resource `json:"alerts"`
	Labels   []label    `json:"labels"`
	Tactics  []string   `json:"tactics"`
	Comments []comment  `json:"comments"`
	Severity string     `json:"severity,omitempty"`
	Status   string     `json:"status,omitempty"`
	Owner    *owner     `json:"owner,omitempty"`
}

type updatedBy struct {
	Source string `json:"source"`
	Name   string `json:"name"`
}

func (d *Desk) triggerBody(in picket.Incident, ch change) (json.RawMessage, error) {
	rules := make([]string, len(in.RuleIDs))
	for i, id := range in.RuleIDs {
		rules[i] = d.resourceID("alertRules/" + id)
	}
	entities := make([]resource, len(in.Entities))
	for i, e := range in.Entities {
		entities[i] = d.entity(e)
	}
	t := trigger{
		EventID: newID("event", in.ID, strconv.FormatInt(in.Revision, 10)), SchemaType: "Incident", EventType: "Create",
		WorkspaceInfo: workspaceInfo{d.place.SubscriptionID, d.place.ResourceGroup, d.place.Workspace}, WorkspaceID: d.place.WorkspaceID,
		Object: resource{
			ID: d.resourceID("Incidents/" + in.ID), Name: in.ID, Etag: fmt.Sprintf(`"%d"`, in.Revision), Type: "Microsoft.SecurityInsights/Incidents",
			Properties: incidentProperties{
				Title: in.Title, Description: in.Description, Severity: string(in.Severity), Status: in.Status, Classification: in.Classification,
				ClassificationReason: in.ClassificationReason, ClassificationComment: in.ClassificationComment, Owner: ownerOf(in.Owner), Labels: labelsOf(in.Labels),
				FirstActivity: in.FirstActivity, LastActivity: in.LastActivity, Modified: in.Modified, Created: in.Created, Number: in.Number,
				AdditionalData: d.additionalData(in), RuleIDs: rules, URL: d.url(in), Provider: "Azure Sentinel", ProviderID: strconv.FormatInt(in.Number, 10),
				Alerts: d.alerts(in.Alerts), Bookmarks: []resource{}, Entities: entities, Comments: d.comments(in),
			},
		},
	}
	if !ch.created {
		t.EventType, t.Updates = "Update", d.updates(in, ch)
	}
	body, err := json.Marshal(t)
	if err != nil {
		return nil, fmt.Errorf("tell of incident %d: %w", in.Number, err)
	}
	return body, nil
}

func (d *Desk) updates(in picket.Incident, ch change) *updates {
	u := &updates{Time: in.Modified, By: updatedBy{strings.ReplaceAll(string(ch.by.Kind), " ", ""), ch.by.Name}, Alerts: d.alerts(ch.alerts), Labels: labelsOf(ch.labels),
		Tactics: list(ch.tactics), Comments: d.comments(picket.Incident{ID: in.ID, Comments: ch.comments})}
	if in.Severity != ch.before.Severity {
		u.Severity = string(in.Severity)
	}
	if in.Status != ch.before.Status {
		u.Status = in.Status
	}
	if in.Owner != ch.before.Owner {
		u.Owner = ptr(ownerOf(in.Owner))
	}
	return u
}

func (d *Desk) alerts(alerts []picket.Alert) []resource {
	list := make([]resource, len(alerts))
	for i, a := range alerts {
		additional := map[string]string{
			"Query": a.Query, "Analytic Rule Name": a.RuleName, "Analytic Rule Ids": text([]string{a.RuleID}),
			"Query Start Time UTC": a.QueryStart.UTC().Format(time.RFC3339Nano), "Query End Time UTC": a.QueryEnd.UTC().Format(time.RFC3339Nano),
			"Search Query Results Overall Count": strconv.Itoa(a.Rows),
		}
		if len(a.Custom) > 0 {
			additional["Custom Details"] = text(a.Custom)
		}
		list[i] = resource{ID: d.resourceID("Entities/" + a.ID), Name: a.ID, Type: "Microsoft.SecurityInsights/Entities", Kind: "SecurityAlert",
			Properties: alertObject{
				ID: a.ID, Name: a.Name, Description: a.Description, Severity: string(a.Severity), Vendor: "Microsoft", Product: products(picket.Incident{Alerts: alerts[i : i+1]})[0],
				Component: "Scheduled Alerts", Type: d.place.WorkspaceID + "_" + a.RuleID, Start: a.Start, End: a.End, Time: a.Time, Status: "New",
				Tactics: append([]string{}, a.Tactics...), AdditionalData: additional,
				Resources:    []map[string]any{{"type": "LogAnalytics", "workspaceId": d.place.WorkspaceID}},
				FriendlyName: a.Name,
			}}
	}
	return list
}

func text(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "" // lists and maps of strings always encode
	}
	return string(b)
}

// entity returns an entity as the incident trigger has it.
func (d *Desk) entity(e picket.Entity) resource {
	id := newID("entity", e.Key())
	properties := make(map[string]string, len(e.Properties)+1)
	for k, v := range e.Properties {
		properties[propertyName(e.Kind, k)] = v
	}
	properties["friendlyName"] = friendlyName(e)
	return resource{ID: d.resourceID("Entities/" + id), Name: id, Type: "Microsoft.SecurityInsights/Entities", Kind: entityKind(e.Kind), Properties: properties}
}

// entityKind is how the API spells an entity type of a rule (EntityKindEnum of
// Microsoft.SecurityInsights).
func entityKind(kind string) string {
	switch kind {
	case "IP":
		return "Ip"
	case "URL":
		return "Url"
	case "DNS":
		return "DnsResolution"
	}
	return kind
}

// propertyName is how the API spells an identifier of a rule: in lower camel
// case, and with the kind where the identifier alone says too little.
func propertyName(kind, identifier string) string {
	switch kind + "." + identifier {
	case "Account.Name":
		return "accountName"
	case "File.Name":
		return "fileName"
	case "FileHash.Value":
		return "hashValue"
	case "Malware.Name":
		return "malwareName"
	case "CloudApplication.Name":
		return "appName"
	case "RegistryValue.Name":
		return "valueName"
	case "RegistryValue.Value":
		return "valueData"
	}
	r := []rune(identifier)
	for i := range r {
		// UPNSuffix is upnSuffix, but FullName fullName: of a run of capitals the last begins a word.
		if !unicode.IsUpper(r[i]) || i > 0 && i+1 < len(r) && unicode.IsLower(r[i+1]) {
			break
		}
		r[i] = unicode.ToLower(r[i])
	}
	return string(r)
}

// friendlyName is the identifier by which people know an entity.
func friendlyName(e picket.Entity) string {
	for _, k := range []string{"Address", "FullName", "HostName", "Name", "DisplayName", "Url", "DomainName", "Value", "ResourceId",
		"CommandLine", "ProcessId", "MailboxPrimaryAddress", "Recipient", "NetworkMessageId", "Key", "DistinguishedName", "Sid", "AadUserId"} {
		if v := e.Properties[k]; v != "" {
			return v
		}
	}
	return e.Kind
}
