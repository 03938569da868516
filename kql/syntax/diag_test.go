package syntax

import (
	"errors"
	"strings"
	"testing"
)

func TestLineCol(t *testing.T) {
	src := "ab\né\tc\r\nd\re"
	f := func(off, line, col int) {
		t.Helper()
		if l, c := LineCol(src, off); l != line || c != col {
			t.Errorf("offset %d: got %d:%d, want %d:%d", off, l, c, line, col)
		}
	}
	f(-5, 1, 1)
	f(0, 1, 1)
	f(2, 1, 3)  // the newline belongs to its line
	f(3, 2, 1)  // é
	f(5, 2, 2)  // the tab is one column, é another
	f(6, 2, 3)  // c
	f(8, 2, 5)  // between \r and \n
	f(9, 3, 1)  // d
	f(11, 4, 1) // a lone \r ends a line, too
	f(12, 4, 2)
	f(99, 4, 2)
}

func TestRender(t *testing.T) {
	f := func(src string, s Span, hint, want string) {
		t.Helper()
		d := Diagnostic{Span: s, Code: CodeExpected, Msg: "m", Hint: hint}
		if got := d.Render(src); got != want {
			t.Errorf("%q %v:\n%s\nwant\n%s", src, s, got, want)
		}
	}
	f("abc", Span{1, 2}, "", "1:2: m\n  abc\n   ^\n")
	f("abc", Span{1, 3}, "h", "1:2: m\n  abc\n   ^^\n  hint: h\n")
	f("abc", Span{3, 3}, "", "1:4: m\n  abc\n     ^\n")
	f("", Span{0, 0}, "", "1:1: m\n  \n  ^\n")
	f("a\nbcd\ne", Span{3, 6}, "", "2:2: m\n  bcd\n   ^^\n") // not beyond its line
	f("\ta\tb", Span{3, 4}, "", "1:4: m\n  \ta\tb\n  \t \t^\n")
	f("日本 x", Span{7, 8}, "", "1:4: m\n  日本 x\n     ^\n")
	f("a\x1b[31mb\u202e\xff", Span{0, 1}, "", "1:1: m\n  a\uFFFD[31mb\uFFFD\uFFFD\n  ^\n") // nothing reaches a terminal
	f("abc", Span{-3, 99}, "", "1:1: m\n  abc\n  ^^^\n")
	f("a\r\nb", Span{3, 4}, "", "2:1: m\n  b\n  ^\n")

	long := strings.Repeat("x", 500)
	for _, s := range []Span{{0, 1}, {250, 251}, {499, 500}, {500, 500}, {0, 500}, {100, 400}} {
		got := Diagnostic{Span: s, Msg: "m"}.Render(long)
		lines := strings.Split(got, "\n")
		if n := len([]rune(lines[1])); n > lineWidth+2 {
			t.Errorf("%v: a line of %d characters", s, n)
		}
		caret := strings.Index(lines[2], "^")
		if r := []rune(lines[1]); caret < len(r) && r[caret] != 'x' {
			t.Errorf("%v: the caret points at %q:\n%s", s, r[caret], got)
		}
	}
}

func TestDiagnosticsError(t *testing.T) {
	_, ds := Parse("T | where a == = | wher b")
	var err error = ds.Err()
	want := "SYN0002: expected an expression, found '=' ('==' compares; there is no '===')\n" +
		"SYN0003: 'wher' is not a query operator (did you mean 'where'?)"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	var back Diagnostics
	if !errors.As(err, &back) || len(back) != 2 {
		t.Errorf("got %v", back)
	}
	if err := (Diagnostics{}).Err(); err != nil {
		t.Errorf("no problem is an error: %v", err)
	}
}

func TestNearest(t *testing.T) {
	f := func(w, want string) {
		t.Helper()
		if got := nearest(w, operatorNames[:]); got != want {
			t.Errorf("%s: got %q, want %q", w, got, want)
		}
	}
	f("wehre", "where")
	f("sumarize", "summarize")
	f("summarise", "summarize")
	f("project-awy", "project-away")
	f("mv-expnd", "mv-expand")
	f("x", "")
	f("frobnicate", "")
	f(strings.Repeat("a", 1000), "")
}
