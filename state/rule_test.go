package state

import (
	"database/sql"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRuleRuns(t *testing.T) {
	db := open(t, "")
	defer db.Close(t.Context())
	ctx := t.Context()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	run := func(i int) RuleRun {
		return RuleRun{RuleID: "r", Slot: at.Add(time.Duration(i) * time.Minute), Finished: at, Status: "Failure", Rows: i, Alerts: 2, InvalidAddresses: 3,
			DroppedEntities: 4, Duration: 1500 * time.Microsecond, Error: "e", Permanent: true}
	}
	record := func(r RuleRun) {
		t.Helper()
		if err := db.Tx(ctx, func(tx *sql.Tx) error { return RecordRuleRun(ctx, tx, r) }); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 5 {
		record(run(i))
	}
	again := run(4)
	again.Status = "Success"
	record(again) // the first record of a slot stays
	other := run(0)
	other.RuleID = "s"
	record(other)

	got, err := db.RuleRuns(ctx, "r", 2)
	if d := cmp.Diff([]RuleRun{run(4), run(3)}, got); err != nil || d != "" {
		t.Errorf("%v %s", err, d)
	}
	slots, err := db.TrimRuleRuns(ctx, "r", 3)
	if d := cmp.Diff([]time.Time{run(0).Slot, run(1).Slot}, slots); err != nil || d != "" {
		t.Errorf("trimmed: %v %s", err, d)
	}
	for slot, want := range map[time.Time]bool{run(0).Slot: false, run(2).Slot: true} {
		if ok, err := db.RuleRan(ctx, "r", slot); ok != want || err != nil {
			t.Errorf("ran at %v: %v %v", slot, ok, err)
		}
	}
	if got, _ := db.RuleRuns(ctx, "s", 9); len(got) != 1 {
		t.Errorf("another rule lost its run")
	}
}

func TestRuleSchedule(t *testing.T) {
	db := open(t, "")
	defer db.Close(t.Context())
	ctx := t.Context()
	if _, ok, err := db.RuleSchedule(ctx, "r"); ok || err != nil {
		t.Fatalf("%v %v", ok, err)
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	want := RuleSchedule{RuleID: "r", Frequency: 10 * time.Minute, First: at}
	for _, last := range []time.Time{{}, at} {
		want.Last = last
		if err := db.SaveRuleSchedule(ctx, want); err != nil {
			t.Fatal(err)
		}
		suppress := func(until time.Time) {
			if err := db.Tx(ctx, func(tx *sql.Tx) error { return SuppressRule(ctx, tx, "r", until) }); err != nil {
				t.Fatal(err)
			}
		}
		suppress(at.Add(time.Hour))
		suppress(at) // an earlier end does not shorten it
		want.SuppressedUntil = at.Add(time.Hour)
		got, ok, err := db.RuleSchedule(ctx, "r")
		if d := cmp.Diff(want, got); !ok || err != nil || d != "" {
			t.Errorf("%v %v %s", ok, err, d)
		}
	}
}
