package server

import (
	"context"
	"database/sql"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"picket"
	"picket/collection"
	"picket/incident"
	"picket/library"
	"picket/reputation"
	"picket/state"
	"picket/workspace"
)

// whole is a server with every part, and a client that holds its answers against
// the description.
type whole struct {
	*prowlTest
	schemas *jsonschema.Compiler
	doc     map[string]any
	seen    map[string]bool // operation, status
}

func newWhole(t *testing.T) *whole {
	w := &whole{prowlTest: newProwlTest(t, "", nil), schemas: jsonschema.NewCompiler(), seen: map[string]bool{}}
	log := slog.New(slog.DiscardHandler)
	ws, err := workspace.Open("", workspace.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ws.Close() })
	intake, err := collection.New(t.Context(), ws, nil, nil, collection.Options{Fixed: workspace.Builtin})
	if err != nil {
		t.Fatal(err)
	}
	lib, err := library.New(t.Context(), ws, w.db, library.Options{})
	if err != nil {
		t.Fatal(err)
	}
	desk := incident.New(w.db, incident.Options{Append: ws.Append, Logger: log})
	o := Options{
		Workspace: ws, Intake: intake, Incidents: desk, Library: lib, Reputation: w.service, Engine: w.engine, Admin: "boss", Version: "1.2.3", Logger: log,
		Prowl: Prowl(ProwlOptions{Reputation: w.service, Engine: w.engine}), Metrics: promhttp.HandlerFor(prometheus.DefaultGatherer, promhttp.HandlerOpts{}),
		Hosts: w.db,
		Verify: func(ctx context.Context, key picket.Secret, scope string) (string, error) {
			k, err := w.service.VerifyKey(ctx, key, scope)
			return k.ID, err
		},
	}
	srv := httptest.NewServer(New(o))
	t.Cleanup(srv.Close)
	w.url = srv.URL

	alert := picket.Alert{ID: "a", RuleID: "r", RuleName: "Failed logins", Name: "Failed logins", Severity: picket.Medium, Time: time.Now(), Rows: 1,
		Grouping: picket.Grouping{CreateIncident: true}, Entities: []picket.Entity{{Kind: "IP", Properties: map[string]string{"Address": "45.9.20.1"}}}}
	if err := w.db.Tx(t.Context(), func(tx *sql.Tx) error { return desk.Raise(t.Context(), tx, []picket.Alert{alert}) }); err != nil {
		t.Fatal(err)
	}
	if _, err := lib.PutSearch(t.Context(), state.SavedSearch{ID: "f", DisplayName: "F", Category: "c", FunctionAlias: "Failed", Query: "print 1"}); err != nil {
		t.Fatal(err)
	}

	res, text := w.ask("GET", "/openapi.json", "", "")
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Fatal(res.StatusCode, res.Header, text)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	w.doc = doc.(map[string]any)
	w.schemas.AssertFormat()
	if err := w.schemas.AddResource("file:///openapi.json", doc); err != nil {
		t.Fatal(err)
	}
	return w
}

// schema returns the schema at a place of the description, and whether there is one.
func (w *whole) schema(at ...string) (*jsonschema.Schema, bool) {
	w.Helper()
	var v any = w.doc
	var pointer strings.Builder
	for _, name := range at {
		m, ok := v.(map[string]any)
		if ok {
			v, ok = m[name]
		}
		if !ok {
			return nil, false
		}
		pointer.WriteString("/" + url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(name)))
		if ref, isRef := v.(map[string]any)["$ref"].(string); isRef && strings.HasPrefix(ref, "#/components/responses/") {
			return w.schema(append(strings.Split(strings.TrimPrefix(ref, "#/"), "/"), at[slices.Index(at, name)+1:]...)...)
		}
	}
	s, err := w.schemas.Compile("file:///openapi.json#" + pointer.String())
	if err != nil {
		w.Fatalf("%s: %v", pointer.String(), err)
	}
	return s, true
}

// check holds an answer against the description of an operation.
func (w *whole) check(method, template string, res *http.Response, body string) {
	w.Helper()
	name := method + " " + template
	status := res.Status[:3]
	w.seen[name+" "+status] = true
	kind, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	at := []string{"paths", template, strings.ToLower(method), "responses", status}
	if body == "" {
		if _, content := w.schema(append(at, "content")...); content {
			w.Errorf("%s: %s has no body, the description has one", name, status)
		}
		return
	}
	schema, ok := w.schema(append(at, "content", kind, "schema")...)
	if !ok {
		w.Errorf("%s: the answer %s %s is not in the description: %s", name, status, kind, body)
		return
	}
	lines := []string{body}
	if kind == "application/x-ndjson" {
		lines = strings.Split(strings.TrimSpace(body), "\n")
	}
	for _, line := range lines {
		var v any = line
		if strings.HasSuffix(kind, "json") {
			var err error
			if v, err = jsonschema.UnmarshalJSON(strings.NewReader(line)); err != nil {
				w.Errorf("%s: %v in %s", name, err, line)
				continue
			}
		}
		if err := schema.Validate(v); err != nil {
			w.Errorf("%s: %s: %v\n%s", name, status, err, line)
		}
	}
}

// operations are those of the description, as "GET /path".
func operations(t *testing.T, doc map[string]any) (list []string) {
	t.Helper()
	for path, methods := range doc["paths"].(map[string]any) {
		for method := range methods.(map[string]any) {
			list = append(list, strings.ToUpper(method)+" "+path)
		}
	}
	slices.Sort(list)
	return list
}

// Every route of Picket's own API is in the description, and the other way round.
func TestOpenAPIRoutes(t *testing.T) {
	text, err := yaml.YAMLToJSON([]byte(openapi))
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	// Further spellings of Microsoft's query APIs, which Microsoft describes.
	theirs := regexp.MustCompile(`^[A-Z]+ /v[12]/(v1|subscriptions|rest|\$batch)(/|$)`)
	var routes []string
	s := newServer(Options{Prowl: http.NotFoundHandler(), Metrics: http.NotFoundHandler()})
	for _, pattern := range s.mux.patterns {
		method, path, _ := strings.Cut(pattern, " ")
		if path == "" { // the Prowl contract's own routes take any method, and refuse it
			method, path = "GET", pattern
		}
		own := strings.HasPrefix(path, "/v1/") || strings.HasSuffix(path, "/GetIPReputation") || path == "/healthz" || path == "/metrics"
		if own && !theirs.MatchString(pattern) {
			routes = append(routes, method+" "+path)
		}
	}
	slices.Sort(routes)
	if diff := cmp.Diff(routes, operations(t, doc)); diff != "" {
		t.Errorf("routes (-) and description (+) differ:\n%s", diff)
	}
}

// Real answers are as the description says, for every operation; so are its examples.
func TestOpenAPIAnswers(t *testing.T) {
	w := newWhole(t)
	bulk, bulkID := w.newKey(reputation.NewKey{Name: "bulk", Scopes: []string{reputation.ScopeBulk}, PerDay: 3, AWSAccount: "123456789012", Expires: time.Now().Add(time.Hour)})
	none, _ := w.newKey(reputation.NewKey{Name: "none", Scopes: []string{reputation.ScopeIngest}})
	_, rotateID := w.newKey(reputation.NewKey{Name: "r", Scopes: []string{reputation.ScopeQuery}})
	limited, _ := w.newKey(reputation.NewKey{Name: "limited", Scopes: []string{reputation.ScopeLookup}, PerSecond: 1e-3})
	month := time.Now().UTC().Format("2006-01")
	const boss = picket.Secret("boss")
	enrol, _ := w.newKey(reputation.NewKey{Name: "enrol", Scopes: []string{reputation.ScopeEnrol}})
	enrolled, text := w.ask("POST", "/v1/hosts", enrol, `{"computer":"web1","version":"1.0"}`)
	w.check("POST", "/v1/hosts", enrolled, text)
	var host struct{ ID, Key string }
	if err := json.Unmarshal([]byte(text), &host); err != nil {
		t.Fatal(err, text)
	}
	first, _ := w.ask("GET", "/v1/ip/45.9.20.1", boss, "")
	for _, test := range []struct {
		method, template, path string
		key                    picket.Secret
		body                   string
		status                 int
		headers                []string
	}{
		{"GET", "/v1/ip/{address}", "/v1/ip/45.9.20.1", w.key, "", 200, nil},
		{"GET", "/v1/ip/{address}", "/v1/ip/10.0.0.1", w.key, "", 200, nil},
		{"GET", "/v1/ip/{address}", "/v1/ip/8.8.8.8", boss, "", 200, nil},
		{"GET", "/v1/ip/{address}", "/v1/ip/45.9.20.1", boss, "", 304, []string{"If-None-Match", first.Header.Get("ETag")}},
		{"GET", "/v1/ip/{address}", "/v1/ip/nonsense", w.key, "", 400, nil},
		{"GET", "/v1/ip/{address}", "/v1/ip/45.9.20.1", "", "", 401, nil},
		{"GET", "/v1/ip/{address}", "/v1/ip/45.9.20.1", none, "", 403, nil},
		{"GET", "/v1/ip/{address}", "/v1/ip/45.9.20.1", limited, "", 200, nil},
		{"GET", "/v1/ip/{address}", "/v1/ip/45.9.20.1", limited, "", 429, nil},
		{"GET", "/v1/ip/{address}/history", "/v1/ip/45.9.20.1/history", w.key, "", 200, nil},
		{"GET", "/v1/ip/{address}/exposure", "/v1/ip/45.9.20.1/exposure", boss, "", 200, nil},
		{"POST", "/v1/ips", "/v1/ips", bulk, "45.9.20.1\nnonsense\n\"1.1.1.1\"\n{\"ip\":\"9.9.9.9\"}\n8.8.8.8\n10.1.1.1\n", 200, nil},
		{"POST", "/v1/ips", "/v1/ips", w.key, "45.9.20.1\n", 403, nil},
		{"POST", "/v1/reputation", "/v1/reputation", boss, `{"ip":"45.9.20.2","ttps":["known-ssh-attack"],"techniques":["T1110"]}`, 200, nil},
		{"POST", "/v1/reputation", "/v1/reputation", boss, `{"ip":"x"}`, 400, nil},
		{"GET", "/GetIPReputation", "/GetIPReputation?ip=45.9.20.1", w.key, "", 200, nil},
		{"GET", "/GetIPReputation", "/GetIPReputation?ip=8.8.8.8", w.key, "", 200, nil},
		{"GET", "/GetIPReputation", "/GetIPReputation?ip=x", w.key, "", 400, nil},
		{"GET", "/GetIPReputation", "/GetIPReputation?ip=8.8.8.8", none, "", 403, nil},
		{"GET", "/GetIPReputation", "/GetIPReputation?ip=8.8.8.8", limited, "", 429, nil},
		{"GET", "/live/GetIPReputation", "/live/GetIPReputation?ip=45.9.20.1", w.key, "", 200, nil},
		{"GET", "/v1/keys", "/v1/keys", boss, "", 200, nil},
		{"POST", "/v1/keys", "/v1/keys", boss, `{"name":"siem","scopes":["lookup","bulk"],"per_day":10000,"expires":"2099-01-31T00:00:00Z"}`, 201, nil},
		{"POST", "/v1/keys", "/v1/keys", boss, `{"name":"siem"}`, 400, nil},
		{"POST", "/v1/keys", "/v1/keys", w.key, `{}`, 403, nil},
		{"POST", "/v1/keys/{id}/rotate", "/v1/keys/" + rotateID + "/rotate?grace=1h", boss, "", 201, nil},
		{"POST", "/v1/keys/{id}/rotate", "/v1/keys/pk_none/rotate", boss, "", 404, nil},
		{"DELETE", "/v1/keys/{id}", "/v1/keys/" + rotateID, boss, "", 204, nil},
		{"POST", "/v1/keys/{id}/rotate", "/v1/keys/" + rotateID + "/rotate", boss, "", 409, nil},
		{"DELETE", "/v1/keys/{id}", "/v1/keys/pk_none", boss, "", 404, nil},
		{"GET", "/v1/keys", "/v1/keys", boss, "", 200, nil}, // now with a revoked one
		{"GET", "/v1/usage/statement", "/v1/usage/statement?month=" + month, boss, "", 200, nil},
		{"GET", "/v1/usage/statement", "/v1/usage/statement?format=csv&month=" + month, bulk, "", 200, nil},
		{"GET", "/v1/usage/statement", "/v1/usage/statement?key=" + bulkID + "&month=" + month, w.key, "", 403, nil},
		{"GET", "/v1/usage/statement", "/v1/usage/statement", boss, "", 400, nil},
		{"GET", "/v1/incidents", "/v1/incidents", boss, "", 200, nil},
		{"GET", "/v1/functions", "/v1/functions", boss, "", 200, nil},
		{"GET", "/v1/dataCollectionRules", "/v1/dataCollectionRules", boss, "", 200, nil},
		{"POST", "/v1/workspaces/{workspace}/query", "/v1/workspaces/default/query", boss, `{"query":"print a=1, b='x', c=now(), d=dynamic([1])"}`, 200, nil},
		{"POST", "/v1/workspaces/{workspace}/query", "/v1/workspaces/default/query", boss, `{"query":"nonsense | |"}`, 400, nil},
		{"GET", "/v1/workspaces/{workspace}/query", "/v1/workspaces/default/query?query=print+1", boss, "", 200, nil},
		{"GET", "/v1/workspaces/{workspace}/metadata", "/v1/workspaces/default/metadata", boss, "", 200, nil},
		{"POST", "/v1/workspaces/{workspace}/metadata", "/v1/workspaces/default/metadata", boss, "", 200, nil},
		{"GET", "/v1/workspaces/{workspace}/metadata", "/v1/workspaces/elsewhere/metadata", boss, "", 404, nil},
		{"GET", "/v1/hosts", "/v1/hosts", boss, "", 200, nil},
		{"GET", "/v1/host/sources", "/v1/host/sources", picket.Secret(host.Key), "", 200, nil},
		{"GET", "/v1/host/sources", "/v1/host/sources", w.key, "", 403, nil},
		{"POST", "/v1/host/streams/{stream}", "/v1/host/streams/Microsoft-Syslog", picket.Secret(host.Key), `[{"SyslogMessage":"hello"}]`, 204, nil},
		{"POST", "/v1/host/streams/{stream}", "/v1/host/streams/Microsoft-Syslog", picket.Secret(host.Key), `[`, 400, nil},
		{"DELETE", "/v1/hosts/{id}", "/v1/hosts/" + host.ID, boss, "", 204, nil},
		{"DELETE", "/v1/hosts/{id}", "/v1/hosts/pk_none", boss, "", 404, nil},
		{"GET", "/v1/hosts", "/v1/hosts", boss, "", 200, nil},
		{"GET", "/healthz", "/healthz", "", "", 200, nil},
		{"GET", "/metrics", "/metrics", boss, "", 200, nil},
		{"GET", "/metrics", "/metrics", w.key, "", 403, nil},
	} {
		headers := test.headers
		if test.method == "POST" {
			headers = append(headers, "Content-Type", "application/json")
		}
		res, body := w.ask(test.method, test.path, test.key, test.body, headers...)
		if res.StatusCode != test.status {
			t.Errorf("%s %s: %d %s, want %d", test.method, test.path, res.StatusCode, body, test.status)
		}
		w.check(test.method, test.template, res, body)
	}
	for _, op := range operations(t, w.doc) {
		if !w.seen[op+" 200"] && !w.seen[op+" 201"] && !w.seen[op+" 204"] {
			t.Errorf("no good answer of %s was looked at", op)
		}
	}

	components := w.doc["components"].(map[string]any)["schemas"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(components)) {
		schema, _ := w.schema("components", "schemas", name)
		examples, _ := components[name].(map[string]any)["examples"].([]any)
		for _, example := range examples {
			if err := schema.Validate(example); err != nil {
				t.Errorf("the example of %s: %v", name, err)
			}
		}
	}
	keys, _ := w.schema("components", "schemas", "NewKey")
	example := w.doc["paths"].(map[string]any)["/v1/keys"].(map[string]any)["post"].(map[string]any)["requestBody"].(map[string]any)["content"].(map[string]any)["application/json"].(map[string]any)["example"]
	if err := keys.Validate(example); err != nil {
		t.Errorf("the example of a new key: %v", err)
	}
	// The schemas can refuse: a field more is one too many.
	profile, _ := w.schema("components", "schemas", "Profile")
	bad := maps.Clone(components["Profile"].(map[string]any)["examples"].([]any)[0].(map[string]any))
	bad["surplus"] = true
	if profile.Validate(bad) == nil {
		t.Error("a profile with a field that is not described is valid")
	}
}

// The page has every operation and schema, loads nothing, and needs no script.
func TestDocsPage(t *testing.T) {
	w := newWhole(t)
	res, page := w.ask("GET", "/docs", "", "")
	if res.StatusCode != 200 || !strings.HasPrefix(res.Header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Fatalf("%d %v", res.StatusCode, res.Header)
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if ids[m[1]] {
			t.Errorf("two elements have the id %s", m[1])
		}
		ids[m[1]] = true
	}
	for _, methods := range w.doc["paths"].(map[string]any) {
		for _, op := range methods.(map[string]any) {
			if id := op.(map[string]any)["operationId"].(string); !ids[id] {
				t.Errorf("%s is not on the page", id)
			}
		}
	}
	for name := range w.doc["components"].(map[string]any)["schemas"].(map[string]any) {
		if !ids["schema-"+name] {
			t.Errorf("the schema %s is not on the page", name)
		}
	}
	for _, m := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(page, -1) {
		if !ids[m[1]] {
			t.Errorf("a link leads to #%s, which is not there", m[1])
		}
	}
	if m := regexp.MustCompile(`(?i)<script|src=|@import|url\(|<link|https?://[^l]|ZgotmplZ|&lt;nil|map\[`).FindString(page); m != "" {
		t.Errorf("the page has %q", m)
	}
	for _, want := range []string{"1.2.3", "known-ssh-attack", `<a href="#schema-Profile">`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
}
