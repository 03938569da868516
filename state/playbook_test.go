package state

import (
	"database/sql"
	"errors"
	"testing"
	"time"

	"picket"
)

func TestPlaybookRuns(t *testing.T) {
	db := open(t, "")
	defer db.Close(t.Context())
	ctx := t.Context()
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)
	add := func(id, incident string, created time.Time) bool {
		t.Helper()
		var added bool
		err := db.Tx(ctx, func(tx *sql.Tx) (err error) {
			added, err = AddPlaybookRun(ctx, tx, PlaybookRun{ID: id, Playbook: "p", Definition: "h1", Incident: incident, Body: `{"a":1}`, Nonce: "n", Status: "Waiting", Created: created}, "p.json", []byte("{}"))
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return added
	}
	if !add("r1", "i1", at) || !add("r2", "i2", at.Add(time.Second)) {
		t.Fatal("a new run was not added")
	}
	if add("r1", "other", at) {
		t.Fatal("a run was added twice")
	}
	if file, src, err := db.PlaybookDefinition(ctx, "h1"); err != nil || file != "p.json" || string(src) != "{}" {
		t.Fatalf("definition %q %q %v", file, src, err)
	}
	if err := db.StartPlaybookRun(ctx, "r1", at.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := db.StartPlaybookRun(ctx, "r1", at.Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := db.EndPlaybookRun(ctx, "r1", "Failed", "ActionFailed", "why", at.Add(2*time.Hour)); err != nil {
		t.Fatal(err)
	}
	r, err := db.PlaybookRun(ctx, "r1")
	want := PlaybookRun{ID: "r1", Playbook: "p", Definition: "h1", Incident: "i1", Body: `{"a":1}`, Nonce: "n", Status: "Failed", Code: "ActionFailed", Message: "why",
		Created: at, Started: at.Add(time.Minute), Ended: at.Add(2 * time.Hour)}
	if err != nil || r != want {
		t.Fatalf("run %+v, want %+v (%v)", r, want, err)
	}
	if _, err := db.PlaybookRun(ctx, "none"); picket.CodeOf(err) != picket.NotFound {
		t.Fatalf("err %v, want not_found", err)
	}
	runs, err := db.PlaybookRuns(ctx, PlaybookRunFilter{})
	if err != nil || len(runs) != 2 || runs[0].ID != "r2" {
		t.Fatalf("runs %+v %v; want r2 first", runs, err)
	}
	if runs, _ = db.PlaybookRuns(ctx, PlaybookRunFilter{Playbook: "p", Incident: "i1", Status: "Failed", Limit: 5}); len(runs) != 1 || runs[0].ID != "r1" {
		t.Fatalf("filtered runs %+v", runs)
	}
}

func TestPlaybookActionsAndPrune(t *testing.T) {
	db := open(t, "")
	defer db.Close(t.Context())
	ctx := t.Context()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	err := db.Tx(ctx, func(tx *sql.Tx) error {
		_, e1 := AddPlaybookRun(ctx, tx, PlaybookRun{ID: "old", Definition: "h1", Created: at}, "p.json", nil)
		_, e2 := AddPlaybookRun(ctx, tx, PlaybookRun{ID: "live", Definition: "h2", Created: at}, "p.json", []byte("x"))
		return errors.Join(e1, e2)
	})
	if err == nil {
		t.Fatal("a definition without source was accepted")
	}
	err = db.Tx(ctx, func(tx *sql.Tx) error {
		_, e1 := AddPlaybookRun(ctx, tx, PlaybookRun{ID: "old", Definition: "h1", Created: at}, "p.json", []byte("x"))
		_, e2 := AddPlaybookRun(ctx, tx, PlaybookRun{ID: "live", Definition: "h2", Created: at}, "p.json", []byte("y"))
		return errors.Join(e1, e2)
	})
	if err != nil {
		t.Fatal(err)
	}
	a := PlaybookAction{Run: "old", Path: "Loop/B", Iteration: "1", Type: "Http", Status: "Running", Started: at.Add(time.Second)}
	b := PlaybookAction{Run: "old", Path: "A", Type: "Compose", Status: "Succeeded", Code: "OK", Outputs: "1", Started: at, Ended: at}
	for _, x := range []PlaybookAction{a, b} {
		if err := db.PutPlaybookAction(ctx, x); err != nil {
			t.Fatal(err)
		}
	}
	a.Status, a.Message, a.Ended = "Failed", "HTTP 500", at.Add(2*time.Second)
	if err := db.PutPlaybookAction(ctx, a); err != nil {
		t.Fatal(err)
	}
	got, err := db.PlaybookActions(ctx, "old")
	if err != nil || len(got) != 2 || got[0] != b || got[1] != a {
		t.Fatalf("actions %+v, want A then the replaced B (%v)", got, err)
	}
	if err := db.EndPlaybookRun(ctx, "old", "Succeeded", "", "", at.Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if ids, err := db.PrunePlaybookRuns(ctx, at.Add(time.Hour)); len(ids) != 1 || ids[0] != "old" || err != nil {
		t.Fatalf("pruned %v, %v; want the ended run only", ids, err)
	}
	if got, _ := db.PlaybookActions(ctx, "old"); len(got) != 0 {
		t.Fatalf("actions of a pruned run stay: %+v", got)
	}
	if _, _, err := db.PlaybookDefinition(ctx, "h1"); err == nil {
		t.Fatal("the definition of the pruned run stays")
	}
	if _, _, err := db.PlaybookDefinition(ctx, "h2"); err != nil {
		t.Fatal(err)
	}
}
