package playbook

import "strings"

// The logical functions. if, and, or and coalesce evaluate only what they need.
var logicFunctions = []function{
	{name: "if", params: []kind{kBool, kAny, kAny}, min: 3, ret: kAny, lazy: func(e *env, a []expr) (any, error) {
		c, err := e.boolean("if", a[0], 1)
		if err != nil {
			return nil, err
		}
		if c {
			return e.eval(a[1])
		}
		return e.eval(a[2])
	}},
	{name: "and", params: []kind{kBool}, min: 1, variadic: true, ret: kBool, lazy: func(e *env, a []expr) (any, error) {
		return e.allAre(true, "and", a)
	}},
	{name: "or", params: []kind{kBool}, min: 1, variadic: true, ret: kBool, lazy: func(e *env, a []expr) (any, error) {
		all, err := e.allAre(false, "or", a)
		return !all, err
	}},
	{name: "not", params: []kind{kBool}, min: 1, ret: kBool, call: func(_ *env, a []any) (any, error) { return !a[0].(bool), nil }},
	{name: "coalesce", params: []kind{kAny}, min: 1, variadic: true, ret: kAny, lazy: func(e *env, a []expr) (any, error) {
		for _, x := range a {
			if v, err := e.eval(x); err != nil || v != nil {
				return v, err
			}
		}
		return nil, nil
	}},
	{name: "equals", params: []kind{kAny, kAny}, min: 2, ret: kBool, call: func(_ *env, a []any) (any, error) { return equal(a[0], a[1]), nil }},
	{name: "greater", params: []kind{kNumber | kString, kNumber | kString}, min: 2, ret: kBool, call: func(_ *env, a []any) (any, error) {
		c, err := compare(a[0], a[1])
		return c > 0, err
	}},
	{name: "greaterOrEquals", params: []kind{kNumber | kString, kNumber | kString}, min: 2, ret: kBool, call: func(_ *env, a []any) (any, error) {
		c, err := compare(a[0], a[1])
		return c >= 0, err
	}},
	{name: "less", params: []kind{kNumber | kString, kNumber | kString}, min: 2, ret: kBool, call: func(_ *env, a []any) (any, error) {
		c, err := compare(a[0], a[1])
		return c < 0, err
	}},
	{name: "lessOrEquals", params: []kind{kNumber | kString, kNumber | kString}, min: 2, ret: kBool, call: func(_ *env, a []any) (any, error) {
		c, err := compare(a[0], a[1])
		return c <= 0, err
	}},
}

func (e *env) boolean(fn string, x expr, n int) (bool, error) {
	v, err := e.eval(x)
	if err != nil {
		return false, err
	}
	b, ok := v.(bool)
	if !ok {
		return false, evalFail("%s: argument %d must be true or false, not %s", fn, n, kindOf(v))
	}
	return b, nil
}

// allAre reports whether every argument is want, stopping at the first that is not.
func (e *env) allAre(want bool, fn string, a []expr) (bool, error) {
	for i, x := range a {
		if b, err := e.boolean(fn, x, i+1); err != nil || b != want {
			return false, err
		}
	}
	return true, nil
}

// compare orders two numbers by value or two strings by their characters' codes.
func compare(a, b any) (int, error) {
	if x, ok := a.(string); ok {
		if y, ok := b.(string); ok {
			return strings.Compare(x, y), nil
		}
	}
	if x, ok := a.(int64); ok {
		if y, ok := b.(int64); ok {
			switch {
			case x < y:
				return -1, nil
			case x > y:
				return 1, nil
			}
			return 0, nil
		}
	}
	if kindOf(a)&kNumber == 0 || kindOf(b)&kNumber == 0 {
		return 0, evalFail("%s and %s cannot be compared", kindOf(a), kindOf(b))
	}
	x, y := toFloat(a), toFloat(b)
	switch {
	case x < y:
		return -1, nil
	case x > y:
		return 1, nil
	}
	return 0, nil
}

func toFloat(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	}
	return 0
}
