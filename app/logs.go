package app

import (
	"context"
	"fmt"

	"picket/ingest"
)

// offsets keeps how far inputs came, over restarts.
func (a *App) offsets() ingest.Offsets {
	return ingest.Offsets{
		Load: func(ctx context.Context, key string) ([]byte, error) {
			v, ok, err := a.State.Value(ctx, key)
			if !ok {
				return nil, err
			}
			return []byte(v), err
		},
		Save: func(ctx context.Context, key string, value []byte) error {
			return a.State.SetValue(ctx, key, string(value))
		},
	}
}

// wireLogs makes the tables of the configured log files, the follower and the
// reader of the journal.
func (a *App) wireLogs(ctx context.Context) error {
	// What a file turns out to be is told by its first lines, and content for web
	// servers wants the tables before there are any.
	var formats []*ingest.Format
	for _, name := range []string{"apache", "nginx"} {
		f, err := ingest.NewFormat(ingest.FormatOptions{Name: name})
		if err != nil {
			return err
		}
		formats = append(formats, f)
	}
	var inputs []ingest.Input
	for _, l := range a.cfg.Logs {
		f, err := l.ingestFormat()
		if err != nil {
			return fmt.Errorf("log %s: %w", l.Path, err)
		}
		if f != nil {
			formats = append(formats, f)
		}
		inputs = append(inputs, ingest.Input{Path: l.Path, Format: f, MaxLine: l.MaxBytes})
	}
	for _, f := range formats {
		if !f.Custom {
			continue
		}
		if err := a.Workspace.CreateTable(ctx, f.Definition()); err != nil {
			return fmt.Errorf("table for logs of format %s: %w", f.Name, err)
		}
	}
	a.files = ingest.NewFollower(a.Workspace.Append, a.offsets(), ingest.FollowerOptions{
		Inputs: inputs, Tail: ingest.TailOptions{Host: hostname(), Log: a.component("file")},
		Metrics: a.metrics,
	})
	if !a.cfg.Journald.On {
		return nil
	}
	o := a.cfg.Journald.options()
	o.Host, o.Log, o.Metrics = hostname(), a.component("journal"), a.metrics
	j, err := ingest.NewJournal(a.Workspace.Append, a.offsets(), o)
	if err != nil {
		return fmt.Errorf("journald: %w", err)
	}
	a.journal = j
	return nil
}

// tail returns a follower of a log file that goes on where the last one of
// this data folder came to.
func (a *App) tail(path string, once bool) *ingest.Tail {
	return ingest.NewTail(a.Workspace.Append, a.offsets(), ingest.TailOptions{
		Path: path, Host: hostname(), Once: once, Log: a.component("file"),
	})
}

// ReadLog reads a log file to its end and returns how many lines it had, all
// of them committed.
func (a *App) ReadLog(ctx context.Context, path string) (lines uint64, err error) {
	t := a.tail(path, true)
	if err := t.Run(ctx); err != nil {
		return 0, err
	}
	return t.Stats().Committed, ctx.Err()
}

// FollowLog follows a log file, from where ReadLog left off, until ctx ends.
func (a *App) FollowLog(ctx context.Context, path string) error {
	return a.tail(path, false).Run(ctx)
}

// Data is the data folder.
func (a *App) Data() string { return a.cfg.Data }
