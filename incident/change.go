package incident

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"picket"
	"picket/state"
)

// ActorKind is a sort of [Actor], in the words of the automation property
// IncidentUpdatedBySource.
type ActorKind string

// The kinds of actor.
const (
	User           ActorKind = "User"
	Application    ActorKind = "Application"
	AlertGrouping  ActorKind = "Alert grouping"
	AutomationRule ActorKind = "Automation rule"
	Playbook       ActorKind = "Playbook"
)

// An Actor is who changes an incident.
type Actor struct {
	Kind ActorKind
	Name string

	// RunID names the run of a playbook, as RunPlaybook was given it. It keeps
	// the rules that led to the run from being started by what the run does.
	RunID string
}

// modifiedBy is the actor as ModifiedBy of SecurityIncident has it.
func (a Actor) modifiedBy() string {
	switch a.Kind {
	case AlertGrouping:
		return "Alert grouping"
	case AutomationRule, Playbook:
		return string(a.Kind) + " - " + a.Name
	}
	if a.Name == "" {
		return string(a.Kind)
	}
	return a.Name
}

// change is what one change of an incident did.
type change struct {
	by       Actor
	created  bool
	before   picket.Incident // zero when created
	alerts   []picket.Alert  // added
	comments []picket.Comment
	labels   []string // added
	tactics  []string // added
}

// change writes a changed incident, with the row that tells of it, and has the
// automation rules look at it. Everything is one transaction: the caller's.
func (d *Desk) change(ctx context.Context, tx *sql.Tx, before, after picket.Incident, ch change) error {
	ch.before = before
	if err := d.write(ctx, tx, &after, &ch); err != nil {
		return err
	}
	return d.automate(ctx, tx, after, ch)
}

// write writes the incident's fields and its row for SecurityIncident.
func (d *Desk) write(ctx context.Context, tx *sql.Tx, in *picket.Incident, ch *change) error {
	now := d.now().UTC().Truncate(time.Millisecond)
	if !now.After(in.Modified) {
		// "arg_max(LastModifiedTime, *)" finds the latest row: no two may have one time.
		now = in.Modified.Add(time.Millisecond)
	}
	in.Revision++
	in.Modified, in.ModifiedBy = now, ch.by.modifiedBy()
	switch {
	case ch.created:
		in.Created, in.ModifiedBy = now, "Incident created from alert"
	case in.FirstModified.IsZero():
		in.FirstModified = now
	}
	switch {
	case in.Status != "Closed":
		in.Closed, in.Classification, in.ClassificationReason, in.ClassificationComment = time.Time{}, "", "", ""
	case in.Closed.IsZero():
		in.Closed = now
	}
	ch.labels = added(ch.before.Labels, in.Labels)
	ch.tactics = added(ch.before.Tactics, in.Tactics)
	if err := state.UpdateIncident(ctx, tx, in); err != nil {
		return err
	}
	row, err := json.Marshal(slim(*in))
	if err != nil {
		return fmt.Errorf("write incident %d: %w", in.Number, err)
	}
	return state.AddOutbox(ctx, tx, state.OutboxRow{BatchID: fmt.Sprintf("incident:%s:%d", in.ID, in.Revision), Kind: kindIncident, Row: row})
}

// added returns what after has and before has not.
func added(before, after []string) []string {
	var list []string
	for _, v := range after {
		if !slices.Contains(before, v) {
			list = append(list, v)
		}
	}
	return list
}

// slim leaves out what the row does not tell: what the alerts say.
func slim(in picket.Incident) picket.Incident {
	alerts := make([]picket.Alert, len(in.Alerts))
	for i, a := range in.Alerts {
		alerts[i] = picket.Alert{ID: a.ID, Properties: a.Properties}
	}
	in.Alerts, in.Entities = alerts, nil
	return in
}
