package server

import (
	"testing"
	"time"
)

func TestParseTimespan(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	f := func(in, from, to string) {
		t.Helper()
		a, b, err := parseTimespan(in, now)
		if err != nil {
			t.Errorf("%q: %v", in, err)
			return
		}
		const layout = "2006-01-02T15:04:05"
		if a.Format(layout) != from || b.Format(layout) != to {
			t.Errorf("%q = %s/%s, want %s/%s", in, a.Format(layout), b.Format(layout), from, to)
		}
	}
	f("PT12H", "2026-11-23T00:00:00", "2026-11-23T12:00:00")
	f("PT3600.0S", "2026-11-23T11:00:00", "2026-11-23T12:00:00")
	f("P1DT1M", "2026-11-22T11:59:00", "2026-11-23T12:00:00")
	f("2026-01-01T00:00:00Z/2026-01-02T00:00:00Z", "2026-01-01T00:00:00", "2026-01-02T00:00:00")
	f("2026-01-01/PT1H", "2026-01-01T00:00:00", "2026-01-01T01:00:00")
	f("PT1H/2026-01-01T02:00:00+01:00", "2026-01-01T00:00:00", "2026-01-01T01:00:00")
	if a, b, err := parseTimespan("", now); err != nil || !a.IsZero() || !b.IsZero() {
		t.Errorf("empty: %v %v %v", a, b, err)
	}
	for _, bad := range []string{"P", "PT", "12h", "P1", "2026-01-01", "x/y", "PT1H/", "P99999999Y", "P1.2.3D"} {
		if _, _, err := parseTimespan(bad, now); err == nil {
			t.Errorf("%q: no error", bad)
		}
	}
}
