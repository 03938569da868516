package kql

import (
	"bufio"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/duckdb/duckdb-go/v2"
)

// testNow is 2026-01-02T03:04:05.6789012Z.
const testNow Ticks = 639_029_198_456_789_012

// noTables is a catalog without tables.
type noTables struct{}

func (noTables) Table(string) (*Table, bool) { return nil, false }
func (noTables) Tables() []string            { return nil }

// openDuckDB opens an in-memory database of one connection.
func openDuckDB(t testing.TB) *sql.DB {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { db.Close() })
	conn, err := db.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	text, err := duckdb.NewTypeInfo(duckdb.TYPE_VARCHAR)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range Natives(testGeo) {
		if err := duckdb.RegisterScalarUDF(conn, n.Name, nativeUDF{n, text}); err != nil {
			t.Fatal(err)
		}
	}
	// The guards of steps, for steps that are never large.
	for _, macro := range []string{GuardFits + "(b) AS true", GuardLight + "(t, n, q) AS true", GuardPieces + "(t, n, q) AS [t]", GuardAlive + "(t, c) AS true"} {
		if _, err := conn.ExecContext(context.Background(), "CREATE MACRO "+macro); err != nil {
			t.Fatal(err)
		}
	}
	return db
}

// testGeo knows the place of one address.
func testGeo(a netip.Addr) (Place, bool) {
	lat, long := 47.5, -122.25
	return Place{Country: "United States", City: "Redmond", Latitude: &lat, Longitude: &long}, a.String() == "20.53.203.50"
}

// nativeUDF registers a Native with DuckDB.
type nativeUDF struct {
	n    Native
	text duckdb.TypeInfo
}

func (u nativeUDF) Config() duckdb.ScalarFuncConfig {
	return duckdb.ScalarFuncConfig{InputTypeInfos: slices.Repeat([]duckdb.TypeInfo{u.text}, u.n.Args), ResultTypeInfo: u.text}
}

func (u nativeUDF) Executor() duckdb.ScalarFuncExecutor {
	return duckdb.ScalarFuncExecutor{RowExecutor: func(values []driver.Value) (any, error) {
		args := make([]string, len(values))
		for i, v := range values {
			args[i], _ = v.(string)
		}
		s, ok, err := u.n.Func(args)
		if err != nil || !ok {
			return nil, err
		}
		return s, nil
	}}
}

// runText compiles src, runs it and writes the rows as text: columns joined by
// " | ", rows by " ; ". Datetimes and timespans are written as KQL prints them.
func runText(db *sql.DB, src string) (string, error) {
	q, err := Compile(src, noTables{}, Options{Now: testNow})
	if err != nil {
		return "", err
	}
	var cols []string
	for _, c := range q.Columns {
		col := quoteIdent(c.Name)
		if c.Type == DateTime || c.Type == TimeSpan {
			col = ticksText(col, c.Type)
		}
		cols = append(cols, "coalesce("+col+"::VARCHAR, 'null')")
	}
	rows, err := db.QueryContext(context.Background(), "SELECT concat_ws(' | ', "+strings.Join(cols, ", ")+") FROM ("+q.SQL+")")
	if err != nil {
		return "", fmt.Errorf("%w\nSQL: %s", err, q.SQL)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return "", err
		}
		out = append(out, s)
	}
	return strings.Join(out, " ; "), rows.Err()
}

// fnCase is one line of a case file.
type fnCase struct {
	file string
	line int
	expr string
	want string // what comes out, or "error: " and a part of the message
}

// readCases reads testdata/functions/*.txt: lines of "expression => result".
// Lines that begin with # and empty lines are skipped; a line that begins with
// "|" or "datatable" is a whole query.
func readCases(t testing.TB) []fnCase {
	t.Helper()
	files, err := filepath.Glob("testdata/functions/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no case files: %v", err)
	}
	var cases []fnCase
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		sc := bufio.NewScanner(f)
		for n := 1; sc.Scan(); n++ {
			line := strings.TrimSpace(sc.Text())
			if line == "" || line[0] == '#' {
				continue
			}
			i := strings.LastIndex(line, " => ")
			if i < 0 {
				t.Fatalf("%s:%d: want expression => result", name, n)
			}
			cases = append(cases, fnCase{filepath.Base(name), n, strings.TrimSpace(line[:i]), strings.TrimSpace(line[i+4:])})
		}
		if err := errors.Join(sc.Err(), f.Close()); err != nil {
			t.Fatal(err)
		}
	}
	return cases
}

// query is the whole query of a case.
func (c fnCase) query() string {
	if strings.HasPrefix(c.expr, "datatable") || strings.HasPrefix(c.expr, "range ") || strings.HasPrefix(c.expr, "print ") || strings.HasPrefix(c.expr, "set ") {
		return c.expr
	}
	return "print " + c.expr
}

// TestFunctions runs every case on DuckDB.
func TestFunctions(t *testing.T) {
	db := openDuckDB(t)
	for _, c := range readCases(t) {
		t.Run(fmt.Sprintf("%s:%d", c.file, c.line), func(t *testing.T) {
			got, err := runText(db, c.query())
			if want, ok := strings.CutPrefix(c.want, "error: "); ok {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s\n got %q, error %v\nwant an error with %q", c.expr, got, err, want)
				}
				return
			}
			if err != nil {
				t.Fatalf("%s: %v", c.expr, err)
			}
			if strings.TrimSpace(got) != c.want {
				t.Errorf("%s\n got %s\nwant %s", c.expr, got, c.want)
			}
		})
	}
}

// TestEveryFunctionHasACase fails for an entry of the tables that no case calls.
func TestEveryFunctionHasACase(t *testing.T) {
	called := map[string]bool{}
	name := regexp.MustCompile(`\b([a-z_0-9]+)\(`)
	for _, c := range readCases(t) {
		for _, m := range name.FindAllStringSubmatch(c.expr, -1) {
			called[m[1]] = true
		}
	}
	scalars, aggregates := functionTable()
	for _, table := range []map[string]*function{scalars, aggregates} {
		for name := range table {
			if !called[name] {
				t.Errorf("%s() has no case in testdata/functions", name)
			}
		}
	}
}
