package reputation

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"picket/state"
)

// A fakeProwl is a real HTTP server that counts what reaches it.
type fakeProwl struct {
	*httptest.Server
	calls atomic.Int32
	// answer is what it does; nil answers with one label.
	answer func(w http.ResponseWriter, r *http.Request)
}

func newFakeProwl(t testing.TB) *fakeProwl {
	p := &fakeProwl{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.calls.Add(1)
		if p.answer != nil {
			p.answer(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Cache", "Miss from cloudfront")
		w.Header().Set("X-Amzn-Requestid", "r-1")
		fmt.Fprintf(w, `{"ip":%q,"ttps":["known-ssh-attack"]}`, r.URL.Query().Get("ip"))
	}))
	t.Cleanup(p.Close)
	return p
}

type cacheTest struct {
	*testing.T
	clock *clock
	prowl *fakeProwl
	path  string
	http  *http.Client
}

func newCacheTest(t *testing.T) *cacheTest {
	c := &cacheTest{T: t, clock: startOfDay(), prowl: newFakeProwl(t), path: filepath.Join(t.TempDir(), "state.db")}
	c.restart()
	return c
}

// restart opens the state anew, as after a crash.
func (c *cacheTest) restart() {
	db, err := state.Open(c.Context(), state.Options{Path: c.path})
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { _ = db.Close(context.Background()) })
	c.http = &http.Client{Transport: NewCache(db, c.prowl.Client().Transport, CacheOptions{Now: c.clock.now})}
}

// get makes a call and compares status, x-cache, age, body and how many calls
// have reached the server so far.
func (c *cacheTest) get(target, id, want string) {
	c.Helper()
	got, err := c.try(target, id)
	if err != nil {
		c.Fatal(err)
	}
	if got = fmt.Sprintf("%s calls=%d", got, c.prowl.calls.Load()); got != want {
		c.Errorf("\n got %s\nwant %s", got, want)
	}
}

func (c *cacheTest) try(target, id string) (string, error) {
	req, err := http.NewRequest(http.MethodGet, c.prowl.URL+target, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("x-api-key", "pk_very-secret")
	if id != "" {
		req.Header.Set("x-ms-client-request-id", id)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if int64(len(body)) != resp.ContentLength {
		return "", fmt.Errorf("%d bytes, Content-Length %d", len(body), resp.ContentLength)
	}
	return fmt.Sprintf("%d %s age=%s %s", resp.StatusCode, resp.Header.Get("x-cache"), resp.Header.Get("Age"), body), err
}

func TestCacheHit(t *testing.T) {
	c := newCacheTest(t)
	const body = `{"ip":"8.8.8.8","ttps":["known-ssh-attack"]}`
	c.get("/GetIPReputation?ip=8.8.8.8", "a", "200 MISS age= "+body+" calls=1")
	c.clock.forward(90 * time.Second)
	c.get("/GetIPReputation?ip=8.8.8.8", "b", "200 HIT age=90 "+body+" calls=1")
	c.get("/GetIPReputation?ip=8.8.8.8", "", "200 HIT age=90 "+body+" calls=1")
	c.get("/GetIPReputation?ip=::ffff:8.8.8.8", "", "200 HIT age=90 "+body+" calls=1")
	c.get("/live/GetIPReputation?ip=8.8.8.8", "c", "200 MISS age= "+body+" calls=2") // another service for all we know
	c.restart()
	c.get("/GetIPReputation?ip=8.8.8.8", "", "200 HIT age=90 "+body+" calls=2")
	c.get("/GetIPReputation?ip=8.8.8.8", "a", "200 MISS age= "+body+" calls=2") // it is the one that paid
	c.clock.forward(24*time.Hour - 90*time.Second)
	c.get("/GetIPReputation?ip=8.8.8.8", "a", "200 MISS age= "+body+" calls=2") // however late it is repeated
	c.get("/GetIPReputation?ip=8.8.8.8", "d", "200 MISS age= "+body+" calls=3")
	c.get("/GetIPReputation?ip=8.8.8.8", "d", "200 MISS age= "+body+" calls=3")
	c.get("/GetIPReputation?ip=8.8.8.8", "a", "200 HIT age=0 "+body+" calls=3")
}

func TestCacheEmptyAnswerIsShorter(t *testing.T) {
	c := newCacheTest(t)
	const body = `{"ip":"8.8.8.8","ttps":[]}`
	c.prowl.answer = func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }
	c.get("/GetIPReputation?ip=8.8.8.8", "", "200 MISS age= "+body+" calls=1")
	c.clock.forward(6*time.Hour - time.Second)
	c.get("/GetIPReputation?ip=8.8.8.8", "", "200 HIT age=21599 "+body+" calls=1")
	c.clock.forward(time.Second)
	c.get("/GetIPReputation?ip=8.8.8.8", "", "200 MISS age= "+body+" calls=2")
}

// No address that must not be asked about reaches the server, in whatever
// spelling and with whatever method.
func TestCacheIsAWall(t *testing.T) {
	c := newCacheTest(t)
	c.get("/GetIPReputation?ip=10.1.2.3", "a", `409 SKIP age= {"ip":"10.1.2.3","message":"not asked: private-use (RFC 1918)"} calls=0`)
	c.get("/GetIPReputation?ip=::ffff:10.1.2.3", "", `409 SKIP age= {"ip":"10.1.2.3","message":"not asked: private-use (RFC 1918)"} calls=0`)
	c.get("/live/GetIPReputation?x=1&ip=fd00::1", "", `409 SKIP age= {"ip":"fd00::1","message":"not asked: unique local (RFC 4193)"} calls=0`)
	c.get("/getipreputation/?%69p=127.0.0.1", "", `409 SKIP age= {"ip":"127.0.0.1","message":"not asked: loopback (RFC 1122)"} calls=0`)
	c.get("/GetIPReputation?ip=8.8.8.8&ip=10.1.2.3", "", `400 SKIP age= {"message":"Invalid IP address"} calls=0`)
	c.get("/GetIPReputation?ip=intranet.example", "", `400 SKIP age= {"message":"Invalid IP address"} calls=0`)
	c.get("/GetIPReputation", "", `400 SKIP age= {"message":"Invalid IP address"} calls=0`)
	resp, err := c.http.Post(c.prowl.URL+"/GetIPReputation?ip=10.1.2.3", "text/plain", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusConflict || c.prowl.calls.Load() != 0 {
		t.Errorf("POST: %d", resp.StatusCode)
	}
}

func TestCachePassesOthers(t *testing.T) {
	c := newCacheTest(t)
	c.prowl.answer = func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL, body)
	}
	c.get("/other?ip=10.1.2.3", "", "200  age= GET /other?ip=10.1.2.3  calls=1")
	c.get("/other?ip=10.1.2.3", "", "200  age= GET /other?ip=10.1.2.3  calls=2")
	c.get("/GetIPReputation?ip=8.8.8.8&days=3", "", "200  age= GET /GetIPReputation?ip=8.8.8.8&days=3  calls=3")
	resp, err := c.http.Post(c.prowl.URL+"/ingest", "text/plain", strings.NewReader("rows"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); string(body) != "POST /ingest rows" {
		t.Errorf("POST: %q", body)
	}
}

// Only a valid answer for this address is kept. Refusals are passed on as they
// came; a 200 that is no answer is an error, which clients try again.
func TestCacheKeepsOnlyAnswers(t *testing.T) {
	c := newCacheTest(t)
	status, body := 200, ""
	c.prowl.answer = func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
	calls := 0
	f := func(s int, b string) {
		t.Helper()
		status, body = s, b
		for range 2 {
			calls++
			c.get("/GetIPReputation?ip=8.8.8.8", "same", fmt.Sprintf("%d MISS age= %s calls=%d", s, b, calls))
		}
	}
	f(403, `{"message":"Forbidden"}`)
	f(403, `{"ip":"8.8.8.8","ttps":[]}`)
	f(429, `{"message":"Limit Exceeded"}`)
	f(500, `{"message":"Internal server error"}`)
	f(201, `{"ip":"8.8.8.8","ttps":[]}`)
	f(200, `{"ip":"8.8.8.8","ttps":[],"status":"partial","reason":"x waits","waiting_until":"2026-11-26T00:00:00Z"}`)
	f(200, `{"ip":"8.8.8.8","ttps":["known-bot"],"verdict":"malicious","status":"stale","reason":"old"}`)
	garbage := func(b string) {
		t.Helper()
		status, body = 200, b
		for range 2 {
			calls++
			if _, err := c.try("/GetIPReputation?ip=8.8.8.8", "same"); err == nil || !strings.Contains(err.Error(), "the answer for 8.8.8.8 is not understood") {
				t.Errorf("%q: err = %v", b, err)
			}
			if n := int(c.prowl.calls.Load()); n != calls {
				t.Errorf("%q: %d calls, want %d", b, n, calls)
			}
		}
	}
	garbage(``)
	garbage(`<html>`)
	garbage(`{"ip":"8.8.8.8","ttps":[]`)
	garbage(`{"ip":"8.8.8.8"}`)
	garbage(`{"ip":"8.8.8.8","ttps":null}`)
	garbage(`{"ip":"8.8.8.8","ttps":[1]}`)
	garbage(`{"ip":"9.9.9.9","ttps":["known-bot"]}`)
	garbage(`[]`)
	status, body = 200, `{"ip":"8.8.8.8","ttps":["`+strings.Repeat("x", maxAnswer)+`"]}`
	if _, err := c.try("/GetIPReputation?ip=8.8.8.8", ""); err == nil || !strings.Contains(err.Error(), "larger than 1048576 bytes") {
		t.Errorf("err = %v", err)
	}
	c.prowl.Close()
	if _, err := c.try("/GetIPReputation?ip=8.8.8.8", ""); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("err = %v", err)
	}
}

// Callers that come together cause one call, and one of them paid.
func TestCacheOneFlight(t *testing.T) {
	c := newCacheTest(t)
	release := make(chan struct{})
	c.prowl.answer = func(w http.ResponseWriter, r *http.Request) {
		<-release
		fmt.Fprintf(w, `{"ip":"%s","ttps":[]}`, r.URL.Query().Get("ip"))
	}
	const callers = 20
	results := make(chan string, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			got, err := c.try("/GetIPReputation?ip=8.8.8.8", fmt.Sprint("id", i))
			if err != nil {
				t.Error(err)
			}
			results <- got
		})
	}
	close(release)
	wg.Wait()
	close(results)
	count := map[string]int{}
	for r := range results {
		count[r]++
	}
	if n := c.prowl.calls.Load(); n != 1 || count[`200 MISS age= {"ip":"8.8.8.8","ttps":[]}`] != 1 || count[`200 HIT age=0 {"ip":"8.8.8.8","ttps":[]}`] != callers-1 {
		t.Errorf("%d calls, answers %v", n, count)
	}
}

// A caller that leaves takes nobody with it, and what it paid for is kept.
func TestCacheCallerLeaves(t *testing.T) {
	c := newCacheTest(t)
	arrived, release := make(chan struct{}), make(chan struct{})
	c.prowl.answer = func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		_, _ = io.WriteString(w, `{"ip":"8.8.8.8","ttps":[]}`)
	}
	ctx, cancel := context.WithCancel(t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.prowl.URL+"/GetIPReputation?ip=8.8.8.8", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("x-ms-client-request-id", "a")
	req.Header.Set("x-api-key", "pk_very-secret")
	go func() {
		<-arrived
		cancel()
	}()
	if resp, err := c.http.Do(req); err == nil {
		resp.Body.Close()
		t.Fatal("want an error")
	}
	// The call is still under way; the same one again waits for it.
	go func() { close(release) }()
	c.get("/GetIPReputation?ip=8.8.8.8", "a", `200 MISS age= {"ip":"8.8.8.8","ttps":[]} calls=1`)
	c.get("/GetIPReputation?ip=8.8.8.8", "b", `200 HIT age=0 {"ip":"8.8.8.8","ttps":[]} calls=1`)
}

func TestCacheStoresNoKey(t *testing.T) {
	c := newCacheTest(t)
	c.get("/GetIPReputation?ip=8.8.8.8", "a", `200 MISS age= {"ip":"8.8.8.8","ttps":["known-ssh-attack"]} calls=1`)
	db, err := state.Open(t.Context(), state.Options{Path: c.path})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	var row string
	if err := db.SQL().QueryRow(`SELECT base || ip || request_id || cast(body AS TEXT) FROM reputation_cache`).Scan(&row); err != nil {
		t.Fatal(err)
	}
	if want := c.prowl.URL + `/GetIPReputation8.8.8.8a{"ip":"8.8.8.8","ttps":["known-ssh-attack"]}`; row != want {
		t.Errorf("stored %q, want %q", row, want)
	}
}

func BenchmarkCacheHit(b *testing.B) {
	p := newFakeProwl(b)
	db, err := state.Open(b.Context(), state.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close(b.Context())
	cache := NewCache(db, p.Client().Transport, CacheOptions{})
	req, err := http.NewRequest(http.MethodGet, p.URL+"/GetIPReputation?ip=8.8.8.8", nil)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		resp, err := cache.RoundTrip(req)
		if err != nil {
			b.Fatal(err)
		}
		resp.Body.Close()
	}
	if n := p.calls.Load(); n != 1 {
		b.Errorf("%d calls", n)
	}
}
