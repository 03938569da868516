package ingest

import (
	"context"
	"errors"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// resume finds the file that the last run was reading and repeats its intent,
// or, at the first run, the oldest of the rotated files that are to be read, too.
// It returns nil if the one at the path is to be read from its beginning.
func (t *Tail) resume(ctx context.Context) (*logfile, error) {
	c, err := t.load(ctx)
	if err != nil {
		return nil, err
	}
	if c == nil {
		return t.openAfter(time.Time{}, t.opts.backfill), nil
	}
	for {
		g, err := t.search(ctx, c)
		if err != nil {
			return nil, err
		}
		if g == nil {
			t.opts.Log.Warn("the log file was replaced and the old one is not beside it: what was written to that since the last run is not read",
				"file", t.opts.Path, "offset", max(c.Offset, c.End))
			return t.openAfter(c.Changed, nil), nil
		}
		if c.End == 0 {
			return g, nil
		}
		err = t.repeat(ctx, g)
		if err == nil {
			return g, nil
		}
		g.close()
		if !errors.Is(err, errReplaced) { // else rotated this very moment: look again
			return nil, err
		}
	}
}

// search is find, repeated after a pause: a rotation may be under way, and the
// file between two names.
func (t *Tail) search(ctx context.Context, c *checkpoint) (*logfile, error) {
	for tries := 3; ; tries-- {
		if g := t.find(c); g != nil || tries == 0 {
			return g, nil
		}
		if err := wait(ctx, t.opts.Poll); err != nil {
			return nil, err
		}
	}
}

// find opens the file that a checkpoint speaks of: under its name, or under
// one that rotation gave it, or a copy of it that rotation has made.
func (t *Tail) find(c *checkpoint) *logfile {
	paths := []string{t.opts.Path}
	for _, s := range slices.Backward(rotated(t.opts.Path)) {
		paths = append(paths, s.path) // newest first
	}
	for _, byContent := range []bool{false, true} {
		for _, p := range paths {
			if g := rejoin(p, c, byContent); g != nil {
				return g
			}
		}
	}
	return nil
}

// afterTruncation returns the copy that rotation made of g before it truncated
// it, to go on with, or nil if there is none.
func (t *Tail) afterTruncation(ctx context.Context, g *logfile) (*logfile, error) {
	g.identify()
	next, err := t.search(ctx, &g.at)
	if next == nil && err == nil {
		t.opts.Log.Info("the log file was truncated: reading it from its beginning", "file", t.opts.Path, "offset", g.at.Offset)
	}
	return next, err
}

// hasSuccessor reports whether a file was rotated after g: the one at the log's
// own path is not next.
func (t *Tail) hasSuccessor(g *logfile) bool {
	return slices.ContainsFunc(rotated(t.opts.Path), func(s sibling) bool { return t.follows(s, g) })
}

// follows reports whether s was rotated after g and is not known to be read.
func (t *Tail) follows(s sibling, g *logfile) bool {
	return s.changed.After(g.info.ModTime()) && !os.SameFile(s.info, g.info) && !t.was(s)
}

// openSuccessor opens the oldest of the files that were rotated after g, or
// returns nil if there is none or it cannot be read.
func (t *Tail) openSuccessor(g *logfile) *logfile {
	t.read = append(t.read, finished{path: g.file.Name(), info: g.info, head: g.head, size: g.at.Offset})
	t.read = t.read[max(0, len(t.read)-maxFinished):]
	return t.openAfter(g.info.ModTime(), nil)
}

// openAfter opens the oldest of the rotated files that were changed after that
// time, only of those among if they are given.
func (t *Tail) openAfter(changed time.Time, among []string) *logfile {
	for _, s := range rotated(t.opts.Path) {
		if !s.changed.After(changed) || among != nil && !slices.Contains(among, s.path) || t.was(s) {
			continue
		}
		g, err := openLog(s.path)
		if err != nil {
			t.opts.Log.Warn("a rotated log file is not read", "error", err)
			continue
		}
		g.rested = g.unpack != nil || time.Since(s.changed) > t.opts.Grace
		return g
	}
	return nil
}

// finished is a file that was read to its end.
type finished struct {
	path string
	info fs.FileInfo
	head []byte
	size int64 // of its lines
}

// maxFinished is how many of them are remembered.
const maxFinished = 1000

// was reports whether s was read to its end in this run: the file itself,
// whose writer then was not gone, or what a compressor has made of it that does
// not keep the time of change.
func (t *Tail) was(s sibling) bool {
	for _, f := range t.read {
		if os.SameFile(f.info, s.info) && f.is(s.path) || packed(s.path) != "" && packed(f.path) == "" && f.copied(s.path) {
			return true
		}
	}
	return false
}

// is reports whether the file at path begins as f did. The system gives the
// inodes of files that were deleted to others.
func (f *finished) is(path string) bool {
	g := rejoin(path, &checkpoint{HeadSize: len(f.head), HeadHash: hash(f.head)}, true)
	if g == nil {
		return false
	}
	g.close()
	return true
}

// copied reports whether the compressed file at path holds what f did.
func (f *finished) copied(path string) bool {
	g := rejoin(path, &checkpoint{HeadSize: len(f.head), HeadHash: hash(f.head), Offset: f.size}, true)
	if g == nil {
		return false
	}
	defer g.close()
	return !g.reaches(f.size + 1)
}

// A sibling is a rotated log beside the one that is followed.
type sibling struct {
	path    string
	info    fs.FileInfo
	changed time.Time
}

// rotated lists what log rotation has made of the file at path, oldest first.
// While a file is being compressed it is there twice; it is listed once.
func rotated(path string) []sibling {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	var found []sibling
	names := map[string]bool{}
	for _, e := range entries {
		names[e.Name()] = true
	}
	for _, e := range entries {
		name := e.Name()
		if baseName(name) != filepath.Base(path) || name == filepath.Base(path) || packed(name) != "" && names[strings.TrimSuffix(name, packed(name))] {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			found = append(found, sibling{filepath.Join(filepath.Dir(path), name), info, info.ModTime()})
		}
	}
	slices.SortFunc(found, func(a, b sibling) int { return a.changed.Compare(b.changed) })
	return found
}

// baseLog returns the path of the log that a rotated file was, or the path itself.
func baseLog(path string) string {
	return filepath.Join(filepath.Dir(path), baseName(filepath.Base(path)))
}

// baseName returns the name of the log that rotation has made name of: NAME.1,
// NAME-20261123, NAME.2026-11-23, with or without .gz or .zst. Other numbers
// behind a hyphen (worker-2) are of another log.
func baseName(name string) string {
	plain := strings.TrimSuffix(name, packed(name))
	if _, err := netip.ParseAddr(plain); err == nil {
		return name // the log of a host
	}
	base := strings.TrimRight(plain, "0123456789-")
	suffix := plain[len(base):]
	dot := false
	if strings.HasSuffix(base, ".") {
		base, dot = base[:len(base)-1], true
	}
	if n := len(strings.ReplaceAll(suffix, "-", "")); base == "" || n == 0 || n > 3 && n < 8 || n < 8 && !dot || !dot && suffix[0] != '-' {
		return name
	}
	return base
}
