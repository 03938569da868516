package difftest

import (
	"fmt"
	"strings"

	"picket/kql"
	"picket/kql/syntax"
)

// scalar is a function of the language, or one of its signatures. The
// generator calls what stands in these tables, and the evaluator answers it.
// The page is the one of the function's name.
type scalar struct {
	name  string
	args  string // a letter a parameter, see letters
	ret   kql.Type
	f     func(v []any) any
	nulls bool // f is called with nulls; otherwise a null argument gives null

	// gen has for each parameter the texts that the generator may write, divided
	// by blanks; "" stands for any expression of the type.
	gen []string
}

// letters are the types of parameters. x is any scalar.
var letters = map[rune]kql.Type{
	'b': kql.Bool, 'i': kql.Int, 'l': kql.Long, 'r': kql.Real, 'm': kql.Decimal, 's': kql.String, 't': kql.DateTime, 'p': kql.TimeSpan, 'd': kql.Dynamic, 'g': kql.Guid,
}

// allScalars joins the tables.
func allScalars() []scalar {
	var all []scalar
	for _, t := range [][]scalar{stringFunctions(), mathFunctions(), timeFunctions(), partFunctions(), arrayFunctions(), bagFunctions(), conversions()} {
		all = append(all, t...)
	}
	return all
}

var scalars = func() map[string][]scalar {
	m := map[string][]scalar{}
	for _, s := range allScalars() {
		m[s.name] = append(m[s.name], s)
	}
	return m
}()

// call binds the call of a function.
func (e *evaluator) call(x *syntax.Call, sc *scope) expr {
	name := x.Func.Text
	if l := sc.lets.find(name); l != nil && l.fn != nil {
		_, body := e.callLambda(l, x, sc)
		if body == nil {
			panic("a tabular function among scalars")
		}
		return e.lazy(l, x, sc, body)
	}
	if sc.agg {
		if a, ok := e.aggregate(x, sc); ok {
			return a
		}
	}
	if f := e.special(x, sc); f != nil {
		return *f
	}
	var args []expr
	for _, a := range x.Args {
		args = append(args, e.bind(a, sc))
	}
	for _, exact := range []bool{true, false} {
		for _, s := range scalars[name] {
			if conv, ok := e.fits(s, args, exact); ok {
				return apply(s, conv)
			}
		}
	}
	var types []string
	for _, a := range args {
		types = append(types, a.typ.String())
	}
	panic(fmt.Sprintf("no evaluation of %s(%s)", name, strings.Join(types, ", ")))
}

// lazy is the value of a scalar function of the query.
func (e *evaluator) lazy(l *lets, x *syntax.Call, sc *scope, body func(*at) (any, kql.Type)) expr {
	in := l.outer
	for i, p := range l.fn.Params {
		t, _ := kql.ParseType(p.Type.Text)
		c := constant(t, nil)
		if i < len(x.Args) && t == kql.String {
			c = constant(t, "")
		}
		in = &lets{name: p.Name.Text, scalar: &c, outer: in}
	}
	_, s := e.stmts(l.fn.Body, in)
	return expr{typ: s.typ, eval: func(a *at) any { v, _ := body(a); return v }}
}

// fits converts args to the parameters of s.
func (e *evaluator) fits(s scalar, args []expr, exact bool) ([]expr, bool) {
	if len(args) != len(s.args) {
		return nil, false
	}
	out := make([]expr, len(args))
	for i, p := range s.args {
		want, a := letters[p], args[i]
		switch {
		case p == 'x', a.typ == want:
			out[i] = a
		case !exact && isNumber(a.typ) && isNumber(want) && widest(a.typ, want) == want:
			out[i] = e.convert(a, want)
		default:
			return nil, false
		}
	}
	return out, true
}

func apply(s scalar, args []expr) expr {
	lit := true
	for _, a := range args {
		lit = lit && a.lit
	}
	return expr{typ: s.ret, lit: lit, eval: func(a *at) any {
		v := make([]any, len(args))
		for i, x := range args {
			v[i] = x.eval(a)
			if s.args[i] != 'd' {
				v[i] = fixed(v[i])
			}
			if v[i] == nil && !s.nulls {
				if s.args[i] == 'd' && s.name != "array_length" {
					silent("%s of null", s.name)
				}
				if s.ret == kql.String {
					return ""
				}
				return nil
			}
			if s.args[i] == 'x' {
				v[i] = typed{v[i], x.typ}
			}
		}
		return s.f(v)
	}}
}

// special binds the functions whose type depends on their arguments.
func (e *evaluator) special(x *syntax.Call, sc *scope) *expr {
	var args []expr
	bind := func() {
		for _, a := range x.Args {
			args = append(args, e.bind(a, sc))
		}
	}
	var out expr
	switch x.Func.Text {
	case "toscalar":
		r := e.tabular(x.Args[0], sc.lets).settled()
		out = constant(r.cols[0].Type, nil)
		if len(r.rows) > 1 {
			silent("toscalar of several rows")
		}
		if len(r.rows) == 0 {
			out = constant(out.typ, blanks(r.cols)[0])
		} else {
			out = constant(out.typ, r.rows[0][0])
		}
	case "iff", "iif":
		bind()
		out = expr{typ: args[1].typ, eval: func(a *at) any {
			if truth(args[0].eval(a)) { // else otherwise, also for null
				return args[1].eval(a)
			}
			return args[2].eval(a)
		}}
	case "case":
		bind()
		out = expr{typ: args[1].typ, eval: func(a *at) any {
			for i := 0; i+1 < len(args); i += 2 {
				if truth(args[i].eval(a)) {
					return args[i+1].eval(a)
				}
			}
			return args[len(args)-1].eval(a)
		}}
	case "coalesce":
		bind()
		out = expr{typ: args[0].typ, eval: func(a *at) any {
			for _, x := range args {
				if v := fixed(x.eval(a)); v != nil && v != "" {
					return v
				}
			}
			return blanks([]kql.Column{{Type: args[0].typ}})[0]
		}}
	case "not":
		bind()
		out = expr{typ: kql.Bool, eval: func(a *at) any {
			if v := fixed(args[0].eval(a)); v != nil {
				return v == false
			}
			return nil
		}}
	case "strcat", "pack_array", "bag_pack", "strcat_delim":
		bind()
		out = variadic(x.Func.Text, args)
	case "min_of", "max_of":
		bind()
		out = extremeArg(e, args, x.Func.Text == "max_of")
	case "prev", "next", "row_number", "row_cumsum", "row_rank_dense", "row_rank_min":
		bind()
		out = e.window(x.Func.Text, args)
	case "now":
		out = constant(kql.DateTime, e.now)
	case "ago":
		bind()
		return ptr(e.arith(syntax.SUB, constant(kql.DateTime, e.now), args[0]))
	default:
		return nil
	}
	return &out
}

func ptr[T any](v T) *T { return &v }

// variadic are the functions that take any number of arguments.
func variadic(name string, args []expr) expr {
	switch name {
	case "strcat", "strcat_delim":
		return expr{typ: kql.String, eval: func(a *at) any {
			var parts []string
			for _, x := range args {
				parts = append(parts, textOf(x.eval(a), x.typ))
			}
			if name == "strcat" {
				return strings.Join(parts, "")
			}
			return strings.Join(parts[1:], parts[0])
		}}
	case "pack_array":
		return expr{typ: kql.Dynamic, eval: func(a *at) any {
			list := []any{}
			for _, x := range args {
				list = append(list, dynamicOf(fixed(x.eval(a)), x.typ))
			}
			return list
		}}
	}
	return expr{typ: kql.Dynamic, eval: func(a *at) any {
		b := bag{}
		for i := 0; i+1 < len(args); i += 2 {
			k := args[i].eval(a).(string)
			if _, ok := b[k]; ok {
				silent("a key twice")
			}
			b[k] = dynamicOf(fixed(args[i+1].eval(a)), args[i+1].typ)
		}
		return b
	}}
}

// extremeArg is min_of and max_of; what null means for them the pages show for
// all or none only.
func extremeArg(e *evaluator, args []expr, greatest bool) expr {
	t := args[0].typ
	for _, x := range args[1:] {
		if x.typ != t {
			t = widest(t, x.typ)
		}
	}
	for i := range args {
		args[i] = e.convert(args[i], t)
	}
	return expr{typ: t, eval: func(a *at) any {
		var best any
		for _, x := range args {
			v := fixed(x.eval(a))
			if v == nil {
				silent("extreme of null")
			}
			if best == nil || (order(v, best) > 0) == greatest {
				best = v
			}
		}
		return best
	}}
}

// window are the functions of the page "Window functions", over serialised rows.
func (e *evaluator) window(name string, args []expr) expr {
	if name == "row_number" {
		return expr{typ: kql.Long, eval: func(a *at) any {
			start := int64(1)
			if len(args) > 0 {
				start = args[0].eval(a).(int64)
			}
			return start + int64(a.i)
		}}
	}
	x := args[0]
	switch name {
	case "prev", "next":
		return expr{typ: x.typ, eval: func(a *at) any {
			step := 1
			if len(args) > 1 {
				step = int(args[1].eval(a).(int64))
			}
			if name == "prev" {
				step = -step
			}
			if j := a.i + step; j >= 0 && j < len(a.rows) {
				return x.eval(&at{rows: a.rows, i: j})
			}
			if len(args) > 2 {
				return args[2].eval(a)
			}
			return blanks([]kql.Column{{Type: x.typ}})[0]
		}}
	case "row_cumsum":
		return expr{typ: x.typ, eval: func(a *at) any {
			var vals []any
			for i := 0; i <= a.i; i++ {
				v := fixed(x.eval(&at{rows: a.rows, i: i}))
				if v == nil {
					silent("row_cumsum over null")
				}
				vals = append(vals, v)
			}
			s := sum(vals, x.typ, true)
			if n, ok := s.(int64); ok && x.typ == kql.Int && n != int64(int32(n)) {
				silent("overflow of an int")
			}
			return s
		}}
	}
	return expr{typ: kql.Long, eval: func(a *at) any {
		rank, last, dense := int64(1), fixed(x.eval(&at{rows: a.rows})), name == "row_rank_dense"
		for i := 1; i <= a.i; i++ {
			v := fixed(x.eval(&at{rows: a.rows, i: i}))
			if key(v) != key(last) {
				if dense {
					rank++
				} else {
					rank = int64(i) + 1
				}
			}
			last = v
		}
		return rank
	}}
}
