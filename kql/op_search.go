package kql

import (
	"slices"
	"strings"

	"picket/kql/syntax"
)

// search looks for terms in all columns of tables. Its result begins with
// $table, the name of the table a row is from.
func (b *binder) search(op *syntax.SearchOp, in *relation, env *env) *relation {
	kind, _ := hint(op.Hints, "kind")
	cs := strings.EqualFold(kind, "case_sensitive")
	with := "$table"
	for _, n := range []string{"withsource", "with_source"} {
		if w, ok := hint(op.Hints, n); ok && w != "" {
			with = w
		}
	}
	list := b.searchTables(op.Tables, in, env)
	if len(list) == 0 {
		if len(b.diags) == 0 {
			b.errorf(op, "SEM0061", "there is no table to search")
		}
		return nil
	}
	return b.searchIn(list, op.Pred, cs, with, env)
}

// searchTables are the tables search and find look into.
func (b *binder) searchTables(tables []syntax.Expr, in *relation, env *env) []source {
	switch {
	case len(tables) > 0:
		var list []source
		for _, x := range tables {
			list = append(list, b.unionOperand(x, env, false, len(list))...)
		}
		return list
	case in != nil:
		return []source{{rel: in, name: in.table}}
	}
	return b.wildcardTables("*", env)
}

// columnsOfAll are the columns that some table of list has, with their types.
func columnsOfAll(list []source) map[string]Type {
	all := map[string]Type{}
	for _, s := range list {
		for _, col := range s.rel.cols {
			if _, ok := all[col.name]; !ok {
				all[col.name] = col.typ
			}
		}
	}
	return all
}

// searchIn filters every table by itself and unites what is left. A column the
// condition names is null in a table that lacks it, as in the union of them all.
func (b *binder) searchIn(list []source, pred syntax.Expr, cs bool, with string, env *env) *relation {
	var first syntax.Diagnostics
	matched := false
	out := make([]source, 0, len(list))
	all := columnsOfAll(list)
	for _, s := range list {
		before := len(b.diags)
		seen := b.seen
		b.seen = nil
		cols := s.rel.cols
		if s.empty {
			cols = nil // terms need not be looked for; names still must be right
		}
		c := (&ctx{env: env}).row(s.rel)
		c.absent = all
		if c.loose != nil && c.loose.declared {
			c.loose = nil // what one table lacks another may have
		}
		p := b.pred(searchPred(pred, cols, cs), c)
		b.seen = seen
		if missing := b.diags[before:]; len(missing) > 0 && otherTable(missing) {
			if first == nil {
				first = append(first, missing...)
			}
			b.diags = b.diags[:before]
			p = expr{sql: "false", typ: Bool}
		} else {
			matched = true
		}
		if !s.empty {
			s.rel = b.filtered(s.rel, "*", p, s.rel.cols)
		}
		out = append(out, s)
	}
	switch {
	case matched:
	case b.opt.Open:
		b.warnings = append(b.warnings, first...)
	default:
		b.diags = append(b.diags, first...)
	}
	return b.unite(out, false, with)
}

// otherTable reports whether d may be no mistake, but about a table that search
// comes upon: one without the column that is asked for, or with one of that name
// and another type.
func otherTable(d syntax.Diagnostics) bool {
	for _, x := range d {
		if x.Code != codeName && x.Code != codeFunction && x.Code != codeCompare {
			return false
		}
	}
	return true
}

// searchPred rewrites a search condition over the columns of one table: a bare
// "term" is looked for in every column, and so is what stands behind * or col:.
func searchPred(x syntax.Expr, cols []column, cs bool) syntax.Expr {
	switch x := x.(type) {
	case *syntax.Paren:
		return &syntax.Paren{X: searchPred(x.X, cols, cs)}
	case *syntax.Wildcard:
		return boolNode(x, true)
	case *syntax.Literal:
		if x.Kind == syntax.LitString {
			return anyColumn(cols, x, func(c syntax.Expr) syntax.Expr { return termMatch(c, x, cs) })
		}
	case *syntax.Call:
		if x.Func != nil && x.Func.Text == "not" && len(x.Args) == 1 {
			return &syntax.Call{Func: x.Func, Args: []syntax.Expr{searchPred(x.Args[0], cols, cs)}}
		}
	case *syntax.Binary:
		switch {
		case x.Op == syntax.AND || x.Op == syntax.OR:
			return &syntax.Binary{Op: x.Op, OpPos: x.OpPos, X: searchPred(x.X, cols, cs), Y: searchPred(x.Y, cols, cs)}
		case isStar(x.X):
			return anyColumn(cols, x, func(c syntax.Expr) syntax.Expr { return withLeft(x, c, cs) })
		case x.Op == syntax.COLON:
			return withLeft(x, x.X, cs)
		}
	case *syntax.In:
		if isStar(x.X) {
			return anyColumn(cols, x, func(c syntax.Expr) syntax.Expr {
				return &syntax.In{Op: x.Op, OpPos: x.OpPos, X: c, List: x.List}
			})
		}
	}
	return x
}

// starPred rewrites the comparisons of where whose left side is *, which stands
// for any column.
func starPred(x syntax.Expr, cols []column) syntax.Expr {
	switch x := x.(type) {
	case *syntax.Paren:
		y := *x
		y.X = starPred(x.X, cols)
		return &y
	case *syntax.Binary:
		if x.Op == syntax.AND || x.Op == syntax.OR {
			y := *x
			y.X, y.Y = starPred(x.X, cols), starPred(x.Y, cols)
			return &y
		}
		if isStar(x.X) {
			return searchPred(x, cols, false)
		}
	case *syntax.In:
		if isStar(x.X) {
			return searchPred(x, cols, false)
		}
	}
	return x
}

func isStar(x syntax.Expr) bool {
	w, ok := x.(*syntax.Wildcard)
	return ok && w.Pattern == "*"
}

// withLeft is comparison x with its left side replaced; : means has.
func withLeft(x *syntax.Binary, left syntax.Expr, cs bool) syntax.Expr {
	if l, ok := x.Y.(*syntax.Literal); ok && x.Op == syntax.COLON && l.Kind == syntax.LitString {
		return termMatch(left, l, cs)
	}
	y := *x
	y.X = left
	if y.Op == syntax.COLON {
		y.Op = syntax.EQ
	}
	return &y
}

// termMatch is col has "term", where * at the ends of the term is a wildcard.
func termMatch(col syntax.Expr, l *syntax.Literal, cs bool) syntax.Expr {
	s := l.Text
	if s == "*" || s == "" {
		return boolNode(l, true)
	}
	pre, post := strings.HasPrefix(s, "*"), strings.HasSuffix(s, "*")
	ops := map[[2]bool]syntax.Kind{{false, false}: syntax.HAS, {false, true}: syntax.HASPREFIX, {true, false}: syntax.HASSUFFIX, {true, true}: syntax.CONTAINS}
	if cs {
		ops = map[[2]bool]syntax.Kind{{false, false}: syntax.HASCS, {false, true}: syntax.HASPREFIXCS, {true, false}: syntax.HASSUFFIXCS, {true, true}: syntax.CONTAINSCS}
	}
	t := *l
	t.Text = strings.Trim(s, "*")
	op := ops[[2]bool{pre, post}]
	if strings.Contains(t.Text, "*") {
		op = syntax.MATCHES
		parts := strings.Split(t.Text, "*")
		for i, p := range parts {
			parts[i] = quoteMeta(p)
		}
		t.Text = "(?is)" + strings.Join(parts, ".*")
	}
	return &syntax.Binary{Op: op, OpPos: l.Span(), X: col, Y: &t}
}

// anyColumn is the disjunction of f over the columns that hold text.
func anyColumn(cols []column, at syntax.Node, f func(syntax.Expr) syntax.Expr) syntax.Expr {
	var out syntax.Expr
	for _, c := range cols {
		if c.typ != String && c.typ != Dynamic && c.typ != Guid {
			continue
		}
		n := &syntax.Name{Text: c.name}
		n.S = at.Span()
		t := f(n)
		if out == nil {
			out = t
		} else {
			out = &syntax.Binary{Op: syntax.OR, X: out, Y: t}
		}
	}
	if out == nil {
		return boolNode(at, false)
	}
	return out
}

func boolNode(at syntax.Node, v bool) syntax.Expr {
	l := &syntax.Literal{Kind: syntax.LitBool, Text: formatBool(v)}
	l.S = at.Span()
	return l
}

// find is search with a condition over columns; its result is source_, the
// columns asked for (or those the condition names) and, without a projection,
// the whole row in pack_.
func (b *binder) find(op *syntax.FindOp, env *env) *relation {
	with := "source_"
	for _, n := range []string{"withsource", "with_source"} {
		if w, ok := hint(op.Hints, n); ok && w != "" {
			with = w
		}
	}
	list := b.searchTables(op.Tables, nil, env)
	if len(list) == 0 {
		return nil
	}
	if op.Pred == nil {
		op.Pred = boolNode(op, true)
	}
	var named []Column
	pack := op.PackRest
	for _, x := range op.Project {
		switch x := x.(type) {
		case *syntax.Name:
			named = append(named, Column{x.Text, Unknown})
		case *syntax.TypedName:
			named = append(named, Column{x.Name.Text, b.typeName(x.Type)})
		}
	}
	if len(op.Project) == 0 { // project-smart: what all tables have, what the condition names, and the rest
		named = inAll(list)
		for _, n := range namesIn(op.Pred, nil) {
			named = append(named, Column{n, Unknown})
		}
		pack = !op.Smart && slices.ContainsFunc(list, func(s source) bool {
			return slices.ContainsFunc(s.rel.cols, func(c column) bool { return !isNamed(named, c.name) })
		})
	}
	all := columnsOfAll(list)
	for i, s := range list {
		list[i].rel = b.findColumns(s.rel, all, op.Pred, named, pack, env)
	}
	return b.packLast(b.searchIn(list, boolNode(op, true), false, with, env))
}

// inAll are the columns that every table of list has, with one type.
func inAll(list []source) []Column {
	var out []Column
	for _, col := range list[0].rel.cols {
		if !slices.ContainsFunc(list, func(s source) bool {
			c, ok := find(s.rel.cols, col.name)
			return !ok || c.typ != col.typ
		}) {
			out = append(out, Column{col.name, col.typ})
		}
	}
	return out
}

func isNamed(named []Column, name string) bool {
	return slices.ContainsFunc(named, func(n Column) bool { return n.Name == name })
}

// packLast moves the column pack_ of find behind those that only later tables have.
func (b *binder) packLast(r *relation) *relation {
	if r == nil {
		return nil
	}
	i := slices.IndexFunc(r.cols, func(c column) bool { return c.name == "pack_" })
	if i < 0 || i == len(r.cols)-1 {
		return r
	}
	cols := append(slices.Delete(slices.Clone(r.cols), i, i+1), r.cols[i])
	return b.step(r, "SELECT "+refs(cols)+r.hiddenList()+" FROM "+r.from, cols)
}

// findColumns filters one table and keeps the columns find asks for.
func (b *binder) findColumns(r *relation, all map[string]Type, pred syntax.Expr, named []Column, pack bool, env *env) *relation {
	before := len(b.diags)
	c := (&ctx{env: env}).row(r)
	c.absent = all
	if c.loose != nil && c.loose.declared {
		c.loose = nil
	}
	p := b.pred(searchPred(pred, r.cols, false), c)
	if d := b.diags[before:]; len(d) > 0 && onlyMissing(d) {
		b.diags = b.diags[:before]
		p = expr{sql: "false", typ: Bool}
	}
	s := newSelection()
	var rest []column
	for _, col := range r.cols {
		if isNamed(named, col.name) {
			s.add(col.name, expr{sql: col.ref(), typ: col.typ})
		} else {
			rest = append(rest, col)
		}
	}
	if pack {
		s.add("pack_", packColumns(rest, "", false))
	}
	if len(s.list) == 0 {
		s.list = []string{`NULL AS "$none"`}
	}
	return b.filtered(r, s.sql()+r.hiddenList(), p, s.cols)
}

// namesIn lists the names that x mentions.
func namesIn(x syntax.Expr, out []string) []string {
	switch x := x.(type) {
	case *syntax.Name:
		return append(out, x.Text)
	case *syntax.Paren:
		return namesIn(x.X, out)
	case *syntax.Binary:
		return namesIn(x.Y, namesIn(x.X, out))
	case *syntax.In:
		return namesIn(x.X, out)
	case *syntax.Between:
		return namesIn(x.X, out)
	case *syntax.Path:
		return namesIn(x.X, out)
	case *syntax.Call:
		for _, a := range x.Args {
			out = namesIn(a, out)
		}
	}
	return out
}
