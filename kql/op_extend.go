package kql

import (
	"strings"

	"picket/kql/syntax"
)

// extend adds computed columns; one that exists is replaced in its place.
func (b *binder) extend(list []syntax.Expr, r *relation, c *ctx) *relation {
	b.namedOnce(list)
	m := newNamer()
	for _, col := range r.cols {
		m.taken[col.name] = true
	}
	var set assignments
	for _, x := range list {
		name, inner := explicitName(x)
		if w, ok := inner.(*syntax.Wildcard); ok {
			b.errorf(w, "SEM0011", "* cannot stand here")
			continue
		}
		if cols := b.tuple(x, c); cols != nil {
			for _, col := range cols {
				set = append(set, assignment{col.name, expr{sql: col.sql, typ: col.typ}})
			}
			continue
		}
		e := b.scalar(inner, c)
		if name == "" {
			if n, ok := inner.(*syntax.Name); ok {
				if _, ok := find(r.cols, n.Text); ok {
					continue // extend x changes nothing
				}
			}
			// An implied name that a column has already means that column, also
			// one that was set just now: extend tostring(x), toint(x) makes x an int.
			if name = resultName(inner); name == "" || e.unnamed {
				name = m.autoOf(inner, e)
			}
		}
		set = append(set, assignment{name, e})
	}
	return b.assign(r, set)
}

// assignment is name = e.
type assignment struct {
	name string
	e    expr
}

type assignments []assignment

// assign emits r with columns replaced or, at the end, added.
func (b *binder) assign(r *relation, set []assignment) *relation {
	if len(set) == 0 {
		return r
	}
	cols := append([]column(nil), r.cols...)
	u := idsOf(cols)
	var replace, add []string
	done := map[string]bool{}
	for i, a := range set {
		if done[a.name] {
			continue
		}
		for _, later := range set[i+1:] { // the last assignment to a name counts
			if later.name == a.name {
				a.e = later.e
			}
		}
		done[a.name] = true
		found := false
		var weight int
		a.e.sql, weight = weigh(a.e, r.cols)
		for j := range cols[:len(r.cols)] {
			if cols[j].name == a.name {
				cols[j].typ, cols[j].bound, cols[j].bytes, cols[j].weight, found = a.e.typ, a.e.bound, a.e.bytes, weight, true
				cols[j].shaped, cols[j].scaled = a.e.keepsShape(), a.e.scaled
				replace = append(replace, a.e.sql+" AS "+cols[j].ref())
			}
		}
		if !found {
			col := column{name: a.name, typ: a.e.typ, id: u.add(a.name), bound: a.e.bound, bytes: a.e.bytes, weight: weight, shaped: a.e.keepsShape(), scaled: a.e.scaled}
			cols = append(cols, col)
			add = append(add, a.e.sql+" AS "+col.ref())
		}
	}
	sql := "SELECT *"
	if len(replace) > 0 {
		sql += " REPLACE (" + strings.Join(replace, ", ") + ")"
	}
	for _, a := range add {
		sql += ", " + a
	}
	return b.step(r, sql+" FROM "+r.from, cols)
}
