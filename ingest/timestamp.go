package ingest

import (
	"strings"
	"time"
)

// form is the shape of a timestamp.
type form uint8

const (
	bsd      form = iota // Nov 23 03:12:59
	iso                  // 2026-11-23T03:12:59Z
	isoSpace             // 2026-11-23 03:12:59, which application logs have
)

// The years a timestamp can have. Beyond them it is taken for text: KQL's
// datetime ends with 9999, and a log line of the year 0 is a mistake anyhow.
const (
	firstYear = 1970
	lastYear  = 2199
)

// skew is how far ahead of now a time without a year may be.
const skew = 24 * time.Hour

// timestamp reads a time of any known form at the head of s. rest is what
// follows it, beginning with a space or a colon unless empty. Times without a
// zone are in loc.
func timestamp(s string, now time.Time, loc *time.Location) (t time.Time, rest string, f form, ok bool) {
	if len(s) < len("Nov 3 03:12:59") {
		return t, s, bsd, false
	}
	if isDigit(s[0]) {
		if s[4] == ' ' { // "2026 Nov 23 03:12:59"
			if year, ok := number(s[:4]); ok {
				t, rest, ok = bsdTime(s[5:], year, now, loc)
				return t, rest, bsd, ok
			}
			return t, s, bsd, false
		}
		return isoTime(s, loc)
	}
	t, rest, ok = bsdTime(s, 0, now, loc)
	return t, rest, bsd, ok
}

// bsdTime reads the timestamp of RFC 3164 §4.1.2 with the liberties that
// senders take: a year before or after the clock, a one-digit day, fractions of
// a second, a zone. year 0 means not known.
func bsdTime(s string, year int, now time.Time, loc *time.Location) (t time.Time, rest string, ok bool) {
	if len(s) < len("Nov 3 03:12:59") || s[3] != ' ' {
		return t, s, false
	}
	m := month(s[:3])
	if m == 0 {
		return t, s, false
	}
	i := 4
	if s[i] == ' ' {
		i++
	}
	day, i := digits(s, i, 2)
	if i >= len(s) || s[i] != ' ' {
		return t, s, false
	}
	i++
	if y, ok := yearAt(s, i); ok && year == 0 {
		year, i = y, i+5
	}
	c, rest, ok := readClock(s[i:])
	if !ok {
		return t, s, false
	}
	if y, ok := yearAt(rest, 1); ok && year == 0 && rest[0] == ' ' {
		year, rest = y, rest[5:]
	}
	z, rest, ok := bsdZone(rest, loc)
	if !ok || year != 0 && (year < firstYear || year > lastYear) {
		return t, s, false
	}
	if year != 0 {
		t, ok = c.on(year, m, day, z)
	} else {
		t, ok = nearest(c, m, day, z, now)
	}
	return t, rest, ok
}

// nearest dates a time that has no year: the latest year that puts it no more
// than a day ahead of now. A sender's clock may run a little fast, and a line
// of December read in January is last year's; February 29 is the last one there was.
func nearest(c clock, m time.Month, day int, z zone, now time.Time) (time.Time, bool) {
	limit := now.Add(skew)
	// Leap years are at most eight years apart (1896, 1904), and the first
	// year tried may be the next one.
	for year, tries := limit.In(z.loc).Year(), 9; tries > 0; year, tries = year-1, tries-1 {
		if t, ok := c.on(year, m, day, z); ok && !t.After(limit) {
			return t, true
		}
	}
	return time.Time{}, false
}

// yearAt reads four digits followed by a space at s[i:], as a year.
func yearAt(s string, i int) (int, bool) {
	if len(s) < i+5 || s[i+4] != ' ' {
		return 0, false
	}
	y, ok := number(s[i : i+4])
	return y, ok && y >= firstYear && y <= lastYear
}

// bsdZone reads what may follow a clock: nothing, a numeric zone, UTC or GMT,
// or, as Cisco has it before a colon, an abbreviation. Abbreviations are not
// unique, so those others mean loc.
func bsdZone(s string, loc *time.Location) (zone, string, bool) {
	z, rest, ok := numericZone(s, loc)
	if !ok {
		return z, s, false
	}
	if len(rest) != len(s) || s == "" || s[0] != ' ' {
		return z, rest, rest == "" || rest[0] == ' ' || rest[0] == ':'
	}
	n := 1
	for n < len(s) && s[n] >= 'A' && s[n] <= 'Z' {
		n++
	}
	// "CEF:0|…" and other formats' heads are no zones.
	name, colon := s[1:n], n < len(s) && s[n] == ':' && ends(s[n+1:]) && !strings.HasPrefix(s[1:], cefPrefix)
	switch {
	case (name == "UTC" || name == "GMT") && (colon || n < len(s) && s[n] == ' '):
		return zone{loc: time.UTC}, s[n:], true
	case colon && len(name) >= 3 && len(name) <= 5:
		return z, s[n:], true
	}
	return z, s, true
}

// isoTime reads a time of RFC 3339 or ISO 8601: a T or a space in the middle, a
// point or a comma before the fraction, a zone or none.
func isoTime(s string, loc *time.Location) (t time.Time, rest string, f form, ok bool) {
	const date = "2006-01-02"
	if len(s) < len(date+"T15:04:05") || s[4] != '-' || s[7] != '-' {
		return t, s, iso, false
	}
	switch s[10] {
	case 'T', 't':
		f = iso
	case ' ':
		f = isoSpace
	default:
		return t, s, iso, false
	}
	year, ok1 := number(s[:4])
	m, ok2 := number(s[5:7])
	day, ok3 := number(s[8:10])
	c, rest, ok4 := readClock(s[11:])
	if !ok1 || !ok2 || !ok3 || !ok4 || year < firstYear || year > lastYear {
		return t, s, f, false
	}
	if len(rest) > 5 && rest[0] == ' ' && (rest[1] == '+' || rest[1] == '-') && isDigit(rest[2]) { // "03:12:59 +0100"
		rest = rest[1:]
	}
	z, rest, ok := numericZone(rest, loc)
	if !ok || rest != "" && rest[0] != ' ' && rest[0] != ':' {
		return t, s, f, false
	}
	t, ok = c.on(year, time.Month(m), day, z)
	return t, rest, f, ok
}

// zone is a location, or an offset from UTC. The offset is kept apart because a
// time.FixedZone for each line would be garbage.
type zone struct {
	loc  *time.Location
	east time.Duration
}

// numericZone reads Z, ±hh, ±hhmm or ±hh:mm. Without any of them the zone is
// loc and nothing is consumed.
func numericZone(s string, loc *time.Location) (z zone, rest string, ok bool) {
	if s == "" {
		return zone{loc: loc}, s, true
	}
	switch s[0] {
	case 'Z', 'z':
		return zone{loc: time.UTC}, s[1:], true
	case '+', '-':
	default:
		return zone{loc: loc}, s, true
	}
	h, i := digits(s, 1, 2)
	if i != 3 {
		return z, s, false
	}
	m, j := 0, i
	if j < len(s) && s[j] == ':' {
		j++
	}
	if mm, k := digits(s, j, 2); k == j+2 {
		m, i = mm, k
	}
	if h > 23 || m > 59 {
		return z, s, false
	}
	z = zone{loc: time.UTC, east: time.Duration(h)*time.Hour + time.Duration(m)*time.Minute}
	if s[0] == '-' {
		z.east = -z.east
	}
	return z, s[i:], true
}

// clock is a time of day.
type clock struct{ hour, minute, second, nano int }

// readClock reads hh:mm:ss with an optional fraction. A leap second is allowed.
func readClock(s string) (c clock, rest string, ok bool) {
	if len(s) < 8 || s[2] != ':' || s[5] != ':' {
		return c, s, false
	}
	var ok1, ok2, ok3 bool
	c.hour, ok1 = number(s[:2])
	c.minute, ok2 = number(s[3:5])
	c.second, ok3 = number(s[6:8])
	if !ok1 || !ok2 || !ok3 || c.hour > 23 || c.minute > 59 || c.second > 60 {
		return c, s, false
	}
	rest = s[8:]
	if len(rest) < 2 || rest[0] != '.' && rest[0] != ',' || !isDigit(rest[1]) {
		return c, rest, true
	}
	i, unit := 1, 100_000_000
	for ; i < len(rest) && isDigit(rest[i]); i++ {
		c.nano += int(rest[i]-'0') * unit
		unit /= 10 // digits past the ninth weigh nothing
	}
	return c, rest[i:], true
}

// on puts the clock on a day and returns the time in UTC; ok is false if the
// calendar has no such day.
func (c clock) on(year int, m time.Month, day int, z zone) (t time.Time, ok bool) {
	if m < 1 || m > 12 || day < 1 || day > 31 {
		return t, false
	}
	if day > 28 && time.Date(year, m, day, 0, 0, 0, 0, time.UTC).Day() != day {
		return t, false
	}
	return time.Date(year, m, day, c.hour, c.minute, c.second, c.nano, z.loc).Add(-z.east).UTC(), true
}

func month(s string) time.Month {
	switch s {
	case "Jan":
		return time.January
	case "Feb":
		return time.February
	case "Mar":
		return time.March
	case "Apr":
		return time.April
	case "May":
		return time.May
	case "Jun":
		return time.June
	case "Jul":
		return time.July
	case "Aug":
		return time.August
	case "Sep":
		return time.September
	case "Oct":
		return time.October
	case "Nov":
		return time.November
	case "Dec":
		return time.December
	}
	return 0
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// digits reads at most limit digits at s[i:] and returns their value and the index behind them.
func digits(s string, i, limit int) (n, end int) {
	for limit += i; i < len(s) && i < limit && isDigit(s[i]); i++ {
		n = n*10 + int(s[i]-'0')
	}
	return n, i
}

// number reads s, which must be digits throughout.
func number(s string) (int, bool) {
	n, end := digits(s, 0, len(s))
	return n, end == len(s) && end > 0
}
