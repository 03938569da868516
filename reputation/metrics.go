package reputation

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"picket/state"
)

// engineMetrics count lookups since the process began. They carry the names of
// providers, of which there are as many as files, and never an address, a
// playbook or an incident: those are in the ledger.
type engineMetrics struct {
	enriched, partial, skipped prometheus.Counter // lookups, by status

	answers  *prometheus.CounterVec // by provider and state
	seconds  *prometheus.HistogramVec
	cost     *prometheus.CounterVec
	unasked  *prometheus.CounterVec // by provider and why
	savedUSD *prometheus.CounterVec
}

func newEngineMetrics(r prometheus.Registerer) engineMetrics {
	f := promauto.With(r)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Namespace: "picket", Name: name, Help: help}, labels)
	}
	m := engineMetrics{
		answers:  counter("provider_requests_total", "Requests sent to reputation providers, by what came of them.", "provider", "state"),
		cost:     counter("provider_cost_usd_total", "What requests to providers have cost, in US dollars; refused ones cost nothing.", "provider"),
		unasked:  counter("provider_saved_requests_total", "Requests that were not sent: answered from what is kept (cached), or not to be asked (skipped).", "provider", "why"),
		savedUSD: counter("provider_saved_usd_total", "What the requests that were not sent would have cost, in US dollars.", "provider", "why"),
		seconds: f.NewHistogramVec(prometheus.HistogramOpts{Namespace: "picket", Name: "provider_request_duration_seconds",
			Help: "How long providers took to answer.", Buckets: []float64{.025, .05, .1, .25, .5, 1, 2.5, 5, 10}}, []string{"provider"}),
	}
	// A series that is there from the beginning can be alerted on.
	lookups := counter("lookups_total", "Addresses looked up, by the status of their profile.", "status")
	m.enriched, m.partial, m.skipped = lookups.WithLabelValues(StatusEnriched), lookups.WithLabelValues(StatusPartial), lookups.WithLabelValues(StatusSkipped)
	return m
}

// lookup is the counter of lookups with a status.
func (m engineMetrics) lookup(status string) prometheus.Counter {
	switch status {
	case StatusSkipped:
		return m.skipped
	case StatusPartial:
		return m.partial
	}
	return m.enriched
}

// deskMetrics are those of one provider.
type deskMetrics struct {
	answers                             *prometheus.CounterVec // by state
	seconds                             prometheus.Observer
	cost                                prometheus.Counter
	cached, skipped                     prometheus.Counter
	savedByCacheUSD, savedBySkippingUSD prometheus.Counter
}

func (m engineMetrics) of(provider string) deskMetrics {
	return deskMetrics{
		answers: m.answers.MustCurryWith(prometheus.Labels{"provider": provider}),
		seconds: m.seconds.WithLabelValues(provider),
		cost:    m.cost.WithLabelValues(provider),
		cached:  m.unasked.WithLabelValues(provider, "cached"), skipped: m.unasked.WithLabelValues(provider, "skipped"),
		savedByCacheUSD: m.savedUSD.WithLabelValues(provider, "cached"), savedBySkippingUSD: m.savedUSD.WithLabelValues(provider, "skipped"),
	}
}

// answered counts a request that was sent.
func (m deskMetrics) answered(s State, took time.Duration, microUSD int64) {
	m.answers.WithLabelValues(string(s)).Inc()
	m.seconds.Observe(took.Seconds())
	m.cost.Add(float64(microUSD) / 1e6)
}

// countCached counts a request that was answered from what is kept.
func (m deskMetrics) countCached(microUSD int64) {
	m.cached.Inc()
	if microUSD > 0 {
		m.savedByCacheUSD.Add(float64(microUSD) / 1e6)
	}
}

// maxKeySeries bounds how many keys have series of their own; what later ones
// look up is counted together, under the key "other".
const maxKeySeries = 1000

// keyMetrics count what is charged to API keys. They are counted when they are
// written down, so they agree with statements.
type keyMetrics struct {
	lookups, cost *prometheus.CounterVec

	mu   sync.Mutex
	seen map[string]bool
}

func newKeyMetrics(r prometheus.Registerer) *keyMetrics {
	f := promauto.With(r)
	return &keyMetrics{
		lookups: f.NewCounterVec(prometheus.CounterOpts{Namespace: "picket", Name: "key_lookups_total", Help: "Lookups counted for API keys, by the key's id."}, []string{"key"}),
		cost:    f.NewCounterVec(prometheus.CounterOpts{Namespace: "picket", Name: "key_cost_usd_total", Help: "What the lookups of API keys cost their owners, in US dollars."}, []string{"key"}),
		seen:    map[string]bool{},
	}
}

func (m *keyMetrics) add(d state.UsageDay) {
	keyID := d.KeyID
	m.mu.Lock()
	if !m.seen[keyID] && len(m.seen) >= maxKeySeries {
		keyID = "other"
	} else {
		m.seen[keyID] = true
	}
	m.mu.Unlock()
	m.lookups.WithLabelValues(keyID).Add(float64(d.Requests))
	m.cost.WithLabelValues(keyID).Add(float64(d.CostMicroUSD) / 1e6)
}
