package ingest

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"picket/kql"
)

// fromJSON makes a JSON value one of type t. ok is false when nothing of that
// type says the same: numbers are not rounded or cut. JSON's null is no value.
func fromJSON(v json.RawMessage, t kql.Type, now time.Time, loc *time.Location) (value any, ok bool) {
	switch {
	case len(v) == 0 || string(v) == "null":
		return nil, true
	case t == kql.Dynamic:
		return v, true
	case v[0] == '"':
		var s string
		if json.Unmarshal(v, &s) != nil {
			return nil, false
		}
		if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
			s = clean([]byte(s))
		}
		return fromText(s, t, now, loc)
	case t == kql.String: // a number, true, an object, …: as it is written
		return string(v), true
	case v[0] == '{', v[0] == '[':
		return nil, false
	}
	return fromText(string(v), t, now, loc)
}

// fromText reads a value of type t. ok is false when s is none.
func fromText(s string, t kql.Type, now time.Time, loc *time.Location) (value any, ok bool) {
	switch t {
	case kql.String:
		return s, true
	case kql.Dynamic:
		if raw := []byte(s); len(s) > 0 && (s[0] == '{' || s[0] == '[') && json.Valid(raw) {
			return json.RawMessage(raw), true
		}
		return marshal(s), true
	}
	s = strings.TrimSpace(s)
	switch t {
	case kql.Int:
		n, err := strconv.ParseInt(s, 10, 32)
		return int32(n), err == nil
	case kql.Long:
		n, err := strconv.ParseInt(s, 10, 64)
		return n, err == nil
	case kql.Real:
		f, err := strconv.ParseFloat(s, 64)
		return f, err == nil && !math.IsInf(f, 0) && !math.IsNaN(f)
	case kql.Bool:
		switch strings.ToLower(s) {
		case "true", "1":
			return true, true
		case "false", "0":
			return false, true
		}
	case kql.Guid:
		id, err := uuid.Parse(s)
		return id.String(), err == nil && len(s) == len(uuid.Nil.String())
	case kql.DateTime:
		return eventTime(s, now, loc)
	}
	return nil, false
}

// eventTime reads a time as logs have them: ISO 8601, those of syslog and of web
// servers, and seconds, milliseconds or microseconds since 1970.
func eventTime(s string, now time.Time, loc *time.Location) (any, bool) {
	if t, ok := epoch(s); ok {
		return t, true
	}
	if t, rest, _, ok := timestamp(s, now, loc); ok && rest == "" {
		return t, true
	}
	if t, ok := webTime(strings.Trim(s, "[]"), loc); ok {
		return t, true
	}
	return nil, false
}

// epoch reads a number of seconds since 1970, or of milli- or microseconds if
// it is too large for those of this age.
func epoch(s string) (time.Time, bool) {
	whole, part, _ := strings.Cut(s, ".")
	n, end := digits(whole, 0, 16)
	if end < 9 || end != len(whole) || len(part) > 9 {
		return time.Time{}, false
	}
	if part != "" {
		if _, ok := number(part); !ok {
			return time.Time{}, false
		}
	}
	nano, _ := digits(part+strings.Repeat("0", 9-len(part)), 0, 9)
	var t time.Time
	switch {
	case end <= 10:
		t = time.Unix(int64(n), int64(nano))
	case end <= 13:
		t = time.UnixMilli(int64(n)).Add(time.Duration(nano) / 1000)
	default:
		t = time.UnixMicro(int64(n)).Add(time.Duration(nano) / 1_000_000)
	}
	t = t.UTC()
	return t, t.Year() <= lastYear
}
