package kql

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
)

// series is an array of numbers; NaN stands for what is null or no number.
type series []float64

// MarshalJSON writes a series with null for what is no number.
func (s series) MarshalJSON() ([]byte, error) {
	out := make([]any, len(s))
	for i, v := range s {
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			out[i] = v
		}
	}
	return json.Marshal(out)
}

// seriesArgs are the arguments of a series function as they came in JSON.
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
		f, ok := v.(float64)
		if !ok {
			f = math.NaN()
		}
		s[j] = f
	}
	return s
}

// operand is series(i), or the number that argument i is, as often as the other
// operand has elements.
func (a seriesArgs) operand(i int) series {
	if i < len(a) {
		if v, ok := a[i].(float64); ok {
			return slices.Repeat(series{v}, len(a.series(1-i)))
		}
	}
	return a.series(i)
}

// num returns argument i, a number, or what stands for it when it is not given.
func (a seriesArgs) num(i int, otherwise float64) float64 {
	if i < len(a) {
		if f, ok := a[i].(float64); ok {
			return f
		}
	}
	return otherwise
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
		if !ok || json.Unmarshal([]byte(a[1]), &args) != nil || len(args) == 0 {
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
		"series_fill_forward":        func(a seriesArgs) any { return carry(a.series(0), fillMissing(a, 1), 1) },
		"series_fill_backward":       func(a seriesArgs) any { return carry(a.series(0), fillMissing(a, 1), -1) },
		"series_fill_linear":         fillLinear,
		"series_sum":                 func(a seriesArgs) any { return a.series(0).fold(0, func(x, y float64) float64 { return x + y }) },
		"series_product":             func(a seriesArgs) any { return a.series(0).fold(1, func(x, y float64) float64 { return x * y }) },
		"series_dot_product":         func(a seriesArgs) any { return dot(a.operand(0), a.operand(1)) },
		"series_magnitude":           func(a seriesArgs) any { return math.Sqrt(dot(a.series(0), a.series(0))) },
		"series_cosine_similarity":   cosine,
		"series_pearson_correlation": func(a seriesArgs) any { return pearson(a.series(0), a.series(1)) },
		"series_stats":               func(a seriesArgs) any { return a.series(0).stats() },
		"series_fit_line":            func(a seriesArgs) any { return fitLine(a.series(0)).columns() },
		"series_fit_2lines":          func(a seriesArgs) any { return fitTwoLines(a.series(0)) },
		"series_fit_poly":            fitPoly,
		"series_fft":                 func(a seriesArgs) any { return fourier(a, false) },
		"series_ifft":                func(a seriesArgs) any { return fourier(a, true) },
		"series_fir":                 fir,
		"series_iir":                 iir,
		"series_outliers": func(a seriesArgs) any {
			return outliers(a.series(0), a.text(1, "ctukey"), a.num(3, 10), a.num(4, 90))
		},
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
		ops["series_"+name] = func(a seriesArgs) any {
			s := slices.Clone(a.series(0))
			for i := range s {
				s[i] = f(s[i])
			}
			return s
		}
	}
	for name, f := range seriesPairs() {
		ops["series_"+name] = func(a seriesArgs) any { return pairwise(a.operand(0), a.operand(1), f) }
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
func pairwise(x, y series, f func(x, y float64) any) any {
	if y == nil {
		return nil
	}
	out := make([]any, max(len(x), len(y)))
	for i := range min(len(x), len(y)) {
		if math.IsNaN(x[i]) || math.IsNaN(y[i]) {
			continue
		}
		v := f(x[i], y[i])
		if n, ok := v.(float64); !ok || !math.IsNaN(n) && !math.IsInf(n, 0) {
			out[i] = v
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

// stats gives min, its index, max, its index, mean, deviation and variance.
func (s series) stats() any {
	n := s.numbers()
	if len(n) == 0 {
		return nil
	}
	lo, hi := slices.Min(n), slices.Max(n)
	v := s.variance()
	return []any{lo, slices.Index(s, lo), hi, slices.Index(s, hi), s.mean(), math.Sqrt(v), v}
}

func dot(x, y series) float64 {
	if len(x) != len(y) {
		return math.NaN()
	}
	var sum float64
	for i := range x {
		sum += x[i] * y[i]
	}
	return sum
}

func cosine(a seriesArgs) any {
	x, y := a.series(0), a.series(1)
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

// fillMissing reports which values count as missing: null, or the one given.
func fillMissing(a seriesArgs, i int) func(v float64) bool {
	m := a.num(i, math.NaN())
	return func(v float64) bool { return math.IsNaN(v) || v == m }
}

func fillConst(a seriesArgs) any {
	missing, c := fillMissing(a, 2), a.num(1, 0)
	s := slices.Clone(a.series(0))
	for i := range s {
		if missing(s[i]) {
			s[i] = c
		}
	}
	return s
}

// carry gives what is missing the last value seen in direction dir.
func carry(s series, missing func(float64) bool, dir int) any {
	s = slices.Clone(s)
	last := math.NaN()
	for k := range s {
		i := k
		if dir < 0 {
			i = len(s) - 1 - k
		}
		if missing(s[i]) {
			s[i] = last
			if math.IsNaN(last) {
				continue
			}
		}
		last = s[i]
	}
	return s
}

// fillLinear draws a line between the neighbours of what is missing; the edges
// take the nearest value unless argument 3 says otherwise.
func fillLinear(a seriesArgs) any {
	missing, edges := fillMissing(a, 1), a.flag(2, true)
	s := slices.Clone(a.series(0))
	last := -1
	for i := range s {
		if missing(s[i]) {
			s[i] = math.NaN()
			continue
		}
		for j := last + 1; j < i; j++ {
			switch {
			case last >= 0:
				s[j] = s[last] + (s[i]-s[last])*float64(j-last)/float64(i-last)
			case edges:
				s[j] = s[i]
			}
		}
		last = i
	}
	for j := last + 1; j < len(s) && last >= 0 && edges; j++ {
		s[j] = s[last]
	}
	if last < 0 && len(a) > 3 {
		for j := range s {
			s[j] = a.num(3, 0)
		}
	}
	return s
}
