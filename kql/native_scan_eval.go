package kql

import "math"

func scanTruth(b bool) scanValue {
	if b {
		return scanValue{i: 1}
	}
	return scanValue{}
}

// yes reports whether a condition holds; null does not.
func (v scanValue) yes() bool { return !v.null && v.i != 0 }

// eval computes x over the leaves of a row and the slots of a state, by the rules
// of the SQL that the compiler writes for the same.
func (x *scanNode) eval(leaves, slots []scanValue) scanValue {
	switch x.Op {
	case "leaf":
		return leaves[x.N]
	case "slot":
		return slots[x.N]
	case "iff":
		if x.Args[0].eval(leaves, slots).yes() {
			return x.Args[1].eval(leaves, slots)
		}
		return x.Args[2].eval(leaves, slots)
	case "coalesce":
		for _, a := range x.Args {
			if v := a.eval(leaves, slots); !v.null {
				return v
			}
		}
		return scanValue{null: true}
	}
	l := x.Args[0].eval(leaves, slots)
	switch x.Op {
	case "isnull":
		return scanTruth(l.null)
	case "isempty":
		return scanTruth(l.s == "")
	case "not":
		return scanValue{null: l.null, i: 1 - l.i}
	case "real":
		return scanValue{null: l.null, f: float64(l.i)}
	case "and", "or":
		decides := int64(0)
		if x.Op == "or" {
			decides = 1
		}
		if !l.null && l.i == decides {
			return l
		}
		r := x.Args[1].eval(leaves, slots)
		if !r.null && r.i == decides || !l.null {
			return r
		}
		return l
	}
	r := x.Args[1].eval(leaves, slots)
	switch x.Op {
	case "+", "-", "*":
		if l.null || r.null {
			return scanValue{null: true}
		}
		return x.arith(l, r)
	case "==", "!=":
		if l.null && r.null {
			return scanValue{null: true}
		}
		same := !l.null && !r.null && compareScan(x.Args[0].Kind, l, r) == 0
		return scanTruth(same == (x.Op == "=="))
	}
	if l.null || r.null {
		return scanValue{null: true}
	}
	c := compareScan(x.Args[0].Kind, l, r)
	return scanTruth(c < 0 && x.Op[0] == '<' || c > 0 && x.Op[0] == '>' || c == 0 && len(x.Op) == 2)
}

// arith computes + - *. Whole numbers wrap around; ticks (N is 1) that leave
// their range are null.
func (x *scanNode) arith(l, r scanValue) scanValue {
	if x.Kind == scanReal {
		switch x.Op {
		case "+":
			return scanValue{f: l.f + r.f}
		case "-":
			return scanValue{f: l.f - r.f}
		}
		return scanValue{f: l.f * r.f}
	}
	v := scanValue{i: l.i * r.i}
	over := false
	switch x.Op {
	case "+":
		v.i = l.i + r.i
		over = (v.i > l.i) != (r.i > 0) && r.i != 0
	case "-":
		v.i = l.i - r.i
		over = (v.i < l.i) != (r.i > 0) && r.i != 0
	}
	v.null = over && x.N == 1
	return v
}

// compareScan orders two values as DuckDB does: NaN is the greatest number.
func compareScan(k scanKind, l, r scanValue) int {
	less, more := l.i < r.i, l.i > r.i
	switch k {
	case scanReal:
		less, more = l.f < r.f || math.IsNaN(r.f) && !math.IsNaN(l.f), l.f > r.f || math.IsNaN(l.f) && !math.IsNaN(r.f)
	case scanText:
		less, more = l.s < r.s, l.s > r.s
	}
	switch {
	case less:
		return -1
	case more:
		return 1
	}
	return 0
}
