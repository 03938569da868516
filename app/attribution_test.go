package app

import (
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
	"picket/reputation"
	"picket/state"
)

// raise raises an incident over addresses and returns its name when the playbook
// for it has ended.
func raise(t *testing.T, a *App, id string, ips ...string) (incident string) {
	t.Helper()
	alert := picket.Alert{ID: id, RuleID: "11111111-1111-1111-1111-111111111111", RuleName: "Failed logins", Name: "Failed logins " + id,
		Severity: picket.Medium, Time: time.Now(), Start: time.Now(), End: time.Now(), Rows: len(ips), Grouping: picket.Grouping{CreateIncident: true}}
	for _, ip := range ips {
		alert.Entities = append(alert.Entities, picket.Entity{Kind: "IP", Properties: map[string]string{"Address": ip}})
	}
	before, err := a.State.PlaybookRuns(t.Context(), state.PlaybookRunFilter{})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.State.Tx(t.Context(), func(tx *sql.Tx) error { return a.Incidents.Raise(t.Context(), tx, []picket.Alert{alert}) }); err != nil {
		t.Fatal(err)
	}
	runs, err := a.State.PlaybookRuns(t.Context(), state.PlaybookRunFilter{})
	if err != nil || len(runs) != len(before)+1 {
		t.Fatalf("%d playbook runs, %v; want %d", len(runs), err, len(before)+1)
	}
	for _, r := range before {
		if r.ID == runs[0].ID {
			t.Fatal("the newest run is not the first")
		}
	}
	run, err := a.Playbooks.Wait(t.Context(), runs[0].ID)
	if err != nil || run.Status != "Succeeded" {
		t.Fatalf("the playbook: %s %s, %v", run.Status, run.Message, err)
	}
	return run.Incident
}

// What a playbook's lookups cost, and what they did not, is entered for its
// incident: when it asks this server, and when it asks Lupovis.
func TestAttribution(t *testing.T) {
	for _, ours := range []bool{true, false} {
		t.Run(fmt.Sprintf("ours=%v", ours), func(t *testing.T) {
			asked := make(chan string, 10)
			witness := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked <- r.URL.Query().Get("ip")
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprintf(w, `{"ip":%q,"ttps":["known-ssh-attack"]}`, r.URL.Query().Get("ip"))
			}))
			t.Cleanup(witness.Close)
			cfg := testConfig(t)
			cfg.Providers = map[string]ProviderConfig{}
			shipped, err := reputation.LoadProviders(reputation.Shipped, providersDir)
			if err != nil {
				t.Fatal(err)
			}
			for _, p := range shipped {
				cfg.Providers[p.Name] = ProviderConfig{Off: true}
			}
			provider := "prowl"
			if ours {
				provider = "witness"
				text := fmt.Sprintf("name: witness\nkey: none\nreliability: A\nrequest: {url: %q}\nprice_usd: 0.02\nanswer: '{verdict: \"malicious\", confidence: 90}'\n", witness.URL+"/?ip={ip}")
				if err := os.MkdirAll(filepath.Join(cfg.Data, providersDir), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(cfg.Data, providersDir, "witness.yaml"), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			} else {
				cfg.Prowl.URL, cfg.Prowl.APIKey = witness.URL, "key"
			}
			a, _ := start(t, cfg)
			first := raise(t, a, "1", "45.83.64.1", "45.83.64.2", "10.0.0.1")
			second := raise(t, a, "2", "45.83.64.1", "45.83.64.3", "192.168.1.1", "10.0.0.1")
			if len(asked) != 3 {
				t.Errorf("%d requests, want 3", len(asked))
			}
			if err := a.sources.Engine.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			lines, err := a.State.ProviderUsageSince(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]state.ProviderUsage{}
			for _, l := range lines {
				key := l.Provider + " " + l.Playbook + " " + l.Incident
				l.Day, l.Key, l.Provider, l.Playbook, l.Incident = "", "", "", "", ""
				if _, twice := got[key]; twice {
					t.Errorf("two lines for %s", key) // the day has changed: a second in 86,400
				}
				got[key] = l
			}
			want := map[string]state.ProviderUsage{
				provider + " prowl-enrich-incident " + first:  {Requests: 2, CostMicroUSD: 40_000, Skipped: 1, SavedMicroUSD: 20_000},
				provider + " prowl-enrich-incident " + second: {Requests: 1, CostMicroUSD: 20_000, Cached: 1, Skipped: 2, SavedMicroUSD: 60_000},
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}
