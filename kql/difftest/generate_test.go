package difftest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"picket/kql"
	"picket/kql/syntax"
)

// generator writes random queries that are well typed.
type generator struct {
	r     *rand.Rand
	empty *evaluator // over the tables without rows: it knows what columns come out

	scope  []kql.Column // what an expression sees
	lets   []kql.Column // scalars that let statements bind
	head   string       // those statements
	tables []string     // tables that they bind
	fns    []called     // functions that they bind
	n      int          // for fresh names
}

// schema is what columns a query gives, or false where the evaluator has no answer.
func (g *generator) schema(src string) (cols []kql.Column, ok bool) {
	src = g.head + src
	q, diags := syntax.Parse(src)
	if len(diags) > 0 {
		panic(fmt.Sprintf("the generated query does not parse: %v\n%s", diags, src))
	}
	rel, err := g.empty.safely(q)
	if err != nil {
		if errors.As(err, new(openError)) {
			return nil, false
		}
		panic(fmt.Sprintf("%v\n%s", err, src))
	}
	return rel.cols, len(rel.cols) > 0
}

func pick[T any](g *generator, list ...T) T { return list[g.r.IntN(len(list))] }

// one reports true once in n times.
func (g *generator) one(n int) bool { return g.r.IntN(n) == 0 }

func (g *generator) fresh() string {
	g.n++
	return fmt.Sprintf("x%d", g.n)
}

// query writes a query: let statements, a source, and operators.
func (g *generator) query() string {
	g.n, g.lets, g.head, g.tables, g.fns = 0, nil, "", nil, nil
	g.statements()
	body := g.source()
	cols, ok := g.schema(body)
	for range 1 + g.r.IntN(5) {
		if !ok {
			return ""
		}
		op := g.op(cols)
		if op == "" {
			continue
		}
		if next, good := g.schema(body + "\n| " + op); good {
			body, cols = body+"\n| "+op, next
			if strings.HasPrefix(op, "take ") {
				break
			}
		}
	}
	return g.head + body
}

// table is one of the stored tables.
func (g *generator) table() string {
	if len(g.tables) > 0 && g.one(2) {
		return pick(g, g.tables...)
	}
	return pick(g, "TabA", "TabB", "TabC")
}

func (g *generator) source() string {
	switch g.r.IntN(12) {
	case 0:
		if g.one(3) {
			return "union " + g.unionHints() + "TabA, TabB, " + g.table()
		}
		return "union " + g.unionHints() + g.table() + ", " + g.table()
	case 1:
		return "range l from " + pick(g, "0", "-3") + " to " + pick(g, "5", "-4", "9") + " step " + pick(g, "1", "3")
	case 2:
		g.scope = nil
		return "print a = " + g.expr(g.scalarType(), 2) + ", b = " + g.expr(g.scalarType(), 2)
	}
	return g.table()
}

func (g *generator) unionHints() string {
	s := pick(g, "", "", "kind=inner ", "kind=outer ")
	if g.one(3) {
		s += "withsource=src "
	}
	return s
}

// subquery is a table with an operator or two.
func (g *generator) subquery() (string, []kql.Column) {
	src := g.table()
	cols, _ := g.schema(src)
	for range g.r.IntN(3) {
		if op := g.simpleOp(cols); op != "" {
			if next, ok := g.schema(src + " | " + op); ok {
				src, cols = src+" | "+op, next
			}
		}
	}
	return src, cols
}

func (g *generator) scalarType() kql.Type {
	return pick(g, kql.Bool, kql.Int, kql.Long, kql.Long, kql.Real, kql.String, kql.String, kql.String, kql.DateTime, kql.TimeSpan, kql.Dynamic, kql.Guid, kql.Decimal)
}

func names(cols []kql.Column, types ...kql.Type) []string {
	var out []string
	for _, c := range cols {
		if len(types) == 0 || slices.Contains(types, c.Type) {
			out = append(out, c.Name)
		}
	}
	return out
}

// keys are the columns that can be sorted, grouped and joined by.
func keys(cols []kql.Column) []string {
	return names(cols, kql.Bool, kql.Int, kql.Long, kql.Real, kql.Decimal, kql.String, kql.DateTime, kql.TimeSpan)
}

// some picks a few different elements, at least one; nil of none.
func (g *generator) some(list []string, most int) []string {
	if len(list) == 0 {
		return nil
	}
	list = slices.Clone(list)
	g.r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
	return list[:1+g.r.IntN(min(most, len(list)))]
}

// simpleOp is an operator that looks at one row at a time.
func (g *generator) simpleOp(cols []kql.Column) string {
	g.scope = cols
	switch g.r.IntN(8) {
	case 0, 1, 2:
		return "where " + g.expr(kql.Bool, 3)
	case 3, 4:
		return "extend " + g.columns(1+g.r.IntN(2))
	case 5:
		return "project " + g.columns(1+g.r.IntN(4))
	}
	return g.projectOp(cols)
}

// columns writes a list of expressions, most with a name.
func (g *generator) columns(n int) string {
	var out []string
	for i := range n {
		// Which of two columns that imply one name wins is not described.
		switch k := g.r.IntN(6); {
		case k < 3 && i > 0:
		case k == 0:
			if c := names(g.scope); len(c) > 0 {
				out = append(out, pick(g, c...))
			}
		case k == 1:
			if c := names(g.scope); len(c) > 0 {
				out = append(out, pick(g, c...)+" = "+g.expr(g.scalarType(), 3))
			}
		case k == 2:
			out = append(out, g.impliedName())
		default:
			out = append(out, g.fresh()+" = "+g.expr(g.scalarType(), 3))
		}
	}
	out = slices.DeleteFunc(out, func(s string) bool { return s == "" })
	if len(out) == 0 {
		return g.fresh() + " = 1"
	}
	return strings.Join(out, ", ")
}

// impliedName is an expression whose column gets a name from it.
func (g *generator) impliedName() string {
	if c := names(g.scope, kql.Dynamic); len(c) > 0 && g.one(2) {
		return pick(g, c...) + pick(g, ".a", ".a.b", `["b"]`)
	}
	if c := names(g.scope, kql.DateTime); len(c) > 0 && g.one(2) {
		return pick(g, "bin("+pick(g, c...)+", 1d)", "startofday("+pick(g, c...)+")")
	}
	if c := names(g.scope, kql.String); len(c) > 0 {
		return pick(g, "strlen(", "tolong(", "tostring(") + pick(g, c...) + ")"
	}
	return ""
}

func (g *generator) projectOp(cols []kql.Column) string {
	all := names(cols)
	some := g.some(all, 3)
	switch g.r.IntN(4) {
	case 0:
		if len(some) == len(all) {
			return ""
		}
		return "project-away " + strings.Join(some, ", ")
	case 1:
		return "project-keep " + strings.Join(some, ", ")
	case 2:
		var out []string
		for _, n := range some {
			out = append(out, g.fresh()+" = "+n)
		}
		return "project-rename " + strings.Join(out, ", ")
	}
	return "project-reorder " + strings.Join(some, ", ")
}
