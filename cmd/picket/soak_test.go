package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"picket/app"
	"picket/reputation"
	"picket/state"
)

// TestSoak lets callers look up random addresses in a real server while all of its
// providers misbehave at random, and holds every answer against what the providers
// know, every meter against what was counted on both sides, and the server's memory
// against itself. SOAK says for how long, such as 1h; without it, for some seconds.
func TestSoak(t *testing.T) {
	length := 4 * time.Second
	if text := os.Getenv("SOAK"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatalf("SOAK: %v; want a time such as 1h", err)
		}
	} else if testing.Short() {
		t.Skip("takes some seconds")
	}
	s := newSoak(t, length)
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var wg sync.WaitGroup
	for i := range 12 {
		wg.Go(func() { s.call(ctx, rand.New(rand.NewPCG(11, uint64(i)))) })
	}
	wg.Go(func() { s.watch(ctx) })
	wg.Wait()
	if code := s.terminate(); code != 0 {
		t.Errorf("the server ends with %d\n%s", code, s.log)
	}
	s.checkKeys()
	s.checkProviders()
	s.checkMemory()
	t.Logf("%s: %d answers checked (%d of them partial, %d rows stale), %d skipped, %d refused; log:\n%.4000s", length, s.answers, s.partial, s.stale, s.skipped, s.refused, s.log)
}

// A soak is the callers' side of the test.
type soak struct {
	*service
	fakes  []*fakeProvider
	pool   []netip.Addr
	pace   *rate.Limiter
	keys   []*soakCaller
	length time.Duration

	mu       sync.Mutex
	possible map[netip.Addr]map[reputation.Verdict]bool
	seen     map[repeat]bool  // what was counted with a request id
	repeats  []repeat         // some of it, to be sent again
	cached   map[string]int64 // by provider: rows that were answered from memory or the store

	answers, partial, stale, skipped, refused int64

	memory []int64 // resident bytes, a sample for each hundredth of the time
	files  []int
}

// A soakCaller is a key and what its answered lookups come to.
type soakCaller struct {
	state.Key
	Text    string `json:"key"`
	counted int64  // guarded by soak.mu
}

// A repeat is a request id that was used for an address.
type repeat struct {
	id     string
	ip     netip.Addr
	caller *soakCaller
}

func newSoak(t *testing.T, length time.Duration) *soak {
	data := withoutRules(t)
	s := &soak{length: length, pace: rate.NewLimiter(80, 20), possible: map[netip.Addr]map[reputation.Verdict]bool{}, seen: map[repeat]bool{}, cached: map[string]int64{}}
	s.fakes = startFakes(t, data, min(max(length/20, 2*time.Second), 3*time.Minute))
	config := "providers:\n"
	for _, f := range s.fakes {
		config += fmt.Sprintf("  %s: {api_key: %s}\n", f.Name, soakKey)
	}
	file := filepath.Join(t.TempDir(), "picket.yaml")
	s.write(t, file, config)
	rnd := rand.New(rand.NewPCG(3, 3))
	skipper := reputation.NewSkipper(reputation.SkipOptions{})
	for len(s.pool) < 20_000 {
		ip := netip.AddrFrom4([4]byte{byte(1 + rnd.IntN(220)), byte(rnd.IntN(256)), byte(rnd.IntN(256)), byte(1 + rnd.IntN(254))})
		if rnd.IntN(5) == 0 {
			ip = netip.AddrFrom16([16]byte{0x2a, 0x01, byte(rnd.IntN(256)), byte(rnd.IntN(256)), 15: byte(1 + rnd.IntN(254))})
		}
		if skipper.Reason(ip) == "" {
			s.pool = append(s.pool, ip)
		}
	}
	var imported bytes.Buffer
	listed := filepath.Join(data, "listed.txt")
	var list bytes.Buffer
	for _, ip := range s.pool {
		if inStore(ip) {
			fmt.Fprintf(&imported, `{"ip":%q,"ttps":["known-ssh-attack"],"verdict":"malicious","confidence":95,"sources":["soak"]}`+"\n", ip)
		}
		if onList(ip) {
			fmt.Fprintln(&list, ip)
		}
	}
	s.write(t, listed, list.String())
	if err := os.Mkdir(filepath.Join(data, "datasets"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.write(t, filepath.Join(data, "datasets", "soak.yaml"), "name: soak-list\ntitle: Soak list\nkind: block\nformat: cidr\nfiles: ["+listed+"]\nreliability: C\nsays: {verdict: suspicious, confidence: 60}\n")
	s.service = startService(t, data, "--config", file)
	s.admin("POST", "/v1/reputation?name=soak", imported.String(), nil)
	for _, body := range []string{
		`{"name":"siem","scopes":["lookup","bulk"]}`, `{"name":"portal","scopes":["lookup","bulk"]}`,
		`{"name":"capped","scopes":["lookup","bulk"],"per_day":3000}`, `{"name":"slow","scopes":["lookup"],"per_second":3}`,
	} {
		k := new(soakCaller)
		s.admin("POST", "/v1/keys", body, k)
		s.keys = append(s.keys, k)
	}
	return s
}

// inStore and onList say what the local sources know of an address of the pool.
func inStore(ip netip.Addr) bool { return ip.As16()[15]%10 == 0 }
func onList(ip netip.Addr) bool  { return ip.As16()[15]%7 == 0 }

func (s *soak) write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// admin makes a call as the local administrator.
func (s *soak) admin(method, path, body string, into any) {
	s.t.Helper()
	at, err := app.ReadLocator(s.data)
	if err != nil {
		s.t.Fatal(err)
	}
	status, text := s.send(method, path, at.Token.Reveal(), "", body)
	if status/100 != 2 {
		s.t.Fatalf("%s: %d %s", path, status, text)
	}
	if into != nil {
		decode(s.t, text, into)
	}
}

// send makes a call that must be answered.
func (s *soak) send(method, path, key, id, body string) (int, string) {
	at, err := app.ReadLocator(s.data)
	if err != nil {
		s.t.Error(err)
		return 0, ""
	}
	req, err := http.NewRequest(method, at.URL+path, strings.NewReader(body))
	if err != nil {
		s.t.Error(err)
		return 0, ""
	}
	req.Header.Set("x-api-key", key)
	if id != "" {
		req.Header.Set("x-ms-client-request-id", id)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Errorf("%s %s: %v", method, path, err)
		return 0, ""
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Errorf("%s %s: %v", method, path, err)
	}
	return res.StatusCode, string(text)
}

// call looks up addresses until ctx ends.
func (s *soak) call(ctx context.Context, rnd *rand.Rand) {
	for s.pace.Wait(ctx) == nil {
		c := s.keys[min(rnd.IntN(12), 3)]
		if rnd.IntN(3) > 0 {
			c = s.keys[rnd.IntN(2)]
		}
		id := ""
		if rnd.IntN(4) == 0 {
			id = fmt.Sprintf("run-%x", rnd.Uint64())
		}
		switch n := rnd.IntN(40); {
		case n < 2 && slices.Contains(c.Scopes, reputation.ScopeBulk):
			s.bulk(c, id, rnd)
		case n < 20:
			s.single(c, id, s.pick(rnd))
		case n < 22: // a call that was made before
			if r, ok := s.earlier(rnd); ok {
				s.single(r.caller, r.id, r.ip)
			}
		default:
			s.prowl(c, id, s.pick(rnd))
		}
	}
}

// pick takes an address that is asked about often, one of many, or one that is not public.
func (s *soak) pick(rnd *rand.Rand) netip.Addr {
	switch n := rnd.IntN(100); {
	case n < 5:
		return netip.AddrFrom4([4]byte{10, byte(n), 0, byte(rnd.IntN(256))})
	case n < 12:
		return s.pool[rnd.IntN(len(s.pool))]
	}
	return s.pool[rnd.IntN(400)]
}

func (s *soak) earlier(rnd *rand.Rand) (repeat, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.repeats) == 0 {
		return repeat{}, false
	}
	return s.repeats[rnd.IntN(len(s.repeats))], true
}

// count notes what an answered lookup of a public address comes to.
func (s *soak) count(c *soakCaller, id string, ip netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if id != "" {
		r := repeat{id, ip, c}
		if s.seen[r] {
			return
		}
		s.seen[r] = true
		if len(s.repeats) < 2000 {
			s.repeats = append(s.repeats, r)
		}
	}
	c.counted++
}

// single is GET /v1/ip/{address}.
func (s *soak) single(c *soakCaller, id string, ip netip.Addr) {
	status, text := s.send("GET", "/v1/ip/"+ip.String(), c.Text, id, "")
	if s.answered(status, text) {
		s.profile(c, id, ip, []byte(text))
	}
}

// answered says whether a call has an answer; without one it must be over a limit.
func (s *soak) answered(status int, text string) bool {
	switch status {
	case http.StatusOK:
		return true
	case http.StatusTooManyRequests:
		s.mu.Lock()
		s.refused++
		s.mu.Unlock()
	default:
		s.t.Errorf("%d %s", status, text)
	}
	return false
}

// bulk is POST /v1/ips.
func (s *soak) bulk(c *soakCaller, id string, rnd *rand.Rand) {
	var ips []netip.Addr
	var body strings.Builder
	for range 1 + rnd.IntN(60) {
		ip := s.pick(rnd)
		ips = append(ips, ip)
		fmt.Fprintln(&body, ip)
	}
	status, text := s.send("POST", "/v1/ips", c.Text, id, body.String())
	if !s.answered(status, text) {
		return
	}
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, 1<<20)
	n := 0
	for ; lines.Scan(); n++ {
		var refused struct{ Error struct{ Code string } }
		if err := json.Unmarshal(lines.Bytes(), &refused); err != nil || n == len(ips) {
			s.t.Errorf("line %d of %d: %v %s", n, len(ips), err, lines.Text())
			return
		}
		if refused.Error.Code == "" {
			s.profile(c, id, ips[n], lines.Bytes())
		} else if s.answered(map[bool]int{true: 429}[refused.Error.Code == "ThrottledError"], lines.Text()) {
			return
		}
	}
	if n != len(ips) {
		s.t.Errorf("%d answers for %d addresses", n, len(ips))
	}
}

// watch takes the server's measure until ctx ends.
func (s *soak) watch(ctx context.Context) {
	const samples = 100
	tick := time.NewTicker(s.length / samples)
	defer tick.Stop()
	shown := time.Now()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		rss, files, err := measure(s.cmd.Process.Pid)
		if err != nil {
			s.t.Error(err)
			return
		}
		s.memory, s.files = append(s.memory, rss), append(s.files, files)
		if time.Since(shown) > time.Minute {
			shown = time.Now()
			s.mu.Lock()
			s.t.Logf("%s: %d answers, %d partial, %d stale rows; resident %d MiB, %d open files", time.Now().UTC().Format(time.TimeOnly), s.answers, s.partial, s.stale, rss>>20, files)
			s.mu.Unlock()
		}
	}
}

// measure returns the resident memory of a process, in bytes, and its open files
// (proc_pid_status(5)).
func measure(pid int) (rss int64, files int, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, err
	}
	_, rest, ok := strings.Cut(string(text), "VmRSS:")
	if _, err := fmt.Sscan(rest, &rss); err != nil || !ok {
		return 0, 0, errors.New("there is no VmRSS in the status of the process")
	}
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return rss << 10, len(list), err
}
