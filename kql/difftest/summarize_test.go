package difftest

import (
	"slices"

	"picket/kql"
	"picket/kql/syntax"
)

// summarize makes one row of each group: page "summarize operator". The groups'
// columns come first; without by there is one group, even of no rows.
func (e *evaluator) summarize(r *relation, op *syntax.SummarizeOp, in *lets) *relation {
	r.settled()
	sc := &scope{cols: r.cols, lets: in}
	out := &relation{limit: -1}
	m := namer{}
	var keys []expr
	byName := map[string]bool{}
	for _, x := range op.Groups {
		k := e.bind(x, sc)
		keys = append(keys, k)
		out.cols = append(out.cols, kql.Column{Name: m.projected(x), Type: k.typ})
		if n, ok := x.(*syntax.NamedExpr); ok {
			x = n.X
		}
		if n, ok := x.(*syntax.Name); ok {
			byName[n.Text] = true
		}
	}
	groups := grouped(r, keys)
	if len(keys) == 0 && len(groups) == 0 && e.within > 0 {
		silent("a summary of no rows within a subquery")
	}
	if len(keys) == 0 && len(groups) == 0 {
		groups = []group{{}}
	}
	sc.agg = true
	var aggs []expr
	for _, x := range op.Aggs {
		for _, c := range e.aggregates(x, sc, byName) {
			aggs = append(aggs, c.expr)
			out.cols = append(out.cols, kql.Column{Name: m.unique(c.name), Type: c.typ})
		}
	}
	ordered := isSerial(r)
	for _, g := range groups {
		row := slices.Clone(g.key)
		for _, a := range aggs {
			row = append(row, a.eval(&at{rows: g.rows, ordered: ordered}))
		}
		out.rows = append(out.rows, row)
	}
	return out
}

type group struct {
	key  []any
	rows [][]any
}

// grouped divides the rows by the values of keys.
func grouped(r *relation, keys []expr) []group {
	var out []group
	at0 := map[string]int{}
	for i, row := range r.rows {
		var k []any
		for _, x := range keys {
			k = append(k, fixed(x.eval(&at{rows: r.rows, i: i})))
		}
		n, ok := at0[rowKey(k)]
		if !ok {
			n = len(out)
			at0[rowKey(k)] = n
			out = append(out, group{key: k})
		}
		out[n].rows = append(out[n].rows, row)
	}
	return out
}

// isSerial reports whether the order of r's rows is certain.
func isSerial(r *relation) (ok bool) {
	defer func() {
		if v := recover(); v != nil {
			if _, open := v.(unspecified); !open {
				panic(v)
			}
			ok = false
		}
	}()
	r.serial()
	return true
}

type namedExpr struct {
	name string
	expr
}

// aggregates binds one item of summarize; arg_max and its like give several columns.
func (e *evaluator) aggregates(x syntax.Expr, sc *scope, by map[string]bool) []namedExpr {
	name := ""
	if n, ok := x.(*syntax.NamedExpr); ok {
		name, x = n.Names[0].Text, n.X
	}
	if c, ok := x.(*syntax.Call); ok {
		switch c.Func.Text {
		case "arg_max", "arg_min":
			return e.extreme(c, sc, by, name)
		}
		if name == "" {
			name = aggregateName(c)
		}
	}
	if name == "" {
		name = implied(x)
	}
	return []namedExpr{{name, e.bind(x, sc)}}
}

// extreme is arg_max and arg_min: a row for which the first argument is
// greatest. Which one of several is left open, and so is a group of nulls.
func (e *evaluator) extreme(c *syntax.Call, sc *scope, by map[string]bool, name string) []namedExpr {
	inner := &scope{cols: sc.cols, lets: sc.lets}
	first := e.bind(c.Args[0], inner)
	if name == "" {
		name = implied(c.Args[0])
	}
	cols := []namedExpr{{name, first}}
	for _, a := range c.Args[1:] {
		if _, ok := a.(*syntax.Wildcard); !ok {
			cols = append(cols, namedExpr{implied(a), e.bind(a, inner)})
			continue
		}
		for i, col := range sc.cols {
			if !by[col.Name] && col.Name != implied(c.Args[0]) {
				cols = append(cols, namedExpr{col.Name, expr{typ: col.Type, eval: func(a *at) any { return a.row()[i] }}})
			}
		}
	}
	sign := 1
	if c.Func.Text == "arg_min" {
		sign = -1
	}
	best := func(a *at) []int {
		var win []int
		for i := range a.rows {
			v := fixed(first.eval(&at{rows: a.rows, i: i}))
			if v == nil {
				continue
			}
			c := 1
			if len(win) > 0 {
				c = order(v, first.eval(&at{rows: a.rows, i: win[0]})) * sign
			}
			win = better(win, i, c)
		}
		return win
	}
	for k := range cols {
		eval := cols[k].eval
		typ := cols[k].typ
		cols[k].eval = func(a *at) any {
			win := best(a)
			if len(a.rows) == 0 {
				return blanks([]kql.Column{{Type: typ}})[0]
			}
			if len(win) == 0 {
				for i := range a.rows {
					win = append(win, i)
				}
			}
			var vals [][]any
			for _, i := range win {
				vals = append(vals, []any{eval(&at{rows: a.rows, i: i})})
			}
			return anyRow(vals)[0]
		}
	}
	return cols
}

func better(win []int, i, c int) []int {
	switch {
	case c > 0:
		return []int{i}
	case c == 0:
		return append(win, i)
	}
	return win
}
