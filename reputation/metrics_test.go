package reputation

import (
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"picket/state"
)

// Every way that a lookup can go is counted once, with its money.
func TestEngineMetrics(t *testing.T) {
	r := newRig(t, witnessYAML)
	answers := func(h http.HandlerFunc, ips ...string) {
		r.answer.Store(h)
		for _, ip := range ips {
			r.Lookup(t.Context(), netip.MustParseAddr(ip), Caller{Analyst: true})
		}
	}
	answers(status(200, "application/json", `{"verdict":"malicious"}`), "45.83.64.1", "45.83.64.1", "45.83.64.1", "10.0.0.1")
	answers(status(404, "application/json", `{}`), "45.83.64.2")
	answers(status(403, "application/json", `{}`), "45.83.64.3")
	answers(status(500, "text/plain", "oops"), "45.83.64.4")
	answers(status(429, "text/plain", "slow down"), "45.83.64.5")
	want := `
# HELP picket_lookups_total Addresses looked up, by the status of their profile.
# TYPE picket_lookups_total counter
picket_lookups_total{status="enriched"} 4
picket_lookups_total{status="partial"} 3
picket_lookups_total{status="skipped"} 1
# HELP picket_provider_cost_usd_total What requests to providers have cost, in US dollars; refused ones cost nothing.
# TYPE picket_provider_cost_usd_total counter
picket_provider_cost_usd_total{provider="witness"} 0.06
# HELP picket_provider_requests_total Requests sent to reputation providers, by what came of them.
# TYPE picket_provider_requests_total counter
picket_provider_requests_total{provider="witness",state="error"} 1
picket_provider_requests_total{provider="witness",state="hit"} 1
picket_provider_requests_total{provider="witness",state="not_found"} 1
picket_provider_requests_total{provider="witness",state="refused"} 1
picket_provider_requests_total{provider="witness",state="waiting"} 1
# HELP picket_provider_saved_requests_total Requests that were not sent: answered from what is kept (cached), or not to be asked (skipped).
# TYPE picket_provider_saved_requests_total counter
picket_provider_saved_requests_total{provider="witness",why="cached"} 2
picket_provider_saved_requests_total{provider="witness",why="skipped"} 1
# HELP picket_provider_saved_usd_total What the requests that were not sent would have cost, in US dollars.
# TYPE picket_provider_saved_usd_total counter
picket_provider_saved_usd_total{provider="witness",why="cached"} 0.04
picket_provider_saved_usd_total{provider="witness",why="skipped"} 0.02
`
	err := testutil.GatherAndCompare(r.metrics, strings.NewReader(want), "picket_lookups_total", "picket_provider_cost_usd_total",
		"picket_provider_requests_total", "picket_provider_saved_requests_total", "picket_provider_saved_usd_total")
	if err != nil {
		t.Error(err)
	}
	// The ledger says the same.
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	lines, err := r.db.ProviderUsageSince(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	var sum state.ProviderUsage
	for _, l := range lines {
		sum.Requests, sum.Cached, sum.Skipped = sum.Requests+l.Requests, sum.Cached+l.Cached, sum.Skipped+l.Skipped
		sum.CostMicroUSD, sum.SavedMicroUSD = sum.CostMicroUSD+l.CostMicroUSD, sum.SavedMicroUSD+l.SavedMicroUSD
	}
	if want := (state.ProviderUsage{Requests: 5, Cached: 2, Skipped: 1, CostMicroUSD: 60_000, SavedMicroUSD: 60_000}); sum != want {
		t.Errorf("the ledger says %+v, want %+v", sum, want)
	}
}

// What is charged is counted by key when it is on disk, the repeat of a request id
// once, and so many keys have series of their own.
func TestKeyMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := newService(t, "", Options{Now: startOfDay().now, Metrics: reg})
	stop := run(t, s)
	for i := range maxKeySeries + 5 {
		if err := s.Charge(t.Context(), state.Key{ID: fmt.Sprintf("pk_%04d", i)}, "", addr); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	// Which keys came first is not known: they were written down together.
	if n, err := testutil.GatherAndCount(reg, "picket_key_lookups_total"); err != nil || n != maxKeySeries+1 {
		t.Errorf("%d series, %v; want %d", n, err, maxKeySeries+1)
	}
	if n := testutil.ToFloat64(s.metrics.lookups.WithLabelValues("other")); n != 5 {
		t.Errorf("%v lookups of other keys, want 5", n)
	}

	reg = prometheus.NewRegistry()
	s = newService(t, "", Options{Now: startOfDay().now, Metrics: reg})
	stop = run(t, s)
	for _, id := range []string{"a", "a", "b", ""} {
		if err := s.Charge(t.Context(), state.Key{ID: "pk_one"}, id, addr); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	err := testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP picket_key_cost_usd_total What the lookups of API keys cost their owners, in US dollars.
# TYPE picket_key_cost_usd_total counter
picket_key_cost_usd_total{key="pk_one"} 0.06
# HELP picket_key_lookups_total Lookups counted for API keys, by the key's id.
# TYPE picket_key_lookups_total counter
picket_key_lookups_total{key="pk_one"} 3
`))
	if err != nil {
		t.Error(err)
	}
}
