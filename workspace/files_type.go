package workspace

import (
	"context"
	"fmt"
	"strings"

	"picket/kql"
)

// textType is a type that text can be of: how a text is told to be of it, and
// made one. $1 stands for the text, which is not NULL in test.
type textType struct {
	kind kql.Type
	test string // an SQL condition
	conv string
}

// The patterns of numbers, datetimes and timespans, as RE2 has them.
const (
	realText     = `-?((0|[1-9][0-9]{0,14})(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?`
	dateTimeText = `[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?)?`
	timeSpanText = `-?([0-9]{1,7}\.)?[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,7})?`
)

// textTypes are tried in this order; what is of none is a string.
func textTypes() []textType {
	return []textType{
		{kql.Bool, `lower($1) IN ('true', 'false')`, `$1::BOOLEAN`},
		// The number printed again is the text: so 007 is none.
		{kql.Long, `TRY_CAST($1 AS BIGINT)::VARCHAR = $1`, `$1::BIGINT`},
		{kql.Real, `TRY_CAST($1 AS DOUBLE) IS NOT NULL AND regexp_full_match($1, '` + realText + `')`, `$1::DOUBLE`},
		{kql.DateTime, `$1[5:5] = '-' AND regexp_full_match($1, '` + dateTimeText + `') AND TRY_CAST($1 AS TIMESTAMPTZ) IS NOT NULL`,
			// DuckDB reads microseconds; the seventh digit of the fraction is behind them.
			`(epoch_us($1::TIMESTAMPTZ) * 10 + ` + unixEpoch + ` + CASE WHEN length($1) > 26 THEN coalesce(TRY_CAST(regexp_extract($1, '\.[0-9]{6}([0-9])', 1) AS BIGINT), 0) ELSE 0 END)`},
		{kql.TimeSpan, `regexp_full_match($1, '` + timeSpanText + `')`, kql.TicksFromText("$1", kql.TimeSpan)},
		{kql.Dynamic, `regexp_matches($1, '^\s*[\[{]') AND json_valid($1)`, `$1::JSON`},
	}
}

// textColumn is a column of text whose type is looked for.
type textColumn struct {
	ref        string // the SQL that reads it: NULL or text
	candidates []textType
}

// narrow drops the candidates that not all values in sql's first rows are of
// (of all rows when rows is 0), and returns how many rows there are. A column
// without any value is a string.
func (l *loader) narrow(ctx context.Context, sql string, cols []*textColumn, rows int) error {
	if rows > 0 {
		sql = fmt.Sprintf("(SELECT * FROM %s LIMIT %d)", sql, rows)
	}
	var tests []string
	for _, c := range cols {
		if len(c.candidates) == 0 {
			continue
		}
		tests = append(tests, "count("+c.ref+") > 0")
		for _, t := range c.candidates {
			tests = append(tests, "coalesce(bool_and("+c.ref+" IS NULL OR coalesce("+strings.ReplaceAll(t.test, "$1", c.ref)+", false)), true)")
		}
	}
	// Also without a question to ask: all of the file is read, so that a bad row is told now.
	tests = append(tests, "count(*) > 0")
	answers := make([]bool, len(tests))
	dest := make([]any, len(tests))
	for i := range answers {
		dest[i] = &answers[i]
	}
	if err := l.conn.QueryRowContext(ctx, "SELECT "+strings.Join(tests, ", ")+" FROM "+sql).Scan(dest...); err != nil {
		return readError(err)
	}
	for _, c := range cols {
		if len(c.candidates) == 0 {
			continue
		}
		any := answers[0]
		answers = answers[1:]
		var left []textType
		for i, t := range c.candidates {
			// A sample without a value rules nothing out.
			if answers[i] && (any || rows > 0) {
				left = append(left, t)
			}
		}
		answers = answers[len(c.candidates):]
		c.candidates = left
	}
	return nil
}

// sampleRows rule out most types before all rows are looked at.
const sampleRows = 2048

// typed finds the type of every column, and the expression that makes it so.
func (l *loader) typed(ctx context.Context, src *source, names []string, cols []*textColumn) error {
	for _, rows := range []int{sampleRows, 0} {
		if err := l.narrow(ctx, src.sql, cols, rows); err != nil {
			return err
		}
	}
	for i, c := range cols {
		t, expr := kql.String, "coalesce("+c.ref+", '')"
		if len(c.candidates) > 0 {
			t, expr = c.candidates[0].kind, strings.ReplaceAll(c.candidates[0].conv, "$1", c.ref)
		}
		src.columns = append(src.columns, kql.Column{Name: names[i], Type: t})
		src.exprs = append(src.exprs, expr)
	}
	return nil
}
