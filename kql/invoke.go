package kql

import (
	"picket/kql/syntax"
)

// invoke expands a call of a function the query defines: its body is bound in
// a scope that holds the arguments. args may name parameters.
func (b *binder) invoke(v *value, n syntax.Node, args []syntax.Expr, c *ctx) value {
	return b.invokeWith(v, n, nil, args, c)
}

// invokeWith is invoke with first, when not nil, as the first argument.
func (b *binder) invokeWith(v *value, n syntax.Node, first *relation, args []syntax.Expr, c *ctx) value {
	if v.busy {
		b.errorf(n, "SEM0034", "function %s calls itself", v.name)
		return value{}
	}
	if b.calls >= maxCalls {
		b.full = true
		b.errorf(n, "SEM0101", "functions call each other more than %d deep", maxCalls)
		return value{}
	}
	inner := newEnv(v.env)
	if !b.params(v, n, first, args, c, inner) {
		return value{}
	}
	b.calls++
	defer func() { b.calls-- }()
	v.busy = true
	defer func() { v.busy = false }()
	// What a body needs of the calling row has come in as arguments; the body
	// itself sees no columns.
	if v.text != nil {
		return b.body(v.text, n, func() value { return b.stmts(v.fn.Body, inner) })
	}
	return b.stmts(v.fn.Body, inner)
}

// params binds the arguments to v's parameters in inner.
func (b *binder) params(v *value, n syntax.Node, first *relation, args []syntax.Expr, c *ctx, inner *env) bool {
	params := v.fn.Params
	given := make([]syntax.Expr, len(params))
	pos := 0 // a named argument counts as a place too: f(b=1, 2) gives 2 to the second
	if first != nil {
		if len(params) == 0 || !params[0].Tabular() {
			b.errorf(n, "SEM0035", "function %s does not take a table as its first parameter, so it cannot be invoked", v.name)
			return false
		}
		if !b.bindTable(params[0], first, n, inner) {
			return false
		}
		pos = 1
	}
	for _, a := range args {
		i := pos
		pos++
		x := a
		if ne, ok := a.(*syntax.NamedExpr); ok && len(ne.Names) == 1 {
			i = paramIndex(params, ne.Names[0].Text)
			x = ne.X
			if i < 0 {
				b.errorf(ne, "SEM0036", "function %s has no parameter named %q", v.name, ne.Names[0].Text)
				return false
			}
		}
		if i >= len(params) {
			b.errorf(n, "SEM0003", "%s() takes %s, not %d", v.name, countText(required(params), len(params)), len(args))
			return false
		}
		given[i] = x
	}
	for i, p := range params {
		if i == 0 && first != nil {
			continue
		}
		if !b.param(v, p, given[i], n, c, inner) {
			return false
		}
	}
	return true
}

func paramIndex(params []*syntax.Param, name string) int {
	for i, p := range params {
		if p.Name != nil && p.Name.Text == name {
			return i
		}
	}
	return -1
}

func required(params []*syntax.Param) int {
	n := 0
	for _, p := range params {
		if p.Default == nil {
			n++
		}
	}
	return n
}

// param binds one argument x, or the default when x is nil.
func (b *binder) param(v *value, p *syntax.Param, x syntax.Expr, n syntax.Node, c *ctx, inner *env) bool {
	if p.Name == nil {
		return false
	}
	scope := c
	if x == nil {
		if p.Default == nil {
			b.errorf(n, "SEM0037", "%s(): argument %q is missing", v.name, p.Name.Text)
			return false
		}
		x, scope = p.Default, &ctx{env: v.env}
	}
	if p.Tabular() {
		t := b.any(x, &ctx{env: scope.env})
		if t.rel == nil {
			if t.scalar == nil || t.scalar.typ != Unknown {
				b.errorf(x, "SEM0038", "argument %q of %s() must be a table", p.Name.Text, v.name)
			}
			return false
		}
		return b.bindTable(p, t.rel, x, inner)
	}
	before := b.rowRefs
	e := b.castTo(b.scalar(x, scope), b.typeName(p.Type), x)
	inner.vars[p.Name.Text] = &value{scalar: &e, name: p.Name.Text, ofRow: b.rowRefs > before, depth: b.pipes}
	return true
}

// bindTable binds a tabular argument. With a schema, the declared columns must
// be there; the others pass through.
func (b *binder) bindTable(p *syntax.Param, r *relation, n syntax.Node, inner *env) bool {
	good := true
	if !p.AnyCols && len(p.Schema) > 0 {
		for _, s := range p.Schema {
			col, ok := find(r.cols, s.Name.Text)
			want := b.typeName(s.Type)
			switch {
			case !ok && r.loose != nil:
				b.looseColumn(s.Name, r.loose, r.cols)
			case !ok:
				b.errorf(n, "SEM0039", "the table given for %q has no column %s:%s", p.Name.Text, s.Name.Text, want)
				good = false
			case col.typ != want && want != Unknown && col.typ != Unknown:
				b.errorf(n, "SEM0039", "the table given for %q has column %s of type %s, but it must be %s", p.Name.Text, s.Name.Text, col.typ, want)
			}
		}
	}
	inner.vars[p.Name.Text] = &value{rel: r, name: p.Name.Text}
	return good
}

// castTo converts e to the declared type t of a parameter or column, as an
// assignment does.
func (b *binder) castTo(e expr, t Type, n syntax.Node) expr {
	if r, ok := convert(e, t, false); ok {
		return r
	}
	if r, ok := b.explicit(e, t); ok {
		return r
	}
	b.errorf(n, "SEM0040", "a %s is needed here, and this is %s", t, e.typ)
	return unknown()
}

// explicit converts as toT() does.
func (b *binder) explicit(e expr, t Type) (expr, bool) {
	if s, ok := e.lit.(string); ok && e.typ == String {
		if k, ok := constant(s, t); ok {
			return k, true
		}
		if s == "" {
			return nullLit(t), true
		}
	}
	if t == Dynamic {
		return toDynamic(e), true
	}
	if t == String {
		return asText(e), true
	}
	f, ok := lookupScalar("to" + t.String())
	if !ok {
		return e, false
	}
	r, err := f.apply([]expr{e}, b.opt.Now)
	return r, err == nil && r.typ == t
}
