package kql

import (
	"slices"
	"strings"

	"picket/kql/syntax"
)

// mvApply expands arrays and runs a subquery over the elements of each row by
// themselves. The rows get a number, which stays with the elements as a hidden
// column; the subquery's operators work within one number, and at the end it
// brings back the columns that the subquery has dropped.
func (b *binder) mvApply(op *syntax.MvApplyOp, r *relation, c *ctx) *relation {
	if len(op.On) == 0 {
		b.errorf(op, "SEM0059", "mv-apply needs a subquery: on (…)")
		return nil
	}
	id := idsOf(r.cols).add("$row")
	if r.part != nil {
		id = idsOf(append(r.cols[:len(r.cols):len(r.cols)], *r.part)).add("$row")
	}
	row := &column{name: id, typ: Long, id: id}
	outer := r.part
	numbered := &relation{from: b.emit("SELECT *, row_number() OVER () AS "+row.ref()+" FROM "+r.from, false), cols: r.cols, hidden: r.hidden, part: row, loose: r.loose}
	index, _ := hint(op.Hints, "with_itemindex")
	limit := ""
	if op.Limit != nil {
		limit = b.rowCount(op.Limit, c)
	}
	nc := (&ctx{env: c.env}).row(numbered)
	sub := b.ops(op.On, b.expandItems(op.Items, numbered, nc, index, false, limit), newEnv(c.env))
	if sub == nil {
		return nil
	}
	s := newSelection()
	kept := map[string]bool{}
	for _, col := range r.cols {
		k, ok := find(sub.cols, col.name)
		switch {
		case expandsInPlace(op.Items, col.name):
			continue
		case ok:
			s.add(col.name, expr{sql: "r." + k.ref(), typ: k.typ})
		default:
			s.add(col.name, expr{sql: "l." + col.ref(), typ: col.typ})
		}
		kept[col.name] = true
		s.cols[len(s.cols)-1].also = col.also
	}
	for _, col := range sub.cols {
		if !kept[col.name] {
			s.add(col.name, expr{sql: "r." + col.ref(), typ: col.typ})
		}
	}
	list := s.sql()
	if outer != nil {
		list += ", l." + outer.ref()
	}
	if r.hidden {
		list += ", l." + quoteIdent(IngestionTime)
	}
	out := b.heavy("SELECT "+list+" FROM "+numbered.from+" l JOIN "+sub.from+" r ON l."+row.ref()+" = r."+row.ref(), s.cols)
	out.hidden, out.part, out.loose = r.hidden, outer, r.loose
	return out
}

// expandsInPlace reports whether one of the items is the column by its mere name: its elements are then a
// column of the subquery, which may drop it, and no longer one of the input.
func expandsInPlace(items []*syntax.MvItem, column string) bool {
	return slices.ContainsFunc(items, func(it *syntax.MvItem) bool {
		name, ok := it.X.(*syntax.Name)
		return ok && it.Name == nil && name.Text == column
	})
}

// partition runs a subquery over the rows of each value of By by themselves.
func (b *binder) partition(op *syntax.PartitionOp, r *relation, c *ctx) *relation {
	if op.Query != nil {
		name := resultName(op.By)
		return b.partitionEach(op, r, c, func(key expr, env *env) *relation {
			env.vars[name] = &value{scalar: &key, name: name}
			return b.tabular(op.Query, env)
		})
	}
	if len(op.Ops) == 0 {
		b.errorf(op, "SEM0060", "partition needs a subquery in parentheses: partition by %s (…)", "Column")
		return nil
	}
	if r.part != nil {
		b.errorf(op, "SEM0050", "partition cannot stand inside mv-apply or partition here")
		return nil
	}
	if !slices.ContainsFunc(op.Ops, func(o syntax.Op) bool { return !partWise(o) }) {
		return b.partitionAtOnce(op, r, c)
	}
	return b.partitionEach(op, r, c, func(key expr, env *env) *relation {
		e := b.scalar(op.By, c)
		in := *r
		in.from = b.emit("SELECT * FROM "+r.from+" WHERE "+e.sql+" = "+key.sql, r.cheap)
		return b.ops(op.Ops, &in, env)
	})
}

// partitionAtOnce runs a subquery over all parts together, each row knowing its own.
func (b *binder) partitionAtOnce(op *syntax.PartitionOp, r *relation, c *ctx) *relation {
	e := b.scalar(op.By, c)
	id := idsOf(r.cols).add("$part")
	part := &column{name: id, typ: e.typ, id: id}
	in := &relation{from: b.emit("SELECT *, "+e.sql+" AS "+part.ref()+" FROM "+r.from, r.cheap), cols: r.cols, hidden: r.hidden, cheap: r.cheap, part: part, loose: r.loose}
	sub := b.ops(op.Ops, in, newEnv(c.env))
	if sub == nil {
		return nil
	}
	// A part of its own CTE, so that * no longer brings the hidden column.
	out := b.heavy("SELECT "+refs(sub.cols)+" FROM "+sub.from, sub.cols)
	out.loose = sub.loose
	return out
}

// maxPartitions is how many values partition by x {…} may have (the page
// "partition operator", legacy strategy).
const maxPartitions = 64

// partitionEach binds a subquery once for each value of By: one with a source of its own, in which the value
// stands as a constant, or one with an operator that cannot work on all parts together. The values are asked for:
// without a way to ask, only the columns are right.
func (b *binder) partitionEach(op *syntax.PartitionOp, r *relation, c *ctx, of func(key expr, env *env) *relation) *relation {
	e := b.scalar(op.By, c)
	if e.typ == Unknown || e.typ == Dynamic {
		b.errorf(op.By, "SEM0060", "partition with this subquery needs a column of a simple type")
		return nil
	}
	keys, ok := b.probe(op.By, "SELECT DISTINCT ("+e.sql+")::VARCHAR AS k FROM "+r.from+" WHERE k IS NOT NULL ORDER BY 1 LIMIT "+formatInt(maxPartitions+1))
	if len(keys) > maxPartitions {
		b.errorf(op.By, "SEM0060", "partition with this subquery works on at most %d values: more take one in parentheses, of operators over the rows of the part alone", maxPartitions)
		return nil
	}
	values := make([]expr, len(keys))
	for i, k := range keys {
		values[i] = strLit(k)
		if e.typ != String {
			values[i] = expr{sql: quoteString(k) + "::" + e.typ.SQL(), typ: e.typ}
		}
	}
	if !ok || len(values) == 0 {
		values = []expr{nullLit(e.typ)}
	}
	var list []source
	for i := range values {
		sub := of(values[i], newEnv(c.env))
		if sub == nil {
			return nil
		}
		if !ok || len(keys) == 0 {
			sub = b.heavy("SELECT * FROM "+sub.from+" LIMIT 0", sub.cols)
		}
		list = append(list, source{rel: sub})
	}
	if len(list) == 1 {
		return list[0].rel
	}
	return b.unite(list, false, "")
}

// partWise reports whether op can work part by part.
func partWise(op syntax.Op) bool {
	switch op.(type) {
	case *syntax.WhereOp, *syntax.ExtendOp, *syntax.SerializeOp, *syntax.ProjectOp, *syntax.SortOp, *syntax.TakeOp, *syntax.TopOp,
		*syntax.DistinctOp, *syntax.SummarizeOp, *syntax.CountOp, *syntax.MvExpandOp, *syntax.MvApplyOp, *syntax.ParseOp, *syntax.ParseKvOp,
		*syntax.SampleOp, *syntax.ScanOp, *syntax.AsOp, *syntax.RenderOp, *syntax.ConsumeOp, *syntax.BadOp, *syntax.UnsupportedOp:
		return true
	}
	return false
}

// inParts limits window functions to the part they stand in.
func inParts(e expr, r *relation) expr {
	if e.window && r != nil && r.part != nil {
		e.sql = strings.ReplaceAll(e.sql, "OVER ()", r.over(""))
		e.sql = strings.ReplaceAll(e.sql, "OVER (ROWS", "OVER (PARTITION BY "+r.part.ref()+" ROWS")
	}
	return e
}
