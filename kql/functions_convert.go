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
			low(String, func(c *call) (string, error) {
				return expand("coalesce(json($1)::VARCHAR, 'null')", []expr{{sql: jsonOf(c.args[0])}}), nil
			}, Unknown)),
		fn("estimate_data_size", low(Long, lowerDataSize, Unknown).more(1)),
		fn("gettype", low(String, lowerGetType, Unknown)),
		fn("tohex",
			tpl(String, toHex("($1::BIGINT & 4294967295)"), Int, Long).from(1),
			tpl(String, toHex("$1"), Long, Long).from(1)),
	}
}

// toHex writes a number in hexadecimal digits, at least $2 of them.
func toHex(n string) string {
	return "coalesce(lower(lpad(hex(" + n + "), greatest(coalesce($2, 0), length(hex(" + n + ")))::INTEGER, '0')), '')"
}

// parseJSON is the template of parse_json(): text that is no JSON is itself the
// value, as a string; the JSON null is null, and so is "" (page "isnull()").
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
		return expand("TRY_CAST($1 AS "+t.SQL()+")", args)
	case Guid:
		return expand(`CASE WHEN regexp_full_match(replace(trim($1, ' {}()'), '-', ''), '[0-9a-fA-F]{32}') THEN
lower(regexp_replace(replace(trim($1, ' {}()'), '-', ''), '(.{8})(.{4})(.{4})(.{4})(.{12})', '\1-\2-\3-\4-\5')) END`, args)
	case DateTime:
		return "(" + expand(readDateTime, args) + ")"
	case TimeSpan:
		return expand(readTimeSpan, args)
	}
	return text.sql
}

// readDateTime reads ISO 8601 with or without a zone (UTC without), to 100 ns,
// and the forms of RFC 1123, of the United States and of the C library.
var readDateTime = strings.Join(strings.Fields(`
CASE WHEN regexp_matches($1, '[Tt :.][0-9.]+ ?[+-][0-9]{1,2}:?[0-9]{2}$')
THEN epoch_us(TRY_CAST($1 AS TIMESTAMPTZ))
ELSE epoch_us(coalesce(TRY_CAST(replace(trim($1), '/', '-') AS TIMESTAMP),
try_strptime(regexp_replace(trim($1), ' (GMT|UTC)$', ''), ['%m/%d/%Y %I:%M:%S %p', '%m/%d/%Y %I:%M:%S.%f %p', '%m/%d/%Y %I:%M %p', '%m/%d/%Y %H:%M:%S', '%m/%d/%Y %H:%M:%S.%f', '%m/%d/%Y %H:%M', '%m/%d/%Y',
'%Y-%m-%dT%H:%MZ', '%Y-%m-%d %H:%M', '%Y-%m', '%Y%m%d', '%Y-%m-%dT%H', '%Y-%m-%d %I:%M:%S %p',
'%a, %d %b %y %H:%M:%S', '%a, %d %b %Y %H:%M:%S', '%A, %d-%b-%y %H:%M:%S', '%a %b %d %H:%M:%S %Y', '%d %b %y %H:%M:%S', '%d %b %y %H:%M', '%d %b %Y %H:%M:%S', '%d %b %Y %H:%M', '%d-%b-%Y %H:%M:%S', '%d %b %Y', '%d-%b-%Y',
'%b %d %Y', '%b %d, %Y', '%B %d, %Y', '%d %B %Y', '%b %d %Y %I:%M:%S %p', '%b %d, %Y %I:%M:%S %p', '%d/%b/%Y:%H:%M:%S'])))
END * 10 + coalesce(TRY_CAST(regexp_extract($1, ':[0-9]{2}[.][0-9]{6}([0-9])', 1) AS BIGINT), 0) + 621355968000000000`), " ")

// readTimeSpan reads [-][d.]hh:mm[:ss[.fffffff]], a number with a unit, and a
// bare number of days.
var readTimeSpan = strings.Join(strings.Fields(`
CASE WHEN regexp_full_match($1, '\s*-?([0-9]+[.:])?[0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2}([.][0-9]*)?)?\s*')
THEN list_transform([regexp_extract($1, '(-?)(?:([0-9]+)[.:])??([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2})(?:[.]([0-9]{0,7})[0-9]*)?)?\s*$', ['g', 'd', 'h', 'm', 's', 'f'])],
lambda "$t": (CASE "$t".g WHEN '-' THEN -1 ELSE 1 END) *
(coalesce(TRY_CAST("$t".d AS BIGINT), 0) * 864000000000 + "$t".h::BIGINT * 36000000000 + "$t".m::BIGINT * 600000000
+ coalesce(TRY_CAST("$t".s AS BIGINT), 0) * 10000000 + coalesce(TRY_CAST(rpad("$t".f, 7, '0') AS BIGINT), 0)))[1]
ELSE TRY_CAST((TRY_CAST(regexp_extract($1, '^\s*(-?[0-9]+(?:[.][0-9]+)?)\s*([a-zA-Z]*)\s*$', 1) AS DOUBLE)
* CASE lower(regexp_extract($1, '^\s*-?[0-9.]+\s*([a-zA-Z]*)\s*$', 1))
WHEN '' THEN 864000000000 WHEN 'd' THEN 864000000000 WHEN 'day' THEN 864000000000 WHEN 'days' THEN 864000000000
WHEN 'h' THEN 36000000000 WHEN 'hr' THEN 36000000000 WHEN 'hrs' THEN 36000000000 WHEN 'hour' THEN 36000000000 WHEN 'hours' THEN 36000000000
WHEN 'm' THEN 600000000 WHEN 'min' THEN 600000000 WHEN 'minute' THEN 600000000 WHEN 'minutes' THEN 600000000
WHEN 's' THEN 10000000 WHEN 'sec' THEN 10000000 WHEN 'second' THEN 10000000 WHEN 'seconds' THEN 10000000
WHEN 'ms' THEN 10000 WHEN 'milli' THEN 10000 WHEN 'millis' THEN 10000 WHEN 'millisecond' THEN 10000 WHEN 'milliseconds' THEN 10000
WHEN 'micro' THEN 10 WHEN 'microsecond' THEN 10 WHEN 'microseconds' THEN 10
WHEN 'tick' THEN 1 WHEN 'ticks' THEN 1 END) AS BIGINT) END`), " ")

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
