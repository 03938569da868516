package server

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/reputation"
	"picket/state"
)

// newIPTest serves every route over the engine and the keys of a [prowlTest].
func newIPTest(t *testing.T) *prowlTest {
	t.Helper()
	p := newProwlTest(t, "", nil)
	verify := func(ctx context.Context, key picket.Secret, scope string) (string, error) {
		k, err := p.service.VerifyKey(ctx, key, scope)
		return k.ID, err
	}
	srv := httptest.NewServer(New(Options{Reputation: p.service, Engine: p.engine, Prowl: http.NotFoundHandler(), Admin: "boss", Verify: verify, Logger: slog.New(slog.DiscardHandler)}))
	t.Cleanup(srv.Close)
	p.url = srv.URL
	return p
}

// ask sends a request with a key and returns the answer, read to its end.
func (p *prowlTest) ask(method, path string, key picket.Secret, body string, headers ...string) (*http.Response, string) {
	p.Helper()
	req, err := http.NewRequestWithContext(p.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		p.Fatal(err)
	}
	if key != "" {
		req.Header.Set("x-api-key", key.Reveal())
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		p.Fatal(err)
	}
	return res, string(text)
}

// counted is how many lookups of a key are counted.
func (p *prowlTest) counted(id string) (n int64) {
	p.Helper()
	usage, err := p.service.Usage(p.Context())
	if err != nil {
		p.Fatal(err)
	}
	for _, u := range usage {
		if u.KeyID == id {
			n += u.Requests
		}
	}
	return n
}

func TestLookupIP(t *testing.T) {
	p := newIPTest(t)
	none, _ := p.newKey(reputation.NewKey{Name: "q", Scopes: []string{reputation.ScopeQuery}})
	tests := []struct {
		path   string
		key    picket.Secret
		status int
		want   string // in the body
		counts int64
	}{
		{"/v1/ip/45.9.20.1", p.key, 200, `"verdict":"malicious"`, 1},
		{"/v1/ip/45.9.20.1", "boss", 200, `"ttps":["known-ssh-attack"`, 0},
		{"/v1/ip/2a01:4f8::7", p.key, 200, `"ip":"2a01:4f8::7"`, 1},
		{"/v1/ip/%5B2a01:4f8::7%5D", p.key, 200, `"ip":"2a01:4f8::7"`, 1},
		{"/v1/ip/::ffff:45.9.20.1", p.key, 200, `"ip":"45.9.20.1"`, 1},
		{"/v1/ip/8.8.4.4", p.key, 200, `"verdict":"unknown"`, 1},
		{"/v1/ip/10.0.0.1", p.key, 200, `"status":"skipped"`, 0},
		{"/v1/ip/1.2.3", p.key, 400, `\"1.2.3\" is no IP address`, 0},
		{"/v1/ip/01.2.3.4", p.key, 400, "is no IP address", 0},
		{"/v1/ip/1.2.3.4:80", p.key, 400, "is no IP address", 0},
		{"/v1/ip/1.2.3.0%2F24", p.key, 400, "is no IP address", 0},
		{"/v1/ip/45.9.20.1?refresh=true", p.key, 403, "scope admin", 0},
		{"/v1/ip/45.9.20.1?refresh=maybe", p.key, 400, `refresh is \"maybe\"`, 0},
		{"/v1/ip/45.9.20.1?refresh=true", "boss", 200, `"malicious"`, 0},
		{"/v1/ip/45.9.20.1", "", 401, "x-api-key", 0},
		{"/v1/ip/45.9.20.1", none, 403, "scope lookup", 0},
		{"/v1/ip/45.9.20.1/history", none, 403, "scope lookup", 0},
		{"/v1/ip/x/history", p.key, 400, "is no IP address", 0},
	}
	for _, test := range tests {
		before := p.counted(p.keyID)
		res, body := p.ask("GET", test.path, test.key, "")
		if res.StatusCode != test.status || !strings.Contains(body, test.want) {
			t.Errorf("%s: %d %s, want %d and %s", test.path, res.StatusCode, body, test.status, test.want)
		}
		if n := p.counted(p.keyID) - before; n != test.counts {
			t.Errorf("%s: counted %d times, want %d", test.path, n, test.counts)
		}
	}
}

func TestLookupIPIsCached(t *testing.T) {
	p := newIPTest(t)
	first, body := p.ask("GET", "/v1/ip/45.9.20.1", p.key, "")
	tag := first.Header.Get("ETag")
	if !strings.HasPrefix(tag, `W/"`) || !strings.HasPrefix(first.Header.Get("Cache-Control"), "private, max-age=") {
		t.Fatalf("headers %v", first.Header)
	}
	for _, same := range []string{tag, strings.TrimPrefix(tag, "W/"), `"other", ` + tag, "*"} {
		res, again := p.ask("GET", "/v1/ip/45.9.20.1", p.key, "", "If-None-Match", same)
		if res.StatusCode != 304 || again != "" || res.Header.Get("ETag") != tag {
			t.Errorf("If-None-Match %s: %d %q, tag %s", same, res.StatusCode, again, res.Header.Get("ETag"))
		}
	}
	if n := p.counted(p.keyID); n != 5 {
		t.Errorf("%d lookups counted, want 5: an answer of 304 is one", n)
	}
	// Another verdict is another tag.
	set := reputation.Override{Verdict: reputation.Benign, Author: "ana", Expires: time.Now().Add(time.Minute)}
	if err := p.engine.SetVerdict(t.Context(), netip.MustParsePrefix("45.9.20.1/32"), set); err != nil {
		t.Fatal(err)
	}
	res, changed := p.ask("GET", "/v1/ip/45.9.20.1", p.key, "", "If-None-Match", tag)
	if res.StatusCode != 200 || res.Header.Get("ETag") == tag || !strings.Contains(changed, `"verdict":"benign"`) {
		t.Errorf("after a change: %d %s, before %s", res.StatusCode, changed, body)
	}
	age, err := strconv.Atoi(strings.TrimPrefix(res.Header.Get("Cache-Control"), "private, max-age="))
	if err != nil || age > 60 {
		t.Errorf("Cache-Control %q outlives the verdict set for a minute", res.Header.Get("Cache-Control"))
	}
}

func TestLookupIPLimits(t *testing.T) {
	p := newIPTest(t)
	key, id := p.newKey(reputation.NewKey{Name: "two", Scopes: []string{reputation.ScopeLookup, reputation.ScopeBulk}, PerDay: 2})
	for i, want := range []struct {
		status    int
		remaining string
	}{{200, "1"}, {200, "1"}, {200, "0"}, {429, "0"}} {
		var headers []string
		if i < 2 { // one call and its repeat
			headers = []string{"x-ms-client-request-id", "run-1"}
		}
		res, body := p.ask("GET", "/v1/ip/45.9.20.1", key, "", headers...)
		h := res.Header
		if res.StatusCode != want.status || h.Get("X-RateLimit-Limit") != "2" || h.Get("X-RateLimit-Remaining") != want.remaining {
			t.Errorf("call %d: %d %s %v", i, res.StatusCode, body, h)
		}
		reset, err := strconv.ParseInt(h.Get("X-RateLimit-Reset"), 10, 64)
		if err != nil || reset%86400 != 0 {
			t.Errorf("X-RateLimit-Reset %q is no midnight", h.Get("X-RateLimit-Reset"))
		}
		if (want.status == 429) != (h.Get("Retry-After") != "") {
			t.Errorf("call %d: Retry-After %q", i, h.Get("Retry-After"))
		}
	}
	if res, _ := p.ask("GET", "/v1/ip/10.0.0.1", key, ""); res.StatusCode != 200 {
		t.Errorf("what is skipped is free, and got %d", res.StatusCode)
	}
	_, bulk := p.ask("POST", "/v1/ips", key, "10.0.0.1\n8.8.8.8\n")
	if lines := strings.Split(bulk, "\n"); len(lines) != 3 || !strings.Contains(lines[0], "skipped") || !strings.Contains(lines[1], "ThrottledError") {
		t.Errorf("bulk over the limit: %s", bulk)
	}
	if n := p.counted(id); n != 2 {
		t.Errorf("%d lookups counted, want 2", n)
	}
	slow, _ := p.newKey(reputation.NewKey{Name: "slow", Scopes: []string{reputation.ScopeLookup}, PerSecond: 0.001})
	if res, _ := p.ask("GET", "/v1/ip/8.8.8.8", slow, ""); res.StatusCode != 200 {
		t.Errorf("the first of a slow key: %d", res.StatusCode)
	}
	if res, _ := p.ask("GET", "/v1/ip/8.8.8.8", slow, ""); res.StatusCode != 429 || res.Header.Get("Retry-After") != "1000" {
		t.Errorf("the second of a slow key: %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
	}
}

func TestHistoryOfIP(t *testing.T) {
	p := newIPTest(t)
	for i, verdict := range []string{"suspicious", "malicious", "malicious"} {
		at := time.Date(2026, 11, 1+i, 0, 0, 0, 0, time.UTC)
		if _, err := p.db.AddVerdict(t.Context(), state.VerdictChange{IP: netip.MustParseAddr("45.9.20.1"), At: at, Verdict: verdict, Confidence: 70, Reason: "seen"}); err != nil {
			t.Fatal(err)
		}
	}
	_, body := p.ask("GET", "/v1/ip/45.9.20.1/history", p.key, "")
	want := `{"ip":"45.9.20.1","value":[{"at":"2026-11-02T00:00:00Z","verdict":"malicious","confidence":70,"reason":"seen"},{"at":"2026-11-01T00:00:00Z","verdict":"suspicious","confidence":70,"reason":"seen"}]}`
	if strings.TrimSpace(body) != want {
		t.Errorf("history\n%s, want\n%s", body, want)
	}
	if _, body := p.ask("GET", "/v1/ip/8.8.8.8/history", p.key, ""); strings.TrimSpace(body) != `{"ip":"8.8.8.8","value":[]}` {
		t.Errorf("no history: %s", body)
	}
	if n := p.counted(p.keyID); n != 0 {
		t.Errorf("history is counted %d times", n)
	}
}

func TestLookupIPs(t *testing.T) {
	p := newIPTest(t)
	key, id := p.newKey(reputation.NewKey{Name: "bulk", Scopes: []string{reputation.ScopeBulk}})
	if res, _ := p.ask("POST", "/v1/ips", p.key, "8.8.8.8\n"); res.StatusCode != 403 {
		t.Errorf("a key without the scope bulk: %d", res.StatusCode)
	}
	lines := []string{
		"45.9.20.1", `"2a01:4f8::7"`, ` {"ip":"1.1.1.1","note":"x"} `, "", "10.0.0.1\r", "nonsense", `{"ip":7}`, `{"ipp":"1.1.1.1"}`, `"8.8.8.8`,
		strings.Repeat("9", 3*maxAddressLine), "9.9.9.9",
	}
	want := []string{`"ip":"45.9.20.1"`, `"ip":"2a01:4f8::7"`, `"ip":"1.1.1.1"`, `"skipped"`, `"line":6`, `"line":7`, `"line":8`, `"line":9`, `"line":10`, `"ip":"9.9.9.9"`}
	res, body := p.ask("POST", "/v1/ips", key, strings.Join(lines, "\n")) // the last line need not end
	got := strings.Split(strings.TrimSuffix(body, "\n"), "\n")
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/x-ndjson" || len(got) != len(want) {
		t.Fatalf("%d %v\n%s", res.StatusCode, res.Header, body)
	}
	for i := range want {
		if !json.Valid([]byte(got[i])) || !strings.Contains(got[i], want[i]) || strings.Contains(want[i], "line") != strings.Contains(got[i], `"error":{"code":"BadArgumentError"`) {
			t.Errorf("line %d: %s, want %s", i, got[i], want[i])
		}
	}
	if n := p.counted(id); n != 4 {
		t.Errorf("%d lookups counted, want 4", n)
	}

	// Many, in their order, each counted once however often the call is repeated.
	var many bytes.Buffer
	for i := range 2000 {
		fmt.Fprintf(&many, "8.8.%d.%d\n", i/250, i%250)
	}
	for range 2 {
		_, body = p.ask("POST", "/v1/ips", key, many.String(), "x-ms-client-request-id", "batch")
		in := bufio.NewScanner(strings.NewReader(body))
		for i := range 2000 {
			if prefix := fmt.Sprintf(`{"ip":"8.8.%d.%d",`, i/250, i%250); !in.Scan() || !strings.HasPrefix(in.Text(), prefix) {
				t.Fatalf("answer %d is %s, want %s", i, in.Text(), prefix)
			}
		}
	}
	if n := p.counted(id); n != 2004 {
		t.Errorf("%d lookups counted, want 2004", n)
	}
}

// An answer comes before the next question is sent: both directions at once.
func TestLookupIPsStreams(t *testing.T) {
	p := newIPTest(t)
	body, questions := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), "POST", p.url+"/v1/ips", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer boss")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answers := bufio.NewReader(res.Body)
	for _, ip := range []string{"45.9.20.1", "1.1.1.1", "10.0.0.1"} {
		if _, err := fmt.Fprintln(questions, ip); err != nil {
			t.Fatal(err)
		}
		line, err := answers.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, `{"ip":"`+ip+`"`) {
			t.Fatalf("%s: %s %v", ip, line, err)
		}
	}
	questions.Close()
	if rest, err := io.ReadAll(answers); err != nil || len(rest) > 0 {
		t.Errorf("at the end: %q %v", rest, err)
	}
}

// TestLookupIPsRevoked: a key that is revoked while a call goes on gets no more answers.
func TestLookupIPsRevoked(t *testing.T) {
	p := newIPTest(t)
	key, id := p.newKey(reputation.NewKey{Name: "bulk", Scopes: []string{reputation.ScopeBulk}})
	body, questions := io.Pipe()
	req, err := http.NewRequestWithContext(t.Context(), "POST", p.url+"/v1/ips", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("x-api-key", key.Reveal())
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answers := bufio.NewReader(res.Body)
	ask := func(ip string) string {
		t.Helper()
		if _, err := fmt.Fprintln(questions, ip); err != nil {
			t.Fatal(err)
		}
		line, err := answers.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		return line
	}
	if got := ask("8.8.8.8"); !strings.HasPrefix(got, `{"ip":"8.8.8.8"`) {
		t.Fatal(got)
	}
	if err := p.service.RevokeKey(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if got := ask("9.9.9.9"); !strings.Contains(got, "was revoked") || strings.Contains(got, key.Reveal()) {
		t.Errorf("after it was revoked: %s", got)
	}
	if rest, err := io.ReadAll(answers); err != nil || len(rest) > 0 {
		t.Errorf("at the end: %q %v", rest, err)
	}
	questions.Close()
	if n := p.counted(id); n != 1 {
		t.Errorf("%d lookups counted, want 1", n)
	}
}

func TestRotateKeyOverHTTP(t *testing.T) {
	p := newIPTest(t)
	res, body := p.ask("POST", "/v1/keys/"+p.keyID+"/rotate?grace=0s", "boss", "")
	var made struct{ ID, Key string }
	if err := json.Unmarshal([]byte(body), &made); err != nil || res.StatusCode != 201 || made.ID == p.keyID {
		t.Fatalf("%d %s %v", res.StatusCode, body, err)
	}
	if res, body := p.ask("GET", "/v1/ip/8.8.8.8", p.key, ""); res.StatusCode != 403 {
		t.Errorf("the old key: %d %s", res.StatusCode, body)
	}
	if res, body := p.ask("GET", "/v1/ip/8.8.8.8", picket.Secret(made.Key), ""); res.StatusCode != 200 {
		t.Errorf("the new key: %d %s", res.StatusCode, body)
	}
	if res, _ := p.ask("POST", "/v1/keys/"+made.ID+"/rotate?grace=soon", "boss", ""); res.StatusCode != 400 {
		t.Errorf("no time: %d", res.StatusCode)
	}
	if res, _ := p.ask("POST", "/v1/keys/"+made.ID+"/rotate", picket.Secret(made.Key), ""); res.StatusCode != 403 {
		t.Errorf("a key without the scope admin rotates: %d", res.StatusCode)
	}
	res, _ = p.ask("POST", "/v1/keys", "boss", `{"name":"late","scopes":["lookup"],"expires":"2020-01-01T00:00:00Z"}`)
	if res.StatusCode != 400 {
		t.Errorf("a key that has expired already: %d", res.StatusCode)
	}
}

func FuzzAddressOfLine(f *testing.F) {
	for _, s := range []string{"8.8.8.8", `"::1"`, `{"ip":"fe80::1%eth0"}`, `{"ip":null}`, "{", `"`, "[::1]", "1.2.3.4/8", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if text = strings.TrimSpace(text); text == "" {
			return
		}
		ip, err := addressOfLine(text)
		if (err == nil) != ip.IsValid() {
			t.Fatalf("%q: %v %v", text, ip, err)
		}
		if err != nil && picket.CodeOf(err) != picket.Invalid {
			t.Fatalf("%q: code %v", text, picket.CodeOf(err))
		}
		if err == nil {
			if again, err := addressOfLine(ip.String()); err != nil || again != ip {
				t.Fatalf("%q: %v is read as %v %v", text, ip, again, err)
			}
		}
	})
}
