package app

import (
	"context"
	"errors"
	"time"

	"picket/workspace"
)

// reopenAfter is how long nothing runs before the workspace is opened anew.
const reopenAfter = 5 * time.Second

// Serve makes an App, hands it to up, and runs it until ctx ends. When DuckDB has
// given up its database, as it does when a quota or a limit on file sizes stops a
// checkpoint, all is stopped and made anew, again and again until there is space:
// what was acknowledged is in the database's log. Other errors end it.
func Serve(ctx context.Context, cfg Config, o Options, up func(*App)) error {
	for first := true; ; first = false {
		a, err := New(ctx, cfg, o)
		if err == nil {
			up(a)
			err = a.Run(ctx)
		} else if first {
			return err
		}
		if ctx.Err() != nil || !errors.Is(err, workspace.ErrReopen) {
			return err
		}
		if o.Logger != nil {
			o.Logger.Error("Picket stopped, and starts anew: make room on the disk, or raise its quota", "in", reopenAfter, "err", err)
		}
		select {
		case <-time.After(reopenAfter):
		case <-ctx.Done():
			return err
		}
	}
}
