// Package picket holds the nouns that every part of Picket shares: batches of
// log rows, alerts, incidents, entities, verdicts, errors and secrets.
// It imports nothing of Picket's own.
package picket

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// A Batch is a set of rows for one table of the workspace. It is appended as a
// whole or not at all.
type Batch struct {
	// Table is the destination, for example "Syslog".
	Table string

	// ID, when set, makes the append idempotent: a second batch with the same
	// ID and table is accepted and writes nothing. IDs are remembered for a
	// week, and over the time that the program does not run.
	ID string

	// Ephemeral says that only this process will repeat the ID, and soon: it is
	// remembered in memory for the next thousand batches, and costs no disk.
	Ephemeral bool

	// Columns names the values of each row. Columns of the table that are not
	// named stay empty.
	Columns []string

	// Rows holds one value per column: nil, string, bool, int, int32, int64,
	// float64, [time.Time], [time.Duration], json.RawMessage, or for a dynamic column anything
	// that encoding/json can encode.
	Rows [][]any
}

// Severity is the severity of an alert or incident, in Microsoft Sentinel's spelling.
type Severity string

// The severities, lowest first.
const (
	Informational Severity = "Informational"
	Low           Severity = "Low"
	Medium        Severity = "Medium"
	High          Severity = "High"
)

// Rank orders severities: 0 for Informational up to 3 for High, -1 for anything else.
func (s Severity) Rank() int {
	switch s {
	case Informational:
		return 0
	case Low:
		return 1
	case Medium:
		return 2
	case High:
		return 3
	}
	return -1
}

// An Entity is something an alert is about: an address, a host, an account.
type Entity struct {
	// Kind is Sentinel's entity type as rules spell it: IP, Host, Account, URL, ….
	Kind string `json:"kind"`

	// Properties holds the identifiers by name: Address; HostName; Name,
	// UPNSuffix; Url; …. An address is kept in its canonical text form.
	Properties map[string]string `json:"properties"`
}

// Address returns the address of an IP entity, and "" for any other.
func (e Entity) Address() string {
	if e.Kind != "IP" {
		return ""
	}
	return e.Properties["Address"]
}

// Key returns a text that two entities share exactly when they are the same:
// of one kind, with the same identifiers.
func (e Entity) Key() string {
	var b strings.Builder
	b.WriteString(e.Kind)
	for _, k := range slices.Sorted(maps.Keys(e.Properties)) {
		b.WriteByte(0)
		b.WriteString(k)
		b.WriteByte(0)
		b.WriteString(e.Properties[k])
	}
	return b.String()
}

// An Alert is what one run of an analytics rule found.
type Alert struct {
	ID          string // SystemAlertId, a GUID; stable over retries of the same run
	RuleID      string // GUID of the rule
	RuleName    string
	Name        string // AlertName; the rule's name unless overridden
	Description string
	Severity    Severity
	Tactics     []string
	Techniques  []string
	Start, End  time.Time // of the first and last event
	Time        time.Time // when the alert was raised
	Query       string
	QueryStart  time.Time // the window that was searched
	QueryEnd    time.Time
	Rows        int // result rows behind the alert
	Entities    []Entity
	Custom      map[string][]string // custom details
	Properties  map[string]string   // properties set from columns (alertDynamicProperties): AlertLink, ProviderName, …

	Grouping Grouping
}

// Grouping says how an alert joins others in one incident
// (incidentConfiguration of an analytics rule).
type Grouping struct {
	CreateIncident       bool
	Enabled              bool
	ReopenClosedIncident bool
	Lookback             time.Duration
	MatchingMethod       string // AllEntities, AnyAlert, Selected
	GroupByEntities      []string
	GroupByAlertDetails  []string
	GroupByCustomDetails []string
}

// An Incident is a case for an analyst: one or more alerts with their entities.
type Incident struct {
	ID          string // IncidentName, a GUID
	Number      int64
	Revision    int64 // changes so far: 1 when new, higher after every change
	Title       string
	Description string
	Severity    Severity
	Status      string // New, Active, Closed

	Classification        string
	ClassificationReason  string
	ClassificationComment string
	Owner                 string
	Labels                []string

	RuleIDs    []string
	Alerts     []Alert
	Tactics    []string
	Techniques []string
	Entities   []Entity // of all alerts, without repeats
	Comments   []Comment

	FirstActivity, LastActivity      time.Time
	Created, FirstModified, Modified time.Time
	Closed                           time.Time // zero while open
	ModifiedBy                       string
}

// Summarize sets what follows from the incident's alerts: rules, tactics,
// techniques, entities, first and last activity.
func (in *Incident) Summarize() {
	in.RuleIDs, in.Tactics, in.Techniques, in.Entities = nil, nil, nil, nil
	in.FirstActivity, in.LastActivity = time.Time{}, time.Time{}
	seen := map[string]bool{}
	add := func(list []string, kind string, values ...string) []string {
		for _, v := range values {
			if k := kind + "\x00" + v; !seen[k] {
				seen[k] = true
				list = append(list, v)
			}
		}
		return list
	}
	for i := range in.Alerts {
		a := &in.Alerts[i]
		in.RuleIDs = add(in.RuleIDs, "rule", a.RuleID)
		in.Tactics = add(in.Tactics, "tactic", a.Tactics...)
		in.Techniques = add(in.Techniques, "technique", a.Techniques...)
		for _, e := range a.Entities {
			if k := "entity\x00" + e.Key(); !seen[k] {
				seen[k] = true
				in.Entities = append(in.Entities, e)
			}
		}
		if i == 0 || a.Start.Before(in.FirstActivity) {
			in.FirstActivity = a.Start
		}
		if a.End.After(in.LastActivity) {
			in.LastActivity = a.End
		}
	}
}

// A Comment is a remark on an incident. Its ID is chosen by the writer: writing
// the same ID again replaces the text and adds no second comment.
type Comment struct {
	ID      string
	Message string // HTML subset, at most 30,000 characters
	Author  string
	Created time.Time
}
