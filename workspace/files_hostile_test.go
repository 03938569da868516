package workspace

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"picket/kql"
)

// ask writes a file, opens it as table T and returns its columns and its rows.
func ask(t *testing.T, o Options, name, text, query string) (columns, rows string, err error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Files = []File{file("T", path)}
	db, err := Open("", o)
	if err != nil {
		return "", "", err
	}
	defer db.Close()
	table, _ := db.Table("T")
	for _, c := range table.Columns {
		columns += fmt.Sprintf("%s:%s ", c.Name, c.Type)
	}
	res, err := db.Query(context.Background(), query, kql.Options{})
	if err != nil {
		return columns, "", err
	}
	all, err := res.Collect()
	for _, row := range all {
		for i, v := range row {
			rows += map[bool]string{true: "[", false: " "}[i == 0] + string(kql.AppendJSON(nil, v, res.Columns[i].Type))
		}
		rows += "]"
	}
	return strings.TrimSpace(columns), rows, err
}

func wide(s string, big bool) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune("\ufeff" + s)) {
		if big {
			b.Write([]byte{byte(u >> 8), byte(u)})
		} else {
			b.Write([]byte{byte(u), byte(u >> 8)})
		}
	}
	return b.String()
}

// What files in the field look like. Each is read loaded and scanned.
func TestHostileFiles(t *testing.T) {
	f := func(name, text, columns, rows string) {
		t.Helper()
		for _, size := range []int64{0, 1} {
			c, r, err := ask(t, Options{ScanSize: size, NoBuiltin: true}, name, text, "T")
			if err != nil || c != columns || r != rows {
				t.Errorf("%s %.60q, scanned from %d bytes on:\n%s\n%.300s\nwant:\n%s\n%.300s\n%v", name, text, size, c, r, columns, rows, err)
			}
		}
	}
	f("a.csv", "a,b\n1\x002,3\n", "a:string b:long", `["1\u00002" 3]`)
	f("a.csv", "\ufeffa,b\r\n1,x\r\n2,y\r\n", "a:long b:string", `[1 "x"][2 "y"]`)
	f("a.csv", wide("a,ü\r\n1,é\r\n", false), "a:long ü:string", `[1 "é"]`)
	f("a.csv", "a,b\n\"x\ny\",\"say \"\"hi\"\"\"\n", "a:string b:string", `["x\ny" "say \"hi\""]`)
	f("a.csv", "a,b\n", "a:string b:string", "")
	f("a.csv", "a,b", "a:string b:string", "")
	f("a.csv", "a,a,A,,a\n1,2,3,4,5\n", "a:long a1:long A:long Column4:long a2:long", `[1 2 3 4 5]`)
	f("a.csv", "x y,\"it's \"\"q\"\"\",größe,$row\n1,2,3,4\n", `x y:long it's "q":long größe:long $row:long`, `[1 2 3 4]`)
	f("a.csv", "a,b\n"+strings.Repeat("x", 10_000_000)+",2\n", "a:string b:long", `["`+strings.Repeat("x", 10_000_000)+`" 2]`)
	// Nothing is lost for a type: zeros in front, digits beyond a long, the seventh of a fraction.
	f("a.csv", "a,b,c\n007,123456789012345678901,1.50\n8,1,2\n", "a:string b:string c:real", `["007" "123456789012345678901" 1.5]["8" "1" 2.0]`)
	f("a.csv", "t\n2026-01-01T00:00:00.1234567Z\n2026-01-01T02:00:00+02:00\n\n", "t:datetime", `["2026-01-01T00:00:00.1234567Z"]["2026-01-01T00:00:00Z"][null]`)
	f("a.csv", "b,d,s\ntrue,{\"x\":1},1.02:03:04.5\nFALSE,[],\n", "b:bool d:dynamic s:timespan", `[true {"x":1} "1.02:03:04.5000000"][false [] null]`)
	// What is nested stays as it is; keys are told apart by case; a key may be anything.
	f("a.ndjson", `{"A":1,"a":"x","n":{"x":null}}`+"\n"+`{"A":2,"b/~'":"2026-01-01T00:00:00Z","n":{"y":[1]}}`+"\n",
		"A:long a:string n:dynamic b/~':datetime", `[1 "x" {"x":null} null][2 "" {"y":[1]} "2026-01-01T00:00:00Z"]`)
	f("a.json", "[{\"a\":1},\n {\"a\":2.5}]", "a:real", `[1.0][2.5]`)
	f("a.ndjson", `{"a":null,"b":true}`+"\n", "a:dynamic b:bool", `[null true]`)
}

// Ticks to the last digit, whatever the zone.
func TestFileTimes(t *testing.T) {
	t.Setenv("TZ", "America/New_York")
	_, rows, err := ask(t, Options{NoBuiltin: true}, "a.csv", "t\n2026-01-01T00:00:00.1234567Z\n2026-01-01T02:00:00+02:00\n2026-01-01 00:00:01\n",
		"T | extend s = tostring(t) | project s")
	if want := `["2026-01-01T00:00:00.1234567Z"]["2026-01-01T00:00:00.0000000Z"]["2026-01-01T00:00:01.0000000Z"]`; rows != want || err != nil {
		t.Errorf("%s, want %s, %v", rows, want, err)
	}
}

func TestFilesRefused(t *testing.T) {
	f := func(name, text, want string) {
		t.Helper()
		for _, size := range []int64{0, 1} {
			c, r, err := ask(t, Options{ScanSize: size, NoBuiltin: true}, name, text, "T")
			if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "strict_mode") {
				t.Errorf("%s %.60q: %s %s: %v lacks %q", name, text, c, r, err, want)
			}
		}
	}
	f("a.csv", "a,b\n1,2\n1\xff,2\n", "a.csv: line 3: the text is not UTF-8")
	f("a.csv", "a,b\n1,\"2\n", "a.csv: line 2: a quoted field does not end")
	f("a.csv", "", "names of the columns")
	f("a.json", "", "has no columns")
	f("a.json", "{\"a\":1", "unexpected end")
	f("a.parquet", "PAR1", "")
	f("a.csv.gz", "a,b\n", "a.csv.gz: ")
	f("a.csv", "a\n"+strings.Repeat("x", 40<<20)+"\n", "a.csv: line 2: ")
}

// A scanned table is the only file that SQL reaches, and its bad rows are known.
func TestScannedFiles(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.csv": "x\n1\n2\n", "b.csv": "x\n3\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	a, b := filepath.Join(dir, "a.csv"), filepath.Join(dir, "b.csv")
	made := open(t, "", Options{})
	if _, err := made.pool.Exec("COPY (SELECT 1) TO '" + b + "'"); err == nil {
		t.Error("SQL writes a file")
	}
	db := open(t, "", Options{Files: []File{file("T", a)}, ScanSize: 1})
	if n := scalar[int64](t, db, `SELECT sum(x)::BIGINT FROM "T"`); n != 3 {
		t.Errorf("the sum is %d", n)
	}
	if _, err := db.pool.Exec("SELECT * FROM read_csv('" + b + "')"); err == nil || !strings.Contains(err.Error(), "disabled by configuration") {
		t.Errorf("SQL reaches another file: %v", err)
	}
	if _, err := db.pool.Exec("SET allowed_paths = ['" + b + "']"); err == nil {
		t.Error("SQL opens the file system")
	}
}
