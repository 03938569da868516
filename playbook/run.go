package playbook

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/dbos-inc/dbos-transact-golang/dbos"
	"github.com/google/uuid"

	"picket/state"
)

// execution is one run as this process carries it out.
type execution struct {
	runner   *Runner
	id       string
	playbook *Playbook
	mask     *mask
	params   map[string]any
	trigger  map[string]any
	workflow map[string]any
}

// frame is where actions are carried out: the run itself, or one iteration of
// a loop. Each is a durable workflow; its actions run one after the other, in
// an order that depends on their outcomes alone, so that a repetition after a
// crash meets the same steps.
type frame struct {
	*execution
	ctx        dbos.Context
	workflowID string
	parent     *frame // of an iteration
	loop       *action
	item       any
	iteration  string // indexes of the loops around, "" in the run itself

	outcomes map[*action]*outcome
	looped   map[*action][]any // results of a loop's iterations, for result()
	vars     *variables
	ended    *outcome // of Terminate
}

// block carries out the actions of one level. An error means that the run
// cannot go on in this process; what became of actions is in their outcomes.
func (f *frame) block(b *block) error {
	for _, a := range b.actions {
		if f.ended != nil {
			return nil
		}
		if why := f.unmet(a); why != "" {
			f.skip(a, why)
			continue
		}
		o, err := f.act(a)
		if err != nil {
			return err
		}
		f.settle(a, o)
	}
	return nil
}

// settle keeps what an action came to, for the actions after it.
func (f *frame) settle(a *action, o *outcome) {
	f.outcomes[a] = o
	if o.Change != nil {
		f.vars.apply(*o.Change)
	}
	if a.secureOutputs {
		mapStrings(path(o.Outputs, "body"), func(s string) string {
			if len(s) >= minDerived {
				f.mask.add("", s)
			}
			return s
		})
	}
	if _, ok := a.spec.(*terminate); ok && o.Status == Succeeded {
		f.ended = o
	}
}

// unmet says which condition of runAfter does not hold, or "".
func (f *frame) unmet(a *action) string {
	for _, d := range a.runAfter {
		if o := f.outcomes[d.on]; o != nil && !slices.Contains(d.statuses, o.Status) {
			return fmt.Sprintf("the 'runAfter' condition for action '%s' is not satisfied: it is %s", d.name, o.Status)
		}
	}
	return ""
}

// skip marks an action and all within it as skipped.
func (f *frame) skip(a *action, why string) {
	now := f.runner.o.Now()
	o := &outcome{Name: a.name, Status: Skipped, Code: "ActionSkipped", Message: why, Start: now, End: now}
	f.outcomes[a] = o
	f.record(f.ctx, a, o)
	switch s := a.spec.(type) {
	case *scope:
		f.skipAll(s.body)
	case *condition:
		f.skipAll(s.yes)
		f.skipAll(s.othr)
	}
}

func (f *frame) skipAll(b *block) {
	for _, a := range b.actions {
		f.skip(a, "the action around it was not carried out")
	}
}

// act carries out one action.
func (f *frame) act(a *action) (*outcome, error) {
	start := f.runner.o.Now()
	var o *outcome
	var err error
	switch s := a.spec.(type) {
	case *scope:
		if err = f.block(s.body); err == nil {
			o = f.sum(s.body)
		}
	case *condition:
		o, err = f.branch(a, s)
	case *loop:
		o, err = f.foreach(a, s)
	case executor:
		return f.step(a, s)
	default:
		err = fmt.Errorf("action %s has no way to run", a.path)
	}
	if err != nil {
		return nil, err
	}
	o.Name, o.Start, o.End = a.name, start, f.runner.o.Now()
	f.record(f.ctx, a, o)
	return o, nil
}

// branch carries out one side of an If.
func (f *frame) branch(a *action, s *condition) (*outcome, error) {
	o, err := f.step(a, s)
	if err != nil {
		return nil, err
	}
	if o.Status != Succeeded {
		f.skipAll(s.yes)
		f.skipAll(s.othr)
		return o, nil
	}
	taken, other := s.yes, s.othr
	if path(o.Outputs, "expressionResult") != true {
		taken, other = other, taken
	}
	f.skipAll(other)
	if err := f.block(taken); err != nil {
		return nil, err
	}
	sum := f.sum(taken)
	sum.Outputs = o.Outputs
	return sum, nil
}

// sum is what a level came to: it failed when a last action of it did, or when
// a last action was skipped because of one before it that failed.
func (f *frame) sum(b *block) *outcome {
	seen := map[*action]*action{}
	for _, a := range b.actions {
		last := !slices.ContainsFunc(b.actions, func(o *action) bool {
			return slices.ContainsFunc(o.runAfter, func(d dependency) bool { return d.on == a })
		})
		if !last {
			continue
		}
		if bad := f.culprit(a, seen); bad != nil {
			msg := "action '" + bad.name + "' failed"
			if m := f.outcomes[bad].Message; m != "" {
				msg += ": " + cut(m, 500)
			}
			return fail("ActionFailed", msg)
		}
	}
	return done(nil)
}

// culprit returns the failed action behind a, or nil.
func (f *frame) culprit(a *action, seen map[*action]*action) *action {
	if bad, ok := seen[a]; ok {
		return bad
	}
	var bad *action
	switch o := f.outcomes[a]; {
	case o == nil:
	case o.Status == Failed || o.Status == TimedOut:
		bad = a
	case o.Status == Skipped:
		for _, d := range a.runAfter {
			if bad = f.culprit(d.on, seen); bad != nil {
				break
			}
		}
	}
	seen[a] = bad
	return bad
}

// step carries out one action as one durable step: its outcome is stored, and
// given back without doing anything when the run is repeated.
func (f *frame) step(a *action, e executor) (*outcome, error) {
	stored, err := dbos.RunAsStep(f.ctx, func(ctx context.Context) (string, error) {
		start := f.runner.o.Now()
		o := e.run(ctx, &step{action: a, env: f.env(), runner: f.runner, runID: f.id, playbook: f.playbook.Name, requestID: f.requestID(a)})
		if err := ctx.Err(); err != nil {
			return "", err // stopped, not done: the step is repeated at the next start
		}
		o.Name, o.Start, o.End = a.name, start, f.runner.o.Now()
		f.record(ctx, a, o)
		if a.secureInputs {
			o.Inputs = nil
		}
		return o.encode(f.mask), nil
	}, dbos.WithStepName(a.path))
	if err != nil {
		return nil, fmt.Errorf("action %s: %w", a.path, err)
	}
	return decodeOutcome(stored, f.mask)
}

// requestSpace is the name space of request IDs (RFC 9562, section 5.5).
const requestSpace = "8a6f4a0e-6a0b-5c7e-9a53-0f9d3a9c1d55"

// requestID is a GUID for an action of a run and iteration: the receiver can
// tell a repetition from a second request.
func (f *frame) requestID(a *action) string {
	return uuid.NewSHA1(uuid.MustParse(requestSpace), []byte(f.id+"\x00"+a.path+"\x00"+f.iteration)).String()
}

// env is what expressions see from here.
func (f *frame) env() *env {
	return &env{
		params: f.params, trigger: f.trigger, workflow: f.workflow, mask: f.mask, now: f.runner.o.Now().UTC(), guid: uuid.NewString,
		action: f.outcome, results: f.results, loop: f.current,
		variable: func(name string) (any, bool) {
			v, ok := f.vars.values[strings.ToLower(name)]
			return v, ok
		},
	}
}

// outcome finds what an action came to, here or around the loop.
func (f *frame) outcome(name string) (*outcome, bool) {
	a := f.playbook.actions[strings.ToLower(name)]
	for at := f; at != nil && a != nil; at = at.parent {
		if o := at.outcomes[a]; o != nil {
			return o, true
		}
	}
	return nil, a != nil
}

// current is the item of a loop around; "" is the innermost.
func (f *frame) current(name string) (any, bool) {
	for at := f; at != nil; at = at.parent {
		if at.loop != nil && (name == "" || strings.EqualFold(at.loop.name, name)) {
			return at.item, true
		}
	}
	return nil, false
}

// results lists what the actions directly within a scope or loop came to.
func (f *frame) results(name string) any {
	a := f.playbook.actions[strings.ToLower(name)]
	for at := f; at != nil && a != nil; at = at.parent {
		if at.outcomes[a] == nil {
			continue
		}
		switch s := a.spec.(type) {
		case *loop:
			return at.looped[a]
		case *scope:
			return at.list(s.body)
		case *condition:
			return append(at.list(s.yes), at.list(s.othr)...)
		}
	}
	return []any{}
}

func (f *frame) list(b *block) []any {
	out := []any{}
	for _, a := range b.actions {
		if o := f.outcomes[a]; o != nil {
			out = append(out, o.object())
		}
	}
	return out
}

// maxHistory bounds the inputs and the outputs kept of an action, in bytes.
const maxHistory = 4096

// record writes an action's outcome to the run's history and tells the hook.
// The history is for people: a run goes on without it.
func (f *frame) record(ctx context.Context, a *action, o *outcome) {
	show := func(v any, secure bool) string {
		switch {
		case v == nil:
			return ""
		case secure:
			return `"***"`
		}
		if l, ok := v.([]any); ok {
			if _, isLoop := a.spec.(*loop); isLoop {
				v = map[string]any{"items": int64(len(l))}
			}
		}
		return cut(encodeJSON(mapStrings(v, f.mask.hide)), maxHistory)
	}
	row := state.PlaybookAction{Run: f.id, Path: a.path, Iteration: f.iteration, Type: a.typ, Status: string(o.Status), Code: o.Code, Message: cut(f.mask.hide(o.Message), maxHistory),
		Inputs: show(o.Inputs, a.secureInputs), Outputs: show(o.Outputs, a.secureOutputs), Started: o.Start, Ended: o.End}
	if err := f.runner.db.PutPlaybookAction(ctx, row); err != nil && ctx.Err() == nil {
		f.runner.log.WarnContext(ctx, "the history of a playbook run is incomplete", "run", f.id, "action", a.path, "error", err)
	}
	f.runner.tell(Event{Run: f.id, Playbook: f.playbook.Name, Action: a.path, Iteration: f.iteration, Type: a.typ, Status: o.Status, Code: o.Code, Message: row.Message, Time: o.End})
}
