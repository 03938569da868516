package server

import (
	"encoding/json"
	"strings"
	"testing"

	"picket/workspace"
)

// What the official clients do not look at: metadata, properties as text, errors.
func TestKustoAPI(t *testing.T) {
	a := newAzure(t, workspace.Limits{Rows: 5})
	f := func(status int, want, method, path, body string) {
		t.Helper()
		got, h, text := a.send(method, path, body, "Authorization", "Bearer query", "x-ms-client-request-id", "mine")
		if got != status || !strings.Contains(text, want) || !json.Valid([]byte(text)) {
			t.Errorf("%s %s %s: %d %s\nwant %d with %s", method, path, body, got, text, status, want)
		}
		if h.Get("x-ms-client-request-id") != "mine" || h.Get("x-ms-activity-id") == "" {
			t.Errorf("%s: ids %q, %q", path, h.Get("x-ms-client-request-id"), h.Get("x-ms-activity-id"))
		}
	}
	f(200, `"Rows":[[1,{"a":2}]]`, "POST", "/v2/rest/query", `{"db":"NetDefaultDB","csl":"print 1, dynamic({\"a\":2})"}`)
	f(200, `"Rows":[[7]]`, "POST", "/v1/rest/query", `{"csl":"declare query_parameters(n:long); print n","properties":"{\"Parameters\":{\"n\":7}}"}`)
	f(200, `"Exceptions":["Query execution has exceeded`, "POST", "/v1/rest/query", `{"csl":"range x from 1 to 9 step 1"}`)
	f(200, `"HasErrors":true`, "POST", "/v2/rest/query", `{"csl":"range x from 1 to 9 step 1"}`)
	f(200, `"HasErrors":false`, "POST", "/v2/rest/query", `{"csl":"set notruncation; range x from 1 to 9 step 1"}`)
	f(200, `"HasErrors":false`, "POST", "/v2/rest/query", `{"csl":"range x from 1 to 9 step 1","properties":{"Options":{"query_take_max_records":2}}}`)
	f(200, `\"Syslog\"`, "POST", "/v1/rest/mgmt", `{"csl":".show databases (['NetDefaultDB']) schema as json"}`)
	f(200, `SyslogMessage:string`, "POST", "/v1/rest/mgmt", `{"csl":".show table ['Syslog'] cslschema"}`)
	f(400, "not supported", "POST", "/v1/rest/mgmt", `{"csl":".drop table Syslog"}`)
	f(400, "'Nope' of kind 'Table'", "POST", "/v1/rest/mgmt", `{"csl":".show table Nope cslschema"}`)
	f(400, "of kind 'Database'", "POST", "/v2/rest/query", `{"db":"other","csl":"print 1"}`)
	f(400, "servertimeout", "POST", "/v2/rest/query", `{"csl":"print 1","properties":{"Options":{"servertimeout":"soon"}}}`)
	f(200, `"timespanColumn":"TimeGenerated"`, "GET", "/v1/workspaces/default/metadata", "")
	if got, _, text := a.send("GET", "/v1/rest/auth/metadata", ""); got != 200 || !strings.Contains(text, "KustoServiceResourceId") {
		t.Errorf("%d %s", got, text)
	}
}

// FuzzCommand demands that no command makes the server panic.
func FuzzCommand(f *testing.F) {
	ws, err := workspace.Open("", workspace.Options{})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { ws.Close() })
	s := &server{Options: Options{Workspace: ws}}
	for _, c := range []string{".show tables", ".show table ['Syslog'] cslschema", ".show databases (['a'], [\"b\"]) schema as json", ".", "'", "|"} {
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, text string) {
		command, _, _ := cutPipe(text)
		_, _ = s.command(command)
	})
}
