package kql

import (
	"math"

	"picket/kql/syntax"
)

// arith lowers + - * / %.
func (b *binder) arith(n syntax.Node, op syntax.Kind, l, r expr) expr {
	if l.typ == Unknown || r.typ == Unknown {
		return unknown()
	}
	l, r = dynamicOperand(l, r, op), dynamicOperand(r, l, op)
	out := expr{window: l.window || r.window}
	sign := map[syntax.Kind]string{syntax.ADD: "+", syntax.SUB: "-", syntax.MUL: "*", syntax.DIV: "/", syntax.MOD: "%"}[op]
	out.typ = arithType(op, l.typ, r.typ)
	if out.typ == Unknown {
		hint := ""
		if l.typ == String && op == syntax.ADD {
			hint = "strcat(a, b) joins strings"
		}
		b.report(n.Span(), "SEM0024", hint, "cannot compute "+l.typ.String()+" "+sign+" "+r.typ.String())
		return unknown()
	}
	l, r = l.unscaled(), r.unscaled()
	bound := boundOf(op, l, r)
	if out.typ == Long && numeric(l.typ) && numeric(r.typ) {
		l, r = widenIf(l, Long), widenIf(r, Long)
	}
	whole := out.typ == Long || out.typ == Int
	switch {
	case op == syntax.DIV && whole:
		out.sql = "(" + l.sql + " // " + r.sql + ")"
	case op == syntax.DIV && out.typ == Real && isTicks(l.typ):
		out.sql = "(" + l.sql + "::DOUBLE / " + r.sql + "::DOUBLE)"
	case op == syntax.DIV && out.typ == TimeSpan:
		out.sql = "TRY_CAST(" + l.sql + " / " + r.sql + " AS BIGINT)"
	case op == syntax.DIV && out.typ == Decimal:
		out.sql = "(" + l.sql + "::DOUBLE / " + r.sql + "::DOUBLE)::DECIMAL(38,16)"
	case op == syntax.MUL && out.typ == TimeSpan && (l.typ == Real || r.typ == Real || l.typ == Decimal || r.typ == Decimal):
		out.sql = "TRY_CAST(" + l.sql + " * " + r.sql + " AS BIGINT)"
	case isTicks(out.typ) && op != syntax.MOD && bound == 0:
		out.sql, out.bound = ticksOrNull(l, r, sign), math.MaxInt64
	case op == syntax.MUL && out.typ == Decimal:
		out.sql = decimalProduct(l, r)
	case op == syntax.MOD && whole:
		// The remainder is never negative.
		out.sql = "((" + l.sql + " % " + r.sql + " + abs(" + r.sql + ")) % abs(" + r.sql + "))"
	case out.typ == Long && bound == 0:
		out.sql = wrapping(l, r, sign)
	case out.typ == Decimal: // of constant nulls DuckDB makes a null of no type
		out.sql = "(" + l.sql + " " + sign + " " + r.sql + ")::DECIMAL(38,16)"
	default:
		out.sql = "(" + l.sql + " " + sign + " " + r.sql + ")"
		out.bound = bound
	}
	out.lit = fold(op, out.typ, l, r)
	if v, ok := out.lit.(int64); ok {
		return expr{sql: intSQL(v, "BIGINT"), typ: out.typ, lit: v}
	}
	return out
}

func widenIf(e expr, t Type) expr {
	if e.typ != t {
		return widen(e, t)
	}
	return e
}

// dynamicOperand converts a dynamic operand of arithmetic to what the other
// side asks for.
func dynamicOperand(e, other expr, op syntax.Kind) expr {
	if e.typ != Dynamic {
		return e
	}
	switch other.typ {
	case Dynamic:
		return fromDynamic(e, Real)
	case TimeSpan:
		if op == syntax.MUL {
			return fromDynamic(e, Real)
		}
	case Int, Long:
		return fromDynamic(e, Real)
	}
	return fromDynamic(e, other.typ)
}

// arithType is the type of l op r, Unknown when there is none.
func arithType(op syntax.Kind, l, r Type) Type {
	if numeric(l) && numeric(r) {
		switch {
		case l == Decimal || r == Decimal:
			return Decimal
		case l == Real || r == Real:
			return Real
		}
		return Long
	}
	date, span := l == DateTime, l == TimeSpan
	switch op {
	case syntax.ADD:
		if (date && r == TimeSpan) || (span && r == DateTime) {
			return DateTime
		}
		if span && r == TimeSpan {
			return TimeSpan
		}
	case syntax.SUB:
		switch {
		case date && r == TimeSpan:
			return DateTime
		case date && r == DateTime, span && r == TimeSpan:
			return TimeSpan
		}
	case syntax.MUL:
		if (span && numeric(r)) || (numeric(l) && r == TimeSpan) {
			return TimeSpan
		}
	case syntax.DIV:
		if (span || date) && r == TimeSpan || date && r == DateTime {
			return Real
		}
		if span && numeric(r) {
			return TimeSpan
		}
	case syntax.MOD:
		if (span || date) && r == TimeSpan || span && (r == Int || r == Long) {
			return TimeSpan
		}
	}
	return Unknown
}

// fold computes constant integer arithmetic, so that bounds such as
// now() - 2 * 1h are constants in the SQL.
func fold(op syntax.Kind, t Type, l, r expr) any {
	x, ok1 := l.lit.(int64)
	y, ok2 := r.lit.(int64)
	if !ok1 || !ok2 || t == Real || t == Decimal {
		return nil
	}
	const safe = 1 << 62
	if t != Long && (x > safe || x < -safe || y > safe || y < -safe) {
		return nil
	}
	switch op {
	case syntax.ADD:
		return x + y
	case syntax.SUB:
		return x - y
	case syntax.MUL:
		if t == Long || x == 0 || (x*y)/x == y {
			return x * y
		}
	case syntax.DIV:
		if y != 0 && y != -1 && t == Long {
			return x / y
		}
	}
	return nil
}
