package ingest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"picket"
)

// TailOptions configures a [Tail]. Zero values mean the defaults.
type TailOptions struct {
	Path     string
	Host     string         // this host's name: CollectorHostName, and HostName of lines that name none
	Location *time.Location // zone of times that name none; default time.Local

	// Once reads to the end, an unfinished last line included, and stops.
	Once bool

	Poll  time.Duration // how often to look for more; default 250 ms
	Grace time.Duration // how long a rotated file may still be written to; default 5 s

	MaxLine  int // bytes; longer lines are cut; default 64 KiB
	MaxRows  int // of a batch; default 1,000
	MaxBytes int // of a batch; default 1 MiB

	Now func() time.Time // default time.Now
	Log *slog.Logger     // default: none
}

// A Tail follows a log file from its beginning and appends its lines to the
// Syslog table, each exactly once over restarts and crashes (see checkpoint).
//
// Rotation by renaming and by copying and truncating is followed, also what
// happened while nobody was looking, as long as the rotated files lie beside
// the log, uncompressed, as NAME.1 or NAME-20261123. Lines that were written
// between a copy and the truncation are lost to everybody. A file that has
// become shorter, with the same beginning, is read again: rather twice than never.
type Tail struct {
	append  Append
	offsets Offsets
	opts    TailOptions
	key     string
	origin  origin
	buf     []byte

	received, committed, odd, truncated atomic.Uint64
}

// NewTail returns a Tail that keeps its position in offsets. Without functions
// in offsets every Run starts at the beginning of the file.
func NewTail(append Append, offsets Offsets, opts TailOptions) *Tail {
	if opts.Location == nil {
		opts.Location = time.Local
	}
	opts.Poll = cmp.Or(max(0, opts.Poll), 250*time.Millisecond)
	opts.Grace = cmp.Or(max(0, opts.Grace), 5*time.Second)
	opts.MaxLine = cmp.Or(max(0, opts.MaxLine), defaultMaxMessage)
	opts.MaxRows = cmp.Or(max(0, opts.MaxRows), 1000)
	opts.MaxBytes = cmp.Or(max(0, opts.MaxBytes), 1<<20)
	if opts.Now == nil {
		opts.Now = time.Now
	}
	opts.Log = orDiscard(opts.Log)
	key := opts.Path
	if abs, err := filepath.Abs(opts.Path); err == nil {
		key = abs
	}
	return &Tail{
		append: append, offsets: offsets, opts: opts, key: "file:" + key,
		origin: origin{collector: opts.Host, host: opts.Host, address: "", facility: fileFacility(opts.Path), severity: Info},
		buf:    make([]byte, readChunk),
	}
}

// Stats returns the counters so far. After a crash the lines of one batch may
// be counted though they were committed before it.
func (t *Tail) Stats() Stats {
	return Stats{Received: t.received.Load(), Committed: t.committed.Load(), Odd: t.odd.Load(), Truncated: t.truncated.Load()}
}

// Run follows the file until ctx ends, and returns nil then, or once it has
// been read if Once is set. A file that does not exist yet is waited for,
// unless Once is set. What stops it otherwise is an unreadable file, or rows
// that the workspace refuses for good; nothing is skipped then.
func (t *Tail) Run(ctx context.Context) error {
	err := t.run(ctx)
	if ctx.Err() != nil {
		return nil // what was under way is repeated by the next run
	}
	return err
}

func (t *Tail) run(ctx context.Context) error {
	g, err := t.resume(ctx)
	if err != nil {
		return err
	}
	for opened := g != nil; ; opened = true {
		if g == nil {
			if g, err = t.open(ctx, opened); err != nil {
				return err
			}
		}
		next, done, err := t.begin(ctx, g)
		g.Close()
		if done || err != nil {
			return err
		}
		g = next
	}
}

// open opens the file at the path, and waits for it to appear unless Once is
// set. An unreadable file is an error at the start; later, log rotation may be
// about to put its permissions right.
func (t *Tail) open(ctx context.Context, opened bool) (*logfile, error) {
	for waited := false; ; waited = true {
		g, err := openLog(t.opts.Path)
		if err == nil {
			return g, nil
		}
		if t.opts.Once || !opened && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("follow log file: %w", err)
		}
		if !waited {
			t.opts.Log.Warn("waiting for the log file", "error", err)
		}
		if err := wait(ctx, t.opts.Poll); err != nil {
			return nil, err
		}
	}
}

// begin notes that g is being read, before anything of it is, so that it is
// found again even if it is rotated and the Tail stopped before its first line.
func (t *Tail) begin(ctx context.Context, g *logfile) (next *logfile, done bool, err error) {
	if g.at.Offset == 0 && g.verify() == nil {
		g.identify()
		if err := t.save(ctx, &g.at); err != nil {
			return nil, false, err
		}
	}
	return t.follow(ctx, g)
}

// follow reads a file until it ends for good: by rotation, or at its end if
// Once is set. next is the file to go on with, nil for the one at the path;
// done says that there is none.
func (t *Tail) follow(ctx context.Context, g *logfile) (next *logfile, done bool, err error) {
	var left time.Time // when the path was first seen to be another file
	for {
		n, err := t.readOn(ctx, g, t.opts.Once)
		if errors.Is(err, errReplaced) {
			next, err := t.afterTruncation(ctx, g)
			return next, false, err
		}
		if err != nil {
			return nil, false, err
		}
		info, missing := os.Stat(t.opts.Path)
		current := missing == nil && os.SameFile(info, g.info)
		// Nobody writes to a rotated file any more once a new one has lines and
		// some time has passed.
		moved := missing == nil && !current && (info.Size() > 0 || t.successor(g) != "")
		switch {
		case !moved:
			left = time.Time{}
		case left.IsZero():
			left = time.Now()
		}
		if t.opts.Once || moved && n == 0 && time.Since(left) >= t.opts.Grace {
			if _, err := t.readOn(ctx, g, true); err != nil && !errors.Is(err, errReplaced) {
				return nil, false, err
			}
			if current {
				return nil, true, nil // Once
			}
			next := t.openSuccessor(g)
			return next, next == nil && missing != nil, nil
		}
		if err := wait(ctx, t.opts.Poll); err != nil {
			return nil, false, err
		}
	}
}

// readOn appends all lines that the file has. With last it takes an unfinished
// one, too. It returns how many there were.
func (t *Tail) readOn(ctx context.Context, g *logfile, last bool) (total int, err error) {
	for {
		if err := g.verify(); err != nil {
			return total, err
		}
		if g.info.Size() == g.at.Offset {
			return total, nil
		}
		s := span{from: g.at.Offset, skip: g.at.Skip, last: last,
			maxLine: t.opts.MaxLine, maxRows: t.opts.MaxRows, maxBytes: int64(t.opts.MaxBytes)}
		n, err := t.step(ctx, g, s)
		total += n
		if err != nil || g.at.Offset == s.from {
			return total, err
		}
	}
}

// repeat carries out the intent that the last run may not have finished.
func (t *Tail) repeat(ctx context.Context, g *logfile) error {
	_, err := t.step(ctx, g, span{from: g.at.Offset, skip: g.at.Skip, until: g.at.End, maxLine: t.opts.MaxLine})
	return err
}

// step reads a span of lines, saves the intent unless it is saved, and appends
// the rows.
func (t *Tail) step(ctx context.Context, g *logfile, s span) (rows int, err error) {
	now := t.opts.Now()
	var batch [][]any
	var counts Stats
	end, skip, err := readLines(g, s, t.buf, func(line []byte, cut bool) {
		if row := t.row(line, cut, now, &counts); row != nil {
			batch = append(batch, row)
		}
	})
	if err != nil {
		return 0, fmt.Errorf("follow log file: %w", err)
	}
	if err := g.verify(); err != nil {
		return 0, err // what was read may be of two lives
	}
	if len(batch) > 0 {
		if s.until == 0 {
			g.identify()
			g.at.End = end
			if err := t.save(ctx, &g.at); err != nil {
				return 0, err
			}
		}
		b := picket.Batch{Table: syslogTable, ID: g.at.batchID(), Columns: syslogColumns, Rows: batch}
		if err := retry(ctx, t.opts.Log, "append to Syslog", func() error { return t.append(ctx, b) }); err != nil {
			return 0, fmt.Errorf("append lines of %s: %w", t.opts.Path, err)
		}
		t.committed.Add(uint64(len(batch)))
	}
	g.at.Offset, g.at.Skip, g.at.End = end, skip, 0
	t.received.Add(counts.Received)
	t.odd.Add(counts.Odd)
	t.truncated.Add(counts.Truncated)
	return len(batch), nil
}

// row returns a line as a row, or nil for an empty one.
func (t *Tail) row(line []byte, cut bool, now time.Time, counts *Stats) []any {
	if len(trimFrame(line)) == 0 {
		return nil
	}
	m := Parse(line, now, t.opts.Location)
	counts.Received++
	if m.Odd {
		counts.Odd++
	}
	if cut {
		counts.Truncated++
	}
	return t.origin.row(&m, now)
}
