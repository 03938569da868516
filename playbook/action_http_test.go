package playbook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
)

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// reply makes a response.
func reply(code int, body string, header ...string) *http.Response {
	h := http.Header{}
	for i := 0; i < len(header); i += 2 {
		h.Set(header[i], header[i+1])
	}
	return &http.Response{StatusCode: code, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1}
}

// call1 runs one Http action over a transport.
func call1(t *testing.T, action string, rt http.RoundTripper) *outcome {
	t.Helper()
	p, err := Load("p.json", []byte(def(`"H": {"type": "Http", `+action+`}`)))
	if err != nil {
		t.Fatal(err)
	}
	a := p.actions["h"]
	r := &Runner{log: slog.New(slog.DiscardHandler), http: &http.Client{Transport: rt, CheckRedirect: sameOrigin}, o: Options{Now: time.Now, Token: tokenOf}}
	e := testEnv()
	e.params["Ids"] = []any{int64(1)}
	return a.spec.(executor).run(t.Context(), &step{action: a, env: e, runner: r, runID: "run1", playbook: "enrich", requestID: "0b1fdb3e-5a10-4e58-a7a0-6a0f3a6f0001"})
}

func TestRetries(t *testing.T) {
	f := func(policy string, want string, answers ...func() (*http.Response, error)) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			var at []time.Duration
			o := call1(t, `"inputs": {"method": "POST", "uri": "http://h/x", "body": "b"`+policy+`}`, transport(func(r *http.Request) (*http.Response, error) {
				at = append(at, time.Since(start))
				if b, _ := io.ReadAll(r.Body); string(b) != "b" {
					t.Errorf("body %q at attempt %d", b, len(at))
				}
				i := min(len(at), len(answers)) - 1
				return answers[i]()
			}))
			var gaps []string
			for i := 1; i < len(at); i++ {
				gaps = append(gaps, (at[i] - at[i-1]).Round(time.Millisecond).String())
			}
			if got := fmt.Sprintf("%s %s %s; %s", o.Status, o.Code, o.Message, strings.Join(gaps, " ")); got != want {
				t.Errorf("%s: %s\nwant %s", policy, got, want)
			}
		})
	}
	code := func(n int, header ...string) func() (*http.Response, error) {
		return func() (*http.Response, error) { return reply(n, "", header...), nil }
	}
	ok := code(200)
	broken := func() (*http.Response, error) { return nil, errors.New("connection refused") }
	fixed := `, "retryPolicy": {"type": "fixed", "count": 2, "interval": "PT10S"}`
	f(fixed, "Succeeded OK ; ", ok)
	f(fixed, "Succeeded OK ; 10s", code(503), ok)
	f(fixed, "Succeeded OK ; 10s 10s", code(408), broken, ok)
	f(fixed, "Failed InternalServerError HTTP 500 Internal Server Error, after 3 attempts; 10s 10s", code(500))
	f(fixed, "Failed ServiceUnavailable no good answer from h: connection refused, after 3 attempts; 10s 10s", broken)
	f(fixed, "Failed NotFound HTTP 404 Not Found; ", code(404))
	f(fixed, "Failed Forbidden HTTP 403 Forbidden, after 2 attempts; 10s", code(429), code(403))
	f(`, "retryPolicy": {"type": "none"}`, "Failed TooManyRequests HTTP 429 Too Many Requests; ", code(429))
	// Retry-After: at least, at most, as a date.
	f(fixed, "Succeeded OK ; 25s", code(429, "Retry-After", "25"), ok)
	f(fixed, "Succeeded OK ; 10s", code(429, "Retry-After", "3"), ok)
	f(fixed, "Succeeded OK ; 1h0m0s", code(429, "Retry-After", "999999"), ok)
	f(fixed, "Succeeded OK ; 10s", code(429, "Retry-After", "soon"), ok)
	f(fixed, "Succeeded OK ; 30s", func() (*http.Response, error) {
		return reply(503, "", "Retry-After", time.Now().Add(30*time.Second).UTC().Format(http.TimeFormat)), nil
	}, ok)
	// Exponential: the bounds leave one value, so that the test can name it.
	exp := `, "retryPolicy": {"type": "exponential", "count": 3, "interval": "PT1S", "minimumInterval": "PT7S", "maximumInterval": "PT7S"}`
	f(exp, "Failed BadGateway HTTP 502 Bad Gateway, after 4 attempts; 7s 7s 7s", code(502))
	f(exp, "Succeeded OK ; 7s", code(429, "Retry-After", "60"), ok)
}

func TestRetryBounds(t *testing.T) {
	p := defaultRetry()
	for n, bounds := range map[int][2]float64{1: {5, 7.5}, 2: {7.5, 15}, 3: {15, 30}, 4: {30, 45}, 5: {45, 45}, 90: {45, 45}} {
		for range 200 {
			if w := p.wait(n, 0).Seconds(); w < bounds[0] || w > bounds[1] {
				t.Fatalf("repetition %d waits %g s, want %g to %g", n, w, bounds[0], bounds[1])
			}
		}
	}
}

func TestAttemptTimeLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		o := call1(t, `"limit": {"timeout": "PT4S"}, "inputs": {"method": "GET", "uri": "http://h/x", "retryPolicy": {"type": "fixed", "count": 1, "interval": "PT1S"}}`,
			transport(func(r *http.Request) (*http.Response, error) {
				<-r.Context().Done()
				return nil, r.Context().Err()
			}))
		if o.Status != TimedOut || o.Message != "no answer from h within 4s, after 2 attempts" || time.Since(start) != 9*time.Second {
			t.Errorf("%s %q after %s", o.Status, o.Message, time.Since(start))
		}
	})
}

func TestHTTPRequest(t *testing.T) {
	var got *http.Request
	var body string
	o := call1(t, `"inputs": {"method": "post", "uri": "http://h/p?a=1", "queries": {"ip": "2001:db8::1 &", "n": 5}, "headers": {"x-api-key": "@parameters('Key')", "X-N": 7, "x-ms-client-request-id": "mine"},
		"body": {"b": "@add(1,1)", "a": null}, "authentication": {"type": "ManagedServiceIdentity", "audience": "https://monitor.azure.com"}}`,
		transport(func(r *http.Request) (*http.Response, error) {
			b, _ := io.ReadAll(r.Body)
			got, body = r, string(b)
			return reply(200, `{"x":1.0}`, "Content-Type", "application/json; charset=utf-8", "X-Cache", "HIT"), nil
		}))
	if o.Status != Succeeded {
		t.Fatal(o.Message)
	}
	want := http.Header{"X-Api-Key": {canary}, "X-N": {"7"}, "Content-Type": {"application/json; charset=utf-8"}, "Authorization": {"Bearer " + testToken},
		"X-Ms-Client-Request-Id": {"0b1fdb3e-5a10-4e58-a7a0-6a0f3a6f0001"}, "X-Ms-Workflow-Run-Id": {"run1"}, "X-Ms-Workflow-Name": {"enrich"}, "X-Ms-Client-Tracking-Id": {"run1"}}
	if d := cmp.Diff(want, got.Header); d != "" {
		t.Errorf("headers (-want +got):\n%s", d)
	}
	if got.Method != "POST" || got.URL.String() != "http://h/p?a=1&ip=2001%3Adb8%3A%3A1+%26&n=5" || body != `{"a":null,"b":2}` {
		t.Errorf("%s %s %s", got.Method, got.URL, body)
	}
	if out := encodeJSON(o.Outputs); out != `{"body":{"x":1.0},"headers":{"Content-Type":"application/json; charset=utf-8","X-Cache":"HIT"},"statusCode":200}` {
		t.Error(out)
	}
}

func TestHTTPAuthentication(t *testing.T) {
	for auth, want := range map[string]string{
		`{"type": "Basic", "username": "u", "password": "@parameters('Key')"}`:  "Basic dTpDQU5BUlktOWYzYi9zZWNyZXQra2V5PT0=",
		`{"type": "Raw", "value": "Key @{parameters('Key')}"}`:                  "Key " + canary,
		`{"type": "ManagedServiceIdentity", "audience": "https://x/.default/"}`: "Bearer " + testToken,
	} {
		o := call1(t, `"inputs": {"method": "GET", "uri": "http://h/", "retryPolicy": {"type": "none"}, "authentication": `+auth+`}`, transport(func(r *http.Request) (*http.Response, error) {
			if got := r.Header.Get("Authorization"); got != want {
				t.Errorf("%s: %q, want %q", auth, got, want)
			}
			return nil, fmt.Errorf("broken %s", r.Header.Get("Authorization"))
		}))
		if !strings.HasPrefix(o.Message, "no good answer from h: broken") || strings.Contains(o.Message, canary) || strings.Contains(o.Message, testToken) || strings.Contains(o.Message, "dTpDQU5") {
			t.Errorf("%s: message %q", auth, o.Message)
		}
	}
}

func TestHTTPBodies(t *testing.T) {
	f := func(contentType, body, want string) {
		t.Helper()
		o := call1(t, `"inputs": {"method": "GET", "uri": "http://h/"}`, transport(func(*http.Request) (*http.Response, error) {
			return reply(200, body, "Content-Type", contentType), nil
		}))
		if got := encodeJSON(path(o.Outputs, "body")); got != want {
			t.Errorf("%s %q: %s, want %s", contentType, body, got, want)
		}
	}
	f("application/json", `[1]`, `[1]`)
	f("application/problem+json", `{}`, `{}`)
	f("application/json", `{broken`, `"{broken"`)
	f("text/plain", `{"a":1}`, `"{\"a\":1}"`)
	f("", "plain", `"plain"`)
	f("application/json", "", `null`)
	f("application/octet-stream", "\x00\xff", `{"$content":"AP8=","$content-type":"application/octet-stream"}`)
	f("text/plain", "\xff", `{"$content":"/w==","$content-type":"text/plain"}`)
}

func TestHTTPLimits(t *testing.T) {
	bomb := gzipped(strings.Repeat("0", maxBody+1)) // a few kB
	var hits int
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		hits++
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(bomb)
	}))
	defer srv.Close()
	o := call1(t, `"inputs": {"method": "GET", "uri": "`+srv.URL+`"}`, http.DefaultTransport)
	if o.Status != Failed || o.Code != "ResponseTooLarge" || hits != 1 {
		t.Errorf("%s %s %s after %d requests", o.Status, o.Code, o.Message, hits)
	}
	for uri, want := range map[string]string{"ftp://h/": "'uri' is not an http or https URL: ftp://h/", "/x": "'uri' is not an http or https URL: /x", "http://h/\x7f@{parameters('Key')}": "'uri' is not an http or https URL: http://h/\x7f***"} {
		o := call1(t, `"inputs": {"method": "GET", "uri": `+string(mustJSON(uri))+`}`, nil)
		if o.Status != Failed || o.Message != want {
			t.Errorf("%s: %q, want %q", uri, o.Message, want)
		}
	}
	o = call1(t, `"inputs": {"method": "BAD METHOD", "uri": "http://h/"}`, nil)
	if o.Code != "BadRequest" {
		t.Errorf("%s %s", o.Code, o.Message)
	}
}

func TestRedirects(t *testing.T) {
	var other http.Header
	thief := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { other = r.Header }))
	defer thief.Close()
	home := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/away":
			http.Redirect(w, r, thief.URL, http.StatusFound)
		case "/near":
			http.Redirect(w, r, "/here", http.StatusTemporaryRedirect)
		case "/round":
			http.Redirect(w, r, "/round", http.StatusFound)
		case "/here":
			fmt.Fprint(w, r.Header.Get("X-Api-Key"))
		}
	}))
	defer home.Close()
	get := func(path string) *outcome {
		return call1(t, `"inputs": {"method": "GET", "uri": "`+home.URL+path+`", "headers": {"x-api-key": "k"}}`, http.DefaultTransport)
	}
	if o := get("/away"); o.Status != Failed || o.Message != "HTTP 302 Found; a redirect to another host is not followed" || other != nil {
		t.Errorf("%s %s; the other host saw %v", o.Status, o.Message, other)
	}
	if o := get("/near"); o.Status != Succeeded || path(o.Outputs, "body") != "k" {
		t.Errorf("%s %s %v", o.Status, o.Message, o.Outputs)
	}
	if o := get("/round"); o.Status != Failed || o.Code != "Found" {
		t.Errorf("%s %s", o.Status, o.Message)
	}
}

func TestNoTokenFailsTheAction(t *testing.T) {
	b := newBench(t, "", nil, func(o *Options) {
		o.Token = func(context.Context, string) (picket.Secret, error) { return "", errors.New("no identity " + canary) }
	})
	b.launch()
	_, got := b.outputs(`"H": {"type": "Http", "inputs": {"method": "GET", "uri": "http://127.0.0.1:1/", "authentication": {"type": "ManagedServiceIdentity", "audience": "aud"}}}`)
	if got["H"] != "Failed (no token for aud: no identity ***)" {
		t.Error(got["H"])
	}
}

func TestSecureData(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"access_token":"issued-8d1f"}`)
	}))
	defer srv.Close()
	b := newBench(t, "", map[string]any{"Url": srv.URL, "Key": picket.Secret(canary)}, nil)
	b.launch()
	run := b.run(def(`"H": {"type": "Http", "runtimeConfiguration": {"secureData": {"properties": ["inputs", "outputs"]}}, "inputs": {"method": "GET", "uri": "@parameters('Url')"}},
		"C": {"type": "Compose", "runAfter": {"H": ["Succeeded"]}, "inputs": "@{body('H')?['access_token']} @{parameters('Key')} @{base64(parameters('Key'))}"}`), incident())
	for path, want := range map[string]string{"H": `"***" "***"`, "C": ` "*** *** ***"`} {
		a := b.action(run.ID, path, "")
		if got := a.Inputs + " " + a.Outputs; got != want || a.Status != "Succeeded" {
			t.Errorf("%s %s: %s, want %s", path, a.Status, got, want)
		}
	}
	if bytes.Contains([]byte(b.log.String()), []byte("issued-8d1f")) {
		t.Error("the log holds a secure output")
	}
}

func TestISODuration(t *testing.T) {
	for s, want := range map[string]time.Duration{"PT5S": 5 * time.Second, "PT1M30S": 90 * time.Second, "P1DT2H": 26 * time.Hour, "PT0.5S": 500 * time.Millisecond, "p1w": 168 * time.Hour} {
		if got, ok := isoDuration(s); !ok || got != want {
			t.Errorf("%s = %s, %v; want %s", s, got, ok, want)
		}
	}
	for _, s := range []string{"", "P", "PT", "5S", "P1M", "P1Y", "PT-5S", "PT5", "PT5S ", "PT1.5M"} {
		if got, ok := isoDuration(s); ok {
			t.Errorf("%q = %s, want no duration", s, got)
		}
	}
}
