package kql

import (
	"picket/kql/syntax"
)

// pluginNames are the plugins that evaluate runs.
var pluginNames = [...]string{"active_users_count", "activity_counts_metrics", "activity_engagement", "activity_metrics", "autocluster", "bag_unpack",
	"basket", "dcount_intersect", "diffpatterns", "funnel_sequence", "funnel_sequence_completion", "ipv4_lookup", "ipv6_lookup", "narrow",
	"new_activity_metrics", "pivot", "preview", "rolling_percentile", "rows_near", "schema_merge", "sequence_detect", "session_count", "sliding_window_counts"}

// paramValues returns the values that parameter name of op can have.
func paramValues(name string, op syntax.Op) []string {
	switch name {
	case "kind":
		switch op := op.(type) {
		case *syntax.JoinOp:
			if op.Lookup {
				return []string{"leftouter", "inner"}
			}
			return []string{"innerunique", "inner", "leftouter", "rightouter", "fullouter", "leftsemi", "leftanti", "rightsemi", "rightanti"}
		case *syntax.UnionOp:
			return []string{"inner", "outer"}
		case *syntax.ParseOp:
			return []string{"simple", "regex", "relaxed"}
		case *syntax.SearchOp:
			return []string{"case_insensitive", "case_sensitive"}
		case *syntax.MakeSeriesOp:
			return []string{"nonempty"}
		case *syntax.MvExpandOp, *syntax.MvApplyOp:
			return []string{"bag", "array"}
		}
	case "bagexpansion":
		return []string{"bag", "array"}
	case "isfuzzy", "materialized", "with_match_id":
		return []string{"true", "false"}
	case "strategy":
		return []string{"broadcast", "shuffle"}
	case "remote":
		return []string{"auto", "left", "local", "right"}
	case "output":
		return []string{"all", "last", "none"}
	}
	return nil
}

// operand adds what an expression can begin with.
func (c *completer) operand() {
	call, _ := lookupScalar(c.want.Call)
	c.rowColumns()
	for e := c.w.env; e != nil; e = e.parent {
		for name, v := range e.vars {
			c.variable(name, v)
		}
	}
	scalars, aggregates := functionTable()
	if c.want.Operand || !c.want.Statement {
		for name := range scalars {
			c.function(CompleteFunction, name)
		}
		c.addAll(CompleteKeyword, "true", "false", "dynamic(", "datetime(")
		if _, inner := lookupAggregate(c.want.Call); c.want.Aggregate && !inner {
			for name := range aggregates {
				c.function(CompleteAggregate, name)
			}
		}
	}
	c.function(CompleteFunction, "toscalar")
	if c.want.Table && call == nil {
		c.function(CompleteFunction, "materialize")
		c.addAll(CompleteTable, c.tableNames()...)
	}
}

// variable adds a name of a let statement or a parameter.
func (c *completer) variable(name string, v *value) {
	text := syntax.QuoteName(name)
	switch {
	case v.fn != nil || v.pattern != nil:
		c.function(CompleteVariable, text)
	case v.scalar != nil:
		c.add(CompleteVariable, text, v.scalar.typ.String())
	default:
		c.add(CompleteVariable, text, "table")
	}
}

// rowColumns adds the columns that an expression of the open operator sees.
func (c *completer) rowColumns() {
	switch op := c.want.Op.(type) {
	case *syntax.JoinOp:
		if c.w.in == nil {
			return
		}
		c.addAll(CompleteKeyword, "$left", "$right")
		for _, col := range c.w.in.cols {
			if _, ok := find(c.right(op), col.name); ok {
				c.column(col)
			}
		}
	case *syntax.SearchOp:
		c.sources(c.b.searchTables(op.Tables, c.w.in, c.w.env))
	case *syntax.FindOp:
		c.sources(c.b.searchTables(op.Tables, nil, c.w.env))
	default:
		if c.w.in != nil {
			c.columns(c.w.in.cols)
		}
	}
}

func (c *completer) sources(list []source) {
	for _, s := range list {
		c.columns(s.rel.cols)
	}
}

// right returns the columns of the right side of a join.
func (c *completer) right(op *syntax.JoinOp) []column {
	if r := c.b.tabular(op.Right, c.w.env); r != nil {
		return r.cols
	}
	return nil
}

// member adds what stands behind a dot: the columns of a side of a join.
func (c *completer) member() {
	op, ok := c.want.Op.(*syntax.JoinOp)
	if !ok || c.w.in == nil {
		return
	}
	switch c.want.MemberOf {
	case "$left":
		c.columns(c.w.in.cols)
	case "$right":
		c.columns(c.right(op))
	}
}

// tables adds what stands for a table.
func (c *completer) tables() {
	for e := c.w.env; e != nil; e = e.parent {
		for name, v := range e.vars {
			if v.scalar == nil {
				c.variable(name, v)
			}
		}
	}
	c.function(CompleteFunction, "materialize")
	c.addAll(CompleteTable, c.tableNames()...)
}

func (c *completer) tableNames() []string {
	list := c.b.cat.Tables()
	out := make([]string, len(list))
	for i, n := range list {
		out[i] = syntax.QuoteName(n)
	}
	return out
}
