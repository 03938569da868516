package ingest

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// statsMetrics makes the counters of stats metrics when somebody looks, in a
// subsystem, of what it takes in: lines, or entries.
func statsMetrics(r prometheus.Registerer, subsystem, what string, stats func() Stats) {
	count := func(name, help string, value func(Stats) uint64) {
		promauto.With(r).NewCounterFunc(prometheus.CounterOpts{Namespace: "picket", Subsystem: subsystem, Name: name, Help: help},
			func() float64 { return float64(value(stats())) })
	}
	count(what+"_total", "What was read: "+what+", empty ones not counted.", func(s Stats) uint64 { return s.Received })
	count("rows_total", "Rows that the workspace has committed.", func(s Stats) uint64 { return s.Committed })
	count("odd_"+what+"_total", "Those of "+what+" that were not understood in full; all of their text is kept.", func(s Stats) uint64 { return s.Odd })
	count("cut_"+what+"_total", "Those of "+what+" that were longer than the limit, and cut.", func(s Stats) uint64 { return s.Truncated })
}

// metrics makes the metrics of a Follower.
func (f *Follower) metrics(r prometheus.Registerer) {
	statsMetrics(r, "file", "lines", f.Stats)
	gauge := func(name, help string, value func() float64) {
		promauto.With(r).NewGaugeFunc(prometheus.GaugeOpts{Namespace: "picket", Subsystem: "file", Name: name, Help: help}, value)
	}
	gauge("lag_bytes", "Bytes of followed files that are not read yet; compressed ones are not counted.", func() float64 { return float64(f.Stats().Lag) })
	gauge("followed", "Log files that are followed.", func() float64 { followed, _ := f.count(); return float64(followed) })
	gauge("failing", "Of the files that are followed those that cannot be read now.", func() float64 { _, failing := f.count(); return float64(failing) })
}

// count returns how many logs are followed, and how many of them cannot be.
func (f *Follower) count() (followed, failing int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, t := range f.tails {
		if !t.ended {
			followed++
			if t.failing.Load() {
				failing++
			}
		}
	}
	return followed, failing
}
