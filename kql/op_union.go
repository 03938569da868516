package kql

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"picket/kql/syntax"
)

// source is one table of a union, with the name withsource gives it.
type source struct {
	rel   *relation
	name  string
	empty bool // a stored table without rows
}

// union puts tables under each other. in is the piped input, or nil.
func (b *binder) union(op *syntax.UnionOp, in *relation, env *env) *relation {
	var list []source
	if in != nil {
		name := in.table
		if name == "" {
			name = "union_arg0"
		}
		list = append(list, source{rel: in, name: name})
	}
	fuzzyText, _ := hint(op.Hints, "isfuzzy")
	fuzzy := strings.EqualFold(fuzzyText, "true")
	for _, x := range op.Tables {
		list = append(list, b.unionOperand(x, env, fuzzy, len(list))...)
	}
	if len(list) == 0 {
		if !fuzzy || in != nil {
			return nil
		}
		return b.empty(nil)
	}
	kind, _ := hint(op.Hints, "kind")
	with, _ := hint(op.Hints, "withsource")
	if with == "" {
		with, _ = hint(op.Hints, "with_source")
	}
	return b.unite(list, strings.EqualFold(kind, "inner"), with)
}

// unionOperand binds one operand: a table, a wildcard, or any tabular
// expression. With fuzzy, an operand that names what is not there is left out.
func (b *binder) unionOperand(x syntax.Expr, env *env, fuzzy bool, n int) []source {
	if w, ok := x.(*syntax.Wildcard); ok {
		list := b.wildcardTables(w.Pattern, env)
		if len(list) == 0 && b.opt.Open {
			b.warn(w.Span(), codeName, "", "no table that is declared fits "+w.Pattern+": it is taken for one with any columns")
			list = []source{{rel: b.anything()}}
		}
		return list
	}
	if p, ok := x.(*syntax.Path); ok {
		if w, ok := p.Name.(*syntax.Wildcard); ok && b.isQualifier(p.X, &ctx{env: env}) {
			return b.wildcardTables(w.Pattern, env.workspace())
		}
	}
	before := len(b.diags)
	r := b.tabular(x, env)
	if fuzzy && onlyMissing(b.diags[before:]) && len(b.diags) > before {
		b.diags = b.diags[:before]
		return nil
	}
	if r == nil {
		return nil
	}
	name := r.table
	if name == "" {
		name = "union_arg" + strconv.Itoa(n)
	}
	if id, ok := x.(*syntax.Name); ok {
		name = id.Text
	}
	return []source{{rel: r, name: name}}
}

// onlyMissing reports whether all of d is about tables and functions that are not there.
func onlyMissing(d syntax.Diagnostics) bool {
	for _, x := range d {
		if x.Code != codeName && x.Code != codeFunction {
			return false
		}
	}
	return true
}

// wildcardTables returns the tables whose names fit pattern.
func (b *binder) wildcardTables(pattern string, env *env) []source {
	var out []source
	var empty map[string]bool
	if b.opt.Empty != nil {
		empty = b.opt.Empty()
	}
	for _, name := range b.cat.Tables() {
		if matchWildcard(pattern, name) && env.sees(name) {
			if r, ok := b.table(name); ok {
				out = append(out, source{rel: r, name: name, empty: empty[name]})
			}
		}
	}
	for _, v := range b.views {
		if _, seen := env.lookup(v.name); seen && matchWildcard(pattern, v.name) {
			if r := b.invoke(v.val, v.val.fn, nil, &ctx{env: env}).rel; r != nil {
				out = append(out, source{rel: r, name: v.name})
			}
		}
	}
	return out
}

// unionColumns works out the columns of a union.
type unionColumns struct {
	order []string          // names as they first occur
	types map[string][]Type // of each name, as they first occur
	count map[string]int    // how many tables have the name
	also  map[string]string // the other name it answers to
	plain map[string]bool   // it is a decimal that is not scaled somewhere
	// settled names are one column, of the first type: Microsoft's binder keeps
	// one where the first two tables that have the name agree; what other tables
	// hold is converted.
	settled map[string]bool
	with    string   // the column that withsource asks for, the first one, or ""
	hidden  []column // the hidden columns that it carries
	cols    []column
	slots   map[unionKey]int // which result column a source's column goes to
}

type unionKey struct {
	name string
	typ  Type
}

// see counts the columns of one table.
func (u *unionColumns) see(cols []column) {
	for _, c := range cols {
		if c.also != "" {
			u.also[c.name] = c.also
		}
		u.plain[c.name] = u.plain[c.name] || !c.scaled
		k := u.types[c.name]
		if k == nil {
			u.order = append(u.order, c.name)
		}
		switch {
		case c.typ == Unknown && len(k) > 0: // it is what the others are
			u.count[c.name]++
			continue
		case len(k) == 1 && k[0] == Unknown:
			k = nil
		case len(k) == 1 && k[0] == c.typ && u.count[c.name] == 1:
			u.settled[c.name] = true
		}
		if !slices.Contains(k, c.typ) && !u.settled[c.name] {
			u.types[c.name] = append(k, c.typ)
		}
		u.count[c.name]++
	}
}

// layout makes the result's columns: those of all tables, or with inner those
// that every one of n tables has.
func (u *unionColumns) layout(inner bool, n int) {
	used := idsOf(u.cols)
	kept := map[string]bool{} // names that stay as they are
	taken := map[string]bool{}
	for _, c := range u.cols {
		taken[c.name] = true
	}
	for _, name := range u.order {
		kept[name] = len(u.types[name]) == 1 && !(inner && u.count[name] < n)
	}
	for _, name := range u.order {
		if inner && u.count[name] < n {
			continue
		}
		for _, t := range u.types[name] {
			as := name
			if len(u.types[name]) > 1 {
				as = name + "_" + t.String()
			}
			as = uniqueName(as, func(s string) bool { return taken[s] || s != name && kept[s] })
			taken[as] = true
			u.slots[unionKey{name, t}] = len(u.cols)
			u.cols = append(u.cols, column{name: as, typ: t, id: used.add(as), also: u.also[as], scaled: t == Decimal && !u.plain[name]})
		}
	}
}

// slot returns which result column c goes to.
func (u *unionColumns) slot(c column) (int, bool) {
	if u.settled[c.name] || c.typ == Unknown {
		c.typ = u.types[c.name][0]
	}
	i, ok := u.slots[unionKey{c.name, c.typ}]
	return i, ok
}

// unite emits the union of list. Columns of one name and type are one column;
// of one name and several types, one for each type: x_long, x_string.
func (b *binder) unite(list []source, inner bool, with string) *relation {
	u := &unionColumns{types: map[string][]Type{}, count: map[string]int{}, also: map[string]string{}, plain: map[string]bool{}, settled: map[string]bool{}, slots: map[unionKey]int{}, with: with}
	if with != "" {
		u.cols = newColumns(Column{with, String})
	}
	cheap := true
	var arms []source
	for _, s := range list {
		u.see(s.rel.cols)
		for _, h := range s.rel.hiddenColumns() {
			if !slices.Contains(u.hidden, h) {
				u.hidden = append(u.hidden, h)
			}
		}
		cheap = cheap && s.rel.cheap
		if !s.empty {
			arms = append(arms, s)
			b.size += 24 * len(s.rel.cols)
		}
	}
	u.layout(inner, len(list))
	from := b.emit("", cheap)
	b.ctes[len(b.ctes)-1].late = func(read identifiers) string { return b.unionSQL(u, arms, read) }
	out := &relation{from: from, cols: u.cols, cheap: cheap}
	for _, h := range u.hidden {
		out.hidden, out.addressed = out.hidden || h == ingestionTime, out.addressed || h == addresses[0]
	}
	if b.opt.Open {
		for _, s := range list {
			out.loose = looseOf(out, s.rel)
		}
	}
	return out
}

// wideUnion is from how many cells on, tables times columns, a union is told to
// match by name.
const wideUnion = 4000

// unionSQL writes the union of arms with the columns that are read. A union of
// all tables has thousands, of which a query looks at a few; to plan the others
// would take DuckDB seconds.
func (b *binder) unionSQL(u *unionColumns, arms []source, read identifiers) string {
	cols := make([]column, 0, len(u.cols))
	keep := make([]bool, len(u.cols))
	for i, c := range u.cols {
		if keep[i] = read[c.ref()]; keep[i] {
			cols = append(cols, c)
		}
	}
	wide := len(arms)*len(cols) > wideUnion || len(arms) == 0
	parts := make([]string, 0, len(arms)+1)
	if wide {
		parts = append(parts, unionHead(cols, u.hidden))
	}
	for _, s := range arms {
		sql := b.unionArm(u, s, keep, wide)
		if len(sql) == 0 {
			sql = []string{`NULL AS "$none"`}
		}
		parts = append(parts, "SELECT "+strings.Join(sql, ", ")+" FROM "+s.rel.from)
	}
	switch {
	case len(arms) == 0:
		return parts[0]
	case wide:
		return unionFill(cols, u.hidden) + "(" + strings.Join(parts, " UNION ALL BY NAME ") + ")"
	}
	return strings.Join(parts, " UNION ALL ")
}

// unionArm is the SELECT list of one table: a value for every column that is
// kept, or when wide only for those it has.
func (b *binder) unionArm(u *unionColumns, s source, keep []bool, wide bool) []string {
	own := make(map[int]string, len(s.rel.cols)+1)
	if u.with != "" && keep[0] {
		own[0] = quoteString(s.name)
	}
	for _, c := range s.rel.cols {
		if i, ok := u.slot(c); ok && keep[i] {
			own[i] = b.unionValue(c, u.cols[i])
		}
	}
	sql := make([]string, 0, len(own)+1)
	put := func(i int, v string) {
		if ref := u.cols[i].ref(); v != ref {
			v += " AS " + ref
		}
		sql = append(sql, v)
	}
	if wide {
		for _, i := range slices.Sorted(maps.Keys(own)) {
			put(i, own[i])
		}
	} else {
		for i, c := range u.cols {
			if v, ok := own[i]; ok {
				put(i, v)
			} else if keep[i] {
				put(i, nullLit(c.typ).sql)
			}
		}
	}
	carried := s.rel.hiddenColumns()
	for _, h := range u.hidden {
		if slices.Contains(carried, h) {
			sql = append(sql, h.ref())
		} else if !wide {
			sql = append(sql, "NULL::"+h.typ.SQL()+" AS "+h.ref())
		}
	}
	return sql
}

// To write a NULL for every column a table lacks would make the SQL of union *
// grow with tables times columns, so for a wide union DuckDB is told to match
// by name: unionHead gives it names and types, unionFill the empty strings.
func unionHead(cols, hidden []column) string {
	var types []string
	for _, c := range slices.Concat(cols, hidden) {
		types = append(types, "NULL::"+c.typ.SQL()+" AS "+c.ref())
	}
	if len(types) == 0 {
		types = []string{`NULL AS "$none"`}
	}
	return "SELECT " + strings.Join(types, ", ") + " WHERE false"
}

func unionFill(cols, hidden []column) string {
	list := make([]string, len(cols))
	for i, c := range cols {
		list[i] = c.ref()
		if c.typ == String {
			list[i] = "coalesce(" + c.ref() + ", '') AS " + c.ref()
		}
	}
	for _, h := range hidden {
		list = append(list, h.ref())
	}
	if len(list) == 0 {
		list = []string{`NULL AS "$none"`}
	}
	return "SELECT " + strings.Join(list, ", ") + " FROM "
}

// unionValue is column c as the column to of the union.
func (b *binder) unionValue(c, to column) string {
	e, t := expr{sql: c.ref(), typ: c.typ, scaled: c.scaled}, to.typ
	if !to.scaled && t == Decimal {
		e = e.unscaled()
	}
	if k, ok := convert(e, t, false); ok {
		return k.sql
	}
	if k, ok := b.explicit(e, t); ok {
		return k.sql
	}
	return nullLit(t).sql
}
