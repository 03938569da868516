package server

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// parseTimespan reads the timespan of the Log Analytics query API, ISO 8601:
// a duration (the last so long until now), start/end, start/duration or
// duration/end. Empty means all time, as zero times. Fractions are allowed
// (PT3600.0S is what the Python client sends).
func parseTimespan(s string, now time.Time) (from, to time.Time, err error) {
	if s == "" {
		return time.Time{}, time.Time{}, nil
	}
	a, b, interval := strings.Cut(s, "/")
	if !interval {
		d, err := parseDuration(a)
		if err != nil {
			return from, to, err
		}
		return now.Add(-d), now, nil
	}
	switch {
	case strings.HasPrefix(a, "P"):
		d, err := parseDuration(a)
		if err != nil {
			return from, to, err
		}
		to, err = parseInstant(b)
		return to.Add(-d), to, err
	case strings.HasPrefix(b, "P"):
		d, err := parseDuration(b)
		if err != nil {
			return from, to, err
		}
		from, err = parseInstant(a)
		return from, from.Add(d), err
	}
	if from, err = parseInstant(a); err != nil {
		return from, to, err
	}
	to, err = parseInstant(b)
	return from, to, err
}

func parseInstant(s string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("timespan: %q is no time; want 2006-01-02T15:04:05Z", s)
}

var isoDuration = regexp.MustCompile(`^P(?:([0-9.]+)Y)?(?:([0-9.]+)M)?(?:([0-9.]+)W)?(?:([0-9.]+)D)?(?:T(?:([0-9.]+)H)?(?:([0-9.]+)M)?(?:([0-9.]+)S)?)?$`)

// parseDuration reads an ISO 8601 duration. A year counts 365 days and a month 30.
func parseDuration(s string) (time.Duration, error) {
	bad := fmt.Errorf("timespan: %q is no ISO 8601 duration; want for example PT12H or P7D", s)
	m := isoDuration.FindStringSubmatch(s)
	if m == nil || strings.HasSuffix(s, "P") || strings.HasSuffix(s, "T") {
		return 0, bad
	}
	const day = 24 * time.Hour
	units := []time.Duration{365 * day, 30 * day, 7 * day, day, time.Hour, time.Minute, time.Second}
	var sum float64
	for i, u := range units {
		if m[i+1] == "" {
			continue
		}
		f, err := strconv.ParseFloat(m[i+1], 64)
		if err != nil {
			return 0, bad
		}
		sum += f * float64(u)
	}
	if sum > float64(200*365*day) {
		return 0, fmt.Errorf("timespan: %q is longer than 200 years", s)
	}
	return time.Duration(sum), nil
}
