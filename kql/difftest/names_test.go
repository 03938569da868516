package difftest

import (
	"fmt"
	"strconv"
	"strings"

	"picket/kql"
	"picket/kql/syntax"
)

// namer holds the names that a result has already.
type namer map[string]bool

// unique makes name unique by a number behind it.
func (m namer) unique(name string) string {
	out := name
	for i := 1; m[out]; i++ {
		out = name + strconv.Itoa(i)
	}
	m[out] = true
	return out
}

// projected is the name of a column of project: the one that is written, the
// one that the expression implies, or Column1, Column2, ….
func (m namer) projected(x syntax.Expr) string {
	if n, ok := x.(*syntax.NamedExpr); ok {
		return m.unique(n.Names[0].Text)
	}
	if n := implied(x); n != "" {
		return m.unique(n)
	}
	return m.numbered()
}

// extended is the same for extend, where an implied name replaces the column.
func (m namer) extended(x syntax.Expr) string {
	if n, ok := x.(*syntax.NamedExpr); ok {
		m[n.Names[0].Text] = true
		return n.Names[0].Text
	}
	if n := implied(x); n != "" {
		m[n] = true
		return n
	}
	return m.numbered()
}

func (m namer) numbered() string {
	for i := 1; ; i++ {
		if n := fmt.Sprintf("Column%d", i); !m[n] {
			m[n] = true
			return n
		}
	}
}

// implied is the name that an expression has of itself. The pages do not say it
// in one place: "extend operator" and "summarize operator" speak of "a name
// derived from the expression", their examples show these.
func implied(x syntax.Expr) string {
	switch x := x.(type) {
	case *syntax.Paren:
		return implied(x.X)
	case *syntax.Name:
		return x.Text
	case *syntax.Path:
		return implied(x.X) + "_" + implied(x.Name)
	case *syntax.Index:
		if l, ok := x.Index.(*syntax.Literal); ok {
			if n := implied(x.X); n != "" {
				return n + "_" + l.Text
			}
			return l.Text
		}
	case *syntax.Call:
		switch x.Func.Text {
		case "strlen", "string_size":
			return x.Func.Text + "_" + implied(x.Args[0])
		}
		if namedAfter[x.Func.Text] {
			return implied(x.Args[0])
		}
		if _, ok := aggregateTable[x.Func.Text]; ok {
			return aggregateName(x)
		}
	}
	return ""
}

// namedAfter are the functions whose result has the name of their first
// argument, as Microsoft's binder (@kusto/language-service-next) lists them.
var namedAfter = func() map[string]bool {
	m := map[string]bool{}
	for _, f := range strings.Fields(`tostring tohex todynamic tolong toint toreal todouble todatetime totimespan tobool todecimal toguid
		split parse_csv parse_json parse_xml format_datetime format_timespan format_bytes startofday bin floor bin_at round ceiling abs pow sqrt
		log log2 log10 exp exp2 exp10 rand gamma loggamma cos sin tan acos asin atan atan2
		binary_and binary_or binary_xor binary_not binary_shift_right binary_shift_left bitset_count_ones`) {
		m[f] = true
	}
	return m
}()

// aggregateName is the name of an aggregate's column: the function without
// make_, and the name of its argument.
func aggregateName(c *syntax.Call) string {
	f := strings.TrimPrefix(c.Func.Text, "make_")
	switch f {
	case "count":
		return f + "_"
	case "take_any", "take_anyif", "binary_all_and", "binary_all_or", "binary_all_xor":
		return implied(c.Args[0])
	case "list_if", "set_if", "bag_if":
		f = strings.TrimSuffix(f, "_if")
	}
	return f + "_" + implied(c.Args[0])
}

// rangeOp is range Name from A to B step C: page "range operator".
func (e *evaluator) rangeOp(op *syntax.RangeOp, in *lets) *relation {
	sc := &scope{lets: in}
	from, to, step := e.bind(op.From, sc), e.bind(op.To, sc), e.bind(op.Step, sc)
	r := &relation{cols: []kql.Column{{Name: op.Name.Text, Type: from.typ}}, limit: -1}
	if from.typ == kql.Int {
		r.cols[0].Type = kql.Long
	}
	lo, hi, st := from.eval(&at{}).(int64), to.eval(&at{}).(int64), step.eval(&at{}).(int64)
	for v := lo; st > 0 && v <= hi || st < 0 && v >= hi; v += st {
		r.rows = append(r.rows, []any{v})
	}
	return r
}

// datatable is a table written out: page "datatable operator".
func (e *evaluator) datatable(x *syntax.DataTable, in *lets) *relation {
	r := &relation{limit: -1}
	for _, c := range x.Schema {
		t, _ := kql.ParseType(c.Type.Text)
		r.cols = append(r.cols, kql.Column{Name: c.Name.Text, Type: t})
	}
	for i, v := range x.Values {
		c := i % len(r.cols)
		if c == 0 {
			r.rows = append(r.rows, nil)
		}
		b := e.convert(e.bind(v, &scope{lets: in}), r.cols[c].Type)
		r.rows[len(r.rows)-1] = append(r.rows[len(r.rows)-1], b.eval(&at{}))
	}
	return r
}

// convert makes a constant or an argument the type that is asked for, where the
// language does so by itself: among numbers, and anything to dynamic.
func (e *evaluator) convert(x expr, t kql.Type) expr {
	if x.typ == t || t == kql.Dynamic {
		x.typ = t
		return x
	}
	from := x.typ
	return expr{typ: t, lit: x.lit, eval: func(a *at) any {
		v := x.eval(a)
		if isNumber(from) && isNumber(t) && widest(from, t) == t {
			return widen(v, from, t)
		}
		if n, ok := v.(int64); ok && t == kql.Int && n == int64(int32(n)) {
			return v
		}
		if v == nil && t != kql.String {
			return nil
		}
		panic(fmt.Sprintf("no conversion from %s to %s", from, t))
	}}
}
