package reputation

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"picket"
	"picket/state"
)

// rig is an engine that asks one provider, which counts its requests.
type rig struct {
	*Engine
	db       *state.DB
	requests atomic.Int64
	answer   atomic.Value // http.HandlerFunc
	metrics  *prometheus.Registry
	now      time.Time
	mu       sync.Mutex
}

const witnessYAML = `
name: witness
reliability: A
request: {url: "%s/{ip}", headers: {x-key: "{key}"}}
price_usd: 0.02
limits: {per_day: 10, reserve: 0.2}
answer: '{verdict: .verdict, confidence: 90}'
`

func newRig(t *testing.T, description string, locals ...Local) *rig {
	t.Helper()
	r := &rig{metrics: prometheus.NewRegistry(), now: time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)}
	r.answer.Store(http.HandlerFunc(status(200, "application/json", `{"verdict":"malicious"}`)))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.requests.Add(1)
		r.answer.Load().(http.HandlerFunc)(w, req)
	}))
	t.Cleanup(srv.Close)
	p, err := ParseProvider("witness.yaml", []byte(fmt.Sprintf(description, srv.URL)))
	if err != nil {
		t.Fatal(err)
	}
	r.db, err = state.Open(t.Context(), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.db.Close(context.Background()) })
	r.Engine = NewEngine(r.db, EngineOptions{
		Providers: []*Provider{p}, Keys: map[string]picket.Secret{"witness": secretKey}, Locals: locals, Metrics: r.metrics,
		Now: func() time.Time { r.mu.Lock(); defer r.mu.Unlock(); return r.now },
	})
	return r
}

func (r *rig) pass(d time.Duration) { r.mu.Lock(); r.now = r.now.Add(d); r.mu.Unlock() }

func (r *rig) source(t *testing.T, p Profile) Finding {
	t.Helper()
	for _, f := range p.Sources {
		if f.Source == "witness" {
			return f
		}
	}
	t.Fatalf("no row of the provider: %+v", p)
	return Finding{}
}

var someone = netip.MustParseAddr("45.83.64.1")

func TestLookupAsksOnce(t *testing.T) {
	r := newRig(t, witnessYAML)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if p := r.Lookup(t.Context(), someone, Caller{}); p.Verdict != Malicious {
				t.Errorf("%s", p.Verdict)
			}
		})
	}
	wg.Wait()
	if n := r.requests.Load(); n != 1 {
		t.Fatalf("%d requests, want 1", n)
	}
	// The same address in another form is the same address.
	p := r.Lookup(t.Context(), netip.MustParseAddr("::ffff:45.83.64.1"), Caller{})
	if f := r.source(t, p); !f.Cached || f.CostUSD != 0 || r.requests.Load() != 1 {
		t.Errorf("%+v after %d requests", f, r.requests.Load())
	}
	r.pass(25 * time.Hour)
	r.Lookup(t.Context(), someone, Caller{})
	if n := r.requests.Load(); n != 2 {
		t.Errorf("%d requests after the answer expired, want 2", n)
	}
}

func TestLookupSkips(t *testing.T) {
	r := newRig(t, witnessYAML)
	for _, ip := range []string{"10.0.0.1", "::1", "fe80::1", "64:ff9b::a00:1", "203.0.113.7"} {
		p := r.Lookup(t.Context(), netip.MustParseAddr(ip), Caller{})
		if p.Status != "skipped" || p.Reason == "" {
			t.Errorf("%s: %s (%s)", ip, p.Status, p.Reason)
		}
	}
	if n := r.requests.Load(); n != 0 {
		t.Errorf("%d requests", n)
	}
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	u, err := r.db.ProviderUsageSince(t.Context(), "2026-01-01")
	if err != nil || len(u) != 1 || u[0].Skipped != 5 || u[0].SavedMicroUSD != 100_000 {
		t.Errorf("ledger: %+v, %v", u, err)
	}
}

// TestBudget: over the budget is waiting until a date, and a part of it is kept
// for analysts.
func TestBudget(t *testing.T) {
	r := newRig(t, witnessYAML)
	ip := someone
	for range 8 {
		r.Lookup(t.Context(), ip, Caller{Playbook: "p"})
		ip = ip.Next()
	}
	f := r.source(t, r.Lookup(t.Context(), ip, Caller{}))
	if want := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC); f.State != Waiting || !f.Until.Equal(want) {
		t.Fatalf("%+v, want waiting until %s", f, want)
	}
	if f := r.source(t, r.Lookup(t.Context(), ip, Caller{Analyst: true})); f.State != Hit {
		t.Fatalf("an analyst gets %+v", f)
	}
	r.pass(12 * time.Hour)
	if f := r.source(t, r.Lookup(t.Context(), ip.Next(), Caller{})); f.State != Hit {
		t.Fatalf("the next day: %+v", f)
	}
}

func TestRefusalsAreNotKept(t *testing.T) {
	r := newRig(t, witnessYAML)
	for _, tt := range []struct {
		status int
		want   State
	}{{403, Refused}, {500, Failed}} {
		r.answer.Store(http.HandlerFunc(status(tt.status, "application/json", `{}`)))
		p := r.Lookup(t.Context(), someone, Caller{})
		if f := r.source(t, p); f.State != tt.want || p.Verdict != Unknown || p.Status != "partial" {
			t.Fatalf("%+v", p)
		}
	}
	r.answer.Store(http.HandlerFunc(status(200, "application/json", `{"verdict":"malicious"}`)))
	if p := r.Lookup(t.Context(), someone, Caller{}); p.Verdict != Malicious {
		t.Errorf("%+v", p)
	}
	if n := r.requests.Load(); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

func TestRetryAfterHolds(t *testing.T) {
	r := newRig(t, witnessYAML)
	r.answer.Store(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "120")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	first := r.source(t, r.Lookup(t.Context(), someone, Caller{}))
	other := r.source(t, r.Lookup(t.Context(), someone.Next(), Caller{}))
	if first.State != Waiting || other.State != Waiting || !other.Until.Equal(first.Until) || r.requests.Load() != 1 {
		t.Errorf("%+v, then %+v, %d requests", first, other, r.requests.Load())
	}
	r.answer.Store(http.HandlerFunc(status(200, "application/json", `{"verdict":"malicious"}`)))
	r.pass(2 * time.Minute)
	if f := r.source(t, r.Lookup(t.Context(), someone, Caller{})); f.State != Hit {
		t.Errorf("%+v", f)
	}
}

func TestStaleIsSaid(t *testing.T) {
	r := newRig(t, witnessYAML)
	r.Lookup(t.Context(), someone, Caller{})
	r.pass(25 * time.Hour)
	r.answer.Store(http.HandlerFunc(status(500, "text/plain", "")))
	p := r.Lookup(t.Context(), someone, Caller{})
	if f := r.source(t, p); !f.Stale || f.State != Hit || !strings.Contains(f.Reason, "HTTP 500") || p.Verdict != Malicious {
		t.Errorf("%+v", p)
	}
}

// TestForget: answers that are too old to be served go, others stay.
func TestForget(t *testing.T) {
	r := newRig(t, witnessYAML)
	r.Lookup(t.Context(), someone, Caller{})
	for _, step := range []struct {
		pass time.Duration
		kept bool
	}{{25 * time.Hour, true}, {keepStale, false}} {
		r.pass(step.pass)
		if err := r.forget(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, kept, err := r.db.ProviderAnswer(t.Context(), "witness", someone); kept != step.kept || err != nil {
			t.Errorf("after %s: kept %v, want %v (%v)", step.pass, kept, step.kept, err)
		}
	}
}

// TestBreaker: a provider that fails is let alone, and the others answer.
func TestBreaker(t *testing.T) {
	r := newRig(t, witnessYAML, list{})
	r.answer.Store(http.HandlerFunc(status(500, "text/plain", "")))
	ip := someone
	for range 5 {
		r.Lookup(t.Context(), ip, Caller{})
		ip = ip.Next()
	}
	p := r.Lookup(t.Context(), ip, Caller{})
	if f := r.source(t, p); f.State != Waiting || f.Until.IsZero() || r.requests.Load() != 5 {
		t.Errorf("%+v after %d requests", f, r.requests.Load())
	}
	if p.Verdict != Malicious || p.Status != "partial" {
		t.Errorf("%+v", p)
	}
}

// list is a local source that holds every address for malicious.
type list struct{}

func (list) Look(dst []Finding, _ netip.Addr) []Finding {
	return append(dst, Finding{Source: "list", State: Hit, Verdict: Malicious, Confidence: 90, Reliability: "A"})
}

// TestLostAnswer: a request that a crash took away is paid for; it is not
// paid for again.
func TestLostAnswer(t *testing.T) {
	r := newRig(t, witnessYAML)
	err := r.db.PutProviderAnswer(t.Context(), "witness", someone, state.ProviderAnswer{Asked: r.now, Expires: r.now.Add(24 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	f := r.source(t, r.Lookup(t.Context(), someone, Caller{}))
	if f.State != Waiting || r.requests.Load() != 0 || !strings.Contains(f.Reason, "not answered yet") || !f.Until.Equal(r.now.Add(20*time.Second)) {
		t.Errorf("it may be another process's: %+v after %d requests", f, r.requests.Load())
	}
	r.pass(time.Minute)
	f = r.source(t, r.Lookup(t.Context(), someone, Caller{}))
	if f.State != Waiting || r.requests.Load() != 0 || !strings.Contains(f.Reason, "lost") {
		t.Errorf("%+v after %d requests", f, r.requests.Load())
	}
	if f := r.source(t, r.Lookup(t.Context(), someone, Caller{Refresh: true})); f.State != Hit {
		t.Errorf("refreshed: %+v", f)
	}
}

func TestPurse(t *testing.T) {
	r := newRig(t, witnessYAML)
	purse := NewPurse(0.05)
	states := map[State]int{}
	ip := someone
	for range 5 {
		states[r.source(t, r.Lookup(t.Context(), ip, Caller{Purse: purse})).State]++
		ip = ip.Next()
	}
	if states[Hit] != 2 || states[Skipped] != 3 || r.requests.Load() != 2 {
		t.Errorf("%v, %d requests", states, r.requests.Load())
	}
}

func TestSetVerdict(t *testing.T) {
	r := newRig(t, witnessYAML)
	network := netip.MustParsePrefix("45.83.64.0/24")
	o := Override{Verdict: Benign, Author: "ada", Note: "our scanner", Expires: r.now.Add(time.Hour)}
	if err := r.SetVerdict(t.Context(), network, o); err != nil {
		t.Fatal(err)
	}
	p := r.Lookup(t.Context(), someone, Caller{})
	if p.Verdict != Benign || p.Override == nil || len(p.Dissent) == 0 || len(p.Labels) != 0 {
		t.Errorf("%+v", p)
	}
	r.pass(2 * time.Hour)
	if p := r.Lookup(t.Context(), someone, Caller{}); p.Verdict != Malicious {
		t.Errorf("after it expired: %+v", p)
	}
	history, err := r.History(t.Context(), someone)
	if err != nil || len(history) != 2 || history[0].Verdict != "malicious" || history[1].Verdict != "benign" {
		t.Errorf("history: %+v, %v", history, err)
	}
	if err := r.SetVerdict(t.Context(), network, Override{Verdict: Benign}); picket.CodeOf(err) != picket.Invalid {
		t.Errorf("without an author: %v", err)
	}
}

// TestHistoryWithoutProviders: what Picket's own sources come to has a history, too, in
// the order in which it changed, whatever the clock says.
func TestHistoryWithoutProviders(t *testing.T) {
	r := newRig(t, witnessYAML)
	e := NewEngine(r.db, EngineOptions{Locals: []Local{Store{DB: r.db}}, Now: r.Engine.now})
	s := New(r.db, Options{Changed: e.Changed})
	e.Lookup(t.Context(), someone, Caller{}) // unknown, which is no news
	if _, err := s.Import(t.Context(), strings.NewReader(`{"ip":"45.83.64.1","ttps":["known-bot"]}`), "x"); err != nil {
		t.Fatal(err)
	}
	e.Lookup(t.Context(), someone, Caller{})
	e.Lookup(t.Context(), someone, Caller{})
	r.pass(-time.Hour)
	network := netip.PrefixFrom(someone, 32)
	if err := e.SetVerdict(t.Context(), network, Override{Verdict: Benign, Author: "ada"}); err != nil {
		t.Fatal(err)
	}
	e.Lookup(t.Context(), someone, Caller{})
	if err := e.DropVerdict(t.Context(), network); err != nil {
		t.Fatal(err)
	}
	e.Lookup(t.Context(), someone, Caller{})
	history, err := e.History(t.Context(), someone)
	var got []string
	for _, h := range history {
		got = append(got, h.Verdict)
	}
	if err != nil || !slices.Equal(got, []string{"malicious", "benign", "malicious"}) {
		t.Errorf("%v, %v", got, err)
	}
	if history, err := e.History(t.Context(), someone.Next()); err != nil || len(history) != 0 {
		t.Errorf("%v, %v", history, err)
	}
}

// TestHistoryOfNoAnswer: that a source does not answer is no change of a verdict.
func TestHistoryOfNoAnswer(t *testing.T) {
	r := newRig(t, witnessYAML)
	r.Lookup(t.Context(), someone, Caller{})
	if err := r.db.DropProviderAnswer(t.Context(), "witness", someone); err != nil {
		t.Fatal(err)
	}
	r.Changed()
	r.answer.Store(http.HandlerFunc(status(500, "text/plain", "")))
	if p := r.Lookup(t.Context(), someone, Caller{}); p.Verdict != Unknown {
		t.Errorf("%+v", p)
	}
	if history, err := r.History(t.Context(), someone); err != nil || len(history) != 1 || history[0].Verdict != "malicious" {
		t.Errorf("%+v, %v", history, err)
	}
}

// TestRecent: the same question is answered from memory, until something changes.
func TestRecent(t *testing.T) {
	r := newRig(t, witnessYAML)
	s := New(r.db, Options{Changed: r.Changed})
	r.locals = append(r.locals, Store{DB: r.db})
	if p := r.Lookup(t.Context(), someone, Caller{}); p.Verdict != Malicious || p.CostUSD != 0.02 {
		t.Fatalf("%+v", p)
	}
	p := r.Lookup(t.Context(), someone, Caller{})
	if f := r.source(t, p); !f.Cached || p.CostUSD != 0 || f.CostUSD != 0 {
		t.Errorf("%+v", p)
	}
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	u, err := r.db.ProviderUsageSince(t.Context(), "2026-01-01")
	if err != nil || len(u) != 1 || u[0].Cached != 1 || u[0].Requests != 1 || u[0].CostMicroUSD != 20_000 || u[0].SavedMicroUSD != 20_000 {
		t.Errorf("%+v %v", u, err)
	}
	if _, err := s.Import(t.Context(), strings.NewReader(`{"ip":"45.83.64.1","ttps":["known-bot"]}`), "x"); err != nil {
		t.Fatal(err)
	}
	if p := r.Lookup(t.Context(), someone, Caller{}); !slices.Contains(p.Labels, "known-bot") {
		t.Errorf("an import is not seen: %+v", p)
	}
}

// BenchmarkLookup is a lookup of an address that was looked up before.
func BenchmarkLookup(b *testing.B) {
	db, err := state.Open(b.Context(), state.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close(context.Background())
	e := NewEngine(db, EngineOptions{Locals: []Local{list{}}})
	for b.Loop() {
		e.Lookup(b.Context(), someone, Caller{})
	}
}
