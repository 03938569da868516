package playbook

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
)

// outputs runs actions and returns the outputs of each that ran at top level, as JSON, by path.
func (b *bench) outputs(actions string) (status string, got map[string]string) {
	b.t.Helper()
	run := b.run(def(actions), incident("203.0.113.1"))
	list, err := b.db.PlaybookActions(b.t.Context(), run.ID)
	if err != nil {
		b.t.Fatal(err)
	}
	got = map[string]string{}
	for _, a := range list {
		key := a.Path
		if a.Iteration != "" {
			key += "#" + a.Iteration
		}
		got[key] = a.Status
		if a.Outputs != "" {
			got[key] += " " + a.Outputs
		}
		if a.Message != "" {
			got[key] += " (" + a.Message + ")"
		}
	}
	return strings.TrimSpace(run.Status + " " + run.Code + " " + run.Message), got
}

func TestActions(t *testing.T) {
	b := newBench(t, "", map[string]any{"Ids": []any{"a", "b", "c"}}, nil)
	b.launch()
	f := func(actions, status string, want map[string]string) {
		t.Helper()
		gotStatus, got := b.outputs(actions)
		if gotStatus != status {
			t.Errorf("run %q, want %q", gotStatus, status)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("actions (-want +got):\n%s", d)
		}
	}
	type m = map[string]string

	// Data.
	f(`"A": {"type": "Compose", "inputs": {"n": 1, "s": "@{add(1,1)}", "f": 2.0}}, "B": {"type": "Compose", "runAfter": {"A": ["Succeeded"]}, "inputs": "@outputs('A')?['f']"}`,
		"Succeeded OK", m{"A": `Succeeded {"f":2.0,"n":1,"s":"2"}`, "B": "Succeeded 2.0"})
	f(`"S": {"type": "Select", "inputs": {"from": "@parameters('Ids')", "select": {"Id": "@item()", "N": "@length(item())"}}},
	   "Q": {"type": "Query", "runAfter": {"S": ["Succeeded"]}, "inputs": {"from": "@body('S')", "where": "@not(equals(item()?['Id'], 'b'))"}},
	   "J": {"type": "Join", "runAfter": {"Q": ["Succeeded"]}, "inputs": {"from": "@body('Q')", "joinWith": ", "}}`,
		"Succeeded OK", m{"S": `Succeeded {"body":[{"Id":"a","N":1},{"Id":"b","N":1},{"Id":"c","N":1}]}`, "Q": `Succeeded {"body":[{"Id":"a","N":1},{"Id":"c","N":1}]}`,
			"J": `Succeeded {"body":"{\"Id\":\"a\",\"N\":1}, {\"Id\":\"c\",\"N\":1}"}`})
	f(`"S": {"type": "Select", "inputs": {"from": "@triggerBody()?['no']", "select": "@item()"}}`,
		"Failed ActionFailed action 'S' failed: 'from' must be an array, but its value is null", m{"S": "Failed ('from' must be an array, but its value is null)"})
	f(`"P": {"type": "ParseJson", "inputs": {"content": "{\"a\":[1,2.5,null],\"b\":{}}", "schema": {"type": "object", "required": ["a"], "format": "x", "properties": {"a": {"type": "array", "items": {"type": ["number", "null"]}}}}}}`,
		"Succeeded OK", m{"P": `Succeeded {"body":{"a":[1,2.5,null],"b":{}}}`})
	f(`"P": {"type": "ParseJson", "inputs": {"content": {"a": [1, "x"]}, "schema": {"properties": {"a": {"items": {"type": "integer"}}}}}}`,
		"Failed ActionFailed action 'P' failed: the answer.a[1] is a string; expected integer", m{"P": "Failed (the answer.a[1] is a string; expected integer)"})
	f(`"P": {"type": "ParseJson", "inputs": {"content": {"a": 1}, "schema": {"required": ["b"]}}}`,
		"Failed ActionFailed action 'P' failed: the answer lacks the property 'b'", m{"P": "Failed (the answer lacks the property 'b')"})

	// Variables.
	f(`"I": {"type": "InitializeVariable", "inputs": {"variables": [{"name": "n", "type": "integer", "value": 5}]}},
	   "Inc": {"type": "IncrementVariable", "runAfter": {"I": ["Succeeded"]}, "inputs": {"name": "N", "value": 2}},
	   "Str": {"type": "InitializeVariable", "runAfter": {"Inc": ["Succeeded"]}, "inputs": {"variables": [{"name": "s", "type": "String"}]}},
	   "App": {"type": "AppendToStringVariable", "runAfter": {"Str": ["Succeeded"]}, "inputs": {"name": "s", "value": "@variables('n')"}},
	   "Set": {"type": "SetVariable", "runAfter": {"App": ["Succeeded"]}, "inputs": {"name": "n", "value": "@add(variables('n'), 1)"}},
	   "Out": {"type": "Compose", "runAfter": {"Set": ["Succeeded"]}, "inputs": "@{variables('n')} @{variables('s')}"}`,
		"Succeeded OK", m{"I": "Succeeded", "Inc": "Succeeded", "Str": "Succeeded", "App": "Succeeded", "Set": "Succeeded", "Out": `Succeeded "8 7"`})
	f(`"I": {"type": "InitializeVariable", "inputs": {"variables": [{"name": "n", "type": "integer"}]}}, "Set": {"type": "SetVariable", "runAfter": {"I": ["Succeeded"]}, "inputs": {"name": "n", "value": "x"}}`,
		"Failed ActionFailed action 'Set' failed: variable 'n' is integer and cannot take a string", m{"I": "Succeeded", "Set": "Failed (variable 'n' is integer and cannot take a string)"})

	// Conditions.
	f(`"If": {"type": "If", "expression": {"and": [{"equals": ["@length(parameters('Ids'))", 3]}, {"or": [{"not": {"contains": ["@parameters('Ids')", "a"]}}, {"greater": [2, 1]}]}]},
	     "actions": {"Y": {"type": "Compose", "inputs": "yes"}}, "else": {"actions": {"N": {"type": "Compose", "inputs": "no"}}}},
	   "After": {"type": "Compose", "runAfter": {"If": ["Succeeded"]}, "inputs": "@createArray(outputs('Y'), outputs('N'), actions('N')?['status'])"}`,
		"Succeeded OK", m{"If": `Succeeded {"expressionResult":true}`, "If/Y": `Succeeded "yes"`, "If/N": "Skipped (the action around it was not carried out)", "After": `Succeeded ["yes",null,"Skipped"]`})
	f(`"If": {"type": "If", "expression": "@parameters('Url')", "actions": {"Y": {"type": "Compose", "inputs": 1}}}`,
		"Failed ActionFailed action 'If' failed: the condition must give true or false, not a string",
		m{"If": "Failed (the condition must give true or false, not a string)", "If/Y": "Skipped (the action around it was not carried out)"})

	// What failed is handled or not.
	const bad = `{"type": "Compose", "inputs": "@div(1,0)"}`
	const div = "@div(1,0): div: division by zero"
	f(`"S": {"type": "Scope", "actions": {"A": `+bad+`, "B": {"type": "Compose", "runAfter": {"A": ["Succeeded"]}, "inputs": 1}}},
	   "Catch": {"type": "Compose", "runAfter": {"S": ["Failed", "TimedOut"]}, "inputs": "@first(result('S'))?['error']?['message']"}`,
		"Succeeded OK", m{"S": "Failed (action 'A' failed: " + div + ")", "S/A": "Failed (" + div + ")", "S/B": "Skipped (the 'runAfter' condition for action 'A' is not satisfied: it is Failed)", "Catch": `Succeeded "` + div + `"`})
	f(`"A": `+bad+`, "Catch": {"type": "Compose", "runAfter": {"A": ["Failed"]}, "inputs": "caught"}, "Go": {"type": "Compose", "runAfter": {"A": ["Succeeded"]}, "inputs": 1}`,
		"Failed ActionFailed action 'A' failed: "+div, m{"A": "Failed (" + div + ")", "Catch": `Succeeded "caught"`, "Go": "Skipped (the 'runAfter' condition for action 'A' is not satisfied: it is Failed)"})
	f(`"A": {"type": "Compose", "inputs": 1}, "Catch": {"type": "Compose", "runAfter": {"A": ["Failed"]}, "inputs": 1}, "End": {"type": "Compose", "runAfter": {"Catch": ["Skipped"]}, "inputs": "on"}`,
		"Succeeded OK", m{"A": "Succeeded 1", "Catch": "Skipped (the 'runAfter' condition for action 'A' is not satisfied: it is Succeeded)", "End": `Succeeded "on"`})

	// Terminate.
	f(`"If": {"type": "If", "expression": "@true", "actions": {"T": {"type": "Terminate", "inputs": {"runStatus": "Failed", "runError": {"code": "Mine", "message": "why @{1}"}}}, "Never": {"type": "Compose", "runAfter": {"T": ["Succeeded"]}, "inputs": 1}}},
	   "Next": {"type": "Compose", "runAfter": {"If": ["Succeeded"]}, "inputs": 1}`,
		"Failed Mine why 1", m{"If": `Succeeded {"expressionResult":true}`, "If/T": `Succeeded {"code":"Mine","message":"why 1","runStatus":"Failed"}`})
	f(`"T": {"type": "Terminate", "inputs": {"runStatus": "Cancelled"}}`, "Cancelled Terminated", m{"T": `Succeeded {"code":"","message":"","runStatus":"Cancelled"}`})
}

func TestForeach(t *testing.T) {
	b := newBench(t, "", map[string]any{"Ids": []any{"a", "b", "c"}}, nil)
	b.launch()
	f := func(actions, status, path, want string) {
		t.Helper()
		gotStatus, got := b.outputs(actions)
		if gotStatus != status || got[path] != want {
			t.Errorf("run %q, %s = %s\nwant %q, %s\nall: %q", gotStatus, path, got[path], status, want, got)
		}
	}
	list := func(inner string) string {
		return `"V": {"type": "InitializeVariable", "inputs": {"variables": [{"name": "v", "type": "array"}]}}, "N": {"type": "InitializeVariable", "runAfter": {"V": ["Succeeded"]}, "inputs": {"variables": [{"name": "n", "type": "integer"}]}}, "L": {"type": "Foreach", "runAfter": {"N": ["Succeeded"]}, "foreach": "@parameters('Ids')", ` + inner +
			`}, "Out": {"type": "Compose", "runAfter": {"L": ["Succeeded", "Failed"]}, "inputs": "@createArray(variables('v'), variables('n'))"}`
	}
	// Changes count in the order of the items, however the iterations ran.
	f(list(`"actions": {"A": {"type": "AppendToArrayVariable", "inputs": {"name": "v", "value": "@{items('L')}@{length(variables('v'))}"}}, "I": {"type": "IncrementVariable", "inputs": {"name": "n"}}}`),
		"Succeeded OK", "Out", `Succeeded [["a0","b0","c0"],3]`)
	// One at a time, each sees the one before.
	f(list(`"runtimeConfiguration": {"concurrency": {"repetitions": 1}}, "actions": {"A": {"type": "AppendToArrayVariable", "inputs": {"name": "v", "value": "@{items('L')}@{length(variables('v'))}"}}}`),
		"Succeeded OK", "Out", `Succeeded [["a0","b1","c2"],0]`)
	f(list(`"operationOptions": "Sequential", "actions": {"A": {"type": "SetVariable", "inputs": {"name": "n", "value": "@add(mul(variables('n'), 10), 1)"}}}`),
		"Succeeded OK", "Out", `Succeeded [[],111]`)
	// A loop in a loop; the inner item hides the outer.
	f(list(`"actions": {"In": {"type": "Foreach", "foreach": "@createArray(1, 2)", "actions": {"A": {"type": "AppendToArrayVariable", "inputs": {"name": "v", "value": "@{items('L')}@{item()}@{items('In')}"}}}}}`),
		"Succeeded OK", "Out", `Succeeded [["a11","a22","b11","b22","c11","c22"],0]`)
	// One iteration that fails fails the loop; the others are carried out.
	f(list(`"actions": {"If": {"type": "If", "expression": {"equals": ["@item()", "b"]}, "actions": {"Bad": {"type": "Compose", "inputs": "@int('x')"}}}, "A": {"type": "AppendToArrayVariable", "runAfter": {"If": ["Succeeded"]}, "inputs": {"name": "v", "value": "@item()"}}}`),
		"Succeeded OK", "L", `Failed {"items":3} (1 of 3 iterations failed; iteration 1: action 'If' failed: action 'Bad' failed: @int('x'): int: 'x' is not an integer)`)
	f(`"L": {"type": "Foreach", "foreach": "@parameters('Ids')", "actions": {"C": {"type": "Compose", "inputs": "@concat('x', item())"}}}, "Out": {"type": "Compose", "runAfter": {"L": ["Succeeded"]}, "inputs": "@join(createArray(result('L')[0]?['outputs'], result('L')[2]?['outputs'], result('L')[1]?['name']), ',')"}`,
		"Succeeded OK", "Out", `Succeeded "xa,xc,C"`)
	f(`"L": {"type": "Foreach", "foreach": "@createArray()", "actions": {}}`, "Succeeded OK", "L", `Succeeded {"items":0}`)
	f(`"L": {"type": "Foreach", "foreach": "@triggerBody()?['none']", "actions": {"A": {"type": "Compose", "inputs": 1}}}`,
		"Failed ActionFailed action 'L' failed: the value of 'foreach' must be an array, but it is null", "L", "Failed (the value of 'foreach' must be an array, but it is null)")
}

func TestForeachBound(t *testing.T) {
	// A server that answers only when exactly three requests are waiting: fewer at
	// a time would hang, more is seen.
	gate := make(chan chan struct{}, 100)
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		done := make(chan struct{})
		gate <- done
		<-done
	}))
	defer srv.Close()
	ids := make([]any, 90) // more than the window of iterations that are started ahead
	for i := range ids {
		ids[i] = int64(i)
	}
	b := newBench(t, "", map[string]any{"Ids": ids, "Url": srv.URL}, nil)
	b.launch()
	go func() {
		for range 30 {
			batch := []chan struct{}{<-gate, <-gate, <-gate}
			if len(gate) > 0 {
				t.Error("more than 3 requests at the same time")
			}
			for _, c := range batch {
				close(c)
			}
		}
	}()
	status, _ := b.outputs(`"L": {"type": "Foreach", "foreach": "@parameters('Ids')", "runtimeConfiguration": {"concurrency": {"repetitions": 3}}, "actions": {"H": {"type": "Http", "inputs": {"method": "GET", "uri": "@parameters('Url')"}}}}`)
	if status != "Succeeded OK" {
		t.Error(status)
	}
}

func TestSentinelActions(t *testing.T) {
	b := newBench(t, "", nil, nil)
	b.launch()
	conn := func(method, path, body string) string {
		return `{"type": "ApiConnection", "inputs": {"method": "` + method + `", "path": "` + path + `", "body": ` + body + `, ` + host + `}}`
	}
	_, got := b.outputs(`"G": ` + conn("post", "/entities/ip", `[{"kind": "Ip", "properties": {"address": " 2001:DB8:0::1 "}}, {"Type": "ip", "Address": "::ffff:198.51.100.7"}, {"kind": "ip", "properties": {"address": "198.51.100.7"}},
		{"kind": "Host", "properties": {"address": "198.51.100.9"}}, {"kind": "Ip", "properties": {"address": "198.51.100.256"}}, {"kind": "Ip"}, 7, {"kind": "Ip", "properties": {"Address": "192.168.1.1"}}]`))
	if want := `Succeeded {"body":{"IPs":[{"Address":"2001:db8::1","SkipReason":"","Type":"ip"},{"Address":"198.51.100.7","SkipReason":"","Type":"ip"},{"Address":"192.168.1.1","SkipReason":"private-use","Type":"ip"}]},"statusCode":200}`; got["G"] != want {
		t.Errorf("Get IPs: %s\nwant %s", got["G"], want)
	}

	arm := `"incidentArmId": "@triggerBody()?['object']?['id']"`
	status, _ := b.outputs(`"U": ` + conn("put", "/Incidents", `{`+arm+`, "severity": "High", "status": "Closed", "ownerAction": "Assign", "owner": "me@x", "tagsToAdd": {"TagsToAdd": [{"Tag": "a"}, {"Tag": "b"}]},
		"classification": {"ClassificationAndReason": "FalsePositive - IncorrectAlertLogic", "ClassificationReasonText": "test"}}`))
	want := IncidentUpdate{Severity: picket.High, Status: "Closed", Owner: "me@x", Classification: "FalsePositive", ClassificationReason: "IncorrectAlertLogic", ClassificationComment: "test", AddTags: []string{"a", "b"}}
	if d := cmp.Diff([]IncidentUpdate{want}, b.incidents.updates); d != "" || status != "Succeeded OK" {
		t.Errorf("update (-want +got), run %s:\n%s", status, d)
	}
	for body, want := range map[string]string{
		`{` + arm + `, "severity": "Huge"}`: "severity must be High, Medium, Low or Informational, not 'Huge'",
		`{` + arm + `, "status": "Open"}`:   "status must be New, Active or Closed, not 'Open'",
		`{"status": "New"}`:                 "'incidentArmId' is empty; expected @triggerBody()?['object']?['id']",
	} {
		if _, got := b.outputs(`"U": ` + conn("put", "/Incidents", body)); got["U"] != "Failed ("+want+")" {
			t.Errorf("update %s: %s", body, got["U"])
		}
	}

	if _, got = b.outputs(`"C": ` + conn("post", "/Incidents/Comment", `{`+arm+`, "message": "@{join(range(0, 10000), '---')}"}`)); got["C"] != "Failed (the comment has 68887 characters; at most 30000 are allowed)" {
		t.Error(got["C"])
	}
	b.outputs(`"C": ` + conn("post", "/Incidents/Comment", `{`+arm+`, "message": "hello"}`))
	if msg := b.incidents.only(t); msg != "hello" {
		t.Error(msg)
	}
	b.incidents.fail = picket.Errorf(picket.NotFound, "no such incident; %s", canary)
	if _, got = b.outputs(`"C": ` + conn("post", "/Incidents/Comment", `{`+arm+`, "message": "hello"}`)); got["C"] != "Failed (the comment was not added: no such incident; ***)" {
		t.Error(got["C"])
	}
	b.incidents.fail = errors.New("down")
	if _, got = b.outputs(`"U": ` + conn("put", "/Incidents", `{`+arm+`}`)); got["U"] != "Failed (the incident was not updated: down)" {
		t.Error(got["U"])
	}
}

func TestEnqueueErrors(t *testing.T) {
	b := newBench(t, "", nil, nil)
	p, err := Load("p.json", []byte(def(`"A": {"type": "Compose", "inputs": 1}`)))
	if err != nil {
		t.Fatal(err)
	}
	b.r.Add(p)
	b.launch()
	for _, c := range []struct {
		run  Run
		code picket.Code
	}{{Run{ID: "1", Playbook: "q", Trigger: []byte("{}")}, picket.NotFound}, {Run{ID: "", Playbook: "p", Trigger: []byte("{}")}, picket.Invalid},
		{Run{ID: "a/b", Playbook: "p", Trigger: []byte("{}")}, picket.Invalid}, {Run{ID: "1", Playbook: "p", Trigger: []byte("[]")}, picket.Invalid}} {
		tx, err := b.db.SQL().Begin()
		if err != nil {
			t.Fatal(err)
		}
		if err := b.r.Enqueue(t.Context(), tx, c.run); picket.CodeOf(err) != c.code {
			t.Errorf("%+v: %v, want code %s", c.run, err, c.code)
		}
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
	// A transaction that is rolled back starts nothing; an ID starts one run.
	tx, err := b.db.SQL().Begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := b.r.Enqueue(t.Context(), tx, Run{ID: "gone", Playbook: "P", Trigger: []byte("{}")}); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		b.enqueue(Run{ID: "once", Playbook: "P", Trigger: []byte("{}")})
	}
	b.wait("once")
	if _, err := b.db.PlaybookRun(t.Context(), "gone"); picket.CodeOf(err) != picket.NotFound {
		t.Errorf("the run of a transaction that was rolled back: %v", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	var ends int
	for _, e := range b.events {
		if e.Action == "" && e.Status == Succeeded {
			ends++
		}
	}
	if ends != 1 {
		t.Errorf("%d runs ended, want 1", ends)
	}
}

func TestPrune(t *testing.T) {
	b := newBench(t, "", map[string]any{"Ids": []any{"a", "b"}}, nil)
	b.launch()
	run := b.run(def(`"L": {"type": "Foreach", "foreach": "@parameters('Ids')", "actions": {"A": {"type": "Compose", "inputs": "@item()"}}}`), incident())
	steps := func() (n int) {
		t.Helper()
		err := b.db.SQL().QueryRow(`SELECT count(*) FROM workflow_status WHERE workflow_uuid LIKE $1 || '%'`, run.ID).Scan(&n)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := steps(); n != 3 {
		t.Fatalf("%d durable workflows, want the run's and two iterations'", n)
	}
	if n, err := b.r.Prune(t.Context(), run.Ended); n != 0 || err != nil {
		t.Fatalf("pruned %d, %v; the run did not end before it ended", n, err)
	}
	if n, err := b.r.Prune(t.Context(), run.Ended.Add(time.Second)); n != 1 || err != nil {
		t.Fatalf("pruned %d, %v", n, err)
	}
	if n := steps(); n != 0 {
		t.Errorf("%d durable workflows stay", n)
	}
}

func TestLoadDir(t *testing.T) {
	good := []byte(def(`"A": {"type": "Compose", "inputs": 1}`))
	got, err := LoadDir(fstest.MapFS{"d/b.json": {Data: good}, "d/a.yaml": {Data: []byte("x: 1\n")}, "d/B.yml": {Data: good}, "d/readme.md": {Data: []byte("no")}, "d/sub/c.json": {Data: good}}, "d")
	if len(got) != 1 || got[0].Name != "B" {
		t.Errorf("loaded %d", len(got))
	}
	want := "d/a.yaml:1: expected a workflow definition with 'triggers' and 'actions', or an ARM template with a Microsoft.Logic/workflows resource\n" +
		"d/b.json: there is a playbook of this name already, d/B.yml; expected a file name of its own"
	if err == nil || err.Error() != want {
		t.Errorf("error %v\nwant %s", err, want)
	}
	var problems picket.Problems
	if !errors.As(err, &problems) || problems[0].File != "d/a.yaml" || problems[0].Line != 1 {
		t.Errorf("problems %v", problems)
	}
	if _, err := LoadDir(fstest.MapFS{}, "none"); err == nil {
		t.Error("a missing folder is no error")
	}
}
