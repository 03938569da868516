package app

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// A file that cannot be followed is tried again, less and less often, and never
// ends the server.
func TestAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var tries []time.Duration
		ctx, cancel := context.WithCancel(t.Context())
		run := again(func(ctx context.Context) error {
			tries = append(tries, time.Since(start))
			switch len(tries) {
			case 3:
				time.Sleep(time.Hour) // virtual: it could be read for a while
			case 5:
				cancel()
				return ctx.Err()
			}
			return errors.New("permission denied")
		}, slog.New(slog.DiscardHandler), "auth.log")
		if err := run(ctx); err != nil {
			t.Error(err)
		}
		s := time.Second
		if want := []time.Duration{0, 5 * s, 15 * s, time.Hour + 20*s, time.Hour + 30*s}; !slices.Equal(tries, want) {
			t.Errorf("tried at %v, want %v", tries, want)
		}
	})
}

func TestDistinctFiles(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("a.log", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a.log", "link.log"); err != nil {
		t.Fatal(err)
	}
	abs, err := filepath.Abs("a.log")
	if err != nil {
		t.Fatal(err)
	}
	got := distinctFiles([]string{"a.log", "absent.log", "./a.log", abs, "link.log", "absent.log"})
	if want := []string{"a.log", "absent.log"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
