package kql

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
)

// series is an array of numbers; NaN stands for what is null or no number.
type series []float64

// MarshalJSON writes a series of reals, with null for what is no number.
func (s series) MarshalJSON() ([]byte, error) {
	out := make([]any, len(s))
	for i, v := range s {
		out[i] = realNumber(v)
	}
	return json.Marshal(out)
}

// realNumber writes v so that it is seen to be real, as in 2.0; nil is null.
func realNumber(v float64) any {
	switch {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return nil
	case v == math.Trunc(v) && math.Abs(v) < 1e15:
		return json.Number(strconv.FormatFloat(v, 'f', 1, 64))
	}
	return v
}

// wholes is a series of whole numbers, written without a decimal point.
type wholes series

// MarshalJSON writes the series, with null for what is no number.
func (s wholes) MarshalJSON() ([]byte, error) {
	out := make([]any, len(s))
	for i, v := range s {
		if !math.IsNaN(v) {
			out[i] = v
		}
	}
	return json.Marshal(out)
}

// seriesArgs are the arguments of a series function as they came in JSON, numbers as json.Number.
type seriesArgs []any

// series returns argument i, an array; nil when it is none.
func (a seriesArgs) series(i int) series {
	if i >= len(a) {
		return nil
	}
	list, ok := a[i].([]any)
	if !ok {
		return nil
	}
	s := make(series, len(list))
	for j, v := range list {
		s[j] = elementOf(v)
	}
	return s
}

// elementOf is the value of a number of JSON, NaN for anything else.
func elementOf(v any) float64 {
	n, ok := v.(json.Number)
	if !ok {
		return math.NaN()
	}
	f, err := n.Float64()
	if err != nil {
		return math.NaN()
	}
	return f
}

// isWhole reports whether argument i, a number or an array, has no reals in it.
func (a seriesArgs) isWhole(i int) bool {
	list, ok := a[i].([]any)
	if !ok {
		list = a[i : i+1]
	}
	return !slices.ContainsFunc(list, func(v any) bool {
		n, ok := v.(json.Number)
		return ok && strings.ContainsAny(string(n), ".eE")
	})
}

// operand is series(i), or the number that argument i is, as often as the other
// operand has elements.
func (a seriesArgs) operand(i int) series {
	if i < len(a) {
		if v := elementOf(a[i]); !math.IsNaN(v) {
			return slices.Repeat(series{v}, len(a.series(1-i)))
		}
	}
	return a.series(i)
}

// num returns argument i, a number, or what stands for it when it is not given.
func (a seriesArgs) num(i int, otherwise float64) float64 {
	if i < len(a) {
		if f := elementOf(a[i]); !math.IsNaN(f) {
			return f
		}
	}
	return otherwise
}

// with is the series and those of the other arguments that stand at the places; null where there is none.
func (a seriesArgs) with(places ...int) seriesArgs {
	out := seriesArgs{a[0]}
	for _, i := range places {
		var v any
		if i < len(a) {
			v = a[i]
		}
		out = append(out, v)
	}
	return out
}

func (a seriesArgs) text(i int, otherwise string) string {
	if i < len(a) {
		if s, ok := a[i].(string); ok {
			return s
		}
	}
	return otherwise
}

func (a seriesArgs) flag(i int, otherwise bool) bool {
	if i < len(a) {
		if v, ok := a[i].(bool); ok {
			return v
		}
	}
	return otherwise
}

// seriesNative is the one native function behind all series functions: the
// function's name and the JSON array of its arguments give a JSON result.
func seriesNative() func(a []string) (string, bool) {
	ops := seriesOps()
	return func(a []string) (string, bool) {
		op, ok := ops[a[0]]
		var args seriesArgs
		in := json.NewDecoder(strings.NewReader(a[1]))
		in.UseNumber() // 1.0 and 1 are of two types
		if !ok || in.Decode(&args) != nil || len(args) == 0 {
			return "", false
		}
		if args.series(0) == nil && !(takesNumbers(a[0]) && args.series(1) != nil) {
			return "", false
		}
		v := op(args)
		if v == nil {
			return "", false
		}
		if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
			return "", false
		}
		b, err := json.Marshal(v)
		return string(b), err == nil
	}
}

// seriesOps are the series functions; nil is null.
func seriesOps() map[string]func(a seriesArgs) any {
	ops := map[string]func(a seriesArgs) any{
		"series_fill_const":          fillConst,
		"series_fill_forward":        func(a seriesArgs) any { return carry(a, 1) },
		"series_fill_backward":       func(a seriesArgs) any { return carry(a, -1) },
		"series_fill_linear":         fillLinear,
		"series_sum":                 func(a seriesArgs) any { return a.series(0).fold(0, func(x, y float64) float64 { return x + y }) },
		"series_product":             func(a seriesArgs) any { return a.series(0).fold(1, func(x, y float64) float64 { return x * y }) },
		"series_dot_product":         func(a seriesArgs) any { return dot(a.operand(0), a.operand(1)) },
		"series_magnitude":           func(a seriesArgs) any { return math.Sqrt(dot(a.series(0), a.series(0))) },
		"series_cosine_similarity":   cosine,
		"series_pearson_correlation": func(a seriesArgs) any { return pearson(a.series(0), a.series(1)) },
		"series_stats":               seriesStats,
		"series_fit_line":            func(a seriesArgs) any { return fitLine(a.series(0)).columns() },
		"series_fit_2lines":          func(a seriesArgs) any { return fitTwoLines(a.series(0)) },
		"series_fit_poly":            fitPoly,
		"series_fft":                 func(a seriesArgs) any { return fourier(a, false) },
		"series_ifft":                func(a seriesArgs) any { return fourier(a, true) },
		"series_fir":                 fir,
		"series_iir":                 iir,
		"series_outliers":            seriesOutliers,
		"series_periods_detect":      periodsDetect,
		"series_periods_validate":    periodsValidate,
		"series_seasonal":            func(a seriesArgs) any { return seasonal(a.series(0), int(a.num(1, -1)), 0.6) },
		"series_decompose":           func(a seriesArgs) any { return decompose(a, 1).columns() },
		"series_decompose_anomalies": anomalies,
		"series_decompose_forecast":  forecast,
		"series_exp_smoothing": func(a seriesArgs) any {
			return iirFilter(a.series(0), series{a.num(1, 0.5)}, series{1, a.num(1, 0.5) - 1})
		},
	}
	for name, f := range map[string]func(float64) float64{
		"abs": math.Abs, "acos": math.Acos, "asin": math.Asin, "atan": math.Atan, "ceiling": math.Ceil, "cos": math.Cos,
		"exp": math.Exp, "floor": math.Floor, "log": math.Log, "sin": math.Sin, "tan": math.Tan, "sign": sign,
	} {
		keeps := name == "abs" || name == "sign"
		ops["series_"+name] = func(a seriesArgs) any {
			s := slices.Clone(a.series(0))
			for i := range s {
				s[i] = f(s[i])
			}
			if keeps && a.isWhole(0) {
				return wholes(s)
			}
			return s
		}
	}
	for name, f := range seriesPairs() {
		keeps := name == "add" || name == "subtract" || name == "multiply"
		ops["series_"+name] = func(a seriesArgs) any {
			return pairwise(a.operand(0), a.operand(1), f, keeps && a.isWhole(0) && a.isWhole(1))
		}
	}
	return ops
}

// seriesPairs are the functions that join two series element by element.
func seriesPairs() map[string]func(x, y float64) any {
	return map[string]func(x, y float64) any{
		"add":            func(x, y float64) any { return x + y },
		"subtract":       func(x, y float64) any { return x - y },
		"multiply":       func(x, y float64) any { return x * y },
		"divide":         func(x, y float64) any { return x / y },
		"pow":            func(x, y float64) any { return math.Pow(x, y) },
		"less":           func(x, y float64) any { return x < y },
		"less_equals":    func(x, y float64) any { return x <= y },
		"greater":        func(x, y float64) any { return x > y },
		"greater_equals": func(x, y float64) any { return x >= y },
		"equals":         func(x, y float64) any { return x == y },
		"not_equals":     func(x, y float64) any { return x != y },
	}
}

// takesNumbers reports whether a number may stand for a series that repeats it.
func takesNumbers(name string) bool {
	_, ok := seriesPairs()[strings.TrimPrefix(name, "series_")]
	return ok || name == "series_dot_product"
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x
}

// pairwise joins two series element by element; the longer one's rest is null.
func pairwise(x, y series, f func(x, y float64) any, whole bool) any {
	if y == nil {
		return nil
	}
	out := make([]any, max(len(x), len(y)))
	for i := range min(len(x), len(y)) {
		if math.IsNaN(x[i]) || math.IsNaN(y[i]) {
			continue
		}
		out[i] = f(x[i], y[i])
		if v, ok := out[i].(float64); ok && !whole {
			out[i] = realNumber(v)
		}
	}
	return out
}

// numbers returns the elements that are numbers.
func (s series) numbers() series {
	return slices.DeleteFunc(slices.Clone(s), math.IsNaN)
}

func (s series) fold(start float64, f func(x, y float64) float64) float64 {
	for _, v := range s {
		start = f(start, v)
	}
	return start
}

func (s series) mean() float64 {
	n := s.numbers()
	return n.fold(0, func(x, y float64) float64 { return x + y }) / float64(len(n))
}

// variance is that of a sample.
func (s series) variance() float64 {
	n, m := s.numbers(), s.mean()
	var sum float64
	for _, v := range n {
		sum += (v - m) * (v - m)
	}
	if len(n) < 2 {
		return 0
	}
	return sum / float64(len(n)-1)
}

// percentile is the p-th percentile, between two values by their distance.
func (s series) percentile(p float64) float64 {
	n := s.numbers()
	if len(n) == 0 {
		return math.NaN()
	}
	slices.Sort(n)
	at := min(max(p, 0), 100) / 100 * float64(len(n)-1)
	i := int(at)
	if i+1 >= len(n) {
		return n[len(n)-1]
	}
	return n[i] + (n[i+1]-n[i])*(at-float64(i))
}

// seriesStats gives min, its index, max, its index, mean, deviation, variance, sum and length. An element that is no
// number makes all of them null, unless argument 1 says that such are ignored.
func seriesStats(a seriesArgs) any {
	s := a.series(0)
	n := s.numbers()
	if len(n) == 0 || len(n) < len(s) && !a.flag(1, false) {
		return nil
	}
	lo, hi := slices.Min(n), slices.Max(n)
	v := s.variance()
	sum := n.fold(0, func(x, y float64) float64 { return x + y })
	return []any{lo, slices.Index(s, lo), hi, slices.Index(s, hi), s.mean(), math.Sqrt(v), v, sum, len(s)}
}

// dot is the dot product: the longer series is cut to the length of the shorter one, and what is no
// number counts nothing. That of nothing is null.
func dot(x, y series) float64 {
	if len(x) == 0 || len(y) == 0 {
		return math.NaN()
	}
	var sum float64
	for i := range min(len(x), len(y)) {
		if v := x[i] * y[i]; !math.IsNaN(v) {
			sum += v
		}
	}
	return sum
}

func cosine(a seriesArgs) any {
	x, y := a.series(0), a.series(1)
	n := min(len(x), len(y))
	x, y = x[:n], y[:n]
	return dot(x, y) / math.Sqrt(dot(x, x)*dot(y, y))
}

func pearson(x, y series) float64 {
	if len(x) != len(y) || len(x) < 2 {
		return math.NaN()
	}
	mx, my := x.mean(), y.mean()
	var xy, xx, yy float64
	for i := range x {
		xy += (x[i] - mx) * (y[i] - my)
		xx += (x[i] - mx) * (x[i] - mx)
		yy += (y[i] - my) * (y[i] - my)
	}
	return xy / math.Sqrt(xx*yy)
}
