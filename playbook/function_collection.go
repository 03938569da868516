package playbook

import (
	"slices"
	"strings"
)

const kCollection = kString | kArray | kObject

// The collection functions and those that change objects. None changes its argument.
var collectionFunctions = []function{
	{name: "length", params: []kind{kString | kArray}, min: 1, ret: kInt, call: func(_ *env, a []any) (any, error) {
		if s, ok := a[0].(string); ok {
			return textLength(s), nil
		}
		return int64(len(a[0].([]any))), nil
	}},
	{name: "empty", params: []kind{kNull | kCollection}, min: 1, ret: kBool, call: func(_ *env, a []any) (any, error) {
		switch v := a[0].(type) {
		case string:
			return v == "", nil
		case []any:
			return len(v) == 0, nil
		case map[string]any:
			return len(v) == 0, nil
		}
		return true, nil
	}},
	{name: "contains", params: []kind{kCollection, kAny}, min: 2, ret: kBool, call: contains},
	{name: "first", params: []kind{kString | kArray}, min: 1, ret: kAny, call: func(_ *env, a []any) (any, error) { return end(a[0], 0), nil }},
	{name: "last", params: []kind{kString | kArray}, min: 1, ret: kAny, call: func(_ *env, a []any) (any, error) { return end(a[0], -1), nil }},
	{name: "take", params: []kind{kString | kArray, kInt}, min: 2, ret: kString | kArray, call: func(_ *env, a []any) (any, error) {
		return part(a[0], 0, a[1].(int64)), nil
	}},
	{name: "skip", params: []kind{kString | kArray, kInt}, min: 2, ret: kString | kArray, call: func(_ *env, a []any) (any, error) {
		return part(a[0], a[1].(int64), 1<<62), nil
	}},
	{name: "join", params: []kind{kArray, kString}, min: 2, ret: kString, call: func(_ *env, a []any) (any, error) {
		return joinText(a[0].([]any), a[1].(string))
	}},
	{name: "reverse", params: []kind{kArray}, min: 1, ret: kArray, call: func(_ *env, a []any) (any, error) {
		out := slices.Clone(a[0].([]any))
		slices.Reverse(out)
		return out, nil
	}},
	{name: "sort", params: []kind{kArray, kString}, min: 1, ret: kArray, call: sorted},
	{name: "chunk", params: []kind{kArray, kInt}, min: 2, ret: kArray, call: func(_ *env, a []any) (any, error) {
		n := a[1].(int64)
		if n < 1 {
			return nil, evalFail("the length of a chunk must be at least 1")
		}
		out := []any{}
		for c := range slices.Chunk(a[0].([]any), int(min(n, 1<<31-1))) {
			out = append(out, slices.Clone(c))
		}
		return out, nil
	}},
	{name: "union", params: []kind{kArray | kObject}, min: 1, variadic: true, ret: kArray | kObject, call: union},
	{name: "intersection", params: []kind{kArray | kObject}, min: 1, variadic: true, ret: kArray | kObject, call: intersection},
	{name: "createArray", params: []kind{kAny}, variadic: true, ret: kArray, call: func(_ *env, a []any) (any, error) { return a, nil }},
	{name: "range", params: []kind{kInt, kInt}, min: 2, ret: kArray, call: func(_ *env, a []any) (any, error) {
		n := a[1].(int64)
		if n < 0 || n > 100_000 {
			return nil, evalFail("the count must be from 0 to 100000")
		}
		out := make([]any, n)
		for i := range out {
			out[i] = a[0].(int64) + int64(i)
		}
		return out, nil
	}},
	{name: "setProperty", params: []kind{kObject, kString, kAny}, min: 3, ret: kObject, call: func(_ *env, a []any) (any, error) {
		out := without(a[0].(map[string]any), a[1].(string))
		out[a[1].(string)] = a[2]
		return out, nil
	}},
	{name: "addProperty", params: []kind{kObject, kString, kAny}, min: 3, ret: kObject, call: func(_ *env, a []any) (any, error) {
		if _, ok := property(a[0].(map[string]any), a[1].(string)); ok {
			return nil, evalFail("the object has a property '%s' already; setProperty replaces it", a[1])
		}
		out := without(a[0].(map[string]any), a[1].(string))
		out[a[1].(string)] = a[2]
		return out, nil
	}},
	{name: "removeProperty", params: []kind{kObject, kString}, min: 2, ret: kObject, call: func(_ *env, a []any) (any, error) {
		return without(a[0].(map[string]any), a[1].(string)), nil
	}},
}

func contains(_ *env, a []any) (any, error) {
	switch c := a[0].(type) {
	case string:
		s, ok := a[1].(string)
		if !ok {
			return nil, evalFail("a text is searched for a text, not for %s", kindOf(a[1]))
		}
		return strings.Contains(c, s), nil
	case map[string]any:
		_, ok := property(c, text(a[1]))
		return ok, nil
	}
	return slices.ContainsFunc(a[0].([]any), func(v any) bool { return equal(v, a[1]) }), nil
}

// end returns the first (0) or last (-1) element or character; null, or "" of text, when there is none.
func end(v any, i int) any {
	if s, ok := v.(string); ok {
		n := textLength(s)
		if n == 0 {
			return ""
		}
		if i < 0 {
			return textSlice(s, n-1, n)
		}
		return textSlice(s, 0, 1)
	}
	l := v.([]any)
	if len(l) == 0 {
		return nil
	}
	if i < 0 {
		return l[len(l)-1]
	}
	return l[0]
}

// part returns count elements or characters after the first skip ones.
func part(v any, skip, count int64) any {
	s, isText := v.(string)
	n := int64(0)
	if isText {
		n = textLength(s)
	} else {
		n = int64(len(v.([]any)))
	}
	from := min(max(skip, 0), n)
	to := from + min(max(count, 0), n-from)
	if isText {
		return textSlice(s, from, to)
	}
	return slices.Clone(v.([]any)[from:to])
}

func joinText(l []any, sep string) (any, error) {
	var b strings.Builder
	for i, v := range l {
		if i > 0 {
			b.WriteString(sep)
		}
		if b.WriteString(text(v)); b.Len() > maxText {
			return nil, evalFail("the result is longer than %d bytes", maxText)
		}
	}
	return b.String(), nil
}

// sorted orders an array of values, or of objects by one property. Equal ones keep their order.
func sorted(_ *env, a []any) (any, error) {
	key := func(v any) any { return v }
	if len(a) > 1 {
		key = func(v any) any { return path(v, a[1].(string)) }
	}
	var fault error
	out := slices.Clone(a[0].([]any))
	slices.SortStableFunc(out, func(x, y any) int {
		c, err := compare(key(x), key(y))
		if err != nil {
			fault = err
		}
		return c
	})
	return out, fault
}

func union(_ *env, a []any) (any, error) {
	if _, ok := a[0].(map[string]any); ok {
		out := map[string]any{}
		for _, v := range a {
			m, ok := v.(map[string]any)
			if !ok {
				return nil, evalFail("arguments must be all arrays or all objects")
			}
			for k, x := range m {
				out[k] = x
			}
		}
		return out, nil
	}
	out := []any{}
	for _, v := range a {
		l, ok := v.([]any)
		if !ok {
			return nil, evalFail("arguments must be all arrays or all objects")
		}
		for _, x := range l {
			if !slices.ContainsFunc(out, func(y any) bool { return equal(x, y) }) {
				out = append(out, x)
			}
		}
	}
	return out, nil
}

func intersection(_ *env, a []any) (any, error) {
	if m, ok := a[0].(map[string]any); ok {
		out := map[string]any{}
	next:
		for k, x := range m {
			for _, v := range a[1:] {
				other, ok := v.(map[string]any)
				if !ok {
					return nil, evalFail("arguments must be all arrays or all objects")
				}
				if y, ok := other[k]; !ok || !equal(x, y) {
					continue next
				}
			}
			out[k] = x
		}
		return out, nil
	}
	out := []any{}
	for _, x := range a[0].([]any) {
		in := func(y any) bool { return equal(x, y) }
		keep := !slices.ContainsFunc(out, in)
		for _, v := range a[1:] {
			l, ok := v.([]any)
			if !ok {
				return nil, evalFail("arguments must be all arrays or all objects")
			}
			keep = keep && slices.ContainsFunc(l, in)
		}
		if keep {
			out = append(out, x)
		}
	}
	return out, nil
}

// without copies m without the property name, whatever its case.
func without(m map[string]any, name string) map[string]any {
	out := make(map[string]any, len(m)+1)
	for k, v := range m {
		if !strings.EqualFold(k, name) {
			out[k] = v
		}
	}
	return out
}
