package kql

import (
	"math"
	"strconv"
	"strings"
)

// quoteString writes s as an SQL string literal. It is the one place where a
// string of a query becomes SQL. DuckDB's literals cannot hold a NUL byte, so
// such a string is put together with chr(0).
func quoteString(s string) string {
	if !strings.Contains(s, "\x00") {
		return "'" + strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "'", "''") + "'"
	}
	parts := strings.Split(s, "\x00")
	for i, p := range parts {
		parts[i] = quoteString(p)
	}
	return "(" + strings.Join(parts, " || chr(0) || ") + ")"
}

// quoteIdent writes name as an SQL identifier. A NUL cannot stand in one.
func quoteIdent(name string) string {
	name = strings.ReplaceAll(strings.ToValidUTF8(name, "\uFFFD"), "\x00", "\uFFFD")
	return `"` + strings.ReplaceAll(name, `"`, `""`) + `"`
}

// Constants of each type, with their Go value kept in lit.

func strLit(s string) expr { return expr{sql: quoteString(s), typ: String, lit: s} }

func boolLit(v bool) expr { return expr{sql: strconv.FormatBool(v), typ: Bool, lit: v} }

func longLit(v int64) expr { return expr{sql: intSQL(v, "BIGINT"), typ: Long, lit: v} }

func intLit(v int64) expr { return expr{sql: intSQL(v, "INTEGER"), typ: Int, lit: v} }

func ticksLit(v Ticks, t Type) expr { return expr{sql: intSQL(v, "BIGINT"), typ: t, lit: v} }

func intSQL(v int64, typ string) string {
	switch {
	case v == math.MinInt64:
		return "(-9223372036854775807::BIGINT - 1)"
	case v < 0:
		return "(" + strconv.FormatInt(v, 10) + ")::" + typ
	}
	return strconv.FormatInt(v, 10) + "::" + typ
}

func realLit(v float64) expr {
	var s string
	switch {
	case math.IsNaN(v):
		s = "'NaN'::DOUBLE"
	case math.IsInf(v, 1):
		s = "'Infinity'::DOUBLE"
	case math.IsInf(v, -1):
		s = "'-Infinity'::DOUBLE"
	default:
		s = strconv.FormatFloat(v, 'g', -1, 64) + "::DOUBLE"
		if v < 0 || math.Signbit(v) {
			s = "(" + strconv.FormatFloat(v, 'g', -1, 64) + ")::DOUBLE"
		}
	}
	return expr{sql: s, typ: Real, lit: v}
}

// nullLit is the null of a type; for String it is the empty string, since
// strings are never null.
func nullLit(t Type) expr {
	if t == String {
		return strLit("")
	}
	return expr{sql: "NULL::" + t.SQL(), typ: t}
}

// jsonText is the value of a dynamic constant.
type jsonText string

// dynLit is a dynamic constant given as JSON text.
func dynLit(json string) expr {
	return expr{sql: quoteString(json) + "::JSON", typ: Dynamic, lit: jsonText(json)}
}
