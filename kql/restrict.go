package kql

import (
	"picket/kql/syntax"
)

// restriction is what a restrict statement leaves of the tables, views and
// stored functions that a query sees (page "Restrict statement"). Values and
// functions of values stay.
type restriction struct {
	lets   []string // names, or patterns with *, of let statements and patterns
	tables []string // the same of tables and stored functions
}

// fits reports whether name is one of, or fits one of, patterns.
func fits(patterns []string, name string) bool {
	for _, p := range patterns {
		if matchWildcard(p, name) {
			return true
		}
	}
	return false
}

// restrict binds restrict access to (…). What stands before it in the query
// goes on seeing everything: a view that is let through may read tables that
// are not.
func (b *binder) restrict(s *syntax.RestrictStmt, env *env) {
	r := &restriction{}
	for _, x := range s.Items {
		switch x := x.(type) {
		case *syntax.Wildcard:
			r.lets = append(r.lets, x.Pattern)
		case *syntax.Name:
			if _, ok := env.lookup(x.Text); ok {
				r.lets = append(r.lets, x.Text)
				continue
			}
			if _, ok := b.stored(x, env); !ok {
				b.unresolved(x, &ctx{env: env})
			}
			r.tables = append(r.tables, x.Text)
		case *syntax.Call:
			if x.Func != nil {
				r.lets, r.tables = append(r.lets, x.Func.Text), append(r.tables, x.Func.Text)
			}
		case *syntax.Path:
			if name, ok := b.elsewhere(x, &ctx{env: env}); ok {
				r.tables = append(r.tables, name)
			}
		default:
			b.errorf(x, "SEM0105", "restrict access takes names of tables, views and functions, not expressions")
		}
	}
	above := newEnv(env.parent)
	above.vars, above.limit = env.vars, env.limit
	for _, v := range above.vars {
		if v.env == env {
			v.env = above
		}
	}
	env.parent, env.vars, env.limit = above, map[string]*value{}, r
}

// elsewhere is the name, or the pattern, of tables in database("x").Name.
func (b *binder) elsewhere(p *syntax.Path, c *ctx) (string, bool) {
	if !b.isQualifier(p.X, c) {
		b.errorf(p, "SEM0105", "restrict access takes names of tables, views and functions, not expressions")
		return "", false
	}
	switch n := p.Name.(type) {
	case *syntax.Name:
		return n.Text, true
	case *syntax.Call:
		return n.Func.Text, n.Func != nil
	case *syntax.Wildcard:
		return n.Pattern, true
	}
	return "", false
}

// isQualifier reports whether x is database("d"), or cluster("c") with one,
// that this workspace answers for.
func (b *binder) isQualifier(x syntax.Expr, c *ctx) bool {
	switch x := x.(type) {
	case *syntax.Call:
		return x.Func != nil && x.Func.Text == "database" && b.here(x, c)
	case *syntax.Path:
		outer, inner, ok := qualified2(x)
		return ok && b.here(outer, c) && b.here(inner, c)
	}
	return false
}

// stored finds a table or, without arguments, a stored function.
func (b *binder) stored(n *syntax.Name, env *env) (value, bool) {
	if !env.sees(n.Text) {
		return value{}, false
	}
	if r, ok := b.table(n.Text); ok {
		return value{rel: r}, true
	}
	return b.external(n.Text, n, nil, &ctx{env: env})
}

// sees reports whether tables and stored functions called name are left to e.
func (e *env) sees(name string) bool {
	for ; e != nil; e = e.parent {
		if e.limit != nil && !fits(e.limit.tables, name) {
			return false
		}
	}
	return true
}

// workspace is the scope of database("x").Name: no name of the query, and of
// the workspace what restrictions leave.
func (e *env) workspace() *env {
	out := newEnv(nil)
	for ; e != nil; e = e.parent {
		if e.limit != nil {
			out = newEnv(out)
			out.limit = e.limit
		}
	}
	return out
}

// hides reports whether the restriction takes v, called name, away.
func (r *restriction) hides(v *value, name string) bool {
	if r == nil || fits(r.lets, name) {
		return false
	}
	switch {
	case v.rel != nil, v.pattern != nil:
		return true
	case v.fn != nil:
		return v.fn.View || isTabular(v.fn.Body)
	}
	return false
}

// isTabular reports whether a function's body yields a table, as far as its
// form tells.
func isTabular(body []syntax.Stmt) bool {
	if len(body) == 0 {
		return false
	}
	s, ok := body[len(body)-1].(*syntax.ExprStmt)
	if !ok {
		return false
	}
	switch s.X.(type) {
	case *syntax.Pipe, *syntax.SourceOp, *syntax.DataTable, *syntax.ExternalData:
		return true
	}
	return false
}
