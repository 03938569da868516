package difftest

import (
	"math"
	"math/bits"
	"strconv"
	"strings"

	"picket/kql"
)

func mathFunctions() []scalar {
	l := func(i int, v []any) int64 { return v[i].(int64) }
	r := func(i int, v []any) float64 { return v[i].(float64) }
	out := []scalar{
		{name: "abs", args: "l", ret: kql.Long, f: func(v []any) any { return noLeast(abs(l(0, v))) }},
		{name: "abs", args: "r", ret: kql.Real, f: func(v []any) any { return math.Abs(r(0, v)) }},
		{name: "abs", args: "p", ret: kql.TimeSpan, f: func(v []any) any { return noLeast(abs(l(0, v))) }},
		{name: "bin", args: "ll", ret: kql.Long, gen: []string{"", "1 2 3 10"}, f: func(v []any) any { return bin(l(0, v), l(1, v)) }},
		{name: "bin", args: "rr", ret: kql.Real, gen: []string{"", "0.5 2.0 0.25"}, f: func(v []any) any {
			if math.IsInf(r(0, v), 0) {
				silent("bin of an infinity")
			}
			return math.Floor(r(0, v)/r(1, v)) * r(1, v)
		}},
		{name: "bin", args: "tp", ret: kql.DateTime, gen: []string{"", "1d 1h 7d 3s"}, f: func(v []any) any { return bin(l(0, v), l(1, v)) }},
		{name: "bin", args: "pp", ret: kql.TimeSpan, gen: []string{"", "1d 1h 3s"}, f: func(v []any) any { return bin(l(0, v), l(1, v)) }},
		{name: "floor", args: "ll", ret: kql.Long, gen: []string{"", "2 5"}, f: func(v []any) any { return bin(l(0, v), l(1, v)) }},
		{name: "binary_and", args: "ll", ret: kql.Long, f: func(v []any) any { return l(0, v) & l(1, v) }},
		{name: "binary_or", args: "ll", ret: kql.Long, f: func(v []any) any { return l(0, v) | l(1, v) }},
		{name: "binary_xor", args: "ll", ret: kql.Long, f: func(v []any) any { return l(0, v) ^ l(1, v) }},
		{name: "binary_not", args: "l", ret: kql.Long, f: func(v []any) any { return ^l(0, v) }},
		{name: "binary_shift_left", args: "ll", ret: kql.Long, gen: []string{"", "0 1 5 63"}, f: func(v []any) any { return l(0, v) << l(1, v) }},
		{name: "binary_shift_right", args: "ll", ret: kql.Long, gen: []string{"", "0 1 5 63"}, f: func(v []any) any { return l(0, v) >> l(1, v) }},
		{name: "bitset_count_ones", args: "l", ret: kql.Long, f: func(v []any) any { return int64(bits.OnesCount64(uint64(l(0, v)))) }},
		{name: "isnan", args: "r", ret: kql.Bool, f: func(v []any) any { return math.IsNaN(r(0, v)) }},
		{name: "isinf", args: "r", ret: kql.Bool, f: func(v []any) any { return math.IsInf(r(0, v), 0) }},
		{name: "isfinite", args: "r", ret: kql.Bool, f: func(v []any) any { return !math.IsInf(r(0, v), 0) && !math.IsNaN(r(0, v)) }},
		{name: "sqrt", args: "r", ret: kql.Real, f: func(v []any) any {
			if r(0, v) < 0 {
				silent("square root of a negative number")
			}
			return math.Sqrt(r(0, v))
		}},
		{name: "ceiling", args: "r", ret: kql.Real, f: func(v []any) any { return math.Ceil(r(0, v)) }},
	}
	for _, fn := range []struct {
		name string
		f    func(float64) float64
	}{{"exp", math.Exp}, {"sin", math.Sin}, {"cos", math.Cos}, {"atan", math.Atan}, {"degrees", func(x float64) float64 { return x / math.Pi * 180 }}} {
		name, f := fn.name, fn.f
		out = append(out, scalar{name: name, args: "r", ret: kql.Real, f: func(v []any) any {
			if x := r(0, v); math.Abs(x) > 100 || math.IsNaN(x) {
				silent("%s of an extreme number", name)
			}
			return f(r(0, v))
		}})
	}
	return out
}

func noLeast(n int64) any {
	if n == math.MinInt64 {
		silent("the least long")
	}
	return n
}

// bin is the largest multiple of size that is not above n.
func bin(n, size int64) any {
	if n < math.MinInt64+size {
		silent("bin near the least long")
	}
	return n - ((n%size)+size)%size
}

// conversions are the to…() functions. Where the page does not say how a text
// is read it is only one of two: a plain form, or no such value at all.
func conversions() []scalar {
	s := func(v []any) string { return v[0].(string) }
	out := []scalar{
		{name: "tostring", args: "x", ret: kql.String, nulls: true, f: func(v []any) any { t := v[0].(typed); return textOf(t.v, t.t) }},
		{name: "tolong", args: "s", ret: kql.Long, f: func(v []any) any { return readNumber(s(v), 64) }},
		{name: "toint", args: "s", ret: kql.Int, f: func(v []any) any { return readNumber(s(v), 32) }},
		{name: "tolong", args: "l", ret: kql.Long, f: func(v []any) any { return v[0] }},
		{name: "tolong", args: "b", ret: kql.Long, f: func(v []any) any {
			if truth(v[0]) {
				return int64(1)
			}
			return int64(0)
		}},
		{name: "toint", args: "l", ret: kql.Int, f: func(v []any) any {
			if n := v[0].(int64); n != int64(int32(n)) {
				silent("toint of a large long")
			}
			return v[0]
		}},
		{name: "toreal", args: "l", ret: kql.Real, f: func(v []any) any { return widen(v[0], kql.Long, kql.Real) }},
		{name: "toreal", args: "s", ret: kql.Real, f: func(v []any) any {
			n := readNumber(s(v), 64)
			if n == nil {
				return nil
			}
			return widen(n, kql.Long, kql.Real)
		}},
		{name: "tobool", args: "l", ret: kql.Bool, f: func(v []any) any { return v[0].(int64) != 0 }},
		{name: "tobool", args: "s", ret: kql.Bool, f: func(v []any) any {
			switch t := strings.ToLower(s(v)); {
			case t == "true" || t == "false":
				return t == "true"
			case strings.ContainsAny(t, "0123456789") || t == "nan" || strings.Contains(t, "inf"):
				silent("tobool of %q", t)
			}
			return nil
		}},
		{name: "todatetime", args: "s", ret: kql.DateTime, f: func(v []any) any {
			if t, ok := readTime(s(v)); ok {
				return t
			}
			if strings.ContainsAny(s(v), "0123456789") {
				silent("todatetime of %q", s(v))
			}
			return nil
		}},
		{name: "totimespan", args: "s", ret: kql.TimeSpan, f: func(v []any) any {
			if p, ok := readSpan(s(v)); ok && strings.Contains(s(v), ":") {
				return p
			}
			if strings.ContainsAny(s(v), "0123456789") {
				silent("totimespan of %q", s(v))
			}
			return nil
		}},
		{name: "todynamic", args: "s", ret: kql.Dynamic, f: func(v []any) any { return readDynamic(s(v)) }},
		{name: "parse_json", args: "s", ret: kql.Dynamic, f: func(v []any) any { return readDynamic(s(v)) }},
		{name: "tolong", args: "d", ret: kql.Long, f: func(v []any) any {
			switch x := fixed(v[0]).(type) {
			case int64:
				return x
			case string:
				return readNumber(x, 64)
			}
			silent("tolong of a dynamic that is neither long nor string")
			return nil
		}},
		{name: "tobool", args: "d", ret: kql.Bool, f: func(v []any) any {
			if b, ok := fixed(v[0]).(bool); ok {
				return b
			}
			silent("tobool of a dynamic that is no bool")
			return nil
		}},
	}
	for _, p := range "bilrmtpgd" {
		out = append(out,
			scalar{name: "isnull", args: string(p), ret: kql.Bool, nulls: true, f: func(v []any) any { return fixed(v[0]) == nil }},
			scalar{name: "isnotnull", args: string(p), ret: kql.Bool, nulls: true, f: func(v []any) any { return fixed(v[0]) != nil }})
	}
	return append(out,
		scalar{name: "isnull", args: "s", ret: kql.Bool, f: func([]any) any { return false }},
		scalar{name: "isnotnull", args: "s", ret: kql.Bool, f: func([]any) any { return true }})
}

// readNumber reads a whole number; text with digits that is none is not described.
func readNumber(s string, bits int) any {
	if n, err := strconv.ParseInt(s, 10, bits); err == nil && !strings.HasPrefix(s, "+") {
		return n
	}
	if strings.ContainsAny(s, "0123456789") || strings.Contains(lower(s), "nan") || strings.Contains(lower(s), "inf") {
		silent("a number in %q", s)
	}
	return nil
}

// readDynamic is parse_json(): text that is no JSON is itself the value.
func readDynamic(s string) any {
	v, ok := parseJSON(s)
	if ok {
		return v
	}
	if strings.TrimSpace(s) == "" || strings.ContainsAny(s, "0123456789\"'[{") {
		silent("parse_json of %q", s)
	}
	return s
}
