package kql

import (
	"strconv"
	"strings"

	"picket/kql/syntax"
)

// resultName is the column name that x implies, as Kusto derives it, or "" when
// it implies none: names stand for themselves, d.a and d["a"] give d_a, and
// some functions pass their argument's name on.
func resultName(x syntax.Expr) string {
	switch x := x.(type) {
	case *syntax.Paren:
		return resultName(x.X)
	case *syntax.Name:
		return x.Text
	case *syntax.NamedExpr:
		if len(x.Names) > 0 {
			return x.Names[0].Text
		}
	case *syntax.Path:
		if n, ok := x.X.(*syntax.Name); ok && strings.HasPrefix(n.Text, "$") {
			return resultName(x.Name)
		}
		return joinNames(resultName(x.X), resultName(x.Name))
	case *syntax.Index:
		if l, ok := x.Index.(*syntax.Literal); ok {
			return joinNames(resultName(x.X), l.Text)
		}
		if n := resultName(x.X); n != "" {
			return n + "_" // what is computed is no part of it
		}
	case *syntax.Call:
		return callName(x)
	}
	return ""
}

func joinNames(l, r string) string {
	switch {
	case l == "":
		return r
	case r == "":
		return l
	}
	return l + "_" + r
}

// callName is the name a call implies: sum(x) is sum_x, round(sum(x)) is too.
func callName(x *syntax.Call) string {
	if x.Func == nil {
		return ""
	}
	if f, ok := lookupAggregate(x.Func.Text); ok && f.columns == nil {
		if _, scalar := lookupScalar(x.Func.Text); !scalar {
			return f.autoName(&call{names: argNames(x)})
		}
	}
	rule := nameRules[x.Func.Text]
	if rule.kind == nameFixed {
		return rule.text
	}
	if len(x.Args) == 0 {
		return ""
	}
	switch rule.kind {
	case nameOfOnly:
		if len(x.Args) == 1 {
			return resultName(x.Args[0])
		}
	case nameOfFirst:
		if a, ok := x.Args[0].(*syntax.Call); ok && a.Func != nil && nameRules[a.Func.Text].kind == nameOfValue {
			return "" // the name of column_ifexists() is not passed on
		}
		return resultName(x.Args[0])
	case nameWithFirst:
		return rule.text + "_" + resultName(x.Args[0])
	case nameOfValue:
		if l, ok := x.Args[0].(*syntax.Literal); ok {
			return l.Text
		}
	}
	return ""
}

type nameKind int

const (
	noName        nameKind = iota
	nameOfOnly             // f(x) is x
	nameOfFirst            // f(x, …) is x
	nameWithFirst          // f(x, …) is text_x
	nameFixed              // f(…) is text
	nameOfValue            // f("x", …) is x
)

type nameRule struct {
	kind nameKind
	text string
}

// nameRules are the scalar functions whose result has a name of its own, as
// Microsoft's binder has it (TestNameRules compares).
var nameRules = func() map[string]nameRule {
	rules := map[string]nameRule{
		"make_datetime": {kind: nameOfOnly}, "make_timespan": {kind: nameOfOnly},
		"strlen": {nameWithFirst, "strlen"}, "string_size": {nameWithFirst, "string_size"},
		"percentile_tdigest": {nameWithFirst, "percentile_tdigest"}, "percentiles_array_tdigest": {nameWithFirst, "percentile_tdigest"},
		"dcount_hll": {nameWithFirst, "dcount_hll"}, "gettype": {nameWithFirst, "type"}, "treepath": {nameWithFirst, "tree"}, "repeat": {nameWithFirst, "repeat"},
		"tdigest_merge": {nameFixed, "tdigests_merge_result"}, "merge_tdigest": {nameFixed, "tdigests_merge_result"}, "hll_merge": {nameFixed, "hll_merged_result"},
		"ingestion_time":  {nameFixed, "$IngestionTime"},
		"column_ifexists": {kind: nameOfValue}, "columnifexists": {kind: nameOfValue},
	}
	for _, f := range strings.Fields(`
		tostring tohex todynamic toobject tolong toint toreal todouble todatetime totimespan totime tobool toboolean todecimal toguid
		split parse_csv parsejson parse_json parse_xml format_datetime format_timespan format_bytes
		startofday bin floor bin_at bin_auto round ceiling abs pow sqrt log log2 log10 exp exp2 exp10 rand gamma loggamma erf erfc
		cos sin tan acos asin atan atan2
		binary_and binary_or binary_xor binary_not binary_shift_right binary_shift_left bitset_count_ones
		series_fir series_outliers series_iir series_fill_backward series_fill_forward series_fill_const series_fill_linear`) {
		rules[f] = nameRule{kind: nameOfFirst}
	}
	return rules
}()

// namer gives the columns of a projection their names: explicit ones as they
// are, implied ones made unique, and Column1, Column2, … for the rest.
type namer struct {
	taken map[string]bool
	avoid map[string]bool // numbered names the input has already
	n     int
}

func newNamer() *namer { return &namer{taken: map[string]bool{}} }

// take claims name, made unique.
func (m *namer) take(name string) string {
	name = uniqueName(name, func(s string) bool { return m.taken[s] })
	m.taken[name] = true
	return name
}

// auto claims the name that x implies, or the next Column number.
func (m *namer) auto(x syntax.Expr) string {
	if n := resultName(x); n != "" {
		return m.take(n)
	}
	return m.next()
}

// autoOf is auto for x that is bound as e.
func (m *namer) autoOf(x syntax.Expr, e expr) string {
	if e.unnamed {
		return m.next()
	}
	return m.auto(x)
}

func (m *namer) next() string {
	for {
		m.n++
		if s := "Column" + strconv.Itoa(m.n); !m.taken[s] && !m.avoid[s] {
			m.taken[s] = true
			return s
		}
	}
}

// explicitName returns the name x = … gives, and the expression behind it.
func explicitName(x syntax.Expr) (string, syntax.Expr) {
	if n, ok := x.(*syntax.NamedExpr); ok && len(n.Names) > 0 {
		return n.Names[0].Text, n.X
	}
	return "", x
}

// namedOnce reports columns that the lists of an operator name a second time. A
// name that is only implied is made unique instead.
func (b *binder) namedOnce(lists ...[]syntax.Expr) {
	seen := map[string]int{}
	for _, list := range lists {
		for _, x := range list {
			names := []*syntax.Name{}
			switch x := x.(type) {
			case *syntax.NamedExpr:
				names = x.Names
			case *syntax.Name:
				names = append(names, x)
			}
			for _, n := range names {
				if seen[n.Text]++; seen[n.Text] == 2 { // once is enough
					b.report(n.Span(), "SEM0029", "give one of them another name", "there is a column named "+strconv.Quote(n.Text)+" here already")
				}
			}
		}
	}
}
