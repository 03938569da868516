package kql

import (
	"fmt"

	"picket/kql/syntax"
)

// cte is one common table expression of the SQL being written.
type cte struct {
	name, sql string
	cheap     bool // repeat it rather than keep its rows: filters then reach the scan
	// late, when set, writes the SQL once it is known which columns are read.
	late func(read identifiers) string
}

// binder turns one query's tree into SQL.
type binder struct {
	cat   Catalog
	opt   Options
	diags syntax.Diagnostics
	// warnings are what Options.Open let pass; told names the tables in them.
	warnings  syntax.Diagnostics
	told      map[string]bool
	seen      map[string]bool // diagnostics already given, by place and text
	ctes      []cte
	depth     int  // nesting of function calls and subqueries
	calls     int  // functions being expanded
	steps     int  // nodes bound so far
	size      int  // bytes of SQL written so far
	full      bool // a limit was reached and reported
	hoists    int
	pipes     int                // pipelines being bound, one in the other
	rowRefs   int                // names bound so far that depend on a row
	aliases   map[string]bool    // databases that alias statements name
	once      map[onceKey]string // toscalar() of what differs from call to call
	views     []viewDef
	expanding map[string]bool // functions of the workspace that are being bound
	rend      *Render
	settings  []Prop // of set statements
	request   request
	searches  []search // in texts that have shapes
	watch     *watch   // where a text is being completed; nil otherwise
}

// viewDef is a let-declared view, which search and find look into as well.
type viewDef struct {
	name string
	val  *value
}

// Limits that keep a hostile query from growing without end: functions are
// expanded where they are called.
const (
	maxDepth = 2000    // nested nodes; the parser allows fewer in one text
	maxCalls = 50      // functions calling functions
	maxSteps = 500_000 // nodes bound
	maxOps   = 500     // operators of one pipeline: DuckDB nests as many queries
	maxSQL   = 16 << 20
)

// errorf reports a problem at the place of n.
func (b *binder) errorf(n syntax.Node, code, format string, args ...any) {
	b.report(n.Span(), code, "", fmt.Sprintf(format, args...))
}

func (b *binder) report(span syntax.Span, code, hint, msg string) {
	if !b.diagnosed(span, msg) {
		b.diags = append(b.diags, diagnostic(span, code, hint, msg))
	}
}

// diagnosed notes that msg is told of a place, and reports whether it was already.
func (b *binder) diagnosed(span syntax.Span, msg string) bool {
	key := fmt.Sprint(span, msg)
	if b.seen[key] {
		return true
	}
	if b.seen == nil {
		b.seen = map[string]bool{}
	}
	b.seen[key] = true
	return false
}

// emit adds a CTE and returns its name.
func (b *binder) emit(sql string, cheap bool) string {
	name := fmt.Sprintf("s%d", len(b.ctes))
	b.size += len(sql)
	b.ctes = append(b.ctes, cte{name: name, sql: sql, cheap: cheap})
	return name
}

// step emits a row-wise operator's CTE over r.
func (b *binder) step(r *relation, sql string, cols []column) *relation {
	return r.with(b.emit(sql, r.cheap), cols)
}

// heavy emits a CTE that ends row-wise work: its rows are worth keeping when it
// is used twice.
func (b *binder) heavy(sql string, cols []column) *relation {
	return &relation{from: b.emit(sql, false), cols: cols}
}

// enter guards recursion: it reports and returns false when expansion has gone
// too deep or too far. After that nothing more is bound.
func (b *binder) enter(n syntax.Node) bool {
	switch {
	case b.full:
		return false
	case b.depth >= maxDepth:
		b.full = true
		b.errorf(n, "SEM0101", "the query nests too deeply")
		return false
	case b.size > maxSQL || b.steps > maxSteps:
		b.full = true
		b.errorf(n, "SEM0101", "the query is too large once its functions are expanded")
		return false
	}
	b.steps++
	b.depth++
	return true
}

func (b *binder) leave() { b.depth-- }
