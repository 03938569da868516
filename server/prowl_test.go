package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"net/netip"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
	"picket/reputation"
	"picket/state"
)

// What the Prowl server of these tests knows.
const prowlKnows = `{"ip":"51.89.153.112","ttps":["known-apache-attack","known-ssh-attack"]}
{"ip":"45.9.20.1","ttps":["known-bot","known-brute-force-attack","known-ssh-attack"],"techniques":["T1110.001"],"confidence":85,"indicator_of_intelligence":"human","country_code":"NL","asn":64496,"as_organization":"\"Evil\" <Corp> & Söhne 🦊\u2028 None","first_seen":"2026-10-01","last_seen":"2026-11-22T08:15:30.5Z","sources":["decoy's"]}
{"ip":"1.1.1.1","verdict":"benign","sources":["public resolver"]}
{"ip":"2a01:4f8::7","ttps":["web-brute-force"],"verdict":"suspicious","confidence":90,"sources":["Picket"]}
{"ip":"9.9.9.9"}
{"ip":"10.0.0.1","ttps":["known-bot"]}
`

type prowlTest struct {
	testing.TB
	service *reputation.Service
	engine  *reputation.Engine
	db      *state.DB
	url     string
	log     *bytes.Buffer
	key     picket.Secret
	keyID   string
	stop    func()
}

// storeEngine answers from Picket's own store alone.
func storeEngine(db *state.DB, log *slog.Logger) *reputation.Engine {
	return reputation.NewEngine(db, reputation.EngineOptions{Locals: []reputation.Local{reputation.Store{DB: db, Logger: log}}, Logger: log})
}

// newProwlTest serves the state at path (a fresh one when it is empty).
func newProwlTest(t testing.TB, path string, now func() time.Time) *prowlTest {
	t.Helper()
	db, err := state.Open(t.Context(), state.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	p := &prowlTest{TB: t, db: db, log: new(bytes.Buffer)}
	log := slog.New(slog.NewTextHandler(p.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	p.service = reputation.New(db, reputation.Options{Now: now, Logger: log})
	p.engine = storeEngine(db, log)
	if _, err := p.service.Import(t.Context(), strings.NewReader(prowlKnows), "known"); err != nil {
		t.Fatal(err)
	}
	p.key, p.keyID = p.newKey(reputation.NewKey{Name: "test", Scopes: []string{reputation.ScopeLookup}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.service.Run(ctx) }()
	server := httptest.NewServer(Prowl(ProwlOptions{Reputation: p.service, Engine: p.engine, Logger: log}))
	p.url = server.URL
	var once sync.Once
	p.stop = func() {
		once.Do(func() {
			server.Close()
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
			if err := db.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(p.stop)
	return p
}

func (p *prowlTest) newKey(k reputation.NewKey) (picket.Secret, string) {
	p.Helper()
	key, text, err := p.service.CreateKey(p.Context(), k)
	if err != nil {
		p.Fatal(err)
	}
	return text, key.ID
}

// raw sends a request line as it is, like the clients that encode nothing, and
// returns status, x-amzn-errortype and body.
func (p *prowlTest) raw(method, target, key string, headers ...string) string {
	p.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(p.url, "http://"))
	if err != nil {
		p.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: prowl\r\nConnection: close\r\n", method, target)
	if key != "" {
		fmt.Fprintf(conn, "X-API-KEY: %s\r\n", key)
	}
	fmt.Fprintf(conn, "%s\r\n", strings.Join(append(headers, ""), "\r\n"))
	head, body, _ := strings.Cut(string(readBody(p, conn)), "\r\n\r\n")
	status, fields, _ := strings.Cut(head, "\r\n")
	var kind string
	for _, f := range strings.Split(fields, "\r\n") {
		name, value, _ := strings.Cut(f, ": ")
		switch strings.ToLower(name) {
		case "x-amzn-errortype":
			kind = " " + value
		case "content-type":
			if value != "application/json" {
				p.Errorf("content type %q", value)
			}
		case "retry-after":
			p.Errorf("API Gateway sends no Retry-After")
		}
	}
	return strings.Fields(status)[1] + kind + " " + body
}

func readBody(t testing.TB, r io.Reader) []byte {
	t.Helper()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// prowlCases is what each call answers, byte for byte.
func prowlCases(key string) []struct{ method, target, key, want string } {
	const (
		forbidden = `403 ForbiddenException {"message":"Forbidden"}`
		noRoute   = `403 MissingAuthenticationTokenException {"message":"Missing Authentication Token"}`
		invalid   = `400 {"message":"Invalid IP address"}`
	)
	wrong := strings.Map(func(r rune) rune {
		if r == 'a' {
			return 'b'
		}
		return 'a'
	}, key)
	return []struct{ method, target, key, want string }{
		// Clean: no more than the original says.
		{"GET", "/GetIPReputation?ip=8.8.8.8", key, `200 {"ip":"8.8.8.8","ttps":[]}`},
		{"GET", "/live/GetIPReputation?ip=8.8.8.8", key, `200 {"ip":"8.8.8.8","ttps":[]}`},
		{"GET", "/GetIPReputation?ip=9.9.9.9", key, `200 {"ip":"9.9.9.9","ttps":[]}`}, // verdict unknown is not known
		{"GET", "/GetIPReputation?ip=1.1.1.1", key, `200 {"ip":"1.1.1.1","ttps":[],"verdict":"benign","confidence":90,"sources":["public resolver"]}`},
		// Bad: the most telling label first.
		{"GET", "/GetIPReputation?ip=51.89.153.112", key, `200 {"ip":"51.89.153.112","ttps":["known-ssh-attack","known-apache-attack"],"verdict":"malicious","confidence":90,"sources":["Picket"]}`},
		{"GET", "/live/GetIPReputation?ip=45.9.20.1", key, `200 {"ip":"45.9.20.1","ttps":["known-ssh-attack","known-brute-force-attack","known-bot"],"verdict":"malicious","confidence":85,` +
			`"techniques":["T1110.001"],"indicator_of_intelligence":"human","country_code":"NL","asn":64496,"as_organization":"\"Evil\" \u003cCorp\u003e \u0026 Söhne 🦊\u2028 None",` +
			`"first_seen":"2026-10-01T00:00:00Z","last_seen":"2026-11-22T08:15:30.5Z","sources":["decoy's"]}`},
		// IPv6 with raw colons; every spelling answers with the canonical one.
		{"GET", "/GetIPReputation?ip=2a01:4f8:0:0::7", key, `200 {"ip":"2a01:4f8::7","ttps":["web-brute-force"],"verdict":"suspicious","confidence":90,"sources":["Picket"]}`},
		{"GET", "/GetIPReputation?ip=[2A01:4F8::7]", key, `200 {"ip":"2a01:4f8::7","ttps":["web-brute-force"],"verdict":"suspicious","confidence":90,"sources":["Picket"]}`},
		{"GET", "/GetIPReputation?ip=::ffff:51.89.153.112", key, `200 {"ip":"51.89.153.112","ttps":["known-ssh-attack","known-apache-attack"],"verdict":"malicious","confidence":90,"sources":["Picket"]}`},
		{"GET", "/GetIPReputation?ip=%2051.89.153.112%0D%0A", key, `200 {"ip":"51.89.153.112","ttps":["known-ssh-attack","known-apache-attack"],"verdict":"malicious","confidence":90,"sources":["Picket"]}`},
		// Not public: nothing is known, whatever the store says.
		{"GET", "/GetIPReputation?ip=10.0.0.1", key, `200 {"ip":"10.0.0.1","ttps":[]}`},
		{"GET", "/GetIPReputation?ip=fe80::1%eth0", key, `200 {"ip":"fe80::1","ttps":[]}`},
		{"GET", "/GetIPReputation?ip=::1", key, `200 {"ip":"::1","ttps":[]}`},
		// No address. The batch client sends one empty line for each in its file.
		{"GET", "/GetIPReputation?ip=", key, invalid},
		{"GET", "/GetIPReputation", key, invalid},
		{"GET", "/GetIPReputation?ip=invalid", key, invalid},
		{"GET", "/GetIPReputation?ip=051.089.153.112", key, invalid},
		{"GET", "/GetIPReputation?ip=8.8.8.8&ip=9.9.9.9", key, invalid},
		{"GET", "/GetIPReputation?ip=8.8.8.0/24", key, invalid},
		// The key comes first.
		{"GET", "/GetIPReputation?ip=8.8.8.8", "", forbidden},
		{"GET", "/GetIPReputation?ip=invalid", "", forbidden},
		{"GET", "/GetIPReputation?ip=8.8.8.8", "wrong", forbidden},
		{"GET", "/GetIPReputation?ip=8.8.8.8", "pk_" + wrong[3:], forbidden},
		{"GET", "/GetIPReputation?ip=8.8.8.8", key[:13] + wrong[13:], forbidden},
		// API Gateway knows no such route.
		{"POST", "/GetIPReputation?ip=8.8.8.8", key, noRoute},
		{"DELETE", "/live/GetIPReputation?ip=8.8.8.8", "", noRoute},
		{"GET", "/", key, noRoute},
		{"GET", "/test/GetIPReputation?ip=8.8.8.8", key, noRoute},
		{"HEAD", "/GetIPReputation?ip=8.8.8.8", key, "200 "},
		{"HEAD", "/GetIPReputation?ip=8.8.8.8", "", "403 ForbiddenException "},
	}
}

func TestProwlAnswers(t *testing.T) {
	p := newProwlTest(t, "", nil)
	for _, c := range prowlCases(p.key.Reveal()) {
		if got := p.raw(c.method, c.target, c.key); got != c.want {
			t.Errorf("%s %s\n got %s\nwant %s", c.method, c.target, got, c.want)
		}
	}
	query, _ := p.newKey(reputation.NewKey{Name: "no lookups", Scopes: []string{reputation.ScopeQuery}})
	revoked, id := p.newKey(reputation.NewKey{Name: "revoked", Scopes: []string{reputation.ScopeLookup}})
	if err := p.service.RevokeKey(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	for _, key := range []picket.Secret{query, revoked} {
		if got := p.raw("GET", "/GetIPReputation?ip=8.8.8.8", key.Reveal()); got != `403 ForbiddenException {"message":"Forbidden"}` {
			t.Error(got)
		}
	}
	p.wantUsage(11) // each 200 of a public address, and one HEAD
	p.stop()
	for _, key := range []picket.Secret{p.key, query, revoked} {
		if strings.Contains(p.log.String(), key.Reveal()[13:]) {
			t.Error("a key is in the log")
		}
	}
	if !strings.Contains(p.log.String(), id+" was revoked") {
		t.Errorf("the log does not say why: %s", p.log)
	}
}

func (p *prowlTest) wantUsage(n int64) {
	p.Helper()
	days, err := p.service.Usage(p.Context())
	if err != nil {
		p.Fatal(err)
	}
	var got int64
	for _, d := range days {
		if d.KeyID == p.keyID {
			got += d.Requests
		}
	}
	if got != n {
		p.Errorf("%d lookups counted, want %d", got, n)
	}
}

// Lupovis' own example evaluates the body as Python.
func TestProwlAnswersArePythonLiterals(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("no python3 here")
	}
	p := newProwlTest(t, "", nil)
	var bodies []string
	for _, c := range prowlCases(p.key.Reveal()) {
		_, body, found := strings.Cut(p.raw(c.method, c.target, c.key), "{")
		if found {
			bodies = append(bodies, "{"+body)
		}
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", `
import ast, json, sys
for line in sys.stdin.buffer.read().decode("utf-8").split("\n"):
    literal = ast.literal_eval(line)
    assert literal == json.loads(line) == eval(line), line
    if "message" not in literal:
        assert all(type(t) is str for t in literal["ttps"]), line
        ", ".join(literal["ttps"])
print("ok")`)
	cmd.Stdin = strings.NewReader(strings.Join(bodies, "\n"))
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "ok\n" {
		t.Errorf("%v: %s", err, out)
	}
	if len(bodies) < 25 {
		t.Errorf("only %d bodies", len(bodies))
	}
}

func TestProwlLimits(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	p := newProwlTest(t, "", func() time.Time { return now })
	daily, _ := p.newKey(reputation.NewKey{Name: "daily", Scopes: []string{"lookup"}, PerDay: 2})
	slow, _ := p.newKey(reputation.NewKey{Name: "slow", Scopes: []string{"lookup"}, PerSecond: 1})
	f := func(key picket.Secret, query, id, want string) {
		t.Helper()
		if got := p.raw("GET", "/GetIPReputation?ip="+query, key.Reveal(), "x-ms-client-request-id: "+id); got != want {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
	const clean = `200 {"ip":"8.8.8.8","ttps":[]}`
	const limit = `429 LimitExceededException {"message":"Limit Exceeded"}`
	f(daily, "8.8.8.8", "a", clean)
	f(daily, "10.0.0.1", "", `200 {"ip":"10.0.0.1","ttps":[]}`) // not counted
	f(daily, "8.8.8.8", "", clean)
	f(daily, "8.8.8.8", "", limit)
	f(daily, "8.8.8.8", "b", limit)
	f(daily, "8.8.8.8", "a", clean) // a repeat
	f(daily, "8.8.4.4", "a", limit)
	f(slow, "8.8.8.8", "", clean)
	f(slow, "8.8.8.8", "", `429 TooManyRequestsException {"message":"Too Many Requests"}`)
}

// A broken store answers 500, charges nothing and says why in the log only.
func TestProwlFails(t *testing.T) {
	p := newProwlTest(t, "", nil)
	p.raw("GET", "/GetIPReputation?ip=8.8.8.8", p.key.Reveal()) // the key is in memory now, and this address
	p.stop()
	w := httptest.NewRecorder()
	r := httptest.NewRequest("GET", "/GetIPReputation?ip=8.8.4.4", nil)
	r.Header.Set("x-api-key", p.key.Reveal())
	Prowl(ProwlOptions{Reputation: p.service, Engine: p.engine, Logger: slog.New(slog.NewTextHandler(p.log, nil))}).ServeHTTP(w, r)
	if got := fmt.Sprintf("%d %s %s", w.Code, w.Header().Get("x-amzn-errortype"), w.Body); got != `500 InternalServerErrorException {"message":"Internal server error"}` {
		t.Error(got)
	}
	if !strings.Contains(p.log.String(), "read reputation of 8.8.4.4") || strings.Contains(p.log.String(), p.key.Reveal()[13:]) {
		t.Error(p.log)
	}
}

// Callers that repeat each other's requests at the same time are counted once
// for each id and address.
func TestProwlConcurrently(t *testing.T) {
	p := newProwlTest(t, "", nil)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 20 {
				ip := netip.AddrFrom4([4]byte{8, 8, 8, byte(i)}).String()
				want := `200 {"ip":"` + ip + `","ttps":[]}`
				if got := p.raw("GET", "/GetIPReputation?ip="+ip, p.key.Reveal(), "x-ms-client-request-id: run-1"); got != want {
					t.Error(got)
				}
			}
		})
	}
	wg.Wait()
	p.wantUsage(20)
}

// What was counted is counted still in the next process, and its repeats are free.
func TestProwlRestart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	p := newProwlTest(t, path, nil)
	ask := func(p *prowlTest, id string) string {
		return p.raw("GET", "/GetIPReputation?ip=51.89.153.112", p.key.Reveal(), "x-ms-client-request-id: "+id)
	}
	first := ask(p, "a")
	p.stop()
	q := newProwlTest(t, path, nil)
	q.key, q.keyID = p.key, p.keyID
	if diff := cmp.Diff(first, ask(q, "a")); diff != "" {
		t.Error(diff)
	}
	q.wantUsage(1)
	ask(q, "b")
	q.wantUsage(2)
}

// TestProwlWaits: an answer that is not whole says so, and until when it is not.
func TestProwlWaits(t *testing.T) {
	p := newProwlTest(t, "", nil)
	provider, err := reputation.ParseProvider("later.yaml", []byte("name: later\ntitle: Later\nreliability: A\nkey: none\n"+
		"request: {url: 'http://127.0.0.1:1/{ip}'}\nanswer: '{}'\nlimits: {per_day: 1, reserve: 1}\n"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	engine := reputation.NewEngine(p.db, reputation.EngineOptions{Providers: []*reputation.Provider{provider}, Now: func() time.Time { return now }})
	srv := httptest.NewServer(Prowl(ProwlOptions{Reputation: p.service, Engine: engine}))
	defer srv.Close()
	p.url = srv.URL
	const want = `200 {"ip":"8.8.8.8","ttps":[],"status":"partial","reason":"no source has answered; Later waits until 2026-11-26T00:00:00Z","waiting_until":"2026-11-26T00:00:00Z"}`
	if got := p.raw("GET", "/GetIPReputation?ip=8.8.8.8", p.key.Reveal()); got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}
