package kql

import "picket/kql/syntax"

// where keeps the rows for which the condition is true.
func (b *binder) where(op *syntax.WhereOp, r *relation, c *ctx) *relation {
	pred := op.Pred
	if n, ok := pred.(*syntax.NamedExpr); ok {
		pred = n.X // the name means nothing
	}
	p := b.pred(starPred(pred, r.cols), c)
	return b.step(r, "SELECT * FROM "+r.from+filter(p), r.cols)
}

// filter writes a condition as WHERE, or as QUALIFY when it looks at other rows.
func filter(p expr) string {
	if p.window {
		return " QUALIFY " + p.sql
	}
	return " WHERE " + p.sql
}
