package collection

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"picket/kql"
	"picket/workspace"
)

const good = `
streamDeclarations:
  Custom-A:
    columns: [{name: at, type: datetime}, {name: x, type: string}, {name: n, type: long}]
dataSources:
  syslog: [{name: s, streams: [Microsoft-Syslog], facilityNames: [auth, authpriv], logLevels: ["*"]}]
  logFiles: [{name: f, streams: [Custom-A], filePatterns: [/var/log/app/*.log], format: text}]
dataFlows:
  - {streams: [Microsoft-Syslog], destinations: [here]}
  - {streams: [Custom-A], transformKql: "source | project TimeGenerated = at, x", outputStream: Custom-A_CL}
  - {streams: [Custom-A], transformKql: source, outputStream: Custom-B_CL}
`

func openWorkspace(t *testing.T) *workspace.DB {
	t.Helper()
	ws, err := workspace.Open("", workspace.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.Close() })
	return ws
}

func TestLoad(t *testing.T) {
	ws := openWorkspace(t)
	rules, tables, err := Load(fstest.MapFS{"dcr/host.yaml": {Data: []byte(good)}, "dcr/notes.txt": {}}, "dcr", ws)
	if err != nil || len(rules) != 1 {
		t.Fatal(rules, err)
	}
	r := rules[0]
	if !immutableID.MatchString(r.ID) || r.Name != "host" || len(r.Streams) != 2 || len(r.Streams["Custom-A"].Flows) != 2 {
		t.Errorf("%+v", r)
	}
	if r.Streams["Custom-A"].Flows[1] != (Flow{Table: "B_CL"}) {
		t.Errorf("flow %+v", r.Streams["Custom-A"].Flows[1])
	}
	if r.Sources.Syslog[0].Facilities[1] != "authpriv" || r.Sources.LogFiles[0].Patterns[0] != "/var/log/app/*.log" {
		t.Errorf("sources %+v %+v", r.Sources.Syslog, r.Sources.LogFiles)
	}
	col := func(name string, t kql.Type) kql.Column { return kql.Column{Name: name, Type: t} }
	std := []kql.Column{col("TenantId", kql.String), col("TimeGenerated", kql.DateTime), col("Type", kql.String)}
	var custom []kql.Table
	for _, t := range tables {
		if strings.HasSuffix(t.Name, "_CL") {
			custom = append(custom, t)
		}
	}
	want := []kql.Table{{Name: "A_CL", Columns: append(std[:3:3], col("x", kql.String))},
		{Name: "B_CL", Columns: append(std[:3:3], col("at", kql.DateTime), col("x", kql.String), col("n", kql.Long))}}
	if !reflect.DeepEqual(custom, want) {
		t.Errorf("tables %v\nwant %v", custom, want)
	}
	again, _, err := Load(fstest.MapFS{"dcr/host.yaml": {Data: []byte(good)}}, "dcr", ws)
	if err != nil || again[0].ID != r.ID {
		t.Errorf("another id at the next start: %v %v", again, err)
	}
	if none, _, err := Load(fstest.MapFS{}, "dcr", ws); none != nil || err != nil {
		t.Errorf("no folder: %v %v", none, err)
	}
}

// A rule makes tables under Azure's names, so that content for them finds them.
func TestLoadAzureTable(t *testing.T) {
	ws := openWorkspace(t)
	text := strings.Replace(good, "Custom-B_CL", "Microsoft-SecurityEvent", 1)
	rules, tables, err := Load(fstest.MapFS{"win.yaml": {Data: []byte(text)}}, ".", ws)
	if err != nil {
		t.Fatal(err)
	}
	in, err := New(t.Context(), ws, rules, tables, Options{Fixed: workspace.Builtin})
	if err != nil {
		t.Fatal(err)
	}
	call := Call{Records: []Record{{"at": []byte(`"2024-01-02T03:04:05Z"`), "x": []byte(`"4625"`), "n": []byte("7"), "more": []byte("1")}}}
	for _, to := range [][2]string{{rules[0].ID, "Custom-A"}, {BuiltinID(ws.ID()), "Microsoft-SecurityEvent"}} {
		if err := in.Upload(t.Context(), to[0], to[1], call); err != nil {
			t.Errorf("%s: %v", to[1], err)
		}
	}
	res, err := ws.Query(t.Context(), "SecurityEvent | where x == '4625' and n == 7 and Type == 'SecurityEvent' | count", kql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for row, err := range res.Rows() {
		if err != nil || row[0] != int64(2) {
			t.Error(row, err)
		}
	}
	var unknown *StreamError
	if err := in.Upload(t.Context(), BuiltinID(ws.ID()), "Microsoft-SigninLogs", call); !errors.As(err, &unknown) {
		t.Errorf("a table that no rule has made: %v", err)
	}
}

// Of the built-in tables with Azure's names each is either written by Picket alone
// or has the columns it has.
func TestBuiltinTables(t *testing.T) {
	for _, name := range openWorkspace(t).Tables() {
		if !strings.HasSuffix(name, "_CL") && ownTable(name) == fixedTable(name) {
			t.Errorf("%s: own %v, fixed %v", name, ownTable(name), fixedTable(name))
		}
	}
}

// Each mistake is told with its place and what is wanted.
func TestLoadProblems(t *testing.T) {
	ws := openWorkspace(t)
	for from, to := range map[string][2]string{
		"type: long":                       {"type: decimal", `host.yaml:4:84: Custom-A: column n: found the type "decimal"; want string`},
		"name: n":                          {"name: a-b", `found the column name "a-b"`},
		"name: n,":                         {"name: x,", "column x is there twice"},
		"project TimeGenerated = at, x":    {"project TimeGenerated = att, x", "att"},
		"source | project":                 {"source | take 1 | project", "take or sample looks at several records"},
		"outputStream: Custom-A_CL":        {"outputStream: A_CL", `found the output "A_CL"; want Custom-`},
		"Custom-B_CL}":                     {"Microsoft-Usage}", `found the output "Microsoft-Usage"; want`},
		"project TimeGenerated = at, x\"":  {"project TimeGenerated = x\"", "the column TimeGenerated of table A_CL is a datetime"},
		"{streams: [Microsoft-Syslog], de": {"{streams: [Microsoft-Sislog], de", "the stream Microsoft-Sislog is not declared"},
		"transformKql:":                    {"transformKQL:", `unknown field "transformKQL"`},
		"dataFlows:":                       {"description:", "dataFlows: there is none"},
		"\nstreamDeclarations:":            {"\nimmutableId: dcr-1\nstreamDeclarations:", `found "dcr-1"; want dcr- and 32`},
		"source, outputStream: Custom-B_CL": {"source | extend d = 1d, outputStream: Custom-B_CL",
			"the column d is a timespan, which no table holds"},
		"source, outputStream: Custom-B_CL}": {"source, outputStream: Microsoft-Syslog}", "table Syslog has no column at; leave it out with project-away, or end its name in _CF"},
	} {
		text := strings.Replace(good, from, to[0], 1)
		if text == good {
			t.Fatalf("%q is not in the rule", from)
		}
		rules, _, err := Load(fstest.MapFS{"host.yaml": {Data: []byte(text)}, "ok.yaml": {Data: []byte(good)}}, ".", ws)
		if err == nil || !strings.Contains(err.Error(), to[1]) || !strings.Contains(err.Error(), "host.yaml") {
			t.Errorf("%s: %v\nwant %s", to[0], err, to[1])
		}
		if len(rules) != 1 || rules[0].Name != "ok" {
			t.Errorf("%s: the other rule is not loaded: %v", to[0], rules)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(good)
	f.Add(`{"properties":{"dataFlows":[{"streams":["Custom-A_CL"]}]}}`)
	ws, err := workspace.Open("", workspace.Options{})
	if err != nil {
		f.Fatal(err)
	}
	defer ws.Close()
	f.Fuzz(func(t *testing.T, text string) {
		rules, _, err := Load(fstest.MapFS{"a.yaml": {Data: []byte(text)}}, ".", ws)
		if (err == nil) != (len(rules) == 1) {
			t.Errorf("%d rules, error %v", len(rules), err)
		}
	})
}
