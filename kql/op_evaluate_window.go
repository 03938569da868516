package kql

import (
	"strings"

	"picket/kql/syntax"
)

// dcountIntersect counts what the first 1, 2, … of some sets of hll() have in
// common; the counts are columns s0, s1, … behind those of the input.
func (b *binder) dcountIntersect(op *syntax.EvaluateOp, r *relation, c *ctx) *relation {
	pos, _ := pluginArgs(op.Call)
	if len(pos) < 2 || len(pos) > 16 {
		b.errorf(op.Call, "SEM0003", "dcount_intersect() takes 2 to 16 values of hll(), not %d", len(pos))
		return nil
	}
	var set assignments
	common := ""
	for i, x := range pos {
		e := b.scalar(x, c)
		if e.typ != Dynamic {
			if e.typ != Unknown {
				b.errorf(x, "SEM0066", "dcount_intersect() takes values of hll(), and this is %s", e.typ)
			}
			return nil
		}
		list := "TRY_CAST(" + e.sql + " AS VARCHAR[])"
		if common != "" {
			list = "list_intersect(" + common + ", " + list + ")"
		}
		common = list
		set = append(set, assignment{"s" + formatInt(int64(i)), expr{sql: "coalesce(len(" + list + "), 0)::BIGINT", typ: Long}})
	}
	return b.assign(r, set)
}

// rowsNear keeps the rows in which a condition holds, and those at most so many
// rows before or after one.
func (b *binder) rowsNear(op *syntax.EvaluateOp, r *relation, c *ctx) *relation {
	pos, _ := pluginArgs(op.Call)
	if len(pos) < 2 || len(pos) > 3 {
		b.errorf(op.Call, "SEM0003", "rows_near() takes (Condition, Rows [, RowsAfter])")
		return nil
	}
	cond := b.boolean(pos[0], c)
	near := make([]string, len(pos)-1)
	for i, x := range pos[1:] {
		n, ok := b.scalar(x, &ctx{env: c.env}).lit.(int64)
		if !ok || n < 0 {
			b.errorf(x, "SEM0066", "rows_near() needs a number of rows as a constant")
			return nil
		}
		near[i] = formatInt(n)
	}
	before, after := near[0], near[len(near)-1]
	// A row after a hit looks back at it, a row before one looks ahead.
	marked := b.emit(`SELECT *, row_number() OVER () AS "$at", `+cond.sql+` AS "$hit" FROM `+r.from, false)
	hits := b.emit(`SELECT *, coalesce(bool_or("$hit") OVER (ORDER BY "$at" ROWS BETWEEN `+after+` PRECEDING AND `+before+` FOLLOWING), false) AS "$near" FROM `+marked, false)
	out := b.heavy("SELECT "+refs(r.cols)+r.hiddenList()+" FROM "+hits+` WHERE "$near" ORDER BY "$at"`, r.cols)
	out.hidden = r.hidden
	return out
}

// rollingPercentile gives, for every bin of an index column, a percentile of the
// values in that bin and the ones before it, so many bins in all.
func (b *binder) rollingPercentile(op *syntax.EvaluateOp, r *relation, c *ctx) *relation {
	pos, _ := pluginArgs(op.Call)
	if len(pos) < 5 {
		b.errorf(op.Call, "SEM0003", "rolling_percentile() takes (ValueColumn, Percentile, IndexColumn, BinSize, BinsPerWindow [, Dimension …])")
		return nil
	}
	value, at := b.scalar(pos[0], c), b.scalar(pos[2], c)
	k := &ctx{env: c.env}
	percent, step, bins := b.scalar(pos[1], k), b.scalar(pos[3], k), b.scalar(pos[4], k)
	floor, ok := lookupScalar("bin")
	if !ok || value.typ == Unknown || at.typ == Unknown {
		return nil
	}
	bin, err := floor.apply([]expr{at, step}, b.opt.Now)
	if err != nil {
		b.report(op.Call.Span(), "SEM0003", "", err.Error())
		return nil
	}
	s := newSelection()
	s.add(resultName(pos[2]), bin)
	for _, x := range pos[5:] {
		b.projected(s, x, c)
	}
	base := b.emit("SELECT "+s.sql()+", "+value.sql+` AS "$v" FROM `+r.from, false)
	heads := b.emit("SELECT DISTINCT "+refs(s.cols)+" FROM "+base, false)
	t := s.cols[0].ref()
	on := "v." + t + " <= h." + t + " AND v." + t + " > h." + t + " - " + step.sql + " * " + bins.sql
	out := newSelection()
	list := make([]string, len(s.cols))
	for i, col := range s.cols {
		list[i] = "h." + col.ref()
		if i > 0 {
			on += " AND v." + col.ref() + " IS NOT DISTINCT FROM h." + col.ref()
			out.add(col.name, expr{sql: list[i], typ: col.typ})
		}
	}
	// The page "rolling_percentile plugin": dimensions first, then the index.
	out.add(s.cols[0].name, expr{sql: list[0], typ: s.cols[0].typ})
	name := "rolling_" + plain(pos[4]) + "_percentile_" + resultName(pos[0]) + "_" + plain(pos[1])
	out.add(name, expr{sql: `quantile_disc(v."$v", ` + percent.sql + " / 100.0)", typ: value.typ})
	return b.heavy("SELECT "+out.sql()+" FROM "+heads+" h JOIN "+base+" v ON "+on+" GROUP BY "+strings.Join(list, ", ")+" ORDER BY "+list[0], out.cols)
}

// plain is the text of a constant as it stands in a column's name.
func plain(x syntax.Expr) string {
	if l, ok := x.(*syntax.Literal); ok {
		return l.Text
	}
	return ""
}

// narrow makes a row of every cell.
func (b *binder) narrow(r *relation) *relation {
	cols := newColumns(Column{"Row", Long}, Column{"Column", String}, Column{"Value", String})
	if len(r.cols) == 0 {
		return b.empty(cols)
	}
	var cells []string
	for _, col := range r.cols {
		cells = append(cells, "{k: "+quoteString(col.name)+", v: "+asText(expr{sql: col.ref(), typ: col.typ}).sql+"}")
	}
	rows := b.emit(`SELECT row_number() OVER () - 1 AS "$n", unnest([`+strings.Join(cells, ", ")+`]) AS "$c" FROM `+r.from, false)
	return b.heavy(`SELECT "$n" AS "Row", "$c".k AS "Column", "$c".v AS "Value" FROM `+rows, cols)
}
