package kql

import (
	"strconv"
	"strings"

	"picket/kql/syntax"
)

// source is one table of a union, with the name withsource gives it.
type source struct {
	rel  *relation
	name string
}

// union puts tables under each other. in is the piped input, or nil.
func (b *binder) union(op *syntax.UnionOp, in *relation, env *env) *relation {
	var list []source
	if in != nil {
		name := in.table
		if name == "" {
			name = "union_arg0"
		}
		list = append(list, source{in, name})
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
		return b.wildcardTables(w.Pattern, env)
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
	return []source{{r, name}}
}

// onlyMissing reports whether all of d is about tables and functions that are not there.
func onlyMissing(d syntax.Diagnostics) bool {
	for _, x := range d {
		if x.Code != "SEM0001" && x.Code != "SEM0002" {
			return false
		}
	}
	return true
}

// wildcardTables returns the tables whose names fit pattern.
func (b *binder) wildcardTables(pattern string, env *env) []source {
	var out []source
	for _, name := range b.cat.Tables() {
		if matchWildcard(pattern, name) {
			if r, ok := b.table(name); ok {
				out = append(out, source{r, name})
			}
		}
	}
	for _, v := range b.views {
		if matchWildcard(pattern, v.name) {
			if r := b.invoke(v.val, v.val.fn, nil, &ctx{env: env}).rel; r != nil {
				out = append(out, source{r, v.name})
			}
		}
	}
	return out
}

// unite emits the union of list. Columns of one name and type are one column;
// of one name and several types, one for each type: x_long, x_string.
func (b *binder) unite(list []source, inner bool, with string) *relation {
	var cols []column
	u := ids{}
	if with != "" {
		cols = append(cols, column{with, String, u.add(with)})
	}
	types := map[string][]Type{}
	count := map[string]int{}
	// Microsoft's binder keeps one column, of the first type, where the first
	// two tables that have the name agree; what other tables hold is converted.
	settled := map[string]bool{}
	var order []string
	for _, s := range list {
		for _, c := range s.rel.cols {
			if types[c.name] == nil {
				order = append(order, c.name)
			}
			if k := types[c.name]; len(k) == 1 && k[0] == c.typ && count[c.name] == 1 {
				settled[c.name] = true
			}
			if !hasType(types[c.name], c.typ) && !settled[c.name] {
				types[c.name] = append(types[c.name], c.typ)
			}
			count[c.name]++
		}
	}
	type key struct {
		name string
		typ  Type
	}
	slot := func(from map[key]int, c column) (int, bool) {
		if settled[c.name] {
			c.typ = types[c.name][0]
		}
		i, ok := from[key{c.name, c.typ}]
		return i, ok
	}
	kept := map[string]bool{} // names that stay as they are
	for _, name := range order {
		kept[name] = len(types[name]) == 1 && !(inner && count[name] < len(list))
	}
	from := map[key]int{} // which result column a source's column goes to
	for _, name := range order {
		if inner && count[name] < len(list) {
			continue
		}
		for _, t := range types[name] {
			n := name
			if len(types[name]) > 1 {
				n = name + "_" + t.String()
			}
			n = uniqueName(n, func(s string) bool { _, ok := find(cols, s); return ok || s != name && kept[s] })
			from[key{name, t}] = len(cols)
			cols = append(cols, column{n, t, u.add(n)})
		}
	}
	hidden := false
	cheap := true
	for _, s := range list {
		hidden = hidden || s.rel.hidden
		cheap = cheap && s.rel.cheap
	}
	if len(list)*len(cols) > 4000 {
		src := make([]unionArm, len(list))
		for i, s := range list {
			src[i].from = s.rel.from
			if with != "" {
				src[i].list = append(src[i].list, quoteString(s.name)+" AS "+cols[0].ref())
			}
			for _, c := range s.rel.cols {
				if k, ok := slot(from, c); ok {
					src[i].add(b.unionValue(c, cols[k].typ), cols[k].ref())
				}
			}
			if s.rel.hidden {
				src[i].list = append(src[i].list, quoteIdent(IngestionTime))
			}
		}
		return b.wideUnion(src, cols, hidden, cheap)
	}
	var parts []string
	for _, s := range list {
		sql := make([]string, len(cols))
		for i, c := range cols {
			sql[i] = nullLit(c.typ).sql + " AS " + c.ref()
		}
		if with != "" {
			sql[0] = quoteString(s.name) + " AS " + cols[0].ref()
		}
		for _, c := range s.rel.cols {
			if i, ok := slot(from, c); ok {
				sql[i] = b.unionValue(c, cols[i].typ)
				if sql[i] != cols[i].ref() {
					sql[i] += " AS " + cols[i].ref()
				}
			}
		}
		if hidden && s.rel.hidden {
			sql = append(sql, quoteIdent(IngestionTime))
		} else if hidden {
			sql = append(sql, "NULL::BIGINT AS "+quoteIdent(IngestionTime))
		}
		if len(sql) == 0 {
			sql = []string{`NULL AS "$none"`}
		}
		parts = append(parts, "SELECT "+strings.Join(sql, ", ")+" FROM "+s.rel.from)
	}
	return &relation{from: b.emit(strings.Join(parts, " UNION ALL "), cheap), cols: cols, hidden: hidden, cheap: cheap}
}

// unionValue is column c as type t.
func (b *binder) unionValue(c column, t Type) string {
	e := expr{sql: c.ref(), typ: c.typ}
	if k, ok := convert(e, t, false); ok {
		return k.sql
	}
	if k, ok := b.explicit(e, t); ok {
		return k.sql
	}
	return nullLit(t).sql
}

func hasType(list []Type, t Type) bool {
	for _, x := range list {
		if x == t {
			return true
		}
	}
	return false
}

// unionArm is one SELECT of a wide union.
type unionArm struct {
	from string
	list []string
}

func (a *unionArm) add(ref, as string) {
	if ref != as {
		ref += " AS " + as
	}
	a.list = append(a.list, ref)
}

// wideUnion emits a union of many columns. To write a NULL for every column a
// table lacks would make the SQL of union * grow with tables times columns, so
// DuckDB is told to match by name.
func (b *binder) wideUnion(arms []unionArm, cols []column, hidden, cheap bool) *relation {
	parts := make([]string, 0, len(arms)+1)
	types := make([]string, len(cols))
	list := make([]string, len(cols))
	for i, c := range cols {
		types[i] = "NULL::" + c.typ.SQL() + " AS " + c.ref()
		list[i] = c.ref()
		if c.typ == String {
			list[i] = "coalesce(" + c.ref() + ", '') AS " + c.ref()
		}
	}
	if hidden {
		types = append(types, "NULL::BIGINT AS "+quoteIdent(IngestionTime))
		list = append(list, quoteIdent(IngestionTime))
	}
	parts = append(parts, "SELECT "+strings.Join(types, ", ")+" WHERE false")
	for _, a := range arms {
		if len(a.list) == 0 {
			a.list = []string{"NULL AS " + cols[0].ref()}
		}
		parts = append(parts, "SELECT "+strings.Join(a.list, ", ")+" FROM "+a.from)
	}
	all := b.emit(strings.Join(parts, " UNION ALL BY NAME "), cheap)
	return &relation{from: b.emit("SELECT "+strings.Join(list, ", ")+" FROM "+all, cheap), cols: cols, hidden: hidden, cheap: cheap}
}
