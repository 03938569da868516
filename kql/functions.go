package kql

import "sync"

// functionTable is built once from the lists of functions_*.go and aggregates*.go.
var functionTable = sync.OnceValues(func() (scalars, aggregates map[string]*function) {
	scalars, aggregates = map[string]*function{}, map[string]*function{}
	for _, f := range scalarFunctions() {
		scalars[f.name] = &f
	}
	for _, f := range aggregateFunctions() {
		aggregates[f.name] = &f
	}
	return scalars, aggregates
})

// lookupScalar returns the scalar function of that name.
func lookupScalar(name string) (*function, bool) {
	s, _ := functionTable()
	f, ok := s[name]
	return f, ok
}

// lookupAggregate returns the aggregate of that name.
func lookupAggregate(name string) (*function, bool) {
	_, a := functionTable()
	f, ok := a[name]
	return f, ok
}
