package workspace

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"picket"
	"picket/kql"
)

// small limits, so that a test reaches them.
var few = Concurrency{Running: 3, Reserved: 1, PerCaller: 2, Queue: 2, Wait: time.Minute, PerPeriod: 10, Period: 30 * time.Second}

// hold takes a turn that must be free.
func hold(t *testing.T, ts *turns, caller string) func() {
	t.Helper()
	end, err := ts.take(t.Context(), caller)
	if err != nil {
		t.Fatalf("%s: %v", caller, err)
	}
	return end
}

func TestTurnsPerCaller(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := newTurns(few)
		end := hold(t, ts, "a")
		hold(t, ts, "a")
		var order []string
		var wg sync.WaitGroup
		wait := func(caller string) {
			wg.Go(func() {
				hold(t, ts, caller)
				order = append(order, caller)
			})
			synctest.Wait()
		}
		wait("a") // its third: waits
		wait("b") // behind it, yet not kept
		if got := ts.String(); got != "3 of callers, 0 own, 1 waiting" {
			t.Errorf("%s", got)
		}
		hold(t, ts, "") // the reserved place
		wait("a")
		var busy *Throttled
		if _, err := ts.take(t.Context(), "a"); !errors.As(err, &busy) || busy.RetryAfter <= 0 || picket.CodeOf(err) != picket.Busy {
			t.Errorf("with a full queue: %v", err)
		}
		end()
		end() // ending twice gives no second place
		synctest.Wait()
		if got := ts.String(); got != "3 of callers, 1 own, 1 waiting" {
			t.Errorf("after one ended: %s", got)
		}
		if len(order) != 2 || order[0] != "b" {
			t.Errorf("served %v", order)
		}
		ts.end("b")
		synctest.Wait()
		if got := ts.String(); got != "2 of callers, 1 own, 1 waiting" {
			t.Errorf("after another's ended: %s", got)
		}
		ts.end("a")
		wg.Wait()
	})
}

func TestTurnsWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := newTurns(few)
		end := hold(t, ts, "a")
		hold(t, ts, "a")
		start := time.Now()
		var busy *Throttled
		if _, err := ts.take(t.Context(), "a"); !errors.As(err, &busy) || time.Since(start) != few.Wait {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		gone := make(chan error)
		go func() {
			_, err := ts.take(ctx, "a")
			gone <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-gone; !errors.Is(err, context.Canceled) {
			t.Errorf("a caller who went away: %v", err)
		}
		if got := ts.String(); got != "2 of callers, 0 own, 0 waiting" {
			t.Errorf("%s", got)
		}
		end()
		hold(t, ts, "a") // nobody stands before it
	})
}

func TestTurnsPerPeriod(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ts := newTurns(few)
		for range few.PerPeriod {
			hold(t, ts, "a")()
			time.Sleep(time.Second)
		}
		_, err := ts.take(t.Context(), "a")
		var busy *Throttled
		if !errors.As(err, &busy) || busy.RetryAfter != 20*time.Second {
			t.Fatalf("%v, retry after %v", err, busy)
		}
		hold(t, ts, "b")()
		hold(t, ts, "")()
		time.Sleep(busy.RetryAfter + 1)
		hold(t, ts, "a")()
		time.Sleep(time.Hour)
		hold(t, ts, "c")()
		if len(ts.callers) != 1 {
			t.Errorf("%d callers are remembered, want the one of late", len(ts.callers))
		}
	})
}

// A query holds its turn until its rows are read or let go.
func TestQueryTurn(t *testing.T) {
	db := open(t, "", Options{Concurrency: Concurrency{Running: 1, Reserved: 1, Wait: time.Millisecond}})
	c := Caller{Name: "a", Limits: Limits{Rows: 5}}
	res, err := db.QueryAs(t.Context(), c, "range x from 1 to 10 step 1", kql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var busy *Throttled
	if _, err := db.QueryAs(t.Context(), Caller{Name: "b"}, "print 1", kql.Options{}); !errors.As(err, &busy) {
		t.Errorf("a second at once: %v", err)
	}
	query(t, db, "print 1", kql.Options{}) // Picket's own goes on
	if rows, err := res.Collect(); err != nil || len(rows) != 5 || res.Truncated == "" {
		t.Errorf("%d rows, truncated %q, %v", len(rows), res.Truncated, err)
	}
	for _, src := range []string{"print 1", "nonsense |", "print 1 | where toint(print_0) == 1"} {
		res, err := db.QueryAs(t.Context(), c, src, kql.Options{})
		if err == nil {
			err = res.Close()
		}
		if errors.As(err, &busy) {
			t.Errorf("%s: the place of an earlier one was not given back: %v", src, err)
		}
	}
}
