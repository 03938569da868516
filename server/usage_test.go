package server

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/reputation"
)

func TestUsageStatement(t *testing.T) {
	p := newIPTest(t)
	other, otherID := p.newKey(reputation.NewKey{Name: "other", Scopes: []string{reputation.ScopeBulk}})
	admin, _ := p.newKey(reputation.NewKey{Name: "admin", Scopes: []string{reputation.ScopeAdmin}})
	for range 2 {
		for _, path := range []string{"/v1/ip/45.9.20.1", "/v1/ip/10.0.0.1"} { // the second one is skipped, and free
			if res, body := p.ask("GET", path, p.key, ""); res.StatusCode != 200 {
				t.Fatal(body)
			}
		}
		if res, body := p.ask("POST", "/v1/ips", other, "9.9.9.9\n1.1.1.1\nnonsense\n"); res.StatusCode != 200 {
			t.Fatal(body)
		}
	}
	// A request id is counted once for each address.
	for range 3 {
		p.ask("GET", "/v1/ip/45.9.20.1", p.key, "", "x-ms-client-request-id", "again")
	}
	path := "/v1/usage/statement?month=" + time.Now().UTC().Format("2006-01")
	tests := []struct {
		path   string
		key    picket.Secret
		status int
		want   string // key ids and requests, or a part of the error
	}{
		{path, p.key, 200, p.keyID + " 3"},
		{path + "&key=" + p.keyID, p.key, 200, p.keyID + " 3"},
		{path + "&key=" + otherID, p.key, 403, "another key"},
		{path, other, 200, otherID + " 4"},
		{path + "&key=" + otherID, admin, 200, otherID + " 4"},
		{path + "&key=" + otherID, "boss", 200, otherID + " 4"},
		{path + "&key=pk_absent", "boss", 404, "no API key"},
		{path + "&key=pk_absent", p.key, 403, "another key"}, // not: there is none
		{path, "", 401, "x-api-key"},
		{path, "pk_wrong", 403, "unknown"},
		{path + "&format=xml", p.key, 400, "json or csv"},
		{"/v1/usage/statement", p.key, 400, "2026-11"},
		{"/v1/usage/statement?month=2020-01", p.key, 200, p.keyID + " 0"},
		{"/v1/usage/statement?month=2020-01", admin, 200, ""},
	}
	for _, test := range tests {
		res, body := p.ask("GET", test.path, test.key, "")
		if res.StatusCode != test.status || res.StatusCode != 200 && !strings.Contains(body, test.want) {
			t.Errorf("%s: %d %s, want %d %s", test.path, res.StatusCode, body, test.status, test.want)
		}
		if res.StatusCode != 200 {
			continue
		}
		var a struct{ Value []reputation.Statement }
		if err := json.Unmarshal([]byte(body), &a); err != nil {
			t.Errorf("%s: %v in %s", test.path, err, body)
		}
		var got []string
		for _, s := range a.Value {
			got = append(got, s.KeyID, string(rune('0'+s.Requests)))
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: %v, want %s", test.path, got, test.want)
		}
	}
	res, body := p.ask("GET", path+"&format=csv", p.key, "")
	if !strings.HasPrefix(res.Header.Get("Content-Type"), "text/csv") || !strings.HasSuffix(body, ",3,0,3,0.02,0.06,USD\n") {
		t.Errorf("%s %s", res.Header.Get("Content-Type"), body)
	}
}
