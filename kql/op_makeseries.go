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
	// The input with the axis as a column, inside the bounds.
	conds := []string{axis.sql + " IS NOT NULL"}
	if from.sql != "" {
		conds = append(conds, axis.sql+" >= "+from.sql)
	}
	if to.sql != "" {
		le := " < "
		if op.InRange {
			le = " <= "
		}
		conds = append(conds, axis.sql+le+to.sql)
	}
	in := b.step(r, "SELECT *, "+axis.sql+` AS "$axis" FROM `+r.from+" WHERE "+strings.Join(conds, " AND "), r.cols)
	lo, hi := from.sql, to.sql
	if lo == "" {
		lo = `min(floor("$axis"` + div + step.sql + ") * " + step.sql + ")::" + axis.typ.SQL()
	}
	if hi == "" {
		hi = `max("$axis") + 1`
	}
	if op.InRange {
		hi += " + 1"
	}
	over := " FROM " + in.from
	if from.sql != "" && to.sql != "" {
		over = ""
	}
	bounds := b.emit("SELECT lo, CASE WHEN m > "+maxSeries+" THEN error('make-series makes at most "+maxSeries+" values of a series, not ' || m::VARCHAR || ': use a larger step') ELSE m::BIGINT END AS n FROM (SELECT lo, greatest(0, ceil((hi - lo)::DOUBLE / "+step.sql+")) AS m FROM (SELECT "+lo+" AS lo, "+hi+" AS hi"+over+"))", false)

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
	return b.seriesRows(kc, aggs, defaults, in.from, bounds, div, step, axis, b.axisName(op.On, kc, aggs))
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

// seriesRows emits the aggregation, the grid of groups and steps, and the arrays.
func (b *binder) seriesRows(kc, aggs *selection, defaults []expr, in, bounds, div string, step, axis expr, axisName string) *relation {
	idx := `floor((t."$axis" - w.lo)` + div + step.sql + ")::BIGINT"
	list, group, keys := "", "", ""
	for _, k := range kc.list {
		list += k + ", "
	}
	for _, col := range kc.cols {
		keys += ", " + col.ref()
	}
	group = " GROUP BY ALL"
	agg := b.emit("SELECT "+list+idx+` AS "$i", `+aggsAs(aggs)+" FROM "+in+" t, "+bounds+" w"+group, false)
	sel := "1"
	if keys != "" {
		sel = keys[2:]
	}
	grid := b.emit("SELECT * FROM (SELECT DISTINCT "+sel+" FROM "+agg+`), (SELECT unnest(range(0, n)) AS "$i", lo FROM `+bounds+")", false)
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
	at := toDynamic(expr{sql: `(g.lo + g."$i" * ` + step.sql + ")", typ: axis.typ})
	s.add(axisName, expr{sql: `to_json(list(` + at.sql + ` ORDER BY g."$i"))`, typ: Dynamic})
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
