package kql

import "math"

// maxDegree bounds the polynomials of series_fit_poly(): beyond it the fit of
// float64 is noise.
const maxDegree = 64

// fitPoly lowers series_fit_poly(y[, x, degree]): rsquare, coefficients from the
// highest power down, variance, rvariance, fit. Without x it is 1, 2, …
func fitPoly(a seriesArgs) any {
	y, x := a.series(0), a.series(1)
	if x == nil {
		x = make(series, len(y))
		for i := range x {
			x[i] = float64(i + 1)
		}
	}
	degree := int(a.num(2, 1))
	if len(x) != len(y) || degree < 0 || degree > maxDegree {
		return nil
	}
	fit, coefficients := polynomial(x, y, degree)
	if fit == nil {
		return nil
	}
	rest := make(series, len(y))
	for i := range y {
		rest[i] = y[i] - fit[i]
	}
	v, rv, rsquare := y.variance(), rest.variance(), 0.0
	if v != 0 {
		rsquare = 1 - rv/v
	}
	return []any{rsquare, coefficients, v, rv, fit}
}

// polynomial fits one by least squares, over polynomials that are orthogonal at
// the points of x (Forsythe), which stays exact where the powers of x do not.
// Points that are no numbers are left out; with fewer than degree+1 there is no fit.
func polynomial(x, y series, degree int) (fit, coefficients series) {
	var xs, ys series
	for i := range x {
		if !math.IsNaN(x[i]) && !math.IsNaN(y[i]) {
			xs, ys = append(xs, x[i]), append(ys, y[i])
		}
	}
	if len(xs) <= degree {
		return nil, nil
	}
	n := degree + 1
	coefficients = make(series, n) // from the lowest power up, turned round at the end
	last, now := make(series, n), make(series, n)
	now[0] = 1
	norm := 0.0
	for k := range n {
		var dot, square, first float64
		for i := range xs {
			p := horner(now, xs[i])
			dot, square, first = dot+p*ys[i], square+p*p, first+xs[i]*p*p
		}
		if square == 0 { // fewer places than coefficients
			return nil, nil
		}
		for i := range n {
			coefficients[i] += dot / square * now[i]
		}
		next := make(series, n)
		for i := range n {
			if i > 0 {
				next[i] = now[i-1]
			}
			next[i] -= first / square * now[i]
			if k > 0 {
				next[i] -= square / norm * last[i]
			}
		}
		last, now, norm = now, next, square
	}
	fit = make(series, len(x))
	for i := range x {
		fit[i] = horner(coefficients, x[i])
	}
	for i, j := 0, n-1; i < j; i, j = i+1, j-1 {
		coefficients[i], coefficients[j] = coefficients[j], coefficients[i]
	}
	return fit, coefficients
}

// horner is the polynomial of coefficients c, lowest power first, at x.
func horner(c series, x float64) float64 {
	var v float64
	for i := len(c) - 1; i >= 0; i-- {
		v = v*x + c[i]
	}
	return v
}
