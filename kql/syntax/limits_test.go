package syntax

import (
	"strings"
	"testing"
	"time"
)

// TestLimits: hostile texts end quickly and with a reason, and long chains are
// no deep recursion.
func TestLimits(t *testing.T) {
	rep := strings.Repeat
	cases := []struct {
		name, src string
		want      string // in the first message; "" for a query that must parse
	}{
		{"parentheses", "T | where " + rep("(", 100_000) + "1" + rep(")", 100_000), "nested too deeply"},
		{"unclosed parentheses", "T | where " + rep("(", 100_000), "nested too deeply"},
		{"brackets", "T | where " + rep("a[", 100_000), "nested too deeply"},
		{"calls", "T | where " + rep("f(", 100_000), "nested too deeply"},
		{"signs", "print " + rep("-", 100_000) + "1", "expected an expression"},
		{"JSON", "print dynamic(" + rep("[", 100_000), "nested too deeply"},
		{"objects", "print dynamic(" + rep(`{"a":`, 100_000), "nested too deeply"},
		{"in lists", "print " + rep("a in (", 100_000), "nested too deeply"},
		{"between", "print " + rep("a between ((", 100_000), "nested too deeply"},
		{"lambdas", rep("let f = () {", 100_000), "nested too deeply"},
		{"subqueries", "T | " + rep("mv-apply a on (", 50_000), "nested too deeply"},
		{"nested operators", "T | " + rep("fork (as x | ", 50_000), "nested too deeply"},
		{"scan", "T | " + rep("scan with (step s: ", 50_000), "expected ')'"},
		{"patterns", rep("declare pattern p = (a:string) { (1) = { ", 50_000), "nested too deeply"},
		{"closers", rep(")", 100_000), "expected an expression"},
		{"facets", "T | " + rep("facet by a with ", 100_000), "nested too deeply"},
		{"partitions", "T" + rep(" | partition by a { T ", 50_000), "nested too deeply"},
		{"partitions at once", "T | " + rep("partition by a (", 100_000), "nested too deeply"},
		{"mixed closers", rep("(]", 1_000_000), "expected"},
		{"mixed brackets", "T | where " + rep("([{", 300_000) + rep(")", 500_000), "expected ']'"},
		{"commas", "T | project " + rep(",", 100_000), "expected"},
		{"pipes", rep("|", 99_999), "||"},
		{"semicolons", rep(";", 100_000), "expected a statement"},
		{"quotes", rep("\"\n", 100_000), "not closed"},
		{"bangs", rep("!a ", 100_000), "not an operator"},
		{"unknown operators", rep("| foo ", 50_000), "expected a table"},
		{"10 MB", rep("x", 10<<20), "too long"},
		{"long text", "print x = \"" + rep("x", MaxText-20) + "\"", ""},
		{"10,000 and", "T | where a == 1" + rep(" and a == 1", 10_000), ""},
		{"10,000 or", "T | where a == 1" + rep(" or a == 1", 10_000), ""},
		{"10,000 +", "print 1" + rep(" + 1", 10_000), ""},
		{"too many +", "print 1" + rep("+1", 500_000), "too long"},
		{"+ in depth", rep("(", 300) + "1" + rep(rep("+1", 200)+")", 300), "too long"},
		{"path", "print a" + rep(".a", 10_000), ""},
		{"long path", "print a" + rep(".a", 500_000), "too long"},
		{"long indexes", "print a" + rep("[0]", 500_000), "too long"},
		{"operators", "T" + rep(" | take 1", 100_000), ""},
		{"list", "T | where a in (1" + rep(", 1", 300_000) + ")", ""},
		{"statements", rep("let a = 1; ", 100_000) + "T", ""},
		{"400 parentheses", "print " + rep("(", 400) + "1" + rep(")", 400), ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			q, ds := Parse(c.src)
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("took %v", d)
			}
			switch {
			case c.want == "" && len(ds) > 0:
				t.Errorf("%s", ds[:1].Render(c.src))
			case c.want != "" && (len(ds) == 0 || !strings.Contains(ds[0].Msg, c.want)):
				t.Errorf("got %v, want a message with %q", ds, c.want)
			}
			if len(ds) > maxDiags {
				t.Errorf("%d diagnostics", len(ds))
			}
			for _, d := range ds {
				if n := len(d.Render(c.src)); n > 2000 {
					t.Errorf("a diagnostic of %d bytes", n)
				}
			}
			nodes := 0
			Walk(q, func(Node) bool { nodes++; return true })
			_ = Print(q)
			if _, err := Format(c.src); (err == nil) != (len(ds) == 0) {
				t.Errorf("Format gave %v", err)
			}
		})
	}
}

// BenchmarkParse parses the whole corpus of real queries once an iteration.
func BenchmarkParse(b *testing.B) {
	cases := corpus(b, "corpus_dev.jsonl")
	n := 0
	for _, c := range cases {
		n += len(c.Query)
	}
	b.SetBytes(int64(n))
	b.ReportAllocs()
	for b.Loop() {
		for _, c := range cases {
			Parse(c.Query)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(cases)), "µs/query")
}
