package kql

import (
	"fmt"
	"strconv"
	"strings"
)

// How datetimes are computed with: $1 // day is the number of days since
// 0001-01-01, a Monday, and what is left the time of day.
const (
	day      = "864000000000"
	hour     = "36000000000"
	minute   = "600000000"
	second   = "10000000"
	firstDay = "DATE '0001-01-01'"
	dateOf   = "(" + firstDay + " + ($1 // " + day + ")::INTEGER)" // $1 as a DATE
	unixUS   = "($1 // 10 - 62135596800000000)"                    // $1 as microseconds since 1970
	epoch    = "621355968000000000"
)

// ticksOfDate is the datetime at which a DATE (or TIMESTAMP at midnight) begins.
func ticksOfDate(date string) string {
	return "((" + date + ")::DATE - " + firstDay + ") * " + day
}

// datetimeFunctions are the functions over points in time and spans of it.
func datetimeFunctions() []function {
	fs := []function{
		fn("now", low(DateTime, func(c *call) (string, error) { return strconv.FormatInt(c.now, 10) + "::BIGINT", nil }),
			low(DateTime, func(c *call) (string, error) {
				return "(" + strconv.FormatInt(c.now, 10) + "::BIGINT + " + c.args[0].sql + ")", nil
			}, TimeSpan)),
		fn("ago", low(DateTime, func(c *call) (string, error) {
			return "(" + strconv.FormatInt(c.now, 10) + "::BIGINT - " + c.args[0].sql + ")", nil
		}, TimeSpan)),
		fn("dayofweek", tpl(TimeSpan, "(($1 // "+day+" + 1) % 7 * "+day+")", DateTime)),
		fn("dayofmonth", tpl(Int, "day("+dateOf+")::INTEGER", DateTime)),
		fn("dayofyear", tpl(Int, "dayofyear("+dateOf+")::INTEGER", DateTime)),
		fn("week_of_year", tpl(Int, "weekofyear("+dateOf+")::INTEGER", DateTime)),
		fn("monthofyear", tpl(Int, "month("+dateOf+")::INTEGER", DateTime)),
		fn("getyear", tpl(Int, "year("+dateOf+")::INTEGER", DateTime)),
		fn("hourofday", tpl(Int, "($1 // "+hour+" % 24)::INTEGER", DateTime)),
		fn("datetime_part", low(Int, lowerDatetimePart, String, DateTime)),
		fn("datetime_add", low(DateTime, lowerDatetimeAdd, String, Long, DateTime)),
		fn("datetime_diff", low(Long, lowerDatetimeDiff, String, DateTime, DateTime)),
		fn("make_datetime",
			low(DateTime, func(c *call) (string, error) { return castOrNull(c.args[0], DateTime), nil }, Unknown),
			tpl(DateTime, makeDatetime, Long, Long, Long, Long, Long, Real).from(3),
			low(DateTime, func(c *call) (string, error) { // all but the seconds are whole
				for i := range c.args[:min(5, len(c.args))] {
					c.args[i] = expr{sql: "TRY_CAST(trunc(" + c.args[i].sql + ") AS BIGINT)"}
				}
				return expand(makeDatetime, c.args), nil
			}, Real, Real, Real, Real, Real, Real).from(3)),
		fn("make_timespan",
			low(TimeSpan, func(c *call) (string, error) { return castOrNull(c.args[0], TimeSpan), nil }, Unknown),
			tpl(TimeSpan, makeTimespan("0", "$1", "$2", "coalesce($3, 0)"), Long, Long, Real).from(2),
			tpl(TimeSpan, makeTimespan("$1", "$2", "$3", "$4"), Long, Long, Long, Real)),
		fn("datetime_utc_to_local", tpl(DateTime, "(epoch_us(timezone($2, make_timestamptz("+unixUS+"))) * 10 + "+epoch+" + $1 % 10)", DateTime, String)),
		// A local time that a clock set forward skipped is read by the offset after it.
		fn("datetime_local_to_utc", tpl(DateTime, "list_transform([epoch_us(timezone($2, make_timestamp("+unixUS+")))], lambda \"$u\": (\"$u\" - epoch_us(timezone($2, make_timestamptz(\"$u\"))) + "+unixUS+") * 10 + "+epoch+" + $1 % 10)[1]", DateTime, String)),
		fn("datetime_list_timezones", tpl(Dynamic, "(SELECT to_json(list(name ORDER BY name)) FROM pg_timezone_names())")),
		fn("format_datetime", low(String, lowerFormatDatetime, DateTime, String)),
		fn("format_timespan", low(String, lowerFormatTimespan, TimeSpan, String)),
	}
	for _, u := range [...]struct {
		name string
		num  int64 // units in a tick, or ticks in a unit
		div  bool
	}{{"seconds", 10_000_000, false}, {"milliseconds", 10_000, false}, {"microseconds", 10, false}, {"nanoseconds", 100, true}} {
		fs = append(fs, unixFunction(u.name, u.num, u.div))
	}
	for _, p := range [...]struct {
		name, start string
		most        int64 // in 10,000 years
	}{
		{"day", "(($1 // " + day + " + $2) * " + day + ")", 3_653_000},
		// The week begins on Sunday, the day before 0001-01-01.
		{"week", "((($1 // " + day + " + 1) // 7 * 7 - 1 + 7 * ($2)) * " + day + ")", 522_000},
		{"month", "(" + ticksOfDate("date_trunc('month', "+dateOf+") + to_months(($2)::INTEGER)") + ")", 120_000},
		{"year", "(" + ticksOfDate("date_trunc('year', "+dateOf+") + to_years(($2)::INTEGER)") + ")", 10_000},
	} {
		at := func(offset string) string { return strings.ReplaceAll(p.start, "$2", offset) }
		most := atMost("$2", p.most)
		fs = append(fs,
			fn("startof"+p.name, tpl(DateTime, at("0"), DateTime), tpl(DateTime, inRange(at(most)), DateTime, Long)),
			fn("endof"+p.name, tpl(DateTime, "("+at("1")+" - 1)", DateTime), tpl(DateTime, inRange("("+at(most+" + 1")+" - 1)"), DateTime, Long)))
	}
	return fs
}

// makeDatetime and the templates of make_timespan() give null for what is not
// within its bounds: an hour of 24, a second of 60.
const makeDatetime = "CASE WHEN $1 BETWEEN 1 AND 9999 AND coalesce($4, 0) BETWEEN 0 AND 23 AND coalesce($5, 0) BETWEEN 0 AND 59 AND coalesce($6, 0) >= 0 AND coalesce($6, 0) < 60 THEN " +
	"((TRY(make_date($1, $2, $3))) - " + firstDay + ") * " + day + " + coalesce($4, 0) * " + hour + " + coalesce($5, 0) * " + minute + " + coalesce(round($6 * 1e7)::BIGINT, 0) END"

// makeTimespan is the span of days, hours, minutes and seconds.
func makeTimespan(d, h, m, s string) string {
	return "CASE WHEN " + h + " BETWEEN 0 AND 23 AND " + m + " BETWEEN 0 AND 59 AND " + s + " >= 0 AND " + s + " < 60 THEN " +
		d + " * " + day + " + " + h + " * " + hour + " + " + m + " * " + minute + " + round(" + s + " * 1e7)::BIGINT END"
}

// inRange makes null of what is before year 1 or after year 9999.
func inRange(sql string) string {
	return fmt.Sprintf("CASE WHEN %s BETWEEN 0 AND %d THEN %[1]s END", sql, MaxDateTime)
}

// atMost is an offset to a datetime, or most of its units where it is more or null.
// These lead out of all years there are, as it would, but with no overflow, which
// TRY() does not hold: DuckDB computes what an expression has twice beforehand.
func atMost(offset string, most int64) string {
	return fmt.Sprintf("greatest(least(%s, %d), -%[2]d)", offset, most)
}

// unixFunction makes unixtime_…_todatetime(); what no datetime can hold is null.
func unixFunction(unit string, num int64, div bool) function {
	lo, hi := -unixEpoch/num, (MaxDateTime-unixEpoch)/num
	sql := "$1 * " + strconv.FormatInt(num, 10)
	if div {
		lo, hi = -1<<63, 1<<63-1
		sql = "$1 // " + strconv.FormatInt(num, 10)
	}
	whole := fmt.Sprintf("CASE WHEN $1 BETWEEN %d AND %d THEN %s + %s END", lo, hi, sql, epoch)
	if div {
		whole = sql + " + " + epoch
		return fn("unixtime_"+unit+"_todatetime", tpl(DateTime, "("+whole+")", Long), tpl(DateTime, "(list_transform([TRY_CAST(trunc($1) AS BIGINT)], lambda \"$n\": "+strings.ReplaceAll(whole, "$1", `"$n"`)+")[1])", Real))
	}
	return fn("unixtime_"+unit+"_todatetime",
		tpl(DateTime, whole, Long),
		tpl(DateTime, fmt.Sprintf("CASE WHEN $1 BETWEEN %d AND %d THEN trunc($1 * %d)::BIGINT + %s END", lo, hi, num, epoch), Real))
}

// dateParts are the calendar units of datetime_part(), datetime_add() and
// datetime_diff(), each with the template of its value.
var dateParts = map[string]string{
	"year":         "year(" + dateOf + ")",
	"quarter":      "quarter(" + dateOf + ")",
	"month":        "month(" + dateOf + ")",
	"week_of_year": "weekofyear(" + dateOf + ")",
	"day":          "day(" + dateOf + ")",
	"dayofyear":    "dayofyear(" + dateOf + ")",
	"hour":         "($1 // " + hour + " % 24)",
	"minute":       "($1 // " + minute + " % 60)",
	"second":       "($1 // " + second + " % 60)",
	"millisecond":  "($1 // 10000 % 1000)",
	"microsecond":  "($1 // 10 % 1000000)",
	"nanosecond":   "($1 % 10000000 * 100)",
}

// clockUnits are the ticks of the units that always have the same length.
var clockUnits = map[string]int64{
	"week": 7 * 864_000_000_000, "day": 864_000_000_000, "hour": 36_000_000_000, "minute": 600_000_000,
	"second": 10_000_000, "millisecond": 10_000, "microsecond": 10,
}

// monthUnits are the months of the units that are made of months.
var monthUnits = map[string]int{"year": 12, "quarter": 3, "month": 1}

// unitArg returns the unit that argument 1 names, in lower case.
func unitArg(c *call) (string, error) {
	u, err := c.constString(0)
	if err != nil {
		return "", err
	}
	u = strings.ToLower(u)
	if u == "weekofyear" {
		u = "week_of_year"
	}
	return u, nil
}

func unknownUnit(c *call, u, known string) error {
	return fmt.Errorf("%s(): unknown part %q; it is one of %s", c.name, u, known)
}

func lowerDatetimePart(c *call) (string, error) {
	u, err := unitArg(c)
	if err != nil {
		return "", err
	}
	t, ok := dateParts[u]
	if !ok {
		return "", unknownUnit(c, u, "year, quarter, month, week_of_year, day, dayOfYear, hour, minute, second, millisecond, microsecond, nanosecond")
	}
	return expand(t+"::INTEGER", c.args[1:]), nil
}

func lowerDatetimeAdd(c *call) (string, error) {
	u, err := unitArg(c)
	if err != nil {
		return "", err
	}
	args := []expr{c.args[2], c.args[1]}
	switch ticks, months := clockUnits[u], monthUnits[u]; {
	case months > 0:
		return inRange(expand(fmt.Sprintf("(%s + $1 %% %s)", ticksOfDate(dateOf+" + to_months(("+atMost("$2", int64(120_000/months))+" * "+strconv.Itoa(months)+")::INTEGER)"), day), args)), nil
	case ticks > 0:
		return inRange(expand(fmt.Sprintf("($1 + %s * %d)", atMost("$2", MaxDateTime/ticks+1), ticks), args)), nil
	case u == "nanosecond":
		return inRange(expand("($1 + $2 // 100)", args)), nil
	}
	return "", unknownUnit(c, u, "year, quarter, month, week, day, hour, minute, second, millisecond, microsecond, nanosecond")
}

// lowerDatetimeDiff counts the borders of the unit that lie between two points
// in time: the last second of a year and the first of the next are one year apart.
func lowerDatetimeDiff(c *call) (string, error) {
	u, err := unitArg(c)
	if err != nil {
		return "", err
	}
	a, b := c.args[1:2], c.args[2:3]
	var count string
	switch ticks := clockUnits[u]; {
	case u == "year":
		count = dateParts["year"]
	case u == "quarter" || u == "month":
		count = fmt.Sprintf("(year(%s) * %d + %s(%[1]s))", dateOf, 12/monthUnits[u], u)
	case u == "week":
		count = "(($1 // " + day + " + 1) // 7)"
	case ticks > 0:
		count = fmt.Sprintf("($1 // %d)", ticks)
	case u == "nanosecond":
		return "TRY((" + a[0].sql + " - " + b[0].sql + ") * 100)", nil
	default:
		return "", unknownUnit(c, u, "year, quarter, month, week, day, hour, minute, second, millisecond, microsecond, nanosecond")
	}
	return "(" + expand(count, a) + " - " + expand(count, b) + ")", nil
}
