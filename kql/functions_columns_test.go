package kql

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"picket/kql/syntax"
)

// TestFunctionsOfColumns runs the cases that only print once more with every
// constant argument moved into a column: a function must not tell the two
// apart. Those that need a constant say so.
func TestFunctionsOfColumns(t *testing.T) {
	db := openDuckDB(t)
	ran := 0
	for _, c := range readCases(t) {
		if c.query() == c.expr || strings.HasPrefix(c.want, "error:") {
			continue
		}
		q, ok := columnsForConstants(c.query())
		if !ok {
			continue
		}
		t.Run(fmt.Sprintf("%s:%d", c.file, c.line), func(t *testing.T) {
			got, err := runText(db, q)
			if err != nil {
				if !strings.Contains(err.Error(), "constant") {
					t.Errorf("%s: %v", q, err)
				}
				return
			}
			ran++
			if strings.TrimSpace(got) != c.want {
				t.Errorf("%s\n got %s\nwant %s", q, got, c.want)
			}
		})
	}
	if ran < 100 {
		t.Errorf("only %d cases ran", ran)
	}
}

// columnsForConstants rewrites "print f(1, …)" as "print c0 = 1, … | project f(c0, …)".
func columnsForConstants(src string) (string, bool) {
	tree, diags := syntax.Parse(src)
	if len(diags) > 0 {
		return "", false
	}
	var spans []syntax.Span
	syntax.Walk(tree, func(n syntax.Node) bool {
		call, ok := n.(*syntax.Call)
		if !ok {
			return true
		}
		for _, a := range call.Args {
			switch a := a.(type) {
			case *syntax.Literal:
				spans = append(spans, a.Span())
			case *syntax.Dynamic:
				spans = append(spans, a.Span())
			}
		}
		return true
	})
	if len(spans) == 0 {
		return "", false
	}
	slices.SortFunc(spans, func(a, b syntax.Span) int { return a.Start - b.Start })
	var cols, body strings.Builder
	at := len("print ")
	for i, s := range spans {
		fmt.Fprintf(&cols, "c%d=%s, ", i, src[s.Start:s.End])
		fmt.Fprintf(&body, "%sc%d", src[at:s.Start], i)
		at = s.End
	}
	body.WriteString(src[at:])
	return "print " + strings.TrimSuffix(cols.String(), ", ") + " | project " + body.String(), true
}
