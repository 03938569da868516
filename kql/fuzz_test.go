package kql

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"picket/kql/syntax"
)

// FuzzCompile: Compile never panics; when it fails it says why and where; and
// DuckDB accepts the SQL it gives.
func FuzzCompile(f *testing.F) {
	files, _ := filepath.Glob("testdata/ops/*.txtar")
	for _, file := range files {
		ar, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, part := range ar.Files {
			query, _, _ := strings.Cut(string(part.Data), "----\n")
			f.Add(query)
		}
	}
	for _, c := range readCases(f) {
		f.Add(c.query())
	}
	db, cat := openWorkspace(f)
	f.Fuzz(func(t *testing.T, src string) {
		if len(src) > 2000 {
			return
		}
		q, err := Compile(src, cat, Options{Now: testNow, Functions: testFunctions{}})
		if err == nil {
			if q.SQL == "" {
				t.Errorf("%q compiles to nothing", src)
			}
			// Values may fail (an overflow, a bad pattern); the SQL may not.
			for _, table := range append([]*Query{q}, q.More...) {
				st, err := db.Prepare(table.SQL)
				if err == nil {
					st.Close()
				} else if m := err.Error(); strings.Contains(m, "Parser Error") || strings.Contains(m, "Binder Error") || strings.Contains(m, "Catalog Error") {
					t.Errorf("%q: %v\n%s", src, err, table.SQL)
				}
			}
			return
		}
		var d syntax.Diagnostics
		if !errors.As(err, &d) || len(d) == 0 {
			t.Fatalf("%q: error %T without a diagnostic", src, err)
		}
		for _, x := range d {
			if x.Code == "" || x.Msg == "" || x.Span.Start < 0 || x.Span.End > len(src) || x.Span.Start > x.Span.End {
				t.Errorf("%q: diagnostic %+v", src, x)
			}
		}
	})
}
