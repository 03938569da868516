package analytics

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sort"
	"sync"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"

	"picket"
	"picket/state"
	"picket/workspace"
)

// DefaultDelay is how much before its slot a rule's window ends. Sentinel waits
// 5 minutes, for that long may rows take to get through its ingestion; here a
// row can be queried about a second after it was received.
const DefaultDelay = 15 * time.Second

const (
	keepRuns   = 100              // runs remembered for each rule
	maxWait    = 30 * time.Second // the clock is read again at least so often: it may be set, the machine may sleep
	stopGrace  = 10 * time.Second // how long a slot that is running may hold up the end
	stateRetry = 5 * time.Second  // before a slot that could not even be started is tried again
)

// Options configure [New].
type Options struct {
	// Raise is given the alerts of a slot within the transaction that records
	// the slot. It may see the same alerts twice and must then change nothing.
	Raise func(ctx context.Context, tx *sql.Tx, alerts []picket.Alert) error

	Delay    time.Duration    // before a slot, where its window ends; see [DefaultDelay]
	Parallel int              // slots that run at once; 0 means 4
	Retry    time.Duration    // before the first retry of a failed query, doubled after each; 0 means 2 s
	Now      func() time.Time // nil means time.Now
	Logger   *slog.Logger     // nil discards
}

// Scheduler runs rules, each at its slots: the first at once, the others on a
// grid from there. A slot is durable work: it runs once, and when Picket was
// down the slots it missed run one after the other over their own windows.
type Scheduler struct {
	st    *state.DB
	o     Options
	log   *slog.Logger
	slots chan struct{} // a place for each slot that may run

	// Of the workspace; tests put faults between.
	query       Query
	append      func(ctx context.Context, b picket.Batch) error
	workspaceID string

	mu      sync.Mutex
	rules   map[string]*Rule
	changed chan struct{} // closed at the next SetRules
	ready   chan struct{} // closed at the first
}

// New returns a scheduler without rules. Call it before st.Launch, for slots
// that an earlier process left half done go on then; they wait for SetRules.
func New(ws *workspace.DB, st *state.DB, o Options) *Scheduler {
	if o.Parallel <= 0 {
		o.Parallel = 4
	}
	if o.Retry <= 0 {
		o.Retry = 2 * time.Second
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	s := &Scheduler{query: Over(ws), append: ws.Append, workspaceID: ws.ID(), st: st, o: o, log: o.Logger, slots: make(chan struct{}, o.Parallel),
		changed: make(chan struct{}), ready: make(chan struct{})}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	dbos.RegisterWorkflow(st.Work(), s.runSlot, dbos.WithWorkflowName("analytics.slot"))
	return s
}

// SetRules replaces all rules. Rules go on with the slots they had under their
// ID; where the frequency changed, the grid begins anew.
func (s *Scheduler) SetRules(rules []*Rule) {
	byID := make(map[string]*Rule, len(rules))
	for _, r := range rules {
		byID[r.ID] = r
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.rules == nil {
		close(s.ready)
	}
	s.rules = byID
	close(s.changed)
	s.changed = make(chan struct{})
}

// current returns the rules, and a channel that is closed when they change.
func (s *Scheduler) current() (map[string]*Rule, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.rules, s.changed
}

// Run runs the rules' slots as they come due until ctx ends, and returns when
// those that are running then have ended. The state must have been launched.
func (s *Scheduler) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		rules, changed := s.current()
		round, stop := context.WithCancel(ctx)
		var wg sync.WaitGroup
		for _, r := range rules {
			wg.Go(func() { s.follow(round, r) })
		}
		select {
		case <-ctx.Done():
		case <-changed:
		}
		stop()
		wg.Wait()
	}
	return nil
}

// follow runs the slots of one rule, in order.
func (s *Scheduler) follow(ctx context.Context, r *Rule) {
	for ctx.Err() == nil {
		slot, err := s.next(ctx, r)
		if err == nil {
			if d := slot.Sub(s.o.Now()); d > 0 {
				sleep(ctx, min(d, maxWait))
				continue
			}
			select {
			case s.slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			err = s.start(ctx, r, slot)
			<-s.slots
		}
		if err != nil && ctx.Err() == nil {
			s.log.Error("a rule's slot could not be run; it is tried again", "rule", r.Name, "error", err)
			sleep(ctx, stateRetry)
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// next returns the rule's next slot, which may be long past.
func (s *Scheduler) next(ctx context.Context, r *Rule) (time.Time, error) {
	sch, ok, err := s.st.RuleSchedule(ctx, r.ID)
	if err != nil {
		return time.Time{}, err
	}
	now := s.o.Now().UTC().Truncate(time.Millisecond)
	switch {
	case !ok:
		return now, s.st.SaveRuleSchedule(ctx, state.RuleSchedule{RuleID: r.ID, Frequency: r.Frequency, First: now})
	case sch.Frequency != r.Frequency:
		first := now
		// Not later than the new frequency asks for, or rows would be passed over.
		if t := sch.Last.Add(r.Frequency); !sch.Last.IsZero() && t.Before(first) {
			first = t
		}
		return first, s.st.SaveRuleSchedule(ctx, state.RuleSchedule{RuleID: r.ID, Frequency: r.Frequency, First: first})
	case sch.Last.IsZero():
		return sch.First, nil
	}
	// A slot that was started but has no record was cut short: it comes first.
	ran, err := s.st.RuleRan(ctx, r.ID, sch.Last)
	if err != nil || !ran {
		return sch.Last, err
	}
	return sch.Last.Add(r.Frequency), nil
}

// start runs a slot of the grid and waits for its end, after ctx is over for no
// longer than stopGrace: durable work goes on in the next process.
func (s *Scheduler) start(ctx context.Context, r *Rule, slot time.Time) error {
	sch, _, err := s.st.RuleSchedule(ctx, r.ID)
	if err != nil {
		return err
	}
	sch.Last = slot
	if err := s.st.SaveRuleSchedule(ctx, sch); err != nil {
		return err
	}
	wait, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(stopGrace, cancel) })()
	_, err = s.RunSlot(wait, r.ID, slot)
	if err == nil || errors.Is(err, context.Canceled) || !errors.Is(err, errRan) {
		return err // not started: it is tried again, or nothing would ever look at its window
	}
	// The work ended in an error and would do so again: the next slot must not wait for it.
	s.log.Error("a rule's slot could not be run", "rule", r.Name, "slot", slot, "error", err)
	return s.st.Tx(ctx, func(tx *sql.Tx) error {
		return state.RecordRuleRun(ctx, tx, state.RuleRun{RuleID: r.ID, Slot: slot, Finished: s.o.Now(), Status: "Failure", Error: err.Error()})
	})
}

// errRan says that a slot was run, and that its work ended in an error.
var errRan = errors.New("run the slot")

// slotID names the durable work of a slot: no two runs of it.
func slotID(ruleID string, slot time.Time) string {
	return "rule:" + ruleID + ":" + slot.UTC().Format(time.RFC3339Nano)
}

// RunSlot runs one slot of a rule now and waits for its end; the window is the
// one of the slot at the given time (whole milliseconds). A slot that has run
// before is not run again: how it went then is returned. The grid of the rule
// is left as it is. An error means the slot could not be run to its end; that
// the query failed is told by the run.
func (s *Scheduler) RunSlot(ctx context.Context, ruleID string, at time.Time) (state.RuleRun, error) {
	at = at.UTC().Truncate(time.Millisecond)
	rules, _ := s.current()
	if rules[ruleID] == nil {
		return state.RuleRun{}, picket.Errorf(picket.NotFound, "there is no rule %s", ruleID)
	}
	h, err := dbos.RunWorkflow(s.st.Work(), s.runSlot, slotInput{RuleID: ruleID, Slot: at}, dbos.WithWorkflowID(slotID(ruleID, at)))
	if err != nil {
		return state.RuleRun{}, fmt.Errorf("start the slot: %w", err)
	}
	type result struct {
		run state.RuleRun
		err error
	}
	done := make(chan result, 1)
	go func() {
		run, err := h.GetResult(dbos.WithHandlePollingInterval(20 * time.Millisecond))
		done <- result{run, err}
	}()
	var res result
	select {
	case <-ctx.Done():
		return state.RuleRun{}, ctx.Err()
	case res = <-done:
	}
	if res.err != nil {
		return state.RuleRun{}, fmt.Errorf("%w: %w", errRan, res.err)
	}
	return res.run, s.trim(ctx, ruleID)
}

// trim forgets old runs, and the durable work behind them.
func (s *Scheduler) trim(ctx context.Context, ruleID string) error {
	slots, err := s.st.TrimRuleRuns(ctx, ruleID, keepRuns)
	if err != nil || len(slots) == 0 {
		return err
	}
	ids := make([]string, len(slots))
	for i, t := range slots {
		ids[i] = slotID(ruleID, t)
	}
	if err := dbos.DeleteWorkflows(s.st.Work(), ids); err != nil {
		return fmt.Errorf("forget old slots: %w", err)
	}
	return nil
}

// RunStatus tells how a rule does.
type RunStatus struct {
	RuleID, Name, File string
	Last               state.RuleRun // the newest run; zero before the first
	Next               time.Time     // the next slot; zero before the first
}

// Status returns how every rule does, sorted by name.
func (s *Scheduler) Status(ctx context.Context) ([]RunStatus, error) {
	rules, _ := s.current()
	all := make([]RunStatus, 0, len(rules))
	var errs []error
	for _, r := range rules {
		st := RunStatus{RuleID: r.ID, Name: r.Name, File: r.File}
		runs, err := s.st.RuleRuns(ctx, r.ID, 1)
		errs = append(errs, err)
		if len(runs) > 0 {
			st.Last = runs[0]
		}
		sch, ok, err := s.st.RuleSchedule(ctx, r.ID)
		errs = append(errs, err)
		if ok {
			st.Next = sch.First
			if !sch.Last.IsZero() {
				st.Next = sch.Last.Add(sch.Frequency)
			}
		}
		all = append(all, st)
	}
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all, errors.Join(errs...)
}
