package app

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"picket"
	"picket/kql"
	"picket/reputation"
	"picket/server"
)

// What the house has seen of an address: its incidents with their hosts and
// accounts, and the lines that name it, to who may read logs.
func TestExposure(t *testing.T) {
	a, _ := start(t, testConfig(t))
	entity := func(kind, property, value string) picket.Entity {
		return picket.Entity{Kind: kind, Properties: map[string]string{property: value}}
	}
	for i, ip := range []string{"203.0.113.7", "203.0.113.70"} {
		alert := picket.Alert{ID: ip, RuleID: "11111111-1111-1111-1111-111111111111", RuleName: "R", Name: "Failed logins", Severity: picket.High,
			Time: time.Now(), Start: time.Now(), End: time.Now(), Rows: 1, Grouping: picket.Grouping{CreateIncident: true},
			Entities: []picket.Entity{entity("IP", "Address", ip), entity("Host", "HostName", "web"+string(rune('1'+i))), entity("Account", "Name", "root")}}
		if err := a.State.Tx(t.Context(), func(tx *sql.Tx) error { return a.Incidents.Raise(t.Context(), tx, []picket.Alert{alert}) }); err != nil {
			t.Fatal(err)
		}
	}
	at := time.Now().Add(-time.Hour)
	b := picket.Batch{Table: "Syslog", Columns: []string{"TimeGenerated", "HostName", "SyslogMessage", "HostIP"}, Rows: [][]any{
		{at, "db1", "Failed password for root from 203.0.113.7 port 1", ""}, {at.Add(time.Minute), "db1", "again 203.0.113.7", ""},
		{at, "gw", "hello", "203.0.113.7"}, {at, "other", "from 203.0.113.70", ""}, {at.Add(-40 * 24 * time.Hour), "old", "203.0.113.7", ""},
	}}
	if err := a.Workspace.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	// A table of the user's own, of which the workspace knows nothing; and one of Picket's.
	if err := a.Workspace.CreateTable(t.Context(), kql.Table{Name: "Vpn_CL", Columns: []kql.Column{{Name: "TimeGenerated", Type: kql.DateTime}, {Name: "Peer", Type: kql.Dynamic}}}); err != nil {
		t.Fatal(err)
	}
	for _, b := range []picket.Batch{
		{Table: "Vpn_CL", Columns: []string{"TimeGenerated", "Peer"}, Rows: [][]any{{at.Add(2 * time.Minute), map[string]any{"from": map[string]any{"ip": "::ffff:203.0.113.7"}}}}},
		{Table: "ProwlEnrich_CL", Columns: []string{"TimeGenerated", "IPAddress"}, Rows: [][]any{{at.Add(time.Hour), "203.0.113.7"}}},
	} {
		if err := a.Workspace.Append(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	get := func(scope string) (x server.Exposure, status int) {
		_, key, err := a.Reputation.CreateKey(t.Context(), reputation.NewKey{Name: scope, Scopes: []string{scope}})
		if err != nil {
			t.Fatal(err)
		}
		req, err := http.NewRequest("GET", a.URL()+"/v1/ip/203.0.113.7/exposure", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("x-api-key", key.Reveal())
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		text, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &x); err != nil {
			t.Fatalf("%v: %s", err, text)
		}
		return x, res.StatusCode
	}
	x, status := get(reputation.ScopeQuery)
	if status != 200 || len(x.Incidents) != 1 || x.Incidents[0].Severity != picket.High || x.Incidents[0].Title == "" {
		t.Errorf("%d %+v", status, x)
	}
	if !slices.Equal(x.Hosts, []string{"db1", "gw", "web1"}) || !slices.Equal(x.Accounts, []string{"root"}) || x.Events != 4 || x.Last.Sub(x.First).Round(time.Second) != 2*time.Minute {
		t.Errorf("%+v", x)
	}
	// What Picket makes of the incident meanwhile is in tables of its own, and not counted.
	var tables []string
	for _, e := range x.Tables {
		switch e.Table {
		case "ProwlEnrich_CL", "SecurityAlert", "SecurityIncident":
			tables = append(tables, "own")
		default:
			tables = append(tables, fmt.Sprint(e.Table, " ", e.Events, " ", e.Last.Sub(e.First).Round(time.Second)))
		}
	}
	slices.Sort(tables)
	if want := []string{"Syslog 3 1m0s", "Vpn_CL 1 0s", "own"}; !slices.Equal(slices.Compact(tables), want) {
		t.Errorf("%q, want %q", tables, want)
	}
	if _, status := get(reputation.ScopeLookup); status != 403 {
		t.Errorf("a key that may only look up is told: %d", status)
	}
}
