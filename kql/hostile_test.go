package kql

import (
	"errors"
	"strings"
	"testing"

	"picket/kql/syntax"
)

// TestHostile: texts that are large or deep, but parse, are compiled or refused
// with a place and a reason. A stack that overflows would end the test.
func TestHostile(t *testing.T) {
	rep := strings.Repeat
	cases := []struct {
		name, src string
		want      string // in the first message; "" for a query that must compile
	}{
		{"400 parentheses", "print " + rep("(", 400) + "1" + rep(")", 400), ""},
		{"parentheses", "print " + rep("(", 100_000) + "1" + rep(")", 100_000), "nested too deeply"},
		{"brackets", "print " + rep("dynamic(null)[", 100_000), "nested too deeply"},
		{"braces", "print dynamic(" + rep(`{"a":`, 100_000), "nested too deeply"},
		{"400 arrays", "print dynamic(" + rep("[", 400) + rep("]", 400) + ")", ""},
		{"calls", "print " + rep("strcat(", 400) + "1" + rep(")", 400), ""},
		{"subqueries", rep("(Syslog | union ", 400) + "Syslog" + rep(")", 400), ""},
		{"in of in", "Syslog" + rep(" | where HostName in (Syslog", 400) + rep(" | project HostName)", 400), ""},
		{"pipes", "Syslog" + rep(" | where true", 100_000), "at most 500"},
		{"takes", "Syslog" + rep(" | take 1", 500), ""},
		{"joins", "Syslog" + rep(" | join kind=leftsemi (Syslog) on HostName", 500), ""},
		{"long and", "Syslog | where true" + rep(" and HostName == 'a'", 19_000), ""},
		{"long +", "print 1" + rep(" + 1", 19_000), "nests too deeply"},
		{"long path", "Syslog | project Tags" + rep(".a", 19_000), "nests too deeply"},
		{"long list", "Syslog | where HostName in ('a'" + rep(", 'a'", 200_000) + ")", ""},
		{"1,000,000 tokens", "print 1" + rep(",1", 500_000), "too large"},
		{"1 MB of string", "print '" + rep("x", 1_000_000) + "'", ""},
		{"a column again", "Syslog | extend a0 = 1" + rep(", a = 1", 100_000), "already"},
		{"a column anew", "Syslog" + rep(" | extend a = 1", 500), ""},
		{"lets", rep("let a = 1; ", 100_000) + "print a", ""},
		{"doubling lets", doubling(40), "too large"},
		{"functions in functions", rep("let f = () { ", 400) + "Syslog" + rep(" }; f()", 400), "more than 50 deep"},
		{"a chain of functions", doubling(200), "more than 50 deep"},
		{"10 MB", "print '" + rep("x", 10<<20) + "'", "too long"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := Compile(c.src, completionCatalog(), Options{})
			var ds syntax.Diagnostics
			switch errors.As(err, &ds); {
			case c.want == "" && err != nil:
				t.Errorf("%.300s", err)
			case c.want != "" && (len(ds) == 0 || !strings.Contains(ds[0].Msg, c.want)):
				t.Errorf("got %.300v, want a message with %q", err, c.want)
			}
			Complete(c.src, len(c.src)/2, completionCatalog(), Options{})
			Complete(c.src, len(c.src), completionCatalog(), Options{})
		})
	}
}

// doubling returns functions of which each calls the one before twice.
func doubling(n int) string {
	var b strings.Builder
	b.WriteString("let f0 = () { Syslog };")
	for i := range n {
		f := formatInt(int64(i))
		b.WriteString("let f" + formatInt(int64(i+1)) + " = () { union f" + f + "(), f" + f + "() };")
	}
	return b.String() + "f" + formatInt(int64(n)) + "()"
}
