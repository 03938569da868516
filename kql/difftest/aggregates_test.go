package difftest

import (
	"math"
	"math/big"

	"picket/kql"
	"picket/kql/syntax"
)

// values are those of x over the group that are not null, for which cond is true.
func values(a *at, x expr, cond *expr) []any {
	var out []any
	for i := range a.rows {
		p := &at{rows: a.rows, i: i}
		if cond != nil && !truth(cond.eval(p)) {
			continue
		}
		if v := fixed(x.eval(p)); v != nil {
			out = append(out, v)
		}
	}
	return out
}

// aggregate binds a call of an aggregation function; each has its page. Nulls
// are ignored: page "summarize operator".
func (e *evaluator) aggregate(c *syntax.Call, sc *scope) (expr, bool) {
	inner := &scope{cols: sc.cols, lets: sc.lets}
	name := c.Func.Text
	if name == "count" {
		return expr{typ: kql.Long, eval: func(a *at) any { return int64(len(a.rows)) }}, true
	}
	f, ok := aggregateTable[name]
	if !ok {
		return expr{}, false
	}
	var args []expr
	for _, x := range c.Args {
		args = append(args, e.bind(x, inner))
	}
	var cond *expr
	if f.cond {
		cond = &args[len(args)-1]
	}
	x := args[0]
	return expr{typ: f.typ(x.typ), eval: func(a *at) any {
		if f.open != nil {
			return f.open(a, x)
		}
		return f.of(values(a, x, cond), x.typ, a.ordered)
	}}, true
}

type aggregateFunc struct {
	typ  func(kql.Type) kql.Type
	cond bool // the last argument is a condition
	of   func(vals []any, t kql.Type, ordered bool) any
	open func(a *at, x expr) any
}

func always(t kql.Type) func(kql.Type) kql.Type { return func(kql.Type) kql.Type { return t } }
func same(t kql.Type) kql.Type                  { return t }

func sumType(t kql.Type) kql.Type {
	if t == kql.Int {
		return kql.Long
	}
	return t
}

func avgType(t kql.Type) kql.Type {
	if t == kql.Int || t == kql.Long {
		return kql.Real
	}
	return t
}

var aggregateTable = map[string]aggregateFunc{
	"countif":        {typ: always(kql.Long), open: countIf},
	"sum":            {typ: sumType, of: sum},
	"sumif":          {typ: sumType, of: sum, cond: true},
	"avg":            {typ: avgType, of: avg},
	"avgif":          {typ: avgType, of: avg, cond: true},
	"min":            {typ: same, of: extremeOf(-1)},
	"minif":          {typ: same, of: extremeOf(-1), cond: true},
	"max":            {typ: same, of: extremeOf(1)},
	"maxif":          {typ: same, of: extremeOf(1), cond: true},
	"dcount":         {typ: always(kql.Long), of: distinctCount},
	"dcountif":       {typ: always(kql.Long), of: distinctCount, cond: true},
	"count_distinct": {typ: always(kql.Long), of: distinctCount},
	"stdev":          {typ: always(kql.Real), of: deviation(true, false)},
	"stdevp":         {typ: always(kql.Real), of: deviation(true, true)},
	"variance":       {typ: always(kql.Real), of: deviation(false, false)},
	"variancep":      {typ: always(kql.Real), of: deviation(false, true)},
	"make_list":      {typ: always(kql.Dynamic), of: list},
	"make_list_if":   {typ: always(kql.Dynamic), of: list, cond: true},
	"make_set":       {typ: always(kql.Dynamic), of: set},
	"make_set_if":    {typ: always(kql.Dynamic), of: set, cond: true},
	"make_bag":       {typ: always(kql.Dynamic), of: makeBag},
	"take_any":       {typ: same, of: takeAny},
	"binary_all_and": {typ: always(kql.Long), of: bitwise(func(a, b int64) int64 { return a & b })},
	"binary_all_or":  {typ: always(kql.Long), of: bitwise(func(a, b int64) int64 { return a | b })},
	"binary_all_xor": {typ: always(kql.Long), of: bitwise(func(a, b int64) int64 { return a ^ b })},
}

func countIf(a *at, x expr) any {
	var n int64
	for i := range a.rows {
		if truth(x.eval(&at{rows: a.rows, i: i})) {
			n++
		}
	}
	return n
}

func sum(vals []any, t kql.Type, _ bool) any {
	switch t {
	case kql.Real:
		var s float64
		for _, v := range vals {
			s += v.(float64)
		}
		return s
	case kql.Decimal:
		s := new(big.Rat)
		for _, v := range vals {
			s.Add(s, v.(*big.Rat))
		}
		return s
	}
	s := new(big.Int)
	for _, v := range vals {
		s.Add(s, big.NewInt(v.(int64)))
	}
	if !s.IsInt64() {
		silent("overflow of sum")
	}
	return s.Int64()
}

// avg of nothing is null by the page's table and NaN by its example.
func avg(vals []any, t kql.Type, _ bool) any {
	if len(vals) == 0 {
		if t == kql.DateTime || t == kql.TimeSpan {
			return nil
		}
		return oneOf{nil, math.NaN()}
	}
	n := int64(len(vals))
	switch t {
	case kql.DateTime, kql.TimeSpan:
		s := sum(vals, kql.Long, false).(int64)
		if s%n != 0 {
			silent("rounding of a mean of ticks")
		}
		return s / n
	case kql.Decimal:
		silent("precision of a decimal mean")
	case kql.Real:
		return sum(vals, t, false).(float64) / float64(n)
	}
	s := 0.0
	for _, v := range vals {
		s += widen(v, kql.Long, kql.Real).(float64)
	}
	return s / float64(n)
}

// extremeOf is min and max. The pages say nothing of the empty string.
func extremeOf(sign int) func([]any, kql.Type, bool) any {
	return func(vals []any, t kql.Type, _ bool) any {
		var best any
		for _, v := range vals {
			if v == "" {
				silent("extreme of an empty string")
			}
			if best == nil || order(v, best)*sign > 0 {
				best = v
			}
		}
		if best == nil && t == kql.String {
			return ""
		}
		return best
	}
}

func distinctCount(vals []any, _ kql.Type, _ bool) any {
	seen := map[string]bool{}
	for _, v := range vals {
		seen[key(v)] = true
	}
	return int64(len(seen))
}

// deviation is the variance, or its root, of a sample or of a population. Of
// one value a sample has none, and the page does not say what comes.
func deviation(root, population bool) func([]any, kql.Type, bool) any {
	return func(vals []any, t kql.Type, _ bool) any {
		n := float64(len(vals))
		if n == 0 {
			return 0.0
		}
		if !population {
			n--
		}
		if n == 0 {
			silent("deviation of one value")
		}
		var mean, s float64
		var fs []float64
		for _, v := range vals {
			f, ok := v.(float64)
			if !ok {
				f = float64(v.(int64))
			}
			if math.Abs(f) > 1e9 || math.IsNaN(f) {
				silent("deviation of extreme values")
			}
			fs = append(fs, f)
			mean += f
		}
		mean /= float64(len(vals))
		for _, f := range fs {
			s += (f - mean) * (f - mean)
		}
		if root {
			return math.Sqrt(s / n)
		}
		return s / n
	}
}
