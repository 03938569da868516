package workspace

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"picket"
)

// Throttled is the error of what was not done because of how much else is: a
// caller's own or all callers'.
type Throttled struct {
	Err *picket.Error // of code picket.Busy
	// RetryAfter is when it is worth another try.
	RetryAfter time.Duration
}

// Error says which limit was reached.
func (t *Throttled) Error() string { return t.Err.Msg }

// Unwrap returns the picket.Error.
func (t *Throttled) Unwrap() error { return t.Err }

// turns says which queries run now: so many of all callers, so many of each,
// and places that only Picket's own queries take. Who waits is served in order
// of arrival, but a caller at its own limit keeps nobody else waiting.
type turns struct {
	limits Concurrency

	mu      sync.Mutex
	own     int // running of Picket's own
	others  int // running of callers
	callers map[string]*demand
	queue   []*waiter
}

// demand is what one caller has under way.
type demand struct {
	running, waiting int
	starts           []time.Time // within the last period, oldest first
}

type waiter struct {
	caller string
	turn   chan struct{} // closed when it may run
}

func newTurns(c Concurrency) *turns { return &turns{limits: c, callers: map[string]*demand{}} }

// take waits for a turn and returns what ends it. The error is a [Throttled] or
// that of ctx.
func (t *turns) take(ctx context.Context, caller string) (end func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w := &waiter{caller, make(chan struct{})}
	if err := t.join(w); err != nil {
		return nil, err
	}
	timer := time.NewTimer(t.limits.Wait)
	defer timer.Stop()
	select {
	case <-w.turn:
	case <-ctx.Done():
		err = ctx.Err()
	case <-timer.C:
		err = throttled(5*time.Second, "the query waited %s for other queries to end; run fewer at once, or try again later", t.limits.Wait)
	}
	if err != nil && t.leave(w) {
		return nil, err
	}
	// The turn may have come together with the end of the wait.
	return sync.OnceFunc(func() { t.end(caller) }), nil
}

func throttled(after time.Duration, format string, args ...any) error {
	return &Throttled{picket.Errorf(picket.Busy, format, args...), after}
}

// join puts w into the queue, or says why its caller must not wait.
func (t *turns) join(w *waiter) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if w.caller != "" {
		l := t.load(w.caller)
		now := time.Now()
		l.forget(now.Add(-t.limits.Period))
		if len(l.starts) >= t.limits.PerPeriod {
			return throttled(l.starts[0].Add(t.limits.Period).Sub(now), "more than %d queries in %s; ask less often", t.limits.PerPeriod, t.limits.Period)
		}
		if l.waiting >= t.limits.Queue {
			return throttled(time.Second, "%d queries are waiting already; run fewer at once", l.waiting)
		}
		l.waiting++
		l.starts = append(l.starts, now)
	}
	t.queue = append(t.queue, w)
	t.next()
	return nil
}

// load returns the caller's entry. Those of callers long gone are let go.
func (t *turns) load(caller string) *demand {
	if l := t.callers[caller]; l != nil {
		return l
	}
	old := time.Now().Add(-t.limits.Period)
	for name, l := range t.callers {
		if l.forget(old); l.running+l.waiting+len(l.starts) == 0 {
			delete(t.callers, name)
		}
	}
	l := &demand{}
	t.callers[caller] = l
	return l
}

// forget leaves out starts before the time.
func (l *demand) forget(before time.Time) {
	i := slices.IndexFunc(l.starts, func(s time.Time) bool { return !s.Before(before) })
	if i < 0 {
		i = len(l.starts)
	}
	l.starts = slices.Delete(l.starts, 0, i)
}

// next lets everybody run who may.
func (t *turns) next() {
	t.queue = slices.DeleteFunc(t.queue, func(w *waiter) bool {
		if !t.free(w.caller) {
			return false
		}
		if w.caller == "" {
			t.own++
		} else {
			l := t.callers[w.caller]
			l.waiting--
			l.running++
			t.others++
		}
		close(w.turn)
		return true
	})
}

func (t *turns) free(caller string) bool {
	all := t.limits.Running + t.limits.Reserved
	if caller == "" {
		return t.own+t.others < all
	}
	return t.others < t.limits.Running && t.own+t.others < all && t.callers[caller].running < t.limits.PerCaller
}

// leave takes w out of the queue and reports whether it was still there.
func (t *turns) leave(w *waiter) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	i := slices.Index(t.queue, w)
	if i < 0 {
		return false
	}
	t.queue = slices.Delete(t.queue, i, i+1)
	if w.caller != "" {
		t.callers[w.caller].waiting--
	}
	return true
}

func (t *turns) end(caller string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if caller == "" {
		t.own--
	} else {
		t.others--
		t.callers[caller].running--
	}
	t.next()
}

// String tells what is under way, for tests and logs.
func (t *turns) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return fmt.Sprintf("%d of callers, %d own, %d waiting", t.others, t.own, len(t.queue))
}
