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
		"Failed password": "<failed> <password>",
		"Failed password for root1 from 10.0.0.1 port 22": "<failed> <password> <for> <0> <from> <0>.<0>.<0>.<0> <port> <0>",
		"[pre_auth]":                    "[<pre>_<auth>]",
		"a\tb\nc@[`{":                   "<a>\t<b>\n<c>@[`{",
		"naïve":                         "none",
		"a\x01b":                        "none",
		strings.Repeat("x", maxShape+1): "none",
		strings.Repeat("-", maxShape):   strings.Repeat("-", maxShape),
	} {
		got := "none"
		if shape, ok := AppendShape(nil, text); ok {
			got = brackets(string(shape))
		}
		if got != want {
			t.Errorf("the shape of %.80q is %.200q, want %.200q", text, got, want)
		}
	}
}

// brackets writes the borders of a shape as < and >.
func brackets(shape string) string {
	var w strings.Builder
	open := true
	for _, c := range shape {
		switch {
		case c != termBorder:
			w.WriteRune(c)
			continue
		case open:
			w.WriteByte('<')
		default:
			w.WriteByte('>')
		}
		open = !open
	}
	return w.String()
}

func TestShapeOf(t *testing.T) {
	for _, c := range []struct {
		op      syntax.Kind
		operand string
		want    string // of the part, "" for none
		exact   bool
	}{
		{syntax.HAS, "Failed password", "<failed> <password>", true},
		{syntax.HAS, "-Failed", "-<failed>", true},
		{syntax.HASCS, "Failed", "<failed>", false},
		{syntax.HAS, "port 22", "<port> <0>", false},
		{syntax.HAS, "ä", "", false},
		{syntax.HAS, "[", "[", true},
		{syntax.HASPREFIX, "fail", "", false},
		{syntax.HASPREFIX, "failed pass", "<failed> <", false},
		{syntax.HASSUFFIX, "led password", "< >password<", false},
		{syntax.CONTAINS, "ed", "", false},
		{syntax.CONTAINS, "ed pa", "", false},
		{syntax.CONTAINS, " from ", " <from> ", true},
		{syntax.CONTAINS, "d for root", "< >for< >", false},
		{syntax.CONTAINS, "root1:", "<:", false},
		{syntax.STARTSWITH, "Failed pass", "<failed> <", false},
		{syntax.STARTSWITH, "Failed ", "<failed> ", true},
		{syntax.ENDSWITH, "22 ssh", "< >ssh<", false},
		{syntax.ENDSWITH, "[preauth]", "[<preauth>]", true},
		{syntax.EQCI, "Connection closed", "<connection> <closed>", true},
		{syntax.MATCHES, "Failed", "", false},
	} {
		test, ok := strOps[c.op].shapeOf(c.operand)
		if got := brackets(test.part); ok != (c.want != "") || ok && (got != c.want || test.exact != c.exact) {
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
			inText, inShape := op.finds(text, operand), searchText(test.fn, string(shape), test.part)
			if inText && !inShape || inShape && !inText && test.exact {
				t.Errorf("%q %v %q is %v; %v(%q, %q), exact %v, is %v", text, kind, operand, inText, test.fn, shape, test.part, test.exact, inShape)
			}
		}
	})
}

// finds is the operator itself, without its not, as the reference has it.
func (o strOp) finds(text, operand string) bool {
	if !o.cs {
		text, operand = strings.ToLower(text), strings.ToLower(operand)
	}
	if o.fn != "" {
		return searchText(o.fn, text, operand)
	}
	return regexp.MustCompile(o.pattern(operand)).MatchString(text)
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
