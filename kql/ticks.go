package kql

import "time"

// Ticks is a datetime (since 0001-01-01T00:00:00Z) or a timespan in units of 100 ns.
type Ticks = int64

// TicksPerSecond is how many ticks make a second.
const TicksPerSecond Ticks = 10_000_000

// unixEpoch is 1970-01-01T00:00:00Z in ticks.
const unixEpoch Ticks = 621_355_968_000_000_000

// MaxDateTime is 9999-12-31T23:59:59.9999999Z, the largest datetime.
const MaxDateTime Ticks = 3_155_378_975_999_999_999

// TicksOf returns t as a datetime; what is finer than 100 ns is cut off.
func TicksOf(t time.Time) Ticks {
	return unixEpoch + t.Unix()*TicksPerSecond + int64(t.Nanosecond())/100
}

// TimeOf returns the time of a datetime, in UTC.
func TimeOf(t Ticks) time.Time {
	d := t - unixEpoch
	s := d / TicksPerSecond
	r := d % TicksPerSecond
	return time.Unix(s, r*100).UTC()
}
