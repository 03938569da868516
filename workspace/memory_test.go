package workspace

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"picket/kql"
)

// noise appends n megabytes of texts that do not compress, 1,024 rows each.
func noise(t *testing.T, db *DB, n int) {
	t.Helper()
	for range n {
		lines := make([]string, 1024)
		for i := range lines {
			text := make([]byte, 768) // 1 KiB of base64
			_, _ = rand.Read(text)    // never fails
			lines[i] = base64.StdEncoding.EncodeToString(text)
		}
		if err := db.Append(t.Context(), syslog("", lines...)); err != nil {
			t.Error(err)
			return
		}
	}
}

// duckMemory is what DuckDB caches, all that it has, and its limit.
func duckMemory(t *testing.T, db *DB) (cached, all int64, limit string) {
	t.Helper()
	conn, err := db.pool.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cached, other, err := cacheSize(context.Background(), conn)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.QueryRowContext(context.Background(), "SELECT current_setting('memory_limit')").Scan(&limit); err != nil {
		t.Fatal(err)
	}
	return cached, cached + other, limit
}

// cachingWorkspace has 112 MB of texts, most of them in DuckDB's cache, which
// nobody makes smaller but the test.
func cachingWorkspace(t *testing.T) (db *DB, limit string) {
	t.Helper()
	db = open(t, filepath.Join(t.TempDir(), "w.duckdb"), Options{Memory: 1 << 30})
	db.guard.mu.Lock()
	db.guard.tidied = time.Now().Add(24 * time.Hour)
	db.guard.mu.Unlock()
	noise(t, db, 112)
	cached, _, limit := duckMemory(t, db)
	if cached <= cacheKept {
		t.Fatalf("DuckDB caches %d bytes: too few for a test", cached)
	}
	return db, limit
}

// Before the guard stops a query, DuckDB's cache is given back, under a query that
// is at work; and what is left of the cache stops nobody.
func TestGuardGivesBackCache(t *testing.T) {
	db, limit := cachingWorkspace(t)
	res, err := db.Query(t.Context(), "Syslog | project SyslogMessage", kql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	before, all, _ := duckMemory(t, db)
	var more int64 // that is no cache
	var stopped error
	g := &guard{log: slog.New(slog.DiscardHandler), free: func() {}, trim: db.guard.trim, limit: all, full: &atomic.Bool{}, running: map[*tracked]struct{}{},
		used: func() int64 { _, all, _ := duckMemory(t, db); return all + more }}
	g.running[&tracked{stop: func(err error) { stopped = err }}] = struct{}{}
	g.look(time.Now())
	after, _, now := duckMemory(t, db)
	if stopped != nil || after >= before || now != limit {
		t.Errorf("cached %d bytes, then %d; limit %s, then %s; the query was stopped: %v", before, after, limit, now, stopped)
	}
	more = 2 * all
	g.look(time.Now())
	if stopped == nil {
		t.Error("nothing was stopped for what is no cache")
	}
	rows, err := res.Collect()
	if err != nil || len(rows) == 0 {
		t.Errorf("the query that ran meanwhile: %d rows, %v", len(rows), err)
	}
}

// When no query runs, DuckDB keeps little.
func TestTidy(t *testing.T) {
	db, limit := cachingWorkspace(t)
	res, err := db.Query(t.Context(), "Syslog", kql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	before, _, _ := duckMemory(t, db)
	later := time.Now().Add(48 * time.Hour)
	db.guard.tidy(later)
	if cached, _, _ := duckMemory(t, db); cached < before {
		t.Errorf("%d of %d bytes are left while a query runs", cached, before)
	}
	if err := res.Close(); err != nil {
		t.Fatal(err)
	}
	db.guard.tidy(later)
	// To the block: what is pinned for a moment is not given back.
	if cached, _, now := duckMemory(t, db); cached > cacheKept+1<<20 || now != limit {
		t.Errorf("DuckDB caches %d bytes, limit %s", cached, now)
	}
}

// No query and no append fails because the cache is given back under it.
func TestTrimUnderLoad(t *testing.T) {
	db, limit := cachingWorkspace(t)
	start := query(t, db, "Syslog | count", kql.Options{})[0][0].(int64)
	var work sync.WaitGroup
	for range 2 {
		work.Go(func() { noise(t, db, 12) })
	}
	for _, src := range []string{
		"Syslog | where SyslogMessage contains 'picket' | count",
		"Syslog | summarize n = count() by SyslogMessage | summarize max(n)",
		"Syslog | join kind=inner (Syslog | project SyslogMessage) on SyslogMessage | count",
		"Syslog | top 10 by SyslogMessage",
	} {
		work.Go(func() {
			for range 3 {
				res, err := db.Query(t.Context(), src, kql.Options{})
				if err == nil {
					_, err = res.Collect()
				}
				if err != nil {
					t.Errorf("%s: %v", src, err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { work.Wait(); close(done) }()
	c := &cache{db.pool, 1 << 30}
	var gave int
	for trimming := true; trimming; {
		select {
		case <-done:
			trimming = false
		default:
		}
		before, _, _ := duckMemory(t, db)
		left, err := c.trim(t.Context(), half)
		if err != nil {
			t.Fatal(err)
		}
		if left < before {
			gave++
		}
	}
	if _, _, now := duckMemory(t, db); gave == 0 || now != limit {
		t.Errorf("given back %d times; limit %s, was %s", gave, now, limit)
	}
	if n := query(t, db, "Syslog | count", kql.Options{})[0][0]; n != start+2*12*1024 {
		t.Errorf("%v rows, want %d", n, start+2*12*1024)
	}
}

// remembering is a context that never ends and counts who wants to know of its end.
type remembering struct {
	context.Context
	done           chan struct{} // its own: package context then calls AfterFunc
	asked, waiting atomic.Int64
}

func (r *remembering) Done() <-chan struct{} { return r.done }

func (r *remembering) AfterFunc(func()) (stop func() bool) {
	r.asked.Add(1)
	r.waiting.Add(1)
	return func() bool { r.waiting.Add(-1); return true }
}

// A context that lasts, such as that of all rules, remembers no query that is over.
func TestQueryIsForgotten(t *testing.T) {
	db := open(t, "", Options{})
	r := &remembering{Context: context.Background(), done: make(chan struct{})}
	for _, src := range []string{"print 1", "Syslog | count", "print toint(dynamic({}).x)"} {
		res, err := db.Query(r, src, kql.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := res.Collect(); err != nil {
			t.Fatal(err)
		}
	}
	if asked, n := r.asked.Load(), r.waiting.Load(); asked == 0 || n != 0 {
		t.Errorf("%d are remembered of %d", n, asked)
	}
}

// However many queries come and go, one goroutine looks at the memory, and ends.
func TestGuardWatchesOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var looks, tidied int
		g := &guard{log: slog.New(slog.DiscardHandler), used: func() int64 { looks++; return 0 }, free: func() {}, limit: 1, full: &atomic.Bool{}, running: map[*tracked]struct{}{},
			trim: func(func(int64) int64) int64 { tidied++; return 0 }}
		for range 100 {
			g.track("a", func(error) {})()
		}
		time.Sleep(10 * guardEvery) // of the bubble's time
		synctest.Wait()
		if looks != 1 || tidied != 1 {
			t.Errorf("looked %d times and tidied %d times, want 1 and 1", looks, tidied)
		}
		done := g.track("a", func(error) {}) // the next query is watched again
		time.Sleep(3 * guardEvery)
		done()
		time.Sleep(10 * guardEvery)
		synctest.Wait()
		if looks < 3 || looks > 6 {
			t.Errorf("looked %d times", looks)
		}
	})
}
