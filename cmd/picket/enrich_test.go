package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

func placed(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestAnnotate: every byte of the text comes back, with notes before the ends of lines.
func TestAnnotate(t *testing.T) {
	data := t.TempDir()
	picketIn(t, "verdict", "set", "--data", data, "--author", "ada", "1.1.1.1", "malicious")
	const eight, one, ten, net = "  [8.8.8.8 unknown]", "  [1.1.1.1 malicious 100%]", "  [10.0.0.1 skipped: private-use (RFC 1918)]", "  [8.8.8.0/24 skipped: a network, not an address]"
	long := strings.Repeat("x", 3<<20)
	for _, tt := range []struct{ name, text, want string }{
		{"empty", "", ""},
		{"no address", "a\n\nb\n", "a\n\nb\n"},
		{"once a line", "8.8.8.8 to 1.1.1.1 and 8.8.8.8\n8.8.8.8\n", "8.8.8.8 to 1.1.1.1 and 8.8.8.8" + eight + one + "\n8.8.8.8" + eight + "\n"},
		{"CRLF", "8.8.8.8\r\n\r\nb\r\n", "8.8.8.8" + eight + "\r\n\r\nb\r\n"},
		{"CR within", "a\rb 8.8.8.8\r\r\n", "a\rb 8.8.8.8\r" + eight + "\r\n"},
		{"no end", "10.0.0.1", "10.0.0.1" + ten + "\n"},
		{"network", "8.8.8.0/24 10.0.0.1/32\n", "8.8.8.0/24 10.0.0.1/32" + net + ten + "\n"},
		{"binary", "\x00\xff 8.8.8.8 \xfe\n", "\x00\xff 8.8.8.8 \xfe" + eight + "\n"},
		{"long line", "8.8.8.8 " + long + " 1.1.1.1 8.8.8.8\r\n8.8.8.8\n", "8.8.8.8 " + long + " 1.1.1.1 8.8.8.8" + eight + one + "\r\n8.8.8.8" + eight + "\n"},
	} {
		var packed bytes.Buffer
		z := gzip.NewWriter(&packed)
		_, _ = z.Write([]byte(tt.text))
		_ = z.Close()
		plain := placed(t, filepath.Join(t.TempDir(), "a.log"), tt.text)
		gz := placed(t, plain+".gz", packed.String())
		// Two files in a row are not mixed up.
		if got := picketIn(t, "enrich", "--data", data, "--local", "--annotate", plain, gz); got != tt.want+tt.want {
			t.Errorf("%s:\n got %.300q\nwant %.300q", tt.name, got, tt.want+tt.want)
		}
	}
}

// TestEnrichWaits: who is over a limit is shown as waiting until a date, in every form,
// and so is what is not to be paid for.
func TestEnrichWaits(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/later") {
			w.Header().Set("Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		fmt.Fprint(w, `{"bad":true}`)
	}))
	defer srv.Close()
	data := t.TempDir()
	description := "name: %s\ntitle: %s\nkey: none\nreliability: A\nprice_usd: %s\nrequest: {url: \"" + srv.URL + "/%[1]s/{ip}\"}\nanswer: 'if .bad then {verdict: \"malicious\", confidence: 90} else {} end'\n"
	placed(t, filepath.Join(data, "providers", "later.yaml"), fmt.Sprintf(description, "later", "Later", "0"))
	placed(t, filepath.Join(data, "providers", "dear.yaml"), fmt.Sprintf(description, "dear", "Dear", "0.4"))
	log := placed(t, filepath.Join(t.TempDir(), "a.log"), "45.83.64.1\n45.83.64.1\n45.83.64.2\n45.83.64.3\n10.0.0.1\n")
	text := picketIn(t, "enrich", "--data", data, "--format", "json", "--max-cost", "0.8", log)
	var rows []struct {
		IPAddress, Status, Reason string
		Verdict                   string
		Hits                      int
		Cost                      float64 `json:"cost_usd"`
		Sources                   []struct {
			Source, State string
			Until         time.Time
		}
	}
	if err := json.Unmarshal([]byte(text), &rows); err != nil || len(rows) != 4 {
		t.Fatalf("%v\n%s", err, text)
	}
	var cost float64
	waits := regexp.MustCompile(`; Later waits until 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	verdicts := map[string]int{}
	for _, r := range rows[:3] {
		cost += r.Cost
		verdicts[r.Verdict]++
		if r.Status != "partial" || !waits.MatchString(r.Reason) || (r.Verdict == "unknown") != strings.Contains(r.Reason, "not to be paid for: Dear") {
			t.Errorf("%+v", r)
		}
	}
	if cost != 0.8 || verdicts["malicious"] != 2 || verdicts["unknown"] != 1 || rows[3].Status != "skipped" {
		t.Errorf("$%v, %v\n%s", cost, verdicts, text)
	}
	for _, args := range []string{"enrich --format table", "enrich --format csv", "enrich --format ndjson", "enrich --annotate", "lookup"} {
		operand := log
		if args == "lookup" {
			operand = "45.83.64.1"
		}
		if got := picketIn(t, append(strings.Fields(args), "--data", data, operand)...); !regexp.MustCompile(`waits until 20\d\d-`).MatchString(got) {
			t.Errorf("%s does not say so:\n%s", args, got)
		}
	}
}

// TestEnrichSTIX: a bundle is what STIX 2.1 wants: identifiers of a type and a UUID,
// the deterministic ones for observables, the version on each object, no empty lists.
func TestEnrichSTIX(t *testing.T) {
	data := t.TempDir()
	picketIn(t, "verdict", "set", "--data", data, "--author", "o'ada", "1.1.1.0/24", "malicious")
	log := placed(t, filepath.Join(t.TempDir(), "a.log"), "1.1.1.1 2606:4700::1111 10.0.0.1 8.8.8.0/24\n")
	var bundle struct {
		Type, ID string
		Objects  []map[string]any
	}
	text := picketIn(t, "enrich", "--data", data, "--local", "--format", "stix", log)
	if err := json.Unmarshal([]byte(text), &bundle); err != nil {
		t.Fatal(err)
	}
	id := regexp.MustCompile(`^([a-z0-9-]+)--[0-9a-f]{8}-[0-9a-f]{4}-[45][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)
	if m := id.FindStringSubmatch(bundle.ID); bundle.Type != "bundle" || m == nil || m[1] != "bundle" {
		t.Errorf("%s %s", bundle.Type, bundle.ID)
	}
	byType, ids := map[string]map[string]any{}, map[string]bool{}
	for _, o := range bundle.Objects {
		m := id.FindStringSubmatch(fmt.Sprint(o["id"]))
		if m == nil || m[1] != o["type"] || o["spec_version"] != "2.1" {
			t.Errorf("%v", o)
		}
		for name, v := range o {
			if list, ok := v.([]any); ok && len(list) == 0 || v == "" || v == nil {
				t.Errorf("%s of %s is empty", name, o["id"])
			}
		}
		byType[fmt.Sprint(o["type"])] = o
		ids[fmt.Sprint(o["id"])] = true
	}
	if len(bundle.Objects) != 4 || len(byType) != 4 || len(ids) != 4 {
		t.Fatalf("%s", text)
	}
	// The identifier that STIX 2.1 has for this address, section 2.9.
	if got := byType["ipv4-addr"]; got["value"] != "1.1.1.1" || got["id"] != "ipv4-addr--cbd67181-b9f8-595b-8bc3-3971e34fa1cc" {
		t.Errorf("%v", got)
	}
	ind, rel := byType["indicator"], byType["relationship"]
	stamped := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$`)
	for _, field := range []string{"created", "modified", "valid_from"} {
		if !stamped.MatchString(fmt.Sprint(ind[field])) {
			t.Errorf("%s: %v", field, ind[field])
		}
	}
	if ind["pattern"] != "[ipv4-addr:value = '1.1.1.1']" || ind["pattern_type"] != "stix" || ind["confidence"] != 100.0 {
		t.Errorf("%v", ind)
	}
	if rel["source_ref"] != ind["id"] || rel["target_ref"] != byType["ipv4-addr"]["id"] {
		t.Errorf("%v", rel)
	}
	empty := placed(t, filepath.Join(t.TempDir(), "b.log"), "nothing\n")
	if text := picketIn(t, "enrich", "--data", data, "--local", "--format", "stix", empty); strings.Contains(text, "objects") {
		t.Errorf("an empty list:\n%s", text)
	}
}

// TestEnrichEndlessInput: what comes is told as it comes, and a signal ends the wait for
// more.
func TestEnrichEndlessInput(t *testing.T) {
	for _, args := range []string{"enrich --extract-only -", "enrich --annotate --local -", "enrich --local -"} {
		in, feed := io.Pipe()
		out, lines := io.Pipe()
		ctx, cancel := context.WithCancel(t.Context())
		code := make(chan int, 1)
		go func() {
			defer lines.Close()
			code <- run(ctx, append(strings.Fields(args), "--data", t.TempDir()), stdio{in, lines, io.Discard})
		}()
		if _, err := io.WriteString(feed, "from 8.8.8.8 port 1\n"); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(args, "--local -") || strings.Contains(args, "annotate") {
			buf := make([]byte, 7)
			if _, err := io.ReadFull(out, buf); err != nil {
				t.Fatalf("%s: %v", args, err)
			}
		}
		cancel()
		_, _ = io.Copy(io.Discard, out)
		if c := <-code; c != 1 {
			t.Errorf("%s: exit code %d", args, c)
		}
		feed.Close()
	}
}

func TestEnrichMaxCost(t *testing.T) {
	for _, amount := range []string{"NaN", "-0.01", "Inf", "1e300"} {
		if _, errs, code := runPicket(t, "", "enrich", "--data", t.TempDir(), "--max-cost", amount, "-"); code != 2 || !strings.Contains(errs, "want 0 to 1000000000 USD") {
			t.Errorf("%s: exit code %d, %s", amount, code, errs)
		}
	}
}
