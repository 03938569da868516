package workspace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/kql"
	"picket/kql/syntax"
)

func query(t *testing.T, db *DB, src string, o kql.Options) [][]any {
	t.Helper()
	res, err := db.Query(t.Context(), src, o)
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	rows, err := res.Collect()
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	return rows
}

func TestQuery(t *testing.T) {
	at := time.Date(2026, 11, 23, 1, 2, 3, 456789100, time.UTC)
	db := open(t, "", Options{Now: func() time.Time { return at }})
	err := db.Append(t.Context(), picket.Batch{
		Table:   "ProwlEnrich_CL",
		Columns: []string{"IPAddress", "Confidence", "Ttps", "FirstSeen", "CostUsd"},
		Rows:    [][]any{{"203.0.113.7", 90, []string{"known-bot"}, at, 0.02}, {"203.0.113.8", nil, nil, nil, nil}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := query(t, db, `ProwlEnrich_CL | project IPAddress, Confidence, Ttps, FirstSeen, CostUsd, Seen = ingestion_time()`, kql.Options{})
	now := int64(kql.TicksOf(at))
	want := [][]any{
		{"203.0.113.7", int64(90), `["known-bot"]`, now, 0.02, now},
		{"203.0.113.8", nil, nil, nil, nil, now},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// What one sender puts into a dynamic column must not fail the queries of all:
// DuckDB refuses some JSON that is valid.
func TestQueryDynamicOfStrangers(t *testing.T) {
	db := open(t, "", Options{})
	for _, c := range []struct{ in, want string }{
		{`{"a":"\ud800"}`, "\uFFFD"},
		{`{"a":"x\uDC00y"}`, "x\uFFFDy"},
		{`{"a":"\ud83d\ude00"}`, "\U0001F600"},
		{`{"a":"\\ud800"}`, `\ud800`},
		{`{"a":1e999}`, "1e999"},
		{`{"a":-1E999,"b":[{"c":9e9999}]}`, "-1E999"},
		{`{"a":` + strings.Repeat("9", 400) + `}`, strings.Repeat("9", 400)},
		{`{"a":15e-1,"b":true}`, "1.5"},
		{`{"a":"e1\"\u0041","b":false}`, `e1"A`},
		{`{"a":"<&>","b":1e999}`, "<&>"},
	} {
		b := picket.Batch{Table: "ProwlEnrich_CL", ID: c.in, Columns: []string{"IPAddress", "Ttps"}, Rows: [][]any{{c.in, json.RawMessage(c.in)}}}
		if err := db.Append(t.Context(), b); err != nil {
			t.Errorf("%.40s: %v", c.in, err)
			continue
		}
		got := query(t, db, "ProwlEnrich_CL | project IPAddress, tostring(Ttps.a), tostring(Ttps.b[0].c)", kql.Options{})
		if i := slices.IndexFunc(got, func(r []any) bool { return r[0] == c.in }); i < 0 || got[i][1] != c.want {
			t.Errorf("%.40s: %.80v, want %.40s", c.in, got, c.want)
		}
	}
}

// Text in a dynamic is found as it was written, whatever JSON's escapes were.
func TestDynamicText(t *testing.T) {
	db := open(t, "", Options{})
	f := func(v any, want string) {
		t.Helper()
		err := db.Append(t.Context(), picket.Batch{Table: "SecurityIncident", Columns: []string{"Comments"}, Rows: [][]any{{v}}})
		if err != nil {
			t.Fatal(err)
		}
		got := query(t, db, `SecurityIncident | top 1 by ingestion_time() | project Comments, tostring(Comments[0]) contains "<b>"`, kql.Options{})
		if got[0][0] != want || got[0][1] != true {
			t.Errorf("%v, want %s and true", got[0], want)
		}
	}
	f([]string{"<b>x</b> & y"}, `["<b>x</b> & y"]`)
	f(json.RawMessage(`["\u003Cb\u003e \\u003c \" \u00e9 \\\\u0026"]`), `["<b> \\u003c \" \u00e9 \\\\u0026"]`)
	f(json.RawMessage(`["<b>",1.50,12345678901234567890,{"b":1,"a":2}]`), `["<b>",1.50,12345678901234567890,{"b":1,"a":2}]`)
}

// A window bounds TimeGenerated; its end is not part of it.
func TestQueryWindow(t *testing.T) {
	db := open(t, "", Options{})
	base := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b := picket.Batch{Table: "Syslog", Columns: []string{"TimeGenerated", "SyslogMessage"}}
	for i := range 5 {
		b.Rows = append(b.Rows, []any{base.Add(time.Duration(i) * time.Minute), fmt.Sprint(i)})
	}
	if err := db.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, row := range query(t, db, "Syslog | project SyslogMessage", Window(base.Add(time.Minute), base.Add(3*time.Minute))) {
		got = append(got, row[0].(string))
	}
	slices.Sort(got)
	if strings.Join(got, " ") != "1 2" {
		t.Errorf("rows %v, want 1 2", got)
	}
}

func TestQueryErrors(t *testing.T) {
	db := open(t, "", Options{})
	_, err := db.Query(t.Context(), "Syslgo | take 1", kql.Options{})
	var d syntax.Diagnostics
	if !errors.As(err, &d) || !strings.Contains(d.Render("Syslgo | take 1"), "Syslog") {
		t.Errorf("unknown table: %v, want a diagnostic that names Syslog", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := db.Query(ctx, "Syslog", kql.Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestQueryLimits(t *testing.T) {
	db := open(t, "", Options{Limits: Limits{Rows: 10, Time: 200 * time.Millisecond}})
	res, err := db.Query(t.Context(), "range x from 1 to 1000 step 1", kql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := res.Collect()
	if err != nil || len(rows) != 10 || !strings.Contains(res.Truncated, "10 records") {
		t.Errorf("%d rows, truncated %q, err %v", len(rows), res.Truncated, err)
	}
	// No more is made than is read, in the order that was asked for.
	res, err = db.Run(t.Context(), Caller{}, &kql.Query{SQL: "SELECT range FROM range(1000000000000)", Columns: []kql.Column{{Name: "x", Type: kql.Long}}})
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := res.Collect(); err != nil || len(rows) != 10 {
		t.Errorf("%d rows of a result without end, err %v", len(rows), err)
	}
	if rows := query(t, db, "range x from 1 to 1000 step 1 | sort by x desc", kql.Options{}); len(rows) != 10 || rows[0][0] != int64(1000) || rows[9][0] != int64(991) {
		t.Errorf("sorted: %v", rows)
	}
	res, err = db.Query(t.Context(), "range x from 1 to 100000 step 1 | extend k = 1 | join kind=inner (range y from 1 to 1000000 step 1 | extend k = 1) on k | where x * y == 7", kql.Options{})
	if err == nil {
		_, err = res.Collect()
	}
	if picket.CodeOf(err) != picket.Busy {
		t.Errorf("a query beyond its time: %v", err)
	}
	// The others go on.
	if rows := query(t, db, "print 1", kql.Options{}); len(rows) != 1 {
		t.Error("no answer after a query was stopped")
	}
}

// union * and search leave out tables without rows, and see every row that was
// appended before.
func TestQueryEmptyTables(t *testing.T) {
	db := open(t, "", Options{})
	want := [][]any{}
	for i, table := range []string{"Heartbeat", "ProwlEnrich_CL"} {
		if got := query(t, db, `union withsource=T * | summarize n = count() by T | order by T asc`, kql.Options{}); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("union: got %v, want %v", got, want)
		}
		column := []string{"Computer", "IPAddress"}[i]
		if err := db.Append(t.Context(), picket.Batch{Table: table, Columns: []string{column}, Rows: [][]any{{"203.0.113.7"}}}); err != nil {
			t.Fatal(err)
		}
		want = append(want, []any{table, int64(1)})
		if got := query(t, db, `search "203.0.113.7" | summarize n = count() by T = $table | order by T asc`, kql.Options{}); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("search: got %v, want %v", got, want)
		}
	}
}

// TestQuerySeveralTables reads the tables of a query one after the other.
func TestQuerySeveralTables(t *testing.T) {
	db := open(t, "", Options{})
	res, err := db.Query(t.Context(), `range x from 1 to 3 step 1 | fork (count) (where x > 1)`, kql.Options{})
	var got [][][]any
	for err == nil && res != nil {
		var rows [][]any
		if rows, err = res.Collect(); err == nil {
			got = append(got, rows)
			res, err = res.Next(t.Context())
		}
	}
	if err != nil || fmt.Sprint(got) != "[[[3]] [[2] [3]]]" {
		t.Errorf("got %v, %v", got, err)
	}
}

// An optimizer of DuckDB takes another row for the first where one has no value.
func TestTopOfPartition(t *testing.T) {
	db := open(t, "", Options{})
	got := query(t, db, `datatable(l:long, x:long)[1, long(null), 1, 5, 1, 3] | partition by l (top 1 by x desc nulls last)`, kql.Options{})
	if fmt.Sprint(got) != "[[1 5]]" {
		t.Errorf("%v", got)
	}
}

// An optimizer of DuckDB asks what a join wants before the top rows are taken,
// sometimes: it depends on which side is ready first.
func TestJoinOfTop(t *testing.T) {
	db := open(t, "", Options{NoBuiltin: true})
	for _, name := range []string{"Big", "Small"} {
		if err := db.CreateTable(t.Context(), kql.Table{Name: name, Columns: []kql.Column{{Name: "k", Type: kql.Long}, {Name: "v", Type: kql.Long}}}); err != nil {
			t.Fatal(err)
		}
	}
	big := picket.Batch{Table: "Big", Columns: []string{"k", "v"}}
	for i := range 100_000 {
		big.Rows = append(big.Rows, []any{i % 1000, i})
	}
	small := picket.Batch{Table: "Small", Columns: []string{"k"}, Rows: [][]any{{5}, {6}}}
	if err := errors.Join(db.Append(t.Context(), big), db.Append(t.Context(), small)); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		got := query(t, db, `Big | union (Big | where v < 0) | top 5 by v | join kind=leftsemi Small on k | count`, kql.Options{})
		if fmt.Sprint(got) != "[[0]]" {
			t.Fatalf("%v of the top 5, of which none is in Small", got)
		}
	}
}
