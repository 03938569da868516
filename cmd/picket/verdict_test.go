package main

import (
	"strings"
	"testing"
	"time"
)

func TestVerdict(t *testing.T) {
	dir := t.TempDir()
	f := func(code int, want, args string) {
		t.Helper()
		verb, rest, _ := strings.Cut(args, " ")
		out, errs, got := runPicket(t, "", append([]string{"verdict", verb, "--data", dir}, strings.Fields(rest)...)...)
		if got != code || !strings.Contains(out+errs, want) {
			t.Errorf("verdict %s: exit code %d\n%s%s, want %d and %s", args, got, out, errs, code, want)
		}
	}
	f(0, "", "set --author ana 8.8.8.0/24 malicious")
	f(0, "", "set --author ana --expires 90d --note tested 8.8.8.8 benign")
	f(0, "8.8.8.8/32,benign,ana", "list --format csv")
	f(0, "8.8.8.0/24,malicious,ana", "list --format csv")
	for ip, want := range map[string]string{"8.8.8.8": `"verdict":"benign"`, "8.8.8.9": `"verdict":"malicious"`, "8.8.9.9": `"verdict":"unknown"`} {
		if out, errs, code := runPicket(t, "", "lookup", "--data", dir, "--local", "--json", ip); code != 0 || !strings.Contains(out, want) {
			t.Errorf("lookup %s: exit code %d\n%s%s, want %s", ip, code, out, errs, want)
		}
	}
	f(0, "", "drop 8.8.8.8")
	f(1, "no verdict was set for 8.8.8.8/32", "drop 8.8.8.8")
	if out, _, _ := runPicket(t, "", "lookup", "--data", dir, "--local", "--json", "8.8.8.8"); !strings.Contains(out, `"verdict":"malicious"`) {
		t.Errorf("after the drop the network's verdict holds, not %s", out)
	}
	f(1, `the verdict is "evil"`, "set --author ana 8.8.8.8 evil")
	f(1, "must expire later", "set --author ana --expires 2020-01-01 8.8.8.8 benign")
	f(1, "needs an author", "set --author= 8.8.8.8 benign")
	f(2, "want 8.8.8.0/24 for the network", "set --author ana 8.8.8.8/24 benign")
	f(2, "neither an address nor a network", "drop somewhere")
	f(2, "is no time", "set --author ana --expires soon 8.8.8.8 benign")
	f(2, "takes 2 operands", "set 8.8.8.8")
	f(2, "want set, list or drop", "make")
}

func TestExpiryOf(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{"90d": "2027-02-23T12:00:00Z", "12h": "2026-11-26T00:00:00Z", "2027-01-31": "2027-01-31T00:00:00Z"} {
		if got, err := expiryOf(text, now); err != nil || got.Format(time.RFC3339) != want {
			t.Errorf("%s: %v %v, want %s", text, got, err, want)
		}
	}
	if got, err := expiryOf("", now); err != nil || !got.IsZero() {
		t.Errorf("none: %v %v", got, err)
	}
	for _, text := range []string{"d", "-1d", "99999d", "1.5d", "tomorrow", "2027-13-01"} {
		if got, err := expiryOf(text, now); err == nil {
			t.Errorf("%s is read as %v", text, got)
		}
	}
}
