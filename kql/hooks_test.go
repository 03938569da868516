package kql

import (
	"errors"
	"slices"
	"strings"
	"testing"
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
