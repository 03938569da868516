package workspace

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/kql"
)

func TestRetain(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	db := open(t, filepath.Join(t.TempDir(), "w.duckdb"), Options{
		Now:       func() time.Time { return now },
		Retention: Retention{Days: 90, Tables: map[string]int{"Syslog": 30, "SecurityAlert": 0}},
	})
	start := now
	for day := range 100 {
		now = start.AddDate(0, 0, day)
		b := syslog(fmt.Sprint(day), "a", "b")
		b.Columns = append(b.Columns, "TimeGenerated") // whatever the sender says
		for i := range b.Rows {
			b.Rows[i] = append(b.Rows[i], start.AddDate(i*10-5, 0, 0))
		}
		for _, b := range []picket.Batch{b, {Table: "Heartbeat", Columns: []string{"Computer"}, Rows: [][]any{{"h"}}},
			{Table: "SecurityAlert", Columns: []string{"AlertName"}, Rows: [][]any{{"a"}}}} {
			if err := db.Append(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		}
	}
	now = now.Add(time.Hour)
	if err := db.Retain(t.Context()); err != nil {
		t.Fatal(err)
	}
	for table, want := range map[string]int64{"Syslog": 60, "Heartbeat": 90, "SecurityAlert": 100} {
		if n := query(t, db, table+" | count", kql.Options{})[0][0]; n != want {
			t.Errorf("%s has %v rows, want %d", table, n, want)
		}
	}
	if n := scalar[int64](t, db, `SELECT count(*) FROM "$batch"`); n != 7 {
		t.Errorf("%d ids are remembered, want those of a week", n)
	}
}

// No more rows than a slice are deleted at once, unless they came at one time.
func TestRetainSlices(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	db := open(t, "", Options{Now: func() time.Time { return now }})
	b := picket.Batch{Table: "Syslog", Columns: []string{"SyslogMessage"}}
	for range 100_000 {
		b.Rows = append(b.Rows, []any{"m"})
	}
	for range 5 {
		if err := db.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Hour)
	}
	if _, n, err := db.oldest(t.Context(), "Syslog", kql.TicksOf(now)); err != nil || n == 0 || n > sliceRows {
		t.Errorf("a slice of %d rows, %v", n, err)
	}
	if n, err := db.deleteBefore(t.Context(), "Syslog", kql.TicksOf(now)); err != nil || n != 500_000 {
		t.Errorf("%d rows deleted, %v", n, err)
	}
}

// BenchmarkRetain deletes half of ten million rows while rows are appended, and
// reports how long an append had to wait at the most.
func BenchmarkRetain(b *testing.B) {
	path := filepath.Join(b.TempDir(), "w.duckdb")
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	db, err := Open(path, Options{Now: func() time.Time { return now }, Retention: Retention{Days: 30}})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	n := speedRows(b)
	c := newCorpus(n)
	for day := range 60 {
		now = now.AddDate(0, 0, 1)
		_ = day
		writeCorpus(b, db, c, n/60)
	}
	if _, err := db.pool.Exec("CHECKPOINT"); err != nil {
		b.Fatal(err)
	}
	before := db.disk.size()
	for b.Loop() {
		done := make(chan error, 1)
		go func() { done <- db.Retain(background) }()
		var most time.Duration
		for ended := false; !ended; {
			began := time.Now()
			if err := db.Append(background, picket.Batch{Table: "Syslog", Columns: []string{"SyslogMessage"}, Rows: [][]any{{"m"}}}); err != nil {
				b.Fatal(err)
			}
			most = max(most, time.Since(began))
			select {
			case err := <-done:
				if ended = true; err != nil {
					b.Fatal(err)
				}
			default:
			}
		}
		b.ReportMetric(most.Seconds(), "s-wait-max")
	}
	b.ReportMetric(float64(before>>20), "MB-before")
	if _, err := db.pool.Exec("CHECKPOINT"); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(db.disk.size()>>20), "MB-after")
	writeCorpus(b, db, c, n/2)
	if _, err := db.pool.Exec("CHECKPOINT"); err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(db.disk.size()>>20), "MB-refilled")
}

// What is taken in is in Usage when its hour is over, once, also when the process
// was killed in between: what counts is in the transactions of the rows.
func TestUsage(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 59, 0, 0, time.UTC)
	path := filepath.Join(t.TempDir(), "w.duckdb")
	o := Options{Now: func() time.Time { return now }}
	db := open(t, path, o)
	add := func(table, column, id string, values ...any) {
		t.Helper()
		b := picket.Batch{Table: table, ID: id, Columns: []string{column}}
		for _, v := range values {
			b.Rows = append(b.Rows, []any{v})
		}
		if err := db.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	add("Syslog", "SyslogMessage", "one", strings.Repeat("x", 999_990), "0123456789")
	add("Syslog", "SyslogMessage", "one", "a repeat counts nothing")
	add("Syslog", "ProcessID", "", 1, nil)
	add("Heartbeat", "Computer", "", "host")
	write := func() {
		t.Helper()
		for range 2 {
			if err := db.WriteUsage(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	write()
	if got := query(t, db, "Usage", kql.Options{}); len(got) > 0 {
		t.Errorf("before the hour is over: %v", got)
	}
	now = now.Add(2 * time.Minute)
	add("Syslog", "SyslogMessage", "", "of the next hour")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, path, o)
	write()
	got := query(t, db, "Usage | project strcat_array(pack_array(DataType, Quantity, QuantityUnit, Solution, IsBillable, StartTime, EndTime, TimeGenerated, Type), ' ')", kql.Options{})
	want := []string{
		"Heartbeat 0.000004 MBytes LogManagement false 2026-03-01T12:00:00.0000000Z 2026-03-01T13:00:00.0000000Z 2026-03-01T12:00:00.0000000Z Usage",
		"Syslog 1.000008 MBytes LogManagement true 2026-03-01T12:00:00.0000000Z 2026-03-01T13:00:00.0000000Z 2026-03-01T12:00:00.0000000Z Usage",
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i][0] != want[i] {
			t.Fatalf("Usage has %v, want %v", got, want)
		}
	}
}

// A table that an older Picket made gets the defaults that rows now rely on.
func TestOldDefaults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.duckdb")
	db := open(t, path, Options{NoBuiltin: true})
	if err := db.CreateTable(t.Context(), kql.Table{Name: "Syslog", Columns: []kql.Column{{Name: "TenantId", Type: kql.String}, {Name: "TimeGenerated", Type: kql.DateTime},
		{Name: "SyslogMessage", Type: kql.String}, {Name: "ProcessID", Type: kql.Int}, {Name: "Type", Type: kql.String}}}); err != nil {
		t.Fatal(err)
	}
	// It stored every column.
	if err := db.send(t.Context(), request{table: "Syslog", writes: slices.Collect(maps.Keys(db.absentOf("Syslog"))), sql: []string{`ALTER TABLE "$column" DROP COLUMN stored`}}); err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{`ALTER TABLE "Syslog" ALTER COLUMN "TenantId" SET DEFAULT ''`, `ALTER TABLE "Syslog" ALTER COLUMN "Type" DROP DEFAULT`,
		`DROP TABLE "$batch"`, `CREATE TABLE "$batch" (table_name VARCHAR, id VARCHAR, PRIMARY KEY (table_name, id))`, `INSERT INTO "$batch" VALUES ('Syslog', 'old')`} {
		if _, err := db.pool.Exec(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, path, Options{})
	for _, id := range []string{"old", "new"} {
		if err := db.Append(t.Context(), syslog(id, id)); err != nil {
			t.Fatal(err)
		}
	}
	got := query(t, db, "Syslog | project SyslogMessage, TenantId, Type", kql.Options{})
	if len(got) != 1 || got[0][0] != "new" || got[0][1] != db.ID() || got[0][2] != "Syslog" {
		t.Errorf("%v", got)
	}
}
