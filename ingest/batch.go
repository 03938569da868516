package ingest

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"picket"
)

// ErrStopped is returned for rows that come after a [Batcher] was stopped.
var ErrStopped = errors.New("ingest: stopped")

// BatchOptions says when a batch is full. Zero values mean the defaults.
type BatchOptions struct {
	MaxDelay time.Duration // how long the first row may wait; default 0.5 s
	MaxRows  int           // default 122,880, which the workspace can write straight to their place
	MaxBytes int           // of memory, roughly; default 64 MiB

	// Drain is how long Run goes on trying to write what it holds after its
	// context ended; default 10 s.
	Drain time.Duration

	Log *slog.Logger // default: none
}

func (o BatchOptions) withDefaults() BatchOptions {
	o.MaxDelay = cmp.Or(max(0, o.MaxDelay), 500*time.Millisecond)
	o.MaxRows = cmp.Or(max(0, o.MaxRows), 122_880)
	o.MaxBytes = cmp.Or(max(0, o.MaxBytes), 64<<20)
	o.Drain = cmp.Or(max(0, o.Drain), 10*time.Second)
	o.Log = orDiscard(o.Log)
	return o
}

// A Batcher gathers rows for one table and appends them in batches, one at a
// time and in order. It holds at most two: one being filled, one being written.
// When both are full, Add waits, and so does the sender behind it.
//
// A batch that cannot be written is tried again, under the same ID so that it
// cannot be written twice, until it is or the Batcher stops. Only what the
// workspace refuses for good is given up.
type Batcher struct {
	append  Append
	table   string
	columns []string
	opts    BatchOptions

	mu      sync.Mutex
	filling *group
	writing *group // nil, or the last one taken
	stopped bool

	committed, failed atomic.Uint64
}

// A group is the rows of one batch to be. Its channels are closed as it goes.
type group struct {
	rows  [][]any
	bytes int
	began time.Time // when it had its first row

	started chan struct{} // has a row
	due     chan struct{} // is full, or someone waits for it
	taken   chan struct{} // is being written: the next may be filled
	done    chan struct{} // is committed, or given up with err
	err     error

	isDue bool // due is closed
}

// newGroup returns a group with room for as many rows as the last one had.
func newGroup(last int) *group {
	return &group{rows: make([][]any, 0, last), started: make(chan struct{}), due: make(chan struct{}), taken: make(chan struct{}), done: make(chan struct{})}
}

func (g *group) hurry() {
	if !g.isDue {
		g.isDue = true
		close(g.due)
	}
}

// NewBatcher returns a Batcher for rows of the given columns. Nothing is
// written until Run.
func NewBatcher(append Append, table string, columns []string, opts BatchOptions) *Batcher {
	return &Batcher{append: append, table: table, columns: columns, opts: opts.withDefaults(), filling: newGroup(0)}
}

// A Ticket stands for a row that was added.
type Ticket struct{ g *group }

// Wait returns once the row is committed, with an error if it was given up or
// ctx ended. It does not hurry the batch; [Batcher.Flush] does.
func (t Ticket) Wait(ctx context.Context) error {
	select {
	case <-t.g.done:
		return t.g.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Add puts a row into the next batch. It waits while the batch is full, and
// fails only with ctx's error or [ErrStopped]. The row belongs to the Batcher then.
func (b *Batcher) Add(ctx context.Context, row []any) (Ticket, error) {
	for {
		g, n, err := b.put([][]any{row})
		if err != nil || n == 1 {
			return Ticket{g}, err
		}
		if err := g.room(ctx); err != nil {
			return Ticket{}, err
		}
	}
}

// AddAll puts rows into the next batches, and returns how many it did: all,
// unless it fails as Add does.
func (b *Batcher) AddAll(ctx context.Context, rows [][]any) (added int, err error) {
	for len(rows) > added {
		g, n, err := b.put(rows[added:])
		if added += n; err != nil {
			return added, err
		}
		if n > 0 {
			continue
		}
		if err := g.room(ctx); err != nil {
			return added, err
		}
	}
	return added, nil
}

// put adds rows to the group that is being filled until it is full, and returns
// how many.
func (b *Batcher) put(rows [][]any) (g *group, n int, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stopped {
		return nil, 0, ErrStopped
	}
	g = b.filling
	for n < len(rows) && !b.full(g) {
		if len(g.rows) == 0 {
			g.began = time.Now()
			close(g.started)
		}
		g.rows = append(g.rows, rows[n])
		g.bytes += rowSize(rows[n])
		n++
	}
	if b.full(g) {
		g.hurry()
	}
	return g, n, nil
}

// room waits until the group is taken, so that the next can be filled.
func (g *group) room(ctx context.Context) error {
	select {
	case <-g.taken:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *Batcher) full(g *group) bool {
	return len(g.rows) >= b.opts.MaxRows || g.bytes >= b.opts.MaxBytes
}

// rowSize is about what a row takes: its text and 16 bytes a value.
func rowSize(row []any) int {
	n := 16 * len(row)
	for _, v := range row {
		if s, ok := v.(string); ok {
			n += len(s)
		}
	}
	return n
}

// Flush writes what was added before the call and returns once it is
// committed or given up, with the error of the latter.
func (b *Batcher) Flush(ctx context.Context) error {
	b.mu.Lock()
	g := b.filling
	if len(g.rows) > 0 {
		g.hurry()
	} else {
		g = b.writing
	}
	b.mu.Unlock()
	if g == nil {
		return nil
	}
	return Ticket{g}.Wait(ctx)
}

// Committed returns how many rows the workspace has confirmed.
func (b *Batcher) Committed() uint64 { return b.committed.Load() }

// Waiting returns since when the oldest row waits that is not committed yet; it
// is zero if none does.
func (b *Batcher) Waiting() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.writing != nil {
		select {
		case <-b.writing.done:
		default:
			return b.writing.began
		}
	}
	return b.filling.began
}

// Failed returns how many rows were given up.
func (b *Batcher) Failed() uint64 { return b.failed.Load() }

// Run writes batches until ctx ends; then it refuses further rows, writes what
// it holds, and returns an error if it could not do so in time. Call it once.
func (b *Batcher) Run(ctx context.Context) error {
	// Writing goes on for the drain time after ctx.
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(b.opts.Drain, stop) })()

	for ctx.Err() == nil {
		g := b.current()
		select {
		case <-g.started:
		case <-ctx.Done():
		}
		timer := time.NewTimer(b.left(g))
		select {
		case <-timer.C:
		case <-g.due:
		case <-ctx.Done():
		}
		timer.Stop()
		if err := b.write(work, b.take(false)); ctx.Err() != nil {
			return errors.Join(err, b.write(work, b.take(true)))
		}
	}
	return b.write(work, b.take(true))
}

func (b *Batcher) current() *group {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.filling
}

// left returns how long the first row of g may still wait: it came while the
// batch before was being written, maybe.
func (b *Batcher) left(g *group) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.opts.MaxDelay - time.Since(g.began)
}

// take ends the filling of a group and returns it, or nil if it has no rows.
func (b *Batcher) take(stop bool) *group {
	b.mu.Lock()
	defer b.mu.Unlock()
	g := b.filling
	b.stopped = b.stopped || stop
	if len(g.rows) == 0 {
		if stop {
			close(g.taken)
		}
		return nil
	}
	b.filling, b.writing = newGroup(len(g.rows)), g
	close(g.taken)
	return g
}

// write appends a group's rows; nil is no group.
func (b *Batcher) write(ctx context.Context, g *group) error {
	if g == nil {
		return nil
	}
	batch := picket.Batch{Table: b.table, ID: "rows:" + rand.Text(), Ephemeral: true, Columns: b.columns, Rows: g.rows}
	g.err = retry(ctx, b.opts.Log, "append to "+b.table, func() error { return b.append(ctx, batch) })
	defer close(g.done)
	if g.err != nil {
		b.failed.Add(uint64(len(g.rows)))
		b.opts.Log.Error("rows given up", "table", b.table, "rows", len(g.rows), "error", g.err)
		return fmt.Errorf("append to %s: %d rows given up: %w", b.table, len(g.rows), g.err)
	}
	b.committed.Add(uint64(len(g.rows)))
	return nil
}
