package incident

import (
	"context"
	"database/sql"
	"slices"
	"strings"

	"picket"
	"picket/state"
)

// Raise makes incidents of alerts, or adds them to those they belong to, in the
// caller's transaction. An alert that was raised before changes nothing. The
// alerts of one call that meet in one incident are one change of it.
func (d *Desk) Raise(ctx context.Context, tx *sql.Tx, alerts []picket.Alert) error {
	r := raise{d: d, tx: tx, byID: map[string]*target{}}
	for i := range alerts {
		if err := r.place(ctx, &alerts[i]); err != nil {
			return err
		}
	}
	for _, t := range r.targets {
		if err := r.commit(ctx, t); err != nil {
			return err
		}
	}
	d.wake()
	return nil
}

// raise is one call of Raise.
type raise struct {
	d       *Desk
	tx      *sql.Tx
	targets []*target
	byID    map[string]*target
}

// target is an incident with the alerts that join it now.
type target struct {
	before picket.Incident // its ID is empty for a new incident
	key    string          // group key
	alerts []picket.Alert
}

// place finds the incident of an alert.
func (r *raise) place(ctx context.Context, a *picket.Alert) error {
	if !a.Grouping.CreateIncident {
		return nil
	}
	if have, err := state.HasAlert(ctx, r.tx, a.ID); err != nil || have {
		return err
	}
	key := groupKey(a)
	if key != "" {
		for _, t := range slices.Backward(r.targets) {
			if t.key != key || t.ruleID() != a.RuleID {
				continue
			}
			if len(t.before.Alerts)+len(t.alerts) < maxAlerts {
				t.alerts = append(t.alerts, *a)
				return nil
			}
		}
		id, err := state.FindIncident(ctx, r.tx, a.RuleID, key, a.Time.Add(-a.Grouping.Lookback), maxAlerts, a.Grouping.ReopenClosedIncident)
		if err != nil {
			return err
		}
		if id != "" && r.byID[id] == nil { // one that this call has filled is no more use
			before, err := state.LoadIncident(ctx, r.tx, id)
			if err != nil {
				return err
			}
			t := &target{before: before, key: key, alerts: []picket.Alert{*a}}
			r.targets, r.byID[id] = append(r.targets, t), t
			return nil
		}
	}
	r.targets = append(r.targets, &target{key: key, alerts: []picket.Alert{*a}})
	return nil
}

func (t *target) ruleID() string { return t.alerts[0].RuleID }

// commit writes an incident with its new alerts.
func (r *raise) commit(ctx context.Context, t *target) error {
	in, ch := t.before, change{by: Actor{Kind: AlertGrouping}, alerts: t.alerts}
	if in.ID == "" {
		first := &t.alerts[0]
		number, err := state.NextIncidentNumber(ctx, r.tx)
		if err != nil {
			return err
		}
		in = picket.Incident{ID: newID("incident", first.ID), Number: number, Title: first.Name, Description: first.Description,
			Severity: first.Severity, Status: "New"}
		for _, a := range t.alerts {
			if a.Severity.Rank() > in.Severity.Rank() {
				in.Severity = a.Severity
			}
		}
		if err := state.InsertIncident(ctx, r.tx, &in, first.RuleID, t.key); err != nil {
			return err
		}
		ch.created = true
	} else if in.Status == "Closed" {
		in.Status = "Active"
	}
	for i := range t.alerts {
		if err := state.AddIncidentAlert(ctx, r.tx, in.ID, &t.alerts[i]); err != nil {
			return err
		}
	}
	in.Alerts = append(slices.Clone(in.Alerts), t.alerts...)
	in.Summarize()
	return r.d.change(ctx, r.tx, t.before, in, ch)
}

// groupKey returns what an alert must have in common with the others of its
// incident; empty when it gets one of its own. An alert that lacks everything
// it is to be grouped by has nothing in common with another that lacks it too.
func groupKey(a *picket.Alert) string {
	g := a.Grouping
	if !g.Enabled {
		return ""
	}
	var parts []string
	switch g.MatchingMethod {
	case "AnyAlert":
		return "any"
	case "Selected":
		for _, e := range a.Entities {
			if slices.Contains(g.GroupByEntities, e.Kind) {
				parts = append(parts, "entity "+e.Key())
			}
		}
		for _, detail := range g.GroupByAlertDetails {
			switch detail {
			case "DisplayName":
				parts = append(parts, "name "+a.Name)
			case "Severity":
				parts = append(parts, "severity "+string(a.Severity))
			}
		}
		for _, k := range g.GroupByCustomDetails {
			for _, v := range a.Custom[k] {
				parts = append(parts, "detail "+k+"\x00"+v)
			}
		}
	default: // AllEntities
		for _, e := range a.Entities {
			parts = append(parts, "entity "+e.Key())
		}
	}
	if len(parts) == 0 {
		return ""
	}
	slices.Sort(parts)
	return newID("group", g.MatchingMethod, strings.Join(slices.Compact(parts), "\x01"))
}
