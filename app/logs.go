package app

import (
	"context"

	"picket/ingest"
)

// tail returns a follower of a log file that goes on where the last one of
// this data folder came to.
func (a *App) tail(path string, once bool) *ingest.Tail {
	offsets := ingest.Offsets{
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
	return ingest.NewTail(a.Workspace.Append, offsets, ingest.TailOptions{
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
