package kql

import (
	"slices"
	"strconv"
	"strings"

	"picket/kql/syntax"
)

// print makes one row of computed values; the unnamed ones are print_0, print_1, ….
func (b *binder) print(op *syntax.PrintOp, c *ctx) *relation {
	s := newSelection()
	b.namedOnce(op.Cols)
	for i, x := range op.Cols {
		name, inner := explicitName(x)
		if cols := b.tuple(x, c); len(cols) > 1 {
			s.addAll(cols)
			continue
		}
		e := b.scalar(inner, c)
		if name == "" {
			name = "print_" + strconv.Itoa(i)
		}
		s.add(name, e)
	}
	if len(s.list) == 0 {
		s.add("print_0", strLit(""))
	}
	return b.heavy("SELECT "+s.sql(), s.cols)
}

// rangeOp makes the rows From, From+Step, … up to To.
func (b *binder) rangeOp(op *syntax.RangeOp, c *ctx) *relation {
	from, to, step := b.scalar(op.From, c), b.scalar(op.To, c), longLit(1)
	if op.Step != nil {
		step = b.scalar(op.Step, c)
	}
	name := "range"
	if op.Name != nil {
		name = op.Name.Text
	}
	if from.typ == Dynamic {
		from = fromDynamic(from, Long)
	}
	if to.typ == Dynamic {
		to = dynamicAs(to, from)
	}
	t := from.typ
	switch {
	case from.typ == Unknown || to.typ == Unknown || step.typ == Unknown:
		t = Long
	case numeric(from.typ) && numeric(to.typ) && numeric(step.typ):
		t = widest(from.typ, to.typ, step.typ)
		from, to, step = widenIf(from, t), widenIf(to, t), widenIf(step, t)
	case (from.typ == DateTime || from.typ == TimeSpan) && to.typ == from.typ && step.typ == TimeSpan:
	default:
		b.errorf(op, "SEM0054", "range cannot run from %s to %s by %s", from.typ, to.typ, step.typ)
	}
	cols := newColumns(Column{name, t})
	n := "((" + to.sql + ") - (" + from.sql + ")) // " + step.sql + " + 1"
	if t == Real || t == Decimal {
		n = "floor((" + to.sql + " - " + from.sql + ") / " + step.sql + ")::BIGINT + 1"
	}
	n = "CASE WHEN (" + to.sql + " > " + from.sql + ") = (" + step.sql + " > 0) OR " + to.sql + " = " + from.sql + " THEN " + n + " ELSE 0 END"
	// As a table function it makes rows as they are asked for; a list would be
	// made whole first. It takes constants, or what the row beside it holds.
	source := "range(0, " + n + ") t(i)"
	if from.lit == nil || to.lit == nil || step.lit == nil {
		source = "(SELECT " + n + " AS n) b, range(0, b.n) t(i) ORDER BY i" // DuckDB joins b by a hash, which turns the rows around
	}
	return b.heavy("SELECT ("+from.sql+" + i * "+step.sql+")::"+t.SQL()+" AS "+cols[0].ref()+" FROM "+source, cols)
}

// widest is the type that holds the values of all these numeric types.
func widest(types ...Type) Type {
	for _, t := range []Type{Decimal, Real, Long} {
		if slices.Contains(types, t) {
			return t
		}
	}
	return Int
}

// dataTable makes the rows of datatable(schema)[values].
func (b *binder) dataTable(d *syntax.DataTable, env *env) *relation {
	cols := b.schema(d.Schema)
	if len(cols) == 0 || len(d.Values) == 0 {
		return b.empty(cols)
	}
	if len(d.Values)%len(cols) != 0 {
		b.errorf(d, "SEM0055", "datatable has %d values for %d columns: the last row is not complete", len(d.Values), len(cols))
	}
	var w strings.Builder
	w.WriteString("SELECT * FROM (VALUES ")
	c := &ctx{env: env}
	for i, x := range d.Values {
		col := cols[i%len(cols)]
		switch {
		case i == 0:
			w.WriteByte('(')
		case i%len(cols) == 0:
			w.WriteString("), (")
		default:
			w.WriteString(", ")
		}
		w.WriteString(b.castTo(b.scalar(x, c), col.typ, x).sql)
	}
	for i := len(d.Values); i%len(cols) != 0; i++ {
		w.WriteString(", NULL")
	}
	w.WriteString(")) t(" + refs(cols) + ")")
	return b.heavy(w.String(), cols)
}
