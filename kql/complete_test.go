package kql

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func completionCatalog() testCatalog {
	return testCatalog{
		"Syslog":     {Name: "Syslog", Columns: []Column{{"TimeGenerated", DateTime}, {"HostName", String}, {"SyslogMessage", String}, {"Tags", Dynamic}}},
		"SigninLogs": {Name: "SigninLogs", Columns: []Column{{"TimeGenerated", DateTime}, {"UserId", Guid}, {"IPAddress", String}, {"odd name", Long}, {"title", String}}},
	}
}

// TestComplete: what is offered at the cursor, ‸. A case lists what must be
// there; with ! before it, what must not; "=" alone asks for nothing else.
func TestComplete(t *testing.T) {
	cases := []struct{ src, want string }{
		// The beginning.
		{"‸", "Syslog SigninLogs let print range !HostName !where !strlen("},
		{"Sy‸", "Syslog ="},
		{"sy‸", "Syslog ="},
		{"let x = 5; S‸", "Syslog SigninLogs search set ="},
		{"let x = 5; ‸", "x Syslog let"},
		{"let f = (n:long) { Syslog | take n }; ‸", "f( Syslog"},
		{"let T = Syslog; T‸", "T toscalar( ="},
		{"Syslog; ‸", "SigninLogs"},
		{"let x = ‸", "Syslog ago( print range !let"},
		{"prin‸", "print ="},

		// Operators.
		{"Syslog | ‸", "where summarize project-away mv-expand join !print !range !HostName !strlen("},
		{"Syslog | proj‸", "project project-away project-keep project-rename project-reorder ="},
		{"Syslog | project-a‸", "project-away ="},
		{"Syslog | where HostName == 'x' | su‸", "summarize ="},
		{"Syslog | su‸ | take 5", "summarize ="},
		{"Syslog\n| where x\n| mv-e‸", "mv-expand ="},
		{"Syslog | mv-apply Tags on (su‸", "summarize ="},
		{"Syslog | wher x | tak‸", "take ="},

		// Columns, after each operator.
		{"Syslog | where ‸", "HostName Tags SyslogMessage strlen( isempty( !count( !IPAddress !Syslog !where"},
		{"Syslog | where Ho‸", "HostName hourofday( ="},
		{"Syslog | where HostName == ‸", "HostName strcat("},
		{"Syslog | where HostName == 'a' and Sy‸", "SyslogMessage ="},
		{"Syslog | where isempty(Sy‸)", "SyslogMessage ="},
		{"Syslog | where not(Hos‸", "HostName ="},
		{"Syslog | extend a = 1, bcd = 'x' | where bc‸", "bcd ="},
		{"Syslog | extend len = strlen(Ho‸", "HostName hourofday( ="},
		{"Syslog | project HostName, m = SyslogMessage | where ‸", "HostName m !Tags !SyslogMessage"},
		{"Syslog | project HostName, ‸", "HostName Tags"},
		{"Syslog | project ‸", "HostName Tags"},
		{"Syslog | project-away Ta‸", "Tags ="},
		{"Syslog | project-away Tags | project-away ‸", "HostName !Tags !strlen("},
		{"Syslog | project-rename h = HostName | where ‸", "h !HostName"},
		{"Syslog | project-reorder ‸", "HostName"},
		{"Syslog | summarize ‸", "count( dcount( by HostName !Syslog"},
		{"Syslog | summarize n = dc‸", "dcount( dcountif( dcount_hll( ="},
		{"Syslog | summarize dcount(Ho‸", "HostName hourofday( ="},
		{"Syslog | summarize dcount(‸", "HostName !count("},
		{"Syslog | summarize count() ‸", "by !HostName"},
		{"Syslog | summarize count() by ‸", "HostName bin( !count("},
		{"Syslog | summarize n = count(), make_set(HostName) by bin(TimeGenerated, 1h) | where ‸", "n set_HostName TimeGenerated !HostName"},
		{"Syslog | sort by ‸", "HostName"},
		{"Syslog | sort by HostName ‸", "asc desc nulls"},
		{"Syslog | sort by HostName desc ‸", "nulls !asc ="},
		{"Syslog | sort by HostName nulls ‸", "first last ="},
		{"Syslog | top 5 ‸", "by"},
		{"Syslog | top 5 by T‸", "Tags TimeGenerated true tan( tobool( !HostName"},
		{"Syslog | distinct Ho‸", "HostName hourofday( ="},
		{"Syslog | count | where ‸", "Count !HostName"},
		{"Syslog | getschema | where ‸", "ColumnName ColumnType !HostName"},
		{"Syslog | parse SyslogMessage with * 'for ' user:string ' from' * | where us‸", "user ="},
		{"Syslog | mv-expand t = Tags to typeof(‸", "!HostName"},
		{"Syslog | mv-expand t = Tags | where t‸", "t Tags !HostName"},
		{"Syslog | mv-apply t = Tags on (where ‸", "t HostName"},
		{"Syslog | make-series count() on TimeGenerated ‸", "from to step in"},
		{"Syslog | make-series ‸", "count( HostName"},
		{"Syslog | render ‸", "timechart piechart"},
		{"Syslog | evaluate ‸", "bag_unpack( pivot( autocluster("},
		{"Syslog | make-gr‸", "make-graph ="},
		{"Syslog | make-graph HostName --> Tags | graph-m‸", "graph-match graph-mark-components ="},
		{"Syslog | evaluate bag_unpack(‸", "Tags"},
		{"Syslog | partition by HostName (where ‸", "SyslogMessage"},
		{"Syslog | serialize r = row‸", "row_number( row_cumsum( row_window_session( !HostName"},

		// Two tables.
		{"Syslog | join ‸", "kind= hint.strategy= SigninLogs !strlen("},
		{"Syslog | join kind=‸", "inner leftouter leftanti !Syslog"},
		{"Syslog | join kind=left‸", "leftouter leftsemi leftanti ="},
		{"Syslog | join hint.st‸", "hint.strategy= ="},
		{"Syslog | join hint.strategy=‸", "broadcast shuffle ="},
		{"Syslog | join kind=inner (‸", "SigninLogs print !HostName"},
		{"Syslog | join kind=inner (SigninLogs | where ‸", "IPAddress UserId ['odd name'] ['title'] !HostName"},
		{"Syslog | join kind=inner (SigninLogs | where IPAddress == '1') ‸", "on where"},
		{"Syslog | join kind=inner (SigninLogs) on ‸", "TimeGenerated $left $right !HostName !IPAddress"},
		{"Syslog | join kind=inner (SigninLogs) on $‸", "$left $right ="},
		{"Syslog | join kind=inner (SigninLogs) on $left.‸", "HostName TimeGenerated !IPAddress !strlen("},
		{"Syslog | join kind=inner (SigninLogs) on $left.HostName == $right.‸", "IPAddress !HostName"},
		{"Syslog | join kind=inner (SigninLogs) on $left.HostName == $right.IP‸", "IPAddress ="},
		{"Syslog | join kind=inner (SigninLogs) on TimeGenerated | where ‸", "HostName IPAddress TimeGenerated1"},
		{"Syslog | lookup kind=‸", "leftouter inner ="},
		{"Syslog | union ‸", "SigninLogs kind= withsource= isfuzzy= !HostName"},
		{"union Syslog, Si‸", "SigninLogs ="},
		{"union withsource=src Syslog, SigninLogs | where ‸", "src HostName IPAddress"},
		{"Syslog | where HostName in (‸", "HostName SigninLogs"},
		{"Syslog | where HostName in ((SigninLogs | project ‸", "IPAddress !HostName"},
		{"search in (Sy‸", "Syslog ="},
		{"search in (Syslog) Ho‸", "HostName hourofday( ="},
		{"let n = toscalar(SigninLogs | summarize ‸", "count( IPAddress"},

		// Names of the query.
		{"let lim = 5; Syslog | take li‸", "lim ="},
		{"let hosts = Syslog | distinct HostName; SigninLogs | where IPAddress in (ho‸", "hosts hourofday( ="},
		{"let f = (s:string, T:(ip:string, n:long)) { T | where ‸", "ip n s !HostName"},
		{"let f = (s:string) { Syslog | where ‸ }; f('x')", "s HostName"},
		{"let f = (s:string) { let g = () { SigninLogs | where ‸", "s IPAddress !HostName"},
		{"let T = datatable(aa:long, ab:string)[1, 'x']; T | where a‸", "aa ab abs("},
		{"let f = () { Syslog | project z = HostName }; f() | where ‸", "z !HostName"},

		// Infix operators, and what takes no completion.
		{"Syslog | where HostName ‸", "has contains startswith in !has_any( !HostName"},
		{"Syslog | where HostName con‸", "contains contains_cs ="},
		{"Syslog | where HostName == 'ho‸", "="},
		{"Syslog | where HostName == \"ho‸\"", "="},
		{"Syslog // wh‸", "="},
		{"Syslog | take 5 // | wh‸", "="},
		{"Syslog | where a == datetime(20‸", "="},
		{"Syslog | extend ‸x = 1", "HostName"},
		{"Syslog | where isem‸(HostName)", "isempty ="},
		{"let x:‸", "="},
	}
	for _, c := range cases {
		at := strings.Index(c.src, "‸")
		src := strings.Replace(c.src, "‸", "", 1)
		var got []string
		for _, x := range Complete(src, at, completionCatalog(), Options{}) {
			got = append(got, x.Text)
			if x.Span.Start > at || x.Span.End < at || x.Span.End > len(src) {
				t.Errorf("%s: %q replaces %v", c.src, x.Text, x.Span)
			}
		}
		var all []string
		only := false
		for _, w := range strings.Fields(strings.ReplaceAll(c.want, "odd name", "odd·name")) {
			w = strings.ReplaceAll(w, "·", " ")
			switch no, isNo := strings.CutPrefix(w, "!"); {
			case w == "=":
				only = true
			case isNo && slices.Contains(got, no):
				t.Errorf("%s: %s is offered", c.src, no)
			case !isNo && !slices.Contains(got, w):
				t.Errorf("%s: %s is not offered in %q", c.src, w, got)
			}
			all = append(all, w)
		}
		for _, g := range got {
			if only && !slices.Contains(all, g) {
				t.Errorf("%s: %s is offered", c.src, g)
			}
		}
	}
}

// TestCompleteAnywhere completes at every place of a few queries: nothing
// crashes, and every completion begins with what was typed.
func TestCompleteAnywhere(t *testing.T) {
	for _, src := range []string{
		"let f = (n:long, T:(*)) { T | where x > n | summarize c = count() by bin(TimeGenerated, 1h) };\nf(5, Syslog) | join kind=inner (SigninLogs | project ['odd name']) on $left.c == $right.x // done\n| mv-apply Tags on (take 5) | render timechart with (title='é')",
		"union withsource=s Syslog, Sign* | where Tags.a['b'] in~ ('x', (Syslog | distinct HostName)) | sort by a granny-asc nulls first",
		"T | | where ( [ { ) ] } ; let | let x = ; 'abc",
	} {
		for i := range len(src) + 1 {
			for _, c := range Complete(src, i, completionCatalog(), Options{}) {
				typed := strings.ToLower(src[c.Span.Start:i])
				if !strings.Contains(strings.ToLower(c.Text), typed) {
					t.Fatalf("%q at %d: %q replaces %q", src, i, c.Text, typed)
				}
			}
		}
	}
}

// TestPluginNames: what completion offers are the plugins that evaluate has.
func TestPluginNames(t *testing.T) {
	src, err := os.ReadFile("op_evaluate.go")
	if err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(string(src), "switch name := op.Call.Func.Text")
	body, _, found := strings.Cut(body, "default:")
	if !found {
		t.Fatal("evaluate is no longer where this test looks for it")
	}
	var have []string
	for _, m := range regexp.MustCompile(`"([a-z0-9_]+)"`).FindAllStringSubmatch(body, -1) {
		have = append(have, m[1])
	}
	slices.Sort(have)
	if !slices.Equal(have, pluginNames[:]) {
		t.Errorf("evaluate has %q, completion offers %q", have, pluginNames)
	}
}
