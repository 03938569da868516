package kql

import (
	"math"
	"strconv"
)

// special computes the functions of statistics that SQL has not. Beyond their
// domain the result is NaN; beta_inv() of what is no probability is null, as
// its page prints it.
func special(name string, args []string) (string, bool) {
	var x [3]float64
	for i := range x {
		if i < len(args) && args[i] != "" {
			v, err := strconv.ParseFloat(args[i], 64)
			if err != nil {
				return "", false
			}
			x[i] = v
		}
	}
	var v float64
	switch name {
	case "erf":
		v = math.Erf(x[0])
	case "erfc":
		v = math.Erfc(x[0])
	case "beta_pdf":
		v = betaPDF(x[0], x[1], x[2])
	case "beta_cdf":
		v = betaCDF(x[0], x[1], x[2])
	case "beta_inv":
		if x[0] <= 0 || x[0] > 1 {
			return "", false
		}
		v = betaInv(x[0], x[1], x[2])
	default:
		return "", false
	}
	return strconv.FormatFloat(v, 'g', -1, 64), true
}

func lnBeta(a, b float64) float64 {
	x, _ := math.Lgamma(a)
	y, _ := math.Lgamma(b)
	z, _ := math.Lgamma(a + b)
	return x + y - z
}

func betaPDF(x, a, b float64) float64 {
	if x < 0 || x > 1 || a <= 0 || b <= 0 || math.IsNaN(x) {
		return math.NaN()
	}
	return math.Exp((a-1)*math.Log(x) + (b-1)*math.Log1p(-x) - lnBeta(a, b))
}

// betaCDF is the regularised incomplete beta function, by its continued
// fraction (DLMF 8.17.22).
func betaCDF(x, a, b float64) float64 {
	switch {
	case x < 0 || x > 1 || a <= 0 || b <= 0 || math.IsNaN(x):
		return math.NaN()
	case x == 0 || x == 1:
		return x
	case x > (a+1)/(a+b+2): // the fraction converges on this side only
		return 1 - betaCDF(1-x, b, a)
	}
	const tiny = 1e-300
	f, c, d := 1.0, 1.0, 0.0
	for i := range 400 {
		m := float64(i / 2)
		t := 1.0
		switch {
		case i == 0:
		case i%2 == 0:
			t = m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		default:
			t = -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		}
		d = 1 + t*d
		if math.Abs(d) < tiny {
			d = tiny
		}
		d = 1 / d
		c = 1 + t/c
		if math.Abs(c) < tiny {
			c = tiny
		}
		f *= c * d
		if math.Abs(1-c*d) < 1e-15 {
			break
		}
	}
	return math.Exp(a*math.Log(x)+b*math.Log1p(-x)-lnBeta(a, b)) / a * (f - 1)
}

// betaInv finds the x of which betaCDF is p, by halving.
func betaInv(p, a, b float64) float64 {
	if a <= 0 || b <= 0 || math.IsNaN(p) {
		return math.NaN()
	}
	lo, hi := 0.0, 1.0
	for range 100 {
		if m := (lo + hi) / 2; betaCDF(m, a, b) < p {
			lo = m
		} else {
			hi = m
		}
	}
	return (lo + hi) / 2
}
