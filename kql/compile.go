package kql

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"picket/kql/syntax"
)

// Options says how a query is compiled.
type Options struct {
	// Now is the query's now(), fixed for one run.
	Now Ticks
	// From and To, when not 0, restrict every workspace table that has a
	// TimeGenerated column to From <= TimeGenerated < To.
	From, To Ticks
	// Resource, when not "", restricts every workspace table to rows whose
	// _ResourceId is this one, in lower case, or lies within it; tables without
	// that column have none.
	Resource string
	// MaxRows, when not 0, bounds the number of result rows.
	MaxRows int
	// Probe, when not nil, runs SQL over the workspace while a query is compiled
	// and returns the first column. The plugins bag_unpack and pivot need it,
	// whose columns depend on the data.
	Probe func(sql string) ([]string, error)
	// Empty, when not nil, names stored tables that hold no rows at present, which
	// union * and search then leave out of the SQL: a workspace has hundreds of
	// tables and rows in a few. Such a query is to be run at once.
	Empty func() map[string]bool
	// Open is for checking content against a schema that need not be whole: a
	// table, column or function that nobody declared is taken as it is used and
	// told in Query.Warnings. The result has no SQL then.
	Open bool
	// Functions answers for functions the query does not define: saved
	// functions of the workspace, _GetWatchlist and its like. May be nil.
	Functions Functions
	// Parameters are values for declare query_parameters by name, as JSON has them
	// or as text that holds one KQL literal. A parameter that is not there has its
	// default. When Parameters is nil, one without either is null, else an error.
	Parameters map[string]any
	// External, when not nil, answers externaldata: it returns the name of a table
	// in the database that holds what lies at the locations, with columns of the
	// order and types asked for; "" stands for no rows. It must allow only
	// locations that were configured, and explain an error to who wrote the query.
	External func(ExternalData) (table string, err error)
	// Elsewhere, when not nil, says why the tables of this workspace do not answer
	// for kind("name"), where kind is workspace, database, cluster, app, …; nil
	// where they do. When Elsewhere is nil they answer for any.
	Elsewhere func(kind, name string) error
}

// Functions finds the definitions of functions that are neither KQL's nor the
// query's own.
type Functions interface {
	// Function returns the function's definition: a lambda written in KQL such
	// as "(alias:string) { Watchlist | where Alias == alias }", or a tabular
	// expression. consts are the call's arguments where they are string
	// constants, "" where they are not: the columns of a watchlist depend on
	// which one is asked for. An error explains to who wrote the query why a
	// function that is there cannot be called so.
	Function(name string, consts []string) (definition string, ok bool, err error)
}

// Query is a compiled query.
type Query struct {
	// SQL is one SELECT for DuckDB. Its columns are those of Columns, in order;
	// dynamic and decimal values come as VARCHAR, all others as [Type.SQL] says.
	SQL     string
	Columns []Column
	Render  *Render // nil when the query has no render operator
	Now     Ticks   // what now() was
	// More are the queries of the further tables that this one yields, in order:
	// those of fork, facet and preview, and those of several tabular statements.
	More []*Query
	// Warnings are the names that [Options.Open] has let pass. Columns that come
	// from them have the type Unknown.
	Warnings syntax.Diagnostics
	// Settings are the set statements, in order; who runs the query may take them
	// for limits. What of them changes the query's meaning (query_now,
	// query_datetimescope_…, query_bin_auto_…) is in SQL already.
	Settings []Prop
}

// Render is what the render operator asked for. It does not change rows.
type Render struct {
	Kind  string // timechart, piechart, …
	Props []Prop // in source order
}

// Prop is one property of render (title="…", kind=stacked), or of the request
// (set notruncation, whose value is "").
type Prop struct{ Name, Value string }

// Compile compiles a KQL query for the tables of cat. The error, when there is
// one, is a syntax.Diagnostics that lists every problem found, each with its
// place in src.
func Compile(src string, cat Catalog, opt Options) (*Query, error) {
	tree, diags := syntax.Parse(src)
	b := &binder{cat: cat, opt: opt, diags: diags}
	defer func() {
		slices.SortStableFunc(b.diags, func(x, y syntax.Diagnostic) int { return cmp.Compare(x.Span.Start, y.Span.Start) })
	}()
	if failed(diags) {
		// The tree is still bound, so that the other problems are told as well;
		// what follows from a part that did not parse is not.
		b.query(tree)
		return nil, b.diags
	}
	var r *relation
	tables := b.query(tree)
	if len(tables) > 0 {
		r = tables[0]
	}
	if failed(b.diags) {
		return nil, b.diags
	}
	q := &Query{Render: b.rend, Now: b.opt.Now, Settings: b.settings}
	if r == nil && b.opt.Open { // functions to be saved, say
		b.warn(tree.Span(), "SEM0102", "", "the query has no result")
		r = b.empty(nil)
	}
	if r == nil {
		return nil, append(b.diags, diagnostic(tree.Span(), "SEM0102", "end it with a tabular expression, such as a table's name", "the query has no result"))
	}
	q.SQL, q.Columns = b.result(r)
	for _, t := range tables[min(1, len(tables)):] {
		more := &Query{Now: b.opt.Now}
		more.SQL, more.Columns = b.result(t)
		q.More = append(q.More, more)
	}
	if q.Warnings = b.warnings; q.Warnings != nil {
		q.SQL, q.More = "", nil
		slices.SortStableFunc(q.Warnings, func(x, y syntax.Diagnostic) int { return cmp.Compare(x.Span.Start, y.Span.Start) })
	}
	return q, nil
}

// result writes the outermost SELECT.
func (b *binder) result(r *relation) (string, []Column) {
	var s strings.Builder
	cols := make([]Column, len(r.cols))
	s.WriteString("SELECT ")
	for i, c := range r.cols {
		cols[i] = Column{c.name, c.typ}
		if i > 0 {
			s.WriteString(", ")
		}
		if c.scaled {
			s.WriteString(wholeSQL(c.ref()) + "::VARCHAR")
		} else if c.typ == Dynamic || c.typ == Decimal {
			s.WriteString(c.ref() + "::VARCHAR")
		} else {
			s.WriteString(c.ref())
		}
		if c.typ == Dynamic || c.typ == Decimal || c.id != c.name {
			s.WriteString(" AS " + quoteIdent(c.name))
		}
	}
	if len(r.cols) == 0 {
		s.WriteString("NULL WHERE false")
		return s.String(), cols
	}
	s.WriteString(" FROM " + r.from)
	if b.opt.MaxRows > 0 {
		s.WriteString(" LIMIT " + strconv.Itoa(b.opt.MaxRows))
	}
	root := s.String()
	return b.with(root) + root, cols
}

// maxTables is how many tables a query can yield.
const maxTables = 64

// query binds all statements and returns the tables that they yield.
func (b *binder) query(q *syntax.Query) []*relation {
	if q == nil {
		return nil
	}
	env := newEnv(nil)
	b.watch.scope(env)
	var tables []*relation
	for _, s := range q.Stmts {
		v := b.stmts([]syntax.Stmt{s}, env)
		x, ok := s.(*syntax.ExprStmt)
		if !ok || v.rel == nil {
			continue
		}
		if v.rel.graph != nil {
			b.needTable(v.rel, x.X)
		}
		if tables = append(append(tables, v.rel), v.rel.more...); len(tables) > maxTables {
			b.errorf(x, "SEM0107", "the query yields more than %d tables", maxTables)
			return nil
		}
	}
	return tables
}

// stmts binds statements in env and returns what the last expression yields:
// rel, scalar, or neither.
func (b *binder) stmts(list []syntax.Stmt, env *env) value {
	var out value
	for _, s := range list {
		switch s := s.(type) {
		case *syntax.LetStmt:
			b.let(s, env)
		case *syntax.ExprStmt:
			out = b.any(s.X, &ctx{env: env})
		case *syntax.DeclareStmt:
			b.declare(s, env)
		case *syntax.SetStmt:
			b.set(s, env)
		case *syntax.PatternStmt:
			if s.Name != nil {
				env.vars[s.Name.Text] = &value{pattern: s, env: env, name: s.Name.Text}
			}
		case *syntax.AliasStmt:
			b.alias(s, env)
		case *syntax.RestrictStmt:
			b.restrict(s, env)
		}
	}
	return out
}

// let binds one let statement.
func (b *binder) let(s *syntax.LetStmt, env *env) {
	if s.Name == nil || s.Value == nil {
		return
	}
	if fn, ok := s.Value.(*syntax.Lambda); ok {
		v := &value{fn: fn, env: env, name: s.Name.Text}
		// The function sees the names before it, not itself: a let may wrap an
		// earlier one of the same name.
		env.vars[s.Name.Text] = v
		if fn.View && len(fn.Params) == 0 {
			b.views = append(b.views, viewDef{s.Name.Text, v})
		}
		b.openBody(fn, env)
		return
	}
	before := b.rowRefs
	v := b.any(s.Value, &ctx{env: env})
	v.name = s.Name.Text
	v.ofRow, v.depth = b.rowRefs > before && v.scalar != nil, b.pipes
	if v.rel == nil && v.scalar == nil && v.fn == nil {
		v.scalar = &expr{sql: "NULL", typ: Unknown}
	}
	env.vars[s.Name.Text] = &v
}

// typeName resolves the name of a type.
func (b *binder) typeName(n *syntax.Name) Type {
	if n == nil {
		return Unknown
	}
	t, ok := ParseType(n.Text)
	if !ok {
		b.errorf(n, "SEM0106", "%q is no type: use bool, int, long, real, decimal, string, datetime, timespan, dynamic or guid", n.Text)
	}
	return t
}
