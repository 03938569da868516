package syntax

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "rewrite the files of testdata")

// golden runs f over a file of cases. In the archive a file NAME.kql is a query
// and NAME.txt, behind it, what f must make of it; -update rewrites the latter.
func golden(t *testing.T, file string, f func(t *testing.T, name, src string) string) {
	t.Helper()
	ar, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, x := range ar.Files {
		want[x.Name] = string(x.Data)
	}
	out := &txtar.Archive{Comment: ar.Comment}
	for _, x := range ar.Files {
		name, isQuery := strings.CutSuffix(x.Name, ".kql")
		if !isQuery {
			continue
		}
		got := f(t, name, strings.TrimSuffix(string(x.Data), "\n"))
		out.Files = append(out.Files, x, txtar.File{Name: name + ".txt", Data: []byte(got)})
		if diff := cmp.Diff(want[name+".txt"], got); diff != "" && !*update {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(out), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if got, _ := os.ReadFile(file); !bytes.Equal(got, txtar.Format(out)) && !t.Failed() {
		t.Errorf("%s is not in canonical form: run with -update", file)
	}
}

// TestErrors compares what is told of broken queries.
func TestErrors(t *testing.T) {
	golden(t, "testdata/errors.txtar", func(t *testing.T, name, src string) string {
		_, ds := Parse(src)
		if len(ds) == 0 {
			t.Errorf("%s: parses, but stands among the errors", name)
		}
		for _, d := range ds {
			if d.Msg == "" || strings.HasSuffix(d.Msg, ".") || strings.HasSuffix(d.Hint, ".") {
				t.Errorf("%s: not a message: %q, %q", name, d.Msg, d.Hint)
			}
		}
		checkTree(t, src)
		return ds.Render(src)
	})
}

// TestPrint compares printed queries.
func TestPrint(t *testing.T) {
	golden(t, "testdata/print.txtar", func(t *testing.T, name, src string) string {
		q, ds := Parse(src)
		if len(ds) > 0 {
			t.Errorf("%s:\n%s", name, ds.Render(src))
		}
		checkTree(t, src)
		checkPrint(t, src)
		return Print(q) + "\n"
	})
}

// TestPrintMade: a tree that no text was parsed to is printed as one that means
// the same.
func TestPrintMade(t *testing.T) {
	name := func(s string) *Name { return &Name{Text: s} }
	bin := func(op Kind, x, y Expr) Expr { return &Binary{Op: op, X: x, Y: y} }
	num := func(s string) Expr { return &Literal{Kind: LitLong, Text: s} }
	f := func(n Node, want string) {
		t.Helper()
		if got := Print(n); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	f(bin(MUL, bin(ADD, name("a"), name("b")), name("c")), "(a + b) * c")
	f(bin(SUB, name("a"), bin(SUB, name("b"), name("c"))), "a - (b - c)")
	f(bin(SUB, bin(SUB, name("a"), name("b")), name("c")), "a - b - c")
	f(bin(EQ, bin(EQ, name("a"), name("b")), name("c")), "(a == b) == c")
	f(bin(HAS, bin(ADD, name("a"), name("b")), name("c")), "(a + b) has c")
	f(bin(AND, bin(OR, name("a"), name("b")), name("c")), "(a or b) and c")
	f(&Unary{Op: SUB, X: bin(ADD, name("a"), name("b"))}, "-(a + b)")
	f(&Path{X: bin(ADD, name("a"), name("b")), Name: name("c")}, "(a + b).c")
	f(&Index{X: &Unary{Op: SUB, X: name("a")}, Index: num("1")}, "(-a)[1]")
	f(&In{Op: IN, X: bin(EQ, name("a"), name("b")), List: []Expr{num("1")}}, "(a == b) in (1)")
	f(name("a b"), "['a b']")
	f(num("-5"), "long(-5)")
	f(&Literal{Kind: LitReal, Text: "1"}, "real(1)")
	f(&Literal{Kind: LitTimeSpan, Text: "1.00:00:00"}, "timespan(1.00:00:00)")
	f(&WhereOp{Pred: &Bad{}}, "where …")
	f(&Ordered{X: name("a"), Dir: Desc, Nulls: NullsLast}, "a desc nulls last")
	f(&JoinOp{Right: &Pipe{Source: name("T"), Ops: []Op{&CountOp{}}}, On: []Expr{name("a")}}, "join (T\n| count) on a")
}
