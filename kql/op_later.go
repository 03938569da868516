package kql

import "picket/kql/syntax"

func (b *binder) evaluate(op *syntax.EvaluateOp, r *relation, c *ctx) *relation {
	return b.unsupported(op, "evaluate", r)
}
