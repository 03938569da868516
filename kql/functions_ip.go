package kql

// ipFunctions are the functions over IP addresses.
func ipFunctions() []function { return nil }
