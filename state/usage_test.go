package state

import (
	"database/sql"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Usage that was counted before there were prices keeps its amounts.
func TestUsageOfAnOlderState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	old, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	exec := func(text string, args ...any) {
		t.Helper()
		if _, err := old.Exec(text, args...); err != nil {
			t.Fatal(err)
		}
	}
	exec(`CREATE TABLE migration (name TEXT PRIMARY KEY, applied_at TEXT NOT NULL) STRICT`)
	names, err := fs.Glob(schema, "schema/*.sql")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if name >= "schema/024" && name < "schema/030" {
			continue
		}
		text, err := schema.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		exec(string(text))
		exec(`INSERT INTO migration VALUES (?, '')`, name)
	}
	exec(`INSERT INTO api_key (id, name, hash, scopes, per_day, per_second, created, last_used, revoked) VALUES ('k', 'old', x'00', '[]', 0, 0, 1, 0, 0)`)
	exec(`INSERT INTO usage_day VALUES ('k', '2026-10-31', 3, 60000), ('k', '2026-11-01', 2, 1520000), ('k', '2026-11-02', 0, 0)`)

	db, err := Open(t.Context(), Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	got, err := db.Usage(t.Context(), "", "", "")
	if err != nil {
		t.Fatal(err)
	}
	want := []UsageDay{
		{KeyID: "k", Day: "2026-10-31", UnitMicroUSD: 20_000, Requests: 3, CostMicroUSD: 60_000},
		{KeyID: "k", Day: "2026-11-01", UnitMicroUSD: 760_000, Requests: 2, CostMicroUSD: 1_520_000}, // two prices
		{KeyID: "k", Day: "2026-11-02"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	var account string
	if err := db.SQL().QueryRow(`SELECT account FROM api_key`).Scan(&account); err != nil || account != "k" {
		t.Errorf("account %q, %v", account, err)
	}
}
