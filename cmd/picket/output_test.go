package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/rivo/uniseg"
)

func rows(cells ...[]string) (out [][]json.RawMessage) {
	for _, row := range cells {
		var r []json.RawMessage
		for _, c := range row {
			r = append(r, json.RawMessage(c))
		}
		out = append(out, r)
	}
	return out
}

func TestPrint(t *testing.T) {
	r := result{
		Columns: []column{{"IP", "string"}, {"n", "long"}, {"Tags", "dynamic"}},
		Rows:    rows([]string{`"192.0.2.1"`, "12", `["a","b"]`}, []string{`"x\u001b[2J,|y"`, "null", "null"}),
	}
	f := func(format, want string) {
		t.Helper()
		var b strings.Builder
		if err := r.print(&b, format); err != nil {
			t.Fatal(err)
		}
		if b.String() != want {
			t.Errorf("%s:\n%s\nwant:\n%s", format, b.String(), want)
		}
	}
	f("table", "IP            n  Tags\n"+
		"─────────  ────  ─────────\n"+
		"192.0.2.1    12  [\"a\",\"b\"]\n"+
		"x\uFFFD[2J,|y   null  null\n2 rows\n")
	f("json", "[\n  {\"IP\": \"192.0.2.1\", \"n\": 12, \"Tags\": [\"a\",\"b\"]},\n  {\"IP\": \"x\\u001b[2J,|y\", \"n\": null, \"Tags\": null}\n]\n")
	f("ndjson", "{\"IP\": \"192.0.2.1\", \"n\": 12, \"Tags\": [\"a\",\"b\"]}\n{\"IP\": \"x\\u001b[2J,|y\", \"n\": null, \"Tags\": null}\n")
	f("csv", "IP,n,Tags\n192.0.2.1,12,\"[\"\"a\"\",\"\"b\"\"]\"\n\"x\x1b[2J,|y\",,\n")
	f("tsv", "IP\tn\tTags\n192.0.2.1\t12\t[\"a\",\"b\"]\nx\x1b[2J,|y\t\t\n")
	f("markdown", "| IP | n | Tags |\n| --- | ---: | --- |\n| 192.0.2.1 | 12 | \\[\"a\",\"b\"] |\n| x\uFFFD\\[2J,\\|y | null | null |\n")
	f("compact", `{"columns":[{"name":"IP","type":"string"},{"name":"n","type":"long"},{"name":"Tags","type":"dynamic"}],"rows":[["192.0.2.1",12,["a","b"]],["x\u001b[2J,|y",null,null]]}`+"\n")
	if knownFormat("xml") == nil || knownFormat("json") != nil {
		t.Error("formats: want xml refused and json taken")
	}
	r.Rows = nil
	f("json", "[]\n")
	f("ndjson", "")
	f("csv", "IP,n,Tags\n")
	f("compact", `{"columns":[{"name":"IP","type":"string"},{"name":"n","type":"long"},{"name":"Tags","type":"dynamic"}],"rows":[]}`+"\n")
}

// What would divide fields or lines is no part of a TSV field.
func TestPrintTSV(t *testing.T) {
	r := result{Columns: []column{{"a\tb", "string"}}, Rows: rows([]string{`"1\t2\n3\\"`})}
	var b strings.Builder
	if err := r.print(&b, "tsv"); err != nil || b.String() != "a\\tb\n1\\t2\\n3\\\\\n" {
		t.Errorf("%q, %v", b.String(), err)
	}
}

func TestTableFitsTheTerminal(t *testing.T) {
	r := result{
		Columns: []column{{"Short", "string"}, {"Long", "string"}, {"n", "long"}},
		Rows:    rows([]string{`"abc"`, `"` + strings.Repeat("é", 300) + `"`, "1"}, []string{`"東京"`, `"` + strings.Repeat("漢字", 40) + `"`, "12"}),
	}
	var b bytes.Buffer
	p := newTablePrinter(&b, 0)
	p.width = 60
	if err := r.printTo(p); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(b.String(), "\n")
	for _, line := range lines {
		if n := uniseg.StringWidth(line); n > 60 {
			t.Errorf("a line %d wide: %s", n, line)
		}
	}
	if !strings.Contains(b.String(), "é…") {
		t.Error("a cut cell does not say so")
	}
	// Wide characters do not shift the columns behind them.
	if uniseg.StringWidth(lines[2]) != uniseg.StringWidth(lines[3]) || !strings.HasSuffix(lines[3], " 12") {
		t.Errorf("columns are not aligned:\n%s", b.String())
	}
}

func TestTableLimit(t *testing.T) {
	r := result{Columns: []column{{"n", "long"}}}
	for range 5 {
		r.Rows = append(r.Rows, rows([]string{"1"})...)
	}
	f := func(format string, limit int, want string) {
		t.Helper()
		var b strings.Builder
		if err := r.printTo(newPrinter(&b, format, limit)); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(b.String(), want) {
			t.Errorf("%s, limit %d: %s", format, limit, b.String())
		}
	}
	f("table", 2, "─\n1\n1\n5 rows, 3 more rows not shown: --limit 0 shows all\n")
	f("csv", 2, "n\n1\n1\n")
	f("json", 1, "[\n  {\"n\": 1}\n]\n")
}
