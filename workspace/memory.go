package workspace

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// DuckDB has one limit of memory for all, counts neither texts that are being
// made nor rows on their way out, and cannot tell whose the memory is. So its
// limit is set below what the machine has, and a guard looks at the process
// itself: when it comes too near the end, the query that ran when the rise
// began and had started last is stopped, then the next, until there is room.
// What it cannot stop is what happens within one step of DuckDB, over 2,048
// rows, such as a text that doubles there. No query is stopped for what can be
// had without: Go's memory that is not in use, and DuckDB's cache.

const (
	// guardEvery is how often the memory is looked at while queries run.
	guardEvery = 50 * time.Millisecond
	// freeEvery is how often Go's memory is given back while there is too little.
	freeEvery = time.Second
	// maxSpill bounds the files that large sorts and joins put beside the workspace.
	maxSpill = "10GiB"
)

// guard stops queries when memory runs out.
type guard struct {
	log  *slog.Logger
	used func() int64 // bytes that the process has
	free func()       // gives back to the system what Go does not need
	// trim gives back what DuckDB caches beyond keep of it, and returns what is left.
	trim  func(keep func(cached int64) int64) (left int64)
	limit int64        // of used, where queries are stopped
	full  *atomic.Bool // whether the limit is reached

	mu       sync.Mutex
	running  map[*tracked]struct{}
	watching bool      // whether watch runs
	calm     time.Time // when used was last below half the limit
	freed    time.Time // when free was last called
	tidied   time.Time // when trim was last called while no query ran
}

// tracked is a query that runs.
type tracked struct {
	caller  string
	started time.Time
	stop    context.CancelCauseFunc
	stopped time.Time // when the guard stopped it, or zero
}

// limitMemory sets DuckDB's limits of memory and of files beside the workspace,
// and returns the guard. share is bytes for all queries; 0 means three quarters
// of what DuckDB would take, which is 80 % of the memory there is.
func (db *DB) limitMemory(ctx context.Context, share int64, inMemory bool) (*guard, error) {
	var text string
	if err := db.pool.QueryRowContext(ctx, "SELECT current_setting('memory_limit')").Scan(&text); err != nil {
		return nil, err
	}
	all, err := parseBytes(text)
	if err != nil {
		return nil, fmt.Errorf("memory_limit: %w", err)
	}
	if share == 0 {
		share = all / 4 * 3
	}
	spill := []string{"SET max_temp_directory_size = '" + maxSpill + "'"}
	if inMemory { // there is no place for files that anybody chose
		spill = []string{"SET temp_directory = ''"}
	}
	for _, s := range append(spill, fmt.Sprintf("SET memory_limit = '%dB'", share)) {
		if _, err := db.pool.ExecContext(ctx, s); err != nil {
			return nil, fmt.Errorf("%s: %w", s, err)
		}
	}
	return &guard{log: db.log, used: residentBytes, free: debug.FreeOSMemory, trim: db.giveBack(&cache{db.pool, share}),
		limit: share + share/6, full: &db.steps.full, running: map[*tracked]struct{}{}}, nil
}

// parseBytes reads a size as DuckDB writes it: 18.6 GiB.
func parseBytes(s string) (int64, error) {
	number, unit, _ := strings.Cut(s, " ")
	v, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, err
	}
	units := map[string]int64{"bytes": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40, "PiB": 1 << 50}
	factor, ok := units[unit]
	if !ok {
		return 0, fmt.Errorf("%q has no unit that is known", s)
	}
	return int64(v * float64(factor)), nil
}

// residentBytes is the memory that the process has, or 0 where the system has no
// /proc: there DuckDB's own limit alone holds.
func residentBytes() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}

// track watches a query until the returned function is called. stop ends it.
func (g *guard) track(caller string, stop context.CancelCauseFunc) (done func()) {
	q := &tracked{caller: caller, started: time.Now(), stop: stop}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.running[q] = struct{}{}
	if len(g.running) == 1 {
		g.calm = q.started
	}
	if !g.watching { // it looks once more after the last query
		g.watching = true
		go g.watch()
	}
	return func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.running, q)
		g.tidyLocked(time.Now())
	}
}

// tidy gives back what DuckDB caches beyond [cacheKept], some of it at a time, if
// no query runs: one could need more at once than is kept.
func (g *guard) tidy(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.tidyLocked(now)
}

func (g *guard) tidyLocked(now time.Time) {
	if len(g.running) == 0 && now.Sub(g.tidied) >= cacheEvery {
		g.tidied = now
		g.trim(step)
	}
}

// watch looks at the memory until no query runs.
func (g *guard) watch() {
	tick := time.NewTicker(guardEvery)
	defer tick.Stop()
	for now := range tick.C {
		if !g.look(now) {
			return
		}
	}
}

// look stops a query when the memory is used up, and reports whether any runs:
// if none does, the watch is over.
func (g *guard) look(now time.Time) bool {
	used := g.used()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.watching = len(g.running) > 0
	if used >= g.limit {
		// Go keeps what the compiler, answers and other work have left behind, DuckDB
		// the blocks that it has read and written: no query is to be stopped for that.
		if now.Sub(g.freed) >= freeEvery {
			g.freed = now
			g.free()
		}
		cached := g.trim(half)
		used = g.used() - cached
	}
	g.full.Store(used >= g.limit)
	if used < g.limit/2 {
		g.calm = now
	}
	if used < g.limit {
		return g.watching
	}
	var victim *tracked
	for q := range g.running {
		if !q.stopped.IsZero() {
			if now.Sub(q.stopped) < time.Second {
				return true // what it had is being given back
			}
			continue
		}
		if victim == nil || g.before(q, victim) {
			victim = q
		}
	}
	if victim == nil {
		return g.watching
	}
	victim.stopped = now
	victim.stop(errMemory)
	g.log.Warn("a query was stopped because memory ran out", "caller", victim.caller, "ran", now.Sub(victim.started), "used_bytes", used, "limit_bytes", g.limit)
	return true
}

// before reports whether q is to be stopped rather than r: callers' queries
// before Picket's own, those that ran when the rise began before later ones, and
// of these the last to start.
func (g *guard) before(q, r *tracked) bool {
	if (q.caller == "") != (r.caller == "") {
		return q.caller != ""
	}
	late := g.calm.Add(guardEvery)
	if q.started.After(late) != r.started.After(late) {
		return !q.started.After(late)
	}
	return q.started.After(r.started)
}
