package kql

import (
	"strings"

	"picket/kql/syntax"
)

// topHitters gives the N most frequent values of Of, or those with the largest
// sum of By.
func (b *binder) topHitters(op *syntax.TopHittersOp, r *relation, c *ctx) *relation {
	rows := b.rowCount(op.N, c)
	s := newSelection()
	b.projected(s, op.Of, c)
	if len(s.cols) == 0 {
		return r
	}
	if op.By != nil {
		e := b.scalar(op.By, c)
		t := e.typ
		if t == Int {
			t = Long
		}
		s.add("approximate_sum_"+resultName(op.By), expr{sql: "sum(" + e.sql + ")::" + t.SQL(), typ: t})
	} else {
		s.add("approximate_count_"+s.cols[0].name, expr{sql: "count(*)", typ: Long})
	}
	return b.heavy("SELECT "+s.sql()+" FROM "+r.from+" GROUP BY 1 ORDER BY 2 DESC LIMIT "+rows, s.cols)
}

// topNested takes the top values of a column, then within each the top values
// of the next, and so on. Each level gives two columns: value and aggregate.
func (b *binder) topNested(op *syntax.TopNestedOp, r *relation, c *ctx) *relation {
	cur := ""
	s := newSelection()
	var keys []string
	var outer []string
	for i, lv := range op.Levels {
		if lv.Others != nil {
			b.errorf(lv.Others, "SEM0063", "top-nested with others is not supported")
		}
		name, x := explicitName(lv.Of)
		e := b.scalar(x, c)
		if name == "" {
			name = resultName(x)
		}
		if name == "" {
			name = "Column" + formatInt(int64(i+1))
		}
		ks := newSelection()
		ks.m, ks.u = s.m, s.u
		ks.add(name, e)
		aggName, aggX := explicitName(lv.By)
		as := newSelection()
		b.aggregates(as, aggX, r, &ctx{env: c.env, cols: c.cols, src: c.src}, nil)
		if len(as.list) == 0 {
			return r
		}
		if aggName == "" {
			aggName = "aggregated_" + name
		}
		agg := strings.TrimSuffix(as.list[0], " AS "+as.cols[0].ref())
		ak := newSelection()
		ak.m, ak.u = s.m, s.u
		ak.add(aggName, expr{sql: agg, typ: as.cols[0].typ})
		// Rows of the input under the groups kept so far.
		key := quoteIdent("$k" + formatInt(int64(i)))
		src := b.emit("SELECT *, "+e.sql+" AS "+key+" FROM "+first(cur, r.from), false)
		by := append(append([]string(nil), keys...), key)
		dir := " DESC NULLS LAST"
		if lv.Dir == syntax.Asc {
			dir = " ASC NULLS FIRST"
		}
		part := ""
		if len(keys) > 0 {
			part = "PARTITION BY " + strings.Join(keys, ", ") + " "
		}
		val := quoteIdent("$v" + formatInt(int64(i)))
		q := ""
		if lv.N != nil {
			q = " QUALIFY row_number() OVER (" + part + "ORDER BY " + val + dir + ") <= " + b.rowCount(lv.N, c)
		}
		top := b.emit("SELECT "+strings.Join(by, ", ")+", "+agg+" AS "+val+" FROM "+src+" GROUP BY "+strings.Join(by, ", ")+q, false)
		var on []string
		for _, k := range by {
			on = append(on, "t."+k+" IS NOT DISTINCT FROM m."+k)
		}
		cur = b.emit("SELECT t.*, m."+val+" FROM "+src+" t JOIN "+top+" m ON "+strings.Join(on, " AND "), false)
		keys = by
		s.cols = append(s.cols, ks.cols[0], ak.cols[0])
		outer = append(outer, key+" AS "+ks.cols[0].ref(), val+" AS "+ak.cols[0].ref())
	}
	return b.heavy("SELECT DISTINCT "+strings.Join(outer, ", ")+" FROM "+cur, s.cols)
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
