package kql

import (
	"math"
	"slices"
)

// autocorrelation is the correlation of a series with itself lag places later.
func autocorrelation(s series, lag int) float64 {
	m := s.mean()
	var num, den float64
	for i := range s {
		den += (s[i] - m) * (s[i] - m)
		if i+lag < len(s) {
			num += (s[i] - m) * (s[i+lag] - m)
		}
	}
	if den == 0 || lag >= len(s) {
		return 0
	}
	return num / den * float64(len(s)) / float64(len(s)-lag)
}

// clean replaces what is no number by the mean.
func (s series) clean() series {
	m := s.mean()
	out := slices.Clone(s)
	for i, v := range out {
		if math.IsNaN(v) {
			out[i] = m
		}
	}
	return out
}

// detect returns the period with the strongest autocorrelation that the series
// shows at least four times; 0 when none is above threshold. The shortest is
// minPeriod.
func detect(s series, threshold float64) int {
	s = s.clean()
	best, score := 0, threshold
	for p := minPeriod; p <= len(s)/4; p++ {
		c := autocorrelation(s, p)
		if c > score+0.05 && c >= autocorrelation(s, p-1) && c >= autocorrelation(s, p+1) {
			best, score = p, c
		}
	}
	return best
}

// minPeriod is the shortest period that is looked for.
const minPeriod = 4

// periodScore tells how well a clean series repeats after p places, from 0 to 1.
// What a period is repeats after 2p places as well: the lesser of the two
// correlations counts. It must be a peak, and above what noise has, 2/√n.
//
// Pages "series_periods_detect()" and "series_periods_validate()" give the
// bounds of p and two scores, which come out so; how they are computed they do not tell.
func periodScore(s series, p int) float64 {
	if p < minPeriod || p > len(s)/2 {
		return 0
	}
	c := autocorrelation(s, p)
	if c < autocorrelation(s, p-1) || c < autocorrelation(s, p+1) {
		return 0
	}
	c = min(c, autocorrelation(s, 2*p))
	if c < 2/math.Sqrt(float64(len(s))) {
		return 0
	}
	return min(c, 1)
}

// periodsDetect lowers series_periods_detect(series, min, max, count). A
// multiple of a period with a better score is the same period.
func periodsDetect(a seriesArgs) any {
	s := a.series(0).clean()
	type peak struct {
		period int
		score  float64
	}
	var peaks []peak
	for p := max(minPeriod, int(math.Ceil(a.num(1, minPeriod)))); p <= min(int(a.num(2, 720)), len(s)/2); p++ {
		if c := periodScore(s, p); c > 0 {
			peaks = append(peaks, peak{p, c})
		}
	}
	slices.SortStableFunc(peaks, func(x, y peak) int { return int(sign(y.score - x.score)) })
	n := int(min(max(a.num(3, 2), 0), 1000))
	periods, scores := make(series, n), make(series, n)
	found := 0
	for i, p := range peaks {
		multiple := slices.ContainsFunc(peaks[:i], func(q peak) bool { return p.period%q.period == 0 })
		if found < n && !multiple {
			periods[found], scores[found] = float64(p.period), p.score
			found++
		}
	}
	return []any{periods, scores}
}

// periodsValidate scores periods: that of none is 0.
func periodsValidate(a seriesArgs) any {
	s := a.series(0).clean()
	var periods, scores series
	for i := 1; i < len(a); i++ {
		p := a.num(i, 0)
		score := 0.0
		if p >= minPeriod && p <= float64(len(s)) {
			score = periodScore(s, int(math.Round(p)))
		}
		periods, scores = append(periods, p), append(scores, score)
	}
	return []any{periods, scores}
}
