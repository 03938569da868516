package kql

import (
	"math"
	"slices"
)

// fillMissing reports which values count as missing: null, or the one given.
func fillMissing(a seriesArgs, i int) func(v float64) bool {
	m := a.num(i, math.NaN())
	return func(v float64) bool { return math.IsNaN(v) || v == m }
}

// The functions that fill keep the elements as they are written: whole numbers stay whole.

// fillConst lowers series_fill_const(series, constant[, missing]).
func fillConst(a seriesArgs) any {
	if len(a) < 2 {
		return nil
	}
	missing := fillMissing(a, 2)
	out := slices.Clone(a[0].([]any))
	for i, v := range a.series(0) {
		if missing(v) {
			out[i] = a[1]
		}
	}
	return out
}

// carry lowers series_fill_forward(series[, missing]) and series_fill_backward(), by direction dir:
// what is missing gets the last value seen.
func carry(a seriesArgs, dir int) any {
	missing, s := fillMissing(a, 1), a.series(0)
	out := slices.Clone(a[0].([]any))
	last := -1
	for k := range s {
		i := k
		if dir < 0 {
			i = len(s) - 1 - k
		}
		switch {
		case !missing(s[i]):
			last = i
		case last >= 0:
			out[i] = out[last]
		}
	}
	return out
}

// fillLinear lowers series_fill_linear(series[, missing[, edges[, constant]]]): it draws a line between
// the neighbours of what is missing, the edges take the nearest value unless argument 2 says otherwise,
// and a series of nothing else is filled with the constant. Between whole numbers are whole ones.
func fillLinear(a seriesArgs) any {
	missing, edges := fillMissing(a, 1), a.flag(2, true)
	s := slices.Clone(a.series(0))
	last := -1
	for i := range s {
		if missing(s[i]) {
			s[i] = math.NaN()
			continue
		}
		for j := last + 1; j < i; j++ {
			switch {
			case last >= 0:
				s[j] = s[last] + (s[i]-s[last])*float64(j-last)/float64(i-last)
			case edges:
				s[j] = s[i]
			}
		}
		last = i
	}
	for j := last + 1; j < len(s) && last >= 0 && edges; j++ {
		s[j] = s[last]
	}
	if last < 0 {
		var c any = realNumber(0)
		if len(a) > 3 {
			c = a[3]
		}
		return slices.Repeat([]any{c}, len(s))
	}
	if a.isWhole(0) {
		for i := range s {
			s[i] = math.Trunc(s[i])
		}
		return wholes(s)
	}
	return s
}
