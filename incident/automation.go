package incident

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"picket"
	"picket/state"
)

// A Rule is an automation rule, validated: when an incident is created or
// updated and the conditions hold, the actions are done.
type Rule struct {
	File    string // where it was loaded from
	Line    int    // of File, where it begins
	ID      string
	Name    string
	Order   int // rules with a lower order come first
	Enabled bool
	Expires time.Time // no more from then on; zero for never
	When    string    // Created or Updated
	Actions []Action

	// Warnings are remarks on the file that do not stop the rule.
	Warnings picket.Problems

	conditions []condition // all must hold
}

// An Action is one thing that an automation rule does: run a playbook or
// change the incident.
type Action struct {
	Order    int
	Playbook string // name, "" when the incident is changed instead
	Modify   Update
}

// automate has the rules look at a change, one after the other in their order;
// each sees the incident as those before it left it. What a rule changes is an
// update, which rules look at in turn; but no rule runs twice for what began
// with one change, nor for what a playbook does that it has started itself.
func (d *Desk) automate(ctx context.Context, tx *sql.Tx, in picket.Incident, ch change) error {
	rules := *d.rules.Load()
	if len(rules) == 0 {
		return nil
	}
	chain, err := d.chain(ctx, tx, ch.by, rules)
	if err != nil {
		return err
	}
	for changes := []change{ch}; len(changes) > 0; changes = changes[1:] {
		for _, r := range rules {
			if slices.Contains(chain, r.ID) || !d.due(r, changes[0]) || !r.holds(in, changes[0]) {
				continue
			}
			chain = append(chain, r.ID)
			more, err := d.act(ctx, tx, r, &in, changes[0], chain)
			if err != nil {
				return fmt.Errorf("automation rule %s: %w", r.Name, err)
			}
			changes = append(changes, more...)
		}
	}
	return nil
}

// chain returns the rules that led to what an actor does.
func (d *Desk) chain(ctx context.Context, tx *sql.Tx, by Actor, rules []*Rule) ([]string, error) {
	if by.Kind != Playbook {
		return nil, nil
	}
	if by.RunID != "" {
		chain, ok, err := state.AutomationRun(ctx, tx, by.RunID)
		if err != nil || ok {
			return chain, err
		}
	}
	// Which rules started it is not known; all that could have are kept out.
	var chain []string
	for _, r := range rules {
		if slices.ContainsFunc(r.Actions, func(a Action) bool { return strings.EqualFold(a.Playbook, by.Name) }) {
			chain = append(chain, r.ID)
		}
	}
	return chain, nil
}

// due reports whether a rule is for such a change at all, and now.
func (d *Desk) due(r *Rule, ch change) bool {
	if !r.Enabled || !r.Expires.IsZero() && !d.now().Before(r.Expires) {
		return false
	}
	return (r.When == "Created") == ch.created
}

// act does a rule's actions and returns the changes they made to in.
func (d *Desk) act(ctx context.Context, tx *sql.Tx, r *Rule, in *picket.Incident, ch change, chain []string) ([]change, error) {
	h := health{Time: d.now().UTC(), RuleID: r.ID, RuleName: r.Name, Status: "Success", Description: "The automation rule ran successfully.",
		Incident: in.Number, IncidentID: in.ID, When: r.When}
	revision := strconv.FormatInt(in.Revision, 10)
	var more []change
	for i, a := range r.Actions {
		if a.Playbook == "" {
			before := *in
			if u := a.Modify; !u.apply(in) {
				continue
			}
			by := change{by: Actor{Kind: AutomationRule, Name: r.Name}, before: before}
			if err := d.write(ctx, tx, in, &by); err != nil {
				return nil, err
			}
			h.Actions, more = append(h.Actions, "Modify properties"), append(more, by)
			continue
		}
		h.Actions = append(h.Actions, "Run playbook "+a.Playbook)
		err := d.runPlaybook(ctx, tx, a.Playbook, newID("run", in.ID, r.ID, strconv.Itoa(i), revision), *in, ch, chain)
		if picket.CodeOf(err) == picket.NotFound {
			// The rule's fault, not the incident's: nothing else stops for it.
			d.log.Error("an automation rule asks for a playbook that there is not", "rule", r.Name, "playbook", a.Playbook, "incident", in.Number, "error", err)
			h.Status, h.Description, h.Reason = "Failure", "The automation rule failed to run a playbook.", err.Error()
			continue
		}
		if err != nil {
			return nil, err
		}
	}
	row, err := json.Marshal(h)
	if err != nil {
		return nil, err
	}
	return more, state.AddOutbox(ctx, tx, state.OutboxRow{BatchID: "automation:" + in.ID + ":" + r.ID + ":" + revision, Kind: kindHealth, Row: row})
}

func (d *Desk) runPlaybook(ctx context.Context, tx *sql.Tx, playbook, runID string, in picket.Incident, ch change, chain []string) error {
	if d.o.RunPlaybook == nil {
		return picket.Errorf(picket.NotFound, "there is no playbook %s", playbook)
	}
	body, err := d.triggerBody(in, ch)
	if err != nil {
		return err
	}
	if err := d.o.RunPlaybook(ctx, tx, playbook, runID, body); err != nil {
		return err
	}
	return state.SaveAutomationRun(ctx, tx, runID, in.ID, chain)
}
