package playbook

import (
	"math"
	"math/bits"
)

// The mathematical functions. Two integers give an integer, anything else a float.
var numberFunctions = []function{
	{name: "add", params: []kind{kNumber, kNumber}, min: 2, ret: kNumber, call: func(_ *env, a []any) (any, error) {
		if x, y, ok := ints(a); ok {
			s := x + y
			return s, overflow((x^s)&(y^s) < 0)
		}
		return finite(toFloat(a[0]) + toFloat(a[1]))
	}},
	{name: "sub", params: []kind{kNumber, kNumber}, min: 2, ret: kNumber, call: func(_ *env, a []any) (any, error) {
		if x, y, ok := ints(a); ok {
			d := x - y
			return d, overflow((x^y)&(x^d) < 0)
		}
		return finite(toFloat(a[0]) - toFloat(a[1]))
	}},
	{name: "mul", params: []kind{kNumber, kNumber}, min: 2, ret: kNumber, call: func(_ *env, a []any) (any, error) {
		if x, y, ok := ints(a); ok {
			hi, lo := bits.Mul64(uint64(abs(x)), uint64(abs(y)))
			return x * y, overflow(hi != 0 || lo > math.MaxInt64 || x == math.MinInt64 || y == math.MinInt64)
		}
		return finite(toFloat(a[0]) * toFloat(a[1]))
	}},
	{name: "div", params: []kind{kNumber, kNumber}, min: 2, ret: kNumber, call: func(_ *env, a []any) (any, error) {
		if toFloat(a[1]) == 0 {
			return nil, evalFail("division by zero")
		}
		if x, y, ok := ints(a); ok {
			return x / y, overflow(x == math.MinInt64 && y == -1)
		}
		return finite(toFloat(a[0]) / toFloat(a[1]))
	}},
	{name: "mod", params: []kind{kNumber, kNumber}, min: 2, ret: kNumber, call: func(_ *env, a []any) (any, error) {
		if toFloat(a[1]) == 0 {
			return nil, evalFail("division by zero")
		}
		if x, y, ok := ints(a); ok {
			return x % y, nil
		}
		return math.Mod(toFloat(a[0]), toFloat(a[1])), nil
	}},
	{name: "min", params: []kind{kNumber | kArray, kNumber}, min: 1, variadic: true, ret: kNumber, call: func(_ *env, a []any) (any, error) { return extreme(a, -1) }},
	{name: "max", params: []kind{kNumber | kArray, kNumber}, min: 1, variadic: true, ret: kNumber, call: func(_ *env, a []any) (any, error) { return extreme(a, 1) }},
}

func ints(a []any) (x, y int64, ok bool) {
	x, okx := a[0].(int64)
	y, oky := a[1].(int64)
	return x, y, okx && oky
}

func abs(x int64) int64 { return max(x, -x) }

func overflow(yes bool) error {
	if yes {
		return evalFail("the result does not fit in 64 bits")
	}
	return nil
}

func finite(f float64) (any, error) {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return nil, evalFail("the result is not a finite number")
	}
	return f, nil
}

// extreme returns the smallest (sign -1) or largest (1) of numbers, or of one array of them.
func extreme(a []any, sign int) (any, error) {
	if l, ok := a[0].([]any); ok {
		if len(a) > 1 {
			return nil, evalFail("give one array or several numbers, not both")
		}
		a = l
	}
	if len(a) == 0 {
		return nil, evalFail("the array is empty")
	}
	best := a[0]
	for _, v := range a {
		if kindOf(v)&kNumber == 0 {
			return nil, evalFail("the array holds %s; all must be numbers", kindOf(v))
		}
		if c, _ := compare(v, best); c*sign > 0 {
			best = v
		}
	}
	return best, nil
}
