package workspace

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"picket"
	"picket/kql"
)

// addressTables makes a workspace with a table that has texts, JSON and numbers.
func addressTables(t *testing.T, path string) *DB {
	t.Helper()
	db := open(t, path, Options{})
	if err := db.CreateTable(t.Context(), kql.Table{Name: "Flow_CL", Columns: []kql.Column{{Name: "TimeGenerated", Type: kql.DateTime}, {Name: "N", Type: kql.Long},
		{Name: "Source", Type: kql.String}, {Name: "Text", Type: kql.String}, {Name: "Detail", Type: kql.Dynamic}}}); err != nil {
		t.Fatal(err)
	}
	many := make([]string, 0, 80)
	for i := range 40 {
		many = append(many, fmt.Sprintf("198.51.100.%d", i), fmt.Sprintf("198.51.100.%d", i))
	}
	if err := db.Append(t.Context(), picket.Batch{Table: "Flow_CL", Columns: []string{"N", "Source", "Text", "Detail"}, Rows: [][]any{
		{1, "203.0.113.7", "from 203.0.113.7 to [2001:DB8::1]:443, again 203.0.113.7", nil},
		{2, "", "at 12:34:56 version 1.2.3.4", map[string]any{"n": 1}},
		{3, nil, nil, map[string]any{"peer": []any{"::ffff:203.0.113.8", "10.1.0.0/16"}, "m": "a\n203.0.113.9"}},
		{4, "203.0.113.70", strings.Join(many, " "), nil},
		{5, "version", " 203.0.113.77", nil}, // the texts are not one
		{6, "255.255.255.255", "0.0.0.0 128.0.0.1 128.0.0.1 255.255.255.255", nil},
	}}); err != nil {
		t.Fatal(err)
	}
	return db
}

func TestAddressesOfRows(t *testing.T) {
	db := addressTables(t, "")
	var all []string
	for i := range 40 {
		all = append(all, fmt.Sprintf(`"198.51.100.%d"`, i))
	}
	for _, tt := range []struct{ query, want string }{
		{`Flow_CL | where N == 1 | project a = ip_addresses()`, `[["203.0.113.7","2001:db8::1"]]`},
		{`Flow_CL | where N == 2 | project a = ip_addresses(), array_length(ip_addresses()), isnull(ip_addresses())`, `[[] 0 false]`},
		{`Flow_CL | where N == 3 | extend x = 1 | project-away Text | project ip_addresses()`, `[["203.0.113.9","203.0.113.8","10.1.0.0/16"]]`},
		{`Flow_CL | where N == 4 | project ip_addresses()`, `[["203.0.113.70",` + strings.Join(all, ",") + `]]`},
		{`Flow_CL | where set_has_element(ip_addresses(), "198.51.100.0") and set_has_element(ip_addresses(), "198.51.100.1") | project N`, `[4]`},
		{`Flow_CL | where set_has_element(ip_addresses(), "0.0.0.0") or set_has_element(ip_addresses(), "255.255.255.255") | project N`, `[6]`},
		{`Flow_CL | where N == 6 | project ip_addresses()`, `[["255.255.255.255","128.0.0.1","0.0.0.0"]]`},
		{`Flow_CL | where N == 5 | project ip_addresses()`, `[["203.0.113.77"]]`},
		{`Flow_CL | where set_has_element(ip_addresses(), "203.0.113.7") | project N`, `[1]`},
		{`Flow_CL | where set_has_element(ip_addresses(), "10.1.0.0/16") | sort by N | project N`, `[3]`},
		{`Flow_CL | where set_has_element(ip_addresses(), "203.0.113.7 2001:db8::1") or set_has_element(ip_addresses(), "") | count`, `[0]`},
		{`Flow_CL | where not(set_has_element(ip_addresses(), "203.0.113.7")) | summarize dcount(N)`, `[5]`},
		{`union withsource=T Flow_CL, Syslog | where set_has_element(ip_addresses(), "203.0.113.7") | project T, N`, `[Flow_CL 1]`},
		{`union Flow_CL, (print N = 9) | where isnull(ip_addresses()) | project N`, `[9]`},
		{`union * | where set_has_element(ip_addresses(), "203.0.113.77") | project N`, `[5]`},
		{`let f = (T:(N:long)) { T | where N == 1 }; Flow_CL | invoke f() | mv-expand a = ip_addresses() to typeof(string) | summarize make_list(a)`, `[["203.0.113.7","2001:db8::1"]]`},
	} {
		rows := query(t, db, tt.query, kql.Options{})
		if got := fmt.Sprint(rows); got != "["+tt.want+"]" {
			t.Errorf("%s: %s, want [%s]", tt.query, got, tt.want)
		}
	}
	for _, q := range []string{`print ip_addresses()`, `Flow_CL | summarize count() by N | where set_has_element(ip_addresses(), "203.0.113.7")`, `datatable(s:string)["x"] | extend ip_addresses()`} {
		if _, err := db.Query(t.Context(), q, kql.Options{}); err == nil || !strings.Contains(err.Error(), "rows of a workspace's table") {
			t.Errorf("%s: %v", q, err)
		}
	}
}

// TestAddressesAreHidden looks for the column in what shows all columns, and for an
// address in its form there, which no text has.
func TestAddressesAreHidden(t *testing.T) {
	db := addressTables(t, "")
	for _, q := range []string{`Flow_CL`, `Flow_CL | getschema`, `search "203.0.113.8"`, `find where N == 3`, `Flow_CL | extend p = pack_all() | project p`, `union withsource=T *`,
		`Flow_CL | project-away N`, `Flow_CL | summarize arg_max(N, *)`, `Flow_CL | distinct *`, `Flow_CL | project-reorder N`, `Flow_CL | project-rename M = N`} {
		res, err := db.Query(t.Context(), q, kql.Options{})
		if err != nil {
			t.Fatalf("%s: %v", q, err)
		}
		rows, err := res.Collect()
		if text := fmt.Sprint(res.Columns, rows); err != nil || strings.Contains(text, "$addresses") || strings.Contains(text, " 203.0.113.9 ") {
			t.Errorf("%s: %v %.300s", q, err, text)
		}
	}
	// The text of row 3 has the address only as ::ffff:203.0.113.8, which is a word less.
	if rows := query(t, db, `search "2001:db8::1" | summarize count()`, kql.Options{}); fmt.Sprint(rows) != "[[1]]" {
		t.Errorf("search finds %v", rows)
	}
	if rows := query(t, db, `search "  203.0.113.7" or "203.0.113.9 10.1.0.0/16" | summarize count()`, kql.Options{}); fmt.Sprint(rows) != "[[0]]" {
		t.Errorf("search finds %v in the hidden column", rows)
	}
	if _, err := db.Query(t.Context(), `Flow_CL | project ['$addresses']`, kql.Options{}); err == nil {
		t.Error("the hidden column can be read")
	}
}

// Rows that an older Picket wrote have no addresses, which is told from having none.
func TestAddressesOfOldTables(t *testing.T) {
	path := filepath.Join(t.TempDir(), "workspace.duckdb")
	db := addressTables(t, path)
	for _, table := range db.Tables() {
		for _, c := range addressColumns {
			if _, err := db.pool.Exec("ALTER TABLE " + quote(table) + " DROP COLUMN " + quote(c.Name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	// One that had them all as text, a column of its own:
	if _, err := db.pool.Exec(`ALTER TABLE "Flow_CL" ADD COLUMN "$addresses" VARCHAR; UPDATE "Flow_CL" SET "$addresses" = ' 203.0.113.7 203.0.113.8 2001:db8::1 ' WHERE N = 1`); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		db = open(t, path, Options{})
	}
	if err := db.Append(t.Context(), picket.Batch{Table: "Flow_CL", Columns: []string{"N", "Source"}, Rows: [][]any{{16, "203.0.113.7"}, {17, "x"}}}); err != nil {
		t.Fatal(err)
	}
	rows := query(t, db, `Flow_CL | summarize countif(isnull(ip_addresses())), countif(set_has_element(ip_addresses(), "203.0.113.7")), countif(array_length(ip_addresses()) == 0)`, kql.Options{})
	if fmt.Sprint(rows) != "[[5 2 1]]" {
		t.Errorf("%v rows were not looked at, name the address, name none; want 5, 2, 1", rows)
	}
	if rows := query(t, db, `Flow_CL | where N == 1 or N == 16 | sort by N asc | project ip_addresses()`, kql.Options{}); fmt.Sprint(rows) != `[[["203.0.113.7","203.0.113.8","2001:db8::1"]] [["203.0.113.7"]]]` {
		t.Errorf("of the older Picket and of this: %v", rows)
	}
	if err := db.CreateTable(t.Context(), kql.Table{Name: "Flow_CL", Columns: []kql.Column{{Name: "More_CF", Type: kql.String}}}); err != nil {
		t.Fatal(err)
	}
	if err := db.Append(t.Context(), picket.Batch{Table: "Flow_CL", Columns: []string{"More_CF"}, Rows: [][]any{{"203.0.113.7"}}}); err != nil {
		t.Fatal(err)
	}
	if rows := query(t, db, `Flow_CL | where set_has_element(ip_addresses(), "203.0.113.7") | count`, kql.Options{}); fmt.Sprint(rows) != "[[3]]" {
		t.Errorf("with a further column: %v", rows)
	}
}

func BenchmarkAddresses(b *testing.B) {
	const n = 10_000
	c := newCorpus(10 * n)
	columns := make([]column, 6)
	size := 0
	for range n {
		l := c.next()
		for i, s := range []string{l.Host, l.Host, l.Facility, l.Severity, l.Program, l.Message} {
			columns[i].texts = append(columns[i].texts, s)
			size += len(s)
		}
	}
	b.SetBytes(int64(size))
	for b.Loop() {
		findAddresses(columns, n)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/row")
}
