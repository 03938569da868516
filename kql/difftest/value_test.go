package difftest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"picket/kql"
)

// Values are Go's own: nil for null, bool, int64 (int, long, and the ticks of
// datetime and timespan), float64, *big.Rat (decimal) and string (string, guid).
// A dynamic is nil, bool, int64, float64, string, []any or bag.

// bag is a property bag. The order of its slots means nothing.
type bag map[string]any

// oneOf stands for a value that the reference leaves open: any of these is right.
type oneOf []any

// unordered is an array whose order the reference leaves open.
type unordered []any

// unspecified is what the evaluator panics with where the reference does not
// say what must come out. The query proves nothing and is left out.
type unspecified string

func silent(format string, args ...any) { panic(unspecified(fmt.Sprintf(format, args...))) }

// fixed refuses a value that is open in some way: what is computed from it is too.
func fixed(v any) any {
	switch v.(type) {
	case oneOf, unordered:
		silent("computing with an open value")
	}
	return v
}

// The range of datetime: page "The datetime data type".
const (
	second  = 10_000_000
	minute  = 60 * second
	hour    = 60 * minute
	day     = 24 * hour
	maxTime = 3652059*day - 1 // 9999-12-31T23:59:59.9999999
)

// clock is the calendar time of ticks. time.Time counts from year 1 too.
func clock(t int64) time.Time {
	return time.Unix(t/second-62135596800, t%second*100).UTC()
}

// inTime is a datetime if t is within its range; beyond it the reference is silent.
func inTime(t int64) any {
	if t < 0 || t > maxTime {
		silent("datetime out of range")
	}
	return t
}

// addTicks adds two counts of ticks; an overflow is not described.
func addTicks(a, b int64) int64 {
	if s := a + b; (s > a) == (b > 0) {
		return s
	}
	silent("timespan overflow")
	return 0
}

// textOf is tostring(): page "tostring()", formats of the data types' pages.
func textOf(v any, t kql.Type) string {
	switch v := fixed(v).(type) {
	case nil:
		return ""
	case bool:
		return strconv.FormatBool(v)
	case string:
		return v
	case int64:
		switch t {
		case kql.DateTime:
			return clock(v).Format("2006-01-02T15:04:05.0000000Z")
		case kql.TimeSpan:
			return spanText(v)
		}
		return strconv.FormatInt(v, 10)
	case float64:
		silent("text of a real")
	case *big.Rat:
		silent("text of a decimal")
	}
	return jsonText(v)
}

// spanText writes [-][d.]hh:mm:ss[.fffffff]: page "The timespan data type".
func spanText(t int64) string {
	if t == math.MinInt64 {
		silent("text of the least timespan")
	}
	sign := ""
	if t < 0 {
		sign, t = "-", -t
	}
	s := fmt.Sprintf("%02d:%02d:%02d", t%day/hour, t%hour/minute, t%minute/second)
	if d := t / day; d > 0 {
		s = fmt.Sprintf("%d.%s", d, s)
	}
	if f := t % second; f > 0 {
		s += fmt.Sprintf(".%07d", f)
	}
	return sign + s
}

// jsonText writes an array or a bag without blanks: page "tostring()". With two
// slots or more their order is not laid down, and the text of a real is not either.
func jsonText(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		if strings.ContainsFunc(v, func(r rune) bool { return r > 126 || r < 32 || strings.ContainsRune(`<>&'/`, r) }) {
			silent("escapes in the text of a dynamic")
		}
		b, _ := json.Marshal(v)
		return string(b)
	case []any:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = jsonText(x)
		}
		return "[" + strings.Join(parts, ",") + "]"
	case bag:
		if len(v) > 1 {
			silent("order of slots in text")
		}
		for k, x := range v {
			return "{" + jsonText(k) + ":" + jsonText(x) + "}"
		}
		return "{}"
	}
	return textOf(v, kql.Dynamic)
}

// parseJSON reads JSON text: page "parse_json()". Whole numbers are long.
func parseJSON(s string) (any, bool) {
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil || dec.More() {
		return nil, false
	}
	return fromGo(v), true
}

func fromGo(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = fromGo(v[i])
		}
	case map[string]any:
		b := bag{}
		for k, x := range v {
			b[k] = fromGo(x)
		}
		return b
	}
	return v
}

// key is a text that two values have in common exactly when they are the same.
func key(v any) string {
	switch v := fixed(v).(type) {
	case float64:
		switch {
		case v == 0:
			return "f0" // minus zero too
		case math.IsNaN(v):
			return "fNaN"
		}
		return "f" + strconv.FormatFloat(v, 'g', -1, 64)
	case int64:
		return "i" + strconv.FormatInt(v, 10)
	case string:
		return strconv.Quote(v)
	case *big.Rat:
		return "m" + v.RatString()
	case []any:
		s := "["
		for _, x := range v {
			s += key(x) + ","
		}
		return s + "]"
	case bag:
		keys := make([]string, 0, len(v))
		for k := range v {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		s := "{"
		for _, k := range keys {
			s += strconv.Quote(k) + ":" + key(v[k]) + ","
		}
		return s + "}"
	}
	return fmt.Sprint(v)
}

func rowKey(row []any) string {
	var b strings.Builder
	for _, v := range row {
		b.WriteString(key(v))
		b.WriteByte('|')
	}
	return b.String()
}

// truth reports whether a condition holds; null does not.
func truth(v any) bool {
	if open, ok := v.(oneOf); ok {
		for _, x := range open {
			if x == true {
				silent("an open condition")
			}
		}
	}
	return v == true
}

// order compares two values of one scalar type that are neither null nor NaN.
// Strings are compared by code point.
func order(a, b any) int {
	switch x := fixed(a).(type) {
	case bool:
		y := fixed(b).(bool)
		switch {
		case x == y:
			return 0
		case y:
			return -1
		}
		return 1
	case int64:
		return cmp.Compare(x, fixed(b).(int64))
	case float64:
		y := fixed(b).(float64)
		if math.IsNaN(x) || math.IsNaN(y) {
			silent("comparing with NaN")
		}
		return cmp.Compare(x, y)
	case string:
		return strings.Compare(x, fixed(b).(string))
	case *big.Rat:
		return x.Cmp(fixed(b).(*big.Rat))
	}
	silent("ordering dynamic values")
	return 0
}
