package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// picketIn runs a command and returns what it prints.
func picketIn(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(context.Background(), args, stdio{strings.NewReader(""), &out, &errs}); code != 0 {
		t.Fatalf("picket %s: exit %d\n%s", strings.Join(args, " "), code, errs.String())
	}
	return out.String()
}

// A real log of sshd, with the freely licensed data of npm: its addresses are
// found, all of them and no others, each with its owner and country.
func TestEnrichWithData(t *testing.T) {
	const log, npm = "../../../shared/data/openssh_2k.log", "testdata/npm/node_modules/@ip-location-db"
	if _, err := os.Stat(log); err != nil {
		t.Skip("the log is not here:", err)
	}
	if _, err := os.Stat(npm); err != nil {
		t.Skip("the npm packages are not installed: make setup")
	}
	data := t.TempDir()
	if err := os.Mkdir(filepath.Join(data, "datasets"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"npm-asn", "npm-asn-country", "npm-country"} {
		text, err := os.ReadFile("testdata/datasets/" + name + ".yaml")
		if err != nil {
			t.Fatal(err)
		}
		at, err := filepath.Abs(npm)
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(text, []byte("NPM"), []byte(at))
		if err := os.WriteFile(filepath.Join(data, "datasets", name+".yaml"), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if list := picketIn(t, "data", "list", "--data", data); !strings.Contains(list, "npm-asn") {
		t.Errorf("data list:\n%s", list)
	}
	var found []struct {
		IPAddress, Status string
		Country           string `json:"country_code"`
		Owner             string `json:"as_organization"`
		Hits, Asn         int
	}
	text := picketIn(t, "enrich", "--data", data, "--local", "--format", "json", log)
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		t.Fatalf("%v\n%.2000s", err, text)
	}
	if len(found) != 30 {
		t.Errorf("%d addresses, want 30", len(found))
	}
	for _, f := range found {
		ip, err := netip.ParseAddr(f.IPAddress)
		if err != nil || ip.IsPrivate() || f.Status != "enriched" || f.Hits < 1 || f.Asn == 0 || f.Owner == "" || len(f.Country) != 2 {
			t.Errorf("%+v", f)
		}
	}
	text = picketIn(t, "lookup", "--data", data, "--local", "8.8.8.8")
	for _, want := range []string{"8.8.8.8", "AS15169 Google", "where       US"} {
		if !strings.Contains(text, want) {
			t.Errorf("lookup has no %q:\n%s", want, text)
		}
	}
	occurrences := picketIn(t, "enrich", "--data", data, "--extract-only", log)
	if n := strings.Count(occurrences, "\n"); n < 1000 {
		t.Errorf("%d occurrences", n)
	}
	if text = picketIn(t, "usage", "--data", data); strings.Contains(text, "failed") {
		t.Errorf("usage after local lookups:\n%s", text)
	}
}
