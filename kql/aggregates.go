package kql

import (
	"errors"
	"fmt"
	"strings"
)

// filterMark stands in the templates of aggregates where the condition of the
// …if variant goes.
const filterMark = "{if}"

// aggregateFunctions joins the lists of aggregates.
func aggregateFunctions() []function {
	fs := []function{
		// The service takes count(x) too, which counts the rows all the same.
		{name: "count", sigs: []sig{tpl(Long, "count(*)"), tpl(Long, "count(*)", Unknown)}},
		{name: "countif", sigs: []sig{tpl(Long, "count(*) FILTER ($1)", Bool)}},
		{name: "arg_max", keep: true, auto: "max", star: true, sigs: extremeRowSigs(), columns: extremeRow("max")},
		{name: "arg_min", keep: true, auto: "min", star: true, sigs: extremeRowSigs(), columns: extremeRow("min")},
		{name: "take_any", keep: true, auto: "any", star: true, sigs: extremeRowSigs(), columns: takeAny},
		{name: "any", auto: "any", star: true, sigs: extremeRowSigs(), columns: takeAny},
		{name: "argmax", auto: "max", star: true, sigs: extremeRowSigs(), columns: extremeRow("max")},
		{name: "argmin", auto: "min", star: true, sigs: extremeRowSigs(), columns: extremeRow("min")},
		{name: "cnt", sigs: []sig{tpl(Long, "count(*)")}},
		{name: "percentile", sigs: percentileSigs(2), columns: percentiles},
		{name: "percentiles", auto: "percentile", sigs: percentileSigs(2), columns: percentiles},
		{name: "percentiles_array", auto: "percentiles", sigs: []sig{low(Dynamic, percentilesArray, Unknown, Unknown).more(2)}},
		{name: "percentilew", auto: "percentile", sigs: percentileSigs(3), columns: percentiles},
		{name: "percentilesw", auto: "percentile", sigs: percentileSigs(3), columns: percentiles},
		{name: "percentilesw_array", auto: "percentiles", sigs: []sig{low(Dynamic, percentilesArray, Unknown, Long, Unknown).more(3)}},
		{name: "buildschema", auto: "schema", sigs: []sig{tpl(Dynamic, "kql_buildschema(to_json(list($1))::VARCHAR)::JSON", Dynamic)}},
	}
	fs = append(fs, numberAggregates()...)
	fs = append(fs, collectAggregates()...)
	return append(fs, aggregateAliases(fs)...)
}

// aggregateAliases are the older names of aggregates.
func aggregateAliases(fs []function) []function {
	var out []function
	for _, a := range [...][2]string{
		{"makeset", "make_set"}, {"makelist", "make_list"}, {"make_dictionary", "make_bag"},
		{"merge_tdigest", "tdigest_merge"}, {"anyif", "take_anyif"},
	} {
		for _, f := range fs {
			if f.name == a[1] {
				f.name = a[0]
				f.doc = a[1] + "()"
				switch f.name {
				case "make_dictionary":
					f.auto = "dictionary"
				case "anyif":
					f.auto, f.keep = "anyif", false
				}
				out = append(out, f)
			}
		}
	}
	return out
}

// withIf returns the aggregate name and its variant ifName, which takes a
// condition after the n arguments of the plain one.
func withIf(name, ifName, auto string, sigs ...sig) []function {
	plain := function{name: name, auto: auto}
	cond := function{name: ifName, auto: auto}
	for _, s := range sigs {
		n := len(s.args)
		p, q := s, s
		p.sql = strings.ReplaceAll(s.sql, filterMark, "")
		q.args = append(append([]Type(nil), s.args...), Bool)
		q.sql = strings.ReplaceAll(s.sql, filterMark, fmt.Sprintf(" FILTER ($%d)", n+1))
		plain.sigs, cond.sigs = append(plain.sigs, p), append(cond.sigs, q)
	}
	return []function{plain, cond}
}

// numberAggregates are the aggregates that yield a number or one of the values.
func numberAggregates() []function {
	const text = "TRY_CAST($1->>'$' AS DOUBLE)" // a dynamic as the number it holds
	var fs []function
	fs = append(fs, withIf("sum", "sumif", "",
		tpl(Real, "coalesce(sum("+text+"){if}, 0)", Dynamic),
		tpl(Long, "coalesce("+wrapSQL("sum($1){if}")+", 0)", Long), tpl(Real, "coalesce(sum($1){if}, 0)", Real),
		tpl(TimeSpan, "TRY_CAST(coalesce(sum($1){if}, 0) AS BIGINT)", TimeSpan), tpl(DateTime, "TRY_CAST(sum($1){if} AS BIGINT)", DateTime), tpl(Decimal, "coalesce(sum($1){if}, 0)::DECIMAL(38,16)", Decimal))...)
	fs = append(fs, withIf("avg", "avgif", "",
		tpl(Real, "avg("+text+"){if}", Dynamic), tpl(Real, "avg($1){if}", Real),
		// A mean of datetimes by way of a DOUBLE would lose what is finer than 0.1 ms.
		tpl(DateTime, "(sum($1){if} // count($1){if})::BIGINT", DateTime), tpl(TimeSpan, "(sum($1){if} // count($1){if})::BIGINT", TimeSpan),
		tpl(Decimal, "avg($1){if}::DECIMAL(38,16)", Decimal))...)
	for _, m := range []string{"min", "max"} {
		fs = append(fs, withIf(m, m+"if", "",
			tpl(Dynamic, "to_json("+m+"("+text+"){if})", Dynamic),
			tpl(String, "coalesce("+m+"(nullif($1, '')){if}, '')", String),
			tpl(Unknown, m+"($1){if}", Unknown).as(typeOf(0)))...)
	}
	fs = append(fs, withIf("dcount", "dcountif", "",
		tpl(Long, "count(DISTINCT $1){if}", Unknown))...)
	// The accuracy that may follow means nothing: the count is exact.
	fs[len(fs)-2].sigs = append(fs[len(fs)-2].sigs, tpl(Long, "count(DISTINCT $1)", Unknown, Long))
	fs[len(fs)-1].sigs = append(fs[len(fs)-1].sigs, tpl(Long, "count(DISTINCT $1) FILTER ($2)", Unknown, Bool, Long))
	fs = append(fs, withIf("count_distinct", "count_distinctif", "", tpl(Long, "count(DISTINCT $1){if}", Unknown))...)
	for _, f := range [...][3]string{
		{"stdev", "stdevif", "stddev_samp"}, {"stdevp", "stdevpif", "stddev_pop"},
		{"variance", "varianceif", "var_samp"}, {"variancep", "variancepif", "var_pop"},
	} {
		fs = append(fs, withIf(f[0], f[1], "", tpl(Real, deviation(f[2]), Real), tpl(Real, deviation(f[2]), TimeSpan), tpl(Real, deviation(f[2]), DateTime))...)
	}
	fs = append(fs, withIf("covariance", "covarianceif", "", tpl(Real, "covar_samp($2, $1){if}", Real, Real))...)
	fs = append(fs, withIf("covariancep", "covariancepif", "", tpl(Real, "covar_pop($2, $1){if}", Real, Real))...)
	for _, f := range []string{"and", "or", "xor"} {
		fs = append(fs, function{name: "binary_all_" + f, keep: true, sigs: []sig{tpl(Int, "bit_"+f+"($1)", Int), tpl(Long, "bit_"+f+"($1)", Long)}})
	}
	anyif := function{name: "take_anyif", keep: true, auto: "any", sigs: []sig{
		tpl(String, "coalesce(any_value(nullif($1, '')) FILTER ($2), '')", String, Bool),
		tpl(Unknown, "any_value($1) FILTER ($2)", Unknown, Bool).as(typeOf(0)),
	}}
	return append(fs, anyif)
}

// deviation is 0 of nothing, and NaN where DuckDB, which has to square the
// values, would end the query.
func deviation(f string) string {
	const small = "abs($1) < 1e150"
	return "CASE WHEN bool_and(" + small + "){if} THEN " + f + "(CASE WHEN " + small + " THEN $1 END){if} WHEN count($1){if} > 0 THEN 'NaN'::DOUBLE ELSE 0 END"
}

// extremeRowSigs takes a value and any columns.
func extremeRowSigs() []sig { return []sig{tpl(Unknown, "", Unknown).more(1)} }

// extremeRow lowers arg_max and arg_min: the largest value and, of the same
// row, the other arguments. Where all values are null, some row is taken.
func extremeRow(pick string) func(c *call) ([]aggColumn, error) {
	return func(c *call) ([]aggColumn, error) {
		by := c.args[0]
		first := c.argName(0)
		if first == "" {
			first = pick + "_"
		}
		old := !strings.HasPrefix(c.name, "arg_") // argmax() names its columns max_x, max_x_y
		if old {
			first = pick + "_" + c.argName(0)
		}
		cols := []aggColumn{{name: first, typ: by.typ, sql: fmt.Sprintf("%s(%s)", pick, by.sql)}}
		for i, a := range c.args[1:] {
			name := c.argName(i + 1)
			switch {
			case old:
				name = first + "_" + name
			case name == "":
				name = fmt.Sprintf("%s_arg%d", first, i+1)
			}
			sql := fmt.Sprintf("CASE WHEN %s(%s) IS NULL THEN first(%s) ELSE arg_%[1]s_null(%[3]s, %[2]s) END", pick, by.sql, a.sql)
			cols = append(cols, aggColumn{name: name, typ: a.typ, sql: textNotNull(a.typ, sql)})
		}
		return cols, nil
	}
}

// textNotNull keeps a string from being NULL where there were no rows.
func textNotNull(t Type, sql string) string {
	if t == String {
		return "coalesce(" + sql + ", '')"
	}
	return sql
}

// takeAny lowers take_any and any: one column prefers a value to null, several
// are of one row.
func takeAny(c *call) ([]aggColumn, error) {
	cols := make([]aggColumn, len(c.args))
	for i, a := range c.args {
		sql := "first(" + a.sql + ")"
		if len(c.args) == 1 {
			sql = "any_value(" + a.sql + ")"
			if a.typ == String {
				sql = "any_value(nullif(" + a.sql + ", ''))"
			}
		}
		name := c.argName(i)
		switch {
		case name == "" && (c.name != "any" || len(c.args) > 1):
			name = fmt.Sprintf("any_arg%d", i)
		case c.name == "any":
			name = "any_" + name
		}
		cols[i] = aggColumn{name: name, typ: a.typ, sql: textNotNull(a.typ, sql)}
	}
	return cols, nil
}

// percentileSigs takes a value, with n = 3 a weight, and percentiles.
func percentileSigs(n int) []sig {
	args := []Type{Unknown, Real}
	if n == 3 {
		args = []Type{Unknown, Long, Real}
	}
	return []sig{tpl(Unknown, "", args...).more(n)}
}

// percentiles lowers percentile, percentiles and their weighted forms.
func percentiles(c *call) ([]aggColumn, error) {
	weight, ps := percentileArgs(c)
	var cols []aggColumn
	for i, p := range ps {
		v, err := percentOf(c, p, i)
		if err != nil {
			return nil, err
		}
		q, err := percentileSQL(c, weight, v)
		if err != nil {
			return nil, err
		}
		label := strings.ReplaceAll(fmt.Sprint(v), ".", "_")
		typ := c.args[0].typ
		switch typ {
		case Int:
			typ, q = Long, "("+q+")::BIGINT"
		case Decimal:
			typ, q = Real, "("+q+")::DOUBLE"
		}
		cols = append(cols, aggColumn{name: fmt.Sprintf("percentile_%s_%s", c.argName(0), label), typ: typ, sql: q})
	}
	return cols, nil
}

// percentileArgs parts the arguments of c into the weight, nil where there is
// none, and the percentiles.
func percentileArgs(c *call) (weight *expr, ps []expr) {
	if strings.HasPrefix(c.name, "percentilew") || strings.HasPrefix(c.name, "percentilesw") {
		return &c.args[1], c.args[2:]
	}
	return nil, c.args[1:]
}

// percentOf is the constant percentile p.
func percentOf(c *call, p expr, i int) (float64, error) {
	var v float64
	switch n := p.lit.(type) {
	case float64:
		v = n
	case int64:
		v = float64(n)
	default:
		return 0, fmt.Errorf("%s(): percentile %d must be a number constant", c.name, i+1)
	}
	if v < 0 || v > 100 {
		return 0, fmt.Errorf("%s(): percentile %d is %v, but must lie between 0 and 100", c.name, i+1, v)
	}
	return v, nil
}

// percentileSQL is the value at or below which p percent of the values lie.
func percentileSQL(c *call, weight *expr, p float64) (string, error) {
	x := c.args[0]
	if !isNumber(x.typ) && !isTicks(x.typ) {
		return "", fmt.Errorf("%s(): argument 1 is %s, but must be a number, a datetime or a timespan", c.name, x.typ)
	}
	if weight == nil {
		return fmt.Sprintf("quantile_disc(%s, %v)", x.sql, p/100), nil
	}
	return fmt.Sprintf(`list_transform([list_sort(list({v: %s, w: %s}) FILTER (%[1]s IS NOT NULL AND %[2]s > 0))], lambda "$l":
list_filter("$l", lambda "$e", "$i": list_sum(list_transform("$l"[1:"$i"], lambda "$x": "$x".w)) >= list_sum(list_transform("$l", lambda "$x": "$x".w)) * %v)[1].v)[1]`,
		x.sql, weight.sql, p/100), nil
}

// percentilesArray lowers percentiles_array and percentilesw_array, whose
// percentiles may stand in one dynamic array.
func percentilesArray(c *call) (string, error) {
	weight, ps := percentileArgs(c)
	if len(ps) == 1 && ps[0].typ == Dynamic {
		j, ok := ps[0].constJSON()
		if !ok {
			return "", fmt.Errorf("%s(): the percentiles must be constants", c.name)
		}
		vs, err := numbersOf(j)
		if err != nil {
			return "", fmt.Errorf("%s(): the percentiles: %w", c.name, err)
		}
		ps = nil
		for _, v := range vs {
			ps = append(ps, realLit(v))
		}
	}
	if len(ps) == 0 {
		return "", errors.New(c.name + "(): no percentile is given")
	}
	var parts []string
	for i, p := range ps {
		v, err := percentOf(c, p, i)
		if err != nil {
			return "", err
		}
		q, err := percentileSQL(c, weight, v)
		if err != nil {
			return "", err
		}
		parts = append(parts, jsonOf(expr{sql: q, typ: c.args[0].typ}))
	}
	return "json_array(" + strings.Join(parts, ", ") + ")", nil
}
