package kql

import (
	"math"
	"strings"

	"picket/kql/syntax"
)

// KQL's long arithmetic wraps around, as the machine's does; DuckDB's is an error
// that ends the query. Where the operands cannot be that large nothing is done.

// smallResults are functions whose numbers are small: lengths, counts within one
// value, parts of a date.
var smallResults = map[string]bool{
	"strlen": true, "string_size": true, "array_length": true, "countof": true, "indexof": true, "array_index_of": true,
	"dayofmonth": true, "dayofyear": true, "getyear": true, "monthofyear": true, "getmonth": true, "hourofday": true, "week_of_year": true,
	"weekofyear": true, "datetime_part": true, "bag_size": true, "parse_ipv4": true, "sign": true, "row_number": true,
}

// smallAggregates count rows or values.
var smallAggregates = map[string]bool{"count": true, "countif": true, "count_distinct": true, "count_distinctif": true, "dcount": true, "dcountif": true}

const smallBound = 1 << 40

// boundOf returns what the absolute value of l op r cannot exceed, or 0 when
// that may be more than a long holds.
func boundOf(op syntax.Kind, l, r expr) int64 {
	x, y := absBound(l), absBound(r)
	if x == 0 || y == 0 {
		return 0
	}
	switch op {
	case syntax.ADD, syntax.SUB:
		if x <= math.MaxInt64-y {
			return x + y
		}
	case syntax.MUL:
		if x <= math.MaxInt64/y {
			return x * y
		}
	}
	return 0
}

// absBound is the bound of one operand, at least 1, or 0 when it has none.
func absBound(e expr) int64 {
	switch v, ok := e.lit.(int64); {
	case ok && v == math.MinInt64:
		return 0
	case ok:
		return max(v, -v, 1)
	case e.typ == Int:
		return 1 << 31
	case e.typ == DateTime && e.bound == 0:
		return MaxDateTime
	}
	return e.bound
}

// wrapping is l sign r for operands of any size, computed in 128 bits. Of two
// columns or constants the plain operation is tried first, which costs next to
// nothing. Not so of larger operands: DuckDB computes what two expressions have
// in common before either, so also outside of the TRY in which it may fail.
func wrapping(l, r expr, sign string) string {
	huge := wrapSQL("(" + l.sql + ")::HUGEINT " + sign + " (" + r.sql + ")::HUGEINT")
	if !l.simple() || !r.simple() {
		return huge
	}
	return "coalesce(TRY(" + l.sql + " " + sign + " " + r.sql + "), " + huge + ")"
}

// ticksOrNull is l sign r for ticks that may leave the range of 64 bits: null
// then, for KQL knows no such point or span of time.
func ticksOrNull(l, r expr, sign string) string {
	return "TRY_CAST((" + l.sql + ")::HUGEINT " + sign + " (" + r.sql + ")::HUGEINT AS BIGINT)"
}

// decimalProduct is exact as long as DuckDB can hold all the digits, of which it
// keeps as many behind the point as both factors have; else as near as a double.
func decimalProduct(l, r expr) string {
	// By way of text the digits are the fewest that mean the double.
	near := func(l, r expr) string {
		return "TRY_CAST((" + l.sql + "::DOUBLE * " + r.sql + "::DOUBLE)::VARCHAR AS DECIMAL(38,16))"
	}
	if l.typ == Real || r.typ == Real {
		return near(l, r)
	}
	exact := func(e expr) string {
		if e.typ == Decimal {
			return e.sql
		}
		return e.sql + "::DECIMAL(19,0)"
	}
	sql := func(l, r expr) string {
		return "coalesce(TRY(" + exact(l) + " * " + exact(r) + ")::DECIMAL(38,16), " + near(l, r) + ")"
	}
	if !strings.Contains(l.sql+r.sql, "(SELECT ") {
		return sql(l, r)
	}
	bound, _ := bindArgs([]expr{l, r}, func(args []expr) (string, error) { return sql(args[0], args[1]), nil }) // TRY takes no subquery
	return bound
}

// wrapSQL brings a HUGEINT into the range of a long.
func wrapSQL(huge string) string {
	return "((((" + huge + " + 9223372036854775808::HUGEINT) & 18446744073709551615::HUGEINT) - 9223372036854775808::HUGEINT)::BIGINT)"
}
