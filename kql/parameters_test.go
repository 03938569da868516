package kql

import (
	"encoding/json"
	"strings"
	"testing"
)

// A parameter is a value, whatever it looks like.
func TestParameters(t *testing.T) {
	db, cat := openWorkspace(t)
	f := func(typ string, given any, want string) {
		t.Helper()
		src := "declare query_parameters(p:" + typ + "); print tostring(p)"
		q, err := Compile(src, cat, Options{Parameters: map[string]any{"p": given}})
		if err != nil {
			if !strings.HasPrefix(want, "error") {
				t.Errorf("%s %v: %v", typ, given, err)
			}
			return
		}
		var got string
		if err := db.QueryRow(q.SQL).Scan(&got); err != nil || got != want {
			t.Errorf("%s %v: %q, %v; want %q", typ, given, got, err, want)
		}
	}
	f("string", "abc", "abc")
	f("string", "'abc'", "abc")
	f("string", `"a\"b\n"`, "a\"b\n")
	f("string", `@"c:\x"`, `c:\x`)
	f("string", "5", "5")
	f("string", json.Number("5"), "5")
	f("string", `' | take 1`, `' | take 1`)
	f("string", `x"); Syslog | take 1 //`, `x"); Syslog | take 1 //`)
	f("string", `'a', 'b'`, `'a', 'b'`)
	f("string", "", "")
	f("string", nil, "")
	f("long", 5.0, "5")
	f("long", "5", "5")
	f("long", "-5", "-5")
	f("long", "long(9007199254740993)", "9007199254740993")
	f("long", json.Number("9007199254740993"), "9007199254740993")
	f("int", "7", "7")
	f("real", json.Number("1.5"), "1.5")
	f("real", "2", "2.0")
	f("bool", true, "true")
	f("bool", "false", "false")
	f("datetime", "datetime(2026-01-02T03:04:05.1234567Z)", "2026-01-02T03:04:05.1234567Z")
	f("datetime", "2026-01-02", "2026-01-02T00:00:00.0000000Z")
	f("timespan", "time(1.02:03:04)", "1.02:03:04")
	f("timespan", "1h", "01:00:00")
	f("timespan", "-1h", "-01:00:00")
	f("guid", "guid(74be27de-1e4e-49d9-b579-fe0b331d3642)", "74be27de-1e4e-49d9-b579-fe0b331d3642")
	f("decimal", "decimal(1.25)", "1.25")
	f("dynamic", `dynamic(["a","b"])`, `["a","b"]`)
	f("dynamic", []any{"a", 1.0}, `["a",1]`)
	f("dynamic", `{"a":1}`, `{"a":1}`)
	f("long", "5 | take 1", "error")
	f("long", "now()", "error")
	f("long", "x", "error")
	f("long", []any{1.0}, "error")
	f("dynamic", "{", "error")

	for src, want := range map[string]string{
		"declare query_parameters(p:long = 7); print tostring(p)": "7",
		"declare query_parameters(q:string); print q":             "1",
	} {
		var got string
		if err := db.QueryRow(compileFor(t, cat, src, Options{Parameters: map[string]any{"q": "1", "other": "2"}}).SQL).Scan(&got); err != nil || got != want {
			t.Errorf("%s: %q, %v", src, got, err)
		}
	}
	if _, err := Compile("declare query_parameters(p:long); print p", cat, Options{Parameters: map[string]any{}}); err == nil || !strings.Contains(err.Error(), "no value was given") {
		t.Errorf("a parameter without a value: %v", err)
	}
}

func TestSettings(t *testing.T) {
	_, cat := openWorkspace(t)
	q := compileFor(t, cat, `set notruncation; set truncationmaxrecords = 10; set x = "y"; set t = time(1h); print 1 | render timechart with (title="a b", ycolumns = a, b, accumulate=true, ymin=-1)`, Options{})
	want := []Prop{{"notruncation", ""}, {"truncationmaxrecords", "10"}, {"x", "y"}, {"t", "1h"}}
	if len(q.Settings) != len(want) {
		t.Fatalf("%v", q.Settings)
	}
	for i, p := range want {
		if q.Settings[i] != p {
			t.Errorf("%v, want %v", q.Settings[i], p)
		}
	}
	want = []Prop{{"title", "a b"}, {"ycolumns", "a,b"}, {"accumulate", "true"}, {"ymin", "-1"}}
	for i, p := range want {
		if q.Render.Props[i] != p {
			t.Errorf("%v, want %v", q.Render.Props[i], p)
		}
	}
}

// FuzzParameter demands that no text makes a query another one, or fails in the database.
func FuzzParameter(f *testing.F) {
	db, cat := openWorkspace(f)
	for _, s := range []string{"abc", "'a'", "5", "dynamic([1])", "datetime(2026-01-01)", "1h", "'; drop", "\x00", "dynamic({\"a\":'b'})"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, typ := range []string{"string", "long", "real", "datetime", "timespan", "dynamic", "guid", "bool", "decimal"} {
			q, err := Compile("declare query_parameters(p:"+typ+"); print n = 42, p", cat, Options{Parameters: map[string]any{"p": text}})
			if err != nil {
				continue
			}
			var n int64
			var p any
			if err := db.QueryRow(q.SQL).Scan(&n, &p); err != nil || n != 42 {
				t.Errorf("%s %q: %d, %v", typ, text, n, err)
			}
		}
	})
}
