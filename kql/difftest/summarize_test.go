package difftest

import (
	"math"
	"math/big"
	"slices"

	"picket/kql"
	"picket/kql/syntax"
)

// summarize makes one row of each group: page "summarize operator". The groups'
// columns come first; without by there is one group, even of no rows.
func (e *evaluator) summarize(r *relation, op *syntax.SummarizeOp, in *lets) *relation {
	r.settled()
	sc := &scope{cols: r.cols, lets: in}
	out := &relation{limit: -1}
	m := namer{}
	var keys []expr
	byName := map[string]bool{}
	for _, x := range op.Groups {
		k := e.bind(x, sc)
		keys = append(keys, k)
		out.cols = append(out.cols, kql.Column{Name: m.projected(x), Type: k.typ})
		if n, ok := x.(*syntax.NamedExpr); ok {
			x = n.X
		}
		if n, ok := x.(*syntax.Name); ok {
			byName[n.Text] = true
		}
	}
	groups := grouped(r, keys)
	if len(keys) == 0 && len(groups) == 0 {
		groups = []group{{}}
	}
	sc.agg = true
	var aggs []expr
	for _, x := range op.Aggs {
		for _, c := range e.aggregates(x, sc, byName) {
			aggs = append(aggs, c.expr)
			out.cols = append(out.cols, kql.Column{Name: m.unique(c.name), Type: c.typ})
		}
	}
	ordered := isSerial(r)
	for _, g := range groups {
		row := slices.Clone(g.key)
		for _, a := range aggs {
			row = append(row, a.eval(&at{rows: g.rows, ordered: ordered}))
		}
		out.rows = append(out.rows, row)
	}
	return out
}

type group struct {
	key  []any
	rows [][]any
}

// grouped divides the rows by the values of keys.
func grouped(r *relation, keys []expr) []group {
	var out []group
	at0 := map[string]int{}
	for i, row := range r.rows {
		var k []any
		for _, x := range keys {
			k = append(k, fixed(x.eval(&at{rows: r.rows, i: i})))
		}
		n, ok := at0[rowKey(k)]
		if !ok {
			n = len(out)
			at0[rowKey(k)] = n
			out = append(out, group{key: k})
		}
		out[n].rows = append(out[n].rows, row)
	}
	return out
}

// isSerial reports whether the order of r's rows is certain.
func isSerial(r *relation) (ok bool) {
	defer func() {
		if v := recover(); v != nil {
			if _, open := v.(unspecified); !open {
				panic(v)
			}
			ok = false
		}
	}()
	r.serial()
	return true
}

type namedExpr struct {
	name string
	expr
}

// aggregates binds one item of summarize; arg_max and its like give several columns.
func (e *evaluator) aggregates(x syntax.Expr, sc *scope, by map[string]bool) []namedExpr {
	name := ""
	if n, ok := x.(*syntax.NamedExpr); ok {
		name, x = n.Names[0].Text, n.X
	}
	if c, ok := x.(*syntax.Call); ok {
		switch c.Func.Text {
		case "arg_max", "arg_min":
			return e.extreme(c, sc, by, name)
		}
		if name == "" {
			name = aggregateName(c)
		}
	}
	if name == "" {
		name = implied(x)
	}
	return []namedExpr{{name, e.bind(x, sc)}}
}

// extreme is arg_max and arg_min: a row for which the first argument is
// greatest. Which one of several is left open, and so is a group of nulls.
func (e *evaluator) extreme(c *syntax.Call, sc *scope, by map[string]bool, name string) []namedExpr {
	inner := &scope{cols: sc.cols, lets: sc.lets}
	first := e.bind(c.Args[0], inner)
	if name == "" {
		name = implied(c.Args[0])
	}
	cols := []namedExpr{{name, first}}
	for _, a := range c.Args[1:] {
		if _, ok := a.(*syntax.Wildcard); !ok {
			cols = append(cols, namedExpr{implied(a), e.bind(a, inner)})
			continue
		}
		for i, col := range sc.cols {
			if !by[col.Name] && col.Name != implied(c.Args[0]) {
				cols = append(cols, namedExpr{col.Name, expr{typ: col.Type, eval: func(a *at) any { return a.row()[i] }}})
			}
		}
	}
	sign := 1
	if c.Func.Text == "arg_min" {
		sign = -1
	}
	best := func(a *at) []int {
		var win []int
		for i := range a.rows {
			v := fixed(first.eval(&at{rows: a.rows, i: i}))
			if v == nil {
				continue
			}
			c := 1
			if len(win) > 0 {
				c = order(v, first.eval(&at{rows: a.rows, i: win[0]})) * sign
			}
			win = better(win, i, c)
		}
		return win
	}
	for k := range cols {
		eval := cols[k].eval
		typ := cols[k].typ
		cols[k].eval = func(a *at) any {
			win := best(a)
			if len(a.rows) == 0 {
				return blanks([]kql.Column{{Type: typ}})[0]
			}
			if len(win) == 0 {
				for i := range a.rows {
					win = append(win, i)
				}
			}
			var vals [][]any
			for _, i := range win {
				vals = append(vals, []any{eval(&at{rows: a.rows, i: i})})
			}
			return anyRow(vals)[0]
		}
	}
	return cols
}

func better(win []int, i, c int) []int {
	switch {
	case c > 0:
		return []int{i}
	case c == 0:
		return append(win, i)
	}
	return win
}

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
			mean += f / float64(len(vals))
		}
		for _, f := range fs {
			s += (f - mean) * (f - mean)
		}
		if root {
			return math.Sqrt(s / n)
		}
		return s / n
	}
}
