package kql

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode/utf8"
)

// AppendJSON appends the JSON form of a result value of type t to dst, as the
// Log Analytics query API writes it. v is what the driver scanned: bool,
// integers, float64, string, []byte or nil. Datetimes and timespans are ticks
// and print as [FormatDateTime] and [FormatTimeSpan] do; NaN and the infinities
// are strings, since JSON has none; dynamic is nested as it is; null is null,
// but a null string is "".
func AppendJSON(dst []byte, v any, t Type) []byte {
	switch x := v.(type) {
	case nil:
		if t == String {
			return append(dst, `""`...)
		}
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, x)
	case int64:
		return appendInt(dst, x, t)
	case int32:
		return appendInt(dst, int64(x), t)
	case int16:
		return appendInt(dst, int64(x), t)
	case int8:
		return appendInt(dst, int64(x), t)
	case int:
		return appendInt(dst, int64(x), t)
	case *big.Int:
		return append(dst, x.String()...)
	case float32:
		return appendReal(dst, float64(x))
	case float64:
		return appendReal(dst, x)
	case []byte:
		return appendText(dst, string(x), t)
	case string:
		return appendText(dst, x, t)
	}
	return appendString(dst, fmt.Sprint(v))
}

func appendInt(dst []byte, v int64, t Type) []byte {
	switch t {
	case DateTime:
		dst = appendDateTime(append(dst, '"'), v)
		return append(dst, '"')
	case TimeSpan:
		dst = appendTimeSpan(append(dst, '"'), v)
		return append(dst, '"')
	case Bool:
		return strconv.AppendBool(dst, v != 0)
	}
	return strconv.AppendInt(dst, v, 10)
}

func appendReal(dst []byte, v float64) []byte {
	switch {
	case math.IsNaN(v):
		return append(dst, `"NaN"`...)
	case math.IsInf(v, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(v, -1):
		return append(dst, `"-Infinity"`...)
	}
	format := byte('f')
	if a := math.Abs(v); a != 0 && (a < 1e-6 || a >= 1e21) {
		format = 'e'
	}
	n := len(dst)
	dst = strconv.AppendFloat(dst, v, format, -1, 64)
	if !strings.ContainsAny(string(dst[n:]), ".e") {
		dst = append(dst, ".0"...)
	}
	return dst
}

func appendText(dst []byte, s string, t Type) []byte {
	switch t {
	case Dynamic:
		if json.Valid([]byte(s)) {
			return append(dst, s...)
		}
	case Decimal:
		if _, err := strconv.ParseFloat(s, 64); err == nil {
			if strings.Contains(s, ".") {
				s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
			}
			return appendString(dst, s)
		}
	}
	return appendString(dst, s)
}

const hexDigits = "0123456789abcdef"

// appendString appends s as a JSON string.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			switch {
			case c == '"' || c == '\\':
				dst = append(dst, '\\', c)
			case c == '\n':
				dst = append(dst, '\\', 'n')
			case c == '\r':
				dst = append(dst, '\\', 'r')
			case c == '\t':
				dst = append(dst, '\\', 't')
			case c < ' ':
				dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			default:
				dst = append(dst, c)
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		dst = utf8.AppendRune(dst, r)
		i += n
	}
	return append(dst, '"')
}

// appendJSONValue appends the constant v of a dynamic literal.
func appendJSONValue(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		return strconv.AppendBool(dst, v)
	case int64:
		return strconv.AppendInt(dst, v, 10)
	case float64:
		return appendReal(dst, v)
	case string:
		return appendString(dst, v)
	case []any:
		dst = append(dst, '[')
		for i, x := range v {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = appendJSONValue(dst, x)
		}
		return append(dst, ']')
	case *bag:
		dst = append(dst, '{')
		for i, k := range v.keys {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = append(appendString(dst, k), ':')
			dst = appendJSONValue(dst, v.vals[i])
		}
		return append(dst, '}')
	}
	return append(dst, "null"...)
}
