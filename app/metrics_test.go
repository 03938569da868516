package app

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"picket/reputation"
)

// scrape asks for the metrics with a key, or none.
func scrape(t *testing.T, a *App, key string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "GET", a.URL()+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

func TestMetrics(t *testing.T) {
	a, _ := start(t, testConfig(t))
	key := func(scope string) string {
		_, text, err := a.Reputation.CreateKey(t.Context(), reputation.NewKey{Name: scope, Scopes: []string{scope}})
		if err != nil {
			t.Fatal(err)
		}
		return text.Reveal()
	}
	status, body := scrape(t, a, key(reputation.ScopeMetrics))
	if status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	for _, want := range []string{"\ngo_goroutines ", "\nprocess_cpu_seconds_total ", "\npicket_build_info{version=", "\npicket_lookups_total{status=\"skipped\"} 0\n"} {
		if !strings.Contains(body, want) {
			t.Errorf("the metrics lack %q", want)
		}
	}
	for scope, want := range map[string]int{reputation.ScopeAdmin: 200, reputation.ScopeQuery: 403, reputation.ScopeIngest: 403} {
		if status, _ := scrape(t, a, key(scope)); status != want {
			t.Errorf("scope %s: %d, want %d", scope, status, want)
		}
	}
	if status, _ := scrape(t, a, ""); status != 401 {
		t.Errorf("no key: %d, want 401", status)
	}
	// The names of all parts are as Prometheus' users expect them.
	problems, err := testutil.GatherAndLint(a.metrics)
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	if err != nil {
		t.Error(err)
	}
}

func TestMetricsOpenOrOff(t *testing.T) {
	for set, want := range map[string]int{metricsOpen: 200, metricsOff: 404} {
		cfg := testConfig(t)
		cfg.Metrics = set
		a, _ := start(t, cfg)
		if status, body := scrape(t, a, ""); status != want {
			t.Errorf("metrics: %s: %d %s, want %d", set, status, body, want)
		}
	}
}
