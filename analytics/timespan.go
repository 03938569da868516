package analytics

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

var (
	kqlSpan   = regexp.MustCompile(`(?i)^(\d{1,9}(?:\.\d{1,6})?)\s*(d|days?|h|hrs?|hours?|m|min|minutes?|s|sec|seconds?)$`)
	clockSpan = regexp.MustCompile(`^(?:(\d{1,4})\.)?(\d{1,2}):(\d{2})(?::(\d{2}))?$`)
	isoSpan   = regexp.MustCompile(`(?i)^P(?:(\d{1,4})W)?(?:(\d{1,4})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,7})S)?)?$`)
)

// parseTimespan reads a timespan as rules spell it: KQL's 10m, 1h, 1.5d, its
// 1.00:30:00, or ISO 8601's PT5H, which the repository's files mix in.
func parseTimespan(s string) (time.Duration, bool) {
	if m := kqlSpan.FindStringSubmatch(s); m != nil {
		n, err := strconv.ParseFloat(m[1], 64)
		unit := map[byte]time.Duration{'d': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute, 's': time.Second}[m[2][0]|0x20]
		if err != nil || n*float64(unit) > float64(10_000*24*time.Hour) {
			return 0, false // beyond any use, and beyond time.Duration
		}
		return time.Duration(n * float64(unit)).Round(time.Millisecond), true
	}
	if m := clockSpan.FindStringSubmatch(s); m != nil {
		return sum(m[1:], 24*time.Hour, time.Hour, time.Minute, time.Second), true
	}
	if m := isoSpan.FindStringSubmatch(s); m != nil && !strings.HasSuffix(strings.ToUpper(s), "T") && len(s) > 1 {
		return sum(m[1:], 7*24*time.Hour, 24*time.Hour, time.Hour, time.Minute, time.Second), true
	}
	return 0, false
}

func sum(numbers []string, units ...time.Duration) time.Duration {
	var d time.Duration
	for i, u := range units {
		n, _ := strconv.Atoi(numbers[i]) // digits by the pattern, or empty
		d += time.Duration(n) * u
	}
	return d
}

// span returns a field that holds a timespan from lo to hi.
func (o *object) span(key string, lo, hi, or time.Duration, required bool) time.Duration {
	expected := fmt.Sprintf("a timespan from %s to %s, such as 10m, 1h or 1d", timespan(lo), timespan(hi))
	n, ok := o.values[key]
	if !ok {
		if required {
			o.missing(key, expected)
		}
		return or
	}
	s, _ := scalar(n)
	d, ok := parseTimespan(strings.TrimSpace(s))
	if !ok || d < lo || d > hi {
		o.r.problem(n, "%s%s: found %s; expected %s", o.path, key, found(n), expected)
		return or
	}
	return d
}

// timespan returns d as KQL writes it, in the largest unit that is exact: 10m, 1h, 14d.
func timespan(d time.Duration) string {
	switch {
	case d == 0:
		return "0m"
	case d%(24*time.Hour) == 0:
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", d/time.Hour)
	case d%time.Minute == 0:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d%time.Second == 0:
		return fmt.Sprintf("%ds", d/time.Second)
	}
	return fmt.Sprintf("%dms", d/time.Millisecond)
}
