package workspace

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"picket"
	"picket/kql"
)

// TestAbsent fills columns one after the other, in batches that leave out others,
// before and behind a start, and reads all of them after each.
func TestAbsent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.duckdb")
	db := open(t, path, Options{NoBuiltin: true})
	columns := []kql.Column{{Name: "TenantId", Type: kql.String}, {Name: "TimeGenerated", Type: kql.DateTime}, {Name: "N", Type: kql.Long}, {Name: "S", Type: kql.String}, {Name: "s", Type: kql.String},
		{Name: "D", Type: kql.Dynamic}, {Name: "R", Type: kql.Real}, {Name: "B", Type: kql.Bool}, {Name: "G", Type: kql.Guid}, {Name: "Type", Type: kql.String}}
	if err := db.CreateTable(t.Context(), kql.Table{Name: "Wide_CL", Columns: columns}); err != nil {
		t.Fatal(err)
	}
	all := len(columns) - 2 // but TimeGenerated and D
	if n := len(db.absentOf("Wide_CL")); n != all {
		t.Fatalf("%d columns of a new table are absent, want %d", n, all)
	}
	var want []string
	for i, tt := range []struct {
		columns string
		rows    [][]any
		want    []string
		stored  int // columns, of those that may be absent
	}{
		{"TenantId Type S R", [][]any{{db.ID(), "Wide_CL", "", nil}, {nil, nil, nil, nil}}, []string{`|||||`, `|||||`}, 0},
		{"N S G", [][]any{{1, nil, nil}, {2, "", ""}}, []string{`1|||||`, `2|||||`}, 2}, // a guid may be empty
		{"S N s", [][]any{{"", 3, nil}, {"x", nil, nil}, {nil, 4, "y"}}, []string{`3|||||`, `|x||||`, `4||y|||`}, 4},
		{"D R B", [][]any{{nil, nil, nil}, {map[string]any{"k": 1}, nil, nil}, {nil, 1.5, false}}, []string{`|||||`, `|||{"k":1}||`, `||||1.5|false`}, 6},
		{"N S s D R B G TenantId", [][]any{{5, "x", "y", []int{1}, 2.5, true, "AB", "another"}}, []string{`5|x|y|[1]|2.5|true`}, 7},
	} {
		if err := db.Append(t.Context(), picket.Batch{Table: "Wide_CL", Columns: strings.Fields(tt.columns), Rows: tt.rows}); err != nil {
			t.Fatal(err)
		}
		want = append(want, tt.want...)
		if stored := all - len(db.absentOf("Wide_CL")); stored != tt.stored {
			t.Errorf("after batch %d %d columns are stored, want %d: without %v", i, stored, tt.stored, slices.Sorted(maps.Keys(db.absentOf("Wide_CL"))))
		}
		if n := len(query(t, killed(t, path), "Wide_CL", kql.Options{})); n != len(want) {
			t.Errorf("after batch %d and a crash there are %d rows, want %d", i, n, len(want))
		}
		if i%2 == 1 {
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			db = open(t, path, Options{NoBuiltin: true})
			if stored := all - len(db.absentOf("Wide_CL")); stored != tt.stored {
				t.Errorf("after batch %d and a start %d columns are stored, want %d", i, stored, tt.stored)
			}
		}
		var got []string
		for _, row := range query(t, db, `Wide_CL | extend t = ingestion_time() | sort by t asc | project line = strcat_delim("|", N, S, s, tostring(D), R, tostring(B))`, kql.Options{}) {
			got = append(got, fmt.Sprint(row[0]))
		}
		slices.Sort(got)
		if sorted := slices.Sorted(slices.Values(want)); !slices.Equal(got, sorted) {
			t.Errorf("after batch %d:\n%v, want\n%v", i, got, sorted)
		}
	}
	rows := query(t, db, `Wide_CL | summarize n = count(), nulls = countif(isnull(N)) by TenantId, Type | sort by n desc`, kql.Options{})
	if got := fmt.Sprint(rows); got != fmt.Sprintf("[[%s Wide_CL 10 6] [another Wide_CL 1 0]]", db.ID()) {
		t.Error(got)
	}
	if err := db.CreateTable(t.Context(), kql.Table{Name: "Wide_CL", Columns: []kql.Column{{Name: "More", Type: kql.String}}}); err != nil {
		t.Fatal(err)
	}
	if err := db.Append(t.Context(), picket.Batch{Table: "Wide_CL", Columns: []string{"Type", "More"}, Rows: [][]any{{"mine", "z"}}}); err != nil {
		t.Fatal(err)
	}
	if rows := query(t, db, `Wide_CL | where More != "" or Type != "Wide_CL" | project More, Type, S`, kql.Options{}); fmt.Sprint(rows) != "[[z mine ]]" {
		t.Error(rows)
	}
}

// killed opens what a process that has the file at path would leave if it was killed:
// the file and its log.
func killed(t *testing.T, path string) *DB {
	t.Helper()
	left := filepath.Join(t.TempDir(), "w.duckdb")
	for _, suffix := range []string{"", ".wal"} {
		content, err := os.ReadFile(path + suffix)
		if err == nil {
			err = os.WriteFile(left+suffix, content, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return open(t, left, Options{NoBuiltin: true})
}
