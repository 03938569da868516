package reputation

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"picket"
	"picket/state"
)

// newService opens a Service on a fresh state, or on that of path.
func newService(t testing.TB, path string, o Options) *Service {
	t.Helper()
	db, err := state.Open(t.Context(), state.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(t.Context()) })
	return New(db, o)
}

func sampleProfile() state.Profile {
	return state.Profile{
		IP: netip.MustParseAddr("51.89.153.112"), Ttps: []string{"known-ssh-attack", "known-apache-attack", "known-brute-force-attack"},
		Techniques: []string{"T1110.001", "T1595"}, Sources: []string{"decoy ssh-1", "decoy web-2"},
		Verdict: "malicious", Confidence: 85, IndicatorOfIntelligence: "human", CountryCode: "FR", Asn: 16276, AsOrganization: "OVH, SAS",
		FirstSeen: time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC), LastSeen: time.Date(2026, 11, 22, 8, 15, 30, 0, time.UTC),
	}
}

var byAddr = cmp.Comparer(func(a, b netip.Addr) bool { return a == b })

// The three formats say the same of the same addresses.
func TestImportFormats(t *testing.T) {
	for _, name := range []string{"sample.ndjson", "sample.json", "sample.csv"} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, "", Options{})
			f, err := os.Open(filepath.Join("testdata", name))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			got, err := s.Import(t.Context(), f, name)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(Imported{Records: 3, Added: 3}, got); diff != "" {
				t.Error(diff)
			}
			for _, want := range []state.Profile{
				sampleProfile(),
				{IP: netip.MustParseAddr("2a01:4f8::7"), Verdict: "benign", Sources: []string{"published ranges"}},
				{IP: netip.MustParseAddr("45.9.20.1"), Verdict: "malicious", Ttps: []string{"known-bot"}},
			} {
				p, ok, err := s.db.Profile(t.Context(), want.IP)
				if err != nil || !ok {
					t.Fatalf("%s: ok=%v err=%v", want.IP, ok, err)
				}
				if diff := cmp.Diff(want, p, byAddr, cmpopts.EquateEmpty()); diff != "" {
					t.Errorf("%s:\n%s", want.IP, diff)
				}
			}
		})
	}
}

func TestImportReplaces(t *testing.T) {
	s := newService(t, "", Options{})
	f := func(file string, want Imported) {
		t.Helper()
		got, err := s.Import(t.Context(), strings.NewReader(file), "file")
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	f(`{"ip":"8.8.8.8","ttps":["known-bot"],"asn":15169}`, Imported{Records: 1, Added: 1})
	f("{\"ip\":\"8.8.8.8\",\"ttps\":[]}\n\n{\"ip\":\"9.9.9.9\",\"ttps\":[]}", Imported{Records: 2, Added: 1, Replaced: 1})
	p, ok, err := s.db.Profile(t.Context(), netip.MustParseAddr("8.8.8.8"))
	if !ok || err != nil || len(p.Ttps) > 0 || p.Asn != 0 || p.Verdict != "unknown" {
		t.Errorf("%+v %v %v: what was known before is still there", p, ok, err)
	}
	f(`[]`, Imported{})
	f(`[{"ip":"8.8.8.8","ttps":["x-attack"]},{"ip":"8.8.4.4","ttps":["x-attack"]},{"ip":"10.0.0.1"}]`, Imported{
		Records: 3, Added: 2, Replaced: 1,
		Warnings: []Problem{
			{1, "ttps", `"x-attack" is not one of Prowl's labels: some clients block all traffic for a label they do not know`},
			{1, "ip", "10.0.0.1 is never looked up: private-use (RFC 1918)"},
		},
	})
	e := NewEngine(s.db, EngineOptions{Locals: []Local{Store{DB: s.db}}})
	if p := e.Lookup(t.Context(), netip.MustParseAddr("10.0.0.1"), Caller{}); p.Status != StatusSkipped {
		t.Error("a private address is answered for")
	}
}

func TestImportRefuses(t *testing.T) {
	s := newService(t, "", Options{})
	f := func(file string, want ...string) {
		t.Helper()
		_, err := s.Import(t.Context(), strings.NewReader(file), "bad.txt")
		if picket.CodeOf(err) != picket.Invalid {
			t.Fatalf("err = %v, want code invalid", err)
		}
		lines := strings.Split(err.Error(), "\n  ")[1:]
		if diff := cmp.Diff(want, lines); diff != "" {
			t.Error(diff)
		}
	}
	f("", "line 1: the file is empty: want JSON objects, one a line, a JSON array, or CSV with a header")
	f(`{"ip":"8.8.8.8","ttps":["T1110"]}`,
		`line 1: ttps: "T1110" is an ATT&CK technique: put it in techniques (clients block every address with a label they do not know)`)
	f(`{"ip":"8.8.8.8","ttps":["benign"]}`, `line 1: ttps: "benign" is a verdict, not a hostile act: put it in verdict`)
	f(`{"ip":"8.8.8.8","ttps":["bot"]}`, `line 1: ttps: "bot" is not a label: write known-bot if it attacks, or put bot in indicator_of_intelligence`)
	f(`{"ip":"8.8.8.8","ttps":["known-tor"]}`, `line 1: ttps: "known-tor" is not a hostile act: leave it out, because clients block an address for any label`)
	f(`{"ip":"8.8.8.8","ttps":["a b"]}`, `line 1: ttps: "a b" is not a label: one has 1 to 64 letters, digits and -_.:, for example known-ssh-attack`)
	f(`{"ip":"8.8.8.8","ttps":"known-bot"}`, `line 1: ttps: want a list of texts, found "\"known-bot\""`)
	f(`{"ip":"8.8.8.8","verdict":"benign","ttps":["known-bot"]}`, "line 1: verdict: benign contradicts ttps: clients block an address for any label")
	f(`{"ttps":[]}`, "line 1: ip: is missing")
	f(`{"ip":null}`, "line 1: ip: is missing")
	f(`{"ip":["8.8.8.8"]}`, `line 1: ip: want a text or number, found "[\"8.8.8.8\"]"`)
	f("{\"ip\":\"8.8.8.8\"}\n{\"ip\":\"::ffff:8.8.8.8\"}", "line 2: ip: 8.8.8.8 is on line 1 already: keep one of them")
	f("{\n\"ip\":\"8.8.8.8\"}",
		`line 1: want one whole JSON object a line, or one array of objects, found "{"`,
		`line 2: want one whole JSON object a line, or one array of objects, found "\"ip\":\"8.8.8.8\"}"`)
	f("{\"ip\":\"08.8.8.8\"}\n{\"ip\":\"fe80::1%eth0\"}\n{\"ip\":\"10.0.0.0/8\"}\n",
		`line 1: ip: want an IPv4 or IPv6 address without zone, port or leading zeros, found "08.8.8.8"`,
		`line 2: ip: want an IPv4 or IPv6 address without zone, port or leading zeros, found "fe80::1%eth0"`,
		`line 3: ip: want one address, found the network "10.0.0.0/8": write a record for each address`)
	f("[\n{\"ip\":\"8.8.8.8\",\"confidence\":101},\n\n  {\"ip\":\"8.8.8.8\",\"tpps\":[]},\n7,{\"ip\":\"8.8.4.4\",\"asn\":\"AS4294967296\"}",
		`line 2: confidence: want a whole number from 0 (not stated) to 100, found "101"`,
		`line 4: no field is called "tpps": want some of ip, ttps, techniques, verdict, confidence, indicator_of_intelligence, country_code, asn, as_organization, first_seen, last_seen, sources`,
		`line 5: want one whole JSON object a line, or one array of objects, found "7"`,
		`line 5: asn: want a number up to 4294967295 such as 64496, found "AS4294967296"`,
		"line 5: the array is not closed by ]")
	f("[{\"ip\":\"8.8.8.8\"},\n{\"ip\":}]", "line 2: not JSON, the rest was not read: invalid character '}' looking for beginning of value")
	f("[]\n[]", `line 2: want nothing after the array, found "[]"`)
	f(`{"ip":"8.8.8.8","verdict":"bad","techniques":["1110"],"country_code":"DEU","first_seen":"yesterday","last_seen":"1889-01-01","as_organization":"a\u0000b","indicator_of_intelligence":"T 1","sources":[""]}`,
		`line 1: techniques: want an ATT&CK technique such as T1110 or T1110.001, found "1110"`,
		`line 1: verdict: want malicious, suspicious, benign or unknown, found "bad"`,
		`line 1: indicator_of_intelligence: want a word such as human or bot, found "T 1"`,
		`line 1: country_code: want two letters such as DE (ISO 3166-1), found "DEU"`,
		`line 1: as_organization: want UTF-8 without control characters, found "a\x00b"`,
		`line 1: first_seen: want a time since 1990 such as 2026-11-23T03:40:00Z or 2026-11-23, found "yesterday"`,
		`line 1: last_seen: want a time since 1990 such as 2026-11-23T03:40:00Z or 2026-11-23, found "1889-01-01"`,
		"line 1: sources: want a text, found none")
	f(`{"ip":"8.8.8.8","first_seen":"2026-02-02","last_seen":"2026-02-01"}`, "line 1: first_seen: is after last_seen")
	f("ip,score\n", `line 1: no field is called "score": want some of ip, ttps, techniques, verdict, confidence, indicator_of_intelligence, country_code, asn, as_organization, first_seen, last_seen, sources`)
	f("ttps\nknown-bot\n", "line 1: ip: the header has no such column")
	f("ip,IP\n", "line 1: ip: the header has this column twice")
	f("ip,ttps\n8.8.8.8\n1.1.1.1,known-bot,\n8.8.4.4,T1110\n",
		"line 2: want 2 cells, as the header has, found 1",
		"line 3: want 2 cells, as the header has, found 3",
		`line 4: ttps: "T1110" is an ATT&CK technique: put it in techniques (clients block every address with a label they do not know)`)
	f("ip\n8.8.8.8\n\"8.8\n", `line 3: not CSV, the rest was not read: extraneous or missing " in quoted-field`)
	long := strings.Repeat("x", 8<<20)
	f("\n{\"ip\":\""+long+"\"}", "line 2: the line has more than 1048576 bytes, the rest was not read: want one JSON object a line")
	f("[{\"ip\":\"8.8.8.8\"},\n\n{\"ip\":\""+long+"\"}]", "line 3: not JSON, the rest was not read: a record has more than 1048576 bytes")
	f("ip\n8.8.8.8\n\""+long+"\n\"", "line 3: not CSV, the rest was not read: a record has more than 1048576 bytes")
	f("\n\nip\n8.8.8\n", `line 4: ip: want an IPv4 or IPv6 address without zone, port or leading zeros, found "8.8.8"`)
	f("{\"ip\":\"8.8.8.8\"}\n{\"ip\":\"1.1.1.1\"}\n{\"ip\":\"8.8.8.8\"}\n{\"ip\":\"1.1.1.1\"}\n",
		"line 3: ip: 8.8.8.8 is on line 1 already: keep one of them", "line 4: ip: 1.1.1.1 is on line 2 already: keep one of them")
	f(strings.Repeat("{}\n", 25), append(repeated("line %d: ip: is missing", 20), "and 5 more")...)

	if _, ok, _ := s.db.Profile(t.Context(), netip.MustParseAddr("8.8.8.8")); ok {
		t.Error("a record of a refused file was imported")
	}
}

func repeated(format string, n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf(format, i+1))
	}
	return out
}

func TestSortLabels(t *testing.T) {
	got := SortLabels([]string{"known-bot", "x", "known-brute-force-attack", "web-brute-force", "known-apache-attack", "a", "known-ssh-attack", "known-bot"})
	want := []string{"known-ssh-attack", "known-apache-attack", "web-brute-force", "x", "a", "known-brute-force-attack", "known-bot"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// FuzzImport: no file makes the parser panic, and what it lets through is fit to
// be served.
func FuzzImport(f *testing.F) {
	for _, name := range []string{"sample.ndjson", "sample.json", "sample.csv"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte("\xef\xbb\xbf[{\"ip\":\"::1\",\"ttps\":null}]"))
	f.Add([]byte("ip,ttps\n1.1.1.1,known-bot;x|y z\n"))
	skip := NewSkipper(SkipOptions{})
	f.Fuzz(func(t *testing.T, data []byte) {
		var profiles []state.Profile
		im := importer{skip: skip, labels: map[string]bool{}, put: func(p *state.Profile, _ int) error { profiles = append(profiles, *p); return nil }}
		if err := im.read(bytes.NewReader(data)); err != nil {
			t.Fatal(err)
		}
		lines := bytes.Count(data, []byte("\n")) + 1
		for _, p := range append(im.problems, im.warnings...) {
			if p.Line < 1 || p.Line > lines || p.Msg == "" {
				t.Errorf("%+v in a file of %d lines", p, lines)
			}
		}
		if len(im.problems) > maxProblems || len(im.warnings) > maxProblems {
			t.Errorf("%d problems, %d warnings", len(im.problems), len(im.warnings))
		}
		for _, p := range profiles {
			if !p.IP.IsValid() || p.IP.Zone() != "" || p.IP.Is4In6() {
				t.Errorf("address %q", p.IP)
			}
			if p.Verdict == "" || p.Confidence < 0 || p.Confidence > 100 || p.Asn < 0 {
				t.Errorf("%+v", p)
			}
			for _, l := range p.Ttps {
				if problem := labelProblem(l); problem != "" {
					t.Errorf("%q %s", l, problem)
				}
			}
		}
	})
}
