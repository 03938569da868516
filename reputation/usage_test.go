package reputation

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
	"picket/state"
)

// run runs the service until the returned func is called, which waits for its end.
func run(t testing.TB, s *Service) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

var addr = netip.MustParseAddr("51.89.153.112")

// usage returns "day key requests cost" of each line.
func usage(t testing.TB, s *Service) (lines []string) {
	t.Helper()
	all, err := s.Usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range all {
		lines = append(lines, fmt.Sprintf("%s %s %d %.2f", u.Day, u.KeyID, u.Requests, u.CostUSD))
	}
	return lines
}

func TestChargeOncePerRequestID(t *testing.T) {
	c := startOfDay()
	path := filepath.Join(t.TempDir(), "state.db")
	s := newService(t, path, Options{Now: c.now})
	stop := run(t, s)
	key := state.Key{ID: "pk_one"}
	other := state.Key{ID: "pk_two"}
	f := func(s *Service, key state.Key, id string, a netip.Addr, want ...string) {
		t.Helper()
		if err := s.Charge(t.Context(), key, id, a); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, usage(t, s)); diff != "" {
			t.Error(diff)
		}
	}
	long := strings.Repeat("x", 1000)
	f(s, key, "a", addr, "2026-11-23 pk_one 1 0.02")
	f(s, key, "a", addr, "2026-11-23 pk_one 1 0.02")        // a repeat
	f(s, key, "a", addr.Next(), "2026-11-23 pk_one 2 0.04") // the same id for another address
	f(s, other, "a", addr, "2026-11-23 pk_one 2 0.04", "2026-11-23 pk_two 1 0.02")
	f(s, other, long, addr, "2026-11-23 pk_one 2 0.04", "2026-11-23 pk_two 2 0.04")
	f(s, other, long, addr, "2026-11-23 pk_one 2 0.04", "2026-11-23 pk_two 2 0.04")
	f(s, other, long+"y", addr, "2026-11-23 pk_one 2 0.04", "2026-11-23 pk_two 3 0.06")
	f(s, key, "", addr, "2026-11-23 pk_one 3 0.06", "2026-11-23 pk_two 3 0.06") // no id: each counts
	f(s, key, "", addr, "2026-11-23 pk_one 4 0.08", "2026-11-23 pk_two 3 0.06")
	c.forward(24 * time.Hour)
	f(s, key, "a", addr, "2026-11-23 pk_one 4 0.08", "2026-11-23 pk_two 3 0.06")
	f(s, key, "b", addr, "2026-11-23 pk_one 4 0.08", "2026-11-23 pk_two 3 0.06", "2026-11-24 pk_one 1 0.02")
	stop()
	if err := s.Charge(t.Context(), key, "c", addr); picket.CodeOf(err) != picket.Unavailable {
		t.Errorf("after the end: %v", err)
	}
	if err := s.Charge(t.Context(), key, "", addr); picket.CodeOf(err) != picket.Unavailable {
		t.Errorf("after the end, without id: %v", err)
	}

	// Another process goes on from the file; the price changes from now on only.
	price := 1.5
	s = newService(t, path, Options{Now: c.now, PriceUSD: &price})
	run(t, s)
	f(s, key, "b", addr, "2026-11-23 pk_one 4 0.08", "2026-11-23 pk_two 3 0.06", "2026-11-24 pk_one 1 0.02")
	f(s, key, "c", addr, "2026-11-23 pk_one 4 0.08", "2026-11-23 pk_two 3 0.06", "2026-11-24 pk_one 2 1.52")
}

// A count with an id is in the file when Charge returns, without any end of Run.
func TestChargeIsCommitted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	s := newService(t, path, Options{Now: startOfDay().now})
	run(t, s)
	if err := s.Charge(t.Context(), state.Key{ID: "k"}, "a", addr); err != nil {
		t.Fatal(err)
	}
	other := newService(t, path, Options{})
	if diff := cmp.Diff([]string{"2026-11-23 k 1 0.02"}, usage(t, other)); diff != "" {
		t.Error(diff)
	}
}

func TestChargeConcurrently(t *testing.T) {
	s := newService(t, "", Options{Now: startOfDay().now})
	stop := run(t, s)
	const callers, ids = 16, 25
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for i := range ids { // every caller repeats the same ids
				if err := s.Charge(t.Context(), state.Key{ID: "k"}, fmt.Sprint("id", i), addr); err != nil {
					t.Error(err)
				}
				if err := s.Charge(t.Context(), state.Key{ID: "n"}, "", addr); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	want := []string{"2026-11-23 k 25 0.50", "2026-11-23 n 400 8.00"}
	if diff := cmp.Diff(want, usage(t, s)); diff != "" {
		t.Error(diff)
	}
	stop()
	if diff := cmp.Diff(want, usage(t, s)); diff != "" {
		t.Errorf("after the end: %s", diff)
	}
}

// Counts without an id reach the file within a second.
func TestFlush(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db, err := state.Open(t.Context(), state.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	if _, err := db.Usage(t.Context(), "", "", ""); err != nil { // a connection from outside the bubble
		t.Fatal(err)
	}
	onDisk := func() int64 {
		n, err := db.UsageOn(t.Context(), "k", "2026-11-23")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	synctest.Test(t, func(t *testing.T) {
		s := New(db, Options{Now: startOfDay().now})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { _ = s.Run(ctx) }()
		if err := s.Charge(ctx, state.Key{ID: "k"}, "", addr); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // of the bubble
		synctest.Wait()
		if n := onDisk(); n != 1 {
			t.Errorf("%d on disk after a second", n)
		}
		if err := s.Charge(ctx, state.Key{ID: "k"}, "", addr); err != nil {
			t.Fatal(err)
		}
		cancel()
		synctest.Wait()
		if n := onDisk(); n != 2 {
			t.Errorf("%d on disk at the end", n)
		}
	})
}

func TestDailyLimit(t *testing.T) {
	c := startOfDay()
	path := filepath.Join(t.TempDir(), "state.db")
	s := newService(t, path, Options{Now: c.now})
	stop := run(t, s)
	key := state.Key{ID: "k", PerDay: 3}
	f := func(id string, want error) {
		t.Helper()
		if err := s.Charge(t.Context(), key, id, addr); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", id, err, want)
		}
	}
	f("a", nil)
	f("", nil)
	f("b", nil)
	f("c", ErrQuota)
	f("", ErrQuota)
	f("a", nil) // was counted: stays free
	stop()
	s = newService(t, path, Options{Now: c.now}) // a restart gives nothing back
	run(t, s)
	f("", ErrQuota)
	f("d", ErrQuota)
	f("b", nil)
	if diff := cmp.Diff([]string{"2026-11-23 k 3 0.06"}, usage(t, s)); diff != "" {
		t.Error(diff)
	}
	c.forward(24 * time.Hour)
	f("c", nil)
	f("", nil)
	f("", nil)
	f("", ErrQuota)
}

func TestRateLimit(t *testing.T) {
	c := startOfDay()
	s := newService(t, "", Options{Now: c.now})
	key := state.Key{ID: "k", PerSecond: 2}
	f := func(key state.Key, want error) {
		t.Helper()
		if err := s.Allow(key); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	f(key, nil)
	f(key, nil)
	f(key, ErrThrottled)
	c.forward(500 * time.Millisecond)
	f(key, nil)
	f(key, ErrThrottled)
	c.forward(time.Hour) // no more than a second's worth is saved up
	f(key, nil)
	f(key, nil)
	f(key, ErrThrottled)
	slow := state.Key{ID: "slow", PerSecond: 0.1}
	f(slow, nil)
	f(slow, ErrThrottled)
	c.forward(10 * time.Second)
	f(slow, nil)
	for range 100 {
		f(state.Key{ID: "free"}, nil)
	}
}

// When the database cannot be written, a lookup with an id is not answered, one
// without is counted later, and nothing is counted twice or for nothing.
func TestChargeWhenTheDatabaseFails(t *testing.T) {
	s := newService(t, "", Options{Now: startOfDay().now})
	exec := func(text string) {
		t.Helper()
		if err := s.db.Tx(t.Context(), func(tx *sql.Tx) error { _, err := tx.Exec(text); return err }); err != nil {
			t.Fatal(err)
		}
	}
	stop := run(t, s)
	key := state.Key{ID: "k", PerDay: 2}
	exec(`CREATE TRIGGER broken BEFORE INSERT ON usage_day BEGIN SELECT raise(ABORT, 'disk on fire'); END`)
	if err := s.Charge(t.Context(), key, "", addr); err != nil {
		t.Fatal(err)
	}
	if err := s.Charge(t.Context(), key, "a", addr); err == nil || !strings.Contains(err.Error(), "disk on fire") {
		t.Fatalf("err = %v", err)
	}
	exec(`DROP TRIGGER broken`)
	if err := s.Charge(t.Context(), key, "a", addr); err != nil { // the second of the day
		t.Fatal(err)
	}
	if err := s.Charge(t.Context(), key, "b", addr); !errors.Is(err, ErrQuota) {
		t.Errorf("err = %v, want the limit", err)
	}
	stop()
	if diff := cmp.Diff([]string{"2026-11-23 k 2 0.04"}, usage(t, s)); diff != "" {
		t.Error(diff)
	}
}

func TestForgetCounted(t *testing.T) {
	c := startOfDay()
	s := newService(t, "", Options{Now: c.now})
	run(t, s)
	for i := range 3 {
		if err := s.Charge(t.Context(), state.Key{ID: "k"}, fmt.Sprint(i), addr); err != nil {
			t.Fatal(err)
		}
		c.forward(time.Hour)
	}
	n, err := s.db.ForgetCounted(t.Context(), c.t.Add(-time.Hour), 10)
	if err != nil || n != 2 {
		t.Fatalf("forgot %d, %v; want 2", n, err)
	}
	for id, want := range map[string]bool{"0": false, "1": false, "2": true} {
		got, err := s.db.Counted(t.Context(), state.CountedRequest{KeyID: "k", RequestID: id, IP: addr.String()})
		if err != nil || got != want {
			t.Errorf("%s: %v %v", id, got, err)
		}
	}
}
