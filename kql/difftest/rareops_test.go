package difftest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"picket/kql"
	"picket/kql/syntax"
)

func (e *evaluator) rareOp(r *relation, op syntax.Op, in *lets) *relation {
	switch op := op.(type) {
	case *syntax.MvExpandOp:
		out, _ := e.mvExpand(r, op.Hints, op.Items, op.Limit, in)
		return out
	case *syntax.MvApplyOp:
		return e.mvApply(r, op, in)
	case *syntax.ParseOp:
		return e.parse(r, op, in)
	case *syntax.TopNestedOp:
		return e.topNested(r, op, in)
	case *syntax.MakeSeriesOp:
		return e.makeSeries(r, op, in)
	case *syntax.PartitionOp:
		return e.partition(r, op, in)
	case *syntax.SampleOp:
		// Any N rows: page "sample operator".
		return take(r.loose(), e.count(op.N, in))
	case *syntax.GetSchemaOp:
		return getSchema(r)
	}
	panic(fmt.Sprintf("no evaluation of %T", op))
}

// getSchema lists the columns: page "getschema operator".
func getSchema(r *relation) *relation {
	out := &relation{limit: -1, cols: []kql.Column{{Name: "ColumnName", Type: kql.String}, {Name: "ColumnOrdinal", Type: kql.Long}, {Name: "DataType", Type: kql.String}, {Name: "ColumnType", Type: kql.String}}}
	dotNet := map[kql.Type]string{kql.Bool: "System.SByte", kql.Int: "System.Int32", kql.Long: "System.Int64", kql.Real: "System.Double", kql.Decimal: "System.Data.SqlTypes.SqlDecimal",
		kql.String: "System.String", kql.DateTime: "System.DateTime", kql.TimeSpan: "System.TimeSpan", kql.Dynamic: "System.Object", kql.Guid: "System.Guid"}
	for i, c := range r.cols {
		out.rows = append(out.rows, []any{c.Name, int64(i), dotNet[c.Type], c.Type.String()})
	}
	return out
}

// mvApply expands each row and applies a subquery to what it gives: page
// "mv-apply operator". Columns of the row that the subquery's result lacks are
// repeated before it.
func (e *evaluator) mvApply(r *relation, op *syntax.MvApplyOp, in *lets) *relation {
	expanded, origin := e.mvExpand(r.settled(), op.Hints, op.Items, op.Limit, in)
	sub := func(i int) *relation {
		part := &relation{cols: expanded.cols, limit: -1}
		for j, row := range expanded.rows {
			if origin[j] == i {
				part.rows, part.rank = append(part.rows, row), append(part.rank, len(part.rows))
			}
		}
		if i < 0 {
			return e.pipe(part, op.On, in)
		}
		if len(part.rows) == 0 {
			silent("a subquery over an empty array")
		}
		return e.part(part, op.On, in)
	}
	empty := sub(-1)
	var keep []int
	for i, c := range r.cols {
		if empty.index(c.Name) < 0 {
			keep = append(keep, i)
		}
	}
	out := &relation{limit: -1}
	for _, k := range keep {
		out.cols = append(out.cols, r.cols[k])
	}
	out.cols = append(out.cols, empty.cols...)
	for i, row := range r.rows {
		var head []any
		for _, k := range keep {
			head = append(head, row[k])
		}
		for _, line := range sub(i).settled().rows {
			out.rows = append(out.rows, append(slices.Clone(head), line...))
		}
	}
	return out
}

// parse takes columns out of a text: page "parse operator", which gives the
// regular expression that a pattern means.
func (e *evaluator) parse(r *relation, op *syntax.ParseOp, in *lets) *relation {
	r.settled()
	x := e.bind(op.X, &scope{cols: r.cols, lets: in})
	re := "(?s)^"
	cols := slices.Clone(r.cols)
	var types []kql.Type
	for i, p := range op.Pattern {
		t, name := kql.String, ""
		switch p := p.(type) {
		case *syntax.Wildcard:
			re += ".*?"
		case *syntax.Literal:
			re += regexp.QuoteMeta(p.Text)
		case *syntax.Name:
			name = p.Text
		case *syntax.TypedName:
			name = p.Name.Text
			t, _ = kql.ParseType(p.Type.Text)
		}
		if name == "" {
			continue
		}
		cols, types = append(cols, kql.Column{Name: name, Type: t}), append(types, t)
		if t == kql.Long {
			re += `(-?\d+)`
		} else {
			re += "(.*?)"
		}
		if i == len(op.Pattern)-1 {
			re += "$"
		}
	}
	pattern := regexp.MustCompile(re)
	out := &relation{cols: cols, limit: -1}
	for i, row := range r.rows {
		text := textOf(x.eval(&at{rows: r.rows, i: i}), x.typ)
		if strings.Contains(text, "\n") || strings.Contains(text, " ") && slices.Contains(types, kql.Long) {
			silent("parsing lines, and blanks before a number")
		}
		m := pattern.FindStringSubmatch(text)
		if m == nil && op.WhereOnly {
			continue
		}
		line := append(slices.Clone(row), blanks(cols[len(row):])...)
		for k, t := range types {
			if m == nil {
				break
			}
			line[len(row)+k] = m[k+1]
			if t == kql.Long {
				line[len(row)+k] = readNumber(m[k+1], 64)
			}
		}
		out.rows = append(out.rows, line)
		if r.rank != nil {
			out.rank = append(out.rank, r.rank[i])
		}
	}
	return out
}

// topNested takes the top values of each level within those of the level above:
// page "top-nested operator". Of ties and nulls it does not speak.
func (e *evaluator) topNested(r *relation, op *syntax.TopNestedOp, in *lets) *relation {
	r.settled()
	out := &relation{limit: -1}
	m := namer{}
	for _, l := range op.Levels {
		sc := &scope{cols: r.cols, lets: in}
		key := e.bind(l.Of, sc)
		name := m.projected(l.Of)
		out.cols = append(out.cols, kql.Column{Name: name, Type: key.typ})
		agg := e.aggregates(l.By, &scope{cols: r.cols, lets: in, agg: true}, nil)[0]
		if _, named := l.By.(*syntax.NamedExpr); !named {
			agg.name = "aggregated_" + name
			if name != implied(l.Of) {
				silent("the name of an aggregate of a renamed column")
			}
		}
		out.cols = append(out.cols, kql.Column{Name: m.unique(agg.name), Type: agg.typ})
	}
	out.rows = e.nestedRows(r, op.Levels, in)
	return out
}

func (e *evaluator) nestedRows(r *relation, levels []*syntax.TopNestedLevel, in *lets) [][]any {
	if len(levels) == 0 {
		return [][]any{nil}
	}
	l := levels[0]
	key := e.bind(l.Of, &scope{cols: r.cols, lets: in})
	agg := e.aggregates(l.By, &scope{cols: r.cols, lets: in, agg: true}, nil)[0]
	type ranked struct {
		group
		v any
	}
	var list []ranked
	for _, g := range grouped(r, []expr{key}) {
		v := fixed(agg.eval(&at{rows: g.rows}))
		if v == nil {
			silent("top-nested by null")
		}
		list = append(list, ranked{g, v})
	}
	slices.SortStableFunc(list, func(a, b ranked) int {
		c := order(b.v, a.v)
		if l.Dir == syntax.Asc {
			c = -c
		}
		return c
	})
	if n := len(list); l.N != nil {
		n = min(n, e.count(l.N, in))
		if n < len(list) && n > 0 && order(list[n-1].v, list[n].v) == 0 {
			silent("ties in top-nested")
		}
		list = list[:n]
	}
	var out [][]any
	for _, g := range list {
		for _, rest := range e.nestedRows(&relation{cols: r.cols, rows: g.rows, limit: -1}, levels[1:], in) {
			out = append(out, append([]any{g.key[0], g.v}, rest...))
		}
	}
	return out
}

// makeSeries aggregates along an axis in equal steps: page "make-series operator".
func (e *evaluator) makeSeries(r *relation, op *syntax.MakeSeriesOp, in *lets) *relation {
	r.settled()
	sc := &scope{cols: r.cols, lets: in}
	axis := e.bind(op.On, sc)
	num := func(x syntax.Expr) int64 { return e.bind(x, &scope{lets: in}).eval(&at{}).(int64) }
	from, to, step := num(op.From), num(op.To), num(op.Step)
	out := &relation{limit: -1}
	m := namer{}
	var keys []expr
	for _, x := range op.Groups {
		k := e.bind(x, sc)
		keys = append(keys, k)
		out.cols = append(out.cols, kql.Column{Name: m.projected(x), Type: k.typ})
	}
	var aggs []namedExpr
	var missing []any
	for _, a := range op.Aggs {
		agg := e.aggregates(a.X, &scope{cols: r.cols, lets: in, agg: true}, nil)[0]
		aggs = append(aggs, agg)
		var d any = int64(0)
		if a.Default != nil {
			d = e.bind(a.Default, &scope{lets: in}).eval(&at{})
		}
		if n, ok := d.(int64); ok && agg.typ == kql.Real {
			d = float64(n)
		}
		missing = append(missing, d)
		out.cols = append(out.cols, kql.Column{Name: m.unique(agg.name), Type: kql.Dynamic})
	}
	out.cols = append(out.cols, kql.Column{Name: m.projected(op.On), Type: kql.Dynamic})
	points := []any{}
	for v := from; v < to; v += step {
		points = append(points, any(v))
		if axis.typ == kql.DateTime {
			points[len(points)-1] = textOf(v, axis.typ)
		}
	}
	for _, g := range grouped(r, keys) {
		bins := make([][][]any, len(points))
		some := false
		for i, row := range g.rows {
			v, ok := fixed(axis.eval(&at{rows: g.rows, i: i})).(int64)
			if ok && v >= from && v < to {
				bins[(v-from)/step] = append(bins[(v-from)/step], row)
				some = true
			}
		}
		if !some {
			silent("a group outside of the series")
		}
		row := slices.Clone(g.key)
		for k, a := range aggs {
			list := []any{}
			for _, b := range bins {
				if len(b) == 0 {
					list = append(list, missing[k])
				} else {
					list = append(list, dynamicOf(fixed(a.eval(&at{rows: b})), a.typ))
				}
			}
			row = append(row, list)
		}
		out.rows = append(out.rows, append(row, points))
	}
	return out
}

// partition applies a subquery to the rows of each key: page "partition operator".
func (e *evaluator) partition(r *relation, op *syntax.PartitionOp, in *lets) *relation {
	r.settled()
	key := e.bind(op.By, &scope{cols: r.cols, lets: in})
	out := e.pipe(&relation{cols: r.cols, limit: -1}, op.Ops, in)
	out = &relation{cols: out.cols, limit: -1}
	for _, g := range grouped(r, []expr{key}) {
		if g.key[0] == nil {
			silent("a partition of nulls")
		}
		out.rows = append(out.rows, e.part(&relation{cols: r.cols, rows: g.rows, limit: -1}, op.Ops, in).settled().rows...)
	}
	return out
}

// part applies a subquery to a part of a table. Whether a part that lost its
// rows on the way still has a summary the pages do not say.
func (e *evaluator) part(r *relation, ops []syntax.Op, in *lets) *relation {
	e.within++
	defer func() { e.within-- }()
	return e.pipe(r, ops, in)
}
