package workspace

import (
	"compress/gzip"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// file is a table of one file.
func file(table, path string) File { return File{Table: table, Paths: []string{path}} }

// load opens a workspace with one file as table T and returns its columns and
// its rows, as text.
func load(t *testing.T, name, text string) (columns, rows string, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasSuffix(name, ".gz") {
		z := gzip.NewWriter(f)
		fmt.Fprint(z, text)
		z.Close()
	} else {
		fmt.Fprint(f, text)
	}
	f.Close()
	db, err := Open("", Options{Files: []File{file("T", path)}})
	if err != nil {
		return "", "", err
	}
	defer db.Close()
	table, _ := db.Table("T")
	for _, c := range table.Columns {
		columns += fmt.Sprintf("%s:%s ", c.Name, c.Type)
	}
	return strings.TrimSpace(columns), scalar[string](t, db, `SELECT coalesce(string_agg("T"::VARCHAR, ' '), '') FROM "T"`), nil
}

// What divides a file is told by its header, never guessed from its rows.
func TestLoadCSV(t *testing.T) {
	f := func(name, text, columns string, rows ...string) {
		t.Helper()
		c, r, err := load(t, name, text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			return
		}
		if c != columns {
			t.Errorf("%q: columns %s, want %s", text, c, columns)
		}
		for _, want := range rows {
			if !strings.Contains(r, want) {
				t.Errorf("%q: rows %s lack %s", text, r, want)
			}
		}
	}
	// Every line has a semicolon; the header has none.
	f("a.csv", "SyslogMessage\nFailed password for a; x\nFailed password for b; y\n", "SyslogMessage:string", "Failed password for a; x", "Failed password for b; y")
	f("a.csv", "name,city\nbob,rome\n", "name:string city:string", "bob")
	f("a.csv", "1,2\n3,4\n", "1:long 2:long", "3")
	f("a.csv", "name,n\n", "name:string n:string")
	f("a.csv", "a|b,c\n1,2\n", "a|b:long c:long", "1")
	f("a.csv", "a,b\n# x,2\n#,3\n", "a:string b:long", "# x", "#")
	f("a.csv", "\"a,b\";c\n1;2\n", "a,b:long c:long", "1")
	f("a.csv", "\ufeffa;b\r\n1;2\r\n", "a:long b:long", "1")
	f("a.tab", "a\tb\n1\t2,3\n", "a:long b:string", "2,3")
	f("a.tsv", "a,b\n1;2\n", "a,b:string", "1;2")
	f("a.csv.gz", "a;b\n1;2\n", "a:long b:long", "1")
	f("a.csv", "m\n\"a, b\"\n\"it\"\"s\"\n\"two\nlines\"\n", "m:string", "a, b", "two\nlines")
	// The type is that of every row, not of the first thousands.
	f("a.csv", "a,b\n"+strings.Repeat("1,1\n", 25_000)+"x,1.5\n", "a:string b:real", "x")
	// Day and month: nobody knows which is which.
	f("a.csv", "a,b\n01/02/2026,2026-02-01\n", "a:string b:datetime", "01/02/2026")
	f("a.csv", "t,u\n2026-11-23T05:00:00Z,2026-11-23 05:00:00\n", "t:datetime u:datetime")
	f("a.ndjson", strings.Repeat("{\"a\":1}\n", 25_000)+"{\"a\":\"x\"}\n", "a:dynamic")
}

// What is no table is refused with the line, not read as something else.
func TestLoadCSVRefuses(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		c, _, err := load(t, "a.csv", text)
		if err == nil {
			t.Errorf("%q: read as %s", text, c)
		} else if !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "strict") {
			t.Errorf("%q: %v lacks %q", text, err, want)
		}
	}
	f("a,b\n1\n1,2,3\n", "line 2: wrong number of fields")
	f("a,b\n1,2\n3\n4,5,6\n7,8\n", "line 3: wrong number of fields")
	f("a,b\n1,x\n2,\"y", "line 3")
	f("", "names of the columns")
	f("\n1,2\n", "names of the columns")
}
