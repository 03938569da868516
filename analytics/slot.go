package analytics

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"
	"github.com/google/uuid"

	"picket"
	"picket/kql/syntax"
	"picket/state"
)

// maxTries is how often a slot's query is run before the slot counts as failed.
const maxTries = 4

// slotInput names a slot. The rule itself is looked up when the slot runs.
type slotInput struct {
	RuleID string
	Slot   time.Time
}

// outcome is what the evaluation of a slot came to. It is kept: the steps after
// it work from here, also when they run in another process.
type outcome struct {
	Facts      facts
	Alerts     []picket.Alert
	Stats      Stats
	Suppressed bool
	Suppress   time.Duration // for so long when there are alerts
	Error      string
	Permanent  bool
}

// runSlot is the durable work of one slot. Every step may run twice, and then
// changes nothing the second time: alerts have IDs of their own, batches too.
func (s *Scheduler) runSlot(ctx dbos.Context, in slotInput) (state.RuleRun, error) {
	out, err := dbos.RunAsStep(ctx, func(ctx context.Context) (outcome, error) { return s.evaluate(ctx, in) },
		dbos.WithStepName("evaluate"), dbos.WithStepMaxRetries(3), dbos.WithStepBaseInterval(s.o.Retry))
	if err != nil {
		return state.RuleRun{}, err
	}
	if len(out.Alerts) > 0 {
		_, err = dbos.RunAsStep(ctx, func(ctx context.Context) (int, error) {
			return len(out.Alerts), s.append(ctx, alertBatch("alerts:"+slotID(in.RuleID, in.Slot), s.workspaceID, out.Facts, out.Alerts, s.o.Now()))
		}, dbos.WithStepName("append"), dbos.WithStepMaxRetries(5), dbos.WithStepBaseInterval(s.o.Retry))
		if err != nil && ctx.Err() == nil {
			// An incident without its SecurityAlert row is better than none.
			out.Error = fmt.Sprintf("the alerts could not be written to SecurityAlert: %v", err)
		}
	}
	run, err := dbos.RunAsStep(ctx, func(ctx context.Context) (state.RuleRun, error) { return s.raise(ctx, in, out) },
		dbos.WithStepName("raise"), dbos.WithStepMaxRetries(5), dbos.WithStepBaseInterval(s.o.Retry))
	if err != nil {
		if ctx.Err() != nil {
			return run, err
		}
		out.Error = fmt.Sprintf("the alerts could not be raised: %v", err)
		if run, err = dbos.RunAsStep(ctx, func(ctx context.Context) (state.RuleRun, error) { return s.record(ctx, in, out) }, dbos.WithStepName("record")); err != nil {
			return run, err
		}
	}
	_, err = dbos.RunAsStep(ctx, func(ctx context.Context) (int, error) {
		return 1, s.append(ctx, healthBatch(s.workspaceID, out, run))
	}, dbos.WithStepName("health"), dbos.WithStepMaxRetries(3), dbos.WithStepBaseInterval(s.o.Retry))
	if err != nil && ctx.Err() == nil {
		s.log.Warn("a rule's run could not be written to SentinelHealth", "rule", out.Facts.Name, "error", err)
		err = nil
	}
	return run, err
}

// evaluate runs the rule's query. What goes wrong with it is part of the
// outcome; an error comes back when the process ends, and the slot is then run anew.
func (s *Scheduler) evaluate(ctx context.Context, in slotInput) (outcome, error) {
	select {
	case <-ctx.Done():
		return outcome{}, ctx.Err()
	case <-s.ready:
	}
	rules, _ := s.current()
	r := rules[in.RuleID]
	if r == nil {
		return outcome{Error: "the rule is gone", Permanent: true}, nil
	}
	out := outcome{Facts: factsOf(r), Suppress: r.Suppress}
	if r.Suppress > 0 {
		sch, _, err := s.st.RuleSchedule(ctx, in.RuleID)
		if err != nil {
			return outcome{}, err
		}
		if out.Suppressed = in.Slot.Before(sch.SuppressedUntil); out.Suppressed {
			return out, nil
		}
	}
	for try := 1; ; try++ {
		var err error
		out.Alerts, out.Stats, err = Evaluate(ctx, r, in.Slot, s.o.Delay, s.query)
		if err == nil {
			return out, nil
		}
		if ctx.Err() != nil {
			return outcome{}, ctx.Err()
		}
		out.Alerts, out.Error, out.Permanent = nil, explain(err, r.Query), permanent(err)
		if out.Permanent || try == maxTries {
			return out, nil
		}
		s.log.Warn("a rule's query failed; it is tried again", "rule", r.Name, "slot", in.Slot, "try", try, "error", err)
		sleep(ctx, s.o.Retry<<(try-1))
		out.Error = ""
	}
}

// permanent reports whether a query's error is the query's own fault: running
// it again would not help.
func permanent(err error) bool {
	var d syntax.Diagnostics
	return errors.As(err, &d)
}

// explain is the text of a query's error: with the places in the query when it
// does not compile.
func explain(err error, query string) string {
	var d syntax.Diagnostics
	if errors.As(err, &d) {
		return "the query does not compile:\n" + strings.TrimRight(d.Render(query), "\n")
	}
	return err.Error()
}

// raise hands the alerts on and records the slot, both or neither.
func (s *Scheduler) raise(ctx context.Context, in slotInput, out outcome) (state.RuleRun, error) {
	run := s.newRun(in, out)
	err := s.st.Tx(ctx, func(tx *sql.Tx) error {
		if len(out.Alerts) > 0 {
			if s.o.Raise != nil {
				if err := s.o.Raise(ctx, tx, out.Alerts); err != nil {
					return err
				}
			}
			if out.Suppress > 0 {
				if err := state.SuppressRule(ctx, tx, in.RuleID, in.Slot.Add(out.Suppress)); err != nil {
					return err
				}
			}
		}
		return state.RecordRuleRun(ctx, tx, run)
	})
	return run, err
}

// record records a slot whose alerts could not be raised.
func (s *Scheduler) record(ctx context.Context, in slotInput, out outcome) (state.RuleRun, error) {
	run := s.newRun(in, out)
	run.Alerts = 0
	return run, s.st.Tx(ctx, func(tx *sql.Tx) error { return state.RecordRuleRun(ctx, tx, run) })
}

func (s *Scheduler) newRun(in slotInput, out outcome) state.RuleRun {
	run := state.RuleRun{RuleID: in.RuleID, Slot: in.Slot, Finished: s.o.Now().UTC(), Status: "Success", Rows: out.Stats.Rows, Alerts: len(out.Alerts),
		InvalidAddresses: out.Stats.InvalidAddresses, DroppedEntities: out.Stats.DroppedEntities, Duration: out.Stats.Duration,
		Error: out.Error, Permanent: out.Permanent}
	switch {
	case out.Error != "":
		run.Status = "Failure"
		s.log.Error("a rule's slot failed", "rule", out.Facts.Name, "slot", in.Slot, "permanent", out.Permanent, "error", out.Error)
	case out.Suppressed:
		run.Status = "Suppressed"
	}
	return run
}

// healthBatch returns the row of SentinelHealth for a run ("SentinelHealth
// tables reference", analytics rules).
func healthBatch(workspaceID string, out outcome, run state.RuleRun) picket.Batch {
	status, description := "Success", "The rule ran successfully."
	switch {
	case run.Status == "Failure":
		status, description = "Failure", "The rule failed to run."
	case run.Status == "Suppressed":
		description = "The rule did not run: it is suppressed after an alert."
	case out.Stats.Truncated != "":
		status, description = "Warning", "The rule ran, but not over all rows: "+out.Stats.Truncated+"."
	case run.DroppedEntities > 0:
		status, description = "Warning", fmt.Sprintf("The rule ran, but %d entities beyond the limit were left out.", run.DroppedEntities)
	}
	entities := 0
	for _, a := range out.Alerts {
		entities += len(a.Entities)
	}
	f := out.Facts
	extended, _ := json.Marshal(map[string]any{ // strings and numbers: encodes always
		"RuleId": run.RuleID, "AlertsGeneratedAmount": run.Alerts, "EntitiesGeneratedAmount": entities,
		"EntitiesDroppedDueToMappingIssuesAmount": run.InvalidAddresses, "EntitiesDroppedDueToLimitAmount": run.DroppedEntities,
		"QueryStartTimeUTC": formatTime(out.Stats.From), "QueryEndTimeUTC": formatTime(out.Stats.To), "QueryResultAmount": run.Rows,
		"QueryFrequency": clock(f.Frequency), "QueryPeriod": clock(f.Period), "TriggerOperator": f.Operator.English(), "TriggerThreshold": f.Threshold,
		"SlotTimeUTC": formatTime(run.Slot), "DurationMs": float64(run.Duration.Microseconds()) / 1000, "IsPermanentFailure": run.Permanent,
	})
	id := slotID(run.RuleID, run.Slot)
	return picket.Batch{Table: "SentinelHealth", ID: "health:" + id, Columns: []string{
		"TimeGenerated", "OperationName", "SentinelResourceId", "SentinelResourceName", "Status", "Description", "Reason",
		"WorkspaceId", "SentinelResourceType", "SentinelResourceKind", "RecordId", "ExtendedProperties", "SourceSystem",
	}, Rows: [][]any{{
		run.Finished, "Scheduled analytics rule run", run.RuleID, f.Name, status, description, run.Error,
		workspaceID, "Analytics Rule", "Scheduled", uuid.NewSHA1(alertSpace, []byte(id)).String(), json.RawMessage(extended), "Picket",
	}}}
}
