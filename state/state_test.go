package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"
)

func open(t *testing.T, path string) *DB {
	t.Helper()
	db, err := Open(t.Context(), Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func TestValueSurvivesReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "state.db")
	db := open(t, path)
	if _, ok, err := db.Value(t.Context(), "k"); ok || err != nil {
		t.Fatalf("fresh database: ok=%v err=%v", ok, err)
	}
	for _, v := range []string{"one", "two"} {
		if err := db.SetValue(t.Context(), "k", v); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	fi, err := os.Stat(path)
	if err != nil || fi.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, err %v; want 0600", fi.Mode(), err)
	}
	db = open(t, path)
	defer db.Close(t.Context())
	if v, _, _ := db.Value(t.Context(), "k"); v != "two" {
		t.Fatalf("after reopen: %q, want two", v)
	}
}

func TestTxRollsBack(t *testing.T) {
	db := open(t, "")
	defer db.Close(t.Context())
	boom := errors.New("boom")
	err := db.Tx(t.Context(), func(tx *sql.Tx) error {
		if _, err := tx.Exec(`INSERT INTO value VALUES ('a', 'b')`); err != nil {
			return err
		}
		return boom
	})
	if !errors.Is(err, boom) {
		t.Fatalf("err = %v", err)
	}
	if _, ok, _ := db.Value(t.Context(), "a"); ok {
		t.Fatal("the row of a rolled back transaction is there")
	}
}

// A change and the work it causes are one transaction: no work without the
// change, and none lost with it.
func TestEnqueueInTransaction(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db := open(t, path)
	done := make(chan string, 2)
	register := func(db *DB) {
		dbos.RegisterWorkflow(db.Work(), func(ctx dbos.Context, in string) (string, error) {
			done <- in
			return in, nil
		}, dbos.WithWorkflowName("test"))
		if _, err := dbos.RegisterQueue(db.Work(), "q", dbos.WithQueueBasePollingInterval(10*time.Millisecond)); err != nil {
			t.Fatal(err)
		}
	}
	enqueue := func(in string, end error) error {
		return db.Tx(t.Context(), func(tx *sql.Tx) error {
			if _, err := tx.Exec(`INSERT INTO value VALUES (?, '')`, in); err != nil {
				return err
			}
			if _, err := dbos.Enqueue[string](db.Work(), "q", "test", in, dbos.WithEnqueueTransaction(tx), dbos.WithEnqueueWorkflowID("wf-"+in)); err != nil {
				return err
			}
			return end
		})
	}
	register(db)
	if err := enqueue("lost", errors.New("no")); err == nil {
		t.Fatal("want an error")
	}
	if err := enqueue("kept", nil); err != nil {
		t.Fatal(err)
	}
	// Not launched here: the work waits in the file for the next process.
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	db = open(t, path)
	defer db.Close(context.Background())
	register(db)
	if err := db.Launch(); err != nil {
		t.Fatal(err)
	}
	if got := <-done; got != "kept" {
		t.Fatalf("ran %q", got)
	}
	select {
	case got := <-done:
		t.Fatalf("also ran %q", got)
	default:
	}
}

// Who was served by durable work writes what is left when that has stopped.
func TestStateOutlivesDurableWork(t *testing.T) {
	db := open(t, "")
	defer db.Close(context.Background())
	if err := db.Launch(); err != nil {
		t.Fatal(err)
	}
	if err := db.StopWork(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.SetValue(t.Context(), "k", "v"); err != nil {
		t.Errorf("after durable work has stopped: %v", err)
	}
}

func TestNewerDatabaseIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db := open(t, path)
	if _, err := db.SQL().Exec(`INSERT INTO migration VALUES ('schema/999_future.sql', '')`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{Path: path}); err == nil || !strings.Contains(err.Error(), "newer Picket (schema/999_future.sql)") {
		t.Errorf("err = %v", err)
	}
}

// A folder may be named as it likes; SQLite would read #, ? and % in it as
// parts of a URI, and take another file.
func TestOddPaths(t *testing.T) {
	for _, name := range []string{"a#b", "a?b", "a%41b", "a%zz", "a b", "a'b", "ä:b"} {
		dir := filepath.Join(t.TempDir(), name)
		db, err := Open(t.Context(), Options{Path: filepath.Join(dir, "state.db")})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := db.SetValue(t.Context(), "k", "v"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := db.Close(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if fi, err := os.Stat(filepath.Join(dir, "state.db")); err != nil || fi.Size() == 0 {
			t.Errorf("%s: the file is not where it was asked for: %v", name, err)
		}
	}
}

// The log of durable work has what went wrong, not what a stop broke off.
func TestWorkLog(t *testing.T) {
	var out strings.Builder
	log := slog.New(minLevel{slog.NewTextHandler(&out, nil), slog.LevelWarn}).With("component", "work")
	log.Info("started")
	log.Error("poll", "queue", "q", "error", fmt.Errorf("query: %w", context.Canceled))
	log.Error("poll", "error", errors.New("query: context canceled"))
	if out.Len() > 0 {
		t.Errorf("logged: %s", &out)
	}
	log.Error("poll", "error", errors.New("disk full"))
	if !strings.Contains(out.String(), "disk full") {
		t.Errorf("logged: %s", &out)
	}
}
