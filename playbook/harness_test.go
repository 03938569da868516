package playbook

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"picket"
	"picket/state"
)

// canary is a key that must show up nowhere but in the header it is for.
const canary = "CANARY-9f3b/secret+key=="

// incidentBook keeps what playbooks did to incidents, as the real one does: a
// comment's ID replaces.
type incidentBook struct {
	mu       sync.Mutex
	comments map[string]picket.Comment
	updates  []IncidentUpdate
	fail     error
}

func (b *incidentBook) Comment(_ context.Context, _ By, incident string, c picket.Comment) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return b.fail
	}
	if b.comments == nil {
		b.comments = map[string]picket.Comment{}
	}
	b.comments[incident+"/"+c.ID] = c
	return nil
}

func (b *incidentBook) Update(_ context.Context, _ By, _ string, u IncidentUpdate) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.updates = append(b.updates, u)
	return b.fail
}

// only returns the one comment there must be.
func (b *incidentBook) only(t *testing.T) string {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.comments) != 1 {
		t.Fatalf("%d comments, want 1", len(b.comments))
	}
	for _, c := range b.comments {
		return c.Message
	}
	return ""
}

// bench is a runner on a real state database.
type bench struct {
	t         *testing.T
	db        *state.DB
	r         *Runner
	incidents *incidentBook
	log       *lockedBuffer
	params    map[string]any

	mu     sync.Mutex
	events []Event
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// newBench opens a runner; change may alter its options.
func newBench(t *testing.T, path string, params map[string]any, change func(*Options)) *bench {
	t.Helper()
	b := &bench{t: t, incidents: &incidentBook{}, log: &lockedBuffer{}, params: params}
	log := slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	if b.db, err = state.Open(t.Context(), state.Options{Path: path, Logger: log}); err != nil {
		t.Fatal(err)
	}
	o := Options{Logger: log, Incidents: b.incidents, SkipReason: testSkip, Parameters: func(string) map[string]any { return b.params },
		Event: func(e Event) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.events = append(b.events, e)
		}}
	if change != nil {
		change(&o)
	}
	if b.r, err = New(b.db, o); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) launch() {
	b.t.Helper()
	if err := b.db.Launch(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() {
		if err := b.db.Close(context.Background()); err != nil {
			b.t.Error(err)
		}
	})
}

// run loads and runs a playbook to its end.
func (b *bench) run(def string, trigger any) state.PlaybookRun {
	b.t.Helper()
	p, err := Load("test.json", []byte(def))
	if err != nil {
		b.t.Fatal(err)
	}
	b.r.Set(p)
	id := fmt.Sprintf("run-%d", time.Now().UnixNano())
	b.enqueue(Run{ID: id, Playbook: "test", Trigger: mustJSON(trigger)})
	return b.wait(id)
}

func (b *bench) enqueue(run Run) {
	b.t.Helper()
	if err := b.db.Tx(b.t.Context(), func(tx *sql.Tx) error { return b.r.Enqueue(b.t.Context(), tx, run) }); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) wait(id string) state.PlaybookRun {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), 60*time.Second)
	defer cancel()
	run, err := b.r.Wait(ctx, id)
	if err != nil {
		b.t.Fatalf("wait for %s: %v; log:\n%s", id, err, b.log)
	}
	return run
}

// action returns what an action came to by its path and iteration.
func (b *bench) action(run, path, iteration string) state.PlaybookAction {
	b.t.Helper()
	list, err := b.db.PlaybookActions(b.t.Context(), run)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, a := range list {
		if a.Path == path && a.Iteration == iteration {
			return a
		}
	}
	b.t.Fatalf("no action %s [%s] in the history: %+v", path, iteration, list)
	return state.PlaybookAction{}
}

func mustJSON(v any) []byte {
	data, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return data
}

func testSkip(_ By, a netip.Addr) string {
	if a.IsPrivate() || a.IsLoopback() {
		return "private-use"
	}
	return ""
}

// incident is the body that the incident trigger delivers.
func incident(ips ...string) map[string]any {
	entities := []any{map[string]any{"kind": "Host", "properties": map[string]any{"hostName": "web1"}}}
	for _, ip := range ips {
		entities = append(entities, map[string]any{"kind": "Ip", "properties": map[string]any{"address": ip, "friendlyName": ip}})
	}
	const name = "0b1fdb3e-5a10-4e58-a7a0-6a0f3a6f0001"
	return map[string]any{"objectSchemaType": "Incident", "objectEventType": "Create", "object": map[string]any{
		"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.SecurityInsights/Incidents/" + name, "name": name,
		"properties": map[string]any{"title": "Failed SSH logins", "incidentNumber": 42, "relatedEntities": entities,
			"alerts": []any{map[string]any{"kind": "SecurityAlert", "properties": map[string]any{"alertDisplayName": "Failed SSH logins of web1",
				"additionalData": map[string]any{"Analytic Rule Name": "SSH failed logins"}}}}}}}
}

// prowl is a reputation API and an ingestion endpoint that count.
type prowl struct {
	*httptest.Server
	before func(r *http.Request) (handled bool)
	answer func(w http.ResponseWriter, r *http.Request, ip string, n int) // n-th request for ip

	mu      sync.Mutex
	asked   map[string]int             // requests by address
	lookups map[string]map[string]bool // address → request IDs
	rows    map[string]map[string]any  // rows by request ID, the first one counts
	bad     []string                   // what is wrong with requests
	ingest  func(w http.ResponseWriter) (done bool)
}

func newProwl(t *testing.T) *prowl { return startProwl(t, true) }

func startProwl(t *testing.T, now bool) *prowl {
	p := &prowl{asked: map[string]int{}, lookups: map[string]map[string]bool{}, rows: map[string]map[string]any{}}
	p.Server = httptest.NewUnstartedServer(http.HandlerFunc(p.serve))
	if now {
		p.Start()
	}
	t.Cleanup(p.Close)
	return p
}

func (p *prowl) serve(w http.ResponseWriter, r *http.Request) {
	if p.before != nil && p.before(r) {
		return
	}
	id := r.Header.Get("X-Ms-Client-Request-Id")
	if r.Method == http.MethodPost {
		p.take(w, r, id)
		return
	}
	ip := r.URL.Query().Get("ip")
	p.mu.Lock()
	if r.Header.Get("X-Api-Key") != canary {
		p.bad = append(p.bad, "wrong key")
	}
	if len(id) != 36 || r.Header.Get("X-Ms-Workflow-Run-Id") == "" {
		p.bad = append(p.bad, "no request or run ID")
	}
	p.asked[ip]++
	n := p.asked[ip]
	if p.lookups[ip] == nil {
		p.lookups[ip] = map[string]bool{}
	}
	p.lookups[ip][id] = true
	p.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if p.answer != nil {
		p.answer(w, r, ip, n)
		return
	}
	fmt.Fprintf(w, `{"ip":%q,"ttps":["known-ssh-attack"]}`, ip)
}

func (p *prowl) take(w http.ResponseWriter, r *http.Request, id string) {
	body, _ := io.ReadAll(r.Body)
	var rows []map[string]any
	p.mu.Lock()
	defer p.mu.Unlock()
	if err := json.Unmarshal(body, &rows); err != nil || len(rows) != 1 {
		p.bad = append(p.bad, fmt.Sprintf("body is not an array of one row: %s", body))
	}
	if bytes.Contains(body, []byte(canary)) {
		p.bad = append(p.bad, "the key is in a row")
	}
	if got := r.Header.Get("Authorization"); got != "Bearer "+testToken {
		p.bad = append(p.bad, "authorization "+got)
	}
	if want := "/dataCollectionRules/dcr-1/streams/Custom-ProwlEnrich_CL"; r.URL.Path != want || r.URL.Query().Get("api-version") != "2023-01-01" {
		p.bad = append(p.bad, "path "+r.URL.String())
	}
	if p.ingest != nil && p.ingest(w) {
		return
	}
	if _, ok := p.rows[id]; !ok && len(rows) == 1 {
		p.rows[id] = rows[0]
	}
	w.WriteHeader(http.StatusNoContent)
}

// row returns the one row there must be of an address.
func (p *prowl) row(t *testing.T, ip string) map[string]any {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	var found []map[string]any
	for _, r := range p.rows {
		if r["IPAddress"] == ip {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d rows of %s, want 1", len(found), ip)
	}
	return found[0]
}

func (p *prowl) check(t *testing.T) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.bad) > 0 {
		t.Errorf("bad requests: %q", slices.Compact(p.bad))
	}
}

const testToken = "TOKEN-77aa-bearer"

func tokenOf(context.Context, string) (picket.Secret, error) { return testToken, nil }

// prowlParams are the parameters of the shipped playbook.
func (p *prowl) params() map[string]any {
	return map[string]any{"ProwlBaseUrl": p.URL, "ProwlApiKey": picket.Secret(canary), "LogsIngestionEndpoint": p.URL, "DcrImmutableId": "dcr-1"}
}

// quick shortens the waits of the shipped playbook; all else stays.
func quick(data []byte) string {
	s := string(data)
	for old, to := range map[string]string{`"PT5S"`: `"PT0.002S"`, `"PT10S"`: `"PT0.02S"`, `"PT1M"`: `"PT0.02S"`, `"PT15S"`: `"PT0.3S"`} {
		if !strings.Contains(s, old) {
			panic("the shipped playbook has no " + old)
		}
		s = strings.ReplaceAll(s, old, to)
	}
	return s
}

func gzipped(s string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(s))
	_ = w.Close()
	return b.Bytes()
}
