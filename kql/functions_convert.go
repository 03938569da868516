package kql

import (
	"fmt"
	"math"
	"strings"
)

// convertFunctions are the functions that turn a value of one type into another.
// What cannot be converted becomes null.
func convertFunctions() []function {
	return []function{
		fn("tostring", low(String, func(c *call) (string, error) { return textOf(c.args[0]).sql, nil }, Unknown)),
		castFunction("tobool", Bool),
		castFunction("toint", Int),
		castFunction("tolong", Long),
		castFunction("toreal", Real),
		castFunction("todecimal", Decimal),
		castFunction("todatetime", DateTime),
		castFunction("totimespan", TimeSpan),
		castFunction("toguid", Guid),
		fn("parse_json",
			tpl(Dynamic, parseJSON, String),
			low(Dynamic, func(c *call) (string, error) { return jsonOf(c.args[0]), nil }, Unknown)),
		fn("dynamic_to_json",
			tpl(String, "coalesce(kql_canonical_json($1::VARCHAR), 'null')", Dynamic),
			low(String, func(c *call) (string, error) { return textOf(c.args[0]).sql, nil }, Unknown)),
		fn("estimate_data_size", low(Long, lowerDataSize, Unknown).more(1)),
		fn("gettype", low(String, lowerGetType, Unknown)),
		fn("tohex",
			tpl(String, toHex("($1::BIGINT & 4294967295)"), Int, Long).from(1),
			tpl(String, toHex("$1"), Long, Long).from(1)),
	}
}

// toHex writes a number in hexadecimal digits, at least $2 of them.
func toHex(n string) string {
	return "coalesce(lower(lpad(hex(" + n + "), greatest(least(coalesce($2, 0), 16), length(hex(" + n + ")))::INTEGER, '0')), '')"
}

// parseJSON is the template of parse_json(): text that is no JSON is itself the
// value, as a string; the JSON null and the empty text are null.
const parseJSON = "nullif(coalesce(TRY_CAST($1 AS JSON), to_json(nullif($1, ''))), 'null'::JSON)"

// castFunction makes the to…() function of type t.
func castFunction(name string, t Type) function {
	return fn(name, low(t, func(c *call) (string, error) { return castOrNull(c.args[0], t), nil }, Unknown))
}

// castOrNull is what the to…() functions make of e: null where its type has
// nothing that the other could be.
func castOrNull(e expr, t Type) string {
	if q, err := castTo(e, t); err == nil {
		return q
	}
	return nullLit(t).sql
}

// castTo returns the SQL of an explicit conversion of e to the scalar type t.
func castTo(e expr, t Type) (string, error) {
	switch {
	case e.typ == t || e.typ == Unknown:
		return e.sql, nil
	case e.scaled && t != String && t != Dynamic:
		return castTo(expr{sql: wholeSQL(e.sql), typ: Decimal}, t)
	case t == String:
		return textOf(e).sql, nil
	case t == Dynamic:
		return jsonOf(e), nil
	case e.typ == String:
		return fromText(e, t), nil
	case e.typ == Dynamic:
		return fromText(expr{sql: dynText(e)}, t), nil
	}
	switch {
	case t == Bool && isNumber(e.typ):
		return expand("($1 <> 0)", []expr{e}), nil
	case (t == Int || t == Long) && (e.typ == Real || e.typ == Decimal):
		return fmt.Sprintf("TRY_CAST(trunc(%s) AS %s)", e.sql, t.SQL()), nil
	case isNumber(t) && (isNumber(e.typ) || e.typ == Bool):
		return fmt.Sprintf("TRY_CAST(%s AS %s)", e.sql, t.SQL()), nil
	case isNumber(t) && isTicks(e.typ):
		return fmt.Sprintf("TRY_CAST(%s AS %s)", e.sql, t.SQL()), nil
	case isTicks(t) && (e.typ == Int || e.typ == Long):
		return fmt.Sprintf("(%s)::BIGINT", e.sql), nil
	case isTicks(t) && (e.typ == Real || e.typ == Decimal):
		return fmt.Sprintf("TRY_CAST(trunc(%s) AS BIGINT)", e.sql), nil
	case isTicks(t) && isTicks(e.typ):
		return e.sql, nil
	}
	return "", fmt.Errorf("a %s cannot be made a %s", e.typ, t)
}

func isNumber(t Type) bool { return t == Int || t == Long || t == Real || t == Decimal }

func isTicks(t Type) bool { return t == DateTime || t == TimeSpan }

// textOf converts e to its text as tostring() does; null becomes "".
func textOf(e expr) expr {
	out := expr{typ: String, window: e.window}
	switch e.typ {
	case String:
		return e
	case Dynamic:
		out.sql = "coalesce(" + dynText(e) + ", '')"
	case DateTime, TimeSpan:
		out.sql = "coalesce(" + ticksText(e.sql, e.typ) + ", '')"
	case Real:
		out.sql = expand("coalesce(replace(replace($1::VARCHAR, 'nan', 'NaN'), 'inf', 'Infinity'), '')", []expr{{sql: e.sql}})
	case Decimal:
		if e.scaled {
			out.sql = "coalesce(" + wholeSQL(e.sql) + "::VARCHAR, '')"
			break
		}
		out.sql = "coalesce(regexp_replace(" + e.sql + "::VARCHAR, '\\.?0+$', ''), '')"
	case Unknown:
		out.sql = "coalesce(" + e.sql + "::VARCHAR, '')"
	default:
		if v, ok := e.lit.(int64); ok {
			return strLit(fmt.Sprint(v))
		}
		out.sql = "coalesce((" + e.sql + ")::VARCHAR, '')"
	}
	return out
}

// jsonOf returns the SQL of e as a dynamic value. NaN and the infinities are no
// JSON; they become strings, as KQL prints them.
func jsonOf(e expr) string {
	if e.typ != Real {
		return toDynamic(e).sql
	}
	if v, ok := e.lit.(float64); ok && !math.IsNaN(v) && !math.IsInf(v, 0) {
		return "to_json(" + e.sql + ")"
	}
	return expand("CASE WHEN isfinite($1) THEN to_json($1) ELSE to_json(replace(replace($1::VARCHAR, 'nan', 'NaN'), 'inf', 'Infinity')) END", []expr{e})
}

// wholeNumber matches the texts that toint() and tolong() read.
const wholeNumber = `'\s*(0[xX][0-9a-fA-F]+|[-+]?[0-9]+)\s*'`

// fromText returns the SQL that reads a t from text; text may be NULL.
func fromText(text expr, t Type) string {
	args := []expr{text}
	switch t {
	case Bool:
		return expand("CASE lower(trim($1)) WHEN 'true' THEN true WHEN 'false' THEN false ELSE (TRY_CAST($1 AS DOUBLE) <> 0) END", args)
	case Int, Long:
		return expand("CASE WHEN regexp_full_match($1, "+wholeNumber+") THEN TRY_CAST($1 AS "+t.SQL()+") END", args)
	case Real, Decimal:
		return expand("CASE WHEN NOT contains($1, '_') THEN TRY_CAST($1 AS "+t.SQL()+") END", args)
	case Guid: // what stands behind it does not count
		const form = `'^[ {(]*([0-9a-fA-F]{8})-?([0-9a-fA-F]{4})-?([0-9a-fA-F]{4})-?([0-9a-fA-F]{4})-?([0-9a-fA-F]{12})(?s:.*)$'`
		return expand("lower(nullif(regexp_replace(regexp_extract($1, "+form+"), "+form+`, '\1-\2-\3-\4-\5'), ''))`, args)
	case DateTime:
		return "(" + expand(readDateTime, args) + ")"
	case TimeSpan:
		return expand(readTimeSpan, args)
	}
	return text.sql
}

// readDateTime reads what most texts are, ISO 8601 in UTC, in SQL, to 100 ns,
// and all other forms as the literals of a query are read.
const readDateTime = `CASE WHEN regexp_full_match($1, '[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]{1,7})?Z?)?')
THEN epoch_us(TRY_CAST($1 AS TIMESTAMP)) * 10 + coalesce(TRY_CAST(regexp_extract($1, '[.][0-9]{6}([0-9])', 1) AS BIGINT), 0) + 621355968000000000
ELSE TRY_CAST(kql_datetime($1) AS BIGINT) END`

// readTimeSpan reads [-][d.]hh:mm[:ss[.fffffff]], a number with a unit, and a
// bare number of days.
var readTimeSpan = strings.Join(strings.Fields(`
CASE WHEN regexp_full_match($1, '\s*-?([0-9]{1,8}[.:])?[0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2}([.][0-9]*)?)?\s*')
THEN list_transform([regexp_extract($1, '(-?)(?:([0-9]+)[.:])??([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2})(?:[.]([0-9]{0,7})[0-9]*)?)?\s*$', ['g', 'd', 'h', 'm', 's', 'f'])],
lambda "$t": TRY_CAST((CASE "$t".g WHEN '-' THEN -1 ELSE 1 END) *
(coalesce(TRY_CAST("$t".d AS HUGEINT), 0) * 864000000000 + "$t".h::BIGINT * 36000000000 + "$t".m::BIGINT * 600000000
+ coalesce(TRY_CAST("$t".s AS BIGINT), 0) * 10000000 + coalesce(TRY_CAST(rpad("$t".f, 7, '0') AS BIGINT), 0)) AS BIGINT))[1]
ELSE TRY_CAST((TRY_CAST(regexp_extract($1, '^\s*(-?[0-9]+(?:[.][0-9]+)?)\s*([a-zA-Z]*)\s*$', 1) AS DOUBLE)
* CASE lower(regexp_extract($1, '^\s*-?[0-9.]+\s*([a-zA-Z]*)\s*$', 1)) WHEN '' THEN 864000000000 `+unitCases()+` END) AS BIGINT) END`), " ")

// unitCases are the branches of a CASE over the name of a unit: its ticks.
func unitCases() string {
	var b strings.Builder
	for _, u := range spanUnits {
		fmt.Fprintf(&b, "WHEN '%s' THEN %v ", u.suffix, u.ticks)
	}
	return b.String()
}

// lowerGetType names the type of a value: for dynamics that of what they hold.
func lowerGetType(c *call) (string, error) {
	e := c.args[0]
	if e.typ != Dynamic {
		return quoteString(e.typ.String()), nil
	}
	return expand(`CASE json_type($1) WHEN 'ARRAY' THEN 'array' WHEN 'OBJECT' THEN 'dictionary' WHEN 'VARCHAR' THEN 'string'
WHEN 'BOOLEAN' THEN 'bool' WHEN 'DOUBLE' THEN 'double' WHEN 'BIGINT' THEN 'long' WHEN 'UBIGINT' THEN 'long' ELSE 'null' END`, []expr{e}), nil
}

// lowerDataSize adds up the bytes of the values: text by its length, all else
// by its type.
func lowerDataSize(c *call) (string, error) {
	parts := make([]string, len(c.args))
	for i, a := range c.args {
		switch a.typ {
		case String, Dynamic:
			parts[i] = "strlen(" + textOf(a).sql + ")"
		case Bool:
			parts[i] = "1"
		case Int:
			parts[i] = "4"
		case Guid, Decimal:
			parts[i] = "16"
		default:
			parts[i] = "8"
		}
	}
	return "(" + strings.Join(parts, " + ") + ")::BIGINT", nil
}
