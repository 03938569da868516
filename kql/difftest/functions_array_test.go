package difftest

import (
	"slices"

	"picket/kql"
)

// array is an argument that must be an array; null and what is none give null.
func array(v any) ([]any, bool) {
	a, ok := fixed(v).([]any)
	return a, ok
}

// withArray makes the function null for what is no array.
func withArray(f func(a []any, v []any) any) func(v []any) any {
	return func(v []any) any {
		a, ok := array(v[0])
		if !ok {
			silent("an array function over what is no array")
		}
		return f(a, v)
	}
}

func arrayFunctions() []scalar {
	d := kql.Dynamic
	return []scalar{
		{name: "array_length", args: "d", ret: kql.Long, f: func(v []any) any {
			switch a := v[0].(type) {
			case []any:
				return int64(len(a))
			case unordered:
				return int64(len(a))
			case oneOf:
				silent("length of an open value")
			}
			return nil
		}},
		{name: "array_concat", args: "dd", ret: d, f: withArray(func(a, v []any) any {
			b, ok := array(v[1])
			if !ok {
				silent("array_concat of what is no array")
			}
			return slices.Concat(a, b)
		})},
		{name: "array_reverse", args: "d", ret: d, f: withArray(func(a, _ []any) any {
			a = slices.Clone(a)
			slices.Reverse(a)
			return a
		})},
		{name: "array_slice", args: "dll", ret: d, gen: []string{"", "0 1 -2 -1", "0 1 2 -1 9"}, f: withArray(func(a, v []any) any { return slice(a, v[1].(int64), v[2].(int64)) })},
		{name: "array_index_of", args: "ds", ret: kql.Long, f: withArray(func(a, v []any) any { return indexOf(a, v[1]) })},
		{name: "array_index_of", args: "dl", ret: kql.Long, gen: []string{"", "0 1 2 3"}, f: withArray(func(a, v []any) any { return indexOf(a, v[1]) })},
		{name: "array_sum", args: "d", ret: kql.Real, f: withArray(func(a, _ []any) any {
			s := 0.0
			for _, x := range a {
				n, ok := x.(int64)
				if !ok || n > 1<<40 || n < -1<<40 {
					silent("array_sum of what is no small number")
				}
				s += float64(n)
			}
			if len(a) == 0 {
				silent("array_sum of nothing")
			}
			return s
		})},
		{name: "array_sort_asc", args: "d", ret: d, f: func(v []any) any { return sorted(v[0], false) }},
		{name: "array_sort_desc", args: "d", ret: d, f: func(v []any) any { return sorted(v[0], true) }},
		{name: "array_rotate_left", args: "dl", ret: d, gen: []string{"", "0 1 -1 2 5"}, f: withArray(func(a, v []any) any { return rotate(a, int(v[1].(int64))) })},
		{name: "array_rotate_right", args: "dl", ret: d, gen: []string{"", "0 1 -1 2 5"}, f: withArray(func(a, v []any) any { return rotate(a, -int(v[1].(int64))) })},
		{name: "array_shift_left", args: "dl", ret: d, gen: []string{"", "0 1 -1 2 5"}, f: withArray(func(a, v []any) any { return shift(a, int(v[1].(int64))) })},
		{name: "array_shift_right", args: "dl", ret: d, gen: []string{"", "0 1 -1 2 5"}, f: withArray(func(a, v []any) any { return shift(a, -int(v[1].(int64))) })},
		{name: "zip", args: "dd", ret: d, f: withArray(func(a, v []any) any {
			b, ok := array(v[1])
			if !ok {
				silent("zip of what is no array")
			}
			out := []any{}
			for i := range max(len(a), len(b)) {
				out = append(out, []any{at1(a, i), at1(b, i)})
			}
			return out
		})},
		{name: "set_union", args: "dd", ret: d, f: sets(func(_, _ bool) bool { return true })},
		{name: "set_intersect", args: "dd", ret: d, f: sets(func(x, y bool) bool { return x && y })},
		{name: "set_difference", args: "dd", ret: d, f: sets(func(x, y bool) bool { return x && !y })},
		{name: "set_has_element", args: "ds", ret: kql.Bool, f: withArray(func(a, v []any) any { return indexOf(a, v[1]) != int64(-1) })},
		{name: "strcat_array", args: "ds", ret: kql.String, gen: []string{"", `"," "" "-"`}, f: withArray(func(a, v []any) any {
			s := ""
			for i, x := range a {
				t, ok := x.(string)
				if !ok {
					silent("strcat_array of what is no string")
				}
				if i > 0 {
					s += v[1].(string)
				}
				s += t
			}
			return s
		})},
		{name: "range", args: "lll", ret: d, gen: []string{"0 1 5", "0 1 3 6 10", "1 2 3"}, f: func(v []any) any {
			out := []any{}
			for n := v[0].(int64); n <= v[1].(int64); n += v[2].(int64) {
				out = append(out, n)
			}
			return out
		}},
	}
}

func at1(a []any, i int) any {
	if i < len(a) {
		return a[i]
	}
	return nil
}

// slice is from start to end, both included; negative ones count from the end.
func slice(a []any, start, end int64) any {
	n := int64(len(a))
	if start < 0 {
		start += n
	}
	if end < 0 {
		end += n
	}
	if start < 0 || start >= n || end < start {
		silent("array_slice beyond the array")
	}
	return a[start : min(end, n-1)+1]
}

func indexOf(a []any, x any) any {
	for i, v := range a {
		if key(v) == key(x) {
			return int64(i)
		}
	}
	return int64(-1)
}

// homogeneous are elements of one scalar type, which have an order.
func homogeneous(a []any) []any {
	for _, x := range a {
		_, text := x.(string)
		_, first := a[0].(string)
		_, long := x.(int64)
		if text != first || !text && !long {
			silent("an array of several types")
		}
	}
	return a
}

// sorted is array_sort_asc() and array_sort_desc(); null has a place of its own
// for which the pages have examples only.
func sorted(v any, desc bool) any {
	if u, ok := v.(unordered); ok {
		v = []any(u)
	}
	a, ok := array(v)
	if !ok {
		silent("sorting what is no array")
	}
	a = slices.Clone(homogeneous(a))
	slices.SortFunc(a, order)
	if desc {
		slices.Reverse(a)
	}
	return a
}

func rotate(a []any, n int) any {
	if len(a) == 0 {
		return a
	}
	n = ((n % len(a)) + len(a)) % len(a)
	return slices.Concat(a[n:], a[:n])
}

// shift moves to the left by n; what becomes free is null.
func shift(a []any, n int) any {
	var fill any // an empty string among strings
	for _, x := range a {
		if _, ok := x.(string); ok {
			fill = ""
		}
	}
	for _, x := range a {
		if _, ok := x.(string); !ok && x != nil {
			fill = nil
		}
	}
	out := make([]any, len(a))
	for i := range a {
		out[i] = fill
		if j := i + n; j >= 0 && j < len(a) {
			out[i] = a[j]
		}
	}
	return out
}

// sets makes a function over two sets: in says which elements belong to it.
func sets(in func(x, y bool) bool) func(v []any) any {
	return func(v []any) any {
		var arrays [2][]any
		for i := range arrays {
			if u, ok := v[i].(unordered); ok {
				v[i] = []any(u)
			}
			a, ok := array(v[i])
			if !ok {
				silent("a set function over what is no array")
			}
			arrays[i] = homogeneous(a)
		}
		seen := map[string]bool{}
		out := unordered{}
		for _, x := range slices.Concat(arrays[0], arrays[1]) {
			if k := key(x); !seen[k] && in(indexOf(arrays[0], x) != int64(-1), indexOf(arrays[1], x) != int64(-1)) {
				seen[k] = true
				out = append(out, x)
			}
		}
		if len(out) < 2 {
			return []any(out)
		}
		return out
	}
}

func bagFunctions() []scalar {
	d := kql.Dynamic
	withBag := func(f func(b bag, v []any) any) func(v []any) any {
		return func(v []any) any {
			b, ok := fixed(v[0]).(bag)
			if !ok {
				silent("a bag function over what is no bag")
			}
			return f(b, v)
		}
	}
	return []scalar{
		{name: "bag_keys", args: "d", ret: d, f: withBag(func(b bag, _ []any) any {
			out := unordered{}
			for k := range b {
				out = append(out, k)
			}
			if len(out) < 2 {
				return []any(out)
			}
			return out
		})},
		{name: "bag_has_key", args: "ds", ret: kql.Bool, gen: []string{"", `"a" "b" "zz"`}, f: withBag(func(b bag, v []any) any {
			_, ok := b[v[1].(string)]
			return ok
		})},
		{name: "bag_merge", args: "dd", ret: d, f: withBag(func(b bag, v []any) any {
			c, ok := fixed(v[1]).(bag)
			if !ok {
				silent("bag_merge of what is no bag")
			}
			out := bag{}
			for _, m := range []bag{c, b} { // the first to have a key wins
				for k, x := range m {
					out[k] = x
				}
			}
			return out
		})},
		{name: "bag_remove_keys", args: "dd", ret: d, gen: []string{"", `dynamic(["a"]) dynamic(["b","zz"]) dynamic([])`}, f: withBag(func(b bag, v []any) any {
			out := bag{}
			for k, x := range b {
				if indexOf(fixed(v[1]).([]any), k) == int64(-1) {
					out[k] = x
				}
			}
			return out
		})},
		{name: "gettype", args: "d", ret: kql.String, nulls: true, f: func(v []any) any {
			switch fixed(v[0]).(type) {
			case []any:
				return "array"
			case bag:
				return "dictionary"
			case string:
				return "string"
			case bool:
				return "bool"
			case int64:
				return "long"
			case float64:
				return "double"
			}
			return "null"
		}},
	}
}
