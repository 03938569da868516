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
		if u, ok := x.Index.(*syntax.Unary); ok && u.Op == syntax.SUB {
			if l, ok := u.X.(*syntax.Literal); ok {
				return joinNames(resultName(x.X), "-"+l.Text)
			}
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

// callName is the name a call of a scalar function implies.
func callName(x *syntax.Call) string {
	if x.Func == nil || len(x.Args) == 0 {
		return ""
	}
	switch nameRules[x.Func.Text] {
	case nameOfOnly:
		if len(x.Args) == 1 {
			return resultName(x.Args[0])
		}
	case nameOfFirst:
		return resultName(x.Args[0])
	case nameWithOnly:
		if len(x.Args) == 1 {
			return x.Func.Text + "_" + resultName(x.Args[0])
		}
	case nameWithFirst:
		return x.Func.Text + "_" + resultName(x.Args[0])
	case nameOfValue:
		if l, ok := x.Args[0].(*syntax.Literal); ok {
			return l.Text
		}
	}
	return ""
}

type nameRule int

const (
	noName        nameRule = iota
	nameOfOnly             // f(x) is x
	nameOfFirst            // f(x, …) is x
	nameWithOnly           // f(x) is f_x
	nameWithFirst          // f(x, …) is f_x
	nameOfValue            // f("x", …) is x
)

// nameRules are the scalar functions whose result has a name of its own.
var nameRules = map[string]nameRule{
	"tostring": nameOfOnly, "tolong": nameOfOnly, "toint": nameOfOnly, "toreal": nameOfOnly, "todouble": nameOfOnly,
	"tobool": nameOfOnly, "toboolean": nameOfOnly, "todatetime": nameOfOnly, "totimespan": nameOfOnly, "todecimal": nameOfOnly,
	"toguid": nameOfOnly, "todynamic": nameOfOnly, "parse_json": nameOfOnly, "toobject": nameOfOnly, "parsejson": nameOfOnly,
	"bin": nameOfFirst, "startofday": nameOfFirst, "endofday": nameOfFirst, "floor": nameOfFirst, "bin_at": nameOfFirst,
	"strlen": nameWithOnly, "percentile_tdigest": nameWithFirst, "column_ifexists": nameOfValue, "columnifexists": nameOfValue,
}

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
