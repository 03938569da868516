package kql

// convert converts e to type t where KQL does so without being told: int to
// long, real and decimal, long to real and decimal; and, unless exact, a
// dynamic value to the scalar that is asked for. Unknown takes anything.
func convert(e expr, t Type, exact bool) (expr, bool) {
	switch {
	case t == Unknown || e.typ == t || e.typ == Unknown:
		return e, true
	case e.typ == Int && t == Long:
		return widen(e, t), true
	case (e.typ == Int || e.typ == Long) && (t == Real || t == Decimal):
		return widen(e, t), true
	case exact:
		return e, false
	case e.typ == Dynamic:
		return fromDynamic(e, t), true
	case e.typ == Long && t == Int:
		if v, ok := e.lit.(int64); ok && v == int64(int32(v)) {
			return intLit(v), true
		}
		return expr{sql: "TRY_CAST(" + e.sql + " AS INTEGER)", typ: Int, window: e.window}, true
	case e.typ == Real && t == Decimal, e.typ == Decimal && t == Real:
		if e.scaled {
			e.sql = wholeSQL(e.sql)
		}
		return widen(e, t), true
	}
	return e, false
}

// widen casts a number to a wider type of number.
func widen(e expr, t Type) expr {
	switch v := e.lit.(type) {
	case int64:
		if t == Long {
			return longLit(v)
		}
		if t == Real {
			return realLit(float64(v))
		}
	}
	if t == Decimal {
		return expr{sql: "TRY_CAST(" + e.sql + " AS DECIMAL(38,16))", typ: t, window: e.window}
	}
	return expr{sql: "(" + e.sql + ")::" + t.SQL(), typ: t, window: e.window}
}

// dynText is the text of a dynamic value: strings without quotes, anything
// else as JSON, NULL for null. A member access reads the text in one step.
func dynText(e expr) string {
	if e.base != "" {
		return "(" + e.base + "->>" + quoteString(e.path) + ")"
	}
	return "(" + e.sql + "->>'$')"
}

// fromDynamic converts a dynamic value to scalar type t; what cannot be
// converted is null.
func fromDynamic(e expr, t Type) expr {
	out := expr{typ: t, window: e.window}
	text := dynText(e)
	switch t {
	case String:
		out.sql = "coalesce(" + text + ", '')"
	case Bool:
		out.sql = "TRY_CAST(" + text + " AS BOOLEAN)"
	case Int, Long:
		out.sql = "TRY_CAST(trunc(TRY_CAST(" + text + " AS DOUBLE)) AS " + t.SQL() + ")"
		if t == Long {
			out.sql = "coalesce(CASE WHEN regexp_full_match(" + text + ", '-?[0-9]+') THEN TRY_CAST(" + text + " AS BIGINT) END, " + out.sql + ")"
		}
	case Real, Decimal:
		out.sql = "TRY_CAST(" + text + " AS " + t.SQL() + ")"
	case Guid:
		out.sql = "lower(TRY_CAST(" + text + " AS UUID)::VARCHAR)"
	case DateTime, TimeSpan:
		out.sql = TicksFromText(text, t)
	default:
		return e
	}
	return out
}

// TicksFromText is the SQL that reads a datetime or timespan, as t says, from
// the SQL of a text, as todatetime() and totimespan() do: NULL when it is none.
func TicksFromText(text string, t Type) string {
	return fromText(expr{sql: text}, t)
}

// toDynamic converts a scalar to a dynamic value. Datetimes, timespans and
// guids become JSON strings, as they print.
func toDynamic(e expr) expr {
	out := expr{typ: Dynamic, dyn: e.typ, window: e.window}
	switch e.typ {
	case Dynamic:
		return e
	case DateTime, TimeSpan:
		out.sql = "to_json(" + ticksText(e.sql, e.typ) + ")"
	case Decimal:
		if e.scaled {
			e.sql = wholeSQL(e.sql)
		}
		out.sql = "to_json(" + e.sql + "::DOUBLE)"
	default:
		out.sql = "to_json(" + e.sql + ")"
	}
	return out
}

// ticksText is the SQL that prints a datetime or timespan as KQL does:
// 2024-01-01T00:00:00.0000000Z and [-][d.]hh:mm:ss[.fffffff]; NULL for null.
func ticksText(sql string, t Type) string {
	if t == DateTime {
		return expand("(strftime(make_timestamp($1 // 10 - 62135596800000000), '%Y-%m-%dT%H:%M:%S.') || lpad(($1 % 10000000)::VARCHAR, 7, '0') || 'Z')", []expr{{sql: sql}})
	}
	// The least timespan has no positive counterpart.
	return expand(`(CASE WHEN $1 = -9223372036854775808 THEN '-10675199.02:48:05.4775808' ELSE CASE WHEN $1 < 0 THEN '-' ELSE '' END || CASE WHEN abs($1) >= 864000000000 THEN (abs($1) // 864000000000)::VARCHAR || '.' ELSE '' END
|| format('{:02d}:{:02d}:{:02d}', abs($1) // 36000000000 % 24, abs($1) // 600000000 % 60, abs($1) // 10000000 % 60)
|| CASE WHEN $1 % 10000000 <> 0 THEN '.' || format('{:07d}', abs($1) % 10000000) ELSE '' END END)`, []expr{{sql: sql}})
}
