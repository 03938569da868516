package workspace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"picket"
	"picket/kql"
)

func open(t *testing.T, path string, o Options) *DB {
	t.Helper()
	db, err := Open(path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// scalar runs SQL that answers one value: these tests look beneath KQL.
func scalar[T any](t *testing.T, db *DB, query string) T {
	t.Helper()
	var v T
	if err := db.pool.QueryRow(query).Scan(&v); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return v
}

func syslog(id string, messages ...string) picket.Batch {
	b := picket.Batch{Table: "Syslog", ID: id, Columns: []string{"SyslogMessage", "ProcessID"}}
	for i, m := range messages {
		b.Rows = append(b.Rows, []any{m, i})
	}
	return b
}

func TestAppendFillsWhatIsNotGiven(t *testing.T) {
	now := time.Date(2026, 11, 23, 1, 2, 3, 456789100, time.UTC)
	db := open(t, "", Options{Now: func() time.Time { return now }})
	if err := db.Append(t.Context(), syslog("", "hello")); err != nil {
		t.Fatal(err)
	}
	f := func(expr, want string) {
		t.Helper()
		if got := scalar[string](t, db, "SELECT coalesce(("+expr+")::VARCHAR, 'NULL') FROM \"Syslog\""); got != want {
			t.Errorf("%s = %q, want %q", expr, got, want)
		}
	}
	f("SyslogMessage", "hello")
	f("HostName", "") // strings are never NULL
	f("EventTime", "NULL")
	f("Type", "Syslog")
	f("TenantId", db.ID())
	f("TimeGenerated", fmt.Sprint(kql.TicksOf(now)))
	f(`"$ingestion_time"`, fmt.Sprint(kql.TicksOf(now)))
}

func TestAppendRefuses(t *testing.T) {
	db := open(t, "", Options{})
	f := func(b picket.Batch, want string) {
		t.Helper()
		err := db.Append(t.Context(), b)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	f(picket.Batch{Table: "Nope", Rows: [][]any{{}}}, "no table Nope")
	f(picket.Batch{Table: "Syslog", Columns: []string{"Nope"}, Rows: [][]any{{1}}}, "no column Nope")
	f(picket.Batch{Table: "Syslog", Columns: []string{"Computer", "Computer"}, Rows: [][]any{{"a", "b"}}}, "given twice")
	f(picket.Batch{Table: "Syslog", Columns: []string{"ProcessID"}, Rows: [][]any{{1}, {"x"}}}, "row 2, column ProcessID")
	f(picket.Batch{Table: "Syslog", Columns: []string{"ProcessID"}, Rows: [][]any{{int64(1) << 40}}}, "out of an int's range")
	f(picket.Batch{Table: "Syslog", Columns: []string{"ProcessID", "Computer"}, Rows: [][]any{{1}}}, "1 values for 2 columns")
	if n := scalar[int](t, db, `SELECT count(*) FROM "Syslog"`); n != 0 {
		t.Errorf("%d rows of refused batches are there", n)
	}
}

func TestAppendIsIdempotent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.duckdb")
	db, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := db.Append(t.Context(), syslog("one", "a", "b")); err != nil {
			t.Fatal(err)
		}
	}
	id := db.ID()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, path, Options{})
	if db.ID() != id {
		t.Error("the workspace's id changed over a restart")
	}
	for _, batch := range []string{"one", "two", ""} {
		if err := db.Append(t.Context(), syslog(batch, "a", "b")); err != nil {
			t.Fatal(err)
		}
	}
	if n := scalar[int](t, db, `SELECT count(*) FROM "Syslog"`); n != 6 {
		t.Errorf("%d rows, want 6", n)
	}
}

func TestEphemeralIDs(t *testing.T) {
	db := open(t, "", Options{})
	first := syslog("x", "a")
	first.Ephemeral = true
	for range 3 {
		if err := db.Append(t.Context(), first); err != nil {
			t.Fatal(err)
		}
	}
	bad := picket.Batch{Table: "Syslog", ID: "bad", Ephemeral: true, Columns: []string{"Nope"}, Rows: [][]any{{1}}}
	if err := db.Append(t.Context(), bad); err == nil {
		t.Fatal("a bad batch was written")
	}
	// What failed is not remembered: its repeat, made good, is written.
	bad.Columns = []string{"SyslogMessage"}
	bad.Rows = [][]any{{"b"}}
	if err := db.Append(t.Context(), bad); err != nil {
		t.Fatal(err)
	}
	if n := scalar[int](t, db, `SELECT count(*) FROM "Syslog"`); n != 2 {
		t.Errorf("%d rows, want 2", n)
	}
	if n := scalar[int](t, db, `SELECT count(*) FROM "$batch"`); n != 0 {
		t.Errorf("%d ephemeral ids are on disk", n)
	}
}

// KQL tells X from x; DuckDB does not.
func TestNamesThatDifferByCase(t *testing.T) {
	db := open(t, "", Options{})
	table := kql.Table{Name: "Case_CL", Columns: []kql.Column{{Name: "Type", Type: kql.String}, {Name: "type", Type: kql.Long}}}
	if err := db.CreateTable(t.Context(), table); err != nil {
		t.Fatal(err)
	}
	table.Columns = append(table.Columns, kql.Column{Name: "TYPE", Type: kql.String})
	if err := db.CreateTable(t.Context(), table); err != nil {
		t.Fatal(err)
	}
	if err := db.Append(t.Context(), picket.Batch{Table: "Case_CL", Columns: []string{"type", "TYPE"}, Rows: [][]any{{7, "x"}}}); err != nil {
		t.Fatal(err)
	}
	if got := query(t, db, "Case_CL | project Type, type, TYPE", kql.Options{}); fmt.Sprint(got) != "[[Case_CL 7 x]]" {
		t.Errorf("%v", got)
	}
}

func TestConcurrentAppends(t *testing.T) {
	db := open(t, "", Options{})
	const workers, batches = 16, 20
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := range batches {
				table, cols, row := "Syslog", []string{"SyslogMessage"}, []any{"m"}
				if w%2 == 1 {
					table, cols, row = "Heartbeat", []string{"Computer"}, []any{"c"}
				}
				// Every batch is sent twice; a bad one goes between.
				b := picket.Batch{Table: table, ID: fmt.Sprint(w, i), Columns: cols, Rows: [][]any{row}}
				if err := errors.Join(db.Append(t.Context(), b), db.Append(t.Context(), b)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for _, table := range []string{"Syslog", "Heartbeat"} {
		if n := scalar[int](t, db, `SELECT count(*) FROM "`+table+`"`); n != workers*batches/2 {
			t.Errorf("%s has %d rows, want %d", table, n, workers*batches/2)
		}
	}
}

func TestCreateTable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.duckdb")
	db, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	table := kql.Table{Name: "My_CL", Columns: []kql.Column{{Name: "TimeGenerated", Type: kql.DateTime}, {Name: "Bag", Type: kql.Dynamic}}}
	row := func(cols []string, vals ...any) error {
		return db.Append(ctx, picket.Batch{Table: "My_CL", Columns: cols, Rows: [][]any{vals}})
	}
	if err := db.CreateTable(ctx, table); err != nil {
		t.Fatal(err)
	}
	if err := row([]string{"Bag"}, map[string]any{"a": []int{1}}); err != nil {
		t.Fatal(err)
	}
	table.Columns = append(table.Columns, kql.Column{Name: "Note", Type: kql.String})
	if err := db.CreateTable(ctx, table); err != nil {
		t.Fatal(err)
	}
	if err := row([]string{"Note", "Bag"}, "new", json.RawMessage("null")); err != nil {
		t.Fatal(err)
	}
	table.Columns[2].Type = kql.Long
	if err := db.CreateTable(ctx, table); picket.CodeOf(err) != picket.Conflict {
		t.Errorf("changing a column's type: %v, want a conflict", err)
	}
	if err := db.CreateTable(ctx, kql.Table{Name: `a"b`, Columns: table.Columns}); picket.CodeOf(err) != picket.Invalid {
		t.Errorf("bad name: %v, want invalid", err)
	}
	db.Close()
	db = open(t, path, Options{})
	got, ok := db.Table("My_CL")
	if !ok || len(got.Columns) != 3 || got.Columns[2] != (kql.Column{Name: "Note", Type: kql.String}) || got.Columns[0].Type != kql.DateTime {
		t.Errorf("after reopening: %+v", got)
	}
	if s := scalar[string](t, db, `SELECT string_agg(coalesce(Bag::VARCHAR, '-') || '/' || Note, ' ' ORDER BY Note) FROM "My_CL"`); s != `{"a":[1]}/ -/new` {
		t.Errorf("rows: %s", s)
	}
}

func TestSQLReachesNoFile(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret.csv")
	if err := os.WriteFile(secret, []byte("a\n1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	db := open(t, filepath.Join(t.TempDir(), "w.duckdb"), Options{})
	for _, q := range []string{
		"SELECT * FROM read_csv('" + secret + "')",
		"SELECT * FROM '" + secret + "'",
		"COPY (SELECT 1) TO '" + secret + "'",
		"ATTACH '" + secret + "' AS x",
		"SET enable_external_access = true",
		"INSTALL httpfs",
	} {
		if _, err := db.pool.ExecContext(context.Background(), q); err == nil {
			t.Errorf("%s: allowed", q)
		}
	}
}

// A folder may be named as it likes, but for what the driver cannot take.
func TestOddPaths(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"a#b", "a b", "it's", "2026:11"} {
		db := open(t, filepath.Join(dir, "w.duckdb"), Options{})
		if v := scalar[string](t, db, "SELECT current_setting('autoload_known_extensions')::VARCHAR"); v != "false" {
			t.Errorf("%s: extensions are loaded", dir)
		}
		if _, err := os.Stat(filepath.Join(dir, "w.duckdb")); err != nil {
			t.Error(err)
		}
	}
	for _, dir := range []string{"a?threads=1", "a%zz"} {
		if _, err := Open(filepath.Join(dir, "w.duckdb"), Options{}); err == nil || !strings.Contains(err.Error(), "another folder") {
			t.Errorf("%s: %v", dir, err)
		}
	}
}

func TestLoadFiles(t *testing.T) {
	dir := t.TempDir()
	csv := filepath.Join(dir, "it's.csv")
	ndjson := filepath.Join(dir, "b.ndjson")
	for path, text := range map[string]string{
		csv:    "ip,n,at,ok\n192.0.2.1,7,2026-01-02 03:04:05,true\n,,,\n",
		ndjson: `{"ip":"192.0.2.1","tags":["x"],"o":{"a":1}}` + "\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	db := open(t, "", Options{Files: []File{file("A", csv), file("B", ndjson)}})
	a, _ := db.Table("A")
	want := []kql.Column{{Name: "ip", Type: kql.String}, {Name: "n", Type: kql.Long}, {Name: "at", Type: kql.DateTime}, {Name: "ok", Type: kql.Bool}}
	if fmt.Sprint(a.Columns) != fmt.Sprint(want) {
		t.Errorf("columns of A: %v, want %v", a.Columns, want)
	}
	if s := scalar[string](t, db, `SELECT string_agg(ip || coalesce("at"::VARCHAR, '-'), ',') FROM "A"`); s != "192.0.2.1639029198450000000,-" {
		t.Errorf("rows of A: %s", s)
	}
	b, _ := db.Table("B")
	if b.Columns[1].Type != kql.Dynamic || b.Columns[2].Type != kql.Dynamic {
		t.Errorf("columns of B: %v", b.Columns)
	}
	// A name is not a pattern that other files match.
	for name, text := range map[string]string{"g[1]*?.csv": "x\nright\n", "g1.csv": "x\nwrong\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g := open(t, "", Options{Files: []File{file("G", filepath.Join(dir, "g[1]*?.csv"))}})
	if s := scalar[string](t, g, `SELECT string_agg(x, ',') FROM "G"`); s != "right" {
		t.Errorf("rows of G: %s", s)
	}
	if _, err := Open("", Options{Files: []File{file("A", filepath.Join(dir, "absent.csv"))}}); err == nil {
		t.Error("an absent file loads")
	}
	if _, err := Open("", Options{Files: []File{file("A; DROP", csv)}}); err == nil {
		t.Error("a bad table name loads")
	}
}

func TestClosed(t *testing.T) {
	db := open(t, "", Options{})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := db.Append(t.Context(), syslog("", "x")); err == nil {
		t.Error("append after close succeeds")
	}
}

func BenchmarkAppend(b *testing.B) {
	db, err := Open(filepath.Join(b.TempDir(), "w.duckdb"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	messages := make([]string, 1000)
	for i := range messages {
		messages[i] = fmt.Sprintf("Failed password for root from 203.0.113.%d port %d ssh2", i%250, 1024+i)
	}
	batch := syslog("", messages...)
	for b.Loop() {
		if err := db.Append(b.Context(), batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*1000)/b.Elapsed().Seconds(), "rows/s")
}
