package kql

import (
	"database/sql"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"picket/kql/syntax"
)

// addShapes gives every other row of a table the shape of its text.
func addShapes(t testing.TB, db *sql.DB, table, text string) {
	t.Helper()
	if _, err := db.Exec(fmt.Sprintf(`ALTER TABLE %s ADD COLUMN %s VARCHAR DEFAULT ''`, quoteIdent(table), quoteIdent(Shape))); err != nil {
		t.Fatal(err)
	}
	rows, err := db.Query(fmt.Sprintf("SELECT %s, rowid FROM %s WHERE rowid %% 2 = 0", quoteIdent(text), quoteIdent(table)))
	if err != nil {
		t.Fatal(err)
	}
	shapes := map[int64]string{}
	for rows.Next() {
		var s string
		var id int64
		if err := rows.Scan(&s, &id); err != nil {
			t.Fatal(err)
		}
		if shape, ok := AppendShape(nil, s); ok {
			shapes[id] = string(shape)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	for id, shape := range shapes {
		if _, err := db.Exec(fmt.Sprintf("UPDATE %s SET %s = ? WHERE rowid = ?", quoteIdent(table), quoteIdent(Shape)), shape, id); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAppendShape(t *testing.T) {
	for text, want := range map[string]string{
		"":                "",
		"Failed password": "|failed|password|",
		"Failed password for root1 from 10.0.0.1 port 22": "|failed|password|for| 0 |from| 0 |port| 0",
		"[pre_auth]":                            "[|pre|_|auth|]",
		"a\tb\nc@[`{":                           "|a|\t|b|\n|c|@[`{",
		"52:54:00:ab:cd:01 1.2.3-4/5..6 a b  c": "0:|ab|:|cd|:0 0..0 |a|b|  |c|",
		"naïve":                                 "none",
		"a\x01b":                                "none",
		strings.Repeat("x", maxShape+1):         "none",
		strings.Repeat("-", maxShape):           strings.Repeat("-", maxShape),
	} {
		got := "none"
		if shape, ok := AppendShape(nil, text); ok {
			got = strings.ReplaceAll(string(shape), "\x01", "|")
		}
		if got != want {
			t.Errorf("the shape of %.80q is %.200q, want %.200q", text, got, want)
		}
	}
}

func TestShapeOf(t *testing.T) {
	for _, c := range []struct {
		op      syntax.Kind
		operand string
		want    string // of the part, "" for none
		exact   bool
	}{
		{syntax.HAS, "Failed password", "|failed|password|", true},
		{syntax.HAS, "-Failed", "-|failed|", true},
		{syntax.HAS, " Failed ", "|failed|", false},
		{syntax.HASCS, "Failed", "|failed|", false},
		{syntax.HAS, "port 22", "|port| 0", false},
		{syntax.HAS, "10.0.0.1", "", false},
		{syntax.HAS, "ä", "", false},
		{syntax.HAS, "[", "[", true},
		{syntax.HAS, " ", "", false},
		{syntax.HASPREFIX, "fail", "", false},
		{syntax.HASPREFIX, "failed pass", "|failed|", false},
		{syntax.HASSUFFIX, "led password", "|password|", false},
		{syntax.CONTAINS, "ed", "", false},
		{syntax.CONTAINS, "ed pa", "", false},
		{syntax.CONTAINS, "(from)", "(|from|)", true},
		{syntax.CONTAINS, " from ", "|from|", false},
		{syntax.CONTAINS, "d for root", "|for|", false},
		{syntax.CONTAINS, "root1: user", "", false},
		{syntax.STARTSWITH, "Failed pass", "|failed|", false},
		{syntax.STARTSWITH, "Failed:", "|failed|:", true},
		{syntax.ENDSWITH, "22 ssh", "|ssh|", false},
		{syntax.ENDSWITH, "[preauth]", "[|preauth|]", true},
		{syntax.EQCI, "Connection closed", "|connection|closed|", true},
		{syntax.MATCHES, "Failed", "", false},
	} {
		test, ok := strOps[c.op].shapeOf(c.operand)
		if got := strings.ReplaceAll(test.part, "\x01", "|"); ok != (c.want != "") || ok && (got != c.want || test.exact != c.exact) {
			t.Errorf("%v %q asks for %q (%v, exact %v), want %q, exact %v", c.op, c.operand, got, ok, test.exact, c.want, c.exact)
		}
	}
}

// FuzzShape holds what a search finds in a shape against what it finds in the
// text: the same where it is exact, and never less.
func FuzzShape(f *testing.F) {
	for _, s := range [][2]string{{"Failed password for root from 10.0.0.1 port 22 ssh2", "password for"}, {"x1 a-b", "A-b"}, {"fail2ban fail", "fail"}, {"a\x01b", "a"}, {"\u212aelvin", "kelvin"}, {"a__b", "_"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, text, operand string) {
		shape, ok := AppendShape(nil, text)
		if !ok || text == "" || operand == "" {
			return
		}
		for kind, op := range strOps {
			test, ok := op.shapeOf(operand)
			if !ok {
				continue
			}
			inText, inShape := op.finder(operand)(text), searchText(test.fn, string(shape), test.part)
			if inText && !inShape || inShape && !inText && test.exact {
				t.Errorf("%q %v %q is %v; %v(%q, %q), exact %v, is %v", text, kind, operand, inText, test.fn, shape, test.part, test.exact, inShape)
			}
		}
	})
}

// TestShapesOfAllTexts does the same with all short texts over a small alphabet.
func TestShapesOfAllTexts(t *testing.T) {
	all := func(n int) []string {
		list, last := []string{}, []string{""}
		for range n {
			var next []string
			for _, s := range last {
				for _, c := range "a1 .[" {
					next = append(next, s+string(c))
				}
			}
			list, last = append(list, next...), next
		}
		return list
	}
	texts := all(5)
	shapes := make([]string, len(texts))
	for i, text := range texts {
		shape, ok := AppendShape(nil, text)
		if !ok {
			t.Fatalf("%q has no shape", text)
		}
		shapes[i] = string(shape)
	}
	tried := 0
	for kind, op := range strOps {
		for _, operand := range all(3) {
			test, ok := op.shapeOf(operand)
			if !ok || op.not {
				continue
			}
			tried++
			finds := op.finder(operand)
			for i, text := range texts {
				inText, inShape := finds(text), searchText(test.fn, shapes[i], test.part)
				if inText && !inShape || inShape && !inText && test.exact {
					t.Errorf("%q %v %q is %v; %v(%q, %q), exact %v, is %v", text, kind, operand, inText, test.fn, shapes[i], test.part, test.exact, inShape)
				}
			}
		}
	}
	if tried < 300 {
		t.Errorf("%d searches were tried", tried)
	}
}

// finder is the operator itself, without its not, as the reference has it.
func (o strOp) finder(operand string) func(text string) bool {
	if !o.cs {
		operand = strings.ToLower(operand)
	}
	find := func(text string) bool { return searchText(o.fn, text, operand) }
	if o.fn == "" {
		find = regexp.MustCompile(o.pattern(operand)).MatchString
	}
	if o.cs {
		return find
	}
	return func(text string) bool { return find(strings.ToLower(text)) }
}

func searchText(fn, text, operand string) bool {
	switch fn {
	case "contains":
		return strings.Contains(text, operand)
	case "starts_with":
		return strings.HasPrefix(text, operand)
	case "ends_with":
		return strings.HasSuffix(text, operand)
	}
	return text == operand
}
