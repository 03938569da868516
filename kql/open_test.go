package kql

import (
	"strings"
	"testing"
)

// TestOpen checks content whose tables, columns and functions are not all
// declared: what may be there is a warning, what cannot be right an error.
func TestOpen(t *testing.T) {
	cat := testCatalog{"Declared": {Name: "Declared", Hidden: true, Columns: []Column{
		{"TimeGenerated", DateTime}, {"UserName", String}, {"Count", Long}, {"Data", Dynamic}}}}
	for _, c := range []struct{ query, columns, warnings, err string }{
		{"Declared | project UserName", "UserName:string", "", ""},
		{"Declared | project Username", "Username:unknown", `1:20: table Declared has no column named "Username" (did you mean UserName?)`, ""},
		{"declared | where X == 1 and Y has 'a' and T > ago(1d) | summarize n = count(), max(T), arg_max(T, U) by X", "X:unknown, n:long, max_T:unknown, T:unknown, U:unknown",
			"1:1: table declared is not declared: its columns are taken as they are named (did you mean Declared?)", ""},
		{"A | extend s = tolower(X), n = strlen(Y) + 1, b = Z > 3, d = Data_s.a | project s, n, b, d, X", "s:string, n:long, b:bool, d:unknown, X:unknown", "1:1: table A is not declared", ""},
		{"A | join kind=inner (Declared) on $left.Who == $right.UserName | project Who, UserName, More", "Who:unknown, UserName:string, More:unknown", "1:1: table A is not declared", ""},
		{"Declared | join kind=leftouter (B | project Key) on $left.UserName == $right.Key, Other | project Key", "",
			`1:83: table Declared has no column named "Other"`, `the right side of the join has no column named "Other"`},
		{"union isfuzzy=true Declared, Missing | where Added == 'x' | project Added, UserName", "Added:unknown, UserName:string", "1:30: table Missing is not declared", ""},
		{"union withsource=T Nothing_* | where T == 'a' | distinct T, X", "T:string, X:unknown", "1:20: no table that is declared fits Nothing_*", ""},
		{"_Im_Dns(starttime=ago(1d)) | where SrcIpAddr == '1.2.3.4' | distinct SrcIpAddr", "SrcIpAddr:unknown", "1:1: function _Im_Dns() is not declared", ""},
		{"Declared | invoke Enrich(UserName, 3) | project Risk", "Risk:unknown", "1:19: function Enrich() is not declared", ""},
		{"let L = Names(); Declared | where UserName in (L) and Score(UserName) > 3", "TimeGenerated:datetime, UserName:string, Count:long, Data:dynamic",
			"1:9: function Names() is not declared\n1:55: function Score() is not declared", ""},
		{"Declared | mv-apply x = Things on (where x.a == Extra) | project-away Gone | project-rename New = Old | project New", "New:unknown",
			`1:25: table Declared has no column named "Things"`, ""},
		{"find in (Declared, Declared) where Nowhere == 1", "source_:string, TimeGenerated:datetime, UserName:string, Count:long, Data:dynamic", "", ""},
		{"let f = (a:long) { a + 1 };", "", "1:1: the query has no result", ""},
		{"A | summarize count() by X | where Y > 1", "", "1:1: table A is not declared", `there is no column named "Y"`},
		{"Declared | project UserName | where Count > 1", "", "", `there is no column named "Count"`},
		{"Declared | where UserName > 3", "", "", "cannot compare string with long"},
		{"A | where strlen(X, 1) > 3", "", "", "strlen() takes 1 argument, not 2"},
		{"A | where datetime_add(X, Y) > 3", "", "", "datetime_add() takes 3 arguments"},
	} {
		q, err := Compile(c.query, cat, Options{Now: testNow, Functions: ServiceFunctions{}, Open: true})
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: error %v, want %q", c.query, err, c.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.query, err)
			continue
		}
		var cols []string
		for _, k := range q.Columns {
			cols = append(cols, k.Name+":"+k.Type.String())
		}
		if got := strings.Join(cols, ", "); got != c.columns {
			t.Errorf("%s: columns %s, want %s", c.query, got, c.columns)
		}
		if (q.SQL == "") != (len(q.Warnings) > 0) {
			t.Errorf("%s: %d warnings and SQL %q", c.query, len(q.Warnings), q.SQL)
		}
		var lines []string
		for _, w := range q.Warnings {
			lines = append(lines, w.Line(c.query))
		}
		want := strings.Split(c.warnings, "\n")
		for i, w := range want {
			if w != "" && (i >= len(lines) || !strings.HasPrefix(lines[i], w)) || w == "" && len(lines) > 0 {
				t.Errorf("%s: warnings %q, want %q", c.query, lines, want)
				break
			}
		}
		if _, err := Compile(c.query, cat, Options{Now: testNow, Functions: ServiceFunctions{}}); (err == nil) != (c.warnings == "") {
			t.Errorf("%s: without Open the error is %v", c.query, err)
		}
	}
}
