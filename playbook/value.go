package playbook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Values of the expression language are nil, bool, int64, float64, string,
// []any and map[string]any. A JSON number with a fraction or an exponent is a
// float64, any other an int64, and each is written back as what it was.

// kind is a set of value types.
type kind uint8

const (
	kNull kind = 1 << iota
	kBool
	kInt
	kFloat
	kString
	kArray
	kObject

	kNumber = kInt | kFloat
	kAny    = kNull | kBool | kInt | kFloat | kString | kArray | kObject
)

// kindOf returns the type of v, with one bit set.
func kindOf(v any) kind {
	switch v.(type) {
	case nil:
		return kNull
	case bool:
		return kBool
	case int64:
		return kInt
	case float64:
		return kFloat
	case string:
		return kString
	case []any:
		return kArray
	case map[string]any:
		return kObject
	}
	return 0
}

// String names the types of k for people, for example "a string or an array".
func (k kind) String() string {
	if k == kAny {
		return "any value"
	}
	var names []string
	for _, n := range []struct {
		k    kind
		name string
	}{{kBool, "true or false"}, {kNumber, "a number"}, {kInt, "an integer"}, {kFloat, "a float"}, {kString, "a string"}, {kArray, "an array"}, {kObject, "an object"}, {kNull, "null"}} {
		if k&n.k == n.k {
			names = append(names, n.name)
			k &^= n.k
		}
	}
	return strings.Join(names, " or ")
}

// maxDepth bounds the nesting of JSON values and of expressions.
const maxDepth = 200

// decodeJSON reads one JSON value and refuses anything after it.
func decodeJSON(data []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("it is empty")
		}
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more text after the JSON value")
	}
	return normal(v, 0)
}

// normal turns what encoding/json and Go callers give into values of the language.
func normal(v any, depth int) (any, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("nested deeper than %d levels", maxDepth)
	}
	switch v := v.(type) {
	case nil, bool, string, int64, float64:
		return v, nil
	case json.Number:
		return number(string(v))
	case int:
		return int64(v), nil
	case []string:
		out := make([]any, len(v))
		for i, s := range v {
			out[i] = s
		}
		return out, nil
	case []any:
		for i, x := range v {
			n, err := normal(x, depth+1)
			if err != nil {
				return nil, err
			}
			v[i] = n
		}
		return v, nil
	case map[string]any:
		for k, x := range v {
			n, err := normal(x, depth+1)
			if err != nil {
				return nil, err
			}
			v[k] = n
		}
		return v, nil
	}
	return nil, fmt.Errorf("a Go value of type %T has no place here", v)
}

// number reads a JSON number.
func number(s string) (any, error) {
	if !strings.ContainsAny(s, ".eE") {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n, nil
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsInf(f, 0) {
		return nil, fmt.Errorf("the number %s is too large", s)
	}
	return f, nil
}

// encodeJSON writes v as JSON, keys sorted, so that equal values give equal text.
func encodeJSON(v any) string {
	var b strings.Builder
	appendJSON(&b, v)
	return b.String()
}

func appendJSON(b *strings.Builder, v any) {
	switch v := v.(type) {
	case nil:
		b.WriteString("null")
	case bool:
		b.WriteString(strconv.FormatBool(v))
	case int64:
		b.WriteString(strconv.FormatInt(v, 10))
	case float64:
		b.WriteString(floatText(v))
	case string:
		quoteJSON(b, v)
	case []any:
		b.WriteByte('[')
		for i, x := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			appendJSON(b, x)
		}
		b.WriteByte(']')
	case map[string]any:
		b.WriteByte('{')
		for i, k := range sortedKeys(v) {
			if i > 0 {
				b.WriteByte(',')
			}
			quoteJSON(b, k)
			b.WriteByte(':')
			appendJSON(b, v[k])
		}
		b.WriteByte('}')
	}
}

func quoteJSON(b *strings.Builder, s string) {
	const hex = "0123456789abcdef"
	b.WriteByte('"')
	for _, r := range s { // an invalid byte comes out as U+FFFD, as in encoding/json
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x20:
			b.WriteString(`\u00`)
			b.WriteByte(hex[r>>4])
			b.WriteByte(hex[r&15])
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
}

func floatText(f float64) string {
	s := strconv.FormatFloat(f, 'g', -1, 64)
	if a := math.Abs(f); a >= 1e-5 && a < 1e15 || f == 0 {
		s = strconv.FormatFloat(f, 'f', -1, 64)
	}
	if !strings.ContainsAny(s, ".eE") {
		s += ".0"
	}
	return s
}

// text is the string form of v: what interpolation and string() give.
func text(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		if v {
			return "True" // as .NET writes it
		}
		return "False"
	case float64:
		return strings.TrimSuffix(floatText(v), ".0")
	}
	return encodeJSON(v)
}

// equal compares as equals() does: numbers by value, strings by case, the rest deeply.
func equal(a, b any) bool {
	switch x := a.(type) {
	case int64:
		if y, ok := b.(float64); ok {
			return float64(x) == y
		}
	case float64:
		switch y := b.(type) {
		case int64:
			return x == float64(y)
		case float64:
			return x == y
		}
		return false
	case []any:
		y, ok := b.([]any)
		return ok && slices.EqualFunc(x, y, equal)
	case map[string]any:
		y, ok := b.(map[string]any)
		if !ok || len(x) != len(y) {
			return false
		}
		for k, v := range x {
			w, ok := y[k]
			if !ok || !equal(v, w) {
				return false
			}
		}
		return true
	}
	if kindOf(b)&(kArray|kObject) != 0 {
		return false
	}
	return a == b
}

// property returns a property of an object, whatever the case of its name.
func property(m map[string]any, name string) (any, bool) {
	if v, ok := m[name]; ok {
		return v, true
	}
	for _, k := range sortedKeys(m) {
		if strings.EqualFold(k, name) {
			return m[k], true
		}
	}
	return nil, false
}

// path follows properties from v and gives nil where one is missing.
func path(v any, names ...string) any {
	for _, n := range names {
		m, _ := v.(map[string]any)
		v, _ = property(m, n)
	}
	return v
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// mapStrings returns v with f applied to every string in it, names of
// properties included; what does not change is shared.
func mapStrings(v any, f func(string) string) any {
	switch v := v.(type) {
	case string:
		return f(v)
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = mapStrings(x, f)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[f(k)] = mapStrings(x, f)
		}
		return out
	}
	return v
}

// cut shortens s to at most n bytes at a character boundary and says so.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}
