package server

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"picket/collection"
	"picket/workspace"
)

// rows is the answer to a query, as JSON.
func (a *azure) rows(query string) string {
	a.t.Helper()
	status, _, text := a.send("POST", "/v1/workspaces/default/query", fmt.Sprintf(`{"query":%q}`, query), "Authorization", "Bearer query")
	_, rows, ok := strings.Cut(text, `"rows":`)
	if status != 200 || !ok {
		a.t.Fatalf("%s: %d %s", query, status, text)
	}
	return strings.TrimSuffix(rows, "}]}\n")
}

func (a *azure) rowsAre(query, want string) {
	a.t.Helper()
	if got := a.rows(query); got != want {
		a.t.Errorf("%s:\n%s\nwant %s", query, got, want)
	}
}

// A rule's records go through its transformations to its tables.
func TestDataCollectionRule(t *testing.T) {
	a := newAzure(t, workspace.Limits{})
	f := func(status int, want, stream, body string, headers ...string) {
		t.Helper()
		got, _, text := a.send("POST", "/dataCollectionRules/dcr-00000000000000000000000000000001/streams/"+stream+"?api-version=2023-01-01", body, append([]string{"Authorization", "Bearer ingest"}, headers...)...)
		if got != status || !strings.Contains(text, want) {
			t.Errorf("%s %s: %d %s\nwant %d with %s", stream, body, got, text, status, want)
		}
	}
	body := `[{"at":"2026-11-23T10:00:00Z","src":"192.0.2.7","port":22,"msg":"DENY it's","dropped":1},{"src":"","msg":"x"},{"src":"2001:db8::1","port":"many","msg":"ALLOW"}]`
	for range 2 { // a repeat adds nothing
		f(204, "", "Custom-Firewall", body, "x-ms-client-request-id", "r1")
	}
	f(204, "", "Custom-Firewall", `[]`)
	f(204, "", "Custom-Raw_CL", `[{"RawData":"line"}]`)
	f(400, "declared in dcr/firewall.json", "Custom-Firewall_CL", body)
	a.rowsAre("Firewall_CL | sort by Verb | project TimeGenerated, SourceAddress, Port, Verb, Type",
		`[["2026-11-23T10:00:00Z","192.0.2.7",22,"DENY","Firewall_CL"],["2026-11-23T12:00:00Z","2001:db8::1",null,"ALLOW","Firewall_CL"]]`)
	a.rowsAre("Syslog | sort by HostIP asc | project TimeGenerated, HostIP, SyslogMessage, Facility",
		`[["2026-11-23T12:00:00Z","","x","local0"],["2026-11-23T10:00:00Z","192.0.2.7","DENY it's","local0"],["2026-11-23T12:00:00Z","2001:db8::1","ALLOW","local0"]]`)
	a.rowsAre("Raw_CL | project TimeGenerated, RawData", `[["2026-11-23T12:00:00Z","line"]]`)
}

// The built-in rule makes a table of the first records, and no value is lost
// when later ones differ.
func TestFirstRecordsMakeTable(t *testing.T) {
	a := newAzure(t, workspace.Limits{})
	f := func(status int, body string) {
		t.Helper()
		path := "/dataCollectionRules/" + collection.BuiltinID(a.ws.ID()) + "/streams/Custom-App_CL"
		if got, _, text := a.send("POST", path, body, "Authorization", "Bearer ingest"); got != status {
			t.Errorf("%s: %d %s, want %d", body, got, text, status)
		}
	}
	f(204, `[{"at":"2026-11-23T10:00:00Z","n":1,"r":1,"ok":true,"d":{"a":"<"},"@odd name":"x","Type":"mine"},{"r":1.5,"n":null}]`)
	f(204, `[{"n":"many","at":"soon","d":"text","ok":3,"TimeGenerated":"2026-11-23T11:00:00Z","more":"m"},{"n":7,"TimeGenerated":"noon"}]`)
	a.rowsAre("App_CL | getschema | summarize make_list(strcat(ColumnName, ':', ColumnType))",
		`[["[\"TenantId:string\",\"TimeGenerated:datetime\",\"Type:string\",\"_odd_name:string\",\"Type_s:string\",\"at:datetime\",\"d:dynamic\",\"n:long\",\"ok:bool\",\"r:real\",\"at_s:string\",\"more:string\",\"n_s:string\",\"ok_d:real\",\"TimeGenerated_s:string\"]"]]`)
	a.rowsAre("App_CL | sort by TimeGenerated, r | project at, n, r, ok, d, _odd_name, Type_s, at_s, n_s, ok_d, more, TimeGenerated_s",
		`[[null,null,1.5,null,null,"","","","",null,"",""],["2026-11-23T10:00:00Z",1,1.0,true,"{\"a\":\"<\"}","x","mine","","",null,"",""],`+
			`[null,7,null,null,null,"","","","",null,"","noon"],[null,null,null,null,"\"text\"","","","soon","many",3.0,"m",""]]`)
	var wide strings.Builder
	for i := range 500 {
		fmt.Fprintf(&wide, `,"c%d":1`, i)
	}
	f(400, `[{"n":1`+wide.String()+`}]`)
	a.rowsAre("App_CL | count", `[[4]]`)
}

// The HTTP Data Collector API: signature, headers, endings of names, errors.
func TestDataCollectorAPI(t *testing.T) {
	a := newAzure(t, workspace.Limits{})
	date := azureNow.Format(http.TimeFormat)
	sign := func(body, date string) string { // as Microsoft's samples do
		m := hmac.New(sha256.New, []byte("shared key"))
		m.Write([]byte("POST\n" + fmt.Sprint(len(body)) + "\napplication/json\n" + "x-ms-date:" + date + "\n/api/logs"))
		return "SharedKey " + a.ws.ID() + ":" + base64.StdEncoding.EncodeToString(m.Sum(nil))
	}
	post := func(status int, want, body string, headers ...string) {
		t.Helper()
		all := append([]string{"Authorization", sign(body, date), "Log-Type", "MyApp", "x-ms-date", date, "Content-Type", "application/json"}, headers...)
		got, _, text := a.send("POST", "/api/logs?api-version=2016-04-01", body, all...)
		if got != status || !strings.Contains(text, want) || status == 200 && text != "" {
			t.Errorf("%s %v: %d %s\nwant %d with %s", body, headers, got, text, status, want)
		}
	}
	post(200, "", `[{"s":"x","n":1,"b":true,"t":"2026-11-23T10:00:00Z","g":"8a3f1c52-0f7e-4f0e-9d0b-3a1d6c9b2e11","o":{"a":[1]},"none":null},{"s":2}]`,
		"time-generated-field", "t", "x-ms-AzureResourceId", "/subscriptions/S/x", "Content-Type", "application/json; charset=utf-8")
	post(200, "", `{"s":"one"}`)
	a.rowsAre("MyApp_CL | sort by s_s asc, n_d asc | project TimeGenerated, s_s, n_d, b_b, t_t, g_g, o_s, s_d, SourceSystem, _ResourceId, Type",
		`[["2026-11-23T12:00:00Z","",null,null,null,"","",2.0,"RestAPI","/subscriptions/s/x","MyApp_CL"],`+
			`["2026-11-23T12:00:00Z","one",null,null,null,"","",null,"RestAPI","","MyApp_CL"],`+
			`["2026-11-23T10:00:00Z","x",1.0,true,"2026-11-23T10:00:00Z","8a3f1c52-0f7e-4f0e-9d0b-3a1d6c9b2e11","{\"a\":[1]}",null,"RestAPI","/subscriptions/s/x","MyApp_CL"]]`)

	post(403, `"Error":"InvalidAuthorization"`, `{}`, "Authorization", sign(`{ }`, date))
	post(403, "InvalidAuthorization", `{}`, "Authorization", "")
	post(403, "15 minutes", `{}`, "x-ms-date", "Mon, 04 Apr 2016 08:00:00 GMT", "Authorization", sign(`{}`, "Mon, 04 Apr 2016 08:00:00 GMT"))
	post(403, "no date", `{}`, "x-ms-date", "today")
	post(400, "InvalidCustomerId", `{}`, "Authorization", "SharedKey 00000000-0000-0000-0000-000000000000:x")
	post(400, "MissingLogType", `{}`, "Log-Type", "")
	post(400, "InvalidLogType", `{}`, "Log-Type", "a-b")
	post(400, "MissingContentType", `{}`, "Content-Type", "")
	post(400, "UnsupportedContentType", `{}`, "Content-Type", "text/csv")
	post(400, "InvalidDataFormat", `[1]`)
	post(400, "InvalidDataFormat", `[null]`)
	post(400, "InvalidDataFormat", `{"a":`)
	post(400, "reserved", `{"TimeGenerated":"x"}`)
	post(200, "", `{"k":1}`, "Authorization", "Bearer ingest") // an API key will do
	post(403, "InvalidAuthorization", `{"k":1}`, "Authorization", "Bearer query")
	if got, _, text := a.send("POST", "/subscriptions/s/resourceGroups/g/providers/Microsoft.OperationalInsights/workspaces/w/sharedKeys", "", "Authorization", "Bearer ingest"); got != 403 {
		t.Errorf("the shared key is shown to an ingesting key: %d %s", got, text)
	}
	for version, want := range map[string]string{"": "MissingApiVersion", "?api-version=1": "InvalidApiVersion"} {
		if got, _, text := a.send("POST", "/api/logs"+version, "{}"); got != 400 || !strings.Contains(text, want) {
			t.Errorf("%s: %d %s", version, got, text)
		}
	}
}

// Whatever is posted, the answer is one, and what is acknowledged is there.
func FuzzPosts(f *testing.F) {
	for _, s := range []string{`[{"a":1}]`, `{"a":"2026-01-01T00:00:00Z"}`, `[{"a":{"b":[1,null]},"Type":"\ud800","":1,"a b":2,"a_b":3}]`, "\xef\xbb\xbf{}", `[{"a":1e999},{"a":true}]`, `[`} {
		f.Add(s)
	}
	ws, err := workspace.Open("", workspace.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { ws.Close() })
	intake, err := collection.New(f.Context(), ws, nil, nil, collection.Options{Fixed: workspace.Builtin})
	if err != nil {
		f.Fatal(err)
	}
	h := New(Options{Workspace: ws, Intake: intake, Prowl: http.NotFoundHandler(), Admin: "boss", Logger: slog.New(slog.DiscardHandler)})
	n := 0
	f.Fuzz(func(t *testing.T, body string) {
		n++ // a table of its own for each: columns that were added stay
		for _, path := range []string{fmt.Sprintf("/dataCollectionRules/%s/streams/Custom-A%d_CL", collection.BuiltinID(ws.ID()), n), "/api/logs?api-version=2016-04-01"} {
			r := httptest.NewRequest("POST", path, strings.NewReader(body))
			r.Header.Set("Authorization", "Bearer boss")
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Log-Type", fmt.Sprint("B", n))
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != 200 && w.Code != 204 && w.Code != 400 {
				t.Errorf("%s: %d %s", path, w.Code, w.Body)
			}
		}
	})
}
