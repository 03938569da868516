package difftest

import (
	"fmt"
	"slices"

	"picket/kql"
	"picket/kql/syntax"
)

// relation is a table while a query is evaluated.
type relation struct {
	cols []kql.Column
	rows [][]any

	// rank orders the rows as far as the reference does: rows of one rank may
	// come in any order. It is nil when no order is laid down at all.
	rank []int
	// limit, when not negative, says that only that many of the rows are the
	// result, the first by rank, and that which of one rank is left open.
	limit int
}

func (r *relation) index(name string) int {
	return slices.IndexFunc(r.cols, func(c kql.Column) bool { return c.Name == name })
}

// derive is r with other columns and rows, which keep their order.
func (r *relation) derive(cols []kql.Column, rows [][]any) *relation {
	return &relation{cols: cols, rows: rows, rank: r.rank, limit: r.limit}
}

// settled returns r when it is certain which rows it has.
func (r *relation) settled() *relation {
	if r.limit < 0 || r.limit >= len(r.rows) {
		return r
	}
	silent("which rows take returns")
	return nil
}

// serial returns r when the order of its rows is certain.
func (r *relation) serial() *relation {
	r.settled()
	if len(r.rows) < 2 {
		return r
	}
	if r.rank == nil {
		silent("order of unsorted rows")
	}
	for i := 1; i < len(r.rank); i++ {
		if r.rank[i] == r.rank[i-1] && rowKey(r.rows[i]) != rowKey(r.rows[i-1]) {
			silent("order of ties")
		}
	}
	return r
}

// bag is r without its order.
func (r *relation) loose() *relation {
	r.settled()
	return &relation{cols: r.cols, rows: r.rows, limit: -1}
}

// at is the place where an expression is evaluated: row i of rows. An aggregate
// looks at all rows. ordered says that their order is certain.
type at struct {
	rows    [][]any
	i       int
	ordered bool
}

func (a *at) row() []any { return a.rows[a.i] }

// expr is a bound expression.
type expr struct {
	typ  kql.Type
	eval func(*at) any
	lit  bool // a constant
}

func constant(t kql.Type, v any) expr {
	return expr{typ: t, eval: func(*at) any { return v }, lit: true}
}

// scope is where names are looked up.
type scope struct {
	cols []kql.Column
	agg  bool // aggregates may stand here
	win  bool // functions over serialised rows may stand here
	lets *lets
}

// lets are the names that let statements bind, newest first.
type lets struct {
	name   string
	scalar *expr
	rel    *relation
	fn     *syntax.Lambda
	outer  *lets
}

func (l *lets) find(name string) *lets {
	for ; l != nil; l = l.outer {
		if l.name == name {
			return l
		}
	}
	return nil
}

// evaluator answers queries over tables in memory.
type evaluator struct {
	tables map[string]*relation
	now    int64
	within int // how many subqueries for parts of a table are under way
}

// run evaluates a whole query: page "Query statements".
func (e *evaluator) run(q *syntax.Query) *relation {
	rel, _ := e.stmts(q.Stmts, nil)
	return rel
}

func (e *evaluator) stmts(list []syntax.Stmt, in *lets) (*relation, *expr) {
	var rel *relation
	var sc *expr
	for _, s := range list {
		switch s := s.(type) {
		case *syntax.LetStmt:
			l := &lets{name: s.Name.Text, outer: in}
			if fn, ok := s.Value.(*syntax.Lambda); ok {
				l.fn = fn
			} else if l.rel = e.tabular(s.Value, in); l.rel == nil {
				x := e.bind(s.Value, &scope{lets: in})
				v := x.eval(&at{})
				c := constant(x.typ, v)
				l.scalar = &c
			}
			in = l
		case *syntax.ExprStmt:
			if rel = e.tabular(s.X, in); rel == nil {
				x := e.bind(s.X, &scope{lets: in})
				sc = &x
			}
		default:
			panic(fmt.Sprintf("no evaluation of %T", s))
		}
	}
	return rel, sc
}

// tabular evaluates x if it is a table, and returns nil if it is a scalar.
func (e *evaluator) tabular(x syntax.Expr, in *lets) *relation {
	switch x := x.(type) {
	case *syntax.Paren:
		return e.tabular(x.X, in)
	case *syntax.Name:
		if l := in.find(x.Text); l != nil {
			return l.rel
		}
		return e.tables[x.Text]
	case *syntax.Pipe:
		r := e.tabular(x.Source, in)
		return e.pipe(r, x.Ops, in)
	case *syntax.SourceOp:
		return e.source(x.Op, in)
	case *syntax.DataTable:
		return e.datatable(x, in)
	case *syntax.Call:
		if x.Func.Text == "materialize" {
			return e.tabular(x.Args[0], in)
		}
		if l := in.find(x.Func.Text); l != nil && l.fn != nil {
			r, _ := e.callLambda(l, x, &scope{lets: in})
			return r
		}
	}
	return nil
}

func (e *evaluator) pipe(r *relation, ops []syntax.Op, in *lets) *relation {
	for _, op := range ops {
		r = e.op(r, op, in)
	}
	return r
}

// callLambda evaluates a call of a function that a let binds: page
// "User-defined functions". Arguments are bound to the parameters in order.
func (e *evaluator) callLambda(l *lets, x *syntax.Call, sc *scope) (*relation, func(*at) (any, kql.Type)) {
	in := l.outer
	params := make([]expr, len(l.fn.Params))
	for i, p := range l.fn.Params {
		if p.Tabular() {
			in = &lets{name: p.Name.Text, rel: e.tabular(x.Args[i], sc.lets), outer: in}
			continue
		}
		t, _ := kql.ParseType(p.Type.Text)
		if i < len(x.Args) {
			params[i] = e.convert(e.bind(x.Args[i], sc), t)
		} else {
			params[i] = e.convert(e.bind(p.Default, &scope{}), t)
		}
	}
	body := func(a *at) (*relation, *expr) {
		in := in
		for i, p := range l.fn.Params {
			if !p.Tabular() {
				c := constant(params[i].typ, params[i].eval(a))
				in = &lets{name: p.Name.Text, scalar: &c, outer: in}
			}
		}
		return e.stmts(l.fn.Body, in)
	}
	last := l.fn.Body[len(l.fn.Body)-1].(*syntax.ExprStmt)
	if e.isTable(last.X, l, in) {
		r, _ := body(&at{})
		return r, nil
	}
	return nil, func(a *at) (any, kql.Type) {
		_, s := body(a)
		return s.eval(a), s.typ
	}
}

// isTable reports whether the last expression of a function is a table.
func (e *evaluator) isTable(x syntax.Expr, l *lets, in *lets) bool {
	switch x := x.(type) {
	case *syntax.Pipe, *syntax.SourceOp, *syntax.DataTable:
		return true
	case *syntax.Paren:
		return e.isTable(x.X, l, in)
	case *syntax.Name:
		if f := in.find(x.Text); f != nil {
			return f.rel != nil
		}
		return e.tables[x.Text] != nil
	}
	return false
}
