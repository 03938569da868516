package workspace

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"picket"
	"picket/kql"
)

// hostile are queries that would run for hours or take all memory.
var hostile = map[string]string{
	"cross join":     `let a = range x from 1 to 1000000000 step 1 | extend k = 1; a | join kind=inner (a | project k, y = x) on k | summarize sum(x * y)`,
	"joins of joins": `let a = range x from 1 to 100000 step 1 | extend k = 1; a | join kind=inner a on k | join kind=inner a on k | join kind=inner a on k | count`,
	"range":          `range x from 1 to 9223372036854775807 step 1 | summarize sum(x % 7)`,
	"range sorted":   `range x from 1 to 1000000000000 step 1 | sort by hash(x) asc`,
	"regex native":   `range x from 1 to 100000000 step 1 | extend s = strcat(strrep("a", 1000), x) | extend t = replace_regex(s, @"(a+)+x?", @"\1\1") | summarize max(strlen(t))`,
	"scan":           `range x from 1 to 10000000 step 1 | sort by x asc | scan declare (n:long=0) with (step s: true => n = s.n + x;) | count`,
	"scan in SQL":    `range x from 1 to 10000000 step 1 | sort by x asc | scan declare (n:long=0) with (step s: true => n = case(s.n > 9, 0, s.n) + x;) | count`,
	"mv-expand":      `range x from 1 to 1000000 step 1 | extend a = range(1, 10000) | mv-expand a | mv-expand b = range(1, 10000) | summarize count() by tostring(b)`,
	"make_list":      `range x from 1 to 100000000000 step 1 | summarize make_list(strcat("padding padding padding padding ", x), 1000000000)`,
	"distinct":       `range x from 1 to 100000000000 step 1 | distinct strcat("padding padding padding padding ", x)`,
	"ranges":         `range x from 1 to 100000 step 1 | extend r = range(1, 1000000000, 1) | summarize max(array_length(r))`,
	"partition":      `range x from 1 to 10000000 step 1 | extend k = x % 1000000 | sort by x asc | serialize n = row_cumsum(x) | partition hint.strategy=native by k (top 1 by n) | count`,
	"make-series":    `range x from 1 to 100 step 1 | extend t = datetime(2000-01-01) + x * 1s | make-series count() on t from datetime(0001-01-01) to datetime(9999-01-01) step 1tick by x`,
	"regex states":   longTexts + `where s matches regex "(a?b?){1000}(ab){900}y" | count`,
	"regex matches":  longTexts + `extend r = replace_regex(s, "(?:a.*z|a)", "") | summarize max(strlen(r))`,
	"regex groups":   longTexts + `extend r = extract("(?:(a)|(b)|(ab))+(x?)", 2, s) | summarize max(strlen(r))`,
	"regex of rows":  longTexts + `extend p = strcat("(a?b?){900}", x) | where s matches regex p | count`,
	"graph paths":    dense + `graph-match cycles=none (a)-[e*1..100]->(b) project a.n, b.n | count`,
	"graph joins":    dense + `graph-match cycles=all (a)-[e*3..20]->(b)-[f*3..20]->(c) project a.n, c.n | count`,
	"shortest paths": dense + `graph-shortest-paths output=all (a)-[e*1..100]->(b)-[f*1..100]->(c) project a.n, c.n | count`,
	"window":         `range x from 1 to 1000000000 step 1 | serialize | extend p = prev(x, 5), n = row_number() | summarize max(p), max(n)`,
}

// dense is a graph of 200 nodes, each joined to each.
const dense = `range x from 1 to 200 step 1 | extend k = 1 | join kind=inner (range y from 1 to 200 step 1 | extend k = 1) on k | where x != y | make-graph x --> y with_node_id=n | `

// Whatever a query is doing, its caller's going away ends it: with one place to
// run, the next caller's query would otherwise wait for hours.
func TestHostileCancelled(t *testing.T) {
	db := open(t, "", Options{Concurrency: Concurrency{Running: 1, Reserved: 1, Wait: time.Hour}})
	for name, src := range hostile {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			res, err := db.QueryAs(ctx, Caller{Name: "a"}, src, kql.Options{})
			if err == nil {
				_, err = res.Collect()
			}
			if code := picket.CodeOf(err); code != picket.Busy && code != picket.Invalid && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v, want that it took too long, or what is wrong with it", err)
			}
			if r, err := db.QueryAs(t.Context(), Caller{Name: "b"}, "print 1", kql.Options{}); err != nil {
				t.Error(err)
			} else if rows, err := r.Collect(); err != nil || len(rows) != 1 {
				t.Errorf("the next query: %v, %v", rows, err)
			}
		})
	}
}

// The rows that nobody reads are not made: their query waits, and ends with its caller.
func TestUnread(t *testing.T) {
	db := open(t, "", Options{Concurrency: Concurrency{Running: 1, Reserved: 1, Wait: time.Hour}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	res, err := db.QueryAs(ctx, Caller{Name: "a"}, `range x from 1 to 1000000000000 step 1 | extend s = strrep("a", 1000)`, kql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, err = range res.Rows() {
		if n++; n == 5000 {
			cancel()
		}
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("after %d rows: %v", n, err)
	}
	if r, err := db.QueryAs(t.Context(), Caller{Name: "b"}, "print 1", kql.Options{}); err != nil {
		t.Error(err)
	} else if err := r.Close(); err != nil {
		t.Error(err)
	}
}

// What one query takes fails itself alone, and rows come in meanwhile.
func TestMemoryLimit(t *testing.T) {
	db := open(t, "", Options{Memory: 128 << 20})
	for _, name := range []string{"distinct", "graph paths", "graph joins", "shortest paths"} {
		res, err := db.QueryAs(t.Context(), Caller{Name: "a"}, hostile[name], kql.Options{})
		if err == nil {
			_, err = res.Collect()
		}
		if picket.CodeOf(err) != picket.Unavailable || !strings.Contains(err.Error(), "memory") {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if err := db.Append(t.Context(), picket.Batch{Table: "Syslog", Columns: []string{"SyslogMessage"}, Rows: [][]any{{"x"}}}); err != nil {
		t.Error(err)
	}
	// The guard looks at the memory that the process has, which comes back a little later.
	for end := time.Now().Add(time.Minute); ; {
		res, err := db.Query(t.Context(), "Syslog | count", kql.Options{})
		var rows [][]any
		if err == nil {
			rows, err = res.Collect()
		}
		if picket.CodeOf(err) == picket.Unavailable && time.Now().Before(end) {
			continue
		}
		if err != nil || rows[0][0] != int64(1) {
			t.Errorf("rows %v, %v", rows, err)
		}
		return
	}
}

// The guard stops the query with which the rise began, then the next.
func TestGuard(t *testing.T) {
	var used, unused, cached int64 // unused is what Go can give back, cached what DuckDB can
	g := &guard{log: slog.New(slog.DiscardHandler), used: func() int64 { return used + unused + cached }, free: func() { unused = 0 },
		trim: func(keep func(int64) int64) int64 { cached = keep(cached); return cached }, limit: 100, full: &atomic.Bool{}, running: map[*tracked]struct{}{}}
	start := time.Now()
	var stopped []string
	add := func(name, caller string, after time.Duration) *tracked {
		q := &tracked{caller: caller, started: start.Add(after), stop: func(error) { stopped = append(stopped, name) }}
		g.running[q] = struct{}{}
		return q
	}
	add("old", "a", 0)
	add("rule", "", 4*time.Second)
	big := add("big", "b", 5*time.Second)
	g.look(start.Add(5 * time.Second)) // all is calm
	used = 60
	add("late", "c", 8*time.Second)
	g.look(start.Add(9 * time.Second))
	if len(stopped) != 0 {
		t.Fatalf("stopped %v before the limit", stopped)
	}
	unused = 50
	g.look(start.Add(9500 * time.Millisecond))
	if len(stopped) != 0 {
		t.Fatalf("stopped %v for memory that Go only kept", stopped)
	}
	cached = 1000
	g.look(start.Add(9600 * time.Millisecond))
	if len(stopped) != 0 || cached != 500 {
		t.Fatalf("stopped %v for what DuckDB caches, of which %d are left", stopped, cached)
	}
	cached = 0
	used = 101
	for i := range 3 {
		g.look(start.Add(10*time.Second + time.Duration(i)*100*time.Millisecond))
	}
	if strings.Join(stopped, " ") != "big" {
		t.Errorf("stopped %v, want big alone until its memory can have come back", stopped)
	}
	delete(g.running, big)
	for i := range 4 {
		g.look(start.Add(20*time.Second + time.Duration(i)*2*time.Second))
	}
	if strings.Join(stopped, " ") != "big old late rule" {
		t.Errorf("stopped %v", stopped)
	}
}
