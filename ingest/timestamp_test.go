package ingest

import (
	"testing"
	"time"
)

// TestParseYear holds how a time without a year gets one.
func TestParseYear(t *testing.T) {
	f := func(now time.Time, stamp string, want time.Time) {
		t.Helper()
		got := Parse([]byte("<13>"+stamp+" h a: x"), now, now.Location()).Time
		if !got.Equal(want) {
			t.Errorf("%s read on %s: got %s, want %s", stamp, now, got, want)
		}
	}
	utc := func(y int, m time.Month, d, h, min, s int) time.Time {
		return time.Date(y, m, d, h, min, s, 0, time.UTC)
	}
	now := utc(2026, 11, 23, 3, 30, 0)
	f(now, "Nov 23 03:12:59", utc(2026, 11, 23, 3, 12, 59))
	f(now, "Dec 10 06:55:46", utc(2025, 12, 10, 6, 55, 46))
	// The edge of a day ahead.
	f(now, "Nov 24 03:30:00", utc(2026, 11, 24, 3, 30, 0))
	f(now, "Nov 24 03:30:01", utc(2025, 11, 24, 3, 30, 1))
	// Around New Year, both ways.
	f(utc(2027, 1, 1, 0, 0, 5), "Dec 31 23:59:59", utc(2026, 12, 31, 23, 59, 59))
	f(utc(2026, 12, 31, 23, 59, 58), "Jan  1 00:00:03", utc(2027, 1, 1, 0, 0, 3))
	f(utc(2026, 12, 31, 23, 59, 58), "Jan  2 00:00:03", utc(2026, 1, 2, 0, 0, 3))
	// February 29.
	f(utc(2028, 3, 1, 0, 0, 0), "Feb 29 12:00:00", utc(2028, 2, 29, 12, 0, 0))
	f(utc(2028, 2, 28, 12, 0, 0), "Feb 29 11:00:00", utc(2028, 2, 29, 11, 0, 0))
	f(utc(2028, 2, 28, 12, 0, 0), "Feb 29 13:00:00", utc(2024, 2, 29, 13, 0, 0))
	f(utc(2026, 11, 23, 0, 0, 0), "Feb 29 12:00:00", utc(2024, 2, 29, 12, 0, 0))
	f(utc(2103, 11, 23, 0, 0, 0), "Feb 29 12:00:00", utc(2096, 2, 29, 12, 0, 0))
	f(utc(2104, 1, 1, 0, 0, 0), "Feb 29 12:00:00", utc(2096, 2, 29, 12, 0, 0))
	f(now, "Feb 30 12:00:00", time.Time{})
	// A year given is not guessed.
	f(now, "Dec 10 2003 06:55:46", utc(2003, 12, 10, 6, 55, 46))
	f(now, "Dec 10 2030 06:55:46", utc(2030, 12, 10, 6, 55, 46))

	// In the sender's zone: New Year is not the same moment everywhere.
	east := time.FixedZone("east", 14*3600)
	f(time.Date(2027, 1, 1, 0, 0, 5, 0, east), "Dec 31 23:59:59", time.Date(2026, 12, 31, 23, 59, 59, 0, east))
	f(time.Date(2027, 1, 1, 0, 0, 5, 0, east), "Jan  1 00:00:04", time.Date(2027, 1, 1, 0, 0, 4, 0, east))
	f(time.Date(2026, 11, 23, 0, 0, 5, 0, east), "Nov 23 00:00:04", time.Date(2026, 11, 23, 0, 0, 4, 0, east))
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("no time zones here:", err)
	}
	f(time.Date(2026, 7, 1, 12, 0, 0, 0, berlin), "Jul  1 12:00:00", utc(2026, 7, 1, 10, 0, 0))
	f(time.Date(2026, 7, 1, 12, 0, 0, 0, berlin), "Jan  1 12:00:00", utc(2026, 1, 1, 11, 0, 0))
}
