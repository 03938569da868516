package syntax

import (
	"reflect"
	"strings"
	"testing"
)

// TestTree compares trees with their shapes (see shape_test.go).
func TestTree(t *testing.T) {
	f := func(src, want string) {
		t.Helper()
		q, ds := Parse(src)
		if len(ds) > 0 {
			t.Errorf("%s", ds.Render(src))
			return
		}
		got := shape(q.Stmts[len(q.Stmts)-1])
		if x, ok := strings.CutPrefix(got, "(ExprStmt X="); ok {
			got = strings.TrimSuffix(x, ")")
		}
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", src, got, want)
		}
		checkTree(t, src)
		checkPrint(t, src)
	}
	e := func(src, want string) { // an expression
		t.Helper()
		f("T | where "+src, "(Pipe Source=T Ops=[(WhereOp Pred="+want+")])")
	}
	// Precedence, as in Microsoft's parser: or, and, equality, relation, sum, product, string operators, sign.
	e("a or b and c", `(Binary Op="or" X=a Y=(Binary Op="and" X=b Y=c))`)
	e("a and b or c", `(Binary Op="or" X=(Binary Op="and" X=a Y=b) Y=c)`)
	e("a == b and c", `(Binary Op="and" X=(Binary Op="==" X=a Y=b) Y=c)`)
	e("a == b < c", `(Binary Op="==" X=a Y=(Binary Op="<" X=b Y=c))`)
	e("a < b == c", `(Binary Op="==" X=(Binary Op="<" X=a Y=b) Y=c)`)
	e("a + b > c", `(Binary Op=">" X=(Binary Op="+" X=a Y=b) Y=c)`)
	e("a - b - c", `(Binary Op="-" X=(Binary Op="-" X=a Y=b) Y=c)`)
	e("a + b * c", `(Binary Op="+" X=a Y=(Binary Op="*" X=b Y=c))`)
	e("a + b has c", `(Binary Op="+" X=a Y=(Binary Op="has" X=b Y=c))`)
	e("-a * b", `(Binary Op="*" X=(Unary Op="-" X=a) Y=b)`)
	e("-a.b", `(Unary Op="-" X=(Path X=a Name=b))`)
	e("a <> b", `(Binary Op="!=" X=a Y=b)`)
	e("a has b has c", `(Binary Op="has" X=(Binary Op="has" X=a Y=b) Y=c)`)
	e("a matches regex b", `(Binary Op="matches regex" X=a Y=b)`)
	e("a notcontains b", `(Binary Op="!contains" X=a Y=b)`)
	e("a in (b, c) and d", `(Binary Op="and" X=(In Op="in" X=a List=[b c]) Y=d)`)
	e("a + 1 !in~ (U | project x)", `(In Op="!in~" X=(Binary Op="+" X=a Y=(Literal Kind=2 Text="1")) List=[(Pipe Source=U Ops=[(ProjectOp Cols=[x])])])`)
	e("a has_any (b)", `(In Op="has_any" X=a List=[b])`)
	e("a !between (b .. c + 1)", `(Between Not=true X=a Lo=b Hi=(Binary Op="+" X=c Y=(Literal Kind=2 Text="1")))`)
	e("a[0].b['c d'].['e'].f(1)", `(Path X=(Path X=(Index X=(Path X=(Index X=a Index=(Literal Kind=2 Text="0")) Name=b) Index=(Literal Kind=5 Text="c d")) Name=(Name Text="e" Quoted=true)) Name=(Call Func=f Args=[(Literal Kind=2 Text="1")]))`)
	e("not(a)", `(Call Func=not Args=[a])`)
	// Words of the language are names where they can be.
	e("kind == take and count > table", `(Binary Op="and" X=(Binary Op="==" X=kind Y=take) Y=(Binary Op=">" X=count Y=table))`)
	e("matches[0] == ['where']", `(Binary Op="==" X=(Index X=matches Index=(Literal Kind=2 Text="0")) Y=(Name Text="where" Quoted=true))`)
	f("T | extend by = 1, ['x y'] = id", `(Pipe Source=T Ops=[(ExtendOp Cols=[(NamedExpr Names=[by] X=(Literal Kind=2 Text="1")) (NamedExpr Names=[(Name Text="x y" Quoted=true)] X=id)])])`)
	f("T | extend (a, b) = c", `(Pipe Source=T Ops=[(ExtendOp Cols=[(NamedExpr Names=[a b] X=c)])])`)
	f("T | extend (a)", `(Pipe Source=T Ops=[(ExtendOp Cols=[(Paren X=a)])])`)
	f("T | summarize by by1", `(Pipe Source=T Ops=[(SummarizeOp Groups=[by1] HasBy=true)])`)
	f("T | mvexpand a | limit 5 | order by b | filter c", `(Pipe Source=T Ops=[(MvExpandOp Items=[(MvItem X=a)] Legacy=true) (TakeOp N=(Literal Kind=2 Text="5")) (SortOp Keys=[(Ordered X=b)]) (WhereOp Pred=c)])`)
	f("range x from 1 to 3 step 1", `(SourceOp Op=(RangeOp Name=x From=(Literal Kind=2 Text="1") To=(Literal Kind=2 Text="3") Step=(Literal Kind=2 Text="1")))`)
	f("range | where range(1, 2) == project1", `(Pipe Source=range Ops=[(WhereOp Pred=(Binary Op="==" X=(Call Func=range Args=[(Literal Kind=2 Text="1") (Literal Kind=2 Text="2")]) Y=project1))])`)
	f("print toscalar(T | count), f((union U, V))", `(SourceOp Op=(PrintOp Cols=[(Call Func=toscalar Args=[(Pipe Source=T Ops=[(CountOp)])]) (Call Func=f Args=[(Paren X=(SourceOp Op=(UnionOp Tables=[U V])))])]))`)
	f("T | union kind=outer (U | take 1), V*, database('d').W*", `(Pipe Source=T Ops=[(UnionOp Hints=[(Hint Name="kind" Value=outer)] Tables=[(Paren X=(Pipe Source=U Ops=[(TakeOp N=(Literal Kind=2 Text="1"))])) (Wildcard Pattern="V*") (Path X=(Call Func=database Args=[(Literal Kind=5 Text="d")]) Name=(Wildcard Pattern="W*"))])])`)
	f("(T | take 1) | count", `(Pipe Source=(Paren X=(Pipe Source=T Ops=[(TakeOp N=(Literal Kind=2 Text="1"))])) Ops=[(CountOp)])`)
	f("T | join kind=inner (U) on $left.a == $right.b, c", `(Pipe Source=T Ops=[(JoinOp Hints=[(Hint Name="kind" Value=inner)] Right=(Paren X=U) On=[(Binary Op="==" X=(Path X=$left Name=a) Y=(Path X=$right Name=b)) c])])`)
	f("T | partition by a (top 1 by b) | fork x=(count) (take 1)", `(Pipe Source=T Ops=[(PartitionOp By=a Ops=[(TopOp N=(Literal Kind=2 Text="1") Keys=[(Ordered X=b)])]) (ForkOp Names=[x nil] Branches=[[(CountOp)] [(TakeOp N=(Literal Kind=2 Text="1"))]])])`)
	f("T | evaluate bag_unpack(a) : (*, b:long)", `(Pipe Source=T Ops=[(EvaluateOp Call=(Call Func=bag_unpack Args=[a]) Schema=[(TypedName Name=b Type=long)] AnyCols=true HasSchm=true)])`)
	f("search in (T, U*) a:'x' or * has 'y'", `(SourceOp Op=(SearchOp Tables=[T (Wildcard Pattern="U*")] Pred=(Binary Op="or" X=(Binary Op=":" X=a Y=(Literal Kind=5 Text="x")) Y=(Binary Op="has" X=(Wildcard Pattern="*") Y=(Literal Kind=5 Text="y")))))`)
	f("let f = view (a:int = -1, T:(*), U:(x:long)) { T; };f()", `(Call Func=f)`)
	f("let f = view (a:int = -1, T:(*), U:(x:long)) { T; }", `(LetStmt Name=f Value=(Lambda View=true Params=[(Param Name=a Type=int Default=(Unary Op="-" X=(Literal Kind=2 Text="1"))) (Param Name=T AnyCols=true) (Param Name=U Schema=[(TypedName Name=x Type=long)])] Body=[(ExprStmt X=T)]))`)
	f("T | make-series a = count() default = 0 on t in range(1, 2, 3)", `(Pipe Source=T Ops=[(MakeSeriesOp Aggs=[(SeriesAgg X=(NamedExpr Names=[a] X=(Call Func=count)) Default=(Literal Kind=2 Text="0"))] On=t From=(Literal Kind=2 Text="1") To=(Literal Kind=2 Text="2") Step=(Literal Kind=2 Text="3") InRange=true)])`)
}

func TestLiterals(t *testing.T) {
	f := func(src, want string) {
		t.Helper()
		q, ds := Parse("print " + src)
		if len(ds) > 0 {
			t.Errorf("%s", ds.Render("print "+src))
			return
		}
		got := shape(q.Stmts[0].(*ExprStmt).X.(*SourceOp).Op.(*PrintOp).Cols[0])
		if got != want {
			t.Errorf("%s\n got %s\nwant %s", src, got, want)
		}
		checkPrint(t, "print "+src)
	}
	f("true", `(Literal Text="true")`)
	f("FALSE", `(Literal Text="false")`)
	f("bool(1)", `(Literal Text="1")`)
	f("int( 5 )", `(Literal Kind=1 Text="5")`)
	f("int(null)", `(Literal Kind=1 Text="null" Null=true)`)
	f("long(-5)", `(Literal Kind=2 Text="-5")`)
	f("0x1F", `(Literal Kind=2 Text="0x1F")`)
	f("1.5", `(Literal Kind=3 Text="1.5")`)
	f("real(1)", `(Literal Kind=3 Text="1")`)
	f("double(+inf)", `(Literal Kind=3 Text="+inf")`)
	f("decimal(1.5)", `(Literal Kind=4 Text="1.5")`)
	f(`"a" 'b' @"c"`, `(Literal Kind=5 Text="abc")`)
	f(`h"a"`, `(Literal Kind=5 Text="a" Hidden=true)`)
	f("datetime( 2024-01-01 10:00 )", `(Literal Kind=6 Text="2024-01-01 10:00")`)
	f("datetime(null)", `(Literal Kind=6 Text="null" Null=true)`)
	f("1.5h", `(Literal Kind=7 Text="1.5h")`)
	f("time(1.02:03:04)", `(Literal Kind=7 Text="1.02:03:04")`)
	f("guid(74be27de-1e4e-49d9-b579-fe0b331d3642)", `(Literal Kind=8 Text="74be27de-1e4e-49d9-b579-fe0b331d3642")`)
	f("-1", `(Unary Op="-" X=(Literal Kind=2 Text="1"))`)
	f("dynamic(null)", `(Dynamic)`)
	f(`dynamic({'a':[1, -2.5, null, true, "x" 'y'], "b":{}, 'c':dynamic([1d])})`,
		`(Dynamic Value=(DynObject Keys=["a" "b" "c"] Values=[(DynArray Items=[(Literal Kind=2 Text="1") (Literal Kind=3 Text="-2.5") nil (Literal Text="true") (Literal Kind=5 Text="xy")]) (DynObject) (DynArray Items=[(Literal Kind=7 Text="1d")])]))`)
	f("dynamic(74be27de-1e4e-49d9-b579-fe0b331d3642)", `(Dynamic Value=(Literal Kind=8 Text="74be27de-1e4e-49d9-b579-fe0b331d3642"))`)
	f("dynamic([datetime(2020-01-01), guid(x)])", `(Dynamic Value=(DynArray Items=[(Literal Kind=6 Text="2020-01-01") (Literal Kind=8 Text="x")]))`)
	f("{Price}", `(Placeholder Name="Price")`)
	f("['a' \"b\"]", `(Name Text="ab" Quoted=true)`)
	f("typeof(string)", `(Call Func=typeof Args=[string])`)
}

// TestSpans marks the place of every node of one kind with « and ».
func TestSpans(t *testing.T) {
	f := func(node Node, src string) {
		t.Helper()
		plain := strings.NewReplacer("«", "", "»", "").Replace(src)
		q, _ := Parse(plain)
		var marks []Span
		Walk(q, func(n Node) bool {
			if reflect.TypeOf(n) == reflect.TypeOf(node) {
				marks = append(marks, n.Span())
			}
			return true
		})
		got := plain
		for i := len(marks) - 1; i >= 0; i-- { // nodes of these kinds do not overlap here
			s := marks[i]
			got = got[:s.Start] + "«" + got[s.Start:s.End] + "»" + got[s.End:]
		}
		if got != src {
			t.Errorf("%T:\n got %s\nwant %s", node, got, src)
		}
	}
	f(&Query{}, "« T | count ; »")
	f(&LetStmt{}, "«let a = 1» ;\n«let b = (x:int) { x }»; T")
	f(&ExprStmt{}, "let a = 1; «T // c\n | count» ;")
	f(&Name{}, "«T» | where «a».«['b c']» == 1")
	f(&WhereOp{}, "T | «where (a == 1)» | «where b» // c")
	f(&SummarizeOp{}, "T\n| «summarize count()\n  by a»\n| take 1")
	f(&Literal{}, "print «1», «\"a\" 'b'», «datetime(2020-01-01)», -«1d», «true»")
	f(&Binary{}, "T | where («a == 1»)")
	f(&In{}, "T | where «a in (1, 2)» and b")
	f(&Between{}, "T | where «a between (1 .. 2)» and b")
	f(&Call{}, "print x=«f(1)».b, «g( )»")
	f(&Path{}, "print «a.b» + «(c).d»")
	f(&Index{}, "print «a[0]»")
	f(&Paren{}, "«(T | take 1)» | count")
	f(&Hint{}, "T | join «kind = inner» «hint.strategy=broadcast» (U) on a")
	f(&Ordered{}, "T | sort by «a asc nulls first», «b»")
	f(&MvItem{}, "T | mv-expand «a = b to typeof(long)», «c» limit 5")
	f(&TypedName{}, "datatable(«a:long», «['b']: string»)[1, '']")
	f(&Param{}, "let f = («a:int = 5», «T:(*)») { 1 }; 1")
	f(&Lambda{}, "let f = «view () { T }»; f")
	f(&Wildcard{}, "T | project-away «a*», «*b*1»")
	f(&NamedExpr{}, "T | extend «a = 1 + 2», «(b, c) = f()», d")
	f(&UnsupportedOp{}, "T | «graph-where-nodes a == (1)» | «graph-where-edges b»")
	f(&MakeGraphOp{}, "T | «make-graph a --> b with (U | take 1) on c» | graph-to-table nodes")
	f(&GraphNodes{}, "T | make-graph a --> b with «(U | take 1) on c», «V on d» | graph-to-table nodes")
	f(&GraphPattern{}, "G | graph-match «(a)-[e*1..5]->(b)», «(b)--()» where a.x == 1 project b.x")
	f(&GraphEdge{}, "G | graph-match (a)«-[e*1..5]->»(b)«--»()«<-[f]-»(c)«<--»(d)")
	f(&GraphOutput{}, "G | graph-to-table «nodes as N with_node_id=i», «edges»")
	f(&GraphMarkOp{}, "G | «graph-mark-components kind=strong with_component_id=c» | count")
	f(&BadOp{}, "T | «wher» a == 1 | count")
	f(&Bad{}, "T | where a == «»| take 1")
	f(&CountOp{}, "T | «count» | «count as n»")
	f(&ScanStep{}, "T | scan with («step a: x > 1 => s = 1»; «step b optional output=all: true»;)")
	f(&TopNestedLevel{}, "T | «top-nested 3 of a by count() desc», «top-nested of b with others=1 by max(c)»")
}

// TestWalk: Walk meets every node that reflection finds.
func TestWalk(t *testing.T) {
	node := reflect.TypeFor[Node]()
	var count func(v reflect.Value) int
	count = func(v reflect.Value) (n int) {
		switch v.Kind() {
		case reflect.Interface:
			return count(v.Elem())
		case reflect.Pointer:
			if v.IsNil() {
				return 0
			}
			if v.Type().Implements(node) {
				n = 1
			}
			return n + count(v.Elem())
		case reflect.Slice:
			for i := range v.Len() {
				n += count(v.Index(i))
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).Name != "OnX" {
					n += count(v.Field(i))
				}
			}
		}
		return n
	}
	for _, src := range seeds {
		q, _ := Parse(src)
		want, got := count(reflect.ValueOf(q)), 0
		Walk(q, func(Node) bool { got++; return true })
		if got != want {
			t.Errorf("%q: Walk meets %d nodes of %d", src, got, want)
		}
	}
	Walk(nil, func(Node) bool { t.Error("nil is visited"); return true })
}
