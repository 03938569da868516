package playbook

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxText bounds what a text function may build.
const maxText = 16 << 20

// The string functions. Positions and lengths count UTF-16 units, as in .NET.
var textFunctions = []function{
	{name: "concat", params: []kind{kAny}, min: 1, variadic: true, ret: kString | kArray, call: concat},
	{name: "replace", params: []kind{kString, kString, kString}, min: 3, ret: kString, disguises: true, call: func(_ *env, a []any) (any, error) {
		s, from, to := a[0].(string), a[1].(string), a[2].(string)
		if from == "" {
			return nil, evalFail("the text to replace is empty")
		}
		if len(s)+strings.Count(s, from)*len(to) > maxText {
			return nil, evalFail("the result is longer than %d bytes", maxText)
		}
		return strings.ReplaceAll(s, from, to), nil
	}},
	{name: "split", params: []kind{kString, kString}, min: 2, ret: kArray, call: func(_ *env, a []any) (any, error) {
		s, sep := a[0].(string), a[1].(string)
		if sep == "" {
			return []any{s}, nil
		}
		parts := strings.Split(s, sep)
		return normal(parts, 0)
	}},
	{name: "substring", params: []kind{kString, kInt, kInt}, min: 2, ret: kString, disguises: true, call: func(_ *env, a []any) (any, error) {
		n := textLength(a[0].(string))
		start := a[1].(int64)
		length := n - start
		if len(a) > 2 {
			length = a[2].(int64)
		}
		if start < 0 || length < 0 || start > n || length > n-start {
			return nil, evalFail("start %d and length %d are outside the text of %d characters", start, length, n)
		}
		return textSlice(a[0].(string), start, start+length), nil
	}},
	{name: "slice", params: []kind{kString, kInt, kInt}, min: 2, ret: kString, disguises: true, call: func(_ *env, a []any) (any, error) {
		n := textLength(a[0].(string))
		from, to := clamp(a[1].(int64), n), n
		if len(a) > 2 {
			to = clamp(a[2].(int64), n)
		}
		return textSlice(a[0].(string), from, max(from, to)), nil
	}},
	{name: "indexOf", params: []kind{kString, kString}, min: 2, ret: kInt, call: func(_ *env, a []any) (any, error) {
		s, sub := strings.ToLower(a[0].(string)), strings.ToLower(a[1].(string))
		return position(s, strings.Index(s, sub)), nil
	}},
	{name: "lastIndexOf", params: []kind{kString, kString}, min: 2, ret: kInt, call: func(_ *env, a []any) (any, error) {
		s, sub := strings.ToLower(a[0].(string)), strings.ToLower(a[1].(string))
		return position(s, strings.LastIndex(s, sub)), nil
	}},
	{name: "startsWith", params: []kind{kString, kString}, min: 2, ret: kBool, call: func(_ *env, a []any) (any, error) {
		return strings.HasPrefix(strings.ToLower(a[0].(string)), strings.ToLower(a[1].(string))), nil
	}},
	{name: "endsWith", params: []kind{kString, kString}, min: 2, ret: kBool, call: func(_ *env, a []any) (any, error) {
		return strings.HasSuffix(strings.ToLower(a[0].(string)), strings.ToLower(a[1].(string))), nil
	}},
	{name: "toLower", params: []kind{kString}, min: 1, ret: kString, disguises: true, call: func(_ *env, a []any) (any, error) {
		return strings.ToLower(a[0].(string)), nil
	}},
	{name: "toUpper", params: []kind{kString}, min: 1, ret: kString, disguises: true, call: func(_ *env, a []any) (any, error) {
		return strings.ToUpper(a[0].(string)), nil
	}},
	{name: "trim", params: []kind{kString}, min: 1, ret: kString, disguises: true, call: func(_ *env, a []any) (any, error) {
		return strings.TrimSpace(a[0].(string)), nil
	}},
	{name: "guid", params: []kind{kString}, ret: kString, call: func(e *env, a []any) (any, error) {
		g := e.guid()
		if len(a) == 0 {
			return g, nil
		}
		switch plain := strings.ReplaceAll(g, "-", ""); a[0].(string) {
		case "D", "d", "":
			return g, nil
		case "N", "n":
			return plain, nil
		case "B", "b":
			return "{" + g + "}", nil
		case "P", "p":
			return "(" + g + ")", nil
		}
		return nil, evalFail("the format must be N, D, B or P")
	}},
}

// concat joins texts, or arrays when every argument is one.
func concat(_ *env, a []any) (any, error) {
	if kindOf(a[0]) == kArray {
		out := []any{}
		for _, v := range a {
			l, ok := v.([]any)
			if !ok {
				return nil, evalFail("an array can be joined only to arrays, not to %s", kindOf(v))
			}
			out = append(out, l...)
		}
		return out, nil
	}
	var b strings.Builder
	for _, v := range a {
		if b.WriteString(text(v)); b.Len() > maxText {
			return nil, evalFail("the result is longer than %d bytes", maxText)
		}
	}
	return b.String(), nil
}

// textLength counts UTF-16 units.
func textLength(s string) int64 {
	n := 0
	for _, r := range s {
		n += max(1, utf16.RuneLen(r))
	}
	return int64(n)
}

// textSlice returns the UTF-16 units from..to, which must lie within s.
func textSlice(s string, from, to int64) string {
	if int64(len(s)) == textLength(s) && utf8.ValidString(s) {
		return s[from:to]
	}
	return string(utf16.Decode(utf16.Encode([]rune(s))[from:to]))
}

// position turns a byte offset into a count of UTF-16 units; -1 stays.
func position(s string, off int) int64 {
	if off < 0 {
		return -1
	}
	return textLength(s[:off])
}

// clamp turns a position, counted from the end when negative, into 0..n.
func clamp(i, n int64) int64 {
	if i < 0 {
		i += n
	}
	return min(max(i, 0), n)
}
