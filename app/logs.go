package app

import (
	"context"
	"log/slog"
	"path/filepath"
	"time"

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

// How long a log file that cannot be followed is left alone: at first, and at
// the most.
const (
	retryFirst = 5 * time.Second
	retryMost  = 5 * time.Minute
)

// again runs run until ctx ends. That one file cannot be read must not keep the
// others from being followed: the failure is logged, and run tried again later.
func again(run func(context.Context) error, log *slog.Logger, path string) func(context.Context) error {
	return func(ctx context.Context) error {
		for pause := retryFirst; ; pause = min(2*pause, retryMost) {
			began := time.Now()
			err := run(ctx)
			if ctx.Err() != nil {
				return nil
			}
			if time.Since(began) > retryMost {
				pause = retryFirst // it went well for a while
			}
			log.Error("the file is not followed for now", "path", path, "err", err, "again_in", pause)
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(pause):
			}
		}
	}
}

// distinctFiles returns paths without repeats: a file that is followed twice
// would have its lines twice.
func distinctFiles(paths []string) []string {
	var list []string
	seen := map[string]bool{}
	for _, p := range paths {
		same := p
		if abs, err := filepath.Abs(p); err == nil {
			same = abs
		}
		if real, err := filepath.EvalSymlinks(same); err == nil {
			same = real
		}
		if !seen[same] {
			seen[same] = true
			list = append(list, p)
		}
	}
	return list
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
