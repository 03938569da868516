package analytics

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"picket"
)

// facts are what the rows of SecurityAlert and SentinelHealth tell of a rule.
// They are kept with a run's outcome: the rule may change or go before the rows
// are written.
type facts struct {
	Name      string
	Operator  Operator
	Threshold int
	Frequency time.Duration
	Period    time.Duration
	PerResult bool
	DataTypes []string
}

func factsOf(r *Rule) facts {
	return facts{Name: r.Name, Operator: r.Operator, Threshold: r.Threshold, Frequency: r.Frequency, Period: r.Period, PerResult: r.PerResult, DataTypes: r.DataTypes}
}

// alertBatch returns the rows of SecurityAlert for one slot's alerts.
func alertBatch(id, workspaceID string, f facts, alerts []picket.Alert, now time.Time) picket.Batch {
	b := picket.Batch{Table: "SecurityAlert", ID: id, Columns: []string{
		"TimeGenerated", "DisplayName", "AlertName", "AlertSeverity", "Description", "ProviderName", "VendorName", "VendorOriginalId",
		"SystemAlertId", "AlertType", "ConfidenceLevel", "ConfidenceScore", "IsIncident", "StartTime", "EndTime", "ProcessingEndTime", "RemediationSteps",
		"ExtendedProperties", "Entities", "ExtendedLinks", "ProductName", "ProductComponentName", "AlertLink", "Status",
		"CompromisedEntity", "Tactics", "Techniques", "SubTechniques",
	}}
	for i := range alerts {
		a := &alerts[i]
		p := func(property, or string) string {
			if v := a.Properties[property]; v != "" {
				return v
			}
			return or
		}
		techniques, sub := splitTechniques(a.Techniques)
		var score any
		if f, err := strconv.ParseFloat(a.Properties["ConfidenceScore"], 64); err == nil {
			score = f
		}
		b.Rows = append(b.Rows, []any{
			now, a.Name, a.Name, string(a.Severity), a.Description, p("ProviderName", "ASI Scheduled Alerts"), "Microsoft", a.ID,
			a.ID, workspaceID + "_" + a.RuleID, p("ConfidenceLevel", ""), score, false, a.Start, a.End, now, p("RemediationSteps", ""),
			extendedProperties(f, a), entitiesText(a.Entities), p("ExtendedLinks", ""), p("ProductName", "Azure Sentinel"), p("ProductComponentName", "Scheduled Alerts"), p("AlertLink", ""), "New",
			compromised(a.Entities), strings.Join(a.Tactics, ", "), jsonText(techniques), p("SubTechniques", jsonText(sub)),
		})
	}
	return b
}

// splitTechniques parts T1110 from T1110.001, as the columns do.
func splitTechniques(all []string) (techniques, sub []string) {
	techniques, sub = []string{}, []string{}
	for _, t := range all {
		base, _, isSub := strings.Cut(t, ".")
		if isSub {
			sub = append(sub, t)
		}
		if !contains(techniques, base) {
			techniques = append(techniques, base)
		}
	}
	return techniques, sub
}

func compromised(entities []picket.Entity) string {
	for _, e := range entities {
		if e.Kind == "Host" {
			for _, k := range []string{"FullName", "HostName", "NetBiosName"} {
				if v := e.Properties[k]; v != "" {
					return v
				}
			}
		}
	}
	return ""
}

func jsonText(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "" // lists and maps of strings always encode
	}
	return string(b)
}

// extendedProperties returns the JSON object of that column ("Microsoft
// Sentinel security alert schema reference"); all its values are strings.
func extendedProperties(f facts, a *picket.Alert) string {
	grouping := "SingleAlert"
	if f.PerResult {
		grouping = "AlertPerResult"
	}
	p := map[string]string{
		"Query":                              a.Query,
		"OriginalQuery":                      a.Query,
		"Query Period":                       clock(f.Period),
		"Trigger Operator":                   f.Operator.English(),
		"Trigger Threshold":                  strconv.Itoa(f.Threshold),
		"Query Start Time UTC":               formatTime(a.QueryStart),
		"Query End Time UTC":                 formatTime(a.QueryEnd),
		"Search Query Results Overall Count": strconv.Itoa(a.Rows),
		"Correlation Id":                     a.ID,
		"Analytic Rule Ids":                  jsonText([]string{a.RuleID}),
		"Analytic Rule Name":                 a.RuleName,
		"Event Grouping":                     grouping,
		"Data Sources":                       jsonText(append([]string{}, f.DataTypes...)),
		"Alert generation status":            "Full alert created",
	}
	if len(a.Custom) > 0 {
		p["Custom Details"] = jsonText(a.Custom)
	}
	return jsonText(p)
}

// clock writes a duration as .NET does: 00:10:00, 14.00:00:00.
func clock(d time.Duration) string {
	s := int64(d / time.Second)
	text := fmt.Sprintf("%02d:%02d:%02d", s/3600%24, s/60%60, s%60)
	if days := s / 86400; days > 0 {
		return fmt.Sprintf("%d.%s", days, text)
	}
	return text
}

// entitiesText returns entities as the JSON array that SecurityAlert holds as text
// ("Microsoft Sentinel entity types reference", V3): every object has its
// identifiers, a $id and its Type in lower case.
func entitiesText(entities []picket.Entity) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, e := range entities {
		if i > 0 {
			b.WriteByte(',')
		}
		// Sentinel numbers from the alert itself, which is 1.
		fmt.Fprintf(&b, `{"$id":"%d"`, i+2)
		for _, k := range slices.Sorted(maps.Keys(e.Properties)) {
			b.WriteString("," + jsonText(k) + ":" + jsonText(e.Properties[k]))
		}
		b.WriteString(`,"Type":` + jsonText(entityTypeName(e.Kind)) + `}`)
	}
	b.WriteByte(']')
	return b.String()
}

// entityTypeName is how the entities of alerts spell an entity type.
func entityTypeName(kind string) string {
	switch kind {
	case "AzureResource":
		return "azure-resource"
	case "CloudApplication":
		return "cloud-application"
	case "RegistryKey":
		return "registry-key"
	case "RegistryValue":
		return "registry-value"
	case "SecurityGroup":
		return "security-group"
	case "MailCluster":
		return "mail-cluster"
	case "MailMessage":
		return "mail-message"
	case "SubmissionMail":
		return "submission-mail"
	}
	return strings.ToLower(kind)
}
