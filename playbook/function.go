package playbook

import (
	"fmt"
	"strings"
)

// refKind says what the first argument of a function names.
type refKind uint8

const (
	refNone refKind = iota
	refAction
	refScope // a scope or loop whose actions' results are wanted
	refLoop
	refVariable
	refParameter
	refItem     // takes no name: the current item
	refCallback // only a trigger's inputs may call it
)

// function is an entry of the function table: the only functions there are.
type function struct {
	name     string
	params   []kind
	min      int  // arguments required
	variadic bool // the last parameter may be repeated
	ret      kind
	ref      refKind

	// disguises: the result may hold a secret argument in another form, so it
	// becomes a secret itself.
	disguises bool

	call func(e *env, a []any) (any, error)
	lazy func(e *env, a []expr) (any, error) // instead of call: evaluates its own arguments
}

// param returns the type of the i-th argument.
func (f *function) param(i int) kind {
	if i >= len(f.params) {
		i = len(f.params) - 1
	}
	return f.params[i]
}

// arity says how many arguments f takes.
func (f *function) arity() string {
	n := len(f.params)
	switch {
	case f.variadic:
		return fmt.Sprintf("at least %d arguments", f.min)
	case f.min != n:
		return fmt.Sprintf("%d to %d arguments", f.min, n)
	case n == 0:
		return "no arguments"
	case n == 1:
		return "1 argument"
	}
	return fmt.Sprintf("%d arguments", n)
}

// functions is the table, by lower-case name. Names are not case-sensitive.
var functions = index(referenceFunctions, logicFunctions, textFunctions, collectionFunctions, numberFunctions, conversionFunctions, timeFunctions)

func index(tables ...[]function) map[string]*function {
	m := map[string]*function{}
	for _, t := range tables {
		for i := range t {
			m[strings.ToLower(t[i].name)] = &t[i]
		}
	}
	return m
}

func lookup(name string) *function { return functions[strings.ToLower(name)] }
