package app

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestStagesStopInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var order []string
		slow := func(name string, d time.Duration) part {
			return part{name, func(ctx context.Context) error {
				<-ctx.Done()
				time.Sleep(d) // virtual: the last of what it has to do
				order = append(order, name)
				return ctx.Err()
			}}
		}
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Minute, cancel)
		err := runStages(ctx, []part{slow("store", time.Second)}, []part{slow("rules", time.Minute)}, []part{slow("syslog", time.Hour)})
		if err != nil {
			t.Error(err)
		}
		if got := strings.Join(order, " "); got != "syslog rules store" {
			t.Errorf("stopped %s", got)
		}
	})
}

func TestStagesEndWithTheFirstFailure(t *testing.T) {
	f := func(boom error, want string) {
		t.Helper()
		stopped := false
		err := runStages(t.Context(),
			[]part{{"store", func(ctx context.Context) error { <-ctx.Done(); stopped = true; return nil }}},
			[]part{{"syslog", func(context.Context) error { return boom }}})
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
		if !stopped {
			t.Error("the other part was not stopped")
		}
	}
	f(errors.New("boom"), "syslog: boom")
	f(nil, "syslog: ended by itself")
}
