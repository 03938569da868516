package playbook

import (
	"strings"
	"time"
)

// The date and time functions. All work in UTC; an offset in a timestamp is
// honoured. A result takes a .NET format as last argument, "o" by default.
var timeFunctions = []function{
	{name: "utcNow", params: []kind{kString}, ret: kString, call: func(e *env, a []any) (any, error) { return formatArg(e.now, a, 0) }},
	{name: "formatDateTime", params: []kind{kString, kString}, min: 1, ret: kString, call: func(_ *env, a []any) (any, error) {
		t, err := timeArg(a[0])
		if err != nil {
			return nil, err
		}
		return formatArg(t, a, 1)
	}},
	{name: "parseDateTime", params: []kind{kString}, min: 1, ret: kString, call: func(_ *env, a []any) (any, error) {
		t, err := timeArg(a[0])
		if err != nil {
			return nil, err
		}
		return formatArg(t, a, 1)
	}},
	{name: "addSeconds", params: addParams, min: 2, ret: kString, call: func(_ *env, a []any) (any, error) { return addUnits(a, "Second") }},
	{name: "addMinutes", params: addParams, min: 2, ret: kString, call: func(_ *env, a []any) (any, error) { return addUnits(a, "Minute") }},
	{name: "addHours", params: addParams, min: 2, ret: kString, call: func(_ *env, a []any) (any, error) { return addUnits(a, "Hour") }},
	{name: "addDays", params: addParams, min: 2, ret: kString, call: func(_ *env, a []any) (any, error) { return addUnits(a, "Day") }},
	{name: "addToTime", params: []kind{kString, kInt, kString, kString}, min: 3, ret: kString, call: func(_ *env, a []any) (any, error) {
		return shift(a[0], a[1].(int64), a[2].(string), a, 3)
	}},
	{name: "subtractFromTime", params: []kind{kString, kInt, kString, kString}, min: 3, ret: kString, call: func(_ *env, a []any) (any, error) {
		return shift(a[0], -a[1].(int64), a[2].(string), a, 3)
	}},
	{name: "getFutureTime", params: []kind{kInt, kString, kString}, min: 2, ret: kString, call: func(e *env, a []any) (any, error) {
		return shift(formatTime(e.now, "o"), a[0].(int64), a[1].(string), a, 2)
	}},
	{name: "getPastTime", params: []kind{kInt, kString, kString}, min: 2, ret: kString, call: func(e *env, a []any) (any, error) {
		return shift(formatTime(e.now, "o"), -a[0].(int64), a[1].(string), a, 2)
	}},
	{name: "startOfDay", params: []kind{kString, kString}, min: 1, ret: kString, call: func(_ *env, a []any) (any, error) {
		return startOf(a, func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location()) })
	}},
	{name: "startOfHour", params: []kind{kString, kString}, min: 1, ret: kString, call: func(_ *env, a []any) (any, error) {
		return startOf(a, func(t time.Time) time.Time {
			return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), 0, 0, 0, t.Location())
		})
	}},
	{name: "startOfMonth", params: []kind{kString, kString}, min: 1, ret: kString, call: func(_ *env, a []any) (any, error) {
		return startOf(a, func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, t.Location()) })
	}},
	{name: "dayOfWeek", params: []kind{kString}, min: 1, ret: kInt, call: func(_ *env, a []any) (any, error) {
		t, err := timeArg(a[0])
		return int64(t.Weekday()), err
	}},
	{name: "dayOfMonth", params: []kind{kString}, min: 1, ret: kInt, call: func(_ *env, a []any) (any, error) {
		t, err := timeArg(a[0])
		return int64(t.Day()), err
	}},
	{name: "dayOfYear", params: []kind{kString}, min: 1, ret: kInt, call: func(_ *env, a []any) (any, error) {
		t, err := timeArg(a[0])
		return int64(t.YearDay()), err
	}},
	// Ticks are 100 ns since the year 1.
	{name: "ticks", params: []kind{kString}, min: 1, ret: kInt, call: func(_ *env, a []any) (any, error) {
		t, err := timeArg(a[0])
		return (t.Unix()+62135596800)*1e7 + int64(t.Nanosecond())/100, err
	}},
}

var addParams = []kind{kString, kNumber, kString}

// timeArg reads a timestamp: ISO 8601 with or without time and zone, or RFC 1123.
func timeArg(v any) (time.Time, error) {
	s := strings.TrimSpace(v.(string))
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04Z07:00", "2006-01-02T15:04",
		"2006-01-02 15:04:05.999999999Z07:00", "2006-01-02 15:04:05.999999999", "2006-01-02", time.RFC1123, time.RFC1123Z, "1/2/2006 3:04:05 PM", "1/2/2006 15:04:05", "1/2/2006"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, nil
		}
	}
	return time.Time{}, evalFail("'%s' is not a timestamp such as 2026-01-31T09:30:00Z", cut(s, 40))
}

func formatArg(t time.Time, a []any, i int) (any, error) {
	f := "o"
	if len(a) > i && a[i].(string) != "" {
		f = a[i].(string)
	}
	if y := t.Year(); y < 1 || y > 9999 {
		return nil, evalFail("the year %d is out of range", y)
	}
	return formatTime(t, f), nil
}

func startOf(a []any, f func(time.Time) time.Time) (any, error) {
	t, err := timeArg(a[0])
	if err != nil {
		return nil, err
	}
	return formatArg(f(t), a, 1)
}

// addUnits adds a[1] units, which may have a fraction, to the timestamp a[0].
func addUnits(a []any, unit string) (any, error) {
	if n, ok := a[1].(int64); ok {
		return shift(a[0], n, unit, a, 2)
	}
	t, err := timeArg(a[0])
	if err != nil {
		return nil, err
	}
	d := map[string]time.Duration{"Second": time.Second, "Minute": time.Minute, "Hour": time.Hour, "Day": 24 * time.Hour}[unit]
	f := a[1].(float64) * float64(d)
	if f > 1<<62 || f < -1<<62 {
		return nil, evalFail("%s %ss are out of range", text(a[1]), strings.ToLower(unit))
	}
	return formatArg(t.Add(time.Duration(f)), a, 2)
}

// shift adds n units to a timestamp.
func shift(at any, n int64, unit string, a []any, formatAt int) (any, error) {
	t, err := timeArg(at)
	if err != nil {
		return nil, err
	}
	if n > 1<<40 || n < -1<<40 {
		return nil, evalFail("%d is out of range", n)
	}
	switch strings.TrimSuffix(strings.ToLower(unit), "s") {
	case "second":
		t = time.Unix(t.Unix()+n, int64(t.Nanosecond())).In(t.Location())
	case "minute":
		t = time.Unix(t.Unix()+60*n, int64(t.Nanosecond())).In(t.Location())
	case "hour":
		t = time.Unix(t.Unix()+3600*n, int64(t.Nanosecond())).In(t.Location())
	case "day", "week", "month", "year":
		if n > 4_000_000 || n < -4_000_000 {
			return nil, evalFail("%d is out of range", n)
		}
		t = addCalendar(t, int(n), strings.TrimSuffix(strings.ToLower(unit), "s"))
	default:
		return nil, evalFail("the unit must be Second, Minute, Hour, Day, Week, Month or Year, not '%s'", unit)
	}
	return formatArg(t, a, formatAt)
}

func addCalendar(t time.Time, n int, unit string) time.Time {
	switch unit {
	case "day":
		return t.AddDate(0, 0, n)
	case "week":
		return t.AddDate(0, 0, 7*n)
	case "year":
		n *= 12
	}
	// The last day of a short month, where Go would run over into the next.
	u := t.AddDate(0, n, 0)
	if u.Day() != t.Day() {
		u = u.AddDate(0, 0, -u.Day())
	}
	return u
}
