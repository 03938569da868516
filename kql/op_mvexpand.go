package kql

import (
	"strings"

	"picket/kql/syntax"
)

// mvExpand makes a row of every element of an array, or of every property of a
// bag. Several columns are expanded side by side, the shorter filled with nulls.
func (b *binder) mvExpand(op *syntax.MvExpandOp, r *relation, c *ctx) *relation {
	index, _ := hint(op.Hints, "with_itemindex")
	asArray := false
	for _, name := range []string{"kind", "bagexpansion"} {
		if k, ok := hint(op.Hints, name); ok && strings.EqualFold(k, "array") {
			asArray = true
		}
	}
	limit := ""
	switch {
	case op.Limit != nil:
		limit = b.rowCount(op.Limit, c)
	case op.Legacy:
		limit = "128"
	}
	return b.expandItems(op.Items, r, c, index, asArray, limit)
}

// expandItems emits the expansion in two steps: the elements, then their types.
func (b *binder) expandItems(items []*syntax.MvItem, r *relation, c *ctx, index string, asArray bool, limit string) *relation {
	m := newNamer()
	for _, col := range r.cols {
		m.taken[col.name] = true
	}
	var lists []assignment // name = list of JSON
	types := map[string]Type{}
	for _, it := range items {
		name, x := "", it.X
		if it.Name != nil {
			name = it.Name.Text
		} else if n, ok := explicitName(it.X); n != "" {
			name, x = n, ok
		}
		e := b.scalar(x, c)
		if name == "" {
			if name = resultName(x); name == "" {
				name = m.auto(x)
			}
		}
		t := Dynamic
		if it.Type != nil {
			t = b.typeName(it.Type)
		}
		types[name] = t
		lists = append(lists, assignment{name, expr{sql: elements(e, asArray), typ: Dynamic}})
	}
	// First a column of lists each, so that an expression is computed once.
	var staged *relation
	var refsOf []string
	{
		u := idsOf(r.cols)
		var add []string
		for range lists {
			id := quoteIdent(u.add("$list"))
			refsOf = append(refsOf, id)
		}
		for i, l := range lists {
			add = append(add, l.e.sql+" AS "+refsOf[i])
		}
		staged = b.step(r, "SELECT *, "+strings.Join(add, ", ")+" FROM "+r.from, r.cols)
	}
	var set []assignment
	for i, l := range lists {
		list := refsOf[i]
		if limit != "" {
			list += "[1:" + limit + "]"
		}
		set = append(set, assignment{l.name, expr{sql: "unnest(" + list + ")", typ: Dynamic}})
	}
	if index != "" {
		n := "len(" + refsOf[0] + ")"
		for _, id := range refsOf[1:] {
			n = "greatest(" + n + ", len(" + id + "))"
		}
		if limit != "" {
			n = "least(" + n + ", " + limit + ")"
		}
		set = append(set, assignment{index, expr{sql: "unnest(range(0, " + n + "))", typ: Long}})
	}
	out := b.assignExcept(staged, set, refsOf)
	var cast []assignment
	for _, l := range lists {
		col, _ := find(out.cols, l.name)
		e := expr{sql: "nullif(" + col.ref() + ", 'null')", typ: Dynamic}
		if t := types[l.name]; t != Dynamic && t != Unknown {
			e = fromDynamic(conforming(col.ref(), t), t)
		}
		cast = append(cast, assignment{l.name, e})
	}
	return b.assign(out, cast)
}

// conforming is the JSON value at ref unless it is text where numbers or truth
// values are asked for: applying a type "doesn't include parsing".
func conforming(ref string, t Type) expr {
	if t == Bool || isNumber(t) {
		ref = "CASE WHEN json_type(" + ref + ") <> 'VARCHAR' THEN " + ref + " END"
	}
	return expr{sql: ref, typ: Dynamic}
}

// assignExcept is assign that drops the columns in drop, given as SQL names.
func (b *binder) assignExcept(r *relation, set []assignment, drop []string) *relation {
	out := b.assign(r, set)
	last := &b.ctes[len(b.ctes)-1]
	last.sql = strings.Replace(last.sql, "SELECT *", "SELECT * EXCLUDE ("+strings.Join(drop, ", ")+")", 1)
	return out
}

// elements is the list of JSON values that e expands to: an array's elements,
// a bag's properties as bags of one (or as [key, value]), any scalar itself,
// and for null one null.
func elements(e expr, asArray bool) string {
	if e.typ != Dynamic {
		if e.typ == Unknown {
			return "[NULL::JSON]"
		}
		return "[" + toDynamic(e).sql + "]"
	}
	if e.sql == nullLit(Dynamic).sql {
		return "[" + e.sql + "]" // DuckDB knows no list among functions of null
	}
	pair := `json_object("$p".key::VARCHAR, "$p".value)`
	if asArray {
		pair = `json_array("$p".key::VARCHAR, "$p".value)`
	}
	return once(e, func(v string) string {
		return "(CASE json_type(" + v + ") WHEN 'ARRAY' THEN json_extract(" + v + ", '$[*]')" +
			" WHEN 'OBJECT' THEN list_transform(map_entries(from_json(" + v + `, '"MAP(VARCHAR, JSON)"')), lambda "$p": ` + pair + ")" +
			" ELSE [" + v + "] END)"
	})
}
