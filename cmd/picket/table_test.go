package main

import (
	"encoding/json"
	"strings"
	"testing"
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
		Rows:    rows([]string{`"192.0.2.1"`, "12", `["a","b"]`}, []string{`"x\u001b[2J,y"`, "null", "null"}),
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
	f("table", "IP          n  Tags\n"+
		"─────────  ──  ─────────\n"+
		"192.0.2.1  12  [\"a\",\"b\"]\n"+
		"x\uFFFD[2J,y\n2 rows\n")
	f("json", "[\n  {\"IP\": \"192.0.2.1\", \"n\": 12, \"Tags\": [\"a\",\"b\"]},\n  {\"IP\": \"x\\u001b[2J,y\", \"n\": null, \"Tags\": null}\n]\n")
	f("csv", "IP,n,Tags\n192.0.2.1,12,\"[\"\"a\"\",\"\"b\"\"]\"\n\"x\x1b[2J,y\",,\n")
	if knownFormat("xml") == nil || knownFormat("json") != nil {
		t.Error("formats: want xml refused and json taken")
	}
	r.Rows = nil
	f("json", "[]\n")
}

func TestTableFitsTheTerminal(t *testing.T) {
	r := result{
		Columns: []column{{"Short", "string"}, {"Long", "string"}},
		Rows:    rows([]string{`"abc"`, `"` + strings.Repeat("é", 300) + `"`}),
	}
	var b strings.Builder
	if err := r.tableWidth(&b, 60); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 60 {
			t.Errorf("a line of %d characters: %s", n, line)
		}
	}
	if !strings.Contains(b.String(), "é…") {
		t.Error("a cut cell does not say so")
	}
}
