package kql

import (
	"slices"
	"strconv"
	"strings"

	"picket/kql/syntax"
)

// summarize groups the rows. The groups' columns come first, then the
// aggregates'. Without by there is one group, even over no rows.
func (b *binder) summarize(op *syntax.SummarizeOp, r *relation, c *ctx) *relation {
	if len(op.Aggs) == 0 && !op.HasBy {
		b.errorf(op, "SEM0013", "summarize needs an aggregate such as count(), or by and what to group by")
		return r
	}
	s := newSelection()
	b.namedOnce(op.Groups, op.Aggs)
	group := map[string]bool{}
	var keys []string
	s.m.avoid = map[string]bool{}
	for _, col := range r.cols {
		s.m.avoid[col.name] = true
	}
	for _, x := range op.Groups {
		before := len(s.cols)
		b.groupKey(s, x, c)
		if _, inner := explicitName(x); len(s.cols) > before {
			if n, ok := inner.(*syntax.Name); ok {
				group[n.Text] = true
			}
		}
	}
	for i := range s.cols {
		keys = append(keys, strconv.Itoa(i+1))
	}
	for _, x := range op.Aggs {
		b.aggregates(s, x, r, c, group)
	}
	if len(s.list) == 0 {
		return r
	}
	nkeys := len(keys)
	if r.part != nil {
		keys = append(keys, r.part.ref())
	}
	tail := r.partList() + " FROM " + r.from
	if len(keys) > 0 {
		tail += " GROUP BY " + strings.Join(keys, ", ")
	}
	out := b.heavy("SELECT "+s.sql()+tail, s.cols)
	if len(s.list) > manyAggregates && nkeys > 0 {
		// arg_max(t, *) over a union of everything has thousands of columns.
		b.ctes[len(b.ctes)-1].late = func(read identifiers) string {
			list := slices.Clone(s.list[:nkeys])
			for i, col := range s.cols[nkeys:] {
				if read[col.ref()] {
					list = append(list, s.list[nkeys+i])
				}
			}
			return "SELECT " + strings.Join(list, ", ") + tail
		}
	}
	out.part = r.part
	if r.loose != nil && slices.ContainsFunc(op.Aggs, takesAll) {
		out.loose = r.loose
	}
	return out
}

// takesAll reports whether x is a call with *, such as arg_max(t, *).
func takesAll(x syntax.Expr) bool {
	if n, ok := x.(*syntax.NamedExpr); ok {
		x = n.X
	}
	call, ok := x.(*syntax.Call)
	return ok && slices.ContainsFunc(call.Args, isStar)
}

// manyAggregates is from how many columns on a summarize waits to learn which
// of them are read.
const manyAggregates = 200

// groupKey adds one key of by to s.
func (b *binder) groupKey(s *selection, x syntax.Expr, c *ctx) {
	from := len(s.cols)
	if n, ok := x.(*syntax.Name); ok {
		if _, ok := find(c.cols, n.Text); !ok {
			// What a bag holds under a name may be any type: a column would have it.
			if e, ok := b.openRef(n, c); ok {
				s.add(n.Text, asText(e))
				return
			}
		}
	}
	b.projectedBy(s, x, c, func(e expr) expr {
		if e.lit != nil { // DuckDB takes the same constant within an aggregate for the key
			e.sql, e.lit = "CASE WHEN true THEN "+e.sql+" END", nil
		}
		return b.beforehand(c.src, e)
	})
	for _, col := range s.cols[from:] {
		if col.typ == Dynamic {
			b.report(x.Span(), "SEM0048", "wrap it in tostring(…)", "summarize cannot group by a dynamic value")
		}
	}
}

// beforehand computes e in a step before the aggregation if it holds a window,
// which SQL does not allow there.
func (b *binder) beforehand(r *relation, e expr) expr {
	if e.window && r != nil {
		e.sql, e.window = b.hoist(r, e.sql), false
	}
	return e
}

// aggregates adds the columns of one aggregate expression to s.
func (b *binder) aggregates(s *selection, x syntax.Expr, r *relation, c *ctx, group map[string]bool) {
	var names []*syntax.Name
	inner := x
	if n, ok := x.(*syntax.NamedExpr); ok {
		names, inner = n.Names, n.X
	}
	for p, ok := inner.(*syntax.Paren); ok; p, ok = inner.(*syntax.Paren) {
		inner = p.X
	}
	agg := &ctx{env: c.env, cols: c.cols, qual: c.qual, src: c.src, loose: c.loose, aggs: true}
	if call, ok := inner.(*syntax.Call); ok && call.Func != nil {
		if f, ok := lookupAggregate(call.Func.Text); ok {
			if _, own := c.env.lookup(call.Func.Text); !own {
				b.aggregateColumns(s, f, call, names, agg, group)
				return
			}
		}
	}
	e := b.scalar(inner, agg)
	if len(names) > 0 {
		s.add(names[0].Text, e)
	} else {
		s.auto(inner, e)
	}
}

// aggregateColumns adds the one or more columns of an aggregate call to s.
func (b *binder) aggregateColumns(s *selection, f *function, call *syntax.Call, names []*syntax.Name, c *ctx, group map[string]bool) {
	cols := b.aggregateCall(f, call, c, group)
	for i, col := range cols {
		name := col.name
		if i < len(names) {
			name = names[i].Text
		}
		if name == "" {
			name = s.m.next()
			delete(s.m.taken, name)
		}
		e := expr{sql: aggSQL(col), typ: col.typ, scaled: col.scaled}
		if smallAggregates[f.name] {
			e.bound = smallBound
		}
		s.add(name, e)
	}
}

// aggSQL keeps strings from being NULL where a group has no value.
func aggSQL(col aggColumn) string {
	if col.typ == String && !strings.HasPrefix(col.sql, "coalesce(") {
		return "coalesce(" + col.sql + ", '')"
	}
	return col.sql
}

// aggregateCall binds a call of an aggregate.
func (b *binder) aggregateCall(f *function, call *syntax.Call, c *ctx, group map[string]bool) []aggColumn {
	inner := *c
	inner.inAgg = true
	var args []expr
	var names []string
	good := true
	for i, a := range call.Args {
		if w, ok := a.(*syntax.Wildcard); ok && w.Pattern == "*" {
			first := ""
			if i > 0 {
				first = resultName(call.Args[0])
			}
			for _, col := range c.cols {
				if !group[col.name] && !(i > 0 && col.name == first) {
					args = append(args, expr{sql: c.qual + col.ref(), typ: col.typ})
					names = append(names, col.name)
				}
			}
			continue
		}
		e := b.beforehand(c.src, b.scalar(a, &inner))
		good = good && (e.typ != Unknown || b.opt.Open)
		args = append(args, e)
		names = append(names, resultName(a))
	}
	if !good {
		return []aggColumn{{name: f.name + "_", typ: Unknown, sql: "NULL"}}
	}
	if realAggregate(f.name) {
		for i := range args {
			args[i] = args[i].unscaled()
		}
	}
	cols, err := f.aggregate(args, names, b.opt.Now)
	for i := range cols {
		cols[i].scaled = cols[i].typ == Decimal && allScaled(args)
	}
	if err != nil {
		b.report(call.Span(), "SEM0003", "", err.Error())
		return []aggColumn{{name: f.name + "_", typ: Unknown, sql: "NULL"}}
	}
	if f.columns == nil && anyUnknown(args) {
		if cols[0].typ, err = f.resultType(args); err != nil {
			b.report(call.Span(), "SEM0003", "", err.Error())
		}
	}
	return cols
}

// aggregateScalar binds an aggregate inside a larger expression.
func (b *binder) aggregateScalar(f *function, call *syntax.Call, c *ctx) expr {
	cols := b.aggregateCall(f, call, c, nil)
	if len(cols) == 0 {
		return unknown()
	}
	return expr{sql: aggSQL(cols[0]), typ: cols[0].typ, scaled: cols[0].scaled}
}
