package playbook

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
)

// def is a definition around actions, all on its first line, so that an
// action's line is that of the argument plus one.
func def(actions string) string {
	return `{"parameters": {"$connections": {"type": "Object", "defaultValue": {}}, "Url": {"type": "String", "defaultValue": ""}, "Key": {"type": "SecureString", "defaultValue": "` + canary + `"}, "Ids": {"type": "Array", "defaultValue": []}}, "triggers": {"T": ` + trigger + `}, "actions": {
` + actions + `
}}`
}

const (
	host    = `"host": {"connection": {"name": "@parameters('$connections')['azuresentinel']['connectionId']"}}`
	trigger = `{"type": "ApiConnectionWebhook", "inputs": {"body": {"callback_url": "@{listCallbackUrl()}"}, ` + host + `, "path": "/incident-creation"}}`
)

func TestLoadErrors(t *testing.T) {
	f := func(src string, want ...string) {
		t.Helper()
		_, err := Load("dir/p.json", []byte(src))
		if err == nil {
			t.Errorf("loaded, want %q:\n%s", want, src)
			return
		}
		if picket.CodeOf(err) != picket.Invalid {
			t.Errorf("code %q", picket.CodeOf(err))
		}
		for i := range want {
			want[i] = "dir/p.json" + want[i]
		}
		if d := cmp.Diff(strings.Join(want, "\n"), err.Error()); d != "" {
			t.Errorf("error (-want +got):\n%s", d)
		}
	}
	// The file.
	f("", ":1: the file is empty; expected a workflow definition")
	f("{\n\"a\": 1,\n}", ":3: bad JSON: invalid character '}' looking for beginning of object key string")
	f("{\"a\": 1", ":1: bad JSON: the file ends in the middle of a value")
	f("{}\n{}", ":2: there is more text after the JSON object")
	f("{\"a\": 1,\n\"a\": 2}", ":2: the name \"a\" stands twice in one object")
	f("[1]", ":1: expected a workflow definition (an object), found an array")
	f("{\"$schema\": \"x\"}", ":1: expected a workflow definition with 'triggers' and 'actions', or an ARM template with a Microsoft.Logic/workflows resource")
	f("{\"resources\": [\n]}", ":1: expected one Microsoft.Logic/workflows resource in the ARM template, found 0")
	f("triggers:\n  - [", ":2: bad YAML: sequence end token ']' not found")
	f("triggers: &a {}\nactions: *a\n", ":1: anchors, aliases, tags and other special YAML are not supported; write the value out")
	f(strings.Repeat("[", 1000), ":1: nested deeper than 500 levels")

	// Parameters, trigger, outline.
	f(`{"parameters": {
"a": {"type": "Text"},
"b": {"type": "Int", "defaultValue": "x"}}, "triggers": {}, "actions": {},
"outputs": {"x": 1}, "staticResults": {}}`,
		":2: parameter 'a': the type must be String, SecureString, Int, Float, Bool, Array, Object or SecureObject, not 'Text'",
		":3: parameter 'b': the value must be an integer, not a string", ":3: expected exactly one trigger, found 0",
		":4: 'staticResults' is not supported in a workflow definition; expected parameters, triggers, actions or outputs",
		":4: workflow 'outputs' are not supported; leave them empty")
	f(`{"triggers": {"R": {"type": "Recurrence"}}, "actions": {}}`,
		":1: trigger 'R': type 'Recurrence' is not supported; expected ApiConnectionWebhook on azuresentinel with path /incident-creation")
	f(strings.Replace(def(""), "/incident-creation", "/subscribe", 1),
		":1: trigger 'T': /subscribe on connection azuresentinel is not supported; expected azuresentinel with path /incident-creation")

	// Actions.
	f(def(`"A": {"type": "Switch"}`), ":2: action 'A': type 'Switch' is not supported; there are ApiConnection, AppendToArrayVariable, AppendToStringVariable, Compose, Foreach, Http, If, IncrementVariable, InitializeVariable, Join, ParseJson, Query, Scope, Select, SetVariable, Terminate")
	f(def(`"A": {"type": "Compose"},
"a": {"type": "Compose", "inputs": 1}`), ":2: action 'A': required input 'inputs' is missing", ":3: action 'a': the name is taken by the action at line 2; names are unique in a playbook")
	f(def(`"A": {"type": "Compose", "inputs": 1, "correlation": {}}`), ":2: action 'A': 'correlation' is not supported")
	f(def(`"A": {"type": "Compose", "inputs": {"x":
"@foo(1)"}}`), ":3: action 'A': unknown function 'foo', in the expression @foo(1)")
	f(def(`"A": {"type": "Compose", "inputs": "@{length(1)}"}`), ":2: action 'A': argument 1 of length must be a string or an array, not an integer, in the expression @{length(1)}")
	f(def(`"A": {"type": "Http", "inputs": {"uri": "x", "retryPolicy": {"type": "fixed", "count": 91}, "authentication": {"type": "ActiveDirectoryOAuth"}, "cookie": "x"}, "limit": {"timeout": "30s"}}`),
		":2: action 'A': required input 'method' is missing", ":2: action 'A': input 'cookie' of Http is not supported",
		":2: action 'A': retryPolicy count must be an integer from 1 to 90", ":2: action 'A': retryPolicy needs an 'interval' such as PT10S",
		":2: action 'A': limit.timeout must be an ISO 8601 duration such as PT30S, not \"30s\"",
		":2: action 'A': authentication type 'ActiveDirectoryOAuth' is not supported; there are ManagedServiceIdentity, Basic and Raw")
	f(def(`"A": {"type": "ApiConnection", "inputs": {"method": "post", "path": "/v2/Mail", "host": {"connection": {"name": "@parameters('$connections')['office365_2']['connectionId']"}}}}`),
		":2: action 'A': operation POST /v2/Mail of connection office365 is not supported; azuresentinel has POST /entities/ip, POST /Incidents/Comment, PUT /Incidents")
	f(def(`"A": {"type": "ApiConnection", "inputs": {"method": "post", "path": "/entities/ip", "host": {"connection": {"name": "@concat('x')"}}}}`),
		":2: action 'A': expected host.connection.name as @parameters('$connections')['azuresentinel']['connectionId'], found \"@concat('x')\"")
	f(def(`"A": {"type": "ApiConnection", "inputs": {"method": "post", "path": "/entities/ip", `+host+`}}`), ":2: action 'A': required input 'body' is missing")
	f(def(`"A": {"type": "Foreach", "foreach": "@parameters('Ids')", "actions": {}, "runtimeConfiguration": {"concurrency": {"repetitions": 51}, "paginationPolicy": {}}}`),
		":2: action 'A': runtimeConfiguration 'paginationPolicy' is not supported", ":2: action 'A': 'repetitions' must be an integer from 1 to 50")
	f(def(`"A": {"type": "If", "expression": {"and": [{"matches": ["a", "b"]}]}, "actions": {}}`),
		":2: action 'A': unknown operator 'matches' in the condition; there are and, or, not, equals, greater, greaterOrEquals, less, lessOrEquals, contains, startsWith, endsWith and empty")
	f(def(`"A": {"type": "If", "expression": {"equals": [1]}, "actions": {}}`), ":2: action 'A': equals takes 2 arguments, not 1")
	f(def(`"A": {"type": "Query", "inputs": {"from": "@parameters('Ids')"}}`), ":2: action 'A': required input 'where' is missing")
	f(def(`"A": {"type": "ParseJson", "inputs": {"content": 1, "schema": "x"}}`), ":2: action 'A': 'schema' must be an object, not a string")
	f(def(`"A": {"type": "Terminate", "inputs": {"runStatus": "Ended"}}`), ":2: action 'A': runStatus must be Succeeded, Failed or Cancelled, not 'Ended'")

	// Order.
	f(def(`"A": {"type": "Compose", "inputs": 1, "runAfter": {"X": ["Succeeded"], "B": ["Done"], "S": []}},
"S": {"type": "Scope", "actions": {"B": {"type": "Compose", "inputs": 1}}}`),
		":2: action 'A': runAfter takes Succeeded, Failed, Skipped or TimedOut, not 'Done'", ":2: action 'A': runAfter of 'S' needs a list of statuses such as [\"Succeeded\"]",
		":2: action 'A': runAfter names 'X', which does not exist on this level", ":2: action 'A': runAfter names 'B', which stands on another level; only actions of the same level can be waited for")
	f(def(`"A": {"type": "Compose", "inputs": 1, "runAfter": {"B": ["Succeeded"]}},
"B": {"type": "Compose", "inputs": 1, "runAfter": {"A": ["Succeeded"]}}`), ":2: runAfter goes in a circle among A, B")

	// References.
	f(def(`"A": {"type": "Compose", "inputs": ["@body('X')", "@parameters('Y')", "@variables('z')", "@items('L')", "@item()", "@body(concat('A'))", "@listCallbackUrl()"]},
"L": {"type": "Foreach", "foreach": "@items('L')", "actions": {"In": {"type": "Compose", "inputs": "@outputs('A')"}}}`),
		":2: action 'A': body('X') names an action that does not exist", ":2: action 'A': parameter 'Y' is not declared in 'parameters'", ":2: action 'A': variable 'z' is not initialized anywhere",
		":2: action 'A': items('L') must name a loop around the action", ":2: action 'A': item() has no meaning outside a loop, Select or Query",
		":2: action 'A': body() takes a name in quotes, not an expression", ":2: action 'A': listCallbackUrl() belongs to the inputs of a trigger",
		":3: action 'In': outputs('A'): it must come before in 'runAfter' of 'L', directly or over others", ":3: action 'L': items('L') must name a loop around the action")
	f(def(`"L": {"type": "Foreach", "foreach": "@parameters('Ids')", "actions": {"In": {"type": "Compose", "inputs": 1}, "V": {"type": "InitializeVariable", "inputs": {"variables": [{"name": "v", "type": "string"}]}}, "End": {"type": "Terminate", "inputs": {"runStatus": "Failed"}}}},
"A": {"type": "Compose", "runAfter": {"L": ["Succeeded"]}, "inputs": ["@outputs('In')", "@result('A')", "@result('L')", "@outputs('A')"]},
"I": {"type": "IncrementVariable", "inputs": {"name": "v"}}`),
		":2: action 'End': Terminate cannot stand inside the loop 'L'", ":2: action 'V': a variable is initialized on the top level, not inside 'L'",
		":3: action 'A': outputs('In'): it has a result for every iteration of 'L'; collect them in an array variable, or use result('L')",
		":3: action 'A': result('A'): it has no result yet, because this action is it or a part of it", ":3: action 'A': outputs('A'): it has no result yet, because this action is it or a part of it",
		":4: action 'I': IncrementVariable does not fit variable 'v' of type string")
}

func TestLoadManyProblems(t *testing.T) {
	_, err := Load("p.json", []byte(def(`"A": {"type": "Compose", "inputs": [`+strings.TrimSuffix(strings.Repeat("\n\"@x()\",", 30), ",")+`]}`)))
	if lines := strings.Split(err.Error(), "\n"); len(lines) != 21 || lines[20] != "p.json: … and 10 more problems" {
		t.Errorf("%d lines:\n%s", len(lines), err)
	}
}

func TestLoadWrapped(t *testing.T) {
	bare := def(`"A": {"type": "Compose", "inputs": "x"}`)
	for name, src := range map[string]string{
		"bare": bare, "definition": `{"definition": ` + bare + `}`, "properties": `{"properties": {"definition": ` + bare + `}}`, "byte order mark": "\xef\xbb\xbf" + bare,
		"ARM": `{"$schema": "x", "parameters": {"PlaybookName": {"type": "string"}}, "resources": [{"type": "Microsoft.Web/connections"}, {"type": "Microsoft.Logic/workflows", "name": "[parameters('PlaybookName')]", "properties": {"state": "Enabled",
			"definition": ` + strings.Replace(bare, `"defaultValue": ""`, `"defaultValue": "[parameters('PlaybookName')]"`, 1) + `, "parameters": {"$connections": {"value": {"azuresentinel": {"id": "[concat('/subscriptions/x/managedApis/azuresentinel')]"}}}}}}]}`,
	} {
		p, err := Load("a/b/name.v1.json", []byte(src))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.Name != "name.v1" || len(p.root.actions) != 1 {
			t.Errorf("%s: name %q, %d actions", name, p.Name, len(p.root.actions))
		}
	}
	// In a template, [text] in an action would be filled in by the deployment.
	src := `{"resources": [{"type": "Microsoft.Logic/workflows", "properties": {"definition":
` + def(`"A": {"type": "Compose", "inputs": ["[[plain]", "[parameters('x')]"]}`) + `}}]}`
	_, err := Load("p.json", []byte(src))
	if want := `p.json:3: action 'A': the ARM expression "[parameters('x')]" is evaluated only when the template is deployed; write the value here`; err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// TestLoadConnectionNames: a connection is known by the API its value names,
// else by its own name without a number.
func TestLoadConnectionNames(t *testing.T) {
	for _, key := range []string{"azuresentinel", "azuresentinel_1", "AzureSentinel-2", "mine"} {
		src := `{"parameters": {"$connections": {"value": {"mine": {"id": "/subscriptions/s/providers/Microsoft.Web/locations/westeurope/managedApis/azuresentinel"}}}}, "definition": ` +
			strings.ReplaceAll(def(`"A": {"type": "ApiConnection", "inputs": {"method": "post", "path": "/entities/IP", "body": [], `+host+`}}`), "['azuresentinel']", "['"+key+"']") + `}`
		if _, err := Load("p.json", []byte(src)); err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestLoadYAML(t *testing.T) {
	p, err := Load("enrich.yaml", []byte(`
parameters:
  $connections: {type: Object, defaultValue: {}}
  N: {type: Int, defaultValue: 3}
triggers:
  T:
    type: ApiConnectionWebhook
    inputs:
      host: {connection: {name: "@parameters('$connections')['azuresentinel']['connectionId']"}}
      path: /incident-creation
actions:
  A:
    type: Compose
    inputs:
      text: "@{parameters('N')}"
      long: |
        one
        two
      list: [1, 2.5, true, null]
`))
	if err != nil {
		t.Fatal(err)
	}
	v, err := (&env{params: map[string]any{"N": int64(3)}}).value(p.actions["a"].spec.(*compose).value)
	if want := `{"list":[1,2.5,true,null],"long":"one\ntwo\n","text":"3"}`; err != nil || encodeJSON(v) != want {
		t.Errorf("%s (%v), want %s", encodeJSON(v), err, want)
	}
	_, err = Load("bad.yaml", []byte("triggers:\n  T: {type: Recurrence}\nactions:\n  A:\n    type: Compose\n    inputs: \"@nope()\"\n"))
	want := "bad.yaml:2: trigger 'T': type 'Recurrence' is not supported; expected ApiConnectionWebhook on azuresentinel with path /incident-creation\n" +
		"bad.yaml:6: action 'A': unknown function 'nope', in the expression @nope()"
	if err == nil || err.Error() != want {
		t.Errorf("error %v\nwant %s", err, want)
	}
}

func FuzzLoad(f *testing.F) {
	data, err := os.ReadFile(shipped)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(def(`"A": {"type": "If", "expression": {"not": {"equals": ["@parameters('Url')", 1]}}, "actions": {}, "else": {"actions": {}}}`)))
	f.Add([]byte("triggers:\n  T: {type: ApiConnectionWebhook}\nactions: {A: {type: Compose, inputs: 1}}\n"))
	f.Add([]byte("triggers:\n  T: {type: A, \"x\": [1, 2.5, ~]}\nactions:\n  A: |\n    x\n  B: >-\n   y\n  ? k\n  : v\n  - &a *a !!x <<: {a: b}\n"))
	f.Add([]byte(`{"resources":[{"type":"Microsoft.Logic/workflows","properties":{"definition":{"actions":{},"triggers":{}}}}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		start := time.Now()
		p, err := Load("p.json", data)
		if d := time.Since(start); d > 5*time.Second {
			t.Fatalf("loading %d bytes took %s", len(data), d)
		}
		if (p == nil) == (err == nil) {
			t.Fatalf("playbook %v and error %v", p, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "p.json") {
			t.Fatalf("an error without its file: %v", err)
		}
	})
}
