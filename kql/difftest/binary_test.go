package difftest

import (
	"fmt"
	"math"
	"math/big"

	"picket/kql"
	"picket/kql/syntax"
)

func (e *evaluator) binary(x *syntax.Binary, sc *scope) expr {
	l, r := e.bind(x.X, sc), e.bind(x.Y, sc)
	out := expr{typ: kql.Bool, lit: l.lit && r.lit}
	switch x.Op {
	case syntax.AND, syntax.OR:
		out.eval = func(a *at) any { return logical(x.Op, l.eval(a), r.eval(a)) }
	case syntax.EQ, syntax.NE, syntax.LT, syntax.LE, syntax.GT, syntax.GE:
		out.eval = e.compare(x.Op, l, r)
	case syntax.ADD, syntax.SUB, syntax.MUL, syntax.DIV, syntax.MOD:
		return e.arith(x.Op, l, r)
	default:
		test := stringTest(x.Op)
		out.eval = func(a *at) any { return test(textArg(l, a), textArg(r, a)) }
	}
	return out
}

// textArg is an operand of a string operator: "If x is a dynamic value, it is
// taken as a string", page "String operators".
func textArg(x expr, a *at) string {
	v := fixed(x.eval(a))
	if _, ok := v.(string); !ok && x.typ == kql.Dynamic {
		silent("a string operator over what is no string")
	}
	return textOf(v, x.typ)
}

// logical is and, or. The page "Logical (binary) operators" says that null and
// true is false, "null values" has null for what follows from null: both are
// right, and as a condition they are the same.
func logical(op syntax.Kind, l, r any) any {
	l, r = pessimist(l), pessimist(r)
	_, openL := l.(oneOf)
	_, openR := r.(oneOf)
	if op == syntax.AND {
		if l == false || r == false {
			return false
		}
	} else if l == true || r == true {
		return true
	}
	if openL || openR {
		return oneOf{nil, false}
	}
	return op == syntax.AND
}

// pessimist makes one open value of null and what may be null.
func pessimist(v any) any {
	switch v.(type) {
	case bool:
		return v
	case nil:
		return oneOf{nil, false}
	case oneOf:
		return v
	}
	panic(fmt.Sprintf("%T is no truth value", v))
}

// compare is == != < <= > >=: pages "Logical (binary) operators" and "null
// values". null == 1 is false and null != 1 is true; the other four give null.
func (e *evaluator) compare(op syntax.Kind, l, r expr) func(*at) any {
	return func(a *at) any {
		x, y := fixed(l.eval(a)), fixed(r.eval(a))
		if l.typ == kql.Dynamic || r.typ == kql.Dynamic {
			x, y = dynamicPair(x, y, l.typ, r.typ)
		} else if l.typ != r.typ {
			x, y = numberPair(x, y, l.typ, r.typ)
		}
		switch {
		case x == nil && y == nil:
			return nil
		case x == nil || y == nil:
			switch op {
			case syntax.EQ:
				return false
			case syntax.NE:
				return true
			}
			return nil
		}
		c := order(x, y)
		switch op {
		case syntax.EQ:
			return c == 0
		case syntax.NE:
			return c != 0
		case syntax.LT:
			return c < 0
		case syntax.LE:
			return c <= 0
		case syntax.GT:
			return c > 0
		}
		return c >= 0
	}
}

// dynamicPair makes a dynamic value comparable with a scalar of the same kind.
// Of other kinds the reference only says that they are not equal to a string.
func dynamicPair(x, y any, tx, ty kql.Type) (any, any) {
	if ty == kql.Dynamic && tx != kql.Dynamic {
		y, x = dynamicPair(y, x, ty, tx)
		return x, y
	}
	if tx == ty {
		silent("comparing two dynamic values")
	}
	switch v := x.(type) {
	case string:
		if ty == kql.String {
			return x, y
		}
	case bool:
		if ty == kql.Bool {
			return x, y
		}
	case int64:
		if ty == kql.Long || ty == kql.Int {
			return x, y
		}
		if ty == kql.Real {
			return float64(v), y
		}
	case float64:
		if ty == kql.Real {
			return x, y
		}
	case nil:
		if ty != kql.String {
			return x, y
		}
	}
	silent("comparing a dynamic value with a scalar of another kind")
	return nil, nil
}

// numberPair brings numbers of two types to one: page "Numerical operators".
func numberPair(x, y any, tx, ty kql.Type) (any, any) {
	t := widest(tx, ty)
	return widen(x, tx, t), widen(y, ty, t)
}

func widest(x, y kql.Type) kql.Type {
	for _, t := range []kql.Type{kql.Decimal, kql.Real, kql.Long, kql.Int} {
		if x == t || y == t {
			return t
		}
	}
	panic(fmt.Sprintf("no common type of %s and %s", x, y))
}

func widen(v any, from, to kql.Type) any {
	if v == nil || from == to {
		return v
	}
	switch n := v.(type) {
	case int64:
		switch to {
		case kql.Real:
			if n > 1<<53 || n < -1<<53 {
				silent("a long beyond the precision of a real")
			}
			return float64(n)
		case kql.Decimal:
			return new(big.Rat).SetInt64(n)
		}
		return v
	case float64:
		if r := new(big.Rat).SetFloat64(n); r != nil && to == kql.Decimal {
			return r
		}
		silent("no decimal of a real")
	}
	return v
}

// arith is + - * / %: page "Numerical operators", pages "Datetime / timespan
// arithmetic". int and long give long, which wraps around; a null operand
// gives null.
func (e *evaluator) arith(op syntax.Kind, l, r expr) expr {
	out := expr{lit: l.lit && r.lit}
	switch {
	case isNumber(l.typ) && isNumber(r.typ):
		out.typ = widest(l.typ, r.typ)
		if out.typ == kql.Int {
			out.typ = kql.Long
		}
		out.eval = func(a *at) any {
			x, y := fixed(l.eval(a)), fixed(r.eval(a))
			if x == nil || y == nil {
				return nil
			}
			return numeric(op, widen(x, l.typ, out.typ), widen(y, r.typ, out.typ))
		}
		return out
	case l.typ == kql.DateTime && r.typ == kql.DateTime:
		out.typ = kql.TimeSpan
	case l.typ == kql.DateTime || r.typ == kql.DateTime:
		out.typ = kql.DateTime
		if op == syntax.MOD {
			out.typ = kql.TimeSpan
		}
	case l.typ == kql.TimeSpan && r.typ == kql.TimeSpan && op == syntax.DIV:
		out.typ = kql.Real
	default:
		out.typ = kql.TimeSpan
	}
	out.eval = func(a *at) any {
		x, y := fixed(l.eval(a)), fixed(r.eval(a))
		if x == nil || y == nil {
			return nil
		}
		return spans(op, x, y, out.typ)
	}
	return out
}

func numeric(op syntax.Kind, x, y any) any {
	switch a := x.(type) {
	case int64:
		b := y.(int64)
		switch op {
		case syntax.ADD:
			return a + b
		case syntax.SUB:
			return a - b
		case syntax.MUL:
			return a * b
		}
		if b == 0 || (a == math.MinInt64 || b == math.MinInt64) {
			silent("division by zero or of the least long")
		}
		if op == syntax.DIV {
			return a / b
		}
		return ((a % b) + abs(b)) % abs(b)
	case float64:
		b := y.(float64)
		switch op {
		case syntax.ADD:
			return a + b
		case syntax.SUB:
			return a - b
		case syntax.MUL:
			return a * b
		case syntax.DIV:
			return a / b
		}
		silent("modulo of reals")
	case *big.Rat:
		b := y.(*big.Rat)
		switch op {
		case syntax.ADD:
			return new(big.Rat).Add(a, b)
		case syntax.SUB:
			return new(big.Rat).Sub(a, b)
		case syntax.MUL:
			return new(big.Rat).Mul(a, b)
		}
		silent("division of decimals")
	}
	panic(fmt.Sprintf("%T is no number", x))
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}

// spans computes with ticks; one side may be a number.
func spans(op syntax.Kind, x, y any, t kql.Type) any {
	if f, ok := x.(float64); ok {
		x, y = y, f
	}
	a := x.(int64)
	if f, ok := y.(float64); ok {
		return scaled(op, a, f)
	}
	b := y.(int64)
	var v int64
	switch op {
	case syntax.ADD:
		v = addTicks(a, b)
	case syntax.SUB:
		if b == math.MinInt64 {
			silent("timespan overflow")
		}
		v = addTicks(a, -b)
	case syntax.MUL:
		p := new(big.Int).Mul(big.NewInt(a), big.NewInt(b))
		if !p.IsInt64() {
			silent("timespan overflow")
		}
		v = p.Int64()
	case syntax.DIV:
		if t == kql.Real {
			return float64(a) / float64(b)
		}
		if b == 0 || a%b != 0 {
			silent("rounding of a timespan")
		}
		v = a / b
	case syntax.MOD:
		if b <= 0 {
			silent("modulo of no positive timespan")
		}
		v = ((a % b) + b) % b
	}
	if t == kql.DateTime {
		return inTime(v)
	}
	return v
}

// scaled is a timespan times or by a real.
func scaled(op syntax.Kind, a int64, f float64) any {
	v := float64(a) * f
	if op == syntax.DIV {
		v = float64(a) / f
	}
	if v != math.Trunc(v) || math.Abs(v) > 1<<53 {
		silent("rounding of a timespan")
	}
	return int64(v)
}

func isNumber(t kql.Type) bool {
	return t == kql.Int || t == kql.Long || t == kql.Real || t == kql.Decimal
}
