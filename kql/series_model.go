package kql

import (
	"math"
	"slices"
)

// line is a regression line through a series over 0, 1, 2, …
type line struct {
	rsquare, slope, intercept, variance, rvariance float64
	fit                                            series
}

// fitLine fits a line by least squares; what is no number is left out.
func fitLine(s series) line {
	var n, sx, sy, sxx, sxy float64
	for i, y := range s {
		if math.IsNaN(y) {
			continue
		}
		x := float64(i)
		n, sx, sy, sxx, sxy = n+1, sx+x, sy+y, sxx+x*x, sxy+x*y
	}
	l := line{variance: s.variance(), fit: make(series, len(s))}
	if d := n*sxx - sx*sx; d != 0 {
		l.slope = (n*sxy - sx*sy) / d
	}
	if n > 0 {
		l.intercept = (sy - l.slope*sx) / n
	}
	rest := make(series, len(s))
	for i := range s {
		l.fit[i] = l.intercept + l.slope*float64(i)
		rest[i] = s[i] - l.fit[i]
	}
	l.rvariance = rest.variance()
	if l.variance != 0 {
		l.rsquare = 1 - l.rvariance/l.variance
	}
	return l
}

// columns are the results of series_fit_line() in their order.
func (l line) columns() any {
	return []any{l.rsquare, l.slope, l.variance, l.rvariance, l.intercept, l.fit}
}

// fitTwoLines finds the split of the series at which a line on either side
// leaves the least.
func fitTwoLines(s series) any {
	if len(s) < 4 {
		return nil
	}
	var left, right line
	split, least := 0, math.Inf(1)
	for i := 2; i <= len(s)-2; i++ {
		l, r := fitLine(s[:i]), fitLine(s[i:])
		if e := l.rvariance*float64(i-1) + r.rvariance*float64(len(s)-i-1); e < least {
			split, least, left, right = i, e, l, r
		}
	}
	if left.fit == nil { // nothing but nulls
		return nil
	}
	fit := slices.Concat(left.fit, right.fit)
	rest := make(series, len(s))
	for i := range s {
		rest[i] = s[i] - fit[i]
	}
	v, rv := s.variance(), rest.variance()
	rsquare := 0.0
	if v != 0 {
		rsquare = 1 - rv/v
	}
	return []any{
		rsquare, split, v, rv, fit,
		right.rsquare, right.slope, right.intercept, right.variance, right.rvariance,
		left.rsquare, left.slope, left.intercept, left.variance, left.rvariance,
	}
}

// fir applies series_fir(series, filter[, normalize[, center]]).
func fir(a seriesArgs) any {
	s, f := a.series(0), slices.Clone(a.series(1))
	if len(f) == 0 {
		return nil
	}
	sum := f.fold(0, func(x, y float64) float64 { return x + y })
	if a.flag(2, sum != 0 && !slices.ContainsFunc(f, func(v float64) bool { return v < 0 })) && sum != 0 {
		for i := range f {
			f[i] /= sum
		}
	}
	shift := 0
	if a.flag(3, false) {
		shift = (len(f) - 1) / 2
	}
	out := make(series, len(s))
	for i := range out {
		for j, c := range f {
			if k := i + shift - j; k >= 0 && k < len(s) {
				out[i] += c * s[k]
			}
		}
	}
	return out
}

// iir applies series_iir(series, numerators, denominators).
func iir(a seriesArgs) any { return iirFilter(a.series(0), a.series(1), a.series(2)) }

func iirFilter(s, b, a series) any {
	if len(a) == 0 || a[0] == 0 {
		return nil
	}
	out := make(series, len(s))
	for i := range out {
		for j, c := range b {
			if i >= j {
				out[i] += c * s[i-j]
			}
		}
		for j := 1; j < len(a) && j <= i; j++ {
			out[i] -= a[j] * out[i-j]
		}
		out[i] /= a[0]
	}
	return out
}

// seriesOutliers lowers series_outliers(series[, kind[, ignored value[, percentile, percentile]]]).
func seriesOutliers(a seriesArgs) any {
	s, ignored := slices.Clone(a.series(0)), a.num(2, math.NaN())
	for i, v := range s {
		if v == ignored {
			s[i] = math.NaN()
		}
	}
	return outliers(s, a.text(1, "ctukey"), a.num(3, 10), a.num(4, 90))
}

// outliers scores each value by how far it lies outside of a range of
// percentiles, in units of that range (Tukey's test). What is no number has the score 0.
func outliers(s series, kind string, lo, hi float64) series {
	if kind == "tukey" {
		lo, hi = 25, 75
	}
	a, b := s.percentile(lo), s.percentile(hi)
	width := b - a
	if width == 0 { // nearly all values are one: measure by the deviation
		width = math.Sqrt(s.variance())
	}
	out := make(series, len(s))
	for i, v := range s {
		switch {
		case v > b:
			out[i] = (v - b) / width
		case v < a:
			out[i] = (v - a) / width
		}
	}
	return out
}

// seasonal repeats the median of each place in the period; -1 finds the period.
func seasonal(s series, period int, threshold float64) series {
	if period < 0 {
		period = detect(s, threshold)
	}
	out := make(series, len(s))
	if period < 1 {
		return out
	}
	for p := range min(period, len(s)) {
		var at series
		for i := p; i < len(s); i += period {
			at = append(at, s[i])
		}
		m := at.percentile(50)
		for i := p; i < len(s); i += period {
			out[i] = m
		}
	}
	return out
}

// parts are a series taken apart.
type parts struct{ baseline, seasonal, trend, residual series }

func (p parts) columns() any { return []any{p.baseline, p.seasonal, p.trend, p.residual} }

// decompose takes apart the series, by the arguments from at on: seasonality,
// trend, test points, seasonality threshold.
func decompose(a seriesArgs, at int) parts {
	s := a.series(0)
	learn := len(s) - min(max(int(a.num(at+2, 0)), 0), len(s))
	n := len(s)
	p := parts{make(series, n), make(series, n), make(series, n), make(series, n)}
	kind := a.text(at+1, "avg")
	// First the season: the medians of the series, of which a slope is taken away where one is looked for.
	slope := 0.0
	if kind == "linefit" {
		slope = fitLine(s[:learn]).slope
	}
	level := make(series, learn)
	for i := range level {
		level[i] = s[i] - slope*float64(i)
	}
	period := int(a.num(at, -1))
	if period < 0 {
		period = detect(level, a.num(at+3, 0.6))
	}
	if period > 0 && period <= learn {
		season := seasonal(level, period, 0)
		for i := range s {
			p.seasonal[i] = season[i%period]
		}
	}
	// Then the trend of what is left.
	rest := make(series, learn)
	for i := range rest {
		rest[i] = s[i] - p.seasonal[i]
	}
	var l line
	switch kind {
	case "linefit":
		l = fitLine(rest)
	case "avg":
		l.intercept = rest.mean()
	}
	for i := range s {
		p.trend[i] = l.intercept + l.slope*float64(i)
		p.baseline[i] = p.trend[i] + p.seasonal[i]
		p.residual[i] = s[i] - p.baseline[i]
	}
	return p
}

// anomalies lowers series_decompose_anomalies(series, threshold, seasonality,
// trend, test points, method, seasonality threshold).
func anomalies(a seriesArgs) any {
	threshold := a.num(1, 1.5)
	p := decompose(a.with(2, 3, 4, 6), 1)
	score := outliers(p.residual, a.text(5, "ctukey"), 10, 90)
	flags := make(wholes, len(score))
	for i, v := range score {
		if v > threshold {
			flags[i] = 1
		} else if v < -threshold {
			flags[i] = -1
		}
	}
	return []any{flags, score, p.baseline}
}

// forecast lowers series_decompose_forecast(series, points, seasonality, trend,
// seasonality threshold): the baseline learnt
// without the last points, and its parts.
func forecast(a seriesArgs) any {
	d := a.with(2, 3, 1, 4)
	d[2] = a.text(3, "linefit")
	return decompose(d, 1).columns()
}
