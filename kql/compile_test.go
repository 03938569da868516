package kql

import (
	"errors"
	"strings"
	"testing"

	"picket/kql/syntax"
)

// failedLogins is the query of rules/ssh-failed-logins.yaml.
const failedLogins = `Syslog
| where SyslogMessage startswith "Failed Password"
| order by EventTime desc
| extend User = extract("for(?s)(.*)from",1,SyslogMessage)
| extend IP = extract("(([0-9]{1,3})\\.([0-9]{1,3})\\.([0-9]{1,3})\\.(([0-9]{1,3})))",1,SyslogMessage)
| project HostName, SyslogMessage, EventTime, IP, User`

// TestLineEnds: Windows line ends mean the same query.
func TestLineEnds(t *testing.T) {
	db, cat := openWorkspace(t)
	unix := result(t, db, cat, failedLogins)
	if win := result(t, db, cat, strings.ReplaceAll(failedLogins, "\n", "\r\n")); win != unix {
		t.Errorf("with \\r\\n:\n%s\nwith \\n:\n%s", win, unix)
	}
	if n := strings.Count(unix, "\n"); n != 4 {
		t.Errorf("%d lines, want a header and 3 rows:\n%s", n, unix)
	}
}

func compileFor(t *testing.T, cat Catalog, src string, opt Options) *Query {
	t.Helper()
	q, err := Compile(src, cat, opt)
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return q
}

func TestTimeRange(t *testing.T) {
	db, cat := openWorkspace(t)
	from, _ := ParseDateTime("2024-01-02")
	to, _ := ParseDateTime("2024-01-02 00:20:01")
	for _, c := range []struct {
		opt  Options
		want int64
	}{{Options{}, 5}, {Options{From: from}, 3}, {Options{To: to}, 3}, {Options{From: from, To: to}, 1}} {
		// A let is restricted too, and so is each table of a union.
		q := compileFor(t, cat, "let s = Syslog; union s, (Syslog | where false) | count", c.opt)
		var n int64
		if err := db.QueryRow(q.SQL).Scan(&n); err != nil || n != c.want {
			t.Errorf("%+v: %d rows, %v; want %d", c.opt, n, err, c.want)
		}
	}
}

func TestMaxRows(t *testing.T) {
	db, cat := openWorkspace(t)
	q := compileFor(t, cat, "Syslog | sort by TimeGenerated asc", Options{MaxRows: 2})
	rows, err := db.Query(q.SQL)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		n++
	}
	if n != 2 {
		t.Errorf("%d rows, want 2", n)
	}
}

func TestRender(t *testing.T) {
	q := compileFor(t, noTables{}, `print x = 1 | render timechart with (title = "a b", kind = stacked)`, Options{Now: 7})
	want := []Prop{{"title", "a b"}, {"kind", "stacked"}}
	if q.Render == nil || q.Render.Kind != "timechart" || len(q.Render.Props) != 2 || q.Render.Props[0] != want[0] || q.Render.Props[1] != want[1] {
		t.Errorf("render is %+v", q.Render)
	}
	if q.Now != 7 {
		t.Errorf("now is %d, want 7", q.Now)
	}
	if q := compileFor(t, noTables{}, "print 1", Options{}); q.Render != nil {
		t.Errorf("render is %+v without a render operator", q.Render)
	}
}

// explain returns DuckDB's plan for a query.
func explain(t *testing.T, src string) string {
	t.Helper()
	db, cat := openWorkspace(t)
	q := compileFor(t, cat, src, Options{})
	var kind, plan string
	if err := db.QueryRow("EXPLAIN "+q.SQL).Scan(&kind, &plan); err != nil {
		t.Fatalf("%v\n%s", err, q.SQL)
	}
	return plan
}

// TestPlan: conditions must reach the scan and columns that no one wants must
// not be read, through the CTEs, and also where a let is used twice.
func TestPlan(t *testing.T) {
	for _, c := range []struct{ src, has, hasNot string }{
		{`Syslog | where TimeGenerated > datetime(2024-01-02) | extend a = strcat(HostName, "x") | project a`, "Filters:TimeGenerated>", "SyslogMessage"},
		{`Heartbeat | extend v = Version | where v == 3 | project Computer`, "Filters:Version=3", "Extra"},
		{`let s = Syslog | extend h = HostName; s | where TimeGenerated > datetime(2024-01-02) | join kind=inner (s | where TimeGenerated > datetime(2024-01-02)) on h | project h`, "Filters:Filters:TimeGenerated", "CTE_SCAN"},
	} {
		plan := strings.NewReplacer("│", "", "─", "").Replace(strings.Join(strings.Fields(explain(t, c.src)), ""))
		if !strings.Contains(plan, c.has) {
			t.Errorf("%s: no %q in the plan\n%s", c.src, c.has, explain(t, c.src))
		}
		if strings.Contains(plan, c.hasNot) {
			t.Errorf("%s: %q is in the plan\n%s", c.src, c.hasNot, explain(t, c.src))
		}
	}
}

// TestNothingLeaks: names and strings of a query reach SQL only quoted.
func TestNothingLeaks(t *testing.T) {
	db, cat := openWorkspace(t)
	if _, err := db.Exec("CREATE TABLE victim AS SELECT 1 AS x"); err != nil {
		t.Fatal(err)
	}
	for _, evil := range []string{`'); DROP TABLE victim; --`, `"; DROP TABLE victim; --`, "a'b\"c", "x\x00y", "\\", "$1 $2", "s0", "/*", "é\u2028"} {
		lit := syntaxQuote(evil)
		for _, src := range []string{
			"print x = " + lit,
			"print [" + lit + "] = 1 | extend y = [" + lit + "] + 1",
			"Syslog | where SyslogMessage has " + lit + " or HostName contains " + lit + " or HostName in (" + lit + ") or HostName has_any (" + lit + ", 'b')",
			"print d = dynamic({" + lit + ": 1}) | project d[" + lit + "]",
			"datatable([" + lit + "]:string)[" + lit + "] | summarize count() by [" + lit + "] | as [" + lit + "]",
			"Syslog | parse SyslogMessage with " + lit + " a " + lit,
			"union withsource=[" + lit + "] Syslog, Heartbeat | count",
			"Syslog | summarize make_list(HostName) by bin(TimeGenerated, 1d), x = " + lit,
		} {
			q, err := Compile(src, cat, Options{})
			var d syntax.Diagnostics
			if err != nil {
				if !errors.As(err, &d) || len(d) == 0 {
					t.Errorf("%s: %v", src, err)
				}
				continue
			}
			rows, err := db.Query(q.SQL)
			if err != nil {
				t.Errorf("%s: %v\n%s", src, err, q.SQL)
				continue
			}
			for rows.Next() {
			}
			if err := errors.Join(rows.Err(), rows.Close()); err != nil {
				t.Errorf("%s: %v\n%s", src, err, q.SQL)
			}
		}
	}
	var n int
	if err := db.QueryRow("SELECT count(*) FROM victim").Scan(&n); err != nil || n != 1 {
		t.Fatalf("the table is gone: %v", err)
	}
	var s string
	if err := db.QueryRow(compileFor(t, cat, "print "+syntaxQuote("a\x00'b"), Options{}).SQL).Scan(&s); err != nil || s != "a\x00'b" {
		t.Errorf("got %q, %v", s, err)
	}
}

// syntaxQuote writes s as a KQL string.
func syntaxQuote(s string) string {
	r := strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\x00", `\0`)
	return `"` + r.Replace(s) + `"`
}

// TestSize: a query that doubles itself is refused, not expanded.
func TestSize(t *testing.T) {
	src := "let f0 = (x:string) { strcat(x, x, tolower(x)) };\n"
	for i := 1; i < 30; i++ {
		src += strings.ReplaceAll("let fN = (x:string) { fM(strcat(fM(x), fM(x))) };\n", "N", formatInt(int64(i)))
		src = strings.ReplaceAll(src, "fM", "f"+formatInt(int64(i-1)))
	}
	_, err := Compile(src+`print f29("a")`, noTables{}, Options{})
	if err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("got %v, want a refusal", err)
	}
}

// TestOpenBag: without a way to ask the data, what bag_unpack unpacks is still
// found by name; a let of that name goes first.
func TestOpenBag(t *testing.T) {
	db, cat := openWorkspace(t)
	q := compileFor(t, cat, `let os = "let"; Heartbeat | evaluate bag_unpack(Extra) | where isnotempty(ips) | project Computer, one = tostring(ips[0]), os`, Options{})
	var computer, first, os string
	if err := db.QueryRow(q.SQL).Scan(&computer, &first, &os); err != nil || computer != "web1" || first != "10.0.0.1" || os != "let" {
		t.Errorf("got %q, %q, %q, %v", computer, first, os, err)
	}
	q = compileFor(t, cat, `Heartbeat | evaluate pivot(Computer, max(TimeGenerated), Version) | where Version == 3 | project at = todatetime(web1), none = tostring(web3)`, Options{})
	var at int64
	var none string
	if err := db.QueryRow(q.SQL).Scan(&at, &none); err != nil || FormatDateTime(at) != "2024-01-01T00:00:00Z" || none != "" {
		t.Errorf("pivot without a way to ask the data: %s, %q, %v", FormatDateTime(at), none, err)
	}
}
