package ingest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
)

// A store keeps rows as the contract of [Append] has it: a batch as a whole or
// not at all, and an ID once.
type store struct {
	mu      sync.Mutex
	columns []string
	batches [][][]any
	ids     map[string]bool
	times   []time.Time
	arrived chan struct{} // gets a value for every append, if not nil

	// before, if not nil, runs before a batch is taken, after when it is; an
	// error is Append's result.
	before, after func(b picket.Batch) error
}

func (s *store) Append(ctx context.Context, b picket.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.before != nil {
		if err := s.before(b); err != nil {
			return err
		}
	}
	s.mu.Lock()
	for _, row := range b.Rows {
		if len(row) != len(b.Columns) {
			panic(fmt.Sprintf("row of %d values for %d columns", len(row), len(b.Columns)))
		}
	}
	if b.ID == "" || !s.ids[b.ID] {
		if s.ids == nil {
			s.ids = map[string]bool{}
		}
		s.ids[b.ID] = true
		s.columns = b.Columns
		s.batches = append(s.batches, b.Rows)
		s.times = append(s.times, time.Now())
	}
	s.mu.Unlock()
	if s.arrived != nil {
		s.arrived <- struct{}{}
	}
	if s.after != nil {
		return s.after(b)
	}
	return nil
}

// column returns one column of all rows.
func (s *store) column(name string) []any {
	s.mu.Lock()
	defer s.mu.Unlock()
	var values []any
	for i, c := range s.columns {
		if c != name {
			continue
		}
		for _, batch := range s.batches {
			for _, row := range batch {
				values = append(values, row[i])
			}
		}
	}
	return values
}

// sizes returns the number of rows of each batch.
func (s *store) sizes() []int {
	s.mu.Lock()
	defer s.mu.Unlock()
	var n []int
	for _, b := range s.batches {
		n = append(n, len(b))
	}
	return n
}

// startBatcher runs a Batcher for the column N until the returned stop is called.
func startBatcher(t *testing.T, s *store, opts BatchOptions) (b *Batcher, stop func() error) {
	b = NewBatcher(s.Append, "T", []string{"N"}, opts)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	return b, func() error { cancel(); return <-done }
}

func add(t *testing.T, b *Batcher, n int) Ticket {
	t.Helper()
	ticket, err := b.Add(t.Context(), []any{n})
	if err != nil {
		t.Fatal(err)
	}
	return ticket
}

func TestBatcherDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(store)
		b, stop := startBatcher(t, s, BatchOptions{})
		start := time.Now()
		ticket := add(t, b, 1)
		add(t, b, 2)
		if err := ticket.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d := time.Since(start); d != 500*time.Millisecond {
			t.Errorf("the batch waited %s, want 0.5s", d)
		}
		if diff := cmp.Diff([]int{2}, s.sizes()); diff != "" {
			t.Error(diff)
		}
		// An idle batcher writes nothing, and the next row has its own half second.
		time.Sleep(10*time.Second + 300*time.Millisecond)
		start = time.Now()
		if err := add(t, b, 3).Wait(t.Context()); err != nil || time.Since(start) != 500*time.Millisecond {
			t.Errorf("after a pause: %v after %s", err, time.Since(start))
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if b.Committed() != 3 || b.Failed() != 0 {
			t.Errorf("committed %d, failed %d", b.Committed(), b.Failed())
		}
	})
}

// TestBatcherDelayWhileWriting holds that a row waits for as long as any other
// when it came while the batch before was being written, which took its time.
func TestBatcherDelayWhileWriting(t *testing.T) {
	for _, c := range []struct{ writes, want time.Duration }{{700 * time.Millisecond, time.Second}, {3 * time.Second, 3 * time.Second}} {
		synctest.Test(t, func(t *testing.T) {
			slow := &store{before: func(picket.Batch) error { time.Sleep(c.writes); return nil }}
			b, stop := startBatcher(t, slow, BatchOptions{MaxDelay: time.Second})
			add(t, b, 1)
			time.Sleep(time.Second) // it is being written
			synctest.Wait()
			start := time.Now()
			if err := add(t, b, 2).Wait(t.Context()); err != nil {
				t.Fatal(err)
			}
			if d, want := time.Since(start), c.want+c.writes; d != want {
				t.Errorf("with writes of %s, a row that came during one waited %s, want %s", c.writes, d, want)
			}
			if err := stop(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestBatcherFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(store)
		b, stop := startBatcher(t, s, BatchOptions{MaxRows: 3})
		start := time.Now()
		for i := range 7 {
			add(t, b, i)
		}
		synctest.Wait()
		if diff := cmp.Diff([]int{3, 3}, s.sizes()); diff != "" || time.Since(start) != 0 {
			t.Errorf("full batches are written at once: after %s, %s", time.Since(start), diff)
		}
		if err := b.Flush(t.Context()); err != nil || time.Since(start) != 0 {
			t.Errorf("flush: %v after %s", err, time.Since(start))
		}
		if diff := cmp.Diff([]any{0, 1, 2, 3, 4, 5, 6}, s.column("N")); diff != "" {
			t.Error(diff)
		}
		if err := b.Flush(t.Context()); err != nil {
			t.Errorf("flush of nothing: %v", err)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestBatcherBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(store)
		b, stop := startBatcher(t, s, BatchOptions{MaxBytes: 1000})
		for range 4 {
			if _, err := b.Add(t.Context(), []any{string(make([]byte, 500))}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if diff := cmp.Diff([]int{2, 2}, s.sizes()); diff != "" {
			t.Error(diff)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

// TestBatcherPressure holds that at most two batches are in memory, and that
// nothing is lost while the workspace is down.
func TestBatcherPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var ids []string
		s := &store{before: func(b picket.Batch) error {
			if time.Since(start) < 70*time.Second {
				ids = append(ids, b.ID)
				return picket.Errorf(picket.Unavailable, "the workspace is down")
			}
			return nil
		}}
		b, stop := startBatcher(t, s, BatchOptions{MaxRows: 10})
		var added atomic.Int32
		go func() {
			for i := range 50 {
				if _, err := b.Add(t.Context(), []any{i}); err != nil {
					t.Error(err)
				}
				added.Add(1)
			}
		}()
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := added.Load(); n != 20 {
			t.Errorf("%d rows were accepted, want two batches of 10", n)
		}
		time.Sleep(time.Minute)
		if err := stop(); err != nil {
			t.Error(err)
		}
		if len(ids) < 5 || len(ids) > 15 {
			t.Errorf("%d tries in a minute: the pauses should double up to 10 s", len(ids))
		}
		for _, id := range ids {
			if id == "" || id != ids[0] {
				t.Errorf("a try has the ID %q, the first had %q", id, ids[0])
			}
		}
		var want []any
		for i := range 50 {
			want = append(want, i)
		}
		if diff := cmp.Diff(want, s.column("N")); diff != "" {
			t.Error(diff)
		}
	})
}

// TestBatcherUnsure holds that a commit that reported an error is not repeated.
func TestBatcherUnsure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fails := 2
		s := &store{after: func(picket.Batch) error {
			if fails--; fails >= 0 {
				return errors.New("the connection broke after the commit")
			}
			return nil
		}}
		b, stop := startBatcher(t, s, BatchOptions{})
		if err := add(t, b, 1).Wait(t.Context()); err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff([]any{1}, s.column("N")); diff != "" {
			t.Error(diff)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestBatcherRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{before: func(b picket.Batch) error {
			if b.Rows[0][0] == 1 {
				return picket.Errorf(picket.Invalid, "no column N")
			}
			return nil
		}}
		b, stop := startBatcher(t, s, BatchOptions{})
		if err := add(t, b, 1).Wait(t.Context()); picket.CodeOf(err) != picket.Invalid {
			t.Errorf("got %v, want the refusal", err)
		}
		if err := add(t, b, 2).Wait(t.Context()); err != nil {
			t.Errorf("the next batch: %v", err)
		}
		if b.Failed() != 1 || b.Committed() != 1 {
			t.Errorf("failed %d, committed %d", b.Failed(), b.Committed())
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}

func TestBatcherStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(store)
		b, stop := startBatcher(t, s, BatchOptions{MaxRows: 2})
		for i := range 5 {
			add(t, b, i)
		}
		start := time.Now()
		if err := stop(); err != nil || time.Since(start) != 0 {
			t.Errorf("stop: %v after %s", err, time.Since(start))
		}
		if n := len(s.column("N")); n != 5 {
			t.Errorf("%d rows were written before Run returned, want 5", n)
		}
		if _, err := b.Add(t.Context(), []any{6}); !errors.Is(err, ErrStopped) {
			t.Errorf("a row after the stop: %v", err)
		}
	})
}

// TestBatcherStopDown holds that a stop ends although the workspace does not
// come back, and says what was lost; and that it waits for one that does.
func TestBatcherStopDown(t *testing.T) {
	f := func(downFor time.Duration, lost bool) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			s := &store{before: func(picket.Batch) error {
				if time.Since(start) < downFor {
					return errors.New("down")
				}
				return nil
			}}
			b, stop := startBatcher(t, s, BatchOptions{MaxRows: 2})
			for i := range 4 {
				add(t, b, i)
			}
			waiting := make(chan error)
			go func() {
				_, err := b.Add(t.Context(), []any{4})
				waiting <- err
			}()
			synctest.Wait()
			err := stop()
			if (err != nil) != lost {
				t.Errorf("down for %s: stop: %v", downFor, err)
			}
			if d := time.Since(start); d > 10*time.Second {
				t.Errorf("down for %s: the stop took %s", downFor, d)
			}
			if err := <-waiting; !errors.Is(err, ErrStopped) {
				t.Errorf("down for %s: the row that waited for room: %v", downFor, err)
			}
			if lost && b.Failed() != 4 || !lost && b.Committed() != 4 {
				t.Errorf("down for %s: committed %d, failed %d", downFor, b.Committed(), b.Failed())
			}
		})
	}
	f(3*time.Second, false)
	f(time.Hour, true)
}

func TestBatcherWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &store{before: func(picket.Batch) error { return errors.New("down") }}
		b, stop := startBatcher(t, s, BatchOptions{MaxRows: 1})
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := add(t, b, 1).Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Wait: %v", err)
		}
		synctest.Wait()
		add(t, b, 2)
		if _, err := b.Add(ctx, []any{3}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Add: %v", err)
		}
		if err := b.Flush(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Flush: %v", err)
		}
		if err := stop(); err == nil {
			t.Error("two rows were lost and stop did not say so")
		}
	})
}
