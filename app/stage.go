package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// part is something that runs until its context ends.
type part struct {
	name string
	run  func(context.Context) error
}

// runStages starts the stages in order and runs them until ctx ends or a part
// returns. Then it stops them in reverse: the parts of a stage are told to stop
// only when all of the stages after it have ended, so that who feeds stops
// before who is fed. The error names the parts that failed.
func runStages(ctx context.Context, stages ...[]part) error {
	ended := make(chan struct{}, 1) // some part returned
	var mu sync.Mutex
	var errs []error
	type running struct {
		stop context.CancelFunc
		wait sync.WaitGroup
	}
	started := make([]*running, len(stages))
	for i, parts := range stages {
		stageCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
		r := &running{stop: stop}
		started[i] = r
		for _, p := range parts {
			r.wait.Go(func() {
				err := p.run(stageCtx)
				early := stageCtx.Err() == nil
				if err == nil && early {
					err = errors.New("ended by itself")
				}
				if err != nil && !errors.Is(err, context.Canceled) {
					mu.Lock()
					errs = append(errs, fmt.Errorf("%s: %w", p.name, err))
					mu.Unlock()
				}
				if early {
					select {
					case ended <- struct{}{}:
					default:
					}
				}
			})
		}
	}
	select {
	case <-ctx.Done():
	case <-ended:
	}
	for i := len(started) - 1; i >= 0; i-- {
		started[i].stop()
		started[i].wait.Wait()
	}
	return errors.Join(errs...)
}
