package kql

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"picket/kql/syntax"
)

// TestParseTexts holds what searches for the texts of random patterns find
// against the regular expressions that the patterns stand for.
func TestParseTexts(t *testing.T) {
	db := openDuckDB(t)
	r := rand.New(rand.NewPCG(3, 4))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	var texts []string
	for range 120 {
		text := ""
		for range r.IntN(9) {
			text += pick("a", "b", "ab", " ", "é", "\n", "c")
		}
		texts = append(texts, text)
	}
	table := "datatable(N:long, T:string)[0, ''"
	for i, text := range texts {
		table += fmt.Sprintf(", %d, '%s'", i+1, strings.ReplaceAll(text, "\n", `\n`))
	}
	table += "]"
	texts = append([]string{""}, texts...)
	done := 0
	for range 250 {
		pattern, names := "", 0
		for range 1 + r.IntN(7) {
			switch k := r.IntN(10); {
			case k < 5:
				pattern += pick(`"a"`, `"b"`, `"ab"`, `"é"`, `" "`, `""`) + " "
			case k < 8 && names < 3:
				names++
				pattern += fmt.Sprintf("x%d ", names)
			default:
				pattern += "* "
			}
		}
		if names == 0 {
			continue
		}
		src := table + " | parse T with " + pattern + "| project x1"
		for i := 2; i <= names; i++ {
			src += fmt.Sprintf(", x%d", i)
		}
		tree, _ := syntax.Parse(src)
		op := tree.Stmts[0].(*syntax.ExprStmt).X.(*syntax.Pipe).Ops[0].(*syntax.ParseOp)
		b := &binder{cat: noTables{}}
		re, parts := b.parsePattern(op, "", "")
		if _, ok := textPatternOf(op.Pattern, parts, ""); !ok {
			continue
		}
		done++
		q, err := Compile(src, noTables{}, Options{})
		if err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		if strings.Contains(q.SQL, "regexp") {
			t.Fatalf("%s has a regular expression", pattern)
		}
		rows, err := db.Query(q.SQL)
		if err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		want := regexp.MustCompile(re)
		for _, text := range texts {
			got, ptr := make([]string, names), make([]any, names)
			for i := range got {
				ptr[i] = &got[i]
			}
			if !rows.Next() {
				t.Fatalf("%s: rows are missing: %v", pattern, rows.Err())
			}
			if err := rows.Scan(ptr...); err != nil {
				t.Fatal(err)
			}
			groups := make([]string, names)
			if m := want.FindStringSubmatch(text); m != nil {
				groups = m[2:]
			}
			if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", groups) {
				t.Errorf("parse %q with %s gives %q, want %q", text, pattern, got, groups)
			}
		}
		rows.Close()
	}
	if done < 100 {
		t.Errorf("%d patterns were tried", done)
	}
}

// TestParseTextsPlan plans parses of what others have parsed, as TestPlanOfChains
// does with other steps.
func TestParseTextsPlan(t *testing.T) {
	db, cat := openWorkspace(t)
	var q strings.Builder
	q.WriteString("Syslog | extend x0 = tolower(SyslogMessage)\n")
	for i := range 30 {
		fmt.Fprintf(&q, `| parse x%d with * "a" * "b" * "c" * "d" x%d`+"\n", i, i+1)
	}
	q.WriteString(`| where x30 has "z" | count`)
	c, err := Compile(q.String(), cat, Options{Now: testNow})
	if err != nil {
		t.Fatal(err)
	}
	var n int64
	if err := db.QueryRow(c.SQL).Scan(&n); err != nil || n != 0 {
		t.Fatal(n, err)
	}
}
