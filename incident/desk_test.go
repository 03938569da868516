package incident

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
	"picket/state"
	"picket/workspace"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// rig is a desk on real stores, which it can close and open again.
type rig struct {
	t      *testing.T
	dir    string
	now    time.Time
	ws     *workspace.DB
	st     *state.DB
	d      *Desk
	runs   []playbookRun
	refuse map[string]error // of playbooks
	append func() error     // fault before an append
}

type playbookRun struct {
	Playbook, RunID string
	Trigger         json.RawMessage
}

func newRig(t *testing.T) *rig {
	r := &rig{t: t, dir: t.TempDir(), now: noon, refuse: map[string]error{}}
	r.open()
	t.Cleanup(r.close)
	return r
}

func (r *rig) open() {
	r.t.Helper()
	var err error
	if r.ws, err = workspace.Open(filepath.Join(r.dir, "logs.duckdb"), workspace.Options{}); err != nil {
		r.t.Fatal(err)
	}
	if r.st, err = state.Open(r.t.Context(), state.Options{Path: filepath.Join(r.dir, "state.db")}); err != nil {
		r.t.Fatal(err)
	}
	r.d = New(r.st, Options{
		Now: func() time.Time { return r.now },
		Append: func(ctx context.Context, b picket.Batch) error {
			if r.append != nil {
				if err := r.append(); err != nil {
					return err
				}
			}
			return r.ws.Append(ctx, b)
		},
		RunPlaybook: func(_ context.Context, _ *sql.Tx, playbook, runID string, trigger json.RawMessage) error {
			if err := r.refuse[playbook]; err != nil {
				return err
			}
			r.runs = append(r.runs, playbookRun{playbook, runID, trigger})
			return nil
		},
	})
}

func (r *rig) close() {
	if r.st != nil {
		r.st.Close(context.Background())
		r.ws.Close()
		r.st = nil
	}
}

func (r *rig) raise(alerts ...picket.Alert) {
	r.t.Helper()
	if err := r.st.Tx(r.t.Context(), func(tx *sql.Tx) error { return r.d.Raise(r.t.Context(), tx, alerts) }); err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) list() []picket.Incident {
	r.t.Helper()
	list, err := r.d.List(r.t.Context(), state.IncidentFilter{Limit: 1000})
	if err != nil {
		r.t.Fatal(err)
	}
	return list
}

func (r *rig) only() picket.Incident {
	r.t.Helper()
	list := r.list()
	if len(list) != 1 {
		r.t.Fatalf("%d incidents, want 1", len(list))
	}
	return list[0]
}

func (r *rig) query(query string) [][]any {
	r.t.Helper()
	if err := r.d.Publish(r.t.Context()); err != nil {
		r.t.Fatal(err)
	}
	res, err := r.ws.Query(r.t.Context(), query, workspace.Window(time.Time{}, time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)))
	if err != nil {
		r.t.Fatalf("%s: %v", query, err)
	}
	rows, err := res.Collect()
	if err != nil {
		r.t.Fatal(err)
	}
	return rows
}

// alert makes an alert about these addresses.
func alert(id string, ips ...string) picket.Alert {
	a := picket.Alert{ID: "alert-" + id, RuleID: "11111111-1111-1111-1111-111111111111", RuleName: "Failed logins", Name: "Failed logins", Description: "d",
		Severity: picket.Medium, Tactics: []string{"CredentialAccess"}, Techniques: []string{"T1110"}, Start: noon.Add(-10 * time.Minute), End: noon,
		Time: noon, Rows: len(ips), Grouping: picket.Grouping{CreateIncident: true}}
	for _, ip := range ips {
		a.Entities = append(a.Entities, picket.Entity{Kind: "IP", Properties: map[string]string{"Address": ip}})
	}
	return a
}

func grouped(a picket.Alert, method string, entities ...string) picket.Alert {
	a.Grouping = picket.Grouping{CreateIncident: true, Enabled: true, Lookback: 5 * time.Hour, MatchingMethod: method, GroupByEntities: entities}
	return a
}

func (r *rig) load(text string) {
	r.t.Helper()
	rules, err := Load("a.json", []byte(text))
	if err != nil {
		r.t.Fatal(err)
	}
	r.d.SetRules(rules)
}

func TestRaiseOneIncident(t *testing.T) {
	r := newRig(t)
	a := alert("1", "203.0.113.7", "203.0.113.8")
	r.raise(a)
	r.raise(a) // again: nothing
	none := alert("2", "203.0.113.9")
	none.Grouping.CreateIncident = false
	r.raise(none)
	in := r.only()
	if in.Number != 1 || in.Title != "Failed logins" || in.Severity != picket.Medium || in.Status != "New" || in.Revision != 1 ||
		len(in.Entities) != 2 || !in.Created.Equal(noon) || !in.FirstActivity.Equal(a.Start) || !in.LastActivity.Equal(a.End) {
		t.Errorf("%+v", in)
	}
	if d := cmp.Diff(a, in.Alerts[0]); d != "" {
		t.Error(d)
	}
	if got, err := r.d.ByNumber(t.Context(), 1); err != nil || got.ID != in.ID {
		t.Error(got, err)
	}
	if _, err := r.d.ByNumber(t.Context(), 2); picket.CodeOf(err) != picket.NotFound {
		t.Error(err)
	}
	if _, err := r.d.Get(t.Context(), "x"); picket.CodeOf(err) != picket.NotFound {
		t.Error(err)
	}
}

// A transaction that is rolled back takes its incident along: no gap in the numbers.
func TestNumbersWithoutGaps(t *testing.T) {
	r := newRig(t)
	r.raise(alert("1"))
	boom := errors.New("boom")
	err := r.st.Tx(t.Context(), func(tx *sql.Tx) error {
		if err := r.d.Raise(t.Context(), tx, []picket.Alert{alert("2")}); err != nil {
			t.Fatal(err)
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatal(err)
	}
	r.close()
	r.open()
	r.raise(alert("3"), alert("4"))
	var numbers []int64
	for _, in := range r.list() {
		numbers = append(numbers, in.Number)
	}
	if d := cmp.Diff([]int64{3, 2, 1}, numbers); d != "" {
		t.Error(d)
	}
	page, err := r.d.List(t.Context(), state.IncidentFilter{Before: 3, Limit: 1})
	if err != nil || len(page) != 1 || page[0].Number != 2 {
		t.Errorf("page %v %v", page, err)
	}
}

func TestGrouping(t *testing.T) {
	f := func(name string, want []int, alerts ...picket.Alert) { // want: alerts of each incident, by number
		t.Helper()
		r := newRig(t)
		for _, a := range alerts {
			r.raise(a)
		}
		var got []int
		for _, in := range slices.Backward(r.list()) {
			got = append(got, len(in.Alerts))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s, one by one: %s", name, d)
		}
		r = newRig(t)
		r.raise(alerts...)
		got = nil
		for _, in := range slices.Backward(r.list()) {
			got = append(got, len(in.Alerts))
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s, at once: %s", name, d)
		}
	}
	at := func(a picket.Alert, d time.Duration) picket.Alert { a.Time = a.Time.Add(d); return a }
	host := func(a picket.Alert, name string) picket.Alert {
		a.Entities = append(a.Entities, picket.Entity{Kind: "Host", Properties: map[string]string{"HostName": name}})
		return a
	}
	const x, y = "203.0.113.7", "203.0.113.8"
	f("off", []int{1, 1}, alert("1", x), alert("2", x))
	f("any", []int{3}, grouped(alert("1", x), "AnyAlert"), grouped(alert("2", y), "AnyAlert"), grouped(alert("3"), "AnyAlert"))
	f("all", []int{2, 1, 1}, grouped(alert("1", x, y), "AllEntities"), grouped(alert("2", y, x), "AllEntities"), grouped(alert("3", x), "AllEntities"), grouped(alert("4", y), "AllEntities"))
	f("all, none to compare", []int{1, 1}, grouped(alert("1"), "AllEntities"), grouped(alert("2"), "AllEntities"))
	f("selected", []int{2, 1}, grouped(host(alert("1", x), "a"), "Selected", "IP"), grouped(host(alert("2", x), "b"), "Selected", "IP"), grouped(host(alert("3", y), "a"), "Selected", "IP"))
	f("selected, lacking", []int{1, 1}, grouped(host(alert("1"), "a"), "Selected", "IP"), grouped(host(alert("2"), "a"), "Selected", "IP"))
	other := grouped(alert("2", x), "AnyAlert")
	other.RuleID = "22222222-2222-2222-2222-222222222222"
	f("another rule", []int{1, 1}, grouped(alert("1", x), "AnyAlert"), other)
	detail := func(a picket.Alert, name string, v ...string) picket.Alert {
		a = grouped(a, "Selected")
		a.Name, a.Custom = name, map[string][]string{"User": v}
		a.Grouping.GroupByAlertDetails, a.Grouping.GroupByCustomDetails = []string{"DisplayName"}, []string{"User"}
		return a
	}
	f("details", []int{2, 1, 1}, detail(alert("1"), "n", "root"), detail(alert("2"), "n", "root"), detail(alert("3"), "m", "root"), detail(alert("4"), "n", "bob"))

	// The look-back counts from the incident's latest alert.
	r := newRig(t)
	r.raise(grouped(alert("1", x), "AnyAlert"))
	r.raise(at(grouped(alert("2", x), "AnyAlert"), 4*time.Hour))
	r.raise(at(grouped(alert("3", x), "AnyAlert"), 8*time.Hour))
	r.raise(at(grouped(alert("4", x), "AnyAlert"), 14*time.Hour))
	if list := r.list(); len(list) != 2 || len(list[1].Alerts) != 3 {
		t.Errorf("look-back: %d incidents", len(list))
	}
}

func TestGroupingOverflow(t *testing.T) {
	r := newRig(t)
	var alerts []picket.Alert
	for i := range 400 {
		alerts = append(alerts, grouped(alert(fmt.Sprint(i), "203.0.113.7"), "AnyAlert"))
	}
	r.raise(alerts[:100]...)
	r.raise(alerts[100:]...)
	var got []int
	for _, in := range slices.Backward(r.list()) {
		got = append(got, len(in.Alerts))
	}
	if d := cmp.Diff([]int{150, 150, 100}, got); d != "" {
		t.Error(d)
	}
}

func TestReopen(t *testing.T) {
	for _, reopen := range []bool{false, true} {
		r := newRig(t)
		a, b := grouped(alert("1", "203.0.113.7"), "AnyAlert"), grouped(alert("2", "203.0.113.7"), "AnyAlert")
		a.Grouping.ReopenClosedIncident, b.Grouping.ReopenClosedIncident = reopen, reopen
		r.raise(a)
		closed, err := r.d.Update(t.Context(), r.only().ID, Update{Status: "closed"}, Actor{Kind: User, Name: "ann"})
		if err != nil || closed.Status != "Closed" || closed.Classification != "Undetermined" || closed.Closed.IsZero() || closed.ModifiedBy != "ann" {
			t.Errorf("closed %+v %v", closed, err)
		}
		r.raise(b)
		list := r.list()
		if !reopen {
			if len(list) != 2 || list[1].Status != "Closed" {
				t.Errorf("%d incidents", len(list))
			}
			continue
		}
		if in := r.only(); in.Status != "Active" || !in.Closed.IsZero() || in.Classification != "" || len(in.Alerts) != 2 || in.ModifiedBy != "Alert grouping" {
			t.Errorf("reopened %+v", in)
		}
	}
}

func TestComment(t *testing.T) {
	r := newRig(t)
	r.raise(alert("1"))
	id := r.only().ID
	by := Actor{Kind: Playbook, Name: "prowl"}
	put := func(cid, msg string) error {
		return r.d.Comment(t.Context(), id, picket.Comment{ID: cid, Message: msg}, by)
	}
	for _, msg := range []string{"one", "one", "two"} {
		if err := put("c", msg); err != nil {
			t.Fatal(err)
		}
	}
	in := r.only()
	if len(in.Comments) != 1 || in.Comments[0].Message != "two" || in.Comments[0].Author != "Playbook - prowl" || in.Revision != 3 || in.ModifiedBy != "Playbook - prowl" {
		t.Errorf("%+v", in)
	}
	if err := put("long", strings.Repeat("ä", 30_001)); err != nil {
		t.Fatal(err)
	}
	if m := []rune(r.only().Comments[1].Message); len(m) != 30_000 || !strings.HasSuffix(string(m), cutMark) {
		t.Errorf("a long comment has %d characters", len(m))
	}
	for i := len(r.only().Comments); i < 100; i++ {
		if err := put(fmt.Sprint(i), "m"); err != nil {
			t.Fatal(err)
		}
	}
	if err := put("one more", "m"); picket.CodeOf(err) != picket.Conflict {
		t.Errorf("comment 101: %v", err)
	}
	if err := put("c", "three"); err != nil {
		t.Errorf("replacing one of 100: %v", err)
	}
	for _, c := range []picket.Comment{{Message: "m"}, {ID: "x", Message: " "}} {
		if err := r.d.Comment(t.Context(), id, c, by); picket.CodeOf(err) != picket.Invalid {
			t.Errorf("%+v: %v", c, err)
		}
	}
	if err := r.d.Comment(t.Context(), "nobody", picket.Comment{ID: "x", Message: "m"}, by); picket.CodeOf(err) != picket.NotFound {
		t.Error(err)
	}
}

func TestUpdate(t *testing.T) {
	r := newRig(t)
	r.raise(alert("1"))
	id := r.only().ID
	by := Actor{Kind: User, Name: "ann"}
	in, err := r.d.Update(t.Context(), id, Update{Severity: "high", Status: "ACTIVE", Owner: ptr("bob"), AddLabels: []string{"a", " b ", "A", ""}}, by)
	if err != nil || in.Severity != picket.High || in.Status != "Active" || in.Owner != "bob" || !slices.Equal(in.Labels, []string{"a", "b"}) || in.Revision != 2 {
		t.Errorf("%+v %v", in, err)
	}
	if in, err = r.d.Update(t.Context(), id, Update{Severity: "High", AddLabels: []string{"B"}}, by); err != nil || in.Revision != 2 {
		t.Errorf("nothing changed, yet revision is %d (%v)", in.Revision, err)
	}
	in, err = r.d.Update(t.Context(), id, Update{Status: "Closed", Classification: "falsepositive", ClassificationReason: "InaccurateData", RemoveLabels: []string{"A"}, Owner: ptr("")}, by)
	if err != nil || in.Classification != "FalsePositive" || in.Owner != "" || !slices.Equal(in.Labels, []string{"b"}) || !in.Closed.Equal(in.Modified) {
		t.Errorf("%+v %v", in, err)
	}
	for _, u := range []Update{{Severity: "Critical"}, {Status: "Open"}, {Classification: "x"}, {ClassificationReason: "x"}} {
		if _, err := r.d.Update(t.Context(), id, u, by); picket.CodeOf(err) != picket.Invalid {
			t.Errorf("%+v: %v", u, err)
		}
	}
	if _, err := r.d.Update(t.Context(), "nobody", Update{Title: "x"}, by); picket.CodeOf(err) != picket.NotFound {
		t.Error(err)
	}
}

// Every change is one row, in order, also when the appends fail half-way and
// the process ends between an append and its being forgotten.
func TestPublish(t *testing.T) {
	r := newRig(t)
	n, fail := 0, errors.New("disk full")
	r.append = func() error {
		if n++; n%2 == 0 {
			return fail
		}
		return nil
	}
	r.raise(alert("1", "203.0.113.7"))
	id := r.only().ID
	by := Actor{Kind: Playbook, Name: "prowl"}
	if err := r.d.Comment(t.Context(), id, picket.Comment{ID: "c", Message: "<p>known</p>"}, by); err != nil {
		t.Fatal(err)
	}
	if _, err := r.d.Update(t.Context(), id, Update{AddLabels: []string{"prowl"}, Severity: "High"}, by); err != nil {
		t.Fatal(err)
	}
	// The first row is appended, but the process ends before that is noted.
	rows, err := r.st.Outbox(t.Context(), 1)
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	b, err := r.d.batch(rows[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := r.ws.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	r.close()
	r.open()
	failed := 0
	for {
		if err := r.d.Publish(t.Context()); err == nil {
			break
		} else if !errors.Is(err, fail) || failed > 10 {
			t.Fatal(err)
		}
		failed++
	}
	if failed == 0 {
		t.Error("the fault was not injected")
	}
	got := r.query(`SecurityIncident | sort by LastModifiedTime asc
		| project IncidentNumber, Severity, Status, ModifiedBy, tostring(AdditionalData.commentsCount), tostring(Labels), tostring(array_length(AlertIds)), ProviderName, tostring(Comments[0].message), tostring(Owner.assignedTo)`)
	want := [][]any{
		{int64(1), "Medium", "New", "Incident created from alert", "0", "[]", "1", "Azure Sentinel", "", ""},
		{int64(1), "Medium", "New", "Playbook - prowl", "1", "[]", "1", "Azure Sentinel", "<p>known</p>", ""},
		{int64(1), "High", "New", "Playbook - prowl", "1", `[{"labelName":"prowl","labelType":"User"}]`, "1", "Azure Sentinel", "<p>known</p>", ""},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	latest := r.query("SecurityIncident | summarize arg_max(LastModifiedTime, *) by IncidentNumber | project Severity")
	if d := cmp.Diff([][]any{{"High"}}, latest); d != "" {
		t.Error(d)
	}
}

func TestRun(t *testing.T) {
	r := newRig(t)
	ctx, cancel := context.WithCancel(t.Context())
	appended := make(chan struct{}, 10)
	r.append = func() error { appended <- struct{}{}; return nil }
	done := make(chan error)
	go func() { done <- r.d.Run(ctx) }()
	r.raise(alert("1"))
	r.raise(alert("2"))
	<-appended
	<-appended
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
