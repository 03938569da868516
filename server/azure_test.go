package server

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/collection"
	"picket/workspace"
)

// azure is a server over a real workspace; the key "query" may query, "ingest"
// ingest, and "boss" everything.
type azure struct {
	t   *testing.T
	url string
	ws  *workspace.DB
	log bytes.Buffer
}

var azureNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func newAzure(t *testing.T, limits workspace.Limits) *azure {
	t.Helper()
	now := func() time.Time { return azureNow }
	ws, err := workspace.Open("", workspace.Options{Now: now, Limits: limits})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.Close() })
	a := &azure{t: t, ws: ws}
	rules, tables, err := collection.Load(os.DirFS("testdata"), "dcr", ws)
	if err != nil {
		t.Fatal(err)
	}
	intake, err := collection.New(t.Context(), ws, rules, tables, collection.Options{Fixed: workspace.Builtin, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(New(Options{
		Workspace: ws, Intake: intake, SharedKey: "c2hhcmVkIGtleQ==", Prowl: http.NotFoundHandler(), Admin: "boss", Now: now, Logger: slog.New(slog.NewTextHandler(&a.log, nil)),
		Verify: func(_ context.Context, key picket.Secret, scope string) (string, error) {
			if key.Reveal() != scope {
				return "", picket.Errorf(picket.Denied, "no")
			}
			return scope, nil
		},
	}))
	t.Cleanup(srv.Close)
	a.url = srv.URL
	return a
}

// send sends a request and returns the status, the headers and the body.
func (a *azure) send(method, path, body string, headers ...string) (int, http.Header, string) {
	a.t.Helper()
	req, err := http.NewRequest(method, a.url+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(text)
}

func TestQueryAPI(t *testing.T) {
	a := newAzure(t, workspace.Limits{Rows: 1000, Time: 300 * time.Millisecond})
	b := picket.Batch{Table: "Syslog", Columns: []string{"TimeGenerated", "SyslogMessage"}}
	for h := range 24 {
		b.Rows = append(b.Rows, []any{azureNow.Add(-time.Duration(h) * time.Hour), fmt.Sprint(h)})
	}
	if err := a.ws.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	f := func(status int, want, method, path, body string, headers ...string) {
		t.Helper()
		if len(headers) == 0 {
			headers = []string{"Authorization", "Bearer query"}
		}
		got, h, text := a.send(method, path, body, headers...)
		if got != status || !strings.Contains(text, want) {
			t.Errorf("%s %s %s: %d %s\nwant %d with %s", method, path, body, got, text, status, want)
		}
		if method != "HEAD" && !json.Valid([]byte(text)) {
			t.Errorf("%s %s: not JSON: %s", method, path, text)
		}
		if ct := h.Get("Content-Type"); !strings.HasPrefix(ct, "application/json") {
			t.Errorf("%s %s: Content-Type %q", method, path, ct)
		}
		if (got == 401) != (h.Get("WWW-Authenticate") != "") {
			t.Errorf("%s %s: %d with WWW-Authenticate %q", method, path, got, h.Get("WWW-Authenticate"))
		}
	}
	const q = "/v1/workspaces/default/query"
	count := `{"query":"Syslog | count"%s}`
	one := func(n int) string { return fmt.Sprintf(`"rows":[[%d]]`, n) }
	for _, p := range []string{q, "/workspaces/" + a.ws.ID() + "/query", "/v1/v1/workspaces/" + strings.ToUpper(a.ws.ID()) + "/query"} {
		f(200, one(24), "POST", p, fmt.Sprintf(count, ""))
	}
	f(200, one(24), "GET", q+"?query=Syslog+%7C+count", "")
	f(200, "", "HEAD", q+"?query=Syslog+%7C+count", "")

	// A query can yield several tables.
	f(200, `"rows":[[24]]},{"name":"Table_1","columns":[{"name":"x","type":"long"}],"rows":[[1],[2]]},{"name":"Table_2","columns":[{"name":"y","type":"string"}],"rows":[["z"]]}]}`,
		"POST", q, `{"query":"Syslog | count; range x from 1 to 2 step 1; print y = 'z'"}`)

	// timespan: empty and null are none; given twice, both hold.
	f(200, one(24), "POST", q, fmt.Sprintf(count, `,"timespan":null`))
	f(200, one(24), "POST", q, fmt.Sprintf(count, `,"timespan":""`))
	f(200, one(6), "POST", q, fmt.Sprintf(count, `,"timespan":"PT21600.0S"`)) // ends before now, begins with it
	f(200, one(3), "POST", q, fmt.Sprintf(count, `,"timespan":"2026-11-23T08:00:00Z/PT3H"`))
	f(200, one(2), "POST", q+"?timespan=2026-11-23T09:00:00Z/2026-11-23T20:00:00Z", fmt.Sprintf(count, `,"timespan":"2026-11-23T08:00:00Z/PT3H"`))
	f(200, one(2), "POST", q+"?timespan=2026-11-23T08:00:00Z/PT3H", fmt.Sprintf(count, `,"timespan":"2026-11-23T09:00:00Z/2026-11-23T20:00:00Z"`))
	f(400, "BadArgumentError", "POST", q, fmt.Sprintf(count, `,"timespan":"yesterday"`))

	f(200, `"rows":[["{\"a\":1}",null,"NaN","01:00:00"]]`, "POST", q, `{"query":"print dynamic({\"a\":1}), dynamic(null), real(nan), 1h"}`)
	f(200, `"error":{"code":"PartialError"`, "POST", q, `{"query":"range x from 1 to 2000 step 1"}`)
	f(504, "GatewayTimeout", "POST", q, `{"query":"range x from 1 to 100000 step 1 | extend k = 1 | join kind=inner (range y from 1 to 1000000 step 1 | extend k = 1) on k | where x * y == 7"}`)

	f(400, `"innererror":{"code":"SyntaxError","innererror":{"code":"SYN`, "POST", q, `{"query":"Syslog | where"}`)
	f(400, `"code":"SemanticError"`, "POST", q, `{"query":"Nope"}`)
	f(400, "no query", "POST", q, `{}`)
	f(400, "there is a JSON array", "POST", q, `[]`)
	f(413, "ContentLengthLimitExceeded", "POST", q, strings.Repeat(" ", maxQuery+1))
	f(404, "PathNotFoundError", "POST", "/v1/workspaces/other/query", `{"query":"print 1"}`)
	f(404, "PathNotFoundError", "PUT", q, "")
	f(404, "PathNotFoundError", "OPTIONS", "/nope", "")

	f(401, "AuthenticationFailed", "POST", q, "", "X", "y")
	f(401, "AuthenticationFailed", "POST", q, "", "Authorization", "Bearer ")
	f(401, "AuthenticationFailed", "POST", q, "", "Authorization", "Basic cXVlcnk=")
	f(403, "InsufficientAccessError", "POST", q, "", "Authorization", "Bearer ingest")
	f(200, "", "GET", q+"?query=print+1", "", "Authorization", "bearer query")
	f(200, "", "GET", q+"?query=print+1", "", "x-api-key", "query")
	f(200, "", "GET", q+"?query=print+1", "", "Authorization", "Bearer boss")
	for _, secret := range []string{"boss", "cXVlcnk"} {
		if strings.Contains(a.log.String(), secret) {
			t.Errorf("the log shows a key: %s", a.log.String())
		}
	}
}

func zipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestIngestionAPI(t *testing.T) {
	a := newAzure(t, workspace.Limits{})
	rule := "/dataCollectionRules/" + collection.BuiltinID(a.ws.ID()) + "/streams/"
	f := func(status int, want, path, body string, headers ...string) {
		t.Helper()
		got, _, text := a.send("POST", path+"?api%2Dversion=2023-01-01", body, append([]string{"Authorization", "Bearer ingest"}, headers...)...)
		if got != status || !strings.Contains(text, want) || status == 204 && text != "" {
			t.Errorf("%s %.60s: %d %s\nwant %d with %s", path, body, got, text, status, want)
		}
		if strings.Contains(text, "RawMessage") {
			t.Errorf("Go's types are shown: %s", text)
		}
	}
	prowl := rule + "Custom-ProwlEnrich_CL"
	row := `[{"IPAddress":"192.0.2.1"}]`
	for range 2 { // a repeat adds nothing
		f(204, "", prowl, row, "x-ms-client-request-id", "a")
		f(204, "", prowl, zipped(t, `[{"IPAddress":"192.0.2.2"}]`), "x-ms-client-request-id", "b", "Content-Encoding", "gzip")
	}
	// What does not fit its column is left empty, and the record stays.
	f(204, "", prowl, `[{"IPAddress":"192.0.2.3","Confidence":"many","CostUsd":{},"Asn":3e3,"TimeGenerated":"soon","Nope":1,"Ttps":{"a":"\ud800"},"Status":5},
		{"IPAddress":"192.0.2.4","Confidence":90.0,"CostUsd":"0.02","Asn":9999999999,"TimeGenerated":"2026-01-02T03:04:05Z","Ttps":["x"],"Status":null}]`)
	f(204, "", prowl, `[]`)
	f(400, "InvalidJsonBody", prowl, `{"IPAddress":"192.0.2.9"}`)
	f(400, "InvalidJsonBody", prowl, `[{"IPAddress":"192.0.2.9"},7]`)
	f(400, "InvalidJsonBody", prowl, `[{"IPAddress":"192.0.2.9"}`)
	f(400, "InvalidJsonBody", prowl, `null`)
	f(400, "InvalidJsonBody", prowl, `[{"IPAddress":"192.0.2.9"},null]`)
	f(413, "ContentLengthLimitExceeded", prowl, "["+strings.Repeat("{},", maxRecords)+"{}]")
	f(400, "not gzip", prowl, row, "Content-Encoding", "gzip")
	f(400, "not supported", prowl, row, "Content-Encoding", "br")
	f(400, "InvalidStream", rule+"Custom-No-pe_CL", row)
	f(400, "InvalidStream", rule+"Microsoft-SecurityAlert", row)
	f(400, "InvalidStream", rule+"Custom-Syslog", row)
	f(400, "InvalidStream", rule+"ProwlEnrich_CL", row)
	f(404, "not found", "/dataCollectionRules/dcr-0/streams/Custom-ProwlEnrich_CL", row)
	f(403, "InsufficientAccessError", prowl, row, "Authorization", "Bearer query")
	// The limit holds before and after decompression.
	f(413, "1048576", prowl, strings.Repeat(" ", maxIngest+1))
	f(413, "1048576", prowl, zipped(t, strings.Repeat(" ", maxIngest+1)), "Content-Encoding", "gzip")
	noise := make([]byte, 2*maxIngest)
	random := rand.New(rand.NewPCG(1, 2))
	for i := range noise {
		noise[i] = byte(random.Uint32())
	}
	f(413, "1048576", prowl, zipped(t, string(noise)), "Content-Encoding", "gzip")

	_, _, text := a.send("POST", "/v1/workspaces/default/query", `{"query":"ProwlEnrich_CL | sort by IPAddress asc | project IPAddress, Confidence, CostUsd, Asn, TimeGenerated, Ttps, Status"}`, "Authorization", "Bearer query")
	_, rows, _ := strings.Cut(text, `"rows":`)
	want := `[["192.0.2.1",null,null,null,"2026-11-23T12:00:00Z",null,""],["192.0.2.2",null,null,null,"2026-11-23T12:00:00Z",null,""],` +
		`["192.0.2.3",null,null,3000,"2026-11-23T12:00:00Z","{\"a\":\"` + "\uFFFD" + `\"}","5"],["192.0.2.4",90,0.02,null,"2026-01-02T03:04:05Z","[\"x\"]",""]]}]}` + "\n"
	if rows != want {
		t.Errorf("rows %s\nwant %s", rows, want)
	}
}

// A handler that panics is an answer and a line with its place in the log.
func TestPanic(t *testing.T) {
	var log bytes.Buffer
	s := &server{Options: Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}}
	w := httptest.NewRecorder()
	s.recovered(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("boom") })).ServeHTTP(w, httptest.NewRequest("GET", "/x?key=secret", nil))
	if w.Code != 500 || !json.Valid(w.Body.Bytes()) || strings.Contains(w.Body.String(), "boom") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if l := log.String(); !strings.Contains(l, "boom") || !strings.Contains(l, "azure_test.go") || strings.Contains(l, "secret") {
		t.Errorf("log: %s", l)
	}
}

// An append that was cut off is never taken for done.
func TestCutOffIsNoSuccess(t *testing.T) {
	s := &server{Options: Options{Logger: slog.New(slog.DiscardHandler)}}
	w := httptest.NewRecorder()
	s.fail(w, httptest.NewRequest("POST", "/", nil), fmt.Errorf("append: %w", context.Canceled))
	if w.Code != 503 {
		t.Errorf("status %d, want 503", w.Code)
	}
}

// What is under Prowl's paths is answered as Prowl does, also what it has not.
func TestProwlRoutes(t *testing.T) {
	h := New(Options{Prowl: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusTeapot) })})
	for path, prowl := range map[string]bool{
		"/GetIPReputation": true, "/GetIPReputation/": true, "/GetIPReputation/x": true, "/live/GetIPReputation": true,
		"/live/": true, "/live/GetIPReputation/": true, "/live/nope": true, "/nope": false, "/": false, "/healthz": false,
	} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", path+"?ip=8.8.8.8", nil))
		if got := w.Code == http.StatusTeapot; got != prowl {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}
