package kql

import (
	"strings"

	"picket/kql/syntax"
)

// tabular binds x and requires a table. It reports and returns nil otherwise.
func (b *binder) tabular(x syntax.Expr, env *env) *relation {
	return b.tableOf(b.any(x, &ctx{env: env}), x)
}

// tableOf requires v, the value of x, to be a table.
func (b *binder) tableOf(v value, x syntax.Expr) *relation {
	switch {
	case v.rel != nil:
		if !b.needTable(v.rel, x) {
			return nil
		}
		return v.rel
	case v.scalar != nil && v.scalar.typ != Unknown:
		b.errorf(x, "SEM0041", "a table is needed here, and this is a %s", v.scalar.typ)
	case v.scalar != nil && b.opt.Open:
		return b.anything()
	case v.fn != nil:
		b.errorf(x, "SEM0042", "a table is needed here, and this is a function: call it with its arguments")
	}
	return nil
}

// pipe binds Source | Op | Op ….
func (b *binder) pipe(p *syntax.Pipe, env *env) *relation {
	var r *relation
	if v := b.any(p.Source, &ctx{env: env}); v.rel != nil && v.rel.graph != nil {
		r = v.rel
	} else {
		r = b.tableOf(v, p.Source)
	}
	return b.ops(p.Ops, r, env)
}

// ops binds operators one after the other. After an operator in error the
// rest is bound against what it would most likely have given.
func (b *binder) ops(ops []syntax.Op, r *relation, env *env) *relation {
	if len(ops) > maxOps {
		b.errorf(ops[maxOps], "SEM0101", "the pipeline has %d operators, at most %d are run", len(ops), maxOps)
		return nil
	}
	for _, op := range ops {
		if r == nil || !b.enter(op) {
			return nil
		}
		next := b.op(op, r, env)
		b.leave()
		if next != nil && next.part == nil {
			next.part = r.part
		}
		r = next
	}
	return r
}

// op binds one operator over input r.
func (b *binder) op(op syntax.Op, r *relation, env *env) *relation {
	b.watch.input(op, r, env)
	if r.part != nil && !partWise(op) {
		b.errorf(op, "SEM0050", "%s cannot stand inside mv-apply or partition here", opName(op))
		return nil
	}
	if r.more != nil || r.graph != nil && !isGraphOp(op) {
		b.needTable(r, op)
		return nil
	}
	in := *r
	r = &in // hoist may put a step before this operator
	c := (&ctx{env: env}).row(r)
	switch op := op.(type) {
	case *syntax.WhereOp:
		return b.where(op, r, c)
	case *syntax.ExtendOp:
		return b.extend(op.Cols, r, c)
	case *syntax.SerializeOp:
		return b.extend(op.Cols, r, c)
	case *syntax.ProjectOp:
		return b.projectOp(op, r, c)
	case *syntax.SortOp:
		return b.sort(op, r, c)
	case *syntax.TakeOp:
		return b.take(op.N, r, c)
	case *syntax.SampleOp:
		if op.Of != nil {
			return b.sampleDistinct(op, r, c)
		}
		return b.sample(op, r, c)
	case *syntax.TopOp:
		return b.top(op, r, c)
	case *syntax.DistinctOp:
		return b.distinct(op, r, c)
	case *syntax.SummarizeOp:
		return b.summarize(op, r, c)
	case *syntax.CountOp:
		return b.count(r, op.As)
	case *syntax.JoinOp:
		return b.join(op, r, env)
	case *syntax.UnionOp:
		return b.union(op, r, env)
	case *syntax.MvExpandOp:
		return b.mvExpand(op, r, c)
	case *syntax.MvApplyOp:
		return b.mvApply(op, r, c)
	case *syntax.ParseOp:
		return b.parse(op, r, c)
	case *syntax.ParseKvOp:
		return b.parseKv(op, r, c)
	case *syntax.AsOp:
		return b.as(op, r, env)
	case *syntax.RenderOp:
		b.render(op, c)
		return r
	case *syntax.ConsumeOp:
		return r
	case *syntax.GetSchemaOp:
		return b.getSchema(r)
	case *syntax.MakeSeriesOp:
		return b.makeSeries(op, r, c)
	case *syntax.SearchOp:
		return b.search(op, r, env)
	case *syntax.TopNestedOp:
		return b.topNested(op, r, c)
	case *syntax.TopHittersOp:
		return b.topHitters(op, r, c)
	case *syntax.PartitionOp:
		return b.partition(op, r, c)
	case *syntax.EvaluateOp:
		return b.evaluate(op, r, c)
	case *syntax.InvokeOp:
		return b.invokeOp(op, r, c)
	case *syntax.ScanOp:
		return b.scan(op, r, c)
	case *syntax.ReduceOp:
		return b.reduce(op, r, c)
	case *syntax.ForkOp:
		return b.fork(op, r, env)
	case *syntax.FacetOp:
		return b.facet(op, r, c)
	case *syntax.MakeGraphOp, *syntax.GraphMatchOp, *syntax.GraphToTableOp, *syntax.GraphMarkOp:
		return b.graphOp(op, r, c)
	case *syntax.BadOp:
		return r // the parser told
	case *syntax.UnsupportedOp:
		return b.unsupported(op, op.Name, r)
	}
	return b.unsupported(op, opName(op), r)
}

// sourceOp binds an operator that begins a pipeline.
func (b *binder) sourceOp(op syntax.Op, env *env) *relation {
	c := &ctx{env: env}
	switch op := op.(type) {
	case *syntax.PrintOp:
		return b.print(op, c)
	case *syntax.RangeOp:
		return b.rangeOp(op, c)
	case *syntax.UnionOp:
		return b.union(op, nil, env)
	case *syntax.SearchOp:
		return b.search(op, nil, env)
	case *syntax.FindOp:
		return b.find(op, env)
	case *syntax.BadOp:
		return nil
	case *syntax.UnsupportedOp:
		return b.unsupported(op, op.Name, nil)
	}
	name := opName(op)
	b.errorf(op, "SEM0043", "%s needs an input: put a table and | before it", name)
	return nil
}

func (b *binder) unsupported(op syntax.Op, name string, r *relation) *relation {
	b.errorf(op, "SEM0044", "the operator %s is not supported", name)
	return r
}

// opName is the operator's name for messages.
func opName(op syntax.Op) string {
	switch op.(type) {
	case *syntax.ScanOp:
		return "scan"
	case *syntax.FacetOp:
		return "facet"
	case *syntax.EvaluateOp:
		return "evaluate"
	case *syntax.MakeGraphOp:
		return "make-graph"
	case *syntax.ForkOp:
		return "fork"
	case *syntax.ReduceOp:
		return "reduce"
	case *syntax.FindOp:
		return "find"
	case *syntax.PrintOp:
		return "print"
	case *syntax.RangeOp:
		return "range"
	case *syntax.WhereOp:
		return "where"
	}
	return "operator"
}

// table resolves a stored table.
func (b *binder) table(name string) (*relation, bool) {
	t, ok := b.cat.Table(name)
	if !ok {
		return nil, false
	}
	r := &relation{from: quoteIdent(t.Name), hidden: t.Hidden, addressed: t.Addressed, cheap: true, table: t.Name, cols: newColumns(t.Columns...)}
	answerTimestamp(t.Name, r.cols)
	for i := range r.cols {
		if t.Shaped != "" && r.cols[i].name == t.Shaped {
			r.cols[i].shaped, r.shaped, r.splits = true, true, true
		}
	}
	if b.opt.Open {
		r.loose = &looseTable{name: t.Name, declared: true}
	}
	if conds := b.scopeOf(r); len(conds) > 0 {
		r.from = b.emit("SELECT * FROM "+r.from+" WHERE "+strings.Join(conds, " AND "), true)
	}
	return r, true
}

// scopeOf is what the request restricts the rows of a stored table to.
func (b *binder) scopeOf(r *relation) []string {
	conds := b.request.scope(r.cols)
	if col, ok := find(r.cols, "TimeGenerated"); ok && col.typ == DateTime {
		if b.opt.From != 0 {
			conds = append(conds, col.ref()+" >= "+ticksLit(b.opt.From, DateTime).sql)
		}
		if b.opt.To != 0 {
			conds = append(conds, col.ref()+" < "+ticksLit(b.opt.To, DateTime).sql)
		}
	}
	if b.opt.Resource == "" {
		return conds
	}
	col, ok := find(r.cols, "_ResourceId")
	if !ok || col.typ != String {
		return append(conds, "false")
	}
	id := "lower(" + col.ref() + ")"
	return append(conds, "("+id+" = "+quoteString(b.opt.Resource)+" OR starts_with("+id+", "+quoteString(b.opt.Resource+"/")+"))")
}

// schema resolves (a:string, b:long).
func (b *binder) schema(list []*syntax.TypedName) []column {
	var cols []Column
	for _, t := range list {
		if t == nil || t.Name == nil {
			continue
		}
		cols = append(cols, Column{t.Name.Text, b.typeName(t.Type)})
	}
	return newColumns(cols...)
}

// empty is a table of these columns without rows.
func (b *binder) empty(cols []column) *relation {
	var parts []string
	for _, c := range cols {
		parts = append(parts, "NULL::"+c.typ.SQL()+" AS "+c.ref())
	}
	if len(parts) == 0 {
		parts = []string{`NULL AS "$none"`}
	}
	return b.heavy("SELECT "+strings.Join(parts, ", ")+" WHERE false", cols)
}

// hint finds a parameter of an operator; its value is a word or a literal.
func hint(hints []*syntax.Hint, name string) (string, bool) {
	for _, h := range hints {
		if strings.EqualFold(h.Name, name) {
			switch v := h.Value.(type) {
			case *syntax.Name:
				return v.Text, true
			case *syntax.Literal:
				return v.Text, true
			}
			return "", true
		}
	}
	return "", false
}
