package incident

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"picket"
)

// incidentBatch returns the row of SecurityIncident for a state of an incident.
func (d *Desk) incidentBatch(id string, in picket.Incident) picket.Batch {
	alertIDs := make([]string, len(in.Alerts))
	for i, a := range in.Alerts {
		alertIDs[i] = a.ID
	}
	return picket.Batch{Table: "SecurityIncident", ID: id, Columns: []string{
		"TimeGenerated", "IncidentName", "Title", "Description", "Severity", "Status",
		"Classification", "ClassificationComment", "ClassificationReason", "Owner", "ProviderName", "ProviderIncidentId",
		"FirstActivityTime", "LastActivityTime", "FirstModifiedTime", "LastModifiedTime", "CreatedTime", "ClosedTime",
		"IncidentNumber", "RelatedAnalyticRuleIds", "AlertIds", "BookmarkIds", "Comments", "Tasks", "Labels",
		"IncidentUrl", "AdditionalData", "ModifiedBy", "SourceSystem",
	}, Rows: [][]any{{
		in.Modified, in.ID, in.Title, in.Description, string(in.Severity), in.Status,
		in.Classification, in.ClassificationComment, in.ClassificationReason, ownerOf(in.Owner), "Azure Sentinel", strconv.FormatInt(in.Number, 10),
		in.FirstActivity, in.LastActivity, in.FirstModified, in.Modified, in.Created, in.Closed,
		in.Number, list(in.RuleIDs), alertIDs, []string{}, d.comments(in), []string{}, labelsOf(in.Labels),
		d.url(in), d.additionalData(in), in.ModifiedBy, "Picket",
	}}}
}

func (d *Desk) url(in picket.Incident) string {
	if d.place.URL == "" {
		return ""
	}
	return fmt.Sprintf("%s/incidents/%d", d.place.URL, in.Number)
}

// list returns s, with an empty list for none: JSON's null is no list.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// owner is the owner of an incident as Azure writes it. Picket knows a name alone.
type owner struct {
	ObjectID   *string `json:"objectId"`
	Email      *string `json:"email"`
	AssignedTo *string `json:"assignedTo"`
	UPN        *string `json:"userPrincipalName"`
}

func ownerOf(name string) owner {
	if name == "" {
		return owner{}
	}
	return owner{AssignedTo: &name}
}

type label struct {
	Name string `json:"labelName"`
	Type string `json:"labelType"`
}

func labelsOf(names []string) []label {
	labels := make([]label, len(names))
	for i, n := range names {
		labels[i] = label{n, "User"}
	}
	return labels
}

// comment is a comment as the column Comments has it, and with an ID and a
// type as a playbook gets it.
type comment struct {
	ID      string    `json:"id"`
	Message string    `json:"message"`
	Created time.Time `json:"createdTimeUtc"`
	Author  author    `json:"author"`
}

type author struct {
	ObjectID *string `json:"objectId"`
	Email    *string `json:"email"`
	Name     string  `json:"name"`
	UPN      *string `json:"userPrincipalName"`
}

func (d *Desk) comments(in picket.Incident) []comment {
	list := make([]comment, len(in.Comments))
	for i, c := range in.Comments {
		list[i] = comment{d.resourceID("Incidents/" + in.ID + "/Comments/" + c.ID), c.Message, c.Created, author{Name: c.Author}}
	}
	return list
}

type additionalData struct {
	Alerts     int      `json:"alertsCount"`
	Bookmarks  int      `json:"bookmarksCount"`
	Comments   int      `json:"commentsCount"`
	Products   []string `json:"alertProductNames"`
	Tactics    []string `json:"tactics"`
	Techniques []string `json:"techniques"`
}

func (d *Desk) additionalData(in picket.Incident) additionalData {
	return additionalData{len(in.Alerts), 0, len(in.Comments), products(in), list(in.Tactics), list(in.Techniques)}
}

// products are the products the incident's alerts come from.
func products(in picket.Incident) []string {
	var names []string
	for _, a := range in.Alerts {
		n := a.Properties["ProductName"]
		if n == "" {
			n = "Azure Sentinel"
		}
		names = append(names, added(names, []string{n})...)
	}
	return list(names)
}

// health is a record of SentinelHealth about an automation rule's run.
type health struct {
	Time        time.Time
	RuleID      string
	RuleName    string
	Status      string // Success, Failure
	Description string
	Reason      string
	Incident    int64
	IncidentID  string
	When        string   // Created, Updated
	Actions     []string // what was done
}

func (h health) batch(id, workspaceID string) picket.Batch {
	extended, _ := json.Marshal(map[string]any{ // strings and numbers: encodes always
		"TriggeredOn": "Incident", "TriggeredWhen": h.When, "IncidentNumber": h.Incident, "IncidentName": h.IncidentID, "ActionsTriggered": list(h.Actions),
	})
	return picket.Batch{Table: "SentinelHealth", ID: id, Columns: []string{
		"TimeGenerated", "OperationName", "SentinelResourceId", "SentinelResourceName", "Status", "Description", "Reason",
		"WorkspaceId", "SentinelResourceType", "SentinelResourceKind", "RecordId", "ExtendedProperties", "SourceSystem",
	}, Rows: [][]any{{
		h.Time, "Automation rule run", h.RuleID, h.RuleName, h.Status, h.Description, h.Reason,
		workspaceID, "Automation rule", "Automation rule", newID("health", id), json.RawMessage(extended), "Picket",
	}}}
}
