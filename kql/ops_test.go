package kql

import (
	"bytes"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"picket/kql/syntax"
)

var update = flag.Bool("update", false, "rewrite the results in testdata/ops")

// testCatalog is a workspace of a few tables that exist in the database too.
type testCatalog map[string]*Table

func (c testCatalog) Table(name string) (*Table, bool) { t, ok := c[name]; return t, ok }

func (c testCatalog) Tables() []string {
	var names []string
	for n := range c {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// workspaceTables are the test's tables with their rows, in KQL's own form.
var workspaceTables = map[string]string{
	"Syslog": `datatable(TimeGenerated:datetime, EventTime:datetime, HostName:string, Facility:string, SyslogMessage:string)[
		datetime(2024-01-01 00:00:01), datetime(2024-01-01 00:00:00), "web1", "auth", "Failed password for root from 203.0.113.7 port 22 ssh2",
		datetime(2024-01-01 00:10:01), datetime(2024-01-01 00:10:00), "web2", "auth", "Failed password for invalid user admin from 198.51.100.9 port 4242 ssh2",
		datetime(2024-01-02 00:00:01), datetime(2024-01-02 00:00:00), "web1", "auth", "FAILED PASSWORD for bob from 203.0.113.7 port 22 ssh2",
		datetime(2024-01-02 00:20:01), datetime(2024-01-02 00:20:00), "web1", "cron", "session opened for root",
		datetime(2024-01-03 00:00:01), datetime(null), "", "auth", ""]`,
	"Heartbeat":   `datatable(TimeGenerated:datetime, Computer:string, Version:int, Extra:dynamic)[datetime(2024-01-01), "web1", 3, dynamic({"os":"linux","ips":["10.0.0.1","10.0.0.2"]}), datetime(2024-01-02), "web3", int(null), dynamic(null)]`,
	"ProwlEnrich": `datatable(IPAddress:string, Version:string, Ttps:dynamic)["203.0.113.7", "1", dynamic(["T1110","T1078"])]`,
}

// openWorkspace opens a database with the test's tables and returns their catalog.
func openWorkspace(t testing.TB) (*sql.DB, testCatalog) {
	t.Helper()
	db := openDuckDB(t)
	cat := testCatalog{}
	for name, src := range workspaceTables {
		q, err := Compile(src, noTables{}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		var cols []string
		for i, c := range q.Columns {
			cols = append(cols, fmt.Sprintf("#%d::%s AS %s", i+1, c.Type.SQL(), quoteIdent(c.Name)))
		}
		stmt := "CREATE TABLE " + quoteIdent(name) + " AS SELECT " + strings.Join(cols, ", ") + ", 638396640000000000 + row_number() OVER () AS " + quoteIdent(IngestionTime) + " FROM (" + q.SQL + ")"
		if _, err := db.Exec(stmt); err != nil {
			t.Fatal(err)
		}
		cat[name] = &Table{Name: name, Columns: q.Columns, Hidden: true}
		if name == "Syslog" {
			cat[name].Shaped = "SyslogMessage"
			addShapes(t, db, name, "SyslogMessage")
		}
	}
	return db, cat
}

// probeOf answers the compiler's questions about the data.
func probeOf(db *sql.DB) func(string) ([]string, error) {
	return func(q string) ([]string, error) {
		rows, err := db.Query(q)
		if err != nil {
			return nil, err
		}
		defer rows.Close()
		var out []string
		for rows.Next() {
			var s string
			if err := rows.Scan(&s); err != nil {
				return nil, err
			}
			out = append(out, s)
		}
		return out, rows.Err()
	}
}

// result runs a query and prints its columns and rows, or its diagnostics.
func result(t testing.TB, db *sql.DB, cat Catalog, src string) string {
	t.Helper()
	q, err := Compile(src, cat, Options{Now: testNow, Functions: testFunctions{}, Probe: probeOf(db)})
	var diags syntax.Diagnostics
	if errors.As(err, &diags) {
		return diags.Render(src)
	}
	if err != nil {
		t.Fatalf("Compile gave a %T, want syntax.Diagnostics", err)
	}
	text := rowsOf(t, db, q, src)
	for _, more := range q.More {
		text += "and\n" + rowsOf(t, db, more, src)
	}
	return text
}

// rowsOf runs a compiled query and prints its columns and rows.
func rowsOf(t testing.TB, db *sql.DB, q *Query, src string) string {
	t.Helper()
	var b bytes.Buffer
	for i, c := range q.Columns {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s:%s", c.Name, c.Type)
	}
	b.WriteByte('\n')
	rows, err := db.Query(q.SQL)
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, src, q.SQL)
	}
	defer rows.Close()
	v, p := make([]any, len(q.Columns)), make([]any, len(q.Columns))
	for i := range v {
		p[i] = &v[i]
	}
	for rows.Next() {
		if err := rows.Scan(p...); err != nil {
			t.Fatal(err)
		}
		line := []byte("[")
		for i := range v {
			if v[i] == nil && q.Columns[i].Type == String {
				t.Errorf("a string is NULL in column %s of %s\n%s", q.Columns[i].Name, src, q.SQL)
			}
			if i > 0 {
				line = append(line, ", "...)
			}
			line = AppendJSON(line, v[i], q.Columns[i].Type)
		}
		b.Write(append(line, "]\n"...))
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, src, q.SQL)
	}
	return b.String()
}

// testFunctions are functions saved in the workspace.
type testFunctions struct{}

func (testFunctions) Function(name string, consts []string) (string, bool, error) {
	defs := map[string]string{
		"_GetWatchlist": `(alias:string) { datatable(Alias:string, SearchKey:string)["vip","root","vip","bob","net","10.0.0.0/8"] | where Alias == alias | project SearchKey }`,
		"broken":        `(x:long) { `,
		"Itself":        `(x:long) { Itself(x) }`,
		"Wrong":         "(n:long) {\n  print x = n\n  | where y > 1\n}",
		"Outer":         `() { Wrong(1) }`,
		"Twice":         `(n:long) { n * 2 }`,
	}
	if name == "_GetWatchlistColumns" {
		if len(consts) == 0 {
			return "", false, nil
		}
		return "datatable(" + consts[0] + ":string)['x']", true, nil
	}
	if name == "Refused" {
		return "", true, errors.New("there is no watchlist \"x\"")
	}
	def, ok := defs[name]
	return def, ok, nil
}

// TestOperators runs testdata/ops/*.txtar: each part is a query, a line ----,
// and what it gives. -update rewrites the results.
func TestOperators(t *testing.T) {
	db, cat := openWorkspace(t)
	files, err := filepath.Glob("testdata/ops/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no case files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for i, f := range ar.Files {
				query, want, _ := strings.Cut(string(f.Data), "----\n")
				got := result(t, db, cat, strings.TrimSuffix(query, "\n"))
				if *update {
					ar.Files[i].Data = []byte(strings.TrimSuffix(query, "\n") + "\n----\n" + got + "\n")
					continue
				}
				if d := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(got)); d != "" {
					t.Errorf("%s: (-want +got)\n%s", f.Name, d)
				}
			}
			if *update {
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}
