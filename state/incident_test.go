package state

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
)

func (db *DB) mustTx(t *testing.T, f func(ctx context.Context, tx *sql.Tx) error) {
	t.Helper()
	if err := db.Tx(t.Context(), func(tx *sql.Tx) error { return f(t.Context(), tx) }); err != nil {
		t.Fatal(err)
	}
}

func TestIncidentRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db := open(t, path)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	alert := picket.Alert{ID: "a1", RuleID: "r", RuleName: "n", Name: "x", Severity: picket.High, Tactics: []string{"Impact"}, Start: at, End: at.Add(time.Minute), Time: at,
		Entities: []picket.Entity{{Kind: "IP", Properties: map[string]string{"Address": "192.0.2.1"}}}, Custom: map[string][]string{"k": {"v"}},
		Grouping: picket.Grouping{CreateIncident: true, Enabled: true, Lookback: time.Hour, MatchingMethod: "AnyAlert"}}
	want := picket.Incident{ID: "i", Number: 1, Revision: 3, Title: "t", Description: "d", Severity: picket.High, Status: "Closed", Classification: "c",
		ClassificationReason: "cr", ClassificationComment: "cc", Owner: "o", Labels: []string{"l"}, Alerts: []picket.Alert{alert},
		Comments: []picket.Comment{{ID: "c1", Message: "m", Author: "a", Created: at}, {ID: "c0", Message: "n", Author: "a", Created: at}},
		Created:  at, FirstModified: at.Add(time.Second), Modified: at.Add(2 * time.Second), Closed: at.Add(2 * time.Second), ModifiedBy: "b"}
	want.Summarize()
	db.mustTx(t, func(ctx context.Context, tx *sql.Tx) error {
		if err := InsertIncident(ctx, tx, &want, "r", "k"); err != nil {
			return err
		}
		if err := AddIncidentAlert(ctx, tx, "i", &alert); err != nil {
			return err
		}
		for _, c := range []picket.Comment{{ID: "c1", Message: "old", Author: "a", Created: at}, want.Comments[1], want.Comments[0]} {
			if err := PutComment(ctx, tx, "i", c); err != nil {
				return err
			}
		}
		in, err := LoadIncident(ctx, tx, "i")
		if d := cmp.Diff(want, in); d != "" {
			t.Error(d)
		}
		return err
	})
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	db = open(t, path)
	defer db.Close(t.Context())
	got, err := db.Incident(t.Context(), "i")
	if d := cmp.Diff(want, got); err != nil || d != "" {
		t.Error(err, d)
	}
	list, err := db.Incidents(t.Context(), IncidentFilter{Status: "Closed"})
	if err != nil || len(list) != 1 {
		t.Error(list, err)
	}
	if list, err = db.Incidents(t.Context(), IncidentFilter{Status: "New"}); err != nil || len(list) != 0 {
		t.Error(list, err)
	}
}

func TestFindIncident(t *testing.T) {
	db := open(t, "")
	defer db.Close(t.Context())
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i, in := range []struct {
		status, key string
		alerts      int
	}{{"New", "k", 1}, {"Active", "k", 2}, {"Closed", "k", 1}, {"New", "", 1}} {
		db.mustTx(t, func(ctx context.Context, tx *sql.Tx) error {
			n, err := NextIncidentNumber(ctx, tx)
			if err != nil || n != int64(i+1) {
				t.Errorf("number %d, %v", n, err)
			}
			id := fmt.Sprint(n)
			if err := InsertIncident(ctx, tx, &picket.Incident{ID: id, Number: n, Status: in.status}, "r", in.key); err != nil {
				return err
			}
			for j := range in.alerts {
				if err := AddIncidentAlert(ctx, tx, id, &picket.Alert{ID: fmt.Sprint(n, j), Time: at}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	f := func(rule, key string, since time.Time, most int, closed bool, want string) {
		t.Helper()
		db.mustTx(t, func(ctx context.Context, tx *sql.Tx) error {
			got, err := FindIncident(ctx, tx, rule, key, since, most, closed)
			if got != want {
				t.Errorf("found %q, want %q", got, want)
			}
			return err
		})
	}
	f("r", "k", at, 9, false, "2")
	f("r", "k", at, 2, false, "1") // 2 is full
	f("r", "k", at, 1, false, "")
	f("r", "k", at, 9, true, "3")
	f("r", "k", at.Add(time.Millisecond), 9, true, "")
	f("r", "other", at, 9, true, "")
	f("other", "k", at, 9, true, "")
	f("r", "", at, 9, true, "")
	db.mustTx(t, func(ctx context.Context, tx *sql.Tx) error {
		for id, want := range map[string]bool{"1 0": true, "1 9": false} {
			if got, err := HasAlert(ctx, tx, id); got != want || err != nil {
				t.Errorf("alert %s: %v %v", id, got, err)
			}
		}
		return nil
	})
}

func TestOutbox(t *testing.T) {
	db := open(t, "")
	defer db.Close(t.Context())
	for _, id := range []string{"a", "b", "a", "c"} {
		db.mustTx(t, func(ctx context.Context, tx *sql.Tx) error {
			return AddOutbox(ctx, tx, OutboxRow{BatchID: id, Kind: "k", Row: []byte(`{"id":"` + id + `"}`)})
		})
	}
	ids := func() (list []string) {
		rows, err := db.Outbox(t.Context(), 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			if r.Kind != "k" || string(r.Row) != `{"id":"`+r.BatchID+`"}` {
				t.Errorf("%+v", r)
			}
			list = append(list, r.BatchID)
		}
		return list
	}
	if d := cmp.Diff([]string{"a", "b"}, ids()); d != "" {
		t.Error(d)
	}
	rows, _ := db.Outbox(t.Context(), 1)
	if err := db.ClearOutbox(t.Context(), rows[0].Seq); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"b", "c"}, ids()); d != "" {
		t.Error(d)
	}
}

func TestAutomationRun(t *testing.T) {
	db := open(t, "")
	defer db.Close(t.Context())
	db.mustTx(t, func(ctx context.Context, tx *sql.Tx) error {
		if err := InsertIncident(ctx, tx, &picket.Incident{ID: "i", Number: 1}, "r", ""); err != nil {
			return err
		}
		if err := SaveAutomationRun(ctx, tx, "run", "i", []string{"x", "y"}); err != nil {
			return err
		}
		rules, ok, err := AutomationRun(ctx, tx, "run")
		if d := cmp.Diff([]string{"x", "y"}, rules); !ok || d != "" {
			t.Error(ok, d)
		}
		if _, ok, _ := AutomationRun(ctx, tx, "other"); ok {
			t.Error("an unknown run is known")
		}
		return err
	})
}
