package analytics

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"
	"github.com/google/go-cmp/cmp"

	"picket"
	"picket/kql/syntax"
	"picket/state"
	"picket/workspace"
)

// rig is a scheduler on real stores, which it can close and open again.
type rig struct {
	t       *testing.T
	dir     string
	now     time.Time
	ws      *workspace.DB
	st      *state.DB
	s       *Scheduler
	mu      sync.Mutex
	windows []Window // the queries asked, over all restarts
	raised  map[string]int
	query   func(w Window) error // what a query does besides answering
	raise   func() error
	append  func(b picket.Batch) error // before an append
	after   func(b picket.Batch) error // after one
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, dir: t.TempDir(), now: slot, raised: map[string]int{}}
	t.Cleanup(r.close)
	return r
}

func (r *rig) open(rules ...*Rule) {
	r.t.Helper()
	var err error
	if r.ws, err = workspace.Open(filepath.Join(r.dir, "logs.duckdb"), workspace.Options{}); err != nil {
		r.t.Fatal(err)
	}
	if r.st, err = state.Open(r.t.Context(), state.Options{Path: filepath.Join(r.dir, "state.db")}); err != nil {
		r.t.Fatal(err)
	}
	r.s = New(r.ws, r.st, Options{
		Retry: time.Millisecond,
		Now:   func() time.Time { r.mu.Lock(); defer r.mu.Unlock(); return r.now },
		Raise: func(_ context.Context, tx *sql.Tx, alerts []picket.Alert) error {
			if r.raise != nil {
				if err := r.raise(); err != nil {
					return err
				}
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			for _, a := range alerts {
				r.raised[a.ID]++
			}
			return nil
		},
	})
	r.s.query = func(ctx context.Context, _ string, w Window) (*Result, error) {
		r.mu.Lock()
		r.windows = append(r.windows, w)
		r.mu.Unlock()
		if r.query != nil {
			if err := r.query(w); err != nil {
				return nil, err
			}
		}
		return answer(strs("IP"), []any{"203.0.113.7"})(ctx, "", w)
	}
	r.s.append = func(ctx context.Context, b picket.Batch) error {
		if r.append != nil {
			if err := r.append(b); err != nil {
				return err
			}
		}
		if err := r.ws.Append(ctx, b); err != nil || r.after == nil {
			return err
		}
		return r.after(b)
	}
	if rules != nil {
		r.s.SetRules(rules)
	}
	if err := r.st.Launch(); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) close() {
	if r.st != nil {
		r.st.Close(context.Background())
		r.ws.Close()
	}
	r.st, r.ws = nil, nil
}

// rows counts the rows of a table that came by batches.
func (r *rig) batches() (alerts, health int) {
	r.t.Helper()
	r.close()
	db, err := sql.Open("duckdb", filepath.Join(r.dir, "logs.duckdb"))
	if err != nil {
		r.t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(`SELECT (SELECT count(*) FROM "SecurityAlert"), (SELECT count(*) FROM "SentinelHealth")`).Scan(&alerts, &health); err != nil {
		r.t.Fatal(err)
	}
	return alerts, health
}

// runUntil runs the scheduler until n slots of the rule are recorded and no more is due.
func (r *rig) runUntil(rule *Rule, n int) []state.RuleRun {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), 30*time.Second)
	defer cancel()
	done := make(chan error)
	go func() { done <- r.s.Run(ctx) }()
	var runs []state.RuleRun
	for ctx.Err() == nil {
		var err error
		if runs, err = r.st.RuleRuns(r.t.Context(), rule.ID, 1000); err != nil {
			r.t.Fatal(err)
		}
		if len(runs) >= n {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
	cancel()
	if err := <-done; err != nil {
		r.t.Fatal(err)
	}
	if len(runs) != n {
		r.t.Fatalf("%d runs, want %d", len(runs), n)
	}
	return runs
}

func (r *rig) ends() []time.Time {
	var ends []time.Time
	for _, w := range r.windows {
		ends = append(ends, w.To)
	}
	return ends
}

func TestSchedulerMissedSlots(t *testing.T) {
	r, rule := newRig(t), testRule()
	r.open(rule)
	runs := r.runUntil(rule, 1)
	if !runs[0].Slot.Equal(slot) || runs[0].Status != "Success" || runs[0].Rows != 1 || runs[0].Alerts != 1 {
		t.Errorf("first run %+v", runs[0])
	}
	r.close()

	// Down for 35 minutes: three slots were missed. The query has changed meanwhile, the grid has not.
	r.now = slot.Add(35 * time.Minute)
	changed := *rule
	changed.Query = "Syslog | take 1"
	r.open(&changed)
	r.runUntil(rule, 4)
	want := []time.Time{slot, slot.Add(10 * time.Minute), slot.Add(20 * time.Minute), slot.Add(30 * time.Minute)}
	if d := cmp.Diff(want, r.ends()); d != "" {
		t.Error("windows:", d)
	}
	for _, w := range r.windows {
		if w.To.Sub(w.From) != 10*time.Minute || !w.Now.Equal(w.To) {
			t.Errorf("window %+v", w)
		}
	}
	st, err := r.s.Status(t.Context())
	if err != nil || len(st) != 1 || !st[0].Next.Equal(slot.Add(40*time.Minute)) || !st[0].Last.Slot.Equal(slot.Add(30*time.Minute)) {
		t.Errorf("status %+v, %v", st, err)
	}
	if alerts, health := r.batches(); alerts != 4 || health != 4 || len(r.raised) != 4 {
		t.Errorf("%d alerts, %d health rows, %d raised; want 4 each", alerts, health, len(r.raised))
	}
}

func TestSchedulerFrequencyChanged(t *testing.T) {
	r, rule := newRig(t), testRule()
	r.open(rule)
	r.runUntil(rule, 1)
	r.mu.Lock()
	r.now = slot.Add(7 * time.Minute)
	r.mu.Unlock()
	faster := *rule
	faster.Frequency = 5 * time.Minute
	r.s.SetRules([]*Rule{&faster})
	r.runUntil(rule, 2)
	if d := cmp.Diff([]time.Time{slot, slot.Add(5 * time.Minute)}, r.ends()); d != "" {
		t.Error(d) // not later than the new frequency has it: nothing is passed over
	}
	r.mu.Lock()
	r.now = slot.Add(8 * time.Minute)
	r.mu.Unlock()
	r.s.SetRules([]*Rule{rule})
	runs := r.runUntil(rule, 3)
	if !runs[0].Slot.Equal(slot.Add(8 * time.Minute)) {
		t.Errorf("a slower grid begins at %v, want at once", runs[0].Slot)
	}
}

func TestRunSlotOnce(t *testing.T) {
	r, rule := newRig(t), testRule()
	r.open(rule)
	first, err := r.s.RunSlot(t.Context(), rule.ID, slot)
	if err != nil {
		t.Fatal(err)
	}
	again, err := r.s.RunSlot(t.Context(), rule.ID, slot)
	if d := cmp.Diff(first, again); err != nil || d != "" {
		t.Errorf("again: %v %s", err, d)
	}
	if len(r.windows) != 1 {
		t.Errorf("the query ran %d times", len(r.windows))
	}
	if _, err := r.s.RunSlot(t.Context(), "nobody", slot); picket.CodeOf(err) != picket.NotFound {
		t.Errorf("unknown rule: %v", err)
	}
}

// A slot is cut off at one of its steps, in a process that ends there; the next
// process finishes it. Everything is there once.
func TestSlotHalfDone(t *testing.T) {
	for _, step := range []string{"query", "append", "appended", "raise", "health", "healthy"} {
		t.Run(step, func(t *testing.T) {
			r, rule := newRig(t), testRule()
			reached := make(chan struct{})
			release := make(chan struct{})
			var once sync.Once
			stall := func() error {
				once.Do(func() { close(reached); <-release })
				return errors.New("the process ends here")
			}
			switch step {
			case "query":
				r.query = func(Window) error { return stall() }
			case "raise":
				r.raise = stall
			default:
				table := map[bool]string{true: "SecurityAlert", false: "SentinelHealth"}[strings.HasPrefix(step, "append")]
				fault := func(b picket.Batch) error {
					if b.Table == table {
						return stall()
					}
					return nil
				}
				if step == "append" || step == "health" {
					r.append = fault
				} else {
					r.after = fault // the rows are there, but the step is not known to be done
				}
			}
			r.open(rule)
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- r.s.Run(ctx) }()
			<-reached
			closed := make(chan struct{})
			go func() { r.st.Close(context.Background()); close(closed) }()
			<-r.st.Work().Done() // durable work is told to end while the step hangs
			close(release)
			<-closed
			cancel()
			<-done
			r.ws.Close()

			r.query, r.raise, r.append, r.after = nil, nil, nil, nil
			r.now = slot.Add(time.Second)
			r.open(rule)
			runs := r.runUntil(rule, 1)
			if runs[0].Status != "Success" || runs[0].Alerts != 1 {
				t.Errorf("run %+v", runs[0])
			}
			h, err := dbos.RetrieveWorkflow[state.RuleRun](r.st.Work(), slotID(rule.ID, slot))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := h.GetResult(dbos.WithHandlePollingInterval(5 * time.Millisecond)); err != nil {
				t.Fatal(err)
			}
			alerts, health := r.batches()
			if alerts != 1 || health != 1 || len(r.raised) != 1 {
				t.Errorf("%d alerts, %d health rows, %d raised; want one each", alerts, health, len(r.raised))
			}
		})
	}
}

// A slot that was noted as started when the process ended, and nothing more, is
// run all the same, and before the next.
func TestSlotStartedOnly(t *testing.T) {
	r, rule := newRig(t), testRule()
	r.open(rule)
	err := r.st.SaveRuleSchedule(t.Context(), state.RuleSchedule{RuleID: rule.ID, Frequency: rule.Frequency, First: slot, Last: slot})
	if err != nil {
		t.Fatal(err)
	}
	r.now = slot.Add(10 * time.Minute)
	r.runUntil(rule, 2)
	if d := cmp.Diff([]time.Time{slot, slot.Add(10 * time.Minute)}, r.ends()); d != "" {
		t.Error(d)
	}
}

func TestSlotQueryFails(t *testing.T) {
	f := func(err error, failures, tries int, want state.RuleRun) {
		t.Helper()
		r, rule := newRig(t), testRule()
		n := 0
		r.query = func(Window) error {
			if n++; n <= failures {
				return err
			}
			return nil
		}
		r.open(rule)
		run, err := r.s.RunSlot(t.Context(), rule.ID, slot)
		if err != nil {
			t.Fatal(err)
		}
		got := state.RuleRun{Status: run.Status, Error: run.Error, Permanent: run.Permanent, Alerts: run.Alerts}
		if d := cmp.Diff(want, got); d != "" || n != tries {
			t.Errorf("%d tries, want %d; %s", n, tries, d)
		}
		if _, health := r.batches(); health != 1 {
			t.Errorf("%d health rows", health)
		}
	}
	r := newRig(t)
	r.open()
	f(errors.New("no memory"), 2, 3, state.RuleRun{Status: "Success", Alerts: 1})
	f(errors.New("no memory"), 99, 4, state.RuleRun{Status: "Failure", Error: "query: no memory"})
	_, err := compilesIn(r.ws)("Nope | take 1")
	f(err, 99, 1, state.RuleRun{Status: "Failure", Permanent: true, Error: "the query does not compile:\n1:1: there is no table named \"Nope\"\n  Syslog\n  ^^^^"})
}

// A rule that fails does not hold up its own next slots nor those of another.
func TestSchedulerOneRuleFails(t *testing.T) {
	r, bad, good := newRig(t), testRule(), testRule()
	bad.ID, bad.Period = "00000000-0000-0000-0000-00000000000b", time.Hour
	r.query = func(w Window) error {
		if w.To.Sub(w.From) == time.Hour {
			return syntax.Diagnostics{{Msg: "broken"}}
		}
		return nil
	}
	r.open(bad, good)
	r.runUntil(good, 1)
	r.runUntil(bad, 1)
	r.now = slot.Add(20 * time.Minute)
	r.runUntil(good, 3)
	for _, run := range r.runUntil(bad, 3) {
		if run.Status != "Failure" || !run.Permanent {
			t.Errorf("run %+v", run)
		}
	}
}

func TestSchedulerSuppression(t *testing.T) {
	r, rule := newRig(t), testRule()
	rule.Suppress = 15 * time.Minute
	r.open(rule)
	r.runUntil(rule, 1)
	r.now = slot.Add(30 * time.Minute)
	var got []string
	for _, run := range r.runUntil(rule, 4) {
		got = append(got, run.Status)
	}
	// Alerts at :00 and :20; :10 and :30 lie within 15 minutes of one.
	if d := cmp.Diff([]string{"Suppressed", "Success", "Suppressed", "Success"}, got); d != "" {
		t.Error(d)
	}
}

// When the alerts cannot be raised at all the slot is recorded as failed, with
// the reason, and the next goes on.
func TestSlotRaiseFails(t *testing.T) {
	r, rule := newRig(t), testRule()
	r.raise = func() error { return errors.New("the desk is closed") }
	r.open(rule)
	run, err := r.s.RunSlot(t.Context(), rule.ID, slot)
	if err != nil || run.Status != "Failure" || run.Alerts != 0 || run.Error == "" {
		t.Errorf("run %+v, %v", run, err)
	}
}

func TestSchedulerForgetsOldRuns(t *testing.T) {
	r, rule := newRig(t), testRule()
	r.open(rule)
	for i := range keepRuns + 3 {
		if _, err := r.s.RunSlot(t.Context(), rule.ID, slot.Add(time.Duration(i)*time.Minute)); err != nil {
			t.Fatal(err)
		}
	}
	runs, err := r.st.RuleRuns(t.Context(), rule.ID, 1000)
	if err != nil || len(runs) != keepRuns {
		t.Errorf("%d runs kept, %v", len(runs), err)
	}
	all, err := dbos.ListWorkflows(r.st.Work(), dbos.WithFilterWorkflowIDPrefix("rule:"))
	if err != nil || len(all) != keepRuns {
		t.Errorf("%d pieces of durable work kept, %v", len(all), err)
	}
}
