package main

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"picket/reputation"
)

const (
	soakKey     = "soak-provider-key"
	soakTimeout = 5 * time.Second // of a request to a provider
)

// A fakeProvider answers as the documentation of a provider shows, for each address
// always the same, and misbehaves now and then.
type fakeProvider struct {
	*reputation.Provider
	server *httptest.Server
	ttl    map[reputation.State]time.Duration

	mu      sync.Mutex
	rand    *rand.Rand
	spell   time.Time // until then every request goes wrong
	asked   int64
	free    int64                // of these, refused or over a limit: they cost nothing
	faults  map[string]int64     // by kind
	good    map[string]time.Time // by address: until when its answer is good
	twice   []string             // addresses asked about while an answer was good
	strange []string             // requests without a key or an address
}

// faults are what goes wrong with a provider's answer.
func soakFaults() map[string]http.HandlerFunc {
	answer := func(code int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	large := `{"data":"` + strings.Repeat("x", 10<<20) + `"}`
	return map[string]http.HandlerFunc{
		"429": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "1")
			answer(429, "application/json", `{"message":"slow down"}`)(w, r)
		},
		"500":       answer(500, "application/json", `{"message":"Internal server error"}`),
		"truncated": answer(200, "application/json", `{"data":{"ip":"1.2.3`),
		"HTML":      answer(200, "text/html; charset=utf-8", "<html><body>Please log in</body></html>"),
		"10 MB":     answer(200, "application/json", large),
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		},
		"hangs up": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"timeout": func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-time.After(2 * soakTimeout):
			}
		},
	}
}

// startFakes writes a description of every shipped provider into a data folder that
// asks a fake of it, and starts the fakes. Answers are good for about life.
func startFakes(t *testing.T, data string, life time.Duration) []*fakeProvider {
	t.Helper()
	list, err := reputation.LoadProviders(reputation.Shipped, "providers")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(data, "providers"), 0o700); err != nil {
		t.Fatal(err)
	}
	var fakes []*fakeProvider
	for i, p := range list {
		f := &fakeProvider{Provider: p, faults: map[string]int64{}, good: map[string]time.Time{}, rand: rand.New(rand.NewPCG(7, uint64(i))),
			ttl: map[reputation.State]time.Duration{reputation.Hit: life, reputation.Clean: life * 3 / 4, reputation.NotFound: life / 2}}
		f.server = httptest.NewUnstartedServer(f)
		f.server.Config.ErrorLog = nil
		f.server.Start()
		t.Cleanup(f.server.Close)
		f.describe(t, data)
		fakes = append(fakes, f)
	}
	return fakes
}

// describe writes the provider's own description with another place to ask, and no limits.
func (f *fakeProvider) describe(t *testing.T, data string) {
	t.Helper()
	text, err := reputation.Shipped.ReadFile("providers/" + f.Name + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	var d map[string]any
	if err := yaml.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	request := d["request"].(map[string]any)
	_, rest, _ := strings.Cut(strings.TrimPrefix(f.Request.URL, "https://"), "/")
	request["url"], request["timeout"] = f.server.URL+"/"+rest, soakTimeout.String()
	delete(d, "limits")
	ttl := map[string]string{}
	for state, d := range f.ttl {
		ttl[string(state)] = d.String()
	}
	d["ttl"] = ttl
	if text, err = yaml.Marshal(d); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "providers", f.Name+".yaml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// ServeHTTP implements [http.Handler].
func (f *fakeProvider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	ip := addressIn(r.URL.Path + "&" + r.URL.RawQuery)
	fault := f.receive(r, ip)
	if fault != "" {
		soakFaults()[fault](w, r)
		return
	}
	tt := f.answer(ip)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(max(tt.Status, 200))
	_, err := io.WriteString(w, tt.Body)
	// On a machine that is too busy, Picket may have given up on it already.
	if err == nil && r.Context().Err() == nil && time.Since(start) < soakTimeout/2 {
		f.mu.Lock()
		f.good[ip.String()] = time.Now().Add(f.ttl[stateOf(tt)])
		f.mu.Unlock()
	}
}

// receive counts a request and says what goes wrong with it, or "".
func (f *fakeProvider) receive(r *http.Request, ip netip.Addr) (fault string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	sent := fmt.Sprint(r.Header, r.URL)
	if !ip.IsValid() || r.URL.Path == "/elsewhere" || f.Key == "required" && !strings.Contains(sent, soakKey) {
		f.strange = append(f.strange, r.URL.Path)
	}
	now := time.Now()
	if now.Add(time.Second).Before(f.good[ip.String()]) {
		f.twice = append(f.twice, fmt.Sprint(ip, " at ", now.UTC().Format(time.TimeOnly)))
	}
	if f.rand.Float64() < 0.001 { // everything goes wrong for a while
		f.spell = now.Add(time.Duration(f.rand.IntN(20)) * time.Second)
	}
	if n := f.rand.Float64(); n < 0.05 || now.Before(f.spell) {
		kinds := []string{"429", "500", "truncated", "HTML", "10 MB", "redirect", "hangs up", "timeout"}
		fault = kinds[f.rand.IntN(len(kinds))]
		f.faults[fault]++
		if fault == "429" {
			f.free++
		}
	}
	return fault
}

// answer is the one of the documented answers that the provider has for an address.
func (f *fakeProvider) answer(ip netip.Addr) reputation.ProviderTest {
	var known []reputation.ProviderTest
	for _, tt := range f.Tests {
		if stateOf(tt).Kept() {
			known = append(known, tt)
		}
	}
	h := fnv.New32a()
	_, _ = io.WriteString(h, f.Name+" "+ip.String())
	return known[h.Sum32()%uint32(len(known))]
}

func stateOf(tt reputation.ProviderTest) reputation.State {
	s, _ := tt.Want["state"].(string)
	return reputation.State(s)
}

// truth is the finding that Picket is to make of the provider's answer.
func (f *fakeProvider) truth(ip netip.Addr) (out reputation.Finding) {
	text, err := json.Marshal(f.answer(ip).Want)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		panic(err) // the descriptions are tested
	}
	out.Source, out.Title, out.Reliability = f.Name, f.Title, f.Reliability
	return out
}

// addressIn finds the address in a URL.
func addressIn(url string) netip.Addr {
	for _, part := range strings.FieldsFunc(url, func(r rune) bool { return strings.ContainsRune("/?&=", r) }) {
		part = strings.NewReplacer("%3A", ":", "%3a", ":").Replace(part)
		if ip, err := netip.ParseAddr(part); err == nil {
			return ip
		}
	}
	return netip.Addr{}
}
