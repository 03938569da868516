package workspace

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"picket"
)

// metrics are those of the writer.
type metrics struct {
	rows, bytes *prometheus.CounterVec // by table
	refused     *prometheus.CounterVec // by why
	wait        prometheus.Histogram
}

// Why batches are refused.
const (
	refusedInvalid = "invalid"
	refusedFull    = "full"
	refusedFailed  = "failed"
)

func (db *DB) newMetrics(r prometheus.Registerer) *metrics {
	f := promauto.With(r)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Namespace: "picket", Subsystem: "workspace", Name: name, Help: help}, labels)
	}
	gauge := func(name, help string, value func() float64) {
		f.NewGaugeFunc(prometheus.GaugeOpts{Namespace: "picket", Subsystem: "workspace", Name: name, Help: help}, value)
	}
	m := &metrics{
		rows:    counter("rows_committed_total", "Rows committed to tables.", "table"),
		bytes:   counter("committed_bytes_total", "Bytes of the values committed to tables, as the table Usage counts them.", "table"),
		refused: counter("rows_refused_total", "Rows that were not taken: invalid, full (the disk), or failed, of which senders may have tried again.", "reason"),
		wait: f.NewHistogram(prometheus.HistogramOpts{Namespace: "picket", Subsystem: "workspace", Name: "append_duration_seconds",
			Help: "How long batches took to be committed, waiting included.", Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}}),
	}
	for _, reason := range []string{refusedInvalid, refusedFull, refusedFailed} {
		m.refused.WithLabelValues(reason)
	}
	gauge("queue_batches", "Batches that wait for the writer.", func() float64 { return float64(len(db.requests)) })
	gauge("database_bytes", "Size of the database and its log.", func() float64 { return float64(db.disk.size()) })
	gauge("disk_free_bytes", "Free space of the file system that the database is on; 0 in memory.", func() float64 {
		free, _ := db.disk.free()
		return float64(free)
	})
	return m
}

// observe counts what came of an append.
func (m *metrics) observe(b *picket.Batch, began time.Time, err error) {
	if err == nil {
		m.wait.Observe(time.Since(began).Seconds())
		return
	}
	var full *Throttled
	reason := refusedFailed
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return // nobody was refused
	case errors.As(err, &full):
		reason = refusedFull
	case picket.CodeOf(err) == picket.Invalid, picket.CodeOf(err) == picket.NotFound:
		reason = refusedInvalid
	}
	m.refused.WithLabelValues(reason).Add(float64(len(b.Rows)))
}
