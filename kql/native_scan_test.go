package kql

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// The native walk of scan and the recursion in SQL are two ways to the same rows.
func TestScanNative(t *testing.T) {
	db, cat := openWorkspace(t)
	rnd := rand.New(rand.NewPCG(3, 0))
	pickOne := func(list ...string) string { return list[rnd.IntN(len(list))] }
	var rows strings.Builder
	for n := range 60 {
		fmt.Fprintf(&rows, "%d, %s, %s, %s, %s, %s, %s,\n", n, pickOne("long(null)", "0", "3", "9223372036854775807", "-9223372036854775807", "-2"),
			pickOne("real(null)", "1.5", "real(nan)", "real(+inf)", "-0.1"), pickOne(`""`, `"start"`, `"stop"`, `"a\n\"b"`),
			pickOne("datetime(null)", "datetime(2024-01-01)", "datetime(9999-12-31 23:59:59.9999999)"), pickOne("timespan(null)", "1d", "-1tick", "time(9000000.00:00:00)"), pickOne("true", "false", "bool(null)"))
	}
	src := "datatable(n:int, l:long, r:real, s:string, t:datetime, p:timespan, b:bool)[" + rows.String() + "] | sort by n asc\n| "
	for _, scan := range []string{
		`scan with_match_id=m declare (sum:long=0, seen:string) with (step a: ALSO(true) => sum = l + a.sum, seen = iff(isempty(a.seen), s, a.seen);)`,
		`scan with_match_id=m declare (x:long, y:real=0.5) with (step a: ALSO(s == "start") => x = l * 2, y = a.y + r;
			step b: s != "start" and (b.l != l or l - a.l < 3) => x = a.x - l * b.x, y = a.y * b.l; step c output=last: s == "stop" and n > a.n;)`,
		`scan declare (u:datetime, d:timespan, w:bool) with (step a output=none: ALSO(b or isnull(a.u)) => u = a.t + p, d = a.d - p, w = a.b and not(b);
			step c: coalesce(a.t, t) >= t => u = iff(a.w, c.t, a.u), d = t - a.t, w = a.t == t or a.p != p;)`,
		`scan with_match_id=id declare (one:int, k:real) with (step a: ALSO(isnotnull(l)) => one = coalesce(a.one, n), k = a.l; step b: a.r <= r or b.s == s and isnotempty(a.s);)`,
	} {
		for _, pipe := range []string{"%s", "partition hint.strategy=native by s (sort by n asc | %s) | sort by n asc, s asc"} {
			query := func(also string) string {
				return src + fmt.Sprintf(pipe, strings.ReplaceAll(scan, "ALSO", also))
			}
			// What the native function does not know makes it a recursion.
			native, recursive := query(""), query("case(a.n == 1, true, true) and ")
			for src, want := range map[string]bool{native: true, recursive: false} {
				q, err := Compile(src, cat, Options{})
				if err != nil {
					t.Fatalf("%s: %v", src, err)
				}
				if strings.Contains(q.SQL, "kql_scan") != want {
					t.Errorf("%s: native is not %v", src, want)
				}
			}
			if got, want := result(t, db, cat, native), result(t, db, cat, recursive); got != want {
				t.Errorf("%s\nnative:\n%s\nrecursion:\n%s", native, got, want)
			} else if strings.Count(got, "\n") < 10 {
				t.Errorf("%s\nonly %s", native, got)
			}
		}
	}
}

// States go over from one call to the next.
func TestScanBlocks(t *testing.T) {
	db, cat := openWorkspace(t)
	got := result(t, db, cat, `range x from 1 to 50000 step 1 | scan with_match_id=m declare (sum:long=0) with (step s: true => sum = x + s.sum; step e: x % 40000 == 0 => sum = s.sum;)
		| summarize max(sum), count(), max(m)`)
	if want := "max_sum:long, count_:long, max_m:long\n[799980000, 50001, 1]\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
