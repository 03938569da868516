package playbook

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"
)

// iterationInput names an iteration. Its workflow holds nothing else: what it
// works on is in the run that it belongs to.
type iterationInput struct {
	Run   string // ID of the run
	Loop  string // workflow ID of the frame the loop stands in, and the loop's name
	Index int
}

// activeLoop is a loop whose iterations are being carried out.
type activeLoop struct {
	frame *frame
	at    *action
	spec  *loop
	items []any
	base  *variables    // as they were before the loop
	slots chan struct{} // one for each iteration that may run now

	results []any // for result(); only foreach's own goroutine uses it

	mu     sync.Mutex
	merged int           // iterations whose changes are in frame.vars
	moved  chan struct{} // closed when merged grows
}

// foreach carries out a loop. Each iteration is a workflow of its own, with an
// ID made of the loop's and its index, so that iterations may run at the same
// time and still meet their own steps again after a crash.
func (f *frame) foreach(a *action, s *loop) (*outcome, error) {
	o, err := f.step(a, s)
	if err != nil || o.Status != Succeeded {
		return o, err
	}
	items, _ := o.Outputs.([]any)
	l := &activeLoop{frame: f, at: a, spec: s, items: items, base: f.vars.view(), slots: make(chan struct{}, s.repetitions), moved: make(chan struct{})}
	key := f.workflowID + "/" + a.name
	f.runner.loops.open(key, l)
	defer f.runner.loops.close(key)

	// Iterations wait for a slot by themselves; the window only bounds how many wait.
	window := max(64, 4*s.repetitions)
	if s.repetitions == 1 {
		window = 1
	}
	handles := make([]dbos.WorkflowHandle[string], len(items))
	failed, first := 0, ""
	for i := range len(items) + window {
		if i < len(items) {
			id := key + "/" + strconv.Itoa(i)
			if handles[i], err = dbos.RunWorkflow(f.ctx, f.runner.iteration, iterationInput{f.id, key, i}, dbos.WithWorkflowID(id)); err != nil {
				return nil, fmt.Errorf("start iteration %d of %s: %w", i, a.path, err)
			}
		}
		done := i - window + 1
		if done < 0 || done >= len(items) {
			continue
		}
		bad, err := l.collect(f.ctx, handles[done], done)
		if err != nil {
			return nil, fmt.Errorf("iteration %d of %s: %w", done, a.path, err)
		}
		if handles[done] = nil; bad != "" {
			if failed++; first == "" {
				first = fmt.Sprintf("iteration %d: %s", done, bad)
			}
		}
	}
	f.looped[a] = l.results
	sum := &outcome{Status: Succeeded, Code: "OK", Outputs: o.Outputs}
	if failed > 0 {
		sum = fail("ActionFailed", fmt.Sprintf("%d of %d iterations failed; %s", failed, len(items), first))
		sum.Outputs = o.Outputs
	}
	return sum, nil
}

// collect waits for an iteration and takes over what it changed. It returns
// why the iteration failed, or "".
func (l *activeLoop) collect(ctx dbos.Context, h dbos.WorkflowHandle[string], i int) (string, error) {
	var out string
	for {
		var err error
		// The handle of an iteration that an earlier process began polls the
		// database and does not notice that this process stops; so ask in turns.
		out, err = h.GetResult(dbos.WithHandleTimeout(time.Second), dbos.WithHandlePollingInterval(20*time.Millisecond))
		if err == nil {
			break
		}
		if ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
			return "", err
		}
	}
	v, err := decodeJSON([]byte(out))
	if err != nil {
		return "", fmt.Errorf("read the stored result: %w", err)
	}
	f := l.frame
	changes, _ := f.mask.unseal(path(v, "changes")).([]any)
	for _, c := range changes {
		f.vars.apply(changeOf(c))
	}
	if l.at.resultUsed {
		results, _ := f.mask.unseal(path(v, "results")).([]any)
		l.results = append(l.results, results...)
	}
	l.mu.Lock()
	l.merged = i + 1
	close(l.moved)
	l.moved = make(chan struct{})
	l.mu.Unlock()
	if Status(text(path(v, "status"))) == Succeeded {
		return "", nil
	}
	return text(path(v, "message")), nil
}

// enter waits until iteration i may run. In a loop of one repetition it sees
// what the iterations before it did to the variables.
func (l *activeLoop) enter(ctx context.Context, i int) error {
	for l.spec.repetitions == 1 {
		l.mu.Lock()
		merged, moved := l.merged, l.moved
		l.mu.Unlock()
		if merged >= i {
			break
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	select {
	case l.slots <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *activeLoop) leave() { <-l.slots }

// iteration is the workflow of one iteration.
func (r *Runner) iteration(ctx dbos.Context, in iterationInput) (string, error) {
	l, err := r.loops.wait(ctx, in.Loop, func() bool { return r.over(ctx, in.Run) })
	if err != nil {
		return "", err
	}
	if err := l.enter(ctx, in.Index); err != nil {
		return "", err
	}
	defer l.leave()
	up := l.frame
	vars := l.base
	if l.spec.repetitions == 1 {
		vars = up.vars
	}
	if in.Index >= len(l.items) {
		return "", fmt.Errorf("the loop has %d items", len(l.items))
	}
	f := &frame{execution: up.execution, ctx: ctx, workflowID: in.Loop + "/" + strconv.Itoa(in.Index), parent: up, loop: l.at, item: l.items[in.Index],
		iteration: strconv.Itoa(in.Index), outcomes: map[*action]*outcome{}, looped: map[*action][]any{}, vars: vars.view()}
	if up.iteration != "" {
		f.iteration = up.iteration + "." + f.iteration
	}
	if err := f.block(l.spec.body); err != nil {
		return "", err
	}
	sum := f.sum(l.spec.body)
	changes := make([]any, len(f.vars.changes))
	for i, c := range f.vars.changes {
		changes[i] = c.value()
	}
	out := map[string]any{"status": string(sum.Status), "message": sum.Message, "changes": f.mask.seal(changes)}
	if l.at.resultUsed {
		out["results"] = f.mask.seal(f.list(l.spec.body))
	}
	return encodeJSON(out), nil
}

// loops are the loops under way. After a crash, iterations are started again
// beside their run and wait here until it has come to their loop.
type loops struct {
	mu     sync.Mutex
	active map[string]*activeLoop
	opened chan struct{} // closed at each open
}

func (s *loops) open(key string, l *activeLoop) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active[key] = l
	close(s.opened)
	s.opened = make(chan struct{})
}

func (s *loops) close(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.active, key)
}

// wait returns the loop once it is open. over tells that it will never be.
func (s *loops) wait(ctx context.Context, key string, over func() bool) (*activeLoop, error) {
	for {
		s.mu.Lock()
		l, opened := s.active[key], s.opened
		s.mu.Unlock()
		if l != nil {
			return l, nil
		}
		t := time.NewTimer(10 * time.Second)
		select {
		case <-opened:
		case <-t.C:
			if over() {
				return nil, errors.New("the run of this iteration is over")
			}
		case <-ctx.Done():
			t.Stop()
			return nil, ctx.Err()
		}
		t.Stop()
	}
}
