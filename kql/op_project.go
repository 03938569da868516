package kql

import (
	"sort"
	"strings"

	"picket/kql/syntax"
)

// projectOp binds the project family.
func (b *binder) projectOp(op *syntax.ProjectOp, r *relation, c *ctx) *relation {
	switch op.Kind {
	case syntax.Project:
		return b.project(op.Cols, r, c)
	case syntax.ProjectAway:
		return b.projectAway(op, r)
	case syntax.ProjectKeep:
		return b.projectKeep(op, r)
	case syntax.ProjectByNames:
		return b.projectByNames(op, r, c)
	case syntax.ProjectRename:
		return b.projectRename(op, r)
	case syntax.ProjectReorder:
		return b.projectReorder(op, r)
	}
	return b.unsupported(op, "project-smart", r)
}

// selection collects computed columns with their names.
type selection struct {
	m    *namer
	u    ids
	cols []column
	list []string
	from []column // what the expressions are over, where their weight counts
}

func newSelection() *selection { return &selection{m: newNamer(), u: ids{}} }

// add appends e under name, made unique.
func (s *selection) add(name string, e expr) {
	col := column{name: s.m.take(name), typ: e.typ, id: s.u.add(name)}
	s.put(col, e)
}

// addAll appends the columns of a function that yields several.
func (s *selection) addAll(cols []aggColumn) {
	for _, col := range cols {
		s.add(col.name, expr{sql: col.sql, typ: col.typ})
	}
}

func (s *selection) put(col column, e expr) {
	col.bound, col.bytes, col.shaped, col.scaled = e.bound, e.bytes, e.keepsShape(), e.scaled
	e.sql, col.weight = weigh(e, s.from)
	s.cols = append(s.cols, col)
	ref := col.ref()
	if ref == e.sql {
		s.list = append(s.list, ref)
	} else {
		s.list = append(s.list, e.sql+" AS "+ref)
	}
}

// auto appends e under the name that x implies.
func (s *selection) auto(x syntax.Expr, e expr) {
	name := s.m.autoOf(x, e)
	s.put(column{name: name, typ: e.typ, id: s.u.add(name)}, e)
}

func (s *selection) sql() string { return strings.Join(s.list, ", ") }

// project computes exactly the columns listed.
func (b *binder) project(list []syntax.Expr, r *relation, c *ctx) *relation {
	s := newSelection()
	s.from = r.cols
	b.namedOnce(list)
	for _, x := range list {
		b.projected(s, x, c)
	}
	if len(s.list) == 0 {
		return r
	}
	out := b.step(r, "SELECT "+s.sql()+r.hiddenList()+" FROM "+r.from, s.cols)
	out.loose = nil
	return out
}

// projected adds one item of a projection to s.
func (b *binder) projected(s *selection, x syntax.Expr, c *ctx) {
	b.projectedBy(s, x, c, func(e expr) expr { return e })
}

// projectedBy is projected with a computed value passed through f.
func (b *binder) projectedBy(s *selection, x syntax.Expr, c *ctx, f func(expr) expr) {
	name, inner := explicitName(x)
	if w, ok := inner.(*syntax.Wildcard); ok {
		for _, col := range c.cols {
			if matchWildcard(w.Pattern, col.name) {
				s.add(col.name, expr{sql: c.qual + col.ref(), typ: col.typ})
			}
		}
		return
	}
	if cols := b.tuple(x, c); cols != nil {
		s.addAll(cols)
		return
	}
	e := f(b.scalar(inner, c))
	if name != "" {
		s.add(name, e)
	} else {
		s.auto(inner, e)
	}
}

// matchWildcard reports whether name fits pattern, in which * stands for any text.
func matchWildcard(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	if !strings.HasPrefix(name, parts[0]) {
		return false
	}
	name = name[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(name, p)
		if i < 0 {
			return false
		}
		name = name[i+len(p):]
	}
	return strings.HasSuffix(name, last)
}

// chosen returns the columns of r that x, a name or a wildcard, picks.
func (b *binder) chosen(x syntax.Expr, r *relation) []column {
	var out []column
	switch x := x.(type) {
	case *syntax.Wildcard:
		for _, c := range r.cols {
			if matchWildcard(x.Pattern, c.name) {
				out = append(out, c)
			}
		}
		return out
	case *syntax.Name:
		if c, ok := find(r.cols, x.Text); ok {
			return []column{c}
		}
		if c, ok := b.looseColumn(x, r.loose, r.cols); ok {
			return []column{c}
		}
		b.unresolved(x, &ctx{env: newEnv(nil), cols: orEmpty(r.cols)})
	case *syntax.Paren:
		return b.chosen(x.X, r)
	case *syntax.Bad:
	default:
		b.errorf(x, "SEM0045", "a column's name or a wildcard is needed here")
	}
	return out
}

func orEmpty(c []column) []column {
	if c == nil {
		return []column{}
	}
	return c
}

// keep emits r with only these of its columns, in this order.
func (b *binder) keep(r *relation, cols []column) *relation {
	if len(cols) == 0 {
		return r.with(b.emit(`SELECT NULL AS "$none"`+r.hiddenList()+" FROM "+r.from, r.cheap), nil)
	}
	return b.step(r, "SELECT "+refs(cols)+r.hiddenList()+" FROM "+r.from, cols)
}

func (b *binder) projectAway(op *syntax.ProjectOp, r *relation) *relation {
	drop := map[string]bool{}
	for _, x := range op.Cols {
		for _, c := range b.chosen(x, r) {
			drop[c.name] = true
		}
	}
	var cols []column
	for _, c := range r.cols {
		if !drop[c.name] {
			cols = append(cols, c)
		}
	}
	return b.keep(r, cols)
}

func (b *binder) projectKeep(op *syntax.ProjectOp, r *relation) *relation {
	keep := map[string]bool{}
	var cols []column // in their old order, behind those taken on trust
	for _, x := range op.Cols {
		for _, c := range b.chosen(x, r) {
			if keep[c.name] = true; r.loose != nil {
				if _, ok := find(r.cols, c.name); !ok {
					cols = append(cols, c)
				}
			}
		}
	}
	for _, c := range r.cols {
		if keep[c.name] {
			cols = append(cols, c)
		}
	}
	out := b.keep(r, cols)
	out.loose = nil
	return out
}

// projectByNames keeps columns in the order given: names, wildcards, and
// constants that hold names, of which those that are no columns are passed over.
func (b *binder) projectByNames(op *syntax.ProjectOp, r *relation, c *ctx) *relation {
	var cols []column
	done := map[string]bool{}
	for _, x := range op.Cols {
		var got []column
		switch n, isName := x.(*syntax.Name); {
		case isName && !isLet(c.env, n.Text), isWildcard(x):
			got = b.chosen(x, r)
		default:
			for _, name := range b.nameList(x, c) {
				for _, col := range r.cols {
					if matchWildcard(name, col.name) {
						got = append(got, col)
					}
				}
			}
		}
		for _, col := range got {
			if !done[col.name] {
				done[col.name] = true
				cols = append(cols, col)
			}
		}
	}
	return b.keep(r, cols)
}

func isWildcard(x syntax.Expr) bool {
	_, ok := x.(*syntax.Wildcard)
	return ok
}

func isLet(e *env, name string) bool {
	v, ok := e.lookup(name)
	return ok && v.scalar != nil
}

// nameList is a string constant, or an array of them.
func (b *binder) nameList(x syntax.Expr, c *ctx) []string {
	e := b.scalar(x, &ctx{env: c.env})
	switch v := e.lit.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, s := range v {
			if s, ok := s.(string); ok {
				out = append(out, s)
			}
		}
		return out
	}
	if e.typ != Unknown {
		b.errorf(x, "SEM0045", "a column's name, a wildcard, or a constant with names is needed here")
	}
	return nil
}

// projectRename renames columns in their places; nothing is computed.
func (b *binder) projectRename(op *syntax.ProjectOp, r *relation) *relation {
	cols := append([]column(nil), r.cols...)
	for _, x := range op.Cols {
		name, inner := explicitName(x)
		old, ok := inner.(*syntax.Name)
		if name == "" || !ok {
			b.errorf(x, "SEM0046", "project-rename takes New = Old, both names of columns")
			continue
		}
		found := false
		for i, c := range r.cols {
			if c.name == old.Text {
				cols[i].name, found = name, true
			}
		}
		if !found {
			for _, c := range b.chosen(old, r) {
				cols = append(cols, column{name: name, typ: c.typ})
			}
		}
	}
	out := r.with(r.from, cols)
	// The columns keep their SQL identifiers unless a new name is free: SQL
	// that reads like the query is worth a CTE.
	u := ids{}
	var list []string
	for i := range cols[:len(r.cols)] {
		old := r.cols[i].ref()
		cols[i].id = u.add(cols[i].name)
		if ref := cols[i].ref(); ref != old {
			list = append(list, old+" AS "+ref)
		} else {
			list = append(list, old)
		}
	}
	out.from = b.emit("SELECT "+strings.Join(list, ", ")+r.hiddenList()+" FROM "+r.from, r.cheap)
	return out
}

// projectReorder puts the columns listed first.
func (b *binder) projectReorder(op *syntax.ProjectOp, r *relation) *relation {
	var cols []column
	done := map[string]bool{}
	for i, x := range op.Cols {
		got := b.chosen(x, r)
		if i < len(op.Dirs) {
			sortColumns(got, op.Dirs[i])
		}
		for _, c := range got {
			if !done[c.name] {
				done[c.name] = true
				cols = append(cols, c)
			}
		}
	}
	for _, c := range r.cols {
		if !done[c.name] {
			cols = append(cols, c)
		}
	}
	return b.keep(r, cols)
}

// sortColumns orders columns by name as Microsoft's binder does, a beside A.
func sortColumns(cols []column, dir syntax.OrderDir) {
	switch dir {
	case syntax.Asc:
		sort.SliceStable(cols, func(i, j int) bool { return foldLess(cols[i].name, cols[j].name) })
	case syntax.Desc:
		sort.SliceStable(cols, func(i, j int) bool { return foldLess(cols[j].name, cols[i].name) })
	case syntax.GrannyAsc:
		sort.SliceStable(cols, func(i, j int) bool { return naturalLess(strings.ToUpper(cols[i].name), strings.ToUpper(cols[j].name)) })
	case syntax.GrannyDesc:
		sort.SliceStable(cols, func(i, j int) bool { return naturalLess(strings.ToUpper(cols[j].name), strings.ToUpper(cols[i].name)) })
	}
}

// foldLess orders names whatever their case.
func foldLess(a, b string) bool { return strings.ToUpper(a) < strings.ToUpper(b) }

// naturalLess orders a2 before a10.
func naturalLess(a, b string) bool {
	for a != "" && b != "" {
		if digit(a[0]) && digit(b[0]) {
			x, y := number(a), number(b)
			a, b = a[len(x):], b[len(y):]
			x, y = strings.TrimLeft(x, "0"), strings.TrimLeft(y, "0")
			if len(x) != len(y) {
				return len(x) < len(y)
			}
			if x != y {
				return x < y
			}
			continue
		}
		if a[0] != b[0] {
			return a[0] < b[0]
		}
		a, b = a[1:], b[1:]
	}
	return len(a) < len(b)
}

func digit(c byte) bool { return c >= '0' && c <= '9' }

func number(s string) string {
	i := 0
	for i < len(s) && digit(s[i]) {
		i++
	}
	return s[:i]
}
