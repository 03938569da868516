package difftest

import (
	"strings"

	"picket/kql"
)

// rareOp writes an operator that is less common.
func (g *generator) rareOp(cols []kql.Column) string {
	switch g.r.IntN(9) {
	case 0, 1:
		return g.parse()
	case 2, 3:
		return g.mvApply(cols)
	case 4:
		return g.topNested(cols)
	case 5, 6:
		return g.makeSeries(cols)
	case 7:
		if k := g.some(names(cols, kql.Long, kql.Int, kql.String, kql.Bool), 1); k != nil {
			if sub := pick(g, "count", g.sort("top 1 by ", cols), g.summarize(cols), "where "+g.expr(kql.Bool, 2)); sub != "" {
				return "partition " + pick(g, "", "hint.strategy=native ") + "by " + k[0] + " (" + sub + ")"
			}
		}
	case 8:
		return pick(g, "sample 2", "sample 100", "getschema", "distinct *")
	}
	return ""
}

func (g *generator) parse() string {
	x, y := g.fresh(), g.fresh()
	delimiter := func() string { return pick(g, `"a"`, `"_"`, `" "`, `"b"`, `","`, `"-"`) }
	pattern := pick[fillable](g, "* %s %s %s %s", "%s %s %s %s:string", "* %s %s:long *", "%s %s *", "* %s %s:string").fill(delimiter(), x, delimiter(), y)
	if strings.HasPrefix(pattern, `"`) && strings.HasSuffix(pattern, "*") {
		pattern = delimiter() + " " + x + " " + delimiter() + " *"
	}
	return pick(g, "parse ", "parse-where ") + g.expr(kql.String, 1) + " with " + pattern
}

// mvApply writes a subquery over the elements of an array.
func (g *generator) mvApply(cols []kql.Column) string {
	x := g.fresh()
	t := pick(g, kql.Long, kql.String)
	g.scope = cols
	of := "pack_array(" + g.leaf(t) + ", " + g.leaf(t) + ")"
	if d := names(cols, kql.Dynamic); len(d) > 0 && g.one(2) {
		of = pick(g, d...)
	} else if g.one(2) {
		of = pick(g, "dynamic([3,1,2])", "range(0, 3, 1)", `dynamic(["b","a_b","B"])`, `split("x,a", ",")`)
	}
	g.scope = append([]kql.Column{{Name: x, Type: t}}, cols...)
	ops := []string{pick(g, "where "+g.expr(kql.Bool, 2), "top 1 by "+x+" desc", "extend "+g.fresh()+" = "+g.expr(pick(g, kql.Long, kql.String), 2), "sort by "+x+" asc")}
	if g.one(2) {
		ops = append(ops, "summarize "+g.fresh()+" = "+pick(g, "count()", "make_list("+x+")", "max("+x+")", "make_set("+x+")"))
	}
	return "mv-apply " + pick(g, "", "with_itemindex="+g.fresh()+" ") + x + " = " + of + " to typeof(" + t.String() + ") on (" + strings.Join(ops, " | ") + ")"
}

func (g *generator) topNested(cols []kql.Column) string {
	var levels []string
	for _, k := range g.some(keys(cols), 2) {
		by := "count()"
		if n := names(cols, kql.Int, kql.Real); len(n) > 0 {
			by = pick(g, "count()", "sum(", "max(")
			if by != "count()" {
				by += pick(g, n...) + ")"
			}
		}
		levels = append(levels, "top-nested "+pick(g, "1 ", "2 ", "")+"of "+k+" by "+pick(g, "", g.fresh()+" = ")+by+pick(g, "", " asc", " desc"))
	}
	return strings.Join(levels, ", ")
}

func (g *generator) makeSeries(cols []kql.Column) string {
	var axis []string
	for _, n := range names(cols, kql.Long) {
		axis = append(axis, n+" from "+pick(g, "-10 to 10 step 5", "0 to 4 step 1", "-1 to 3 step 3"))
	}
	for _, n := range names(cols, kql.DateTime) {
		axis = append(axis, n+" from datetime(2023-12-31) to datetime(2024-03-02) step "+pick(g, "7d", "30d", "1d"))
	}
	if axis == nil {
		return ""
	}
	var by []string
	if g.one(2) {
		by = g.some(names(cols, kql.String, kql.Bool, kql.Int), 1)
	}
	agg := "count()"
	if n := names(cols, kql.Int, kql.Long, kql.Real); len(n) > 0 && g.one(2) {
		agg = pick(g, "sum(", "max(", "dcount(") + pick(g, n...) + ")"
	}
	s := "make-series " + g.fresh() + " = " + agg + pick(g, "", " default=0", " default=-1") + " on " + pick(g, axis...)
	if by != nil {
		s += " by " + by[0]
	}
	return s
}

// statements writes let statements: scalars, tables and functions.
func (g *generator) statements() {
	for g.one(4) {
		g.scope = nil
		name := g.fresh()
		t := pick(g, kql.Long, kql.String, kql.DateTime, kql.TimeSpan, kql.Bool, kql.Dynamic)
		g.head += "let " + name + " = " + g.expr(t, 1) + ";\n"
		g.lets = append(g.lets, kql.Column{Name: name, Type: t})
	}
	if g.one(8) {
		sub, cols := g.subquery()
		name := g.fresh()
		g.head += "let " + name + " = " + pick(g, "", "", "materialize") + "(" + sub + ");\n"
		g.tables = append(g.tables, name)
		if l := names(cols, kql.Long, kql.String, kql.DateTime); len(l) > 0 && g.one(2) {
			c := pick(g, l...)
			one := g.fresh()
			g.head += "let " + one + " = toscalar(" + name + " | summarize " + pick(g, "max(", "min(") + c + "));\n"
			g.lets = append(g.lets, kql.Column{Name: one, Type: typeOf(cols, c)})
		}
	}
	if g.one(8) {
		g.function1()
	}
}

// function1 writes a scalar function of the query.
func (g *generator) function1() {
	f := called{name: g.fresh(), ret: pick(g, kql.Long, kql.String, kql.Bool)}
	g.scope = nil
	var params []string
	for range 1 + g.r.IntN(2) {
		p := kql.Column{Name: g.fresh(), Type: pick(g, kql.Long, kql.String, kql.DateTime)}
		f.params = append(f.params, p.Type)
		g.scope = append(g.scope, p)
		params = append(params, p.Name+":"+p.Type.String())
	}
	g.head += "let " + f.name + " = (" + strings.Join(params, ", ") + ") { " + g.expr(f.ret, 2) + " };\n"
	g.fns = append(g.fns, f)
}

// called is a function that the query defines.
type called struct {
	name   string
	params []kql.Type
	ret    kql.Type
}

// ownCall writes a call of a function of the query that gives a t, or "".
func (g *generator) ownCall(t kql.Type, depth int) string {
	for _, f := range g.fns {
		if f.ret == t {
			var args []string
			for _, p := range f.params {
				args = append(args, g.expr(p, depth-1))
			}
			return f.name + "(" + strings.Join(args, ", ") + ")"
		}
	}
	return ""
}

// rareCondition writes a test against a list that is not written out.
func (g *generator) rareCondition(sub func(kql.Type) string) string {
	switch g.r.IntN(7) {
	case 0:
		return "(" + sub(kql.String) + pick(g, " in (", " !in (", " in~ (", " !in~ (", " has_any (") + `dynamic(["a","AB","x"])))`
	case 1:
		return "(" + sub(kql.Long) + pick(g, " in (", " !in (") + "dynamic([1,2,-7])))"
	case 2:
		return "(" + sub(kql.String) + pick(g, " in ((", " !in ((", " in~ ((", " has_any ((") + pick(g, "TabA", "TabB", "TabC") + " | project s)))"
	case 3:
		return "(" + sub(kql.String) + " matches regex " + pick(g, choices(patterns)...) + ")"
	case 4:
		return "(" + sub(kql.DateTime) + " between (" + g.literal(kql.DateTime) + " .. " + pick(g, "1d", "36h", "100d") + "))"
	case 5:
		if c := names(g.scope, kql.Dynamic); len(c) > 0 {
			return "(" + pick(g, c...) + pick(g, ".a == 1", `.a == "x"`, `.a != "x"`, "[0] == 1", `[0] == "a"`, "[1] > 1", ".a has 'x'", " == 5") + ")"
		}
	}
	return "(" + sub(kql.String) + pick(g, " has_any (", " has_all (") + `"a", "abc", "b"))`
}
