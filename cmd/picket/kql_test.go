package main

import (
	"compress/gzip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// put writes files into a new folder, compressed as their names say, and returns it.
func put(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		var b strings.Builder
		switch filepath.Ext(name) {
		case ".gz":
			z := gzip.NewWriter(&b)
			z.Write([]byte(text))
			z.Close()
		case ".zst":
			z, err := zstd.NewWriter(&b)
			if err != nil {
				t.Fatal(err)
			}
			z.Write([]byte(text))
			z.Close()
		default:
			b.WriteString(text)
		}
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const authLog = `Nov 23 03:12:59 web1 sshd[411]: Failed password for root from 203.0.113.7 port 51022 ssh2
Nov 23 03:13:01 web1 sshd[411]: Failed password for admin from 203.0.113.8 port 51023 ssh2
Nov 23 03:13:05 web1 CRON[412]: pam_unix(cron:session): session opened for user root
`

// What the first operand is, what a file's table is called, and what its format is.
func TestKQLFiles(t *testing.T) {
	dir := put(t, map[string]string{
		"access.csv.gz":     "ip,status\n192.0.2.1,200\n192.0.2.2,404\n",
		"b.tsv.zst":         "a\tb\n1\t2,3\n",
		"events.ndjson.zst": `{"ip":"192.0.2.1","n":{"x":[1]}}` + "\n",
		"2026 (1).json":     `[{"a":1.5},{"a":2}]`,
		"auth.log":          authLog,
		"app.log":           "2026-11-23 05:00:00,123 INFO started, ok\nanother line\r\n\xff\x00end\n",
		"data":              "name,n\nx,1\ny,2\n",
		"tabs.txt":          "a\tb\n1\t2,3\n",
		"p1.csv":            "a,b\n1,x\n",
		"p2.csv":            "b,c\ny,2026-01-01\n",
		"q.kql":             "\ufeffaccess | count\n",
	})
	f := func(stdin, want string, args ...string) {
		t.Helper()
		for i, a := range args {
			args[i] = strings.ReplaceAll(a, "DIR", dir)
		}
		out, errs, code := runPicket(t, stdin, append([]string{"kql", "--format", "csv"}, args...)...)
		if code != 0 || out != want {
			t.Errorf("picket kql %q: exit code %d\n%s%s", args, code, out, errs)
		}
	}
	f("", "status,n\n200,1\n404,1\n", "access | summarize n = count() by status | sort by status asc", "DIR/access.csv.gz")
	f("", "Count\n2\n", "T | count", "DIR/access.csv.gz")
	f("T | count", "Count\n2\n", "DIR/access.csv.gz")
	f("", "Count\n2\n", "--file", "DIR/q.kql", "DIR/access.csv.gz")
	f("", "a,b\n1,\"2,3\"\n", "b", "DIR/b.tsv.zst")
	f("", "x\n1\n", "events | project x = n.x[0]", "DIR/events.ndjson.zst")
	f("", "s\n3.5\n", "_2026__1_ | summarize s = sum(a)", "DIR/2026 (1).json")
	f("", "ip,ProcessID\n203.0.113.7,411\n203.0.113.8,411\n",
		`auth | where SyslogMessage has "Failed password" | project ip = extract(@"from (\S+)", 1, SyslogMessage), ProcessID`, "DIR/auth.log")
	f("", "Count\n3\n", "Syslog | where Computer == 'web1' and monthofyear(TimeGenerated) == 11 | count", "--table", "Syslog=DIR/auth.log")
	f("", "RawData\n\"2026-11-23 05:00:00,123 INFO started, ok\"\nanother line\n\\xff\\x00end\n", "app | project RawData", "DIR/app.log")
	f("", "s\n3\n", "data | summarize s = sum(n)", "DIR/data")
	f("", "a,b\n1,\"2,3\"\n", "tabs", "DIR/tabs.txt")
	f("", "RawData\na\tb\n\"1\t2,3\"\n", "tabs | project RawData", "DIR/tabs.txt", "--format-in", "text")
	f("", "a,b,c\n1,x,\n,y,2026-01-01T00:00:00Z\n", "P", "--table", "P=DIR/p*.csv")
	f("", "b\nx\ny\n", "union p1, p2 | project b | sort by b asc", "DIR/p1.csv", "DIR/p2.csv")
	f("", "p,n\np1,1\np2,1\n", "union withsource=p p* | summarize n = count() by p | sort by p asc", "DIR/p?.csv")
	f("x,y\n1,2\n", "y\n2\n", "stdin | project y", "-")
	f(`{"a":{"b":1}}`, "b\n1\n", "stdin | project b = a.b", "-")
	f("", "n\n2026-01-02T00:00:00Z\n", "print n = now()", "--now", "2026-01-02")
	f("", "n,s\n7,it's\n", "declare query_parameters(n:long, s:string); print n = n, s = s", "--param", "n=7", "--param", "s=it's")
	f("", "x\n1\n2\n", "range x from 1 to 9 step 1", "--limit", "2")
}

func TestKQLMistakes(t *testing.T) {
	dir := put(t, map[string]string{
		"a.csv": "x,y\n1,2\n3\n4,5,6\n", "b.csv": "x\n1\n", "c.json": "[1]", "d.ndjson": "{\"a\":1}\n{\"a\":\n", "e.csv": "", "f.csv": "x,\"y\n", "B.csv.gz": "x\n1\n", "g.bin": "x,y\n1\n",
	})
	f := func(code int, want string, args ...string) {
		t.Helper()
		for i, a := range args {
			args[i] = strings.ReplaceAll(a, "DIR", dir)
		}
		out, errs, got := runPicket(t, "", append([]string{"kql"}, args...)...)
		if got != code || out != "" || !strings.Contains(errs, want) {
			t.Errorf("picket kql %q: exit code %d, want %d\n%s%s", args, got, code, out, errs)
		}
	}
	f(1, "a.csv: line 3: wrong number of fields: 1, and the header has 2", "T", "DIR/a.csv")
	f(1, "there is a JSON ubigint where an object was expected", "T", "DIR/c.json")
	f(1, "d.ndjson: at byte 6 in line 3", "T", "DIR/d.ndjson")
	f(1, "the first line is empty: want the names of the columns", "T", "DIR/e.csv")
	f(1, "the names of the columns", "T", "DIR/f.csv")
	f(1, "no such file", "T", "DIR/none.csv")
	f(1, "is a folder", "T", "DIR", "--format-in", "csv")
	f(1, "want files of one format", "T", "--table", "T=DIR/b.csv", "--table", "T=DIR/d.ndjson")
	f(2, "no file matches", "T", "DIR/z*.csv")
	f(2, "would both be the table", "T", "DIR/b.csv", "DIR/B.csv.gz")
	f(2, `unknown format "xml"`, "T", "DIR/b.csv", "--format-in", "xml")
	f(2, "want 0 for all rows", "T", "DIR/b.csv", "--limit", "-3")
	f(2, "standard input cannot be read twice", "DIR/b.csv", "-")
	f(2, "asks on a terminal", "-i")
	f(2, "the query is empty", " ", "DIR/b.csv")
	// All problems at once, each with its place.
	f(1, "1:11: ", "b | where z == 1 | project w", "DIR/b.csv")
	f(1, "1:28: ", "b | where z == 1 | project w", "DIR/b.csv")
	// A query reaches the given files only, a scanned one included.
	f(1, "", "externaldata(x:string)['"+dir+"/b.csv']", "DIR/b.csv")
}

func TestKQLSkipBad(t *testing.T) {
	dir := put(t, map[string]string{"a.csv": "x,y\n1,2\n3\n4,5,6\n7,8\n", "b.ndjson": "{\"a\":1}\nnone\n{\"a\":2}\n"})
	out, errs, code := runPicket(t, "", "kql", "a | summarize sum(y)", filepath.Join(dir, "a.csv"), "--skip-bad", "--format", "csv")
	if code != 0 || out != "sum_y\n10\n" || errs != "warning: table a: 2 records left out, the first in line 3: wrong number of fields: 1, and the header has 2\n" {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	out, errs, code = runPicket(t, "", "kql", "b | summarize sum(a)", filepath.Join(dir, "b.ndjson"), "--skip-bad", "--format", "csv")
	if code != 0 || out != "sum_a\n3\n" || errs != "warning: table b: 1 record left out: no JSON\n" {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

func TestKQLExplain(t *testing.T) {
	dir := put(t, map[string]string{"a.csv": "x,y\n1,2\n"})
	out, errs, code := runPicket(t, "", "kql", "a | where x >= y - 1", filepath.Join(dir, "a.csv"), "--explain")
	if code != 0 || !strings.HasPrefix(out, "SELECT") && !strings.HasPrefix(out, "WITH") || !strings.Contains(out, "FROM \"a\"") || !strings.Contains(out, "SEQ_SCAN") {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	out, errs, code = runPicket(t, "", "kql", "a", filepath.Join(dir, "a.csv"), "--time", "--format", "ndjson")
	if code != 0 || out != "{\"x\": 1, \"y\": 2}\n" {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
	for _, stage := range []string{"parse ", "bind ", "plan ", "run ", "rows ", "1 row\n"} {
		if !strings.Contains(errs, stage) {
			t.Errorf("--time does not tell %q: %s", stage, errs)
		}
	}
}
