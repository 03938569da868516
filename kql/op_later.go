package kql

import "picket/kql/syntax"

func (b *binder) mvApply(op *syntax.MvApplyOp, r *relation, c *ctx) *relation {
	return b.unsupported(op, "mv-apply", r)
}
func (b *binder) parseKv(op *syntax.ParseKvOp, r *relation, c *ctx) *relation {
	return b.unsupported(op, "parse-kv", r)
}
func (b *binder) makeSeries(op *syntax.MakeSeriesOp, r *relation, c *ctx) *relation {
	return b.unsupported(op, "make-series", r)
}
func (b *binder) search(op *syntax.SearchOp, r *relation, env *env) *relation {
	return b.unsupported(op, "search", r)
}
func (b *binder) find(op *syntax.FindOp, env *env) *relation {
	return b.unsupported(op, "find", nil)
}
func (b *binder) topNested(op *syntax.TopNestedOp, r *relation, c *ctx) *relation {
	return b.unsupported(op, "top-nested", r)
}
func (b *binder) topHitters(op *syntax.TopHittersOp, r *relation, c *ctx) *relation {
	return b.unsupported(op, "top-hitters", r)
}
func (b *binder) partition(op *syntax.PartitionOp, r *relation, c *ctx) *relation {
	return b.unsupported(op, "partition", r)
}
func (b *binder) evaluate(op *syntax.EvaluateOp, r *relation, c *ctx) *relation {
	return b.unsupported(op, "evaluate", r)
}
