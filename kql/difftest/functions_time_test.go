package difftest

import (
	"maps"
	"slices"
	"strings"

	"picket/kql"
)

// calendar makes year, month and day of ticks, by counting.
func calendar(t int64) (y, m, d int64) {
	n := t / day
	y = n/366 + 1
	for dayNumber(y+1, 1, 1) <= n {
		y++
	}
	for m = 1; m < 12 && dayNumber(y, m+1, 1) <= n; {
		m++
	}
	return y, m, n - dayNumber(y, m, 1) + 1
}

// startOf is the beginning of the period of t, moved by n periods: pages
// startofday(), startofweek() (weeks begin on Sunday), startofmonth(), startofyear().
func startOf(period string, t, n int64) int64 {
	y, m, _ := calendar(t)
	switch period {
	case "day":
		return (t/day + n) * day
	case "week":
		// 0001-01-01 was a Monday.
		return (t/day-(t/day+1)%7)*day + n*7*day
	case "month":
		k := y*12 + m - 1 + n
		y, m = k/12, k%12+1
	case "year":
		y, m = y+n, 1
	}
	if y < 1 || y > 9999 {
		if y != 10000 || m != 1 {
			silent("datetime out of range")
		}
	}
	return dayNumber(y, m, 1) * day
}

func timeFunctions() []scalar {
	var out []scalar
	for _, p := range []string{"day", "week", "month", "year"} {
		start := func(t, n int64) any { return inTime(startOf(p, t, n)) }
		end := func(t, n int64) any { return inTime(startOf(p, t, n+1) - 1) }
		for i, f := range []func(t, n int64) any{start, end} {
			name := []string{"startof", "endof"}[i] + p
			out = append(out,
				scalar{name: name, args: "t", ret: kql.DateTime, f: func(v []any) any { return f(v[0].(int64), 0) }},
				scalar{name: name, args: "tl", ret: kql.DateTime, gen: []string{"", "-1 0 1 5 -13"}, f: func(v []any) any { return f(v[0].(int64), v[1].(int64)) }})
		}
	}
	t := func(v []any) int64 { return v[0].(int64) }
	return append(out,
		scalar{name: "dayofweek", args: "t", ret: kql.TimeSpan, f: func(v []any) any { return (t(v)/day + 1) % 7 * day }},
		scalar{name: "todatetime", args: "t", ret: kql.DateTime, f: func(v []any) any { return v[0] }},
		scalar{name: "totimespan", args: "p", ret: kql.TimeSpan, f: func(v []any) any { return v[0] }},
		scalar{name: "unixtime_seconds_todatetime", args: "l", ret: kql.DateTime, f: func(v []any) any {
			if t(v) < -62135596800 || t(v) > 253402300799 {
				silent("a second beyond datetime's range")
			}
			return (t(v) + 62135596800) * second
		}},
		scalar{name: "make_timespan", args: "ll", ret: kql.TimeSpan, gen: []string{"0 1 23", "0 5 59"}, f: func(v []any) any { return t(v)*hour + v[1].(int64)*minute }},
		scalar{name: "make_datetime", args: "lll", ret: kql.DateTime, gen: []string{"1 1999 2024 9999", "1 2 12", "1 28"}, f: func(v []any) any {
			return dayNumber(t(v), v[1].(int64), v[2].(int64)) * day
		}},
		scalar{name: "datetime_diff", args: "stt", ret: kql.Long, gen: []string{`"year" "quarter" "month" "week" "day" "hour" "minute" "second" "millisecond" "microsecond"`, "", ""}, f: func(v []any) any {
			return periods(v[0].(string), v[1].(int64)) - periods(v[0].(string), v[2].(int64))
		}},
		scalar{name: "datetime_add", args: "slt", ret: kql.DateTime, gen: []string{`"year" "quarter" "month" "week" "day" "hour" "minute" "second" "millisecond"`, "-2 0 1 3", ""}, f: func(v []any) any {
			return addPeriods(v[0].(string), v[1].(int64), v[2].(int64))
		}},
		scalar{name: "format_datetime", args: "ts", ret: kql.String, gen: []string{"", `"yyyy-MM-dd HH:mm:ss" "yy-M-d [H:m:s]" "yyyy-MM-dd HH:mm:ss.fffffff" "MM/dd/yyyy hh:mm:ss tt"`}, f: func(v []any) any {
			return formatTime(t(v), v[1].(string))
		}},
	)
}

// clockUnits are the units of one length, for datetime_diff() and datetime_add().
var clockUnits = map[string]int64{"week": 7 * day, "day": day, "hour": hour, "minute": minute, "second": second, "millisecond": second / 1000, "microsecond": 10}

// periods counts the borders of a unit before t.
func periods(unit string, t int64) int64 {
	y, m, _ := calendar(t)
	switch unit {
	case "year":
		return y
	case "quarter":
		return y*4 + (m-1)/3
	case "month":
		return y*12 + m - 1
	case "week":
		return (t/day + 1) / 7
	}
	return t / clockUnits[unit]
}

func addPeriods(unit string, n, t int64) any {
	if u, ok := clockUnits[unit]; ok {
		return inTime(addTicks(t, n*u))
	}
	y, m, d := calendar(t)
	k := y*12 + m - 1 + n*map[string]int64{"year": 12, "quarter": 3, "month": 1}[unit]
	y, m = k/12, k%12+1
	if y < 1 || y > 9999 {
		silent("datetime out of range")
	}
	if d > monthDays(y, m) {
		silent("a day that the month has not")
	}
	return dayNumber(y, m, d)*day + t%day
}

func formatTime(t int64, format string) any {
	layout := map[string]string{
		"yyyy-MM-dd HH:mm:ss":         "2006-01-02 15:04:05",
		"yyyy-MM-dd HH:mm:ss.fffffff": "2006-01-02 15:04:05.0000000",
		"MM/dd/yyyy hh:mm:ss tt":      "01/02/2006 03:04:05 PM",
	}[format]
	if layout != "" {
		return clock(t).Format(layout)
	}
	c := clock(t)
	return c.Format("06-1-2 [") + number(c.Hour()) + ":" + c.Format("4:5]")
}

func number(n int) string { return textOf(int64(n), kql.Long) }

// partFunctions are the parts of a datetime: a page each, and datetime_part().
func partFunctions() []scalar {
	parts := map[string]func(t int64) int64{
		"year":  func(t int64) int64 { y, _, _ := calendar(t); return y },
		"month": func(t int64) int64 { _, m, _ := calendar(t); return m },
		"day":   func(t int64) int64 { _, _, d := calendar(t); return d },
		"dayOfYear": func(t int64) int64 {
			y, _, _ := calendar(t)
			return t/day - dayNumber(y, 1, 1) + 1
		},
		"quarter":     func(t int64) int64 { _, m, _ := calendar(t); return (m + 2) / 3 },
		"hour":        func(t int64) int64 { return t % day / hour },
		"minute":      func(t int64) int64 { return t % hour / minute },
		"second":      func(t int64) int64 { return t % minute / second },
		"millisecond": func(t int64) int64 { return t % second / (second / 1000) },
		"microsecond": func(t int64) int64 { return t % second / 10 },
		"nanosecond":  func(t int64) int64 { return t % second * 100 },
		"week_of_year": func(t int64) int64 {
			_, w := clock(t).ISOWeek()
			return int64(w)
		},
	}
	var out []scalar
	names := `"` + strings.Join(slices.Sorted(maps.Keys(parts)), `" "`) + `"`
	out = append(out, scalar{name: "datetime_part", args: "st", ret: kql.Int, gen: []string{names, ""}, f: func(v []any) any { return parts[v[0].(string)](v[1].(int64)) }})
	for _, n := range [][2]string{{"getyear", "year"}, {"getmonth", "month"}, {"monthofyear", "month"}, {"dayofmonth", "day"}, {"dayofyear", "dayOfYear"}, {"hourofday", "hour"}, {"week_of_year", "week_of_year"}} {
		name, part := n[0], n[1]
		out = append(out, scalar{name: name, args: "t", ret: kql.Int, f: func(v []any) any { return parts[part](v[0].(int64)) }})
	}
	return out
}
