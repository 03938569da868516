package kql

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"picket/kql/syntax"
)

// TestExternal: externaldata asks for what the query says, and reads only the
// table it is told.
func TestExternal(t *testing.T) {
	db, cat := openWorkspace(t)
	if _, err := db.Exec(`CREATE TABLE "feed" AS SELECT * FROM (VALUES ('203.0.113.7', 90::BIGINT), ('198.51.100.9', 10::BIGINT))`); err != nil {
		t.Fatal(err)
	}
	const src = `externaldata(ip:string, score:long)[@"https://feeds.example/bad.csv;sig=secret"] with (format="csv", ignoreFirstRecord=true) | where score > 50`
	var asked ExternalData
	opt := Options{External: func(d ExternalData) (string, error) { asked = d; return "feed", nil }}
	var ip string
	var score int64
	if err := db.QueryRow(compileFor(t, cat, src, opt).SQL).Scan(&ip, &score); err != nil || ip != "203.0.113.7" || score != 90 {
		t.Errorf("got %s, %d, %v", ip, score, err)
	}
	if !slices.Equal(asked.URIs, []string{"https://feeds.example/bad.csv"}) || asked.Props["format"] != "csv" || asked.Props["ignorefirstrecord"] != "true" ||
		!slices.Equal(asked.Columns, []Column{{"ip", String}, {"score", Long}}) {
		t.Errorf("asked for %+v", asked)
	}
	opt.External = func(ExternalData) (string, error) { return "", errors.New("feeds.example is not configured") }
	if _, err := Compile(src, cat, opt); err == nil || !strings.Contains(err.Error(), "not configured") {
		t.Errorf("a location that is not allowed: %v", err)
	}
	if _, err := Compile(src, cat, Options{}); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("without a hook: %v", err)
	}
	if _, err := Compile(`externaldata(a:string)[strcat("https://", tostring(now()))]`, cat, opt); err == nil {
		t.Error("a computed location is taken")
	}
}

// TestServiceFunctions: content that calls the service's functions can be checked.
func TestServiceFunctions(t *testing.T) {
	_, cat := openWorkspace(t)
	opt := Options{Functions: ServiceFunctions{}}
	q := compileFor(t, cat, `let bad = _GetWatchlist("bad") | project IP = tostring(Address), SearchKey; Syslog | extend IP = HostName | join kind=inner bad on IP | project SearchKey`, opt)
	if len(q.Columns) != 1 || q.Columns[0] != (Column{"SearchKey", String}) {
		t.Errorf("columns %v", q.Columns)
	}
	q = compileFor(t, cat, `Syslog | invoke FileProfile(HostName, 1000) | where GlobalPrevalence < 10 | project HostName, IsCertificateValid`, opt)
	if len(q.Columns) != 2 || q.Columns[1].Type != Bool {
		t.Errorf("columns %v", q.Columns)
	}
}

// TestTimestamp: Defender's name for TimeGenerated answers in its tables, as far
// as the column goes, and in no others.
func TestTimestamp(t *testing.T) {
	cat := testCatalog{}
	for _, n := range []string{"DeviceEvents", "DeviceInfo", "Syslog"} {
		cat[n] = &Table{Name: n, Columns: []Column{{"TimeGenerated", DateTime}, {"DeviceId", String}}}
	}
	for src, want := range map[string]string{
		"DeviceEvents | where Timestamp > ago(1d) | project Timestamp, DeviceId":                    "Timestamp DeviceId",
		"DeviceEvents | summarize max(Timestamp) by bin(Timestamp, 1h)":                             "Timestamp max_Timestamp",
		"DeviceEvents | extend x = 1 | join kind=inner DeviceInfo on DeviceId | project Timestamp1": "Timestamp1",
		"union DeviceEvents, DeviceInfo | summarize arg_max(Timestamp, *) by DeviceId":              "DeviceId Timestamp TimeGenerated",
		"DeviceEvents | mv-apply e = dynamic([1]) on (project e) | distinct Timestamp":              "Timestamp",
		"DeviceEvents | extend Timestamp = now() | project-away TimeGenerated | sort by Timestamp":  "DeviceId Timestamp",
	} {
		q, err := Compile(src, cat, Options{})
		if err != nil {
			t.Errorf("%s: %v", src, err)
			continue
		}
		var names []string
		for _, c := range q.Columns {
			names = append(names, c.Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: columns %s, want %s", src, got, want)
		}
	}
	for _, src := range []string{"Syslog | project Timestamp", "DeviceEvents | project DeviceId | project Timestamp"} {
		if _, err := Compile(src, cat, Options{}); err == nil {
			t.Errorf("%s compiles", src)
		}
	}
}

// What is wrong inside a function of the workspace is told at its call, with the
// place in the function.
func TestFunctionProblems(t *testing.T) {
	_, cat := openWorkspace(t)
	opt := Options{Functions: testFunctions{}}
	for src, want := range map[string]string{
		"Itself(1)":                  "function Itself calls itself",
		"print 1 | union (Wrong(1))": `in function Wrong, line 2, column 11: there is no column named "y"`,
		"Outer":                      `in function Outer, line 1, column 2: in function Wrong, line 2, column 11`,
		"broken(1)":                  "in function broken, line 1, column",
		"Refused('x')":               `there is no watchlist "x"`,
		"Twice(nothing)":             `there is no table named "nothing"`,
	} {
		_, err := Compile(src, cat, opt)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", src, err, want)
		}
		var d syntax.Diagnostics
		if errors.As(err, &d) && d[0].Span.End > len(src) {
			t.Errorf("%s: the place %v is not in the query", src, d[0].Span)
		}
	}
	compileFor(t, cat, "print Twice(Twice(1)), Twice(2)", opt)
}

// Other workspaces' tables are not taken for this one's, unless Elsewhere says so.
func TestElsewhere(t *testing.T) {
	_, cat := openWorkspace(t)
	opt := Options{Elsewhere: func(kind, name string) error {
		if name == "mine" {
			return nil
		}
		return errors.New(kind + " " + name + " is not here")
	}}
	for src, want := range map[string]string{
		`workspace("mine").Syslog | union database("mine").Syslog`:                  "",
		`workspace("other").Syslog`:                                                 "workspace other is not here",
		`union Syslog, workspace("other").Syslog`:                                   "workspace other is not here",
		`cluster("far").database("mine").Syslog`:                                    "cluster far is not here",
		`cluster("mine").database("db").Syslog | join Syslog on HostName`:           "database db is not here",
		`let w = "other"; Syslog | join (app(w).Syslog) on HostName`:                "app other is not here",
		`Syslog | where HostName in (workspace("other").Syslog | project HostName)`: "workspace other is not here",
	} {
		_, err := Compile(src, cat, opt)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", src, err, want)
		}
	}
}
