package reputation

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"picket"
	"picket/state"
)

// held is a provider that answers when it is let, and tells of each request first.
type held struct {
	came chan string
	let  chan struct{}
}

func hold(r *rig) held {
	h := held{make(chan string, 100), make(chan struct{})}
	r.answer.Store(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		h.came <- req.URL.Path
		<-h.let
		status(200, "application/json", `{"verdict":"malicious"}`)(w, req)
	}))
	return h
}

// join looks an address up while another caller's flight for it is under way, which
// then comes to what land makes.
func join(t *testing.T, r *rig, c Caller, land func() Finding) Finding {
	t.Helper()
	d := r.desks[0]
	for {
		begun, end := make(chan struct{}), make(chan struct{})
		joined := make(chan bool)
		go func() {
			_, _, shared := d.flights.Do(someone.String(), func() (any, error) {
				close(begun)
				<-end
				return land(), nil
			})
			joined <- shared
		}()
		<-begun
		got := make(chan Finding)
		go func() { got <- d.look(t.Context(), someone, c) }()
		for range 10_000 {
			runtime.Gosched()
		}
		close(end)
		if f := <-got; <-joined {
			return f
		}
		if err := d.db.DropProviderAnswer(t.Context(), d.Name, someone); err != nil { // it came too late
			t.Fatal(err)
		}
	}
}

// TestSharedFlight: what keeps one caller from asking does not keep another.
func TestSharedFlight(t *testing.T) {
	r := newRig(t, witnessYAML)
	f := join(t, r, Caller{}, func() Finding { return r.desks[0].finding(Skipped, "no more is to be spent") })
	if f.State != Hit || f.CostUSD != 0.02 {
		t.Errorf("%+v", f)
	}
}

// TestStaleForAll: who waits for another's request, during which nothing is kept, gets
// the old answer when it fails.
func TestStaleForAll(t *testing.T) {
	r := newRig(t, witnessYAML)
	d := r.desks[0]
	old := state.ProviderAnswer{Finding: []byte(`{"source":"witness","state":"hit","verdict":"malicious","fetched":"2026-11-24T00:00:00Z"}`),
		Asked: r.now.Add(-36 * time.Hour), Expires: r.now.Add(-12 * time.Hour)}
	f := join(t, r, Caller{}, func() Finding {
		failure := d.finding(Failed, "it answers HTTP 500")
		return d.land(t.Context(), someone, Caller{}, old, failure)
	})
	if !f.Stale || f.State != Hit || f.CostUSD != 0 || f.Reason != "old: it answers HTTP 500" {
		t.Errorf("%+v", f)
	}
}

// TestFailureCosts: a request that fails is paid for, and the profile says so as the
// ledger does.
func TestFailureCosts(t *testing.T) {
	r := newRig(t, witnessYAML)
	r.answer.Store(http.HandlerFunc(status(500, "text/plain", "")))
	failed := r.Lookup(t.Context(), someone, Caller{})
	r.answer.Store(http.HandlerFunc(status(403, "text/plain", "")))
	refused := r.Lookup(t.Context(), someone, Caller{})
	u, err := r.db.ProviderUsageSince(t.Context(), "2026-11-25")
	if err != nil || len(u) != 1 || u[0].CostMicroUSD != 20_000 || failed.CostUSD != 0.02 || refused.CostUSD != 0 {
		t.Errorf("the profiles cost %v and %v, the ledger has %+v (%v)", failed.CostUSD, refused.CostUSD, u, err)
	}
}

// TestTwoProcesses: two that share a state pay once, whether they ask at the same time
// or one after the other.
func TestTwoProcesses(t *testing.T) {
	r := newRig(t, witnessYAML)
	h := hold(r)
	other := NewEngine(r.db, EngineOptions{Providers: []*Provider{r.desks[0].Provider}, Keys: map[string]picket.Secret{"witness": secretKey}, Now: r.Engine.now})
	first := make(chan Profile)
	go func() { first <- r.Lookup(t.Context(), someone, Caller{}) }()
	<-h.came
	f := r.source(t, other.Lookup(t.Context(), someone, Caller{}))
	if f.State != Waiting || !f.Until.Equal(r.now.Add(20*time.Second)) || !strings.Contains(f.Reason, "not answered yet") {
		t.Errorf("at the same time: %+v", f)
	}
	close(h.let)
	if p := <-first; p.Verdict != Malicious {
		t.Fatalf("%+v", p)
	}
	// It had found nothing kept when the other was about to write.
	_, f, ok := other.desks[0].start(t.Context(), someone, Caller{})
	if ok || f.State != Hit || !f.Cached || f.CostUSD != 0 {
		t.Errorf("just after: %+v", f)
	}
	if n := r.requests.Load(); n != 1 {
		t.Errorf("%d requests, want 1", n)
	}
}

// TestPauseWhileWaiting: a refusal holds for those, too, who wait for their turn
// already.
func TestPauseWhileWaiting(t *testing.T) {
	r := newRig(t, strings.Replace(witnessYAML, "{per_day: 10, reserve: 0.2}", "{per_second: 5}", 1))
	d := r.desks[0]
	d.buckets[0].ReserveN(r.now, 1)
	got := make(chan Finding)
	go func() { got <- d.look(t.Context(), someone, Caller{Patience: time.Minute}) }()
	// Its reservation is made: a third would have to wait for two turns.
	for d.buckets[0].TokensAt(r.now) > -0.5 {
		runtime.Gosched()
	}
	d.learn(Finding{State: Waiting, Until: r.now.Add(time.Hour)})
	if f := <-got; f.State != Waiting || !f.Until.Equal(r.now.Add(time.Hour)) || r.requests.Load() != 0 {
		t.Errorf("%+v after %d requests", f, r.requests.Load())
	}
}

// TestReserve: the share of analysts is exact, whatever its decimals.
func TestReserve(t *testing.T) {
	for _, tt := range []struct {
		perDay  int64
		reserve float64
		want    int64 // for all others
	}{{100, 0, 100}, {100, 0.1, 90}, {100, 0.9, 10}, {1000, 0.29, 710}, {10, 0.3, 7}, {3, 0.2, 2}, {1, 0.2, 1}, {5, 1, 0}} {
		d := &desk{Provider: &Provider{Limits: Limits{PerDay: tt.perDay, PerMonth: 10 * tt.perDay, Reserve: tt.reserve}}}
		now := time.Date(2026, 12, 31, 23, 59, 0, 0, time.UTC)
		var n int64
		for d.budget(now, n, n, false) == nil {
			n++
		}
		if n != tt.want {
			t.Errorf("%d with a reserve of %v: %d for others, want %d", tt.perDay, tt.reserve, n, tt.want)
		}
		if err := d.budget(now, n, n, false).(*errBudget); err.until.Format(time.RFC3339) != "2027-01-01T00:00:00Z" || strings.Contains(err.why, "analysts") != (n < tt.perDay) {
			t.Errorf("%d with a reserve of %v: %s until %s", tt.perDay, tt.reserve, err.why, err.until)
		}
		if tt.perDay > n && d.budget(now, n, n, true) != nil {
			t.Errorf("%d with a reserve of %v: nothing is left for an analyst", tt.perDay, tt.reserve)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"":                                  time.Minute,
		"soon":                              time.Minute,
		"-5":                                time.Minute,
		"0":                                 0,
		" 90 ":                              90 * time.Second,
		"2147483647":                        31 * 24 * time.Hour,
		"99999999999999":                    time.Minute,
		"Wed, 25 Nov 2026 12:02:00 GMT":     2 * time.Minute,
		"Wednesday, 25-Nov-26 12:02:00 GMT": 2 * time.Minute,
		"Wed, 25 Nov 2026 11:00:00 GMT":     time.Minute, // a clock that goes wrong
		"Fri, 25 Nov 2126 12:00:00 GMT":     31 * 24 * time.Hour,
	} {
		if got := retryAfter(header, now, time.Minute).Sub(now); got != want {
			t.Errorf("%q: %s, want %s", header, got, want)
		}
	}
}

// TestHalfOpen: when a provider may be tried again, one request tries it, whoever else
// asks meanwhile, and what is not sent is not paid for.
func TestHalfOpen(t *testing.T) {
	var broken atomic.Bool
	broken.Store(true)
	came, let := make(chan struct{}, 10), make(chan struct{})
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if broken.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		came <- struct{}{}
		<-let
		status(200, "application/json", `{"verdict":"malicious"}`)(w, req)
	}))
	defer srv.Close()
	r := newRig(t, strings.Replace(witnessYAML, "limits: {per_day: 10, reserve: 0.2}", "", 1))
	r.desks[0].Request.URL = srv.URL + "/{ip}"
	ip := someone
	for range 5 {
		r.Lookup(t.Context(), ip, Caller{})
		ip = ip.Next()
	}
	broken.Store(false)
	r.desks[0].breaker.HalfOpen()
	trial := make(chan Profile)
	go func() { trial <- r.Lookup(t.Context(), ip, Caller{}) }()
	<-came
	purse := NewPurse(0.02)
	if f := r.source(t, r.Lookup(t.Context(), ip.Next(), Caller{Purse: purse})); f.State != Waiting || f.CostUSD != 0 || !purse.take(20_000) {
		t.Errorf("beside the trial: %+v", f)
	}
	close(let)
	if p := <-trial; p.Verdict != Malicious {
		t.Errorf("the trial: %+v", p)
	}
	if p := r.Lookup(t.Context(), ip.Next(), Caller{}); p.Verdict != Malicious {
		t.Errorf("after the trial: %+v", p)
	}
	u, err := r.db.ProviderUsageSince(t.Context(), "2026-01-01")
	if err != nil || len(u) != 1 || u[0].Requests != 7 || u[0].CostMicroUSD != 140_000 {
		t.Errorf("ledger: %+v, %v", u, err)
	}
}

// TestSkippedIsPartial: what was not asked for want of money is asked when there is.
func TestSkippedIsPartial(t *testing.T) {
	r := newRig(t, witnessYAML)
	if p := r.Lookup(t.Context(), someone, Caller{Purse: NewPurse(0.01)}); p.Status != StatusPartial {
		t.Errorf("%+v", p)
	}
	if p := r.Lookup(t.Context(), someone, Caller{}); p.Status != StatusEnriched || p.Verdict != Malicious {
		t.Errorf("%+v", p)
	}
}

// TestClockGoesBack: neither a kept answer nor the books of the day are lost.
func TestClockGoesBack(t *testing.T) {
	r := newRig(t, witnessYAML)
	r.Lookup(t.Context(), someone, Caller{})
	r.pass(-48 * time.Hour)
	if f := r.source(t, r.Lookup(t.Context(), someone, Caller{})); !f.Cached || r.requests.Load() != 1 {
		t.Errorf("%+v", f)
	}
	r.pass(48 * time.Hour)
	ip := someone
	for range 7 {
		ip = ip.Next()
		r.Lookup(t.Context(), ip, Caller{})
	}
	if f := r.source(t, r.Lookup(t.Context(), ip.Next(), Caller{})); f.State != Waiting {
		t.Errorf("the ninth of eight: %+v", f)
	}
}

// TestDescribedTimes: a time in a description is above nothing and bearable.
func TestDescribedTimes(t *testing.T) {
	const rest = "\nname: x\nreliability: A\nrequest: {url: 'https://api.example.com/{ip}'}\nanswer: '{}'\n"
	for text, ok := range map[string]bool{
		"ttl: {hit: 30d}":            true,
		"ttl: {hit: 0s}":             false,
		"ttl: {hit: -1h}":            false,
		"ttl: {hit: 2000000d}":       false,
		"ttl: {hit: soon}":           false,
		"price_usd: .nan":            false,
		"price_usd: .inf":            false,
		"price_usd: -1":              false,
		"limits: {per_second: .nan}": false,
		"limits: {per_minute: .inf}": false,
		"limits: {reserve: .nan}":    false,
		"limits: {reserve: 1}":       true,
		"limits: {pause: 0s}":        false,
	} {
		_, err := ParseProvider("x.yaml", []byte(text+rest))
		if (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "x.yaml:1:") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestListedFor: a list's row ends when it says so, also for profiles in memory.
func TestListedFor(t *testing.T) {
	r := newRig(t, witnessYAML)
	r.answer.Store(http.HandlerFunc(status(200, "application/json", `{}`)))
	end := r.now.Add(time.Minute)
	r.locals = []Local{until{end, r.Engine.now}}
	if p := r.Lookup(t.Context(), someone, Caller{}); p.Verdict != Malicious {
		t.Fatalf("%+v", p)
	}
	r.pass(2 * time.Minute)
	if p := r.Lookup(t.Context(), someone, Caller{}); p.Verdict == Malicious {
		t.Errorf("%+v", p)
	}
}

// until is a local source that holds every address for malicious until a time.
type until struct {
	end time.Time
	now func() time.Time
}

func (l until) Look(dst []Finding, _ netip.Addr) []Finding {
	if !l.now().Before(l.end) {
		return dst
	}
	return append(dst, Finding{Source: fmt.Sprint("until ", l.end), State: Hit, Verdict: Malicious, Confidence: 90, Reliability: "A", Expires: l.end})
}
