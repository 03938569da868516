package kql

import (
	"encoding/json"
	"math"
	"math/big"
	"testing"
)

func TestParseDateTime(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"2024-01-31", "2024-01-31T00:00:00Z"},
		{"2024", "2024-01-01T00:00:00Z"},
		{"2024-1-2 3:04", "2024-01-02T03:04:00Z"},
		{"2024-01-31T12:34:56Z", "2024-01-31T12:34:56Z"},
		{"2024-01-31 12:34:56.1234567", "2024-01-31T12:34:56.1234567Z"},
		{"2024-01-31T12:34:56.123456789Z", "2024-01-31T12:34:56.1234567Z"},
		{"2024-01-31T12:34:56.5+02:00", "2024-01-31T10:34:56.5Z"},
		{"2024-01-31T00:00:00-0130", "2024-01-31T01:30:00Z"},
		{`"2024-01-31"`, "2024-01-31T00:00:00Z"}, {"2024 - 01 - 31", "2024-01-31T00:00:00Z"}, {"1 / 31 / 2024", "2024-01-31T00:00:00Z"},
		{"0001-01-01", "0001-01-01T00:00:00Z"},
		{"9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59.9999999Z"},
		{"Sat, 8 Nov 2014 15:05:02 GMT", "2014-11-08T15:05:02Z"},
		{"8 Nov 14 15:05:02", "2014-11-08T15:05:02Z"},
		{"", ""}, {"now", ""}, {"2024-13-01", ""}, {"2024-01-31T25:00:00Z", ""}, {"2024-01-31T12:00:00.Z", ""},
		{"0001-01-01T00:00:00+01:00", ""}, {"9999-12-31T23:59:59-01:00", ""}, {"2024-01-31T12:00:00+99:00", ""},
	} {
		v, err := ParseDateTime(c.in)
		if (err != nil) != (c.want == "") {
			t.Errorf("ParseDateTime(%q): error %v", c.in, err)
		} else if err == nil && FormatDateTime(v) != c.want {
			t.Errorf("ParseDateTime(%q) = %s, want %s", c.in, FormatDateTime(v), c.want)
		}
	}
}

func TestParseTimeSpan(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"1d", "1.00:00:00"}, {"1.5h", "01:30:00"}, {"30m", "00:30:00"}, {"10s", "00:00:10"}, {"0.1s", "00:00:00.1000000"},
		{"100ms", "00:00:00.1000000"}, {"10microseconds", "00:00:00.0000100"}, {"3ticks", "00:00:00.0000003"}, {"1tick", "00:00:00.0000001"},
		{"2", "2.00:00:00"}, {"-1d", "-1.00:00:00"}, {"2 minutes", "00:02:00"}, {"1day", "1.00:00:00"},
		{"01:02:03", "01:02:03"}, {"12:30", "12:30:00"}, {"1.02:03:04.5", "1.02:03:04.5000000"}, {"-00:00:00.0000001", "-00:00:00.0000001"}, {"1:02:03:04", "1.02:03:04"},
		{"", ""}, {"d", ""}, {"1x", ""}, {"25:00:00", ""}, {"00:60:00", ""}, {"1e300d", ""}, {"nand", ""}, {"1:2:3:4:5", ""}, {"00:00:00.", ""},
	} {
		v, err := ParseTimeSpan(c.in)
		if (err != nil) != (c.want == "") {
			t.Errorf("ParseTimeSpan(%q): error %v", c.in, err)
		} else if err == nil && FormatTimeSpan(v) != c.want {
			t.Errorf("ParseTimeSpan(%q) = %s, want %s", c.in, FormatTimeSpan(v), c.want)
		}
	}
}

func TestAppendJSON(t *testing.T) {
	for _, c := range []struct {
		v    any
		typ  Type
		want string
	}{
		{nil, Long, "null"}, {nil, String, `""`}, {nil, Dynamic, "null"},
		{true, Bool, "true"}, {int32(-5), Int, "-5"}, {int64(math.MinInt64), Long, "-9223372036854775808"}, {big.NewInt(7), Long, "7"},
		{1.5, Real, "1.5"}, {2.0, Real, "2.0"}, {1e-7, Real, "1e-07"}, {1e300, Real, "1e+300"}, {123456789.0, Real, "123456789.0"},
		{math.NaN(), Real, `"NaN"`}, {math.Inf(1), Real, `"Infinity"`}, {math.Inf(-1), Real, `"-Infinity"`},
		{"1.5000000000000000", Decimal, `"1.5"`}, {"100.0000000000000000", Decimal, `"100"`},
		{int64(638396640000000000), DateTime, `"2024-01-01T00:00:00Z"`}, {int64(638396640001234567), DateTime, `"2024-01-01T00:00:00.1234567Z"`},
		{int64(638396640001000000), DateTime, `"2024-01-01T00:00:00.1Z"`},
		{int64(0), TimeSpan, `"00:00:00"`}, {int64(-1), TimeSpan, `"-00:00:00.0000001"`}, {int64(math.MinInt64), TimeSpan, `"-10675199.02:48:05.4775808"`},
		{`{"a":[1,null]}`, Dynamic, `{"a":[1,null]}`}, {"not json", Dynamic, `"not json"`}, {[]byte(`"x"`), Dynamic, `"x"`},
		{"a\"b\\\n\t\x01é\u2028" + string([]byte{0xff}), String, "\"a\\\"b\\\\\\n\\t\\u0001é\u2028\uFFFD\""},
		{"74be27de-1e4e-49d9-b579-fe0b331d3642", Guid, `"74be27de-1e4e-49d9-b579-fe0b331d3642"`},
	} {
		got := string(AppendJSON([]byte("x"), c.v, c.typ))[1:]
		if got != c.want {
			t.Errorf("AppendJSON(%v, %s) = %s, want %s", c.v, c.typ, got, c.want)
		}
		if !json.Valid([]byte(got)) {
			t.Errorf("AppendJSON(%v, %s) = %s is no JSON", c.v, c.typ, got)
		}
	}
}

// FuzzParseTime: what is parsed prints as something that parses to the same.
func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"2024-01-31T12:34:56.1234567Z", "1.02:03:04.5", "3ticks", "Sat, 8 Nov 2014 15:05:02 GMT", "2024-1-2", "-1d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if v, err := ParseDateTime(s); err == nil {
			if w, err := ParseDateTime(FormatDateTime(v)); err != nil || w != v {
				t.Errorf("datetime %q is %d, prints as %s, which is %d, %v", s, v, FormatDateTime(v), w, err)
			}
		}
		if v, err := ParseTimeSpan(s); err == nil {
			if w, err := ParseTimeSpan(FormatTimeSpan(v)); err != nil || w != v {
				t.Errorf("timespan %q is %d, prints as %s, which is %d, %v", s, v, FormatTimeSpan(v), w, err)
			}
		}
	})
}
