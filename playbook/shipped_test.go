package playbook

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
)

const shipped = "../playbooks/prowl-enrich-incident.json"

func loadShipped(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestShippedLoads(t *testing.T) {
	p, err := Load(shipped, loadShipped(t))
	if err != nil {
		t.Fatal(err)
	}
	want := []ParameterInfo{{"DcrImmutableId", "String", false, false}, {"LogsIngestionEndpoint", "String", false, false}, {"LookupPriceUsd", "Float", false, true},
		{"ProwlApiKey", "SecureString", true, false}, {"ProwlBaseUrl", "String", false, true}}
	if d := cmp.Diff(want, p.Parameters()); p.Name != "prowl-enrich-incident" || d != "" {
		t.Fatalf("name %q, parameters (-want +got):\n%s", p.Name, d)
	}
}

// columns of ProwlEnrich_CL, all of which every row must name.
var columns = []string{"AnalyticsRuleName", "AsOrganization", "Asn", "Confidence", "CostUsd", "CountryCode", "FirstSeen", "IPAddress", "IncidentName", "IncidentNumber",
	"IndicatorOfIntelligence", "LastSeen", "Reason", "RunId", "Sources", "Status", "Techniques", "TimeGenerated", "Ttps", "Verdict"}

func TestShippedEveryOutcome(t *testing.T) {
	p := newProwl(t)
	p.answer = func(w http.ResponseWriter, r *http.Request, ip string, n int) {
		switch ip {
		case "203.0.113.1": // what the real Prowl says
			fmt.Fprintf(w, `{"ip":%q,"ttps":["known-ssh-attack","<b>&\"web\""]}`, ip)
		case "203.0.113.2":
			fmt.Fprintf(w, `{"ip":%q,"ttps":[]}`, ip)
		case "203.0.113.3":
			if n == 1 {
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusTooManyRequests)
				return
			}
			fmt.Fprintf(w, `{"ip":%q,"ttps":["known-bot"],"verdict":"suspicious","confidence":80,"techniques":["T1110.001"],"indicator_of_intelligence":"bot","country_code":"DE","asn":64500,"as_organization":"Example","first_seen":"2026-01-01T00:00:00Z","last_seen":"2026-02-01T00:00:00Z","sources":["snare"]}`, ip)
		case "203.0.113.4":
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprintf(w, `{"message":"no %s here"}`, r.Header.Get("X-Api-Key"))
		case "203.0.113.5":
			select {
			case <-r.Context().Done():
			case <-time.After(5 * time.Second):
			}
		case "203.0.113.6":
			fmt.Fprintf(w, `{"ip": garbage %s`, r.Header.Get("X-Api-Key"))
		case "203.0.113.7":
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusBadGateway)
			fmt.Fprint(w, "<html>Bad gateway</html>")
		case "203.0.113.8":
			fmt.Fprintf(w, `{"ip":%q,"ttps":"known-bot"}`, ip)
		case "2001:db8:1::1":
			w.Header().Set("X-Cache", "HIT")
			fmt.Fprintf(w, `{"ip":%q,"ttps":["known-bot"]}`, ip)
		case "203.0.113.10":
			fmt.Fprintf(w, `{"ip":%q,"ttps":[],"status":"partial","reason":"no source has answered; AbuseIPDB waits until 2026-11-26T00:00:00Z","waiting_until":"2026-11-26T00:00:00Z"}`, ip)
		case "203.0.113.11":
			fmt.Fprintf(w, `{"ip":%q,"ttps":["known-bot"],"verdict":"suspicious","status":"partial","reason":"GreyNoise: suspicious; AbuseIPDB waits until 2026-11-26T00:00:00Z","waiting_until":"2026-11-26T00:00:00Z"}`, ip)
		case "203.0.113.9":
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"message":"Forbidden"}`)
		default:
			t.Errorf("asked for %q", ip)
		}
	}
	dir := t.TempDir()
	b := newBench(t, filepath.Join(dir, "state.db"), p.params(), func(o *Options) { o.Token = tokenOf })
	b.launch()
	run := b.run(quick(loadShipped(t)), incident("203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4", "203.0.113.5", "203.0.113.6", "203.0.113.7", "203.0.113.8", "203.0.113.9", "203.0.113.10", "203.0.113.11",
		"2001:DB8:1:0::1", "::ffff:203.0.113.1", "10.0.0.7", "not an address", "203.0.113.1"))
	if run.Status != "Succeeded" {
		t.Errorf("run %s %s: %s", run.Status, run.Code, run.Message)
	}
	p.check(t)

	type short struct {
		Status, Reason, Verdict any
		Cost                    any
	}
	for ip, want := range map[string]short{
		"203.0.113.1":   {"found", nil, "malicious", 0.02},
		"203.0.113.2":   {"not_found", nil, "unknown", 0.02},
		"203.0.113.3":   {"found", nil, "suspicious", 0.02},
		"203.0.113.4":   {"failed", "Prowl did not answer: HTTP 500 Internal Server Error, after 4 attempts", nil, 0.0},
		"203.0.113.5":   {"failed", "Prowl did not answer: no answer from " + p.Listener.Addr().String() + " within 300ms, after 4 attempts", nil, 0.0},
		"203.0.113.6":   {"failed", "Prowl's answer was not understood: the content is not JSON: invalid character 'g' looking for beginning of value", nil, 0.0},
		"203.0.113.7":   {"failed", "Prowl did not answer: HTTP 502 Bad Gateway, after 4 attempts", nil, 0.0},
		"203.0.113.8":   {"failed", "Prowl's answer was not understood: the answer.ttps is a string; expected array", nil, 0.0},
		"203.0.113.9":   {"failed", "Prowl did not answer: HTTP 403 Forbidden", nil, 0.0},
		"203.0.113.10":  {"waiting", "no source has answered; AbuseIPDB waits until 2026-11-26T00:00:00Z", "unknown", 0.02},
		"203.0.113.11":  {"found", "GreyNoise: suspicious; AbuseIPDB waits until 2026-11-26T00:00:00Z", "suspicious", 0.02},
		"2001:db8:1::1": {"found", nil, "malicious", 0.0},
		"10.0.0.7":      {"skipped", "private-use", nil, 0.0},
	} {
		r := p.row(t, ip)
		if got := (short{r["Status"], r["Reason"], r["Verdict"], r["CostUsd"]}); got != want {
			t.Errorf("%s: %+v, want %+v", ip, got, want)
		}
		var names []string
		for k := range r {
			names = append(names, k)
		}
		slices.Sort(names)
		if d := cmp.Diff(columns, names); d != "" {
			t.Errorf("%s: columns (-want +got):\n%s", ip, d)
		}
	}
	if len(p.rows) != 13 {
		t.Errorf("%d rows, want 13", len(p.rows))
	}
	rich := p.row(t, "203.0.113.3")
	delete(rich, "TimeGenerated")
	want := map[string]any{"IncidentNumber": 42.0, "IncidentName": "0b1fdb3e-5a10-4e58-a7a0-6a0f3a6f0001", "AnalyticsRuleName": "SSH failed logins", "IPAddress": "203.0.113.3",
		"Status": "found", "Reason": nil, "Verdict": "suspicious", "Confidence": 80.0, "Ttps": []any{"known-bot"}, "Techniques": []any{"T1110.001"}, "IndicatorOfIntelligence": "bot",
		"CountryCode": "DE", "Asn": 64500.0, "AsOrganization": "Example", "FirstSeen": "2026-01-01T00:00:00Z", "LastSeen": "2026-02-01T00:00:00Z", "Sources": []any{"snare"},
		"CostUsd": 0.02, "RunId": run.ID}
	if d := cmp.Diff(want, rich); d != "" {
		t.Errorf("row (-want +got):\n%s", d)
	}
	wantAsked := map[string]int{"203.0.113.1": 1, "203.0.113.2": 1, "203.0.113.3": 2, "203.0.113.4": 4, "203.0.113.5": 4, "203.0.113.6": 1, "203.0.113.7": 4, "203.0.113.8": 1, "203.0.113.9": 1, "203.0.113.10": 1, "203.0.113.11": 1, "2001:db8:1::1": 1}
	if d := cmp.Diff(wantAsked, p.asked); d != "" {
		t.Errorf("requests (-want +got):\n%s", d)
	}
	for ip, ids := range p.lookups {
		if len(ids) != 1 {
			t.Errorf("%s was asked for under %d request IDs, want 1", ip, len(ids))
		}
	}

	msg := b.incidents.only(t)
	for _, part := range []string{"<b>Prowl</b>: 13 addresses, 2 malicious (4 found, 1 not found, 1 skipped, 6 failed, 1 waiting)",
		"<td>203.0.113.10</td><td>waiting</td><td>no source has answered; AbuseIPDB waits until 2026-11-26T00:00:00Z</td><td></td>", "<td>203.0.113.11</td><td>suspicious</td><td>known-bot</td>",
		"</th></tr><tr><td>2001:db8:1::1</td><td>malicious</td><td>known-bot</td><td></td></tr><tr><td>203.0.113.1</td><td>malicious</td><td>known-ssh-attack, (b)+\"web\"</td>",
		"<td>203.0.113.3</td><td>suspicious</td><td>known-bot</td><td>DE</td>", "<td>10.0.0.7</td><td>skipped</td><td>private-use</td><td></td></tr></table>"} {
		if !strings.Contains(msg, part) {
			t.Errorf("the comment lacks %s:\n%s", part, msg)
		}
	}
	noCanary(t, b, dir, run.ID, msg)
}

// noCanary looks for the key and the token wherever something was kept or told.
func noCanary(t *testing.T, b *bench, dir, run, comment string) {
	t.Helper()
	places := map[string]string{"log": b.log.String(), "comment": comment, "events": fmt.Sprintf("%+v", b.events)}
	actions, err := b.db.PlaybookActions(t.Context(), run)
	if err != nil || len(actions) < 50 {
		t.Fatalf("%d actions in the history (%v)", len(actions), err)
	}
	places["history"] = fmt.Sprintf("%+v", actions)
	for _, f := range []string{"state.db", "state.db-wal"} {
		data, err := os.ReadFile(filepath.Join(dir, f))
		if err != nil {
			t.Fatal(err)
		}
		places[f] = string(data)
	}
	quoted, _ := json.Marshal(canary)
	for where, text := range places {
		for _, secret := range []string{canary, testToken, strings.Trim(string(quoted), `"`), "CANARY"} {
			if strings.Contains(text, secret) {
				at := strings.Index(text, secret)
				t.Errorf("%s holds a secret: …%s…", where, text[max(0, at-200):min(len(text), at+100)])
				break
			}
		}
	}
}

func TestShippedManyAddresses(t *testing.T) {
	p := newProwl(t)
	p.answer = func(w http.ResponseWriter, _ *http.Request, ip string, _ int) {
		fmt.Fprintf(w, `{"ip":%q,"ttps":["%s"]}`, ip, strings.Repeat("&<>x", 200))
	}
	b := newBench(t, "", p.params(), func(o *Options) { o.Token = tokenOf })
	b.launch()
	var ips []string
	for i := range 100 {
		ips = append(ips, fmt.Sprintf("2001:db8:ffff:ffff:ffff:ffff:ffff:%x", 0xf000+i))
	}
	if run := b.run(quick(loadShipped(t)), incident(ips...)); run.Status != "Succeeded" {
		t.Fatalf("run %s: %s", run.Status, run.Message)
	}
	msg := b.incidents.only(t)
	if len([]rune(msg)) > 30_000 || !strings.Contains(msg, "… and 20 more") || strings.Count(msg, "<tr>") != 81 {
		t.Errorf("comment of %d characters, %d rows:\n%s", len([]rune(msg)), strings.Count(msg, "<tr>"), cut(msg, 500))
	}
	if len(p.rows) != 100 {
		t.Errorf("%d rows, want 100", len(p.rows))
	}
}

func TestShippedRunFailsWhenARowIsMissing(t *testing.T) {
	p := newProwl(t)
	p.ingest = func(w http.ResponseWriter) bool {
		w.WriteHeader(http.StatusForbidden)
		return true
	}
	b := newBench(t, "", p.params(), func(o *Options) { o.Token = tokenOf })
	b.launch()
	run := b.run(quick(loadShipped(t)), incident("203.0.113.1"))
	if run.Status != "Failed" || run.Code != "Incomplete" {
		t.Errorf("run %s %s %s, want Failed Incomplete", run.Status, run.Code, run.Message)
	}
	b.incidents.only(t) // the analyst is told all the same
}

func TestShippedWithoutAddresses(t *testing.T) {
	p := newProwl(t)
	b := newBench(t, "", p.params(), nil)
	b.launch()
	trigger := incident()
	delete(trigger["object"].(map[string]any)["properties"].(map[string]any), "relatedEntities")
	if run := b.run(quick(loadShipped(t)), trigger); run.Status != "Succeeded" {
		t.Fatalf("run %s: %s", run.Status, run.Message)
	}
	if msg := b.incidents.only(t); !strings.Contains(msg, "0 addresses") {
		t.Error(msg)
	}
}

func TestMissingParameterFailsTheRun(t *testing.T) {
	b := newBench(t, "", map[string]any{"ProwlApiKey": picket.Secret(canary), "DcrImmutableId": 7}, nil)
	b.launch()
	run := b.run(quick(loadShipped(t)), incident("203.0.113.1"))
	want := "playbook 'test': parameter 'DcrImmutableId' must be a string (String), not an integer; parameter 'LogsIngestionEndpoint' (String) has no value: set it in the configuration, or give it a defaultValue"
	if run.Status != "Failed" || run.Message != want {
		t.Errorf("run %s %q\nwant %q", run.Status, run.Message, want)
	}
}
