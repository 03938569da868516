package kql

import "picket/kql/syntax"

// where keeps the rows for which the condition is true.
func (b *binder) where(op *syntax.WhereOp, r *relation, c *ctx) *relation {
	p := b.pred(starPred(op.Pred, r.cols), c)
	return b.step(r, "SELECT * FROM "+r.from+filter(p), r.cols)
}

// filter writes a condition as WHERE, or as QUALIFY when it looks at other rows.
func filter(p expr) string {
	if p.window {
		return " QUALIFY " + p.sql
	}
	return " WHERE " + p.sql
}
