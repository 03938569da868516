package kql

import (
	"slices"
	"strings"

	"picket/kql/syntax"
)

// sort orders the rows. Operators after it keep the order because DuckDB keeps
// the order of a subquery's rows (preserve_insertion_order).
func (b *binder) sort(op *syntax.SortOp, r *relation, c *ctx) *relation {
	return b.step(r, "SELECT * FROM "+r.from+" ORDER BY "+b.orderBy(op.Keys, c), r.cols)
}

// orderBy lowers sort keys: descending unless told otherwise, nulls last when
// descending and first when ascending.
func (b *binder) orderBy(keys []*syntax.Ordered, c *ctx) string {
	parts := make([]string, 0, len(keys))
	for _, k := range keys {
		e := b.scalar(k.X, c)
		sql := e.sql
		if e.typ == Dynamic {
			sql += "::VARCHAR"
		}
		dir, nulls := " DESC", " NULLS LAST"
		if k.Dir == syntax.Asc || k.Dir == syntax.GrannyAsc {
			dir, nulls = " ASC", " NULLS FIRST"
		}
		switch k.Nulls {
		case syntax.NullsFirst:
			nulls = " NULLS FIRST"
		case syntax.NullsLast:
			nulls = " NULLS LAST"
		}
		// NaN stands beside null, at its inner side; to DuckDB it is the greatest number.
		if e.typ == Real && (dir == " DESC") == (nulls == " NULLS LAST") {
			parts = append(parts, "isnan("+sql+")"+map[string]string{" DESC": " ASC", " ASC": " DESC"}[dir]+nulls)
		}
		parts = append(parts, sql+dir+nulls)
	}
	if len(parts) == 0 {
		return "NULL"
	}
	return strings.Join(parts, ", ")
}

// rowCount binds the N of take, top and sample.
func (b *binder) rowCount(x syntax.Expr, c *ctx) string {
	e := b.scalar(x, &ctx{env: c.env})
	switch e.typ {
	case Int, Long, Unknown:
	case Real, Dynamic:
		e, _ = convert(expr{sql: "trunc(" + e.sql + ")::BIGINT", typ: Long}, Long, false)
	default:
		b.errorf(x, "SEM0047", "a number of rows is needed here, and this is a %s", e.typ)
		return "0"
	}
	if v, ok := e.lit.(int64); ok {
		return formatInt(max(v, 0))
	}
	return "greatest(0, " + e.sql + ")"
}

func (b *binder) take(n syntax.Expr, r *relation, c *ctx) *relation {
	rows := b.rowCount(n, c)
	if r.part != nil {
		return b.step(r, "SELECT * FROM "+r.from+" QUALIFY row_number() "+r.over("")+" <= "+rows, r.cols)
	}
	out := b.step(r, "SELECT * FROM "+r.from+" LIMIT "+rows, r.cols)
	out.cheap = false // which rows it gives is arbitrary, so it must be asked once
	b.ctes[len(b.ctes)-1].cheap = false
	return out
}

func (b *binder) top(op *syntax.TopOp, r *relation, c *ctx) *relation {
	rows, order := b.rowCount(op.N, c), "ORDER BY "+b.orderBy(op.Keys, c)
	if r.part != nil {
		return b.step(r, "SELECT * FROM "+r.from+" QUALIFY row_number() "+r.over(order)+" <= "+rows+" "+order, r.cols)
	}
	out := b.step(r, "SELECT * FROM "+r.from+" "+order+" LIMIT "+rows, r.cols)
	out.cheap = false
	b.ctes[len(b.ctes)-1].cheap = false
	return out
}

func (b *binder) sample(op *syntax.SampleOp, r *relation, c *ctx) *relation {
	rows := b.rowCount(op.N, c)
	sql := "SELECT * FROM " + r.from + " ORDER BY random() LIMIT " + rows
	if r.part != nil {
		sql = "SELECT * FROM " + r.from + " QUALIFY row_number() " + r.over("ORDER BY random()") + " <= " + rows
	}
	out := r.with(b.emit(sql, false), r.cols)
	out.cheap = false
	return out
}

func (b *binder) sampleDistinct(op *syntax.SampleOp, r *relation, c *ctx) *relation {
	s := newSelection()
	b.projected(s, op.Of, c)
	if len(s.cols) != 1 {
		return r
	}
	rows := b.rowCount(op.N, c)
	return b.heavy("SELECT DISTINCT "+s.sql()+" FROM "+r.from+" LIMIT "+rows, s.cols)
}

func (b *binder) distinct(op *syntax.DistinctOp, r *relation, c *ctx) *relation {
	s := newSelection()
	b.namedOnce(op.Cols)
	for _, x := range op.Cols {
		b.projected(s, x, c)
	}
	if len(s.list) == 0 {
		return r
	}
	out := b.heavy("SELECT DISTINCT "+s.sql()+r.partList()+" FROM "+r.from, s.cols)
	out.part = r.part
	if slices.ContainsFunc(op.Cols, isStar) {
		out.loose = r.loose
	}
	return out
}

func (b *binder) count(r *relation, as *syntax.Name) *relation {
	cols := newColumns(Column{"Count", Long})
	if as != nil {
		cols = newColumns(Column{as.Text, Long})
	}
	sql := "SELECT count(*) AS " + cols[0].ref()
	if r.part != nil {
		out := b.heavy(sql+r.partList()+" FROM "+r.from+" GROUP BY "+r.part.ref(), cols)
		out.part = r.part
		return out
	}
	return b.heavy(sql+" FROM "+r.from, cols)
}
