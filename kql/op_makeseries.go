package kql

import (
	"strings"

	"picket/kql/syntax"
)

// makeSeries aggregates into equal steps along an axis and makes one row a
// group, with an array for each aggregate and one for the axis.
func (b *binder) makeSeries(op *syntax.MakeSeriesOp, r *relation, c *ctx) *relation {
	axis := b.scalar(op.On, c)
	step := b.scalar(op.Step, &ctx{env: c.env})
	if axis.typ == Unknown || step.typ == Unknown {
		return nil
	}
	if axis.typ == Dynamic {
		axis = fromDynamic(axis, DateTime)
	}
	from, to := expr{}, expr{}
	if op.From != nil {
		from = b.castTo(b.scalar(op.From, &ctx{env: c.env}), axis.typ, op.From)
	}
	if op.To != nil {
		to = b.castTo(b.scalar(op.To, &ctx{env: c.env}), axis.typ, op.To)
	}
	div := " // "
	if axis.typ == Real || step.typ == Real {
		div = " / "
	}
	keys := newSelection()
	for _, x := range op.Groups {
		b.groupKey(keys, x, c)
	}
	lo, hi := from.sql, to.sql
	in := b.seriesInput(op, r, axis, div, step, keys, lo, hi)

	aggs := newSelection()
	var defaults []expr
	ac := &ctx{env: c.env, cols: in.cols, qual: "t.", src: in, loose: in.loose}
	for _, a := range op.Aggs {
		before := len(aggs.cols)
		b.aggregates(aggs, a.X, in, ac, nil)
		d := longLit(0)
		if a.Default != nil {
			d = b.scalar(a.Default, &ctx{env: c.env})
		}
		for range aggs.cols[before:] {
			defaults = append(defaults, d)
		}
	}
	kc := newSelection()
	for _, x := range op.Groups {
		b.projected(kc, x, ac)
	}
	g := seriesGrid{in: in.from, div: div, step: step, axis: axis, name: b.axisName(op.On, kc, aggs)}
	if kind, _ := hint(op.Hints, "kind"); strings.EqualFold(kind, "nonempty") && lo != "" && hi != "" && len(kc.cols) == 0 {
		g.always = "SELECT " + lo + ` AS "$lo", ` + seriesLength(op, lo, hi, step) + ` AS "$n"`
	}
	return b.seriesRows(kc, aggs, defaults, g)
}

// seriesInput emits the input inside the bounds with its place on the axis, and where the series of the
// row begins and how many steps it has: a bound that is not given is that of the row's own group.
func (b *binder) seriesInput(op *syntax.MakeSeriesOp, r *relation, axis expr, div string, step expr, keys *selection, lo, hi string) *relation {
	conds := []string{axis.sql + " IS NOT NULL"}
	if lo != "" {
		conds = append(conds, axis.sql+" >= "+lo)
	}
	if hi != "" && op.InRange {
		conds = append(conds, axis.sql+" <= "+hi)
	} else if hi != "" {
		conds = append(conds, axis.sql+" < "+hi)
	}
	over := " OVER ()"
	if len(keys.cols) > 0 {
		by := make([]string, len(keys.list))
		for i, k := range keys.list {
			by[i] = strings.TrimSuffix(k, " AS "+keys.cols[i].ref())
		}
		over = " OVER (PARTITION BY " + strings.Join(by, ", ") + ")"
	}
	first, end := lo, hi
	if lo == "" {
		first = "(floor(min(" + axis.sql + ")" + over + div + step.sql + ") * " + step.sql + ")::" + axis.typ.SQL()
	}
	if hi == "" {
		end = "(max(" + axis.sql + ")" + over + " + 1)"
	}
	in := b.step(r, "SELECT *, "+axis.sql+` AS "$axis", `+first+` AS "$lo", `+end+` AS "$hi" FROM `+r.from+" WHERE "+strings.Join(conds, " AND "), r.cols)
	return b.step(in, "SELECT *, "+seriesLength(op, `"$lo"`, `"$hi"`, step)+` AS "$n" FROM `+in.from, r.cols)
}

// seriesLength is how many steps there are from lo to hi.
func seriesLength(op *syntax.MakeSeriesOp, lo, hi string, step expr) string {
	if op.InRange {
		hi = "(" + hi + " + 1)"
	}
	n := "greatest(0, ceil((" + hi + " - " + lo + ")::DOUBLE / " + step.sql + "))"
	return "CASE WHEN " + n + " > " + maxSeries + " THEN error('make-series makes at most " + maxSeries + " values of a series, not ' || (" + n + ")::VARCHAR || ': use a larger step') ELSE (" + n + ")::BIGINT END"
}

// maxSeries is how many values an array of make-series can have, by the page
// "make-series operator".
const maxSeries = "1048576"

func (b *binder) axisName(on syntax.Expr, kc, aggs *selection) string {
	m := newNamer()
	for _, s := range []*selection{kc, aggs} {
		for _, col := range s.cols {
			m.taken[col.name] = true
		}
	}
	if n, ok := explicitName(on); n != "" {
		_ = ok
		return m.take(n)
	}
	return m.auto(on)
}

// seriesGrid is what the rows of make-series are made of.
type seriesGrid struct {
	in     string // the input, by seriesInput
	always string // SELECT of the bounds of a series that there is even without input, or ""
	div    string // how a place on the axis is divided by the step
	step   expr
	axis   expr
	name   string // of the axis in the result
}

// seriesRows emits the aggregation, the grid of groups and steps, and the arrays.
func (b *binder) seriesRows(kc, aggs *selection, defaults []expr, g seriesGrid) *relation {
	idx := `floor((t."$axis" - t."$lo")` + g.div + g.step.sql + ")::BIGINT"
	list, keys := "", ""
	for _, k := range kc.list {
		list += k + ", "
	}
	for _, col := range kc.cols {
		keys += col.ref() + ", "
	}
	agg := b.emit("SELECT "+list+`t."$lo" AS "$lo", t."$n" AS "$n", `+idx+` AS "$i", `+aggsAs(aggs)+" FROM "+g.in+" t GROUP BY ALL", false)
	groups := g.always
	if groups == "" {
		groups = "SELECT DISTINCT " + keys + `"$lo", "$n" FROM ` + agg
	}
	grid := b.emit(`SELECT *, unnest(range(0, "$n")) AS "$i" FROM (`+groups+")", false)
	s := newSelection()
	on := []string{`g."$i" = a."$i"`}
	for _, col := range kc.cols {
		s.add(col.name, expr{sql: "g." + col.ref(), typ: col.typ})
		on = append(on, "g."+col.ref()+" IS NOT DISTINCT FROM a."+col.ref())
	}
	n := len(s.list)
	for i, col := range aggs.cols {
		d := defaults[i]
		if d.typ != col.typ {
			if k, ok := convert(d, col.typ, false); ok {
				d = k
			}
		}
		ref := `a."$a` + formatInt(int64(i)) + `"`
		v := toDynamic(expr{sql: "(CASE WHEN a.\"$i\" IS NULL THEN " + d.sql + " ELSE " + ref + " END)", typ: col.typ})
		s.add(col.name, expr{sql: `to_json(list(` + v.sql + ` ORDER BY g."$i"))`, typ: Dynamic})
	}
	at := toDynamic(expr{sql: `(g."$lo" + g."$i" * ` + g.step.sql + ")", typ: g.axis.typ})
	s.add(g.name, expr{sql: `to_json(list(` + at.sql + ` ORDER BY g."$i"))`, typ: Dynamic})
	sql := "SELECT " + s.sql() + " FROM " + grid + " g LEFT JOIN " + agg + " a ON " + strings.Join(on, " AND ")
	if n > 0 {
		var by []string
		for i := range n {
			by = append(by, formatInt(int64(i+1)))
		}
		sql += " GROUP BY " + strings.Join(by, ", ")
	} else {
		sql += " HAVING count(*) > 0"
	}
	return b.heavy(sql, s.cols)
}

// aggsAs writes the aggregates under plain names, which cannot clash with a
// group's.
func aggsAs(aggs *selection) string {
	out := make([]string, len(aggs.list))
	for i, s := range aggs.list {
		out[i] = strings.TrimSuffix(s, " AS "+aggs.cols[i].ref()) + ` AS "$a` + formatInt(int64(i)) + `"`
	}
	return strings.Join(out, ", ")
}
