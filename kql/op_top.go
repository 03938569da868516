package kql

import (
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
		s.add("approximate_sum_"+resultName(op.By), expr{sql: "sum(" + e.sql + ")::" + t.SQL(), typ: t})
	} else {
		s.add("approximate_count_"+s.cols[0].name, expr{sql: "count(*)", typ: Long})
	}
	return b.heavy("SELECT "+s.sql()+" FROM "+r.from+" GROUP BY 1 ORDER BY 2 DESC LIMIT "+rows, s.cols)
}
