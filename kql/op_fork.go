package kql

import (
	"slices"

	"picket/kql/syntax"
)

// fork runs several subqueries over the same rows; each yields a table.
func (b *binder) fork(op *syntax.ForkOp, r *relation, env *env) *relation {
	// The rows are computed once.
	in := *r
	in.from, in.cheap = b.emit("SELECT * FROM "+r.from, r.cheap), r.cheap
	var tables []*relation
	for i, ops := range op.Branches {
		from := in
		t := b.ops(ops, &from, newEnv(env))
		if t == nil || !b.needTable(t, op) {
			continue
		}
		if name := op.Names[i]; name != nil {
			named := *t
			named.table = name.Text
			t = &named
		}
		tables = append(tables, t)
	}
	return several(tables)
}

// facet counts the values of each of some columns; each column yields a table,
// behind that of the subquery when there is one.
func (b *binder) facet(op *syntax.FacetOp, r *relation, c *ctx) *relation {
	var tables []*relation
	if len(op.Ops) > 0 {
		in := *r
		if t := b.ops(op.Ops, &in, newEnv(c.env)); t != nil && b.needTable(t, op) {
			tables = append(tables, t)
		}
	}
	for _, x := range op.Cols {
		name, ok := x.(*syntax.Name)
		if !ok {
			b.errorf(x, "SEM0109", "facet takes the names of columns")
			continue
		}
		col, ok := find(r.cols, name.Text)
		if !ok {
			b.unresolved(name, c)
			continue
		}
		s := newSelection()
		s.add(col.name, expr{sql: col.ref(), typ: col.typ})
		s.add("count_"+col.name, expr{sql: "count(*)", typ: Long})
		tables = append(tables, b.heavy("SELECT "+s.sql()+" FROM "+r.from+" GROUP BY "+col.ref()+" ORDER BY count(*) DESC, "+col.ref(), s.cols))
	}
	return several(tables)
}

// several makes the first table carry the others.
func several(tables []*relation) *relation {
	if len(tables) == 0 {
		return nil
	}
	first := *tables[0]
	first.more = slices.Clone(tables[1:])
	return &first
}

// preview yields the first rows and their number.
func (b *binder) preview(op *syntax.EvaluateOp, r *relation, c *ctx) *relation {
	pos, _ := pluginArgs(op.Call)
	if len(pos) != 1 {
		b.errorf(op.Call, "SEM0003", "preview() takes the number of rows to show")
		return nil
	}
	rows := *r
	return several([]*relation{b.take(pos[0], &rows, c), b.count(r, nil)})
}
