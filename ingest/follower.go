package ingest

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// An Input is a log file to follow, or, with *, ? or [ in its path, all that
// match it as [filepath.Match] has it, now and later.
type Input struct {
	Path   string
	Format *Format // nil: told by the first lines of each file

	MaxLine int // bytes; longer lines are cut; 0: as TailOptions have it
}

// FollowerOptions configures a [Follower]. Zero values mean the defaults.
type FollowerOptions struct {
	Inputs []Input

	// Tail is what holds for every file; Path, Format and Once are not used.
	Tail TailOptions

	Rescan time.Duration // how often to look for new matches; default 5 s

	Metrics prometheus.Registerer // nil: nobody reads them
}

// A Follower follows the log files that its inputs name, each with a [Tail].
//
// What rotation has made of a log (access.log.1, access.log.2.gz) belongs to
// that log. When a pattern matches such files they are read before it, the
// oldest first, once: they are what was there before Picket came. Later ones
// are followed through their rotation, whether the pattern matches them or not.
//
// A file is read once though several inputs name it, also by a link; the first
// input counts. One that cannot be read is tried again and keeps no other from
// being followed. One that a pattern has found and that is gone is let go once
// what was open of it is read.
type Follower struct {
	append  Append
	offsets Offsets
	opts    FollowerOptions

	mu    sync.Mutex
	tails map[string]*followed // by path
	past  Stats                // of tails that were let go
}

// followed is a log that is followed, or was read and has not changed since.
type followed struct {
	path    string
	tail    *Tail
	ended   bool
	trace   string      // of the files that were found, when it began
	failing atomic.Bool // it cannot be read now
}

// NewFollower returns a Follower that keeps its positions in offsets.
func NewFollower(append Append, offsets Offsets, opts FollowerOptions) *Follower {
	opts.Rescan = cmp.Or(max(0, opts.Rescan), 5*time.Second)
	opts.Tail.Log = orDiscard(opts.Tail.Log)
	f := &Follower{append: append, offsets: offsets, opts: opts, tails: map[string]*followed{}}
	f.metrics(opts.Metrics)
	return f
}

// Stats returns the counters of all files so far, and in Lag what they have now
// that is not read.
func (f *Follower) Stats() Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	sum := f.past
	for _, t := range f.tails {
		if !t.ended {
			sum = sum.plus(t.tail.Stats())
		}
	}
	return sum
}

// Run follows the files until ctx ends, and returns nil then.
func (f *Follower) Run(ctx context.Context) error {
	var group sync.WaitGroup
	defer group.Wait()
	for {
		for _, t := range f.scan() {
			group.Go(func() {
				if t.follow(ctx, f.opts.Tail.Log) {
					f.end(t)
				}
			})
		}
		if wait(ctx, f.opts.Rescan) != nil {
			return nil
		}
	}
}

// scan returns the logs to begin with.
func (f *Follower) scan() (fresh []*followed) {
	logs := map[string]*found{}
	for _, in := range f.opts.Inputs {
		find(logs, in)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	maps.DeleteFunc(f.tails, func(path string, t *followed) bool { return t.ended && logs[path] == nil })
	for _, path := range slices.Sorted(maps.Keys(logs)) {
		l := logs[path]
		if old := f.known(path); old != nil && (!old.ended || old.trace == trace(l.files)) {
			continue
		}
		o := f.opts.Tail
		o.Path, o.Format, o.MaxLine, o.Once = path, l.in.Format, cmp.Or(l.in.MaxLine, o.MaxLine), false
		o.backfill, o.leave, o.rotatedOnly = l.files, l.glob, !l.live
		t := &followed{path: path, tail: NewTail(f.append, f.offsets, o), trace: trace(l.files)}
		f.tails[path] = t
		fresh = append(fresh, t)
	}
	return fresh
}

// known returns the log that is followed by that path or by another one of the
// same file.
func (f *Follower) known(path string) *followed {
	if t := f.tails[path]; t != nil {
		return t
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	for _, t := range f.tails {
		if other, err := os.Stat(t.path); err == nil && os.SameFile(info, other) {
			return t
		}
	}
	return nil
}

// end notes that a log is gone.
func (f *Follower) end(t *followed) {
	f.mu.Lock()
	defer f.mu.Unlock()
	t.ended = true
	f.past = f.past.plus(t.tail.Stats())
	f.past.Lag = 0
}

// trace tells states of a log's files apart.
func trace(files []string) string {
	var b strings.Builder
	for _, path := range files {
		if info, err := os.Stat(path); err == nil {
			b.WriteString(path + info.ModTime().String() + "\x00")
		}
	}
	return b.String()
}

// found is a log that inputs name.
type found struct {
	in    Input    // the first that names it
	files []string // of it that exist and a pattern matches
	live  bool     // its own path is named, too, not only what was rotated
	glob  bool     // only patterns name it
}

// find adds the logs that an input names.
func find(logs map[string]*found, in Input) {
	path := in.Path
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	add := func(base string) *found {
		l := logs[base]
		if l == nil {
			l = &found{in: in, glob: true}
			logs[base] = l
		}
		return l
	}
	if !strings.ContainsAny(path, "*?[") {
		l := add(path)
		l.live, l.glob = true, false
		return
	}
	matches, err := filepath.Glob(path)
	if err != nil {
		return // no pattern; whoever reads the configuration tells
	}
	for _, m := range matches {
		if info, err := os.Stat(m); err != nil || !info.Mode().IsRegular() {
			continue
		}
		base := baseLog(m)
		l := add(base)
		if !slices.Contains(l.files, m) {
			l.files = append(l.files, m)
		}
		if ok, err := filepath.Match(path, base); ok && err == nil {
			l.live = true
		}
	}
}

// How long a log file that cannot be followed is left alone: at first, and at
// the most.
const (
	againFirst = 5 * time.Second
	againMost  = 5 * time.Minute
)

// follow runs the tail until ctx ends or the log is gone, which it reports. A
// failure is logged and the tail run again later.
func (t *followed) follow(ctx context.Context, log *slog.Logger) (gone bool) {
	for pause := againFirst; ; pause = min(2*pause, againMost) {
		began := time.Now()
		t.failing.Store(false)
		err := t.tail.Run(ctx)
		if ctx.Err() != nil {
			return false
		}
		if err == nil {
			return true
		}
		if time.Since(began) > againMost {
			pause = againFirst // it went well for a while
		}
		t.failing.Store(true)
		log.Error("the file is not followed for now", "path", t.path, "err", err, "again_in", pause)
		if wait(ctx, pause) != nil {
			return false
		}
	}
}
