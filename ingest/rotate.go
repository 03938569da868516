package ingest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// resume finds the file that the last run was reading and repeats its intent.
// It returns nil if there is none.
func (t *Tail) resume(ctx context.Context) (*logfile, error) {
	c, err := t.load(ctx)
	if c == nil || err != nil {
		return nil, err
	}
	for {
		g, err := t.search(ctx, c)
		if err != nil {
			return nil, err
		}
		if g == nil {
			t.opts.Log.Warn("the log file was replaced and the old one is not beside it: what was written to that since the last run is not read",
				"file", t.opts.Path, "offset", max(c.Offset, c.End))
			return nil, nil
		}
		if c.End == 0 {
			return g, nil
		}
		err = t.repeat(ctx, g)
		if err == nil {
			return g, nil
		}
		g.Close()
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

// successor returns the path of the oldest of the files that were rotated
// after g, or "" if there is none: the one at the log's own path is next.
func (t *Tail) successor(g *logfile) string {
	for _, s := range rotated(t.opts.Path) {
		if s.changed.After(g.info.ModTime()) && !os.SameFile(s.info, g.info) {
			return s.path
		}
	}
	return ""
}

// openSuccessor opens the successor of g, or returns nil if there is none or
// it cannot be read.
func (t *Tail) openSuccessor(g *logfile) *logfile {
	path := t.successor(g)
	if path == "" {
		return nil
	}
	next, err := openLog(path)
	if err != nil {
		t.opts.Log.Warn("a rotated log file is not read", "error", err)
		return nil
	}
	return next
}

// A sibling is a rotated log beside the one that is followed.
type sibling struct {
	path    string
	info    fs.FileInfo
	changed time.Time
}

// rotated lists what log rotation has made of the file at path and not yet
// compressed: NAME.1, NAME-20261123 and the like, oldest first.
func rotated(path string) []sibling {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	var found []sibling
	for _, e := range entries {
		suffix, ok := strings.CutPrefix(e.Name(), filepath.Base(path))
		if !ok || len(suffix) < 2 || suffix[0] != '.' && suffix[0] != '-' || strings.Trim(suffix[1:], "0123456789-") != "" {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			found = append(found, sibling{filepath.Join(filepath.Dir(path), e.Name()), info, info.ModTime()})
		}
	}
	slices.SortFunc(found, func(a, b sibling) int { return a.changed.Compare(b.changed) })
	return found
}
