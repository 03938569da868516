package kql

import (
	"strconv"

	"picket/kql/syntax"
)

// looseTable makes a relation take names that are none of its columns. There are
// such only with [Options.Open]. A name of an undeclared table is as good as any
// other; one that a declared table lacks is told in a warning.
type looseTable struct {
	name     string // of the declared table, "" where there are several
	declared bool
}

// looseOf is what a relation made of several is.
func looseOf(list ...*relation) *looseTable {
	var out *looseTable
	for _, r := range list {
		switch {
		case r == nil || r.loose == nil:
		case out == nil:
			out = r.loose
		case !r.loose.declared || !out.declared:
			out = &looseTable{}
		case r.loose.name != out.name:
			out = &looseTable{declared: true}
		}
	}
	return out
}

// warn tells what Options.Open has let pass.
func (b *binder) warn(span syntax.Span, code, hint, msg string) {
	if b.diagnosed(span, msg) {
		return
	}
	b.warnings = append(b.warnings, diagnostic(span, code, hint, msg))
}

// looseColumn is the column of that name that l takes on trust. Its type is
// Unknown, which fits wherever it is used.
func (b *binder) looseColumn(n *syntax.Name, l *looseTable, cols []column) (column, bool) {
	if l == nil {
		return column{}, false
	}
	if l.declared {
		names := make([]string, len(cols))
		for i, c := range cols {
			names[i] = c.name
		}
		what := "the tables have"
		if l.name != "" {
			what = "table " + l.name + " has"
		}
		b.warn(n.Span(), codeName, didYouMean(n.Text, names), what+" no column named "+strconv.Quote(n.Text))
	}
	return column{name: n.Text, id: n.Text}, true
}

// undeclared is a table that nobody declared, with any columns.
func (b *binder) undeclared(n syntax.Node, name string) *relation {
	if !b.told[name] {
		if b.told == nil {
			b.told = map[string]bool{}
		}
		b.told[name] = true
		b.warn(n.Span(), codeName, didYouMean(name, b.cat.Tables()), "table "+name+" is not declared: its columns are taken as they are named")
	}
	r := b.empty(nil)
	r.table, r.loose = name, &looseTable{}
	return r
}

// undeclaredCall is a call of a function that nobody declared: a table with any
// columns where one is needed, else a value of any type.
func (b *binder) undeclaredCall(x *syntax.Call, c *ctx) value {
	b.warn(x.Func.Span(), codeFunction, didYouMean(x.Func.Text, functionNames(c.env)), "function "+x.Func.Text+"() is not declared: its result is taken as it is used")
	for _, a := range x.Args {
		if n, ok := a.(*syntax.NamedExpr); ok {
			a = n.X
		}
		if w, ok := a.(*syntax.Wildcard); !ok || w.Pattern != "*" {
			b.any(a, c)
		}
	}
	e := unknown()
	return value{scalar: &e}
}

// anything is a table with any columns, for a value in whose place a table is needed.
func (b *binder) anything() *relation {
	r := b.empty(nil)
	r.loose = &looseTable{}
	return r
}

// resultType is the type of a call of f some of whose arguments have an unknown
// type: what all signatures that the arguments may fit agree on.
func (f *function) resultType(args []expr) (Type, error) {
	t, found := Unknown, false
	for i := range f.sigs {
		s := &f.sigs[i]
		conv, ok := s.fit(args, false)
		if !ok {
			continue
		}
		r := s.result
		if r == Unknown && s.resultOf != nil {
			r = s.resultOf(conv)
		}
		if found && r != t {
			return Unknown, nil
		}
		t, found = r, true
	}
	if !found {
		return Unknown, f.mismatch(args)
	}
	return t, nil
}

func anyUnknown(args []expr) bool {
	for _, a := range args {
		if a.typ == Unknown {
			return true
		}
	}
	return false
}
