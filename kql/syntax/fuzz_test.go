package syntax

import (
	"testing"
)

// FuzzLex: whatever the text, the tokens are in order, inside it, and end with EOF.
func FuzzLex(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		toks := lex(src)
		end := int32(0)
		for i, k := range toks {
			if k.start < end || k.end < k.start || int(k.end) > len(src) {
				t.Fatalf("token %d of %q has span %d..%d after %d", i, src, k.start, k.end, end)
			}
			if last := i == len(toks)-1; last != (Kind(k.kind) == EOF) || !last && k.start == k.end {
				t.Fatalf("token %d of %d in %q: kind %v, span %d..%d", i, len(toks), src, Kind(k.kind), k.start, k.end)
			}
			if m := k.mate; m >= 0 && toks[m].mate != int32(i) {
				t.Fatalf("bracket %d of %q is not its mate's mate", i, src)
			}
			end = k.end
		}
	})
}

// FuzzParse: no panic, sound spans, and a printed tree parses to itself.
func FuzzParse(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, src string) {
		checkTree(t, src)
		checkPrint(t, src)
	})
}

// checkTree tests what holds for the tree and the diagnostics of every text.
func checkTree(t *testing.T, src string) {
	t.Helper()
	q, ds := Parse(src)
	if q == nil {
		t.Fatalf("%q: no tree", src)
	}
	for _, d := range ds {
		if s := d.Span; s.Start < 0 || s.End < s.Start || s.End > len(src) {
			t.Errorf("%q: diagnostic %q at %v", src, d.Msg, s)
		}
		if d.Render(src) == "" || d.Code == "" {
			t.Errorf("%q: diagnostic %q is not rendered", src, d.Msg)
		}
	}
	stack := []Span{{0, len(src)}}
	var visit func(Node) bool
	visit = func(n Node) bool {
		s, around := n.Span(), stack[len(stack)-1]
		if s.Start < around.Start || s.End < s.Start || s.End > around.End {
			t.Errorf("%q: %T at %v reaches beyond %v", src, n, s, around)
			return false
		}
		if len(ds) == 0 {
			switch n.(type) {
			case *Bad, *BadOp:
				t.Errorf("%q: %T at %v without a diagnostic", src, n, s)
			}
		}
		stack = append(stack, s)
		first := true
		Walk(n, func(c Node) bool {
			if first {
				first = false
				return true
			}
			return visit(c)
		})
		stack = stack[:len(stack)-1]
		return false
	}
	visit(q)
}

// checkPrint tests that a good query is printed as one that prints the same.
func checkPrint(t *testing.T, src string) {
	t.Helper()
	q, ds := Parse(src)
	if len(ds) > 0 {
		_ = Print(q)
		return
	}
	once := Print(q)
	q2, ds := Parse(once)
	if len(ds) > 0 {
		t.Fatalf("%q is printed as\n%s\nwhich does not parse:\n%s", src, once, ds.Render(once))
	}
	if twice := Print(q2); twice != once {
		t.Fatalf("%q is printed as\n%s\nand then as\n%s", src, once, twice)
	}
	if a, b := shape(q), shape(q2); a != b {
		t.Fatalf("%q is printed as\n%s\nwith tree\n%s\ninstead of\n%s", src, once, b, a)
	}
}
