package kql

import (
	"strings"

	"picket/kql/syntax"
)

// in lowers in, !in, in~, !in~, has_any and has_all. The right side is a list
// of values, in which dynamic arrays count as their elements, or one table, of
// which the first column counts.
func (b *binder) in(x *syntax.In, c *ctx) expr {
	l := b.scalar(x.X, c)
	list, rel := b.inList(x, c)
	out := expr{typ: Bool, window: l.window}
	if l.typ == Unknown {
		out.sql = "NULL::BOOLEAN"
		return out
	}
	switch x.Op {
	case syntax.HASANY, syntax.HASALL:
		out.sql = b.hasList(x, asText(l), list, rel)
		return out
	}
	fold := x.Op == syntax.INCI || x.Op == syntax.NOTINCI
	not := x.Op == syntax.NOTIN || x.Op == syntax.NOTINCI
	if l.typ == Dynamic {
		l = fromDynamic(l, listType(list, rel))
	}
	if fold {
		l = lowered(asText(l))
	}
	var parts []string
	if rel != nil {
		parts = append(parts, l.sql+" IN ("+b.firstColumn(rel, l, fold)+")")
	}
	var consts []string
	for _, e := range list {
		switch {
		case e.typ == Dynamic && l.typ != Dynamic:
			parts = append(parts, inArray(l, e, fold))
		default:
			if sql, ok := b.element2(x, l, e, fold); ok {
				consts = append(consts, sql)
			}
		}
	}
	if len(consts) > 0 {
		parts = append(parts, l.sql+" IN ("+strings.Join(consts, ", ")+")")
	}
	switch {
	case len(parts) == 0:
		out.sql = "false"
	case len(parts) == 1:
		out.sql = "(" + parts[0] + ")"
	default:
		out.sql = "(" + strings.Join(parts, " OR ") + ")"
	}
	if l.typ != String {
		out.sql = "coalesce(" + out.sql + ", false)"
	}
	if not {
		out.sql = "(NOT " + out.sql + ")"
	}
	return out
}

// inList binds the right side: values, with constant arrays opened, and the
// table if there is one.
func (b *binder) inList(x *syntax.In, c *ctx) (list []expr, rel *relation) {
	for _, item := range x.List {
		v := b.any(item, c)
		switch {
		case v.rel != nil:
			if len(x.List) > 1 {
				b.errorf(item, "SEM0027", "a table must be the only operand of %s", "in")
			}
			rel = v.rel
		case v.scalar != nil:
			if arr, ok := v.scalar.lit.([]any); ok && v.scalar.typ == Dynamic {
				list = append(list, constants(arr)...)
			} else {
				list = append(list, *v.scalar)
			}
		case v.fn != nil:
			b.errorf(item, "SEM0013", "a function stands where a value is expected: call it")
		}
	}
	return list, rel
}

// constants turns the elements of a constant array into expressions.
func constants(arr []any) []expr {
	out := make([]expr, 0, len(arr))
	for _, v := range arr {
		switch v := v.(type) {
		case string:
			out = append(out, strLit(v))
		case int64:
			out = append(out, longLit(v))
		case float64:
			out = append(out, realLit(v))
		case bool:
			out = append(out, boolLit(v))
		case nil:
		default:
			out = append(out, dynLit(string(appendJSONValue(nil, v))))
		}
	}
	return out
}

// listType is the type a dynamic left side is read as.
func listType(list []expr, rel *relation) Type {
	if rel != nil && len(rel.cols) > 0 && rel.cols[0].typ != Dynamic {
		return rel.cols[0].typ
	}
	for _, e := range list {
		if e.typ != Dynamic && e.typ != Unknown {
			if numeric(e.typ) {
				return Real
			}
			return e.typ
		}
	}
	return String
}

// element2 brings one value of the list to the type of the left side.
func (b *binder) element2(x *syntax.In, l, e expr, fold bool) (string, bool) {
	if e.typ == Unknown {
		return "", false
	}
	if fold {
		return lowered(asText(e)).sql, true
	}
	switch {
	case e.typ == l.typ, numeric(e.typ) && numeric(l.typ), isTicks(l.typ) && countable(e.typ), isTicks(e.typ) && numeric(l.typ):
		return counted(e).sql, true
	case l.typ == String:
		return asText(e).sql, true
	case e.typ == String:
		_, ok := e.lit.(string)
		if ok && l.typ != Bool && !numeric(l.typ) {
			if k, ok := constant(e.lit.(string), l.typ); ok {
				return k.sql, true
			}
			return "", false
		}
		e, _ = stringAs(e, l)
		return e.sql, true
	case l.typ == Bool && numeric(e.typ):
		return "(" + e.sql + " <> 0)", true
	}
	b.report(x.OpPos, codeCompare, "", "cannot compare "+l.typ.String()+" with "+e.typ.String())
	return "", false
}

// inArray tests whether the dynamic array e holds l.
func inArray(l, e expr, fold bool) string {
	arr := textArray(e)
	if fold {
		arr = "list_transform(" + arr + `, lambda "$x": lower("$x"))`
	}
	return "coalesce(list_contains(" + arr + ", " + asText(l).sql + "), false)"
}

// textArray is a dynamic array as VARCHAR[]; a scalar is an array of itself.
func textArray(e expr) string {
	return "(CASE WHEN json_type(" + e.sql + ") = 'ARRAY' THEN " + e.sql + "->>'$[*]' ELSE [" + e.sql + "->>'$'] END)"
}

// firstColumn is the subquery over the first column of rel, as values that l
// can be compared with. Nulls are left out: one would turn every !in to null.
func (b *binder) firstColumn(rel *relation, l expr, fold bool) string {
	if len(rel.cols) == 0 {
		return "SELECT NULL WHERE false"
	}
	col := rel.cols[0]
	e := expr{sql: col.ref(), typ: col.typ}
	switch {
	case fold:
		e = lowered(asText(e))
	case e.typ == Dynamic && l.typ != Dynamic:
		// Arrays count as their elements.
		sql := "unnest(" + textArray(e) + ")"
		if l.typ != String {
			sql = "TRY_CAST(" + sql + " AS " + l.typ.SQL() + ")"
		}
		return "SELECT * FROM (SELECT " + sql + " AS v FROM " + rel.from + ") WHERE v IS NOT NULL"
	case e.typ != l.typ && l.typ == String:
		e = asText(e)
	case e.typ == String && l.typ != String:
		e, _ = stringAs(e, expr{typ: l.typ})
	}
	return "SELECT " + e.sql + " FROM " + rel.from + " WHERE " + e.sql + " IS NOT NULL"
}

// hasList lowers has_any and has_all.
func (b *binder) hasList(x *syntax.In, l expr, list []expr, rel *relation) string {
	all := x.Op == syntax.HASALL
	terms := make([]string, 0, len(list))
	constant := rel == nil
	for _, e := range list {
		s, ok := e.lit.(string)
		constant = constant && ok
		terms = append(terms, s)
	}
	if constant {
		return b.hasConst(l, terms, all)
	}
	var arrays []string
	if rel != nil && len(rel.cols) > 0 {
		e := expr{sql: rel.cols[0].ref(), typ: rel.cols[0].typ}
		inner := asText(e).sql
		if e.typ == Dynamic {
			inner = "unnest(" + textArray(e) + ")"
		}
		arrays = append(arrays, "(SELECT coalesce(list(v), []) FROM (SELECT "+inner+" AS v FROM "+rel.from+"))")
	}
	for _, e := range list {
		if e.typ == Dynamic {
			arrays = append(arrays, "coalesce("+textArray(e)+", [])")
		} else {
			arrays = append(arrays, "["+asText(e).sql+"]")
		}
	}
	if len(arrays) == 0 {
		return formatBool(all)
	}
	terms2 := arrays[0]
	for _, a := range arrays[1:] {
		terms2 = "list_concat(" + terms2 + ", " + a + ")"
	}
	op := strOp{before: true, after: true}
	filter := func(text, terms string) string {
		test := op.hasValue("lower("+text+")", `lower("$t")`)
		if all {
			return "(len(list_filter(" + terms + `, lambda "$t": "$t" IS NOT NULL AND NOT ` + test + ")) = 0)"
		}
		return "(len(list_filter(" + terms + `, lambda "$t": "$t" IS NOT NULL AND ` + test + ")) > 0)"
	}
	if l.simple() {
		return filter(l.sql, terms2)
	}
	// Computed once; and DuckDB takes no subquery, such as toscalar()'s, in a lambda.
	return "list_transform([{l: " + l.sql + ", t: " + terms2 + `}], lambda "$q": ` + filter(`"$q".l`, `"$q".t`) + ")[1]"
}
