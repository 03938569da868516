package workspace

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"picket"
	"picket/kql"
)

func TestSide(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.duckdb")
	db := open(t, path, Options{})
	cols := []kql.Column{{Name: "a", Type: kql.String}, {Name: "A", Type: kql.Int}, {Name: "l", Type: kql.Long}, {Name: "r", Type: kql.Real}, {Name: "b", Type: kql.Bool},
		{Name: "t", Type: kql.DateTime}, {Name: "d", Type: kql.Dynamic}, {Name: "m", Type: kql.Decimal}, {Name: "two words", Type: kql.TimeSpan}, {Name: "g", Type: kql.Guid}}
	full := []any{"x", int64(1), int64(2), 1.5, true, int64(621355968000000000), `{"k":"<"}`, "1.25", int64(10), "00000000-0000-0000-0000-000000000001"}
	name, err := db.AddSide(t.Context(), cols, [][]any{full, make([]any, len(cols))})
	if err != nil {
		t.Fatal(err)
	}
	want := "[[x 1 2 1.5 true 621355968000000000 {\"k\":\"<\"} 1.2500000000000000 10 00000000-0000-0000-0000-000000000001] [ <nil> <nil> <nil> <nil> <nil> <nil> <nil> <nil> <nil>]]"
	check := func(db *DB) {
		t.Helper()
		if got := fmt.Sprint(query(t, db, "['"+name+"'] | sort by a desc", kql.Options{})); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	check(db)
	if slices.Contains(db.Tables(), name) {
		t.Error("a side table is listed")
	}
	// A row that does not fit leaves nothing behind.
	before := db.Sides()
	for _, row := range [][]any{{"x"}, {"x", int64(1), int64(2), 1.5, true, int64(3), `{`, "1", int64(1), ""}, {"x", int64(1), int64(2), 1.5, true, int64(3), `{}`, "no", int64(1), ""}} {
		if _, err := db.AddSide(t.Context(), cols, [][]any{full, row}); err == nil {
			t.Errorf("%v was taken", row)
		}
	}
	if got := db.Sides(); !slices.Equal(got, before) {
		t.Errorf("sides %v, want %v", got, before)
	}
	if err := db.Append(t.Context(), picket.Batch{Table: "Syslog", Columns: []string{"SyslogMessage"}, Rows: [][]any{{"x"}}}); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	db = open(t, path, Options{})
	check(db)
	if err := db.DropSide(t.Context(), name); err != nil || len(db.Sides()) != 0 {
		t.Errorf("%v, sides %v", err, db.Sides())
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if db = open(t, path, Options{}); len(db.Sides()) != 0 {
		t.Errorf("sides %v after the next start", db.Sides())
	}
}
