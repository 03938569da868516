package kql

import (
	"fmt"
	"slices"
	"strings"
)

// seriesColumns are the result columns of the series functions that yield
// several, as their pages name them.
var seriesColumns = map[string][]Column{
	"series_stats":               {{"min", Real}, {"min_idx", Long}, {"max", Real}, {"max_idx", Long}, {"avg", Real}, {"stdev", Real}, {"variance", Real}},
	"series_fit_line":            {{"rsquare", Real}, {"slope", Real}, {"variance", Real}, {"rvariance", Real}, {"interception", Real}, {"line_fit", Dynamic}},
	"series_fit_poly":            {{"rsquare", Real}, {"coefficients", Dynamic}, {"variance", Real}, {"rvariance", Real}, {"poly_fit", Dynamic}},
	"series_fft":                 {{"real", Dynamic}, {"imag", Dynamic}},
	"series_ifft":                {{"real", Dynamic}, {"imag", Dynamic}},
	"series_periods_detect":      {{"periods", Dynamic}, {"scores", Dynamic}},
	"series_periods_validate":    {{"periods", Dynamic}, {"scores", Dynamic}},
	"series_decompose":           {{"baseline", Dynamic}, {"seasonal", Dynamic}, {"trend", Dynamic}, {"residual", Dynamic}},
	"series_decompose_forecast":  {{"baseline", Dynamic}, {"seasonal", Dynamic}, {"trend", Dynamic}, {"residual", Dynamic}},
	"series_decompose_anomalies": {{"ad_flag", Dynamic}, {"ad_score", Dynamic}, {"baseline", Dynamic}},
	"series_fit_2lines": {
		{"rsquare", Real}, {"split_idx", Long}, {"variance", Real}, {"rvariance", Real}, {"line_fit", Dynamic},
		{"right_rsquare", Real}, {"right_slope", Real}, {"right_interception", Real}, {"right_variance", Real}, {"right_rvariance", Real},
		{"left_rsquare", Real}, {"left_slope", Real}, {"left_interception", Real}, {"left_variance", Real}, {"left_rvariance", Real},
	},
}

// seriesFunctions are the functions over arrays of numbers.
func seriesFunctions() []function {
	var fs []function
	for name := range seriesOps() {
		result := Dynamic
		switch name {
		case "series_sum", "series_product", "series_dot_product", "series_magnitude", "series_cosine_similarity", "series_pearson_correlation":
			result = Real
		}
		s := low(result, func(c *call) (string, error) { return seriesValue(c, result), nil }, Dynamic, Unknown).more(1)
		if takesNumbers(name) {
			s = low(result, s.lower, Unknown, Unknown)
		}
		f := fn(name, s)
		if cols := seriesColumns[name]; cols != nil {
			f.columns = func(c *call) ([]aggColumn, error) { return seriesTuple(c, cols), nil }
		}
		fs = append(fs, f)
	}
	fs = append(fs,
		fn("series_stats_dynamic", low(Dynamic, func(c *call) (string, error) { return seriesBag(c, "series_stats"), nil }, Dynamic, Unknown).more(1)),
		fn("series_fit_2lines_dynamic", low(Dynamic, func(c *call) (string, error) { return seriesBag(c, "series_fit_2lines"), nil }, Dynamic)),
		fn("series_fit_line_dynamic", low(Dynamic, func(c *call) (string, error) { return seriesBag(c, "series_fit_line"), nil }, Dynamic)))
	slices.SortFunc(fs, func(a, b function) int { return strings.Compare(a.name, b.name) })
	return fs
}

// seriesJSON is the SQL of the native call, as JSON.
func seriesJSON(c *call, name string) string {
	return nativeCall("kql_series", quoteString(name), "json_array("+joinJSON(c.args)+")::VARCHAR") + "::JSON"
}

func seriesValue(c *call, result Type) string {
	if result == Real {
		return "(" + seriesJSON(c, c.name) + ")::DOUBLE"
	}
	return seriesJSON(c, c.name)
}

// seriesTuple reads the several results of a native call.
func seriesTuple(c *call, cols []Column) []aggColumn {
	out := make([]aggColumn, len(cols))
	all := seriesJSON(c, c.name)
	for i, col := range cols {
		sql := fmt.Sprintf("json_extract(%s, '$[%d]')", all, i)
		if col.Type != Dynamic {
			sql = "(" + sql + ")::" + col.Type.SQL()
		}
		out[i] = aggColumn{name: c.name + "_" + c.argName(0) + "_" + col.Name, typ: col.Type, sql: sql}
	}
	return out
}

// seriesBag gives the results of a function of several as one bag.
func seriesBag(c *call, name string) string {
	var parts []string
	for i, col := range seriesColumns[name] {
		parts = append(parts, fmt.Sprintf(`'%s', json_extract("$o", '$[%d]')`, col.Name, i))
	}
	if name == "series_stats" { // two more than the columns
		parts = append(parts, `'sum', json_extract("$o", '$[7]'), 'len', json_extract("$o", '$[8]')`)
	}
	return `(list_transform([` + seriesJSON(c, name) + `], lambda "$o": CASE WHEN "$o" IS NOT NULL THEN json_object(` + strings.Join(parts, ", ") + `) END)[1])`
}
