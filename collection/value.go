package collection

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"picket/kql"
)

// maxField is how much of a text is kept, in bytes ("Azure Monitor service
// limits", Logs Ingestion API: 64 KB). More is cut off.
const maxField = 64 << 10

// valueOf turns a JSON value into one that a column of the type holds. null is
// nil and fits every column; what does not fit is nil and not ok.
func valueOf(raw json.RawMessage, t kql.Type) (v any, ok bool) {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return nil, true
	}
	if t == kql.Dynamic {
		return json.RawMessage(raw), true
	}
	text := string(raw)
	if raw[0] == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			return nil, false
		}
	}
	switch t {
	case kql.String, kql.Guid:
		return cut(text, maxField), true
	case kql.Int:
		n, err := strconv.ParseInt(whole(text), 10, 32)
		return n, err == nil
	case kql.Long:
		n, err := strconv.ParseInt(whole(text), 10, 64)
		return n, err == nil
	case kql.Real:
		f, err := strconv.ParseFloat(text, 64)
		return f, err == nil
	case kql.Bool:
		b, err := strconv.ParseBool(text)
		return b, err == nil
	case kql.DateTime:
		at, err := instant(text)
		return at, err == nil
	}
	return nil, false
}

// cut returns at most n bytes of a text, whole characters of it.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// whole writes a number such as 3.0 or 1e3 as a whole one; what is none stays.
func whole(text string) string {
	if !strings.ContainsAny(text, ".eE") {
		return text
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return strconv.FormatInt(int64(f), 10)
	}
	return text
}

// instant reads an ISO 8601 time; one without a zone is UTC.
func instant(s string) (at time.Time, err error) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if at, err = time.Parse(layout, s); err == nil {
			return at.UTC(), nil
		}
	}
	return at, err
}
