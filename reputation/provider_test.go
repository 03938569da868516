package reputation

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

// shipped loads the providers that come with Picket.
func shipped(t *testing.T) []*Provider {
	t.Helper()
	list, err := LoadProviders(Shipped, "providers")
	if err != nil {
		t.Fatal(err)
	}
	if len(list) == 0 {
		t.Fatal("no providers")
	}
	return list
}

// secretKey stands for a key; no finding and no log may hold it.
const secretKey = "s3cr3t-k3y"

// at returns the provider with its requests sent to a server.
func at(t *testing.T, p *Provider, base string) *Provider {
	t.Helper()
	q := *p
	_, rest, _ := strings.Cut(strings.TrimPrefix(p.Request.URL, "https://"), "/")
	q.Request.URL = base + "/" + rest
	return &q
}

// TestProviders holds every provider against the answers that its documentation
// shows.
func TestProviders(t *testing.T) {
	for _, p := range shipped(t) {
		t.Run(p.Name, func(t *testing.T) {
			if len(p.Tests) < 3 {
				t.Error("want an answer that knows the address, one that does not, and a refusal")
			}
			for _, tt := range p.Tests {
				t.Run(tt.Name, func(t *testing.T) {
					srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
						if p.Key == "required" && !strings.Contains(r.URL.RawQuery+r.Header.Get("Authorization")+strings.Join(headerValues(r.Header), " "), secretKey) {
							t.Error("the key is not sent")
						}
						w.Header().Set("Content-Type", "application/json")
						for k, v := range tt.Headers {
							w.Header().Set(k, v)
						}
						w.WriteHeader(max(tt.Status, 200))
						_, _ = w.Write([]byte(tt.Body))
					}))
					defer srv.Close()
					got := at(t, p, srv.URL).ask(t.Context(), NewClient(nil), secretKey, tt.IP, time.Now)
					checkFinding(t, got, tt.Want)
				})
			}
		})
	}
}

func headerValues(h http.Header) (out []string) {
	for _, v := range h {
		out = append(out, v...)
	}
	return out
}

// checkFinding compares what a test wants of a finding, field by field.
func checkFinding(t *testing.T, got Finding, want map[string]any) {
	t.Helper()
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), secretKey) {
		t.Errorf("the finding holds the key: %s", text)
	}
	fields := map[string]any{}
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	for _, f := range []string{"source", "title", "reliability", "fetched", "expires", "until"} {
		delete(fields, f)
	}
	if got.State == Failed || got.State == Refused || got.State == Waiting {
		delete(fields, "reason")
	}
	text, err = json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	wanted := map[string]any{}
	if err := json.Unmarshal(text, &wanted); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(fields, wanted) {
		t.Errorf("got  %v\nwant %v", fields, wanted)
	}
}

// TestProviderFaults is what every provider must bear.
func TestProviderFaults(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Error("a redirect was followed")
	}))
	defer elsewhere.Close()
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	faults := []struct {
		name   string
		serve  http.HandlerFunc
		state  State
		reason string
	}{
		{"404", status(404, "application/json", `{}`), NotFound, ""},
		{"403", status(403, "application/json", `{"message":"Forbidden"}`), Refused, "refuses the key"},
		{"401", status(401, "application/json", `{}`), Refused, "refuses the key"},
		{"500", status(500, "text/plain", "no"), Failed, "HTTP 500"},
		{"503 HTML", status(503, "text/html", "<html>"), Failed, "HTTP 503"},
		{"HTML instead of JSON", status(200, "text/html; charset=utf-8", "<html>hello"), Failed, "web page"},
		{"HTML without type", status(200, "", "<html>hello"), Failed, "web page"},
		{"empty", status(200, "application/json", ""), Failed, "not JSON"},
		{"truncated", status(200, "application/json", `{"data":{"a":[1,`), Failed, "not JSON"},
		{"a list", status(200, "application/json", `[]`), Failed, "not understood"},
		{"a number", status(200, "application/json", `1`), Failed, "not understood"},
		{"too large", status(200, "application/json", `"`+strings.Repeat("x", 10<<20)+`"`), Failed, "larger than"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, elsewhere.URL, http.StatusFound) }, Failed, "redirects"},
		{"hangs up", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, Failed, "connection"},
		{"breaks off", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = w.Write([]byte(`{"data":`))
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}, Failed, "breaks off"},
		{"no answer", func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, Failed, "no answer within"},
	}
	for _, p := range shipped(t) {
		for _, f := range faults {
			t.Run(p.Name+"/"+f.name, func(t *testing.T) {
				if f.name == "404" && p.Status[404] != "" {
					t.Skip("404 means something else to it")
				}
				srv := httptest.NewServer(f.serve)
				defer srv.Close()
				q := at(t, p, srv.URL)
				q.Request.Timeout = duration(time.Second)
				if f.name == "no answer" {
					q.Request.Timeout = duration(50 * time.Millisecond)
				}
				got := q.ask(t.Context(), NewClient(nil), secretKey, netip.MustParseAddr("198.51.100.7"), func() time.Time { return now })
				if got.State != f.state || !strings.Contains(got.Reason, f.reason) {
					t.Errorf("%s: %q, want %s: …%s…", got.State, got.Reason, f.state, f.reason)
				}
				if strings.Contains(got.Reason, secretKey) {
					t.Errorf("the reason holds the key: %s", got.Reason)
				}
			})
		}
		t.Run(p.Name+"/429", func(t *testing.T) {
			for header, want := range map[string]time.Time{
				"90": now.Add(90 * time.Second), "Wed, 25 Nov 2026 13:00:00 GMT": now.Add(time.Hour),
			} {
				srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					w.Header().Set("Retry-After", header)
					w.WriteHeader(http.StatusTooManyRequests)
				}))
				got := at(t, p, srv.URL).ask(t.Context(), NewClient(nil), secretKey, netip.MustParseAddr("198.51.100.7"), func() time.Time { return now })
				srv.Close()
				if got.State != Waiting || !got.Until.Equal(want) {
					t.Errorf("Retry-After %s: %s until %s, want %s", header, got.State, got.Until, want)
				}
			}
		})
	}
}

func status(code int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if contentType != "" {
			w.Header().Set("Content-Type", contentType)
		}
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

func TestParseProviderProblems(t *testing.T) {
	const good = "name: x\nreliability: C\nrequest: {url: \"https://example.com/{ip}\"}\nanswer: .\n"
	if _, err := ParseProvider("x.yaml", []byte(good)); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ from, to, want string }{
		{"name: x", "name: X y", `x.yaml:1:7: name: want letters`},
		{"reliability: C", "reliability: Z", "x.yaml:2:14: reliability: want a letter"},
		{"https://example.com/{ip}", "https://example.com/", "request.url: {ip} is missing"},
		{"https://example.com/{ip}", "ftp://example.com/{ip}", "request.url: want a URL"},
		{"answer: .", "answer: '.a |'", "x.yaml:4:9: answer: want a jq program"},
		{"answer: .", "answers: .", "answers"},
		{"answer: .", "answer: .\nstatus: {404: maybe}", "status: 404: want answer"},
		{"answer: .", "answer: .\nttl: {hit: soon}", "x.yaml:5:12: want a time such as"},
		{"answer: .", "answer: .\nlimits: {per_dya: 3}", `x.yaml:5:10: unknown field "per_dya"`},
		{"answer: .", "answer: .\nlimits: {per_day: lots}", "x.yaml:5:19: "},
		{"answer: .", "answer: .\ntests: [{name: a", "x.yaml:5:"},
	} {
		_, err := ParseProvider("x.yaml", []byte(strings.Replace(good, tt.from, tt.to, 1)))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want …%s…", tt.to, err, tt.want)
		}
	}
}
