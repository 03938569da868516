package server

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"picket"
	"picket/library"
	"picket/state"
	"picket/workspace"
)

// Saved searches, watchlists and their items by the paths of Azure Resource
// Manager, and queries that use them.
func TestLibrary(t *testing.T) {
	ws, err := workspace.Open("", workspace.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	st, err := state.Open(t.Context(), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close(context.Background())
	lib, err := library.New(t.Context(), ws, st, library.Options{})
	if err != nil {
		t.Fatal(err)
	}
	h := New(Options{Workspace: ws, Library: lib, Prowl: http.NotFoundHandler(), Admin: "admin", Verify: func(_ context.Context, key picket.Secret, scope string) (string, error) {
		if key == "reader" && scope == "query" {
			return "reader", nil
		}
		return "", picket.Errorf(picket.Denied, "no")
	}})
	ask := func(token, method, path, body string, status int, want string) {
		t.Helper()
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+token)
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != status || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s %s: %d %s, want %d with %s", method, path, w.Code, w.Body, status, want)
		}
	}
	query := func(kql, want string) {
		t.Helper()
		body, err := json.Marshal(map[string]string{"query": kql})
		if err != nil {
			t.Fatal(err)
		}
		ask("reader", "POST", "/v1/workspaces/default/query", string(body), 200, want)
	}
	const base = "/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w"
	const searches, lists = base + "/savedSearches", base + "/providers/Microsoft.SecurityInsights/watchlists"
	fn := `{"properties":{"category":"c","displayName":"d","functionAlias":"Twice","functionParameters":"n:long","query":"print x = n * 2"}}`
	ask("reader", "PUT", searches+"/twice", fn, 403, "InsufficientAccessError")
	ask("admin", "PUT", searches+"/twice", fn, 200, `"functionAlias":"Twice"`)
	ask("admin", "PUT", searches+"/bad", `{"properties":{"functionAlias":"Bad","query":"print |"}}`, 400, "function Bad, line 1")
	ask("reader", "GET", searches, "", 200, `"name":"twice"`)
	ask("reader", "GET", searches+"/none", "", 404, "none")
	query("Twice(4)", "[8]")
	ask("reader", "GET", "/v1/workspaces/default/metadata", "", 200, `"name":"Twice","parameters":"n:long","displayName":"Twice","description":"d","body":"print x = n * 2"`)
	ask("reader", "POST", "/v1/rest/mgmt", `{"db":"NetDefaultDB","csl":".show function Twice"}`, 200, `["Twice","(n:long)","{print x = n * 2}","c","d"]`)
	ask("admin", "PUT", lists+"/allow", `{"properties":{"displayName":"x","provider":"Custom","itemsSearchKey":"IP","contentType":"text/csv","numberOfLinesToSkip":0,"rawContent":"IP,Note\n203.0.113.7,ours\n"}}`, 200, `"watchlistAlias":"allow"`)
	query("_GetWatchlist('allow') | project SearchKey, Note", `["203.0.113.7","ours"]`)
	item := lists + "/allow/watchlistItems/00000000-0000-0000-0000-000000000001"
	ask("admin", "PUT", item, `{"properties":{"itemsKeyValue":{"IP":"192.0.2.1"}}}`, 200, "192.0.2.1")
	ask("reader", "GET", item, "", 200, `"watchlistItemType":"watchlist-item"`)
	ask("reader", "GET", lists+"/allow/watchlistItems", "", 200, "203.0.113.7")
	query("_GetWatchlist('allow') | count", "[2]")
	ask("admin", "DELETE", item, "", 200, "")
	ask("admin", "DELETE", lists+"/allow", "", 200, "")
	ask("reader", "GET", lists, "", 200, `"value":[]`)
	ask("admin", "DELETE", searches+"/twice", "", 200, "")
	ask("reader", "GET", "/v1/functions", "", 200, `"value":[]`)
}
