package kql

import (
	"slices"
	"strings"
)

// parse_version() yields numbers of 32 digits before the point, and DECIMAL(38,16)
// has 22. So what it yields is divided by 10^16 and marked (expr.scaled,
// column.scaled). Scaled values compare and sort among themselves as they are;
// where one leaves as text or another number, it is multiplied.

// keepsScale are the scalar functions whose result is one of their arguments.
var keepsScale = [...]string{"parse_version", "iff", "iif", "case", "coalesce", "max_of", "min_of", "prev", "next"}

// wholeSQL is the SQL of a scaled value multiplied: DECIMAL(38,16) is written with
// all of its 16 digits behind the point.
func wholeSQL(sql string) string { return "replace(" + sql + "::VARCHAR, '.', '')::DECIMAL(38,0)" }

// unscaled is e as an ordinary value; null where a scaled one is too large.
func (e expr) unscaled() expr {
	if e.scaled {
		e.sql, e.scaled = "TRY_CAST("+wholeSQL(e.sql)+" AS DECIMAL(38,16))", false
	}
	return e
}

// allScaled reports whether there are decimals in list, and all are scaled.
func allScaled(list []expr) bool {
	decimal := func(e expr) bool { return e.typ == Decimal }
	return slices.ContainsFunc(list, decimal) && !slices.ContainsFunc(list, func(e expr) bool { return decimal(e) && !e.scaled })
}

// scaleArgs makes args of a function of one kind, and reports whether its result,
// if a decimal, is scaled.
func scaleArgs(name string, args []expr) bool {
	switch {
	case name == "parse_version":
		return true
	case slices.Contains(keepsScale[:], name) && allScaled(args):
		return true
	case slices.Contains(keepsScale[:], name) || name == "abs" || name == "round" || name == "bin" || name == "floor" || name == "ceiling":
		for i := range args {
			args[i] = args[i].unscaled()
		}
	}
	return false
}

// realAggregate reports whether an aggregate's result is a real whatever it is
// given, or holds many values.
func realAggregate(name string) bool {
	for _, stem := range [...]string{"percentile", "stdev", "variance", "tdigest", "hll"} {
		if strings.HasPrefix(name, stem) {
			return true
		}
	}
	return false
}

// comparableScale brings a scaled value and a plain number to doubles.
func comparableScale(l, r expr) (expr, expr) {
	double := func(e expr) expr {
		if e.scaled {
			e.sql = wholeSQL(e.sql)
		}
		return expr{sql: "(" + e.sql + ")::DOUBLE", typ: Real, window: e.window}
	}
	if l.scaled && r.typ != Decimal || r.scaled && l.typ != Decimal {
		return double(l), double(r)
	}
	return l, r
}
