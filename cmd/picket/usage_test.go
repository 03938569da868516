package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/app"
	"picket/reputation"
	"picket/state"
)

func TestUsage(t *testing.T) {
	dir := t.TempDir()
	// The ledger stays open, as that of a running server is.
	db, err := state.Open(t.Context(), state.Options{Path: filepath.Join(dir, app.StateFile)})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(t.Context())
	seven := picket.Incident{ID: "3f0b6f0e-4a4e-4d62-9d3e-0d7a5c6f0007", Number: 7, Title: "SSH", Severity: picket.Medium, Status: "New", Created: time.Now()}
	if err := db.Tx(t.Context(), func(tx *sql.Tx) error { return state.InsertIncident(t.Context(), tx, &seven, "r", "k") }); err != nil {
		t.Fatal(err)
	}
	err = db.AddProviderUsage(t.Context(),
		state.ProviderUsage{Day: "2026-10-31", Provider: "prowl", Key: "k", Playbook: "enrich", Requests: 100, CostMicroUSD: 2_000_000},
		state.ProviderUsage{Day: "2026-11-01", Provider: "prowl", Key: "k", Playbook: "enrich", Incident: seven.ID, Requests: 3, Cached: 3, Skipped: 1, CostMicroUSD: 60_000, SavedMicroUSD: 80_000},
		state.ProviderUsage{Day: "2026-11-02", Provider: "prowl", Key: "k2", Requests: 1, CostMicroUSD: 20_000},
		state.ProviderUsage{Day: "2026-11-02", Provider: "greynoise", Key: "none", Playbook: "enrich", Incident: seven.ID, Requests: 9, Cached: 2},
		state.ProviderUsage{Day: "2026-11-02", Provider: "otx", Key: "none", Incident: "one that is gone", Requests: 1},
	)
	if err != nil {
		t.Fatal(err)
	}
	const head = ",requests,cost_usd,cached,saved_by_cache_usd,skipped,saved_by_skipping_usd\n"
	for _, test := range []struct{ args, want string }{
		{"", "provider" + head + "prowl,104,2.08,3,0.06,1,0.02\ngreynoise,9,0,2,0,0,0\notx,1,0,0,0,0,0\n"},
		{"--since 2026-11-01", "provider" + head + "prowl,4,0.08,3,0.06,1,0.02\ngreynoise,9,0,2,0,0,0\notx,1,0,0,0,0,0\n"},
		{"--since 2026-11-01 --by playbook", "playbook" + head + "enrich,12,0.06,5,0.06,1,0.02\n,2,0.02,0,0,0,0\n"},
		{"--since 2026-11-01 --by incident", "incident" + head + "7,12,0.06,5,0.06,1,0.02\n,1,0.02,0,0,0,0\none that is gone,1,0,0,0,0,0\n"},
		{"--since 2026-12-01", "provider" + head},
	} {
		args := append([]string{"usage", "--data", dir, "--format", "csv"}, strings.Fields(test.args)...)
		out, errs, code := runPicket(t, "", args...)
		if out = strings.ReplaceAll(out, "\r\n", "\n"); code != 0 || errs != "" || out != test.want {
			t.Errorf("usage %s: exit code %d\n%s%s, want\n%s", test.args, code, out, errs, test.want)
		}
	}
	for args, want := range map[string]string{
		"--by day":          "want provider, playbook or incident",
		"--since yesterday": "is no day",
		"--format xml":      "unknown format",
		"more":              "takes no operand",
	} {
		if _, errs, code := runPicket(t, "", append([]string{"usage", "--data", dir}, strings.Fields(args)...)...); code != 2 || !strings.Contains(errs, want) {
			t.Errorf("usage %s: exit code %d, %s", args, code, errs)
		}
	}
	if _, errs, code := runPicket(t, "", "usage", "--data", filepath.Join(dir, "absent")); code != 1 || !strings.Contains(errs, "no ledger") {
		t.Errorf("no ledger: exit code %d, %s", code, errs)
	}
}

func TestStatement(t *testing.T) {
	dir := t.TempDir()
	key, errs, code := runPicket(t, "", "key", "create", "--data", dir, "--name", "siem", "--aws-account", "123456789012")
	if code != 0 {
		t.Fatal(errs)
	}
	id := strings.TrimSpace(key)[:13]
	db, err := state.Open(t.Context(), state.Options{Path: filepath.Join(dir, app.StateFile)})
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.AddUsage(t.Context(), time.Now(), []state.UsageDay{{KeyID: id, Day: "2026-10-31", UnitMicroUSD: 20_000, Requests: 3}, {KeyID: id, Day: "2026-11-01", UnitMicroUSD: 20_000, Requests: 5}}, 4, nil)
	if err := errors.Join(err, db.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"--format csv --month 2026-11":             "key_id,name,day,requests,free,priced,unit_price,amount,currency\n" + id + ",siem,2026-11-01,5,4,1,0.02,0.02,USD\n",
		"--format csv --month 2026-10 --key " + id: "key_id,name,day,requests,free,priced,unit_price,amount,currency\n" + id + ",siem,2026-10-31,3,3,0,0.02,0.00,USD\n",
		"--format csv --month 2026-09":             "key_id,name,day,requests,free,priced,unit_price,amount,currency\n",
		"--format json --month 2026-09":            "[]\n",
	} {
		if out, errs, code := runPicket(t, "", append([]string{"usage", "statement", "--data", dir}, strings.Fields(args)...)...); code != 0 || out != want || errs != "" {
			t.Errorf("%s: exit code %d\n%s%s, want\n%s", args, code, out, errs, want)
		}
	}
	out, _, _ := runPicket(t, "", "usage", "statement", "--data", dir, "--month", "2026-11", "--format", "json")
	var all []reputation.Statement
	if err := json.Unmarshal([]byte(out), &all); err != nil || len(all) != 1 || all[0].Amount != 20_000 || !strings.Contains(out, `"amount": 0.02`) {
		t.Errorf("%v in %s", err, out)
	}
	out, _, _ = runPicket(t, "", "usage", "statement", "--data", dir, "--month", "2026-11")
	if !strings.Contains(out, "all of 2026-11") {
		t.Errorf("the table: %s", out)
	}
	for args, want := range map[string]string{"--month november": "2026-11", "--format xml": "table, json or csv", "more": "no operand"} {
		if _, errs, code := runPicket(t, "", append([]string{"usage", "statement", "--data", dir}, strings.Fields(args)...)...); code != 2 || !strings.Contains(errs, want) {
			t.Errorf("%s: exit code %d, %s", args, code, errs)
		}
	}
	if _, errs, code := runPicket(t, "", "key", "create", "--data", dir, "--aws-account", "1234"); code == 0 || !strings.Contains(errs, "12 digits") {
		t.Errorf("a wrong account: exit code %d, %s", code, errs)
	}
}
