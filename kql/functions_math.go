package kql

import "fmt"

// mathFunctions are the functions over numbers.
func mathFunctions() []function {
	fs := []function{
		fn("abs",
			tpl(Long, absInt, Long), tpl(Real, "abs($1)", Real), tpl(TimeSpan, absInt, TimeSpan), tpl(Decimal, "abs($1)", Decimal)),
		fn("bin", binSigs()...),
		fn("bin_at",
			tpl(Long, binAtInt, Long, Long, Long),
			tpl(Decimal, binAtDecimal, Decimal, Decimal, Decimal),
			tpl(Real, "(floor(($1 - $3) / nullif($2, 0)) * $2 + $3)", Real, Real, Real),
			tpl(DateTime, binAtInt, DateTime, TimeSpan, DateTime),
			tpl(TimeSpan, binAtInt, TimeSpan, TimeSpan, TimeSpan)),
		fn("around",
			tpl(Bool, aroundSQL, Long, Long, Long), tpl(Bool, aroundSQL, Real, Real, Real), tpl(Bool, aroundSQL, Decimal, Decimal, Decimal),
			tpl(Bool, aroundSQL, DateTime, DateTime, TimeSpan), tpl(Bool, aroundSQL, TimeSpan, TimeSpan, TimeSpan)),
		fn("round",
			tpl(Int, "round($1, coalesce($2, 0)::INTEGER)::INTEGER", Int, Long).from(1),
			tpl(Long, "round($1, coalesce($2, 0)::INTEGER)::BIGINT", Long, Long).from(1),
			tpl(Real, "round($1, coalesce($2, 0)::INTEGER)", Real, Long).from(1),
			tpl(Decimal, "round($1, coalesce($2, 0)::INTEGER)::DECIMAL(38,16)", Decimal, Long).from(1)),
		fn("ceiling", tpl(Int, "$1", Int), tpl(Long, "$1", Long), tpl(Decimal, "ceil($1)::DECIMAL(38,16)", Decimal), tpl(Real, "ceil($1)", Real)),
		fn("sign", tpl(Real, "sign($1)::DOUBLE", Real)),
		fn("pow", tpl(Real, nan("$1 >= 0 OR $2 = floor($2)", "pow($1, $2)"), Real, Real)),
		fn("atan2", tpl(Real, "atan2($1, $2)", Real, Real)),
		fn("pi", tpl(Real, "pi()")),
		fn("rand", tpl(Real, "random()"), tpl(Real, "floor(random() * $1)", Long)),
		fn("isnan", tpl(Bool, "isnan($1)", Real)),
		fn("isinf", tpl(Bool, "isinf($1)", Real)),
		fn("isfinite", tpl(Bool, "isfinite($1)", Real)),
		fn("max_of", extremeSig("greatest")),
		fn("min_of", extremeSig("least")),
		fn("binary_and", tpl(Long, "($1 & $2)", Long, Long)),
		fn("binary_or", tpl(Long, "($1 | $2)", Long, Long)),
		fn("binary_xor", tpl(Long, "xor($1, $2)", Long, Long)),
		fn("binary_not", tpl(Long, "(~$1)", Long)),
		fn("binary_shift_left", tpl(Long, "CASE WHEN $2 >= 0 THEN ($1::BIT << ($2 % 64)::INTEGER)::BIGINT END", Long, Long)),
		fn("binary_shift_right", tpl(Long, "CASE WHEN $2 >= 0 THEN $1 >> ($2 % 64) END", Long, Long)),
		fn("bitset_count_ones", tpl(Long, "bit_count($1)::BIGINT", Long)),
	}
	for _, f := range [...]struct{ name, domain, sql string }{
		{"sqrt", "$1 >= 0", "sqrt($1)"},
		{"exp", "", "pow(2.718281828459045::DOUBLE, $1)"},
		{"exp2", "", "pow(2::DOUBLE, $1)"},
		{"exp10", "", "pow(10::DOUBLE, $1)"},
		{"log", "$1 >= 0", logSQL("ln($1)")},
		{"log10", "$1 >= 0", logSQL("log10($1)")},
		{"log2", "$1 >= 0", logSQL("log2($1)")},
		{"sin", "isfinite($1)", "sin($1)"},
		{"cos", "isfinite($1)", "cos($1)"},
		{"tan", "isfinite($1)", "tan($1)"},
		{"cot", "isfinite($1)", "(1 / tan($1))"},
		{"asin", "", "CASE WHEN $1 BETWEEN -1 AND 1 THEN asin($1) END"},
		{"acos", "", "CASE WHEN $1 BETWEEN -1 AND 1 THEN acos($1) END"},
		{"atan", "", "atan($1)"},
		{"degrees", "", "degrees($1)"},
		{"radians", "", "radians($1)"},
		{"gamma", "$1 > 0 OR $1 <> floor($1)", "gamma($1)"},
		{"loggamma", "$1 > 0", "lgamma($1)"},
	} {
		sql := f.sql
		if f.domain != "" {
			sql = nan(f.domain, sql)
		}
		fs = append(fs, fn(f.name, tpl(Real, sql, Real)))
	}
	return append(fs, conversionFunctions()...)
}

// nan guards sql, which DuckDB refuses outside of the domain where KQL says NaN.
func nan(domain, sql string) string {
	return "CASE WHEN " + domain + " THEN " + sql + " WHEN $1 IS NOT NULL THEN 'NaN'::DOUBLE END"
}

func logSQL(sql string) string {
	return "CASE WHEN $1 = 0 THEN '-Infinity'::DOUBLE ELSE " + sql + " END"
}

// absInt gives null for the least long, whose counterpart is too large.
const absInt = "TRY_CAST(abs($1::HUGEINT) AS BIGINT)"

// binSigs are the signatures of bin(): the largest multiple of $2 that is not
// above $1. Datetimes are never negative, so that a whole division floors.
func binSigs() []sig {
	// Below zero, the multiple may be less than the least long.
	const floorDiv = "(CASE WHEN $1 >= 0 THEN $1 // $2 * $2 ELSE TRY_CAST(($1::HUGEINT - ($2 - 1)) // $2 * $2 AS BIGINT) END)"
	return []sig{
		binSig(Long, floorDiv, Long, Long),
		tpl(Real, "(floor($1 / nullif(greatest($2, 0), 0)) * $2)", Real, Real),
		binSig(DateTime, "($1 // $2 * $2)", DateTime, TimeSpan),
		binSig(TimeSpan, floorDiv, TimeSpan, TimeSpan),
		tpl(Decimal, binDecimal, Decimal, Real),
		tpl(Decimal, binDecimal, Decimal, Decimal),
	}
}

// binSig is a signature of bin() over whole numbers: a size that is not above
// zero gives null.
func binSig(result Type, sql string, args ...Type) sig {
	return low(result, func(c *call) (string, error) {
		if size, ok := c.args[1].lit.(int64); ok && size > 0 {
			return expand(sql, c.args), nil
		}
		return expand("CASE WHEN $2 > 0 THEN "+sql+" END", c.args), nil
	}, args...)
}

// binDecimal multiplies as decimals, for DuckDB divides them as doubles.
const binDecimal = "(floor($1 / nullif(greatest($2, 0), 0))::DECIMAL(22,0) * $2::DECIMAL(16,8))::DECIMAL(38,16)"

const binAtDecimal = "(floor(($1 - $3) / nullif($2, 0))::DECIMAL(22,0) * $2::DECIMAL(16,8) + $3)::DECIMAL(38,16)"

const binAtInt = "($1 - ((($1 - $3) % $2) + $2) % $2)"

const aroundSQL = "($1 BETWEEN $2 - $3 AND $2 + $3)"

// extremeSig is the signature of max_of() and min_of(), which skip nulls.
func extremeSig(sql string) sig {
	return low(Unknown, func(c *call) (string, error) {
		args, _, err := common(c.name, c.args)
		if err != nil {
			return "", err
		}
		return expand(sql+"($*)", args), nil
	}, Unknown).more(1).as(commonTypeOf)
}

// common converts args to their common type.
func common(name string, args []expr) ([]expr, Type, error) {
	t := commonTypeOf(args)
	out := make([]expr, len(args))
	for i, a := range args {
		switch {
		case a.typ == t:
			out[i] = a
		case a.typ == Dynamic:
			q, err := castTo(a, t)
			if err != nil {
				return nil, t, fmt.Errorf("%s(): argument %d: %w", name, i+1, err)
			}
			out[i] = expr{sql: q, typ: t}
		case isNumber(t) && isNumber(a.typ):
			out[i] = widen(a, t)
		case a.typ == Unknown:
			out[i] = expr{sql: "(" + a.sql + ")::" + t.SQL(), typ: t}
		default:
			return nil, t, fmt.Errorf("%s(): argument %d is %s, but another is %s; convert one of them", name, i+1, a.typ, t)
		}
	}
	return out, t, nil
}

// commonTypeOf returns the type that args have in common: the widest of
// numbers, and with dynamic the other type.
func commonTypeOf(args []expr) Type {
	t := Unknown
	for _, a := range args {
		switch {
		case t == Unknown || t == Dynamic && a.typ != Unknown:
			t = a.typ
		case isNumber(t) && isNumber(a.typ):
			t = max(t, a.typ)
		}
	}
	return t
}

// alternatives converts values of which one is chosen to one type: the one they
// have in common, or dynamic.
func alternatives(args []expr) []expr {
	if out, _, err := common("", args); err == nil {
		return out
	}
	out := make([]expr, len(args))
	for i, a := range args {
		out[i] = expr{sql: jsonOf(a), typ: Dynamic}
	}
	return out
}

// alternativesType is the type of alternatives.
func alternativesType(args []expr) Type {
	if _, t, err := common("", args); err == nil {
		return t
	}
	return Dynamic
}

// conditionFunctions are the functions that choose or test.
func conditionFunctions() []function {
	return []function{
		fn("iff", low(Unknown, func(c *call) (string, error) {
			v := alternatives(c.args[1:])
			return "CASE WHEN " + c.args[0].sql + " THEN " + v[0].sql + " ELSE " + v[1].sql + " END", nil
		}, Bool, Unknown, Unknown).as(func(args []expr) Type { return alternativesType(args[1:]) })),
		fn("case", low(Unknown, lowerCase, Unknown).more(3).as(func(args []expr) Type { return alternativesType(caseValues(args)) })),
		fn("coalesce", low(Unknown, func(c *call) (string, error) {
			args, t, err := common(c.name, c.args)
			if err != nil || t != String {
				return expand("coalesce($*)", args), err
			}
			for i, a := range args {
				args[i].sql = "nullif(" + a.sql + ", '')"
			}
			return expand("coalesce($*, '')", args), nil
		}, Unknown).more(1).as(commonTypeOf)),
		fn("not", tpl(Bool, "(NOT $1)", Bool), tpl(Bool, "($1 = 0)", Long)),
		fn("isnull", tpl(Bool, "($1 IS NULL)", String), low(Bool, func(c *call) (string, error) {
			if cols := c.args[0].addresses; cols != nil { // no array has to be made
				return "(" + cols.others + " IS NULL)", nil
			}
			return "(" + c.args[0].sql + " IS NULL)", nil
		}, Unknown)),
		fn("isnotnull", tpl(Bool, "($1 IS NOT NULL)", String), tpl(Bool, "($1 IS NOT NULL)", Unknown)),
		fn("assert", low(Bool, func(c *call) (string, error) {
			const failed = "assert() has failed with message: "
			if holds, ok := c.args[0].lit.(bool); ok && !holds {
				text, err := c.constString(1)
				if err != nil {
					return "", err
				}
				return "", fmt.Errorf(failed+"'%s'", text)
			}
			return expand("CASE WHEN $1 THEN true ELSE error('"+failed+"''' || $2 || '''')::BOOLEAN END", c.args), nil
		}, Bool, String)),
	}
}

// caseValues returns the values among the arguments of case().
func caseValues(args []expr) []expr {
	var v []expr
	for i := 1; i < len(args); i += 2 {
		v = append(v, args[i])
	}
	return append(v, args[len(args)-1])
}

func lowerCase(c *call) (string, error) {
	if len(c.args)%2 == 0 {
		return "", fmt.Errorf("case() takes pairs of a condition and a value, and a last value for when none holds: an odd number of arguments, not %d", len(c.args))
	}
	values := alternatives(caseValues(c.args))
	sql := "CASE"
	for i := 0; i+1 < len(c.args); i += 2 {
		cond, ok := convert(c.args[i], Bool, false)
		if !ok {
			return "", fmt.Errorf("case(): argument %d is %s, but must be a condition (bool)", i+1, c.args[i].typ)
		}
		sql += " WHEN " + cond.sql + " THEN " + values[i/2].sql
	}
	return sql + " ELSE " + values[len(values)-1].sql + " END", nil
}
