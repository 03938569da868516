package difftest

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"picket/kql"
	"picket/kql/syntax"
)

// bind gives an expression its type and its evaluation.
func (e *evaluator) bind(x syntax.Expr, sc *scope) expr {
	switch x := x.(type) {
	case *syntax.Paren:
		return e.bind(x.X, sc)
	case *syntax.NamedExpr:
		return e.bind(x.X, sc)
	case *syntax.Literal:
		return literal(x)
	case *syntax.Dynamic:
		return constant(kql.Dynamic, dynamicLiteral(x.Value))
	case *syntax.Name:
		return e.name(x, sc)
	case *syntax.Unary:
		return e.unary(x, sc)
	case *syntax.Binary:
		return e.binary(x, sc)
	case *syntax.In:
		return e.in(x, sc)
	case *syntax.Between:
		return e.between(x, sc)
	case *syntax.Path:
		return e.path(x, sc)
	case *syntax.Index:
		return e.element(e.bind(x.X, sc), e.bind(x.Index, sc))
	case *syntax.Call:
		return e.call(x, sc)
	}
	panic(fmt.Sprintf("no evaluation of %T", x))
}

// name finds a column, else a let: columns hide lets.
func (e *evaluator) name(x *syntax.Name, sc *scope) expr {
	for i, c := range sc.cols {
		if c.Name == x.Text {
			return expr{typ: c.Type, eval: func(a *at) any { return a.row()[i] }}
		}
	}
	if l := sc.lets.find(x.Text); l != nil && l.scalar != nil {
		return *l.scalar
	}
	panic("no name " + x.Text)
}

// literal reads a constant: pages of the scalar data types.
func literal(x *syntax.Literal) expr {
	t := [...]kql.Type{kql.Bool, kql.Int, kql.Long, kql.Real, kql.Decimal, kql.String, kql.DateTime, kql.TimeSpan, kql.Guid}[x.Kind]
	if x.Null {
		return constant(t, nil)
	}
	v, ok := readText(x.Text, t)
	if !ok {
		panic(fmt.Sprintf("unreadable literal %q of type %s", x.Text, t))
	}
	return constant(t, v)
}

// readText reads the text forms that the generator writes; it is also what the
// conversion functions do with text. ok is false where the text is none of them.
func readText(s string, t kql.Type) (any, bool) {
	switch t {
	case kql.Bool:
		switch strings.ToLower(s) {
		case "true":
			return true, true
		case "false":
			return false, true
		}
		return nil, false
	case kql.Int:
		n, err := strconv.ParseInt(s, 10, 32)
		return n, err == nil
	case kql.Long:
		n, err := strconv.ParseInt(s, 0, 64)
		return n, err == nil
	case kql.Real:
		f, err := strconv.ParseFloat(strings.TrimPrefix(s, "+"), 64)
		return f, err == nil
	case kql.Decimal:
		r, ok := new(big.Rat).SetString(s)
		return r, ok
	case kql.DateTime:
		return readTime(s)
	case kql.TimeSpan:
		return readSpan(s)
	case kql.Guid:
		return strings.ToLower(s), len(s) == 36
	}
	return s, true
}

// readTime reads ISO 8601: page "The datetime data type".
func readTime(s string) (any, bool) {
	s = strings.TrimSuffix(s, "Z")
	s, frac, _ := strings.Cut(s, ".")
	var y, mo, d, h, mi, sec int64
	for _, f := range []string{"%d-%d-%dT%d:%d:%d", "%d-%d-%d %d:%d:%d"} {
		if n, err := fmt.Sscanf(s, f, &y, &mo, &d, &h, &mi, &sec); n == 6 && err == nil {
			f, _ := strconv.ParseInt((frac + "0000000")[:7], 10, 64)
			return dayNumber(y, mo, d)*day + h*hour + mi*minute + sec*second + f, true
		}
	}
	if n, err := fmt.Sscanf(s, "%d-%d-%d", &y, &mo, &d); n == 3 && err == nil && len(s) == 10 {
		return dayNumber(y, mo, d) * day, true
	}
	return nil, false
}

// dayNumber counts the days from 0001-01-01 in the Gregorian calendar.
func dayNumber(y, m, d int64) int64 {
	n := d - 1
	for i := int64(1); i < m; i++ {
		n += monthDays(y, i)
	}
	p := y - 1
	return n + p*365 + p/4 - p/100 + p/400
}

func monthDays(y, m int64) int64 {
	switch m {
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// readSpan reads 1d, 2h, 1.5s, 10ms, 1tick and [-][d.]hh:mm:ss[.f]: page "The
// timespan data type".
func readSpan(s string) (any, bool) {
	neg := strings.HasPrefix(s, "-")
	s = strings.TrimPrefix(s, "-")
	var total int64
	if strings.Contains(s, ":") {
		s, frac, _ := strings.Cut(s, ".")
		if frac != "" && strings.Contains(frac, ":") {
			d, err := strconv.ParseInt(s, 10, 32)
			if err != nil {
				return nil, false
			}
			total = d * day
			s, frac, _ = strings.Cut(frac, ".")
		}
		var h, m, sec int64
		if n, err := fmt.Sscanf(s+";", "%d:%d:%d;", &h, &m, &sec); n != 3 || err != nil || h > 23 || m > 59 || sec > 59 {
			return nil, false
		}
		f, _ := strconv.ParseInt((frac + "0000000")[:7], 10, 64)
		total += h*hour + m*minute + sec*second + f
	} else {
		i := strings.IndexFunc(s, func(r rune) bool { return r >= 'a' })
		if i <= 0 {
			return nil, false
		}
		unit, ok := map[string]int64{"d": day, "h": hour, "m": minute, "s": second, "ms": 10000, "microsecond": 10, "tick": 1}[s[i:]]
		r, ok2 := new(big.Rat).SetString(s[:i])
		if !ok || !ok2 {
			return nil, false
		}
		r.Mul(r, new(big.Rat).SetInt64(unit))
		if !r.IsInt() {
			silent("fraction of a tick")
		}
		total = r.Num().Int64()
	}
	if neg {
		total = -total
	}
	return total, true
}

// dynamicLiteral is the value of dynamic(…): page "The dynamic data type".
func dynamicLiteral(x syntax.Expr) any {
	switch x := x.(type) {
	case nil:
		return nil
	case *syntax.Literal:
		return literal(x).eval(nil)
	case *syntax.DynArray:
		list := make([]any, len(x.Items))
		for i, v := range x.Items {
			list[i] = dynamicLiteral(v)
		}
		return list
	case *syntax.DynObject:
		b := bag{}
		for i, k := range x.Keys {
			b[k] = dynamicLiteral(x.Values[i])
		}
		return b
	case *syntax.Unary:
		switch v := dynamicLiteral(x.X).(type) {
		case int64:
			return -v
		case float64:
			return -v
		}
	}
	panic(fmt.Sprintf("no dynamic literal %T", x))
}

// path is X.Name, a slot of a bag; $left and $right name the tables of a join.
func (e *evaluator) path(x *syntax.Path, sc *scope) expr {
	name := x.Name.(*syntax.Name).Text
	return e.element(e.bind(x.X, sc), constant(kql.String, name))
}

// element is X[i]: page "Dynamic property bag and array accessors". What is not
// there is null; a negative index counts from the end.
func (e *evaluator) element(x, i expr) expr {
	return expr{typ: kql.Dynamic, eval: func(a *at) any {
		switch v := fixed(x.eval(a)).(type) {
		case bag:
			switch k := fixed(i.eval(a)).(type) {
			case string:
				return v[k]
			case nil:
				silent("null as an index")
			}
			return nil
		case []any:
			switch k := fixed(i.eval(a)).(type) {
			case int64:
				if k < 0 {
					k += int64(len(v))
				}
				if k >= 0 && k < int64(len(v)) {
					return v[k]
				}
			case nil:
				silent("null as an index")
			}
		}
		return nil
	}}
}

// unary is -X: page "Numerical operators". The result of -int is long.
func (e *evaluator) unary(x *syntax.Unary, sc *scope) expr {
	v := e.bind(x.X, sc)
	if x.Op != syntax.SUB {
		return v
	}
	t := v.typ
	if t == kql.Int {
		t = kql.Long
	}
	return expr{typ: t, lit: v.lit, eval: func(a *at) any {
		switch n := fixed(v.eval(a)).(type) {
		case int64:
			if t == kql.TimeSpan && n == -n && n != 0 {
				silent("timespan overflow")
			}
			return -n
		case float64:
			return -n
		case *big.Rat:
			return new(big.Rat).Neg(n)
		}
		return nil
	}}
}

// between is X between (Lo .. Hi), ends included: page "between operator".
func (e *evaluator) between(x *syntax.Between, sc *scope) expr {
	v, lo, hi := e.bind(x.X, sc), e.bind(x.Lo, sc), e.bind(x.Hi, sc)
	if v.typ == kql.DateTime && hi.typ == kql.TimeSpan {
		from := lo
		hi = e.arith(syntax.ADD, from, hi)
	}
	return expr{typ: kql.Bool, eval: func(a *at) any {
		l, r := e.compare(syntax.GE, v, lo)(a), e.compare(syntax.LE, v, hi)(a)
		if l == nil || r == nil {
			silent("between with null")
		}
		return (truth(l) && truth(r)) != x.Not
	}}
}
