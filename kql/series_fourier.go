package kql

import (
	"math"
	"math/bits"
	"math/cmplx"
)

// fourier lowers series_fft() and, backwards, series_ifft(): a series of
// complex numbers, given and returned as its real and its imaginary parts.
func fourier(a seriesArgs, backwards bool) any {
	re, im := a.series(0), a.series(1)
	if len(re) == 0 {
		return []any{series{}, series{}}
	}
	if im != nil && len(im) != len(re) {
		return nil
	}
	x := make([]complex128, len(re))
	for i := range x {
		x[i] = complex(re[i], 0)
		if im != nil {
			x[i] = complex(re[i], im[i])
		}
	}
	x = dft(x, backwards)
	outRe, outIm := make(series, len(x)), make(series, len(x))
	for i, c := range x {
		if backwards {
			c /= complex(float64(len(x)), 0)
		}
		outRe[i], outIm[i] = real(c), imag(c)
	}
	return []any{outRe, outIm}
}

// dft is the discrete Fourier transform, of the inverse without its factor 1/n.
// Lengths that are no power of two become a convolution of one (Bluestein).
func dft(x []complex128, backwards bool) []complex128 {
	n := len(x)
	if n&(n-1) == 0 {
		return fft(x, backwards)
	}
	turn := -math.Pi / float64(n)
	if backwards {
		turn = -turn
	}
	chirp := make([]complex128, n)
	for i := range chirp {
		chirp[i] = cmplx.Rect(1, turn*float64(i*i%(2*n)))
	}
	m := 1 << bits.Len(uint(2*n-1))
	p, q := make([]complex128, m), make([]complex128, m)
	for i, c := range chirp {
		p[i] = x[i] * c
		q[i] = cmplx.Conj(c)
		if i > 0 {
			q[m-i] = cmplx.Conj(c)
		}
	}
	p, q = fft(p, false), fft(q, false)
	for i := range p {
		p[i] *= q[i]
	}
	p = fft(p, true)
	out := make([]complex128, n)
	for i, c := range chirp {
		out[i] = p[i] / complex(float64(m), 0) * c
	}
	return out
}

// fft is dft of a power of two (Cooley and Tukey).
func fft(x []complex128, backwards bool) []complex128 {
	n := len(x)
	out := make([]complex128, n)
	shift := bits.LeadingZeros(uint(n)) + 1
	for i := range x {
		j := 0
		if n > 1 {
			j = int(bits.Reverse(uint(i)) >> shift)
		}
		out[j] = x[i]
	}
	turn := -2 * math.Pi
	if backwards {
		turn = -turn
	}
	for size := 2; size <= n; size *= 2 {
		roots := make([]complex128, size/2)
		for i := range roots {
			roots[i] = cmplx.Rect(1, turn*float64(i)/float64(size))
		}
		for start := 0; start < n; start += size {
			for i, w := range roots {
				u, v := out[start+i], out[start+i+size/2]*w
				out[start+i], out[start+i+size/2] = u+v, u-v
			}
		}
	}
	return out
}
