package kql

import "picket/kql/syntax"

// where keeps the rows for which the condition is true.
func (b *binder) where(op *syntax.WhereOp, r *relation, c *ctx) *relation {
	pred := op.Pred
	if n, ok := pred.(*syntax.NamedExpr); ok {
		if b.slip(n, c) {
			return r
		}
		pred = n.X // the name means nothing
	}
	p := b.pred(starPred(pred, r.cols), c)
	return b.filtered(r, "*", p, r.cols)
}

// slip reports a predicate that has a name and no truth value: x = 5 for x == 5.
func (b *binder) slip(n *syntax.NamedExpr, c *ctx) bool {
	x := n.X
	for {
		y, ok := x.(*syntax.Binary)
		if !ok || y.Op != syntax.AND && y.Op != syntax.OR {
			break
		}
		x = y.X
	}
	if e := b.scalar(x, c); e.typ == Bool || e.typ == Unknown {
		return false
	}
	b.report(syntax.Span{Start: n.S.Start, End: x.Span().End}, "SEM0012", "'==' compares; '=' only gives a name", "this compares nothing: it gives the value behind '=' a name")
	return true
}

// filter writes a condition as WHERE, or as QUALIFY when it looks at other rows.
func filter(p expr) string {
	if p.window {
		return " QUALIFY " + p.sql
	}
	return " WHERE " + p.sql
}
