package kql

// scalarFunctions joins the lists of scalar functions.
func scalarFunctions() []function { return nil }

// aggregateFunctions joins the lists of aggregates.
func aggregateFunctions() []function { return nil }
