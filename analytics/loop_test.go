package analytics

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The loop waits for each slot by the clock, and takes up a rule that is set
// while it waits.
func TestSchedulerLoop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, rule := newRig(t), testRule()
		rule.Frequency = 5 * time.Minute
		began := time.Now().UTC().Truncate(time.Millisecond)
		r.open(rule)
		r.s.o.Now = time.Now
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.s.Run(ctx) }()
		time.Sleep(6 * time.Minute)
		other := *rule
		other.ID = "00000000-0000-0000-0000-00000000000b"
		r.s.SetRules([]*Rule{rule, &other})
		time.Sleep(4*time.Minute + 30*time.Second)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		var got []time.Duration
		for _, w := range r.windows {
			got = append(got, w.To.Sub(began).Round(time.Minute))
		}
		want := []time.Duration{0, 5 * time.Minute, 6 * time.Minute, 10 * time.Minute}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
		r.close()
	})
}
