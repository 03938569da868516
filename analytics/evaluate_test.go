package analytics

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"picket"
	"picket/kql"
)

var slot = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// answer is a query that returns these rows whatever it is asked.
func answer(columns []kql.Column, rows ...[]any) Query {
	return func(context.Context, string, Window) (*Result, error) {
		return &Result{columns, func(yield func([]any, error) bool) {
			for _, r := range rows {
				if !yield(r, nil) {
					return
				}
			}
		}, func() string { return "" }}, nil
	}
}

func strs(names ...string) []kql.Column {
	var c []kql.Column
	for _, n := range names {
		c = append(c, kql.Column{Name: n, Type: kql.String})
	}
	return c
}

func ticks(t time.Time) int64 { return kql.TicksOf(t) }

func evaluate(t *testing.T, r *Rule, q Query) ([]picket.Alert, Stats) {
	t.Helper()
	alerts, stats, err := Evaluate(t.Context(), r, slot, 15*time.Second, q)
	if err != nil {
		t.Fatal(err)
	}
	stats.Duration = 0
	return alerts, stats
}

func ip(a string) picket.Entity {
	return picket.Entity{Kind: "IP", Properties: map[string]string{"Address": a}}
}

func testRule() *Rule {
	return &Rule{ID: "7c3b1a52-1d8c-4a55-9f55-0c3a3f0d8a10", Name: "Failed logins", Severity: picket.Medium, Query: "Syslog",
		Frequency: 10 * time.Minute, Period: 10 * time.Minute, Operator: GreaterThan,
		Entities: []EntityMapping{{Type: "IP", Fields: []FieldMapping{{"Address", "IP"}}}},
		Incident: picket.Grouping{CreateIncident: true}}
}

func TestEvaluateEntities(t *testing.T) {
	r := testRule()
	r.Entities = append(r.Entities, EntityMapping{Type: "Host", Fields: []FieldMapping{{"HostName", "Host"}, {"DnsDomain", "Domain"}}})
	alerts, stats := evaluate(t, r, answer(strs("IP", "Host", "Domain", "AccountCustomEntity"),
		[]any{"203.0.113.7", "web1", "", "root"},
		[]any{" ::ffff:203.0.113.7 ", "web1", "example.org", "root"}, // the same address, another host
		[]any{"not an address", "web1", "", ""},
		[]any{"2001:DB8:0::1", nil, nil, nil},
		[]any{"999.1.1.1", "", "", ""},
		[]any{"", "", "", ""}, // no value is not an invalid one
	))
	if len(alerts) != 1 {
		t.Fatalf("%d alerts, want 1", len(alerts))
	}
	want := []picket.Entity{
		ip("203.0.113.7"),
		{Kind: "Host", Properties: map[string]string{"HostName": "web1"}},
		{Kind: "Account", Properties: map[string]string{"FullName": "root"}},
		{Kind: "Host", Properties: map[string]string{"HostName": "web1", "DnsDomain": "example.org"}},
		ip("2001:db8::1"),
	}
	if d := cmp.Diff(want, alerts[0].Entities); d != "" {
		t.Error(d)
	}
	from, to := slot.Add(-15*time.Second-10*time.Minute), slot.Add(-15*time.Second)
	if d := cmp.Diff(Stats{Rows: 6, InvalidAddresses: 2, From: from, To: to}, stats); d != "" {
		t.Error(d)
	}
	if a := alerts[0]; a.Rows != 6 || !a.Start.Equal(from) || !a.End.Equal(to) || a.RuleName != r.Name || a.Severity != picket.Medium {
		t.Errorf("alert %+v", a)
	}
}

// A column that the rule maps itself is not mapped a second time the old way.
func TestEvaluateOldColumnMapped(t *testing.T) {
	r := testRule()
	r.Entities = []EntityMapping{{Type: "Account", Fields: []FieldMapping{{"Name", "AccountCustomEntity"}}}}
	alerts, _ := evaluate(t, r, answer(strs("AccountCustomEntity", "IPCustomEntity"), []any{"root", "192.0.2.1"}))
	want := []picket.Entity{{Kind: "Account", Properties: map[string]string{"Name": "root"}}, ip("192.0.2.1")}
	if d := cmp.Diff(want, alerts[0].Entities); d != "" {
		t.Error(d)
	}
}

func TestEvaluateThreshold(t *testing.T) {
	rows := func(n int) Query {
		var all [][]any
		for range n {
			all = append(all, []any{"192.0.2.1"})
		}
		return answer(strs("IP"), all...)
	}
	for _, c := range []struct {
		op              Operator
		threshold, rows int
		want            bool
	}{
		{GreaterThan, 0, 0, false}, {GreaterThan, 0, 1, true}, {GreaterThan, 3, 3, false}, {LessThan, 1, 0, true}, {LessThan, 1, 1, false},
		{EqualTo, 2, 2, true}, {EqualTo, 2, 1, false}, {NotEqualTo, 2, 2, false}, {NotEqualTo, 2, 0, true},
	} {
		r := testRule()
		r.Operator, r.Threshold = c.op, c.threshold
		alerts, _ := evaluate(t, r, rows(c.rows))
		if (len(alerts) == 1) != c.want {
			t.Errorf("%d rows %s %d: %d alerts, want %v", c.rows, c.op, c.threshold, len(alerts), c.want)
		}
	}
}

func TestEvaluateAlertPerResult(t *testing.T) {
	r := testRule()
	r.PerResult = true
	var rows [][]any
	for i := range 200 {
		rows = append(rows, []any{fmt.Sprintf("192.0.2.%d", i)})
	}
	alerts, stats := evaluate(t, r, answer(strs("IP"), rows...))
	if len(alerts) != 150 || stats.Rows != 200 {
		t.Fatalf("%d alerts of %d rows, want 150 of 200", len(alerts), stats.Rows)
	}
	ids := map[string]bool{}
	for i, a := range alerts {
		ids[a.ID] = true
		if want := map[bool]int{true: 51, false: 1}[i == 149]; a.Rows != want || len(a.Entities) != want {
			t.Errorf("alert %d stands for %d rows and %d entities, want %d", i, a.Rows, len(a.Entities), want)
		}
	}
	if len(ids) != 150 {
		t.Errorf("%d different IDs", len(ids))
	}
	again, _ := evaluate(t, r, answer(strs("IP"), rows...))
	if d := cmp.Diff(alerts, again); d != "" {
		t.Error("a second evaluation of the slot differs:", d)
	}
	later, _, _ := Evaluate(t.Context(), r, slot.Add(time.Minute), 0, answer(strs("IP"), rows...))
	if later[0].ID == alerts[0].ID {
		t.Error("another slot has the same alert")
	}
}

func TestEvaluateTimes(t *testing.T) {
	first, last := slot.Add(-9*time.Minute), slot.Add(-time.Minute)
	f := func(columns []kql.Column, start, end time.Time, rows ...[]any) {
		t.Helper()
		alerts, _ := evaluate(t, testRule(), answer(columns, rows...))
		if a := alerts[0]; !a.Start.Equal(start) || !a.End.Equal(end) {
			t.Errorf("%v to %v, want %v to %v", a.Start, a.End, start, end)
		}
	}
	dt := func(names ...string) []kql.Column {
		c := strs(names...)
		for i := range c {
			c[i].Type = kql.DateTime
		}
		return c
	}
	from, to := slot.Add(-10*time.Minute-15*time.Second), slot.Add(-15*time.Second)
	f(dt("TimeGenerated", "StartTime", "EndTime"), first, last, []any{ticks(last), nil, nil}, []any{ticks(first), nil, nil}, []any{nil, nil, nil})
	f(dt("StartTime", "EndTime"), first, last, []any{ticks(first), ticks(first)}, []any{ticks(last), ticks(last)})
	f(dt("StartTime"), from, to, []any{ticks(first)})
	f(strs("TimeGenerated"), from, to, []any{"2026-01-01"})
}

func TestEvaluateDetails(t *testing.T) {
	r := testRule()
	r.Details = []CustomDetail{{"User", "User"}, {"Count", "Count"}, {"Nothing", "Gone"}}
	r.Override = Override{Name: "Logins of {{User}} ({{ Count }})", Description: "at {{When}}", SeverityColumn: "Sev", TacticsColumn: "Tactic",
		Properties: []DynamicProperty{{"AlertLink", "Link"}, {"Techniques", "Tech"}, {"RemediationSteps", "Gone"}}}
	columns := append(strs("User", "Sev", "Tactic", "Link", "Tech"), kql.Column{Name: "Count", Type: kql.Long}, kql.Column{Name: "When", Type: kql.DateTime})
	alerts, _ := evaluate(t, r, answer(columns,
		[]any{"root", "high", `["Credential Access","nonsense"]`, "https://example.org", "T1110, T1078", int64(3), ticks(slot)},
		[]any{"admin", "Low", "", "", "", int64(3), nil},
		[]any{"root", "", "", "", "", nil, nil}))
	want := picket.Alert{Name: "Logins of root (3)", Description: "at 2026-03-01T12:00:00.0000000Z", Severity: picket.High,
		Tactics: []string{"CredentialAccess"}, Techniques: []string{"T1110", "T1078"},
		Custom:     map[string][]string{"User": {"root", "admin"}, "Count": {"3"}},
		Properties: map[string]string{"AlertLink": "https://example.org"}, RuleName: "Failed logins", RuleID: r.ID, Rows: 3}
	ignore := cmpopts.IgnoreFields(picket.Alert{}, "ID", "Start", "End", "Time", "Query", "QueryStart", "QueryEnd", "Grouping")
	if d := cmp.Diff(want, alerts[0], ignore); d != "" {
		t.Error(d)
	}
}
