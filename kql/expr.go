package kql

import (
	"fmt"
	"strconv"
	"strings"

	"picket/kql/syntax"
)

// unknown stands for an expression that has been reported already: it fits
// everywhere, so that one mistake is told once.
func unknown() expr { return expr{sql: "NULL", typ: Unknown} }

// scalar binds x as a scalar expression.
func (b *binder) scalar(x syntax.Expr, c *ctx) expr {
	if x == nil {
		return unknown()
	}
	if !b.enter(x) {
		return unknown()
	}
	defer b.leave()
	e := inParts(b.scalarIn(x, c), c.src)
	b.size += len(e.sql) / 8
	return e
}

func (b *binder) scalarIn(x syntax.Expr, c *ctx) expr {
	switch x := x.(type) {
	case *syntax.Name:
		return b.name(x, c)
	case *syntax.Literal:
		return b.literal(x)
	case *syntax.Dynamic:
		return b.dynamic(x)
	case *syntax.Unary:
		return b.unary(x, c)
	case *syntax.Binary:
		return b.binary(x, c)
	case *syntax.In:
		return b.in(x, c)
	case *syntax.Between:
		return b.between(x, c)
	case *syntax.Call:
		return b.scalarOf(b.call(x, c), x)
	case *syntax.Path:
		return b.scalarOf(b.path(x, c), x)
	case *syntax.Index:
		return b.index(x, c)
	case *syntax.Paren:
		return b.scalar(x.X, c)
	case *syntax.NamedExpr:
		return b.scalar(x.X, c)
	case *syntax.Bad:
		return unknown() // the parser told
	case *syntax.Pipe, *syntax.SourceOp, *syntax.DataTable, *syntax.ExternalData:
		b.any(x, c)
		b.errorf(x, "SEM0010", "a table stands where a single value is expected: wrap it in toscalar(…)")
	case *syntax.Wildcard:
		b.errorf(x, "SEM0011", "* cannot stand here")
	default:
		b.errorf(x, "SEM0012", "this cannot stand in an expression")
	}
	return unknown()
}

// scalarOf takes the scalar out of a value.
func (b *binder) scalarOf(v value, n syntax.Node) expr {
	switch {
	case v.scalar != nil:
		return *v.scalar
	case v.rel != nil:
		b.errorf(n, "SEM0010", "a table stands where a single value is expected: wrap it in toscalar(…)")
	case v.fn != nil:
		b.errorf(n, "SEM0013", "a function stands where a value is expected: call it")
	}
	return unknown()
}

// any binds x, which may be tabular, scalar or a function.
func (b *binder) any(x syntax.Expr, c *ctx) value {
	if x == nil || !b.enter(x) {
		return value{}
	}
	defer b.leave()
	switch x := x.(type) {
	case *syntax.Paren:
		return b.any(x.X, c)
	case *syntax.Name:
		return b.nameAny(x, c)
	case *syntax.Call:
		return b.call(x, c)
	case *syntax.Path:
		return b.path(x, c)
	case *syntax.Pipe:
		defer b.ownRows()()
		return value{rel: b.pipe(x, c.env)}
	case *syntax.SourceOp:
		defer b.ownRows()()
		return value{rel: b.sourceOp(x.Op, c.env)}
	case *syntax.DataTable:
		return value{rel: b.dataTable(x, c.env)}
	case *syntax.ExternalData:
		return value{rel: b.externalData(x, c.env)}
	case *syntax.Lambda:
		return value{fn: x, env: c.env}
	case *syntax.Bad:
		return value{}
	}
	e := b.scalar(x, c)
	return value{scalar: &e}
}

// nameAny resolves a name: a column of the row scope, a let name or parameter,
// or a table, in this order (columns hide lets).
func (b *binder) nameAny(n *syntax.Name, c *ctx) value {
	if e, ok := b.columnRef(n, c); ok {
		return value{scalar: &e}
	}
	if e, ok := c.graph.element(n); ok {
		return value{scalar: &e}
	}
	if v, ok := c.env.lookup(n.Text); ok {
		if v.fn != nil && len(v.fn.Params) == 0 {
			return b.invoke(v, n, nil, c)
		}
		return b.inRow(v, n)
	}
	if c.cols == nil {
		if v, ok := b.stored(n, c.env); ok {
			return v
		}
		if b.opt.Open {
			return value{rel: b.undeclared(n, n.Text)}
		}
	}
	b.unresolved(n, c)
	return value{}
}

// name binds a name in scalar position.
func (b *binder) name(n *syntax.Name, c *ctx) expr {
	if e, ok := b.columnRef(n, c); ok {
		return e
	}
	if e, ok := c.graph.element(n); ok {
		return e
	}
	if v, ok := c.env.lookup(n.Text); ok {
		if v.fn != nil && len(v.fn.Params) == 0 {
			return b.scalarOf(b.invoke(v, n, nil, c), n)
		}
		return c.graph.once(b.scalarOf(b.inRow(v, n), n))
	}
	b.unresolved(n, c)
	return unknown()
}

// ownRows marks that a pipeline is being bound, until its result is called:
// what is read of its rows is of no row around it.
func (b *binder) ownRows() func() {
	before := b.rowRefs
	b.pipes++
	return func() { b.pipes, b.rowRefs = b.pipes-1, before }
}

// inRow is the value of a let name or parameter. What was made of a row is not
// to be had within another table's pipeline, whose rows are others.
func (b *binder) inRow(v *value, n *syntax.Name) value {
	if !v.ofRow {
		return *v
	}
	b.rowRefs++
	if b.pipes > v.depth {
		b.errorf(n, "SEM0119", "%q depends on the row that the function is called for, and cannot be used over the rows of another table: join the tables instead", n.Text)
		e := unknown()
		return value{scalar: &e}
	}
	return *v
}

// columnRef resolves n among the columns of the row scope.
func (b *binder) columnRef(n *syntax.Name, c *ctx) (expr, bool) {
	col, ok := find(c.cols, n.Text)
	if !ok {
		if n.Text == "_TimeReceived" && c.src != nil && c.src.hidden { // when the workspace got the row
			return expr{sql: c.qual + quoteIdent(IngestionTime), typ: DateTime}, true
		}
		if e, ok := b.openRef(n, c); ok {
			return e, true
		}
		if _, ok := c.env.lookup(n.Text); ok {
			return expr{}, false
		}
		if t, ok := c.absent[n.Text]; ok {
			return nullLit(t), true
		}
		if c.loose == nil || strings.HasPrefix(n.Text, "$") {
			return expr{}, false
		}
		col, _ = b.looseColumn(n, c.loose, c.cols)
	}
	if c.aggs && !c.inAgg {
		b.errorf(n, "SEM0014", "column %q stands outside of an aggregate: summarize needs something like max(%s), or name it after \"by\"", n.Text, n.Text)
		return unknown(), true
	}
	b.rowRefs++
	e := expr{sql: c.qual + col.ref(), typ: col.typ, bound: col.bound, bytes: col.bytes, scaled: col.scaled}
	if col.shaped && c.qual == "" && c.src != nil && c.src.shaped {
		e.shaped = e.sql
	}
	return e, true
}

// openRef looks a name up in the open bag of the input, if it has one and no
// let or table has the name.
func (b *binder) openRef(n *syntax.Name, c *ctx) (expr, bool) {
	if c.src == nil || c.src.open == nil || c.qual != "" {
		return expr{}, false
	}
	if _, ok := c.env.lookup(n.Text); ok || !strings.HasPrefix(n.Text, c.src.open.prefix) {
		return expr{}, false
	}
	bag := expr{sql: quoteIdent(c.src.open.id), typ: Dynamic}
	return b.member(bag, strings.TrimPrefix(n.Text, c.src.open.prefix), n), true
}

// unresolved reports a name nothing answers to.
func (b *binder) unresolved(n *syntax.Name, c *ctx) {
	if v, _ := c.env.lookup(n.Text); v != nil || c.cols == nil && !c.env.sees(n.Text) {
		b.report(n.Span(), codeName, "", strconv.Quote(n.Text)+" is not among what restrict access leaves to the query")
		return
	}
	var all []string
	add := func(s string) { all = append(all, s) }
	for _, col := range c.cols {
		add(col.name)
	}
	c.env.names(add)
	what := "column"
	if c.cols == nil {
		what = "table"
		for _, t := range b.cat.Tables() {
			add(t)
		}
		if len(c.env.vars) > 0 {
			what = "table or let name"
		}
	}
	b.report(n.Span(), codeName, didYouMean(n.Text, all), "there is no "+what+" named "+strconv.Quote(n.Text))
}

// literal turns a constant into SQL, normalised: no text of the query is copied.
func (b *binder) literal(l *syntax.Literal) expr {
	t := litTypes[l.Kind]
	if l.Null {
		return nullLit(t)
	}
	if l.Text == "" && t == DateTime {
		return ticksLit(b.opt.Now, t)
	}
	e, ok := constant(l.Text, t)
	if !ok {
		b.errorf(l, "SEM0015", "%q is no %s", l.Text, t)
		return unknown()
	}
	return e
}

var litTypes = [...]Type{
	syntax.LitBool: Bool, syntax.LitInt: Int, syntax.LitLong: Long, syntax.LitReal: Real, syntax.LitDecimal: Decimal,
	syntax.LitString: String, syntax.LitDateTime: DateTime, syntax.LitTimeSpan: TimeSpan, syntax.LitGuid: Guid,
}

// dynamic turns a dynamic(…) literal into JSON.
func (b *binder) dynamic(d *syntax.Dynamic) expr {
	if d.Value == nil {
		return nullLit(Dynamic)
	}
	v, ok := b.dynValue(d.Value)
	if !ok {
		return unknown()
	}
	if v == nil {
		return nullLit(Dynamic)
	}
	e := dynLit(string(appendJSONValue(nil, v)))
	e.lit = v
	return e
}

// dynValue evaluates the tree of a dynamic literal: bool, int64, float64,
// string, []any, *bag or nil.
func (b *binder) dynValue(x syntax.Expr) (any, bool) {
	switch x := x.(type) {
	case nil:
		return nil, true
	case *syntax.Paren:
		return b.dynValue(x.X)
	case *syntax.Unary:
		v, ok := b.dynValue(x.X)
		if x.Op == syntax.SUB {
			switch n := v.(type) {
			case int64:
				return -n, ok
			case float64:
				return -n, ok
			}
		}
		return v, ok
	case *syntax.Dynamic:
		return b.dynValue(x.Value)
	case *syntax.DynArray:
		out := make([]any, len(x.Items))
		for i, it := range x.Items {
			v, ok := b.dynValue(it)
			if !ok {
				return nil, false
			}
			out[i] = v
		}
		return out, true
	case *syntax.DynObject:
		out, seen := &bag{}, map[string]int{}
		for i, k := range x.Keys {
			v, ok := b.dynValue(x.Values[i])
			if !ok {
				return nil, false
			}
			if at, ok := seen[k]; ok { // the last of a name counts
				out.vals[at] = v
				continue
			}
			seen[k] = len(out.keys)
			out.keys, out.vals = append(out.keys, k), append(out.vals, v)
		}
		return out, true
	case *syntax.Literal:
		if x.Null {
			return nil, true
		}
		e := b.literal(x)
		switch e.typ {
		case Unknown:
			return nil, false
		case DateTime:
			t := e.lit.(int64)
			return fmt.Sprintf("%s.%07dZ", TimeOf(t).Format("2006-01-02T15:04:05"), t%TicksPerSecond), true
		case TimeSpan:
			return FormatTimeSpan(e.lit.(int64)), true
		case Guid, Decimal:
			return strings.ToLower(x.Text), true
		}
		return e.lit, true
	case *syntax.Bad:
		return nil, false
	}
	b.errorf(x, "SEM0016", "only constants can stand in dynamic(…): use bag_pack() or pack_array() for computed values")
	return nil, false
}

// bag is a property bag constant; its keys keep their order.
type bag struct {
	keys []string
	vals []any
}
