package kql

import (
	"slices"
	"strings"

	"picket/kql/syntax"
)

// binary binds X Op Y as a value.
func (b *binder) binary(x *syntax.Binary, c *ctx) expr {
	switch x.Op {
	case syntax.AND, syntax.OR:
		return b.logic(x, c, b.boolean)
	}
	if x.Op == syntax.COLON {
		b.report(x.OpPos, "SEM0015", "write has, or == to compare", "':' looks for a term only in search and find")
		return unknown()
	}
	l, r := b.scalar(x.X, c), b.scalar(x.Y, c)
	switch x.Op {
	case syntax.EQ, syntax.NE, syntax.LT, syntax.LE, syntax.GT, syntax.GE:
		return b.compare(x, l, r, false)
	case syntax.ADD, syntax.SUB, syntax.MUL, syntax.DIV, syntax.MOD:
		return b.arith(x, x.Op, l, r)
	}
	return b.stringOp(x, l, r)
}

// logic binds x and y and …, or the same with or, as one list: thousands of
// operands are no deep nesting, neither here nor in the database.
func (b *binder) logic(x *syntax.Binary, c *ctx, bind func(syntax.Expr, *ctx) expr) expr {
	operands := []syntax.Expr{x.Y}
	left := x.X
	for {
		y, ok := left.(*syntax.Binary)
		if !ok || y.Op != x.Op {
			break
		}
		operands, left = append(operands, y.Y), y.X
	}
	operands = append(operands, left)
	slices.Reverse(operands)
	out := expr{typ: Bool}
	parts := make([]string, len(operands))
	for i, o := range operands {
		e := bind(o, c)
		parts[i], out.window = e.sql, out.window || e.window
	}
	op := " AND "
	if x.Op == syntax.OR {
		op = " OR "
	}
	out.sql = "(" + strings.Join(parts, op) + ")"
	return out
}

// pred binds x as a condition of a filter, where null and false are the same.
// Comparisons then need no guard against null, so that they reach the scan and
// its zone maps.
func (b *binder) pred(x syntax.Expr, c *ctx) expr {
	switch y := x.(type) {
	case *syntax.Paren:
		return b.pred(y.X, c)
	case *syntax.Binary:
		switch y.Op {
		case syntax.AND, syntax.OR:
			return b.logic(y, c, b.pred)
		case syntax.EQ, syntax.NE, syntax.LT, syntax.LE, syntax.GT, syntax.GE:
			return b.compare(y, b.scalar(y.X, c), b.scalar(y.Y, c), true)
		}
	}
	return b.boolean(x, c)
}

// boolean binds x and requires a truth value.
func (b *binder) boolean(x syntax.Expr, c *ctx) expr {
	e := b.scalar(x, c)
	switch e.typ {
	case Bool, Unknown:
		return e
	case Dynamic:
		return fromDynamic(e, Bool)
	case Int, Long, Real, Decimal:
		return expr{sql: "(" + e.sql + " <> 0)", typ: Bool, window: e.window}
	}
	b.errorf(x, "SEM0022", "a condition must be bool, and this is %s", e.typ)
	return unknown()
}

func numeric(t Type) bool { return t == Int || t == Long || t == Real || t == Decimal }

// compare lowers == != < <= > >=.
//
// KQL: null == 1 is false, null != 1 is true, null == null is null; the
// ordering operators give null when either side is null.
func (b *binder) compare(x *syntax.Binary, l, r expr, pred bool) expr {
	out := expr{typ: Bool, window: l.window || r.window}
	l, r, ok := b.comparable(x, l, r)
	if !ok {
		out.sql = "NULL::BOOLEAN"
		return out
	}
	ops := map[syntax.Kind]string{syntax.EQ: "=", syntax.NE: "<>", syntax.LT: "<", syntax.LE: "<=", syntax.GT: ">", syntax.GE: ">="}
	plain := "(" + l.sql + " " + ops[x.Op] + " " + r.sql + ")"
	switch {
	case x.Op != syntax.EQ && x.Op != syntax.NE, l.typ == String, l.lit != nil && r.lit != nil:
		out.sql = plain
	case x.Op == syntax.EQ && pred:
		out.sql = plain
	case x.Op == syntax.NE && (pred || l.lit != nil || r.lit != nil):
		out.sql = "(" + l.sql + " IS DISTINCT FROM " + r.sql + ")"
	case x.Op == syntax.EQ && (l.lit != nil || r.lit != nil):
		out.sql = "coalesce(" + l.sql + " = " + r.sql + ", false)"
	case x.Op == syntax.EQ:
		out.sql = "(CASE WHEN " + l.sql + " IS NULL AND " + r.sql + " IS NULL THEN NULL ELSE " + l.sql + " IS NOT DISTINCT FROM " + r.sql + " END)"
	default:
		out.sql = "(CASE WHEN " + l.sql + " IS NULL AND " + r.sql + " IS NULL THEN NULL ELSE " + l.sql + " IS DISTINCT FROM " + r.sql + " END)"
	}
	return out
}

// comparable brings both sides of a comparison to one type.
func (b *binder) comparable(x *syntax.Binary, l, r expr) (expr, expr, bool) {
	if l.typ == Unknown || r.typ == Unknown {
		return l, r, false
	}
	equality := x.Op == syntax.EQ || x.Op == syntax.NE
	switch {
	case l.typ == r.typ && l.typ == Dynamic:
		l.sql, r.sql = l.sql+"::VARCHAR", r.sql+"::VARCHAR"
		return l, r, true
	case l.typ == r.typ, numeric(l.typ) && numeric(r.typ):
		l, r = comparableScale(l, r)
		return l, r, true
	case l.typ == Dynamic:
		return dynamicAs(l, r), r, true
	case r.typ == Dynamic:
		return l, dynamicAs(r, l), true
	case l.typ == Bool && numeric(r.typ), r.typ == Bool && numeric(l.typ):
		return counted(l), counted(r), true
	case equality && countable(l.typ) && countable(r.typ): // as ticks
		return counted(l), counted(r), true
	case equality && l.typ == String:
		l, r = stringAs(l, r)
		return l, r, true
	case equality && r.typ == String:
		r, l = stringAs(r, l)
		return l, r, true
	}
	b.report(x.OpPos, codeCompare, "convert one side, for example with to"+l.typ.String()+"(…)", "cannot compare "+l.typ.String()+" with "+r.typ.String())
	return l, r, false
}

// countable reports whether values of t are numbers or counts of ticks, which are
// equal when the numbers are: a remainder of timespans is compared with 0.
func countable(t Type) bool { return numeric(t) || isTicks(t) || t == Bool }

func counted(e expr) expr {
	if e.typ == Bool {
		return expr{sql: e.sql + "::BIGINT", typ: Long, window: e.window}
	}
	return e
}

// dynamicAs converts a dynamic value to the type of what it is compared with.
// Numbers compare as numbers whatever their kind.
func dynamicAs(d, other expr) expr {
	if other.typ == Int || other.typ == Long {
		if _, whole := other.lit.(int64); !whole {
			return fromDynamic(d, Long)
		}
		return fromDynamic(d, Real)
	}
	return fromDynamic(d, other.typ)
}

// stringAs makes string s comparable with e of another type. Against a whole
// number constant the texts are compared, which needs no cast of every row.
func stringAs(s, e expr) (expr, expr) {
	switch e.typ {
	case Int, Long:
		if v, ok := e.lit.(int64); ok {
			return s, strLit(formatInt(v))
		}
		return expr{sql: "TRY_CAST(" + s.sql + " AS BIGINT)", typ: Long, window: s.window}, e
	case Guid:
		return expr{sql: "lower(" + s.sql + ")", typ: Guid, window: s.window}, e
	case DateTime, TimeSpan:
		return expr{sql: TicksFromText(s.sql, e.typ), typ: e.typ, window: s.window}, e
	}
	return expr{sql: "TRY_CAST(" + s.sql + " AS " + e.typ.SQL() + ")", typ: e.typ, window: s.window}, e
}

// unary binds -X and +X.
func (b *binder) unary(x *syntax.Unary, c *ctx) expr {
	e := b.scalar(x.X, c).unscaled()
	if e.typ == Dynamic {
		e = fromDynamic(e, Real)
	}
	if e.typ == Unknown {
		return e
	}
	if !numeric(e.typ) && e.typ != TimeSpan {
		b.errorf(x, "SEM0025", "cannot negate a %s", e.typ)
		return unknown()
	}
	if x.Op != syntax.SUB {
		return e
	}
	switch v := e.lit.(type) {
	case int64:
		if e.typ == Long {
			return longLit(-v)
		}
		if e.typ == Int {
			return longLit(-v)
		}
		return ticksLit(-v, e.typ)
	case float64:
		return realLit(-v)
	}
	sql := "(-" + e.sql + ")"
	switch {
	case e.typ == Int:
		e = widen(e, Long)
		sql = "(-" + e.sql + ")"
	case e.typ == Long && absBound(e) == 0: // the least long has no positive counterpart
		sql = wrapping(longLit(0), e, "-")
	case e.typ == TimeSpan:
		sql = ticksOrNull(longLit(0), e, "-")
	case e.typ == Decimal: // of a constant null DuckDB makes a null of no type
		sql += "::DECIMAL(38,16)"
	}
	return expr{sql: sql, typ: e.typ, window: e.window}
}

// between binds X between (Lo .. Hi), ends included. Around a datetime, Hi may
// be a timespan counted from Lo.
func (b *binder) between(x *syntax.Between, c *ctx) expr {
	v, lo, hi := b.scalar(x.X, c), b.scalar(x.Lo, c), b.scalar(x.Hi, c)
	if hi.typ == TimeSpan && lo.typ == DateTime {
		hi = b.arith(x.Hi, syntax.ADD, lo, hi)
	}
	ge := b.compare(&syntax.Binary{Op: syntax.GE, OpPos: x.OpPos}, v, lo, false)
	le := b.compare(&syntax.Binary{Op: syntax.LE, OpPos: x.OpPos}, v, hi, false)
	sql := "(" + ge.sql + " AND " + le.sql + ")"
	if x.Not {
		sql = "(NOT " + sql + ")"
	}
	return expr{sql: sql, typ: Bool, window: v.window || lo.window || hi.window}
}

// asText converts e to a string for the string operators.
func asText(e expr) expr {
	switch e.typ {
	case String, Unknown:
		return e
	case Dynamic:
		return fromDynamic(e, String)
	case DateTime, TimeSpan:
		return expr{sql: "coalesce(" + ticksText(e.sql, e.typ) + ", '')", typ: String, window: e.window}
	}
	return expr{sql: "coalesce(" + e.sql + "::VARCHAR, '')", typ: String, window: e.window}
}

// lowered is the lower-case form of a string, computed now for a constant.
func lowered(e expr) expr {
	if s, ok := e.lit.(string); ok && e.typ == String {
		return strLit(strings.ToLower(s))
	}
	return expr{sql: "lower(" + e.sql + ")", typ: String, window: e.window}
}
