package kql

import (
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Ticks of the larger units.
const (
	ticksPerDay  = 24 * 3600 * TicksPerSecond
	ticksPerHour = 3600 * TicksPerSecond
	ticksPerMin  = 60 * TicksPerSecond
)

// constant reads the text of a literal of type t.
func constant(s string, t Type) (expr, bool) {
	switch t {
	case String:
		return strLit(s), true
	case Bool:
		v, err := strconv.ParseBool(strings.ToLower(strings.TrimSpace(s)))
		return boolLit(v), err == nil
	case Int, Long:
		bits := 64
		if t == Int {
			bits = 32
		}
		v, ok := parseInt(strings.TrimSpace(s), bits)
		if t == Int {
			return intLit(v), ok
		}
		return longLit(v), ok
	case Real:
		v, ok := parseReal(s)
		return realLit(v), ok
	case Decimal:
		return decimalLit(s)
	case DateTime:
		v, err := ParseDateTime(s)
		return ticksLit(v, t), err == nil
	case TimeSpan:
		v, err := ParseTimeSpan(s)
		return ticksLit(v, t), err == nil
	case Guid:
		g, ok := parseGUID(s)
		return expr{sql: quoteString(g), typ: Guid, lit: g}, ok
	}
	return unknown(), false
}

func parseInt(s string, bits int) (int64, bool) {
	if strings.HasPrefix(strings.ToLower(s), "0x") {
		u, err := strconv.ParseUint(s[2:], 16, 64)
		return int64(u), err == nil
	}
	v, err := strconv.ParseInt(s, 10, bits)
	return v, err == nil
}

func parseReal(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	switch strings.ToLower(s) {
	case "+inf", "inf":
		return math.Inf(1), true
	case "-inf":
		return math.Inf(-1), true
	case "nan":
		return math.NaN(), true
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil
}

// decimalLit reads a decimal constant. Only digits, sign, point and exponent
// get through.
func decimalLit(s string) (expr, bool) {
	s = strings.TrimSpace(s)
	r, ok := new(big.Rat).SetString(s)
	if !ok || strings.ContainsAny(s, "/_xXpP") || len(s) > 60 {
		return unknown(), false
	}
	return expr{sql: "'" + r.FloatString(16) + "'::DECIMAL(38,16)", typ: Decimal}, true
}

// parseGUID reads a GUID in any of its written forms and returns the canonical one.
func parseGUID(s string) (string, bool) {
	s = strings.ToLower(strings.Trim(strings.TrimSpace(s), `"'{}()`))
	h := strings.ReplaceAll(s, "-", "")
	if len(h) != 32 || strings.Trim(h, "0123456789abcdef") != "" {
		return "", false
	}
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], true
}

// dateLayouts are the written forms of datetimes without zone and fraction:
// those with a slash, those with the name of a month, and the others.
var dateLayouts = struct{ slashed, named, plain []string }{
	slashed: []string{"1/2/2006 3:4:5 PM", "1/2/2006 3:4 PM", "1/2/2006 15:4:5", "1/2/2006 15:4", "1/2/2006",
		"2006/1/2 15:4:5", "2006/1/2 15:4", "2006/1/2T15:4:5", "2006/1/2", "2/Jan/2006:15:4:5"},
	named: []string{"Mon, 2 Jan 2006 15:4:5", "Mon, 2 Jan 06 15:4:5", "Mon, 2 Jan 2006 15:4", "Mon, 2 Jan 06 15:4",
		"2 Jan 2006 15:4:5", "2 Jan 06 15:4:5", "2 Jan 2006 15:4", "2 Jan 06 15:4", "2 Jan 2006",
		"Monday, 2-Jan-06 15:4:5", "Monday, 2-Jan-06 15:4", "2-Jan-06 15:4:5", "2-Jan-06 15:4", "2-Jan-2006 15:4:5", "2-Jan-2006 15:4", "2-Jan-2006",
		"Mon Jan 2 15:4:5 2006", "Jan 2 2006 15:4:5", "Jan 2 2006 3:4:5 PM", "Jan 2, 2006 15:4:5", "Jan 2, 2006 3:4:5 PM", "Jan 2 2006", "Jan 2, 2006",
		"January 2, 2006", "2 January 2006"},
	plain: []string{"2006-1-2T15:4:5", "2006-1-2 15:4:5", "2006-1-2T15:4", "2006-1-2 15:4", "2006-1-2T15", "2006-1-2 15", "2006-1-2", "2006-1", "2006",
		"2006-1-2 3:4:5 PM", "2006-1-2 3:4 PM", "1-2-2006 15:4:5", "1-2-2006 15:4", "1-2-2006 3:4:5 PM", "1-2-2006", "20060102", "20060102T150405", "20060102150405"},
}

// layoutsOf are the forms that s may have.
func layoutsOf(s string) []string {
	if strings.Contains(s, "/") {
		return dateLayouts.slashed
	}
	for i := range len(s) { // a month has three letters, AM and PM have two
		if i+2 < len(s) && isLetter(s[i]) && isLetter(s[i+1]) && isLetter(s[i+2]) {
			return dateLayouts.named
		}
	}
	return dateLayouts.plain
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// ParseDateTime reads a datetime as KQL's datetime(…) literal and todatetime()
// do: ISO 8601 in all its degrees, with a fraction of up to 7 digits and Z or
// an offset, and RFC 822/850 forms. Without an offset it is UTC. Quotes around
// the text are allowed.
func ParseDateTime(s string) (Ticks, error) {
	orig := s
	s = strings.TrimSpace(strings.Trim(strings.TrimSpace(s), `"'`))
	s = strings.Map(func(r rune) rune { // what was copied from a web page has spaces of other kinds
		if unicode.IsSpace(r) {
			return ' '
		}
		return r
	}, s)
	for _, sep := range []string{"-", "/", ":"} { // blanks around separators mean nothing
		s = strings.ReplaceAll(strings.ReplaceAll(s, " "+sep+" ", sep), "  ", " ")
	}
	if n := len(s); n > 64 || n < 4 || !strings.ContainsAny(s, "0123456789") {
		return 0, fmt.Errorf("parsing datetime %.70q: want a form such as 2024-01-31T12:34:56.1234567Z", orig)
	}
	s, offset, ok := cutZone(s)
	s, frac, ok2 := cutFraction(s)
	if ok && ok2 {
		for _, l := range layoutsOf(s) {
			t, err := time.Parse(l, s)
			if err == nil {
				v := TicksOf(t) + frac - offset
				if v < 0 || v > MaxDateTime {
					break
				}
				return v, nil
			}
		}
	}
	return 0, fmt.Errorf("parsing datetime %q: want a form such as 2024-01-31T12:34:56.1234567Z", orig)
}

// cutZone takes Z, UTC, GMT or ±hh:mm off the end and returns the offset in ticks.
func cutZone(s string) (rest string, offset Ticks, ok bool) {
	for _, z := range []string{"Z", "z", " UTC", " GMT", " utc", " gmt"} {
		if r, found := strings.CutSuffix(s, z); found {
			return strings.TrimSpace(r), 0, true
		}
	}
	i := strings.LastIndexAny(s, "+-")
	if i < 0 || !strings.Contains(s[:i], ":") {
		return s, 0, true
	}
	z := strings.ReplaceAll(s[i+1:], ":", "")
	n, err := strconv.Atoi(z)
	if err != nil || n < 0 || (len(z) != 4 && len(z) != 2) {
		return s, 0, false
	}
	if len(z) == 2 {
		n *= 100
	}
	offset = Ticks(n/100)*ticksPerHour + Ticks(n%100)*ticksPerMin
	if s[i] == '-' {
		offset = -offset
	}
	return strings.TrimSpace(s[:i]), offset, offset <= 14*ticksPerHour && offset >= -14*ticksPerHour
}

// cutFraction takes the fraction of a second out of s; digits beyond the
// seventh are dropped.
func cutFraction(s string) (rest string, frac Ticks, ok bool) {
	c := strings.LastIndexByte(s, ':')
	i := strings.IndexAny(s[c+1:], ".,")
	if c < 0 || i < 0 {
		return s, 0, true
	}
	i += c + 1
	j := i + 1
	for j < len(s) && s[j] >= '0' && s[j] <= '9' {
		j++
	}
	digits := s[i+1 : j]
	if digits == "" {
		return s, 0, false
	}
	digits = (digits + "0000000")[:7]
	n, err := strconv.ParseInt(digits, 10, 64)
	return s[:i] + s[j:], n, err == nil
}

// FormatDateTime prints a datetime as Log Analytics does:
// 2024-01-31T12:34:56.1234567Z, with as many decimals as it takes, at most 7.
func FormatDateTime(t Ticks) string { return string(appendDateTime(nil, t)) }

func appendDateTime(dst []byte, t Ticks) []byte {
	dst = TimeOf(t).AppendFormat(dst, "2006-01-02T15:04:05")
	return append(appendFraction(dst, (t%TicksPerSecond+TicksPerSecond)%TicksPerSecond, true), 'Z')
}

// appendFraction appends .fffffff unless it is zero.
func appendFraction(dst []byte, f Ticks, trim bool) []byte {
	if f == 0 {
		return dst
	}
	s := fmt.Sprintf(".%07d", f)
	if trim {
		s = strings.TrimRight(s, "0")
	}
	return append(dst, s...)
}

// FormatTimeSpan prints a timespan as KQL does: [-][d.]hh:mm:ss[.fffffff].
func FormatTimeSpan(t Ticks) string { return string(appendTimeSpan(nil, t)) }

func appendTimeSpan(dst []byte, t Ticks) []byte {
	u := uint64(t)
	if t < 0 {
		dst = append(dst, '-')
		u = -u
	}
	if d := u / uint64(ticksPerDay); d > 0 {
		dst = append(strconv.AppendUint(dst, d, 10), '.')
	}
	s := u / uint64(TicksPerSecond)
	dst = fmt.Appendf(dst, "%02d:%02d:%02d", s/3600%24, s/60%60, s%60)
	return appendFraction(dst, Ticks(u%uint64(TicksPerSecond)), false)
}

// spanUnits are the units of timespans, in ticks, by the ends of their names:
// of two that fit, the longer comes first.
var spanUnits = []struct {
	suffix string
	ticks  float64
}{
	{"microseconds", 10}, {"microsecond", 10}, {"milliseconds", 1e4}, {"millisecond", 1e4}, {"nanoseconds", 0.01}, {"nanosecond", 0.01},
	{"microsec", 10}, {"millisec", 1e4}, {"nanosec", 0.01}, {"micros", 10}, {"millis", 1e4}, {"nanos", 0.01}, {"micro", 10}, {"milli", 1e4}, {"nano", 0.01},
	{"seconds", 1e7}, {"second", 1e7}, {"minutes", 6e8}, {"minute", 6e8}, {"hours", 36e9}, {"hour", 36e9}, {"days", 864e9}, {"day", 864e9},
	{"ticks", 1}, {"tick", 1}, {"sec", 1e7}, {"min", 6e8}, {"hrs", 36e9}, {"hr", 36e9}, {"ms", 1e4}, {"s", 1e7}, {"m", 6e8}, {"h", 36e9}, {"d", 864e9},
}

// ParseTimeSpan reads a timespan in the forms of KQL's literals: 1d, 1.5h,
// 10ms, 3ticks, a bare number of days, and [-][d.]hh:mm[:ss[.fffffff]].
func ParseTimeSpan(s string) (Ticks, error) {
	orig := s
	bad := func() (Ticks, error) {
		return 0, fmt.Errorf("parsing timespan %.70q: want a form such as 1d, 1.5h, 10ms or 1.02:03:04.5", orig)
	}
	s = strings.TrimSpace(strings.Trim(strings.TrimSpace(s), `"'`))
	if strings.Contains(s, ":") {
		if v, ok := parseClock(s); ok {
			return v, nil
		}
		return bad()
	}
	unit := 864e9 // a bare number counts days
	for _, u := range spanUnits {
		if r, ok := strings.CutSuffix(s, u.suffix); ok {
			s, unit = strings.TrimSpace(r), u.ticks
			break
		}
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || strings.ContainsAny(s, "xXpPnNiI_") || math.Abs(v*unit) >= math.MaxInt64 {
		return bad()
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && unit >= 1 {
		return n * int64(unit), nil
	}
	return Ticks(math.Round(v * unit)), nil
}

// maxDays are the whole days that a timespan can have.
const maxDays = math.MaxInt64 / uint64(ticksPerDay)

// parseClock reads [-][d.]hh:mm[:ss[.f]].
func parseClock(s string) (Ticks, bool) {
	s, neg := strings.CutPrefix(s, "-")
	var total, frac Ticks
	if c := strings.LastIndexByte(s, ':'); c >= 0 {
		if i := strings.IndexByte(s[c:], '.'); i >= 0 {
			digits := s[c+i+1:]
			if digits == "" || len(digits) > 9 || strings.Trim(digits, "0123456789") != "" {
				return 0, false
			}
			frac, _ = strconv.ParseInt((digits + "0000000")[:7], 10, 64)
			s = s[:c+i]
		}
	}
	if d, rest, ok := strings.Cut(s, "."); ok {
		n, err := strconv.ParseUint(d, 10, 24)
		if err != nil || n > maxDays {
			return 0, false
		}
		total, s = Ticks(n)*ticksPerDay, rest
	}
	parts := strings.Split(s, ":")
	if len(parts) == 4 { // d:hh:mm:ss
		n, err := strconv.ParseUint(parts[0], 10, 24)
		if err != nil || n > maxDays {
			return 0, false
		}
		total, parts = Ticks(n)*ticksPerDay, parts[1:]
	}
	if len(parts) < 2 || len(parts) > 3 {
		return 0, false
	}
	limit := []uint64{24, 60, 60}
	unit := []Ticks{ticksPerHour, ticksPerMin, TicksPerSecond}
	for i, p := range parts {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n >= limit[i] {
			return 0, false
		}
		total += Ticks(n) * unit[i]
	}
	if total += frac; neg { // the least timespan has no positive counterpart, and is its own
		return -total, total >= 0 || total == math.MinInt64
	}
	return total, total >= 0
}
