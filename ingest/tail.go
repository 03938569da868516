package ingest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
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

	// Format is how lines become rows. By default it is told by the first lines
	// of each file, see [DetectFormat].
	Format *Format

	// Once reads to the end, an unfinished last line included, and stops.
	Once bool

	Poll  time.Duration // how often to look for more; default 250 ms
	Grace time.Duration // how long a rotated file may still be written to; default 5 s

	// What a [Follower] asks for. At the first run the rotated files backfill are
	// read first. With leave the Tail ends when the file is gone and was read,
	// with rotatedOnly the file itself is not read.
	backfill           []string
	leave, rotatedOnly bool

	MaxLine  int // bytes; longer lines are cut; default 64 KiB
	MaxRows  int // of a batch; default 1,000
	MaxBytes int // of a batch; default 1 MiB

	Now func() time.Time // default time.Now
	Log *slog.Logger     // default: none
}

// A Tail follows a log file from its beginning and appends its lines to a
// table, each exactly once over restarts and crashes (see checkpoint).
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
	buf     []byte
	read    []finished
	lag     atomic.Int64

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
		buf: make([]byte, readChunk),
	}
}

// Stats returns the counters so far. After a crash the lines of one batch may
// be counted though they were committed before it.
func (t *Tail) Stats() Stats {
	return Stats{Received: t.received.Load(), Committed: t.committed.Load(), Odd: t.odd.Load(), Truncated: t.truncated.Load(),
		Lag: uint64(t.lag.Load())}
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
			if g, err = t.open(ctx, opened); g == nil || err != nil {
				return err
			}
		}
		next, done, err := t.begin(ctx, g)
		g.close()
		if done || err != nil {
			return err
		}
		g = next
	}
}

// open opens the file at the path, and waits for it to appear unless Once is
// set. It returns nil if it is not there and not waited for. An unreadable file
// is an error at the start; later, log rotation may be about to put its
// permissions right.
func (t *Tail) open(ctx context.Context, opened bool) (*logfile, error) {
	for waited := false; ; waited = true {
		if t.opts.rotatedOnly {
			return nil, nil
		}
		g, err := openLog(t.opts.Path)
		if err == nil {
			return g, nil
		}
		if t.opts.leave && errors.Is(err, fs.ErrNotExist) {
			return nil, nil
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
	next, done, err = t.follow(ctx, g)
	if g.unpack != nil && g.unpack.broken != nil {
		t.opts.Log.Error("a compressed log file is damaged: what comes after is not read", "file", g.file.Name(), "offset", g.at.Offset, "error", g.unpack.broken)
	}
	return next, done, err
}

// follow reads a file until it ends for good: by rotation, or at its end if
// Once is set or it is compressed. next is the file to go on with, nil for the
// one at the path; done says that there is none.
func (t *Tail) follow(ctx context.Context, g *logfile) (next *logfile, done bool, err error) {
	var left time.Time // when the path was first seen to be another file
	for {
		n, err := t.readOn(ctx, g, t.opts.Once || g.unpack != nil)
		if errors.Is(err, errReplaced) {
			next, err := t.afterTruncation(ctx, g)
			return next, false, err
		}
		if err != nil {
			return nil, false, err
		}
		p := t.place(g)
		switch {
		case !p.over:
			left = time.Time{}
		case left.IsZero():
			left = time.Now()
		}
		switch {
		case p.current && (t.opts.Once || g.unpack != nil):
			return nil, true, nil
		case t.opts.Once, p.over && n == 0 && (g.rested || time.Since(left) >= t.opts.Grace):
			if t.opts.Once || p.succeeded || !t.opts.rotatedOnly { // else its end may yet be written to
				if _, err := t.readOn(ctx, g, true); err != nil && !errors.Is(err, errReplaced) {
					return nil, false, err
				}
			}
			next := t.openSuccessor(g)
			return next, next == nil && !p.exists, nil
		}
		if err := wait(ctx, t.opts.Poll); err != nil {
			return nil, false, err
		}
	}
}

// A place is where a file is in the rotation of its log.
type place struct {
	exists    bool // a file is at the log's path
	current   bool // and it is this one
	succeeded bool // a later one has been rotated
	over      bool // nobody will write to it any more, once some time has passed
}

// place looks where g is. Nobody writes to a rotated file any more once a new
// one has lines.
func (t *Tail) place(g *logfile) (p place) {
	info, err := os.Stat(t.opts.Path)
	p.exists = err == nil && !t.opts.rotatedOnly
	if p.current = p.exists && os.SameFile(info, g.info); p.current {
		return p
	}
	p.succeeded = t.hasSuccessor(g)
	p.over = p.succeeded || p.exists && info.Size() > 0 || !p.exists && t.opts.leave
	return p
}

// readOn appends all lines that the file has. With last it takes an unfinished
// one, too. It returns how many there were.
func (t *Tail) readOn(ctx context.Context, g *logfile, last bool) (total int, err error) {
	for {
		if err := g.verify(); err != nil {
			return total, err
		}
		t.lag.Store(g.lag())
		if g.unpack == nil && g.lag() == 0 {
			return total, nil
		}
		if ready, err := t.prepare(g, last); !ready || err != nil {
			return total, err
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
	if _, err := t.prepare(g, true); err != nil {
		return err
	}
	_, err := t.step(ctx, g, span{from: g.at.Offset, skip: g.at.Skip, until: g.at.End, maxLine: t.opts.MaxLine})
	return err
}

// step reads a span of lines, saves the intent unless it is saved, and appends
// the rows.
func (t *Tail) step(ctx context.Context, g *logfile, s span) (rows int, err error) {
	now := t.opts.Now()
	var batch [][]any
	var counts Stats
	header := g.format.header && s.from == 0
	s.comma = g.format.comma
	end, skip, err := readLines(g.text, s, t.buf, func(text []byte, cut bool) {
		if header || len(trimFrame(text)) == 0 {
			header = false
			return
		}
		row, odd := g.rows(line{text, now})
		batch = append(batch, row)
		counts.Received++
		if odd {
			counts.Odd++
		}
		if cut {
			counts.Truncated++
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
		b := picket.Batch{Table: g.format.Table, ID: g.at.batchID(), Columns: g.format.columnNames(), Rows: batch}
		if err := retry(ctx, t.opts.Log, "append to "+b.Table, func() error { return t.append(ctx, b) }); err != nil {
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

// prepare finds out how lines of the file become rows. It is not ready before
// the file's first line is finished, unless there is none to come.
func (t *Tail) prepare(g *logfile, last bool) (ready bool, err error) {
	if g.rows != nil {
		return true, nil
	}
	head := make([]byte, detectSize)
	n, err := g.text.ReadAt(head, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false, fmt.Errorf("follow log file: %w", err)
	}
	head = head[:n]
	if end := bytes.LastIndexByte(head, '\n'); end >= 0 {
		head = head[:end+1] // whole lines
	} else if !last && n < detectSize {
		return false, nil
	}
	if err := g.verify(); err != nil {
		return false, err
	}
	if g.format = t.opts.Format; g.format == nil {
		if g.at.Format == "" {
			g.at.Format = DetectFormat(t.opts.Path, head)
		}
		if g.format, err = NewFormat(FormatOptions{Name: g.at.Format}); err != nil {
			return false, fmt.Errorf("follow log file %s: the format that was found at its beginning: %w", t.opts.Path, err)
		}
	}
	first, whole := firstRecord(head, g.format.comma)
	if g.format.header && !whole && !last && n < detectSize {
		return false, nil
	}
	g.rows = g.format.reader(source{host: t.opts.Host, path: t.opts.Path, loc: t.opts.Location, header: first})
	return true, nil
}
