package kql

import (
	"slices"

	"picket/kql/syntax"
)

// env is a scope of let names and parameters. Scopes nest: a function's body
// sees what stood before its let statement, not what stands before the call.
type env struct {
	parent *env
	vars   map[string]*value
	limit  *restriction // what of the scopes above, and of the workspace, is seen here
}

func newEnv(parent *env) *env { return &env{parent: parent, vars: map[string]*value{}} }

func (e *env) lookup(name string) (*value, bool) {
	var limits []*restriction
	for ; e != nil; e = e.parent {
		if v, ok := e.vars[name]; ok {
			return v, !slices.ContainsFunc(limits, func(r *restriction) bool { return r.hides(v, name) })
		}
		if e.limit != nil {
			limits = append(limits, e.limit)
		}
	}
	return nil, false
}

func (e *env) names(add func(string)) {
	for at := e; at != nil; at = at.parent {
		for n := range at.vars {
			if _, ok := e.lookup(n); ok {
				add(n)
			}
		}
	}
}

// value is what a name stands for: exactly one of scalar, rel and fn is set.
type value struct {
	scalar *expr
	rel    *relation
	fn     *syntax.Lambda
	env    *env // the scope fn was written in
	// pattern, when set, is a declared pattern; none of the above is.
	pattern *syntax.PatternStmt
	text    *functionText // where fn was read from, when that is not the query
	busy    bool          // fn is being expanded: calls of itself are refused
	// ofRow says that scalar depends on the row of the call, which is in scope
	// while no more than depth pipelines are being bound.
	ofRow bool
	depth int
	name  string
}

// ctx is the place an expression stands in.
type ctx struct {
	env         *env
	cols        []column  // row scope; nil where there are no rows
	qual        string    // put before column references: "l." or ""
	src         *relation // the input, for what needs the whole row
	left, right []column  // $left and $right in join conditions
	// loose, when set, takes names that are no columns, looseL and looseR those
	// of $left and $right.
	loose, looseL, looseR *looseTable
	absent                map[string]Type // columns that other tables of a search have: null here
	aggs                  bool            // aggregates may be called
	inAgg                 bool            // inside an aggregate's arguments: columns may be named
	// steps, within scan, answers for step.Column, and over the pattern of
	// graph-match for node.Property; ok is false where x is neither.
	steps func(x, col *syntax.Name) (e expr, ok bool)
	graph *graphTerm // set where the graph functions may be called
}

// row returns the context for expressions over r's rows.
func (c *ctx) row(r *relation) *ctx { return &ctx{env: c.env, cols: r.cols, src: r, loose: r.loose} }
