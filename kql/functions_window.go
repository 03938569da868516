package kql

import "errors"

// windowFunctions are the functions that look at other rows. They need an
// input whose rows have an order.
func windowFunctions() []function {
	fs := []function{
		fn("row_number", low(Long, lowerRowNumber, Long, Bool).from(1), tpl(Long, "row_number() OVER ()")),
		fn("prev", low(Unknown, neighbour("lag"), Unknown, Long, Unknown).from(1).as(typeOf(0))),
		fn("next", low(Unknown, neighbour("lead"), Unknown, Long, Unknown).from(1).as(typeOf(0))),
		fn("row_window_session", low(DateTime, lowerRowWindowSession, DateTime, TimeSpan, TimeSpan, Bool).from(3)),
		fn("row_cumsum",
			low(Int, lowerRowCumsum, Int, Bool).from(1),
			low(Long, lowerRowCumsum, Long, Bool).from(1), low(Real, lowerRowCumsum, Real, Bool).from(1),
			low(Decimal, lowerRowCumsum, Decimal, Bool).from(1),
			low(TimeSpan, lowerRowCumsum, TimeSpan, Bool).from(1)),
		fn("row_rank_dense", low(Long, lowerRowRank(true), Unknown, Bool).from(1)),
		fn("row_rank_min", low(Long, lowerRowRank(false), Unknown, Bool).from(1)),
	}
	for i := range fs {
		fs[i].window = true
	}
	return fs
}

// upTo is the window of all rows up to the present one.
const upTo = " OVER (ROWS UNBOUNDED PRECEDING)"

// neighbour lowers prev() and next(): (value[, offset[, default]]).
func neighbour(sqlName string) func(c *call) (string, error) {
	return func(c *call) (string, error) {
		args := c.args
		if len(args) == 3 {
			d, err := castTo(args[2], args[0].typ)
			if err != nil {
				return "", err
			}
			args = []expr{args[0], args[1], {sql: d}}
		}
		q := expand(sqlName+"($*) OVER ()", args)
		if len(args) < 3 && args[0].typ == String {
			q = "coalesce(" + q + ", '')"
		}
		return q, nil
	}
}

// stage computes sql, which may hold window functions, in a step before, since
// SQL has no window over a window.
func (c *call) stage(sql string) (string, error) {
	if c.hoist == nil {
		return "", errors.New(c.name + "() needs the rows of a table: it cannot stand here")
	}
	return c.hoist(sql), nil
}

// A last_value(… IGNORE NULLS) is always a stage of its own: two of them in one
// SELECT get into each other's way in DuckDB 1.5, and yield each other's values.

// sinceRestart is running minus what it had come to before the last row where
// restart held; value is what that row itself adds.
func (c *call) sinceRestart(running, value, restart string) (string, error) {
	r, err := c.stage(running)
	if err != nil {
		return "", err
	}
	b, err := c.stage("CASE WHEN " + restart + " THEN " + r + " - " + value + " END")
	if err != nil {
		return "", err
	}
	last, err := c.stage("last_value(" + b + " IGNORE NULLS)" + upTo)
	return "(" + r + " - coalesce(" + last + ", 0))", err
}

func lowerRowNumber(c *call) (string, error) {
	n := "row_number() OVER ()"
	if len(c.args) == 2 {
		var err error
		if n, err = c.sinceRestart(n, "1", c.args[1].sql); err != nil {
			return "", err
		}
	}
	return expand("("+n+" + $1 - 1)", c.args), nil
}

func lowerRowCumsum(c *call) (string, error) {
	x := "coalesce(" + c.args[0].sql + ", 0)"
	sum := "(sum(" + x + ")" + upTo + ")"
	if len(c.args) == 2 {
		var err error
		if sum, err = c.sinceRestart(sum, x, c.args[1].sql); err != nil {
			return "", err
		}
	}
	switch c.args[0].typ {
	case Real:
		return sum, nil
	case Int:
		return "(((" + sum + " + 2147483648) & 4294967295) - 2147483648)::INTEGER", nil
	}
	return wrapSQL(sum), nil
}

// lowerRowRank lowers row_rank_dense() and row_rank_min(): the rank rises by
// one, or to the row's number, with every change of the term.
func lowerRowRank(dense bool) func(c *call) (string, error) {
	return func(c *call) (string, error) {
		term, err := c.stage(c.args[0].sql)
		if err != nil {
			return "", err
		}
		restart := "false"
		if len(c.args) == 2 {
			if restart, err = c.stage("coalesce(" + c.args[1].sql + ", false)"); err != nil {
				return "", err
			}
		}
		changed, err := c.stage("(row_number() OVER () = 1 OR " + restart + " OR lag(" + term + ") OVER () IS DISTINCT FROM " + term + ")")
		if err != nil {
			return "", err
		}
		if dense {
			return c.sinceRestart("(count(*) FILTER ("+changed+")"+upTo+")", "1", restart)
		}
		n, err := c.sinceRestart("row_number() OVER ()", "1", restart)
		if err != nil {
			return "", err
		}
		if n, err = c.stage(n); err != nil {
			return "", err
		}
		return c.stage("last_value(CASE WHEN " + changed + " THEN " + n + " END IGNORE NULLS)" + upTo)
	}
}

// lowerRowWindowSession lowers row_window_session(time, maxFromFirst,
// maxBetween[, restart]): the time at which the row's session began. A session
// ends where the next row is too far from it, or from the session's first row.
func lowerRowWindowSession(c *call) (string, error) {
	t, err := c.stage(c.args[0].sql)
	if err != nil {
		return "", err
	}
	gap := "row_number() OVER () = 1 OR " + t + " - lag(" + t + ") OVER () > " + c.args[2].sql
	if len(c.args) == 4 {
		gap += " OR coalesce(" + c.args[3].sql + ", false)"
	}
	n, err := c.stage("row_number() OVER ()")
	if err != nil {
		return "", err
	}
	if gap, err = c.stage("CASE WHEN " + gap + " THEN " + n + " END"); err != nil {
		return "", err
	}
	// The rows since the last gap, of which those too far from the first begin anew.
	since, err := c.stage(n + " - last_value(" + gap + " IGNORE NULLS)" + upTo)
	if err != nil {
		return "", err
	}
	rows, err := c.stage("list(" + t + ") OVER (ROWS BETWEEN " + since + " PRECEDING AND CURRENT ROW)")
	if err != nil {
		return "", err
	}
	return `list_reduce(` + rows + `, lambda "$s", "$t": CASE WHEN "$t" - "$s" > ` + c.args[1].sql + ` THEN "$t" ELSE "$s" END)`, nil
}
