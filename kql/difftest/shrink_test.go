package difftest

import (
	"fmt"
	"reflect"
	"strings"

	"picket/kql/syntax"
)

// String is the trial as one query that can be run anywhere.
func (t trial) String() string {
	var b strings.Builder
	for i, r := range t.tables {
		if name := tableName(i); strings.Contains(t.src, name) {
			fmt.Fprintf(&b, "let %s = %s;\n", name, datatable(r))
		}
	}
	return b.String() + t.src
}

// shrinkSteps bounds the work for one failure.
const shrinkSteps = 600

// shrink makes a failing trial smaller as long as it fails in the same way.
func shrink(db *engine, t trial, v verdict) (trial, verdict) {
	steps := 0
	try := func(c trial) bool {
		if steps++; steps > shrinkSteps {
			return false
		}
		got := judge(db, db.store(c.tables), c)
		if got.kind != v.kind || message(got) != message(v) {
			return false
		}
		t, v = c, got
		return true
	}
	for again := true; again && steps < shrinkSteps; {
		again = false
		for i := 0; i < edits(t.src); i++ {
			if src, ok := edited(t.src, i); ok && len(src) < len(t.src) && try(trial{src, t.tables}) {
				again = true
				i--
			}
		}
		for i, r := range t.tables {
			for j := 0; j < len(r.rows); j++ {
				if try(trial{t.src, without(t.tables, i, j)}) {
					r = t.tables[i]
					again = true
					j--
				}
			}
		}
	}
	return t, v
}

// message is what the smaller trial must say too: the first line of an error,
// without its place in the query.
func message(v verdict) string {
	if v.kind == "rows" || v.kind == "columns" {
		return ""
	}
	line, _, _ := strings.Cut(v.detail, "\n")
	if _, after, ok := strings.Cut(line, ": "); ok {
		return after
	}
	return line
}

func without(tables []*relation, i, row int) []*relation {
	out := append([]*relation(nil), tables...)
	r := *out[i]
	r.rows = append(append([][]any(nil), r.rows[:row]...), r.rows[row+1:]...)
	out[i] = &r
	return out
}

// edits counts the places where a query can be made smaller: elements of a
// list that may go, and expressions that one of their parts may replace.
func edits(src string) int {
	n := 0
	walkEdits(src, func(func()) { n++ })
	return n
}

// edited applies edit i.
func edited(src string, i int) (string, bool) {
	n := 0
	out := ""
	q := walkEdits(src, func(do func()) {
		if n == i {
			do()
		}
		n++
	})
	if q == nil {
		return "", false
	}
	func() {
		defer func() {
			if recover() != nil {
				out = ""
			}
		}()
		out = syntax.Print(q)
	}()
	return out, out != ""
}

// walkEdits parses src and calls f with each edit of its tree.
func walkEdits(src string, f func(do func())) *syntax.Query {
	q, diags := syntax.Parse(src)
	if len(diags) > 0 {
		return nil
	}
	walkValue(reflect.ValueOf(q), f)
	return q
}

var exprType = reflect.TypeFor[syntax.Expr]()

func walkValue(v reflect.Value, f func(do func())) {
	switch v.Kind() {
	case reflect.Interface:
		if v.IsNil() {
			return
		}
		if v.Type() == exprType && v.CanSet() {
			for _, part := range parts(v.Elem().Elem()) {
				f(func() { v.Set(part) })
			}
		}
		walkValue(v.Elem(), f)
	case reflect.Pointer:
		if !v.IsNil() {
			walkValue(v.Elem(), f)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				walkValue(v.Field(i), f)
			}
		}
	case reflect.Slice:
		if v.CanSet() {
			for i := range v.Len() {
				f(func() {
					v.Set(reflect.AppendSlice(reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()), v.Slice(0, i)), v.Slice(i+1, v.Len())))
				})
			}
		}
		for i := range v.Len() {
			walkValue(v.Index(i), f)
		}
	}
}

// parts are the expressions directly below an expression.
func parts(v reflect.Value) []reflect.Value {
	var out []reflect.Value
	if v.Kind() != reflect.Struct {
		return nil
	}
	for i := range v.NumField() {
		x := v.Field(i)
		if !v.Type().Field(i).IsExported() {
			continue
		}
		if x.Type() == exprType && !x.IsNil() {
			out = append(out, x)
		}
		if x.Kind() == reflect.Slice && x.Type().Elem() == exprType {
			for j := range x.Len() {
				out = append(out, x.Index(j))
			}
		}
	}
	return out
}
