package reputation

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func gz(t *testing.T, s string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// datasets makes Datasets of one set whose file has the text.
func datasets(t *testing.T, description, text string) (*Datasets, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "data")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	d, err := ParseDataset("set.yaml", []byte(strings.ReplaceAll(description, "FILE", file)))
	if err != nil {
		t.Fatal(err)
	}
	l := NewDatasets("", []*Dataset{d}, nil, nil)
	return l, l.Load()
}

const (
	asnSet   = "name: asn\nkind: asn\nformat: tsv\ncolumns: [start, end, asn, country, org]\nfiles: [FILE]\nreliability: B\n"
	csvSet   = "name: asn\nkind: asn\nformat: csv\ncolumns: [start, end, asn, org]\nfiles: [FILE]\nreliability: B\n"
	blockSet = "name: bad\ntitle: Bad Hosts\nkind: block\nformat: %s\nfiles: [FILE]\nreliability: C\nsays: {verdict: malicious, confidence: 80, labels: [known-ssh-attack]}\n"
)

func TestDatasetsFormats(t *testing.T) {
	block := func(format string) string { return strings.Replace(blockSet, "%s", format, 1) }
	for name, tt := range map[string]struct{ set, text, in, out string }{
		"tsv":            {asnSet, "1.0.0.0\t1.0.0.255\t13335\tUS\tCLOUDFLARENET\n1.0.1.0\t1.0.3.255\t0\tNone\tNot routed\n", "1.0.0.7", "1.0.1.7"},
		"tsv, gzip":      {asnSet, gz(t, "1.0.0.0\t1.0.0.255\t13335\tUS\tCLOUD \"FLARE\"\n"), "1.0.0.7", "1.0.1.7"},
		"csv":            {csvSet, "1.0.0.0,1.0.0.255,13335,\"Cloudflare, Inc.\"\n2001::,2001::ffff,6939,HE\n", "2001::7", "2001::1:0"},
		"cidr":           {block("cidr"), "# comment\n\n198.51.100.0/24 ; SBL1\n2001:db8::/32\n203.0.113.9\n", "203.0.113.9", "203.0.113.8"},
		"cidr, mark":     {block("cidr"), "\ufeff198.51.100.0/24\r\n", "198.51.100.1", "198.51.101.1"},
		"cidr, mapped":   {block("cidr"), "::ffff:198.51.100.0/120\n", "198.51.100.1", "198.51.101.1"},
		"csv, mark":      {csvSet, "\ufeff1.0.0.0,1.0.0.255,13335,\"Cloudflare, Inc.\"\r\n", "1.0.0.7", "1.0.1.7"},
		"cidr, IPv6":     {block("cidr"), "2001:db8::/32\n", "2001:db8::5", "2001:db9::5"},
		"spamhaus":       {block("spamhaus"), `{"cidr":"1.10.16.0/20","sblid":"SBL256894","rir":"apnic"}` + "\n" + `{"type":"metadata","timestamp":1790329442,"records":1}` + "\n", "1.10.17.1", "1.10.32.1"},
		"tor":            {block("tor"), "ExitNode A\nPublished 2026-11-24 10:00:00\nExitAddress 185.220.101.1 2026-11-24 11:00:00\n", "185.220.101.1", "185.220.101.2"},
		"misp":           {block("misp"), `{"name":"List","type":"cidr","list":["198.51.100.0/24","2001:db8::1"]}`, "2001:db8::1", "2001:db8::2"},
		"a few bad rows": {block("cidr"), strings.Repeat("198.51.100.0/24\n", 20) + "nonsense\n", "198.51.100.1", "198.51.101.1"},
	} {
		l, err := datasets(t, tt.set, tt.text)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := l.Look(nil, netip.MustParseAddr(tt.in)); len(got) != 1 || got[0].Network == "" {
			t.Errorf("%s: %s: %+v", name, tt.in, got)
		}
		if got := l.Look(nil, netip.MustParseAddr(tt.out)); len(got) != 0 {
			t.Errorf("%s: %s: %+v", name, tt.out, got)
		}
	}
}

func TestDatasetsRefuses(t *testing.T) {
	block := strings.Replace(blockSet, "%s", "cidr", 1)
	for text, want := range map[string]string{
		"":                         "there is no network in it",
		"<html>no</html>\n":        "there is no network in it (format cidr); line 1: want a network",
		"192.0.2.0/24\nx\n":        "1 of 2 rows are no good, the first: line 2",
		"192.0.2.0/33\n":           "line 1: want a network",
		"\x1f\x8bnot gzip, though": "gzip",
	} {
		if _, err := datasets(t, block, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want …%s…", text, err, want)
		}
	}
}

func TestDatasetsSays(t *testing.T) {
	l, err := datasets(t, strings.Replace(blockSet, "%s", "cidr", 1), "198.51.100.0/24\n198.51.100.7\n")
	if err != nil {
		t.Fatal(err)
	}
	got := l.Look(nil, netip.MustParseAddr("198.51.100.7"))
	if len(got) != 1 || got[0].Verdict != Malicious || got[0].State != Hit || got[0].Network != "198.51.100.7/32" || got[0].Title != "Bad Hosts" || got[0].Labels[0] != "known-ssh-attack" {
		t.Errorf("%+v", got)
	}
	if p := Merge(netip.MustParseAddr("198.51.100.7"), got, nil, time.Now()); p.Verdict != Suspicious {
		t.Errorf("one list of middling reliability makes it %s", p.Verdict)
	}
}

func TestAllowTiers(t *testing.T) {
	for tier, want := range map[string]struct {
		verdict Verdict
		class   string
		skip    bool
	}{"skip": {"", "", true}, "benign": {Benign, "", false}, "scanner": {"", "scanner", false}, "context": {"", "cdn", false}} {
		set := "name: ok\ntitle: OK\nkind: allow\nformat: cidr\nfiles: [FILE]\nreliability: B\ntier: " + tier + "\n"
		if tier == "context" {
			set += "says: {classes: [cdn]}\n"
		}
		l, err := datasets(t, set, "198.51.100.0/24\n")
		if err != nil {
			t.Fatal(err)
		}
		ip := netip.MustParseAddr("198.51.100.1")
		if why := l.Skip(ip); (why != "") != want.skip {
			t.Errorf("%s: skip %q", tier, why)
		}
		f := l.Look(nil, ip)[0]
		if f.Verdict != want.verdict || want.class != "" && (len(f.Classes) != 1 || f.Classes[0] != want.class) {
			t.Errorf("%s: %+v", tier, f)
		}
	}
}

// TestDatasetsReload: files that change are read again, and one that is no good
// leaves what was known.
func TestDatasetsReload(t *testing.T) {
	l, err := datasets(t, strings.Replace(blockSet, "%s", "cidr", 1), "198.51.100.0/24\n")
	if err != nil {
		t.Fatal(err)
	}
	ip := netip.MustParseAddr("203.0.113.1")
	for _, step := range []struct {
		text string
		ok   bool
		want int
	}{{"203.0.113.0/24\n", true, 1}, {"garbage\n", false, 1}, {"198.51.100.0/24 again\n", true, 0}} {
		file := l.sets[0].Files[0]
		if err := os.WriteFile(file+".new", []byte(step.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
		if err := l.Load(); (err == nil) != step.ok {
			t.Errorf("%q: %v", step.text, err)
		}
		if got := l.Look(nil, ip); len(got) != step.want {
			t.Errorf("%q: %d findings, want %d", step.text, len(got), step.want)
		}
	}
}

func TestDatasetsUpdate(t *testing.T) {
	body, etag := "198.51.100.0/24\n", `"1"`
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if etag != "" && r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", etag)
		if body == "" {
			w.WriteHeader(http.StatusInternalServerError)
		}
		_, _ = w.Write([]byte(body))
	}))
	defer srv.Close()
	d, err := ParseDataset("set.yaml", []byte(strings.ReplaceAll(strings.Replace(blockSet, "%s", "cidr", 1), "files: [FILE]", "urls: ["+srv.URL+"/list.txt]")))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	l := NewDatasets(t.TempDir(), []*Dataset{d}, func() time.Time { now = now.Add(time.Second); return now }, nil)
	look := func(ip string) int { return len(l.Look(nil, netip.MustParseAddr(ip))) }
	var told int64
	var before time.Time
	for _, step := range []struct {
		body, etag string
		changed    bool
		fails      string
		a, b       int
	}{
		{"198.51.100.0/24\n", `"1"`, true, "", 1, 0},
		{"198.51.100.0/24\n", `"1"`, false, "", 1, 0},
		{"203.0.113.0/24\n", `"2"`, true, "", 0, 1},
		{"<html>", `"3"`, false, "the old files stay", 0, 1},
		{"", `"4"`, false, "answers HTTP 500", 0, 1},
	} {
		body, etag = step.body, step.etag
		changed, err := l.Update(t.Context(), NewClient(nil), d, func(_ string, done, _ int64) { told = done })
		if changed != step.changed || (err == nil) != (step.fails == "") || err != nil && !strings.Contains(err.Error(), step.fails) {
			t.Fatalf("%q: %v, %v", step.body, changed, err)
		}
		if err := l.Load(); err != nil {
			t.Fatal(err)
		}
		at := l.List()[0].At
		if step.fails == "" && !step.changed && !at.After(before) {
			t.Errorf("what its sender says is today's is of %s, as before", at)
		}
		before = at
		if a, b := look("198.51.100.1"), look("203.0.113.1"); a != step.a || b != step.b {
			t.Errorf("%q: %d, %d; want %d, %d", step.body, a, b, step.a, step.b)
		}
	}
	if told == 0 {
		t.Error("no progress was told")
	}
	left, _ := filepath.Glob(filepath.Join(l.dir, "bad", "*"))
	hidden, _ := filepath.Glob(filepath.Join(l.dir, "bad", ".*"))
	if len(left) != 1 || len(hidden) != 0 {
		t.Errorf("left behind: %v %v", left, hidden)
	}
}

// TestImportAge: a file that is taken in is as old as it was, and one that is no good
// leaves what was there.
func TestImportAge(t *testing.T) {
	d, err := ParseDataset("set.yaml", []byte(strings.Replace(blockSet, "%s", "cidr", 1)+"old: 30d\n"))
	if err != nil {
		t.Fatal(err)
	}
	d.Files = nil
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	l := NewDatasets(t.TempDir(), []*Dataset{d}, func() time.Time { return now }, nil)
	if got := l.List(); len(got) != 1 || !got[0].At.IsZero() {
		t.Errorf("%+v", got)
	}
	file := filepath.Join(t.TempDir(), "list.txt")
	for _, step := range []struct {
		text  string
		age   time.Duration
		fails string
		found int
	}{
		{"198.51.100.0/24\n", 24 * time.Hour, "", 1},
		{"\x89PNG\r\n\x1a\n", time.Hour, "the old files stay", 1},
		{"", time.Hour, "the old files stay", 1},
		{"198.51.100.0/24\n", 31 * 24 * time.Hour, "", 0}, // too old to say anything
	} {
		now = now.Add(time.Second)
		at := now.Add(-step.age)
		if err := os.WriteFile(file, []byte(step.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
		if err := l.Import(d, file); (err == nil) != (step.fails == "") || err != nil && !strings.Contains(err.Error(), step.fails) {
			t.Fatalf("%q: %v", step.text, err)
		}
		if err := l.Load(); err != nil {
			t.Fatal(err)
		}
		if got := l.List()[0]; step.fails == "" && !got.At.Equal(at) || got.Outdated != (step.found == 0) {
			t.Errorf("%q: %+v, want of %s", step.text, got, at)
		}
		if got := l.Look(nil, netip.MustParseAddr("198.51.100.1")); len(got) != step.found {
			t.Errorf("%q: %+v", step.text, got)
		}
	}
	if err := l.Import(d, filepath.Join(t.TempDir(), "absent")); err == nil {
		t.Error("an absent file is imported")
	}
}

func FuzzReadCIDR(f *testing.F) {
	f.Add("198.51.100.0/24 ; x\n# y\n2001:db8::1\n")
	f.Fuzz(func(t *testing.T, text string) {
		tab := newTable()
		if err := readCIDR(strings.NewReader(text), tab); err == nil && tab.rows > 0 && len(tab.entries) == 0 {
			t.Errorf("%q: rows and no entries", text)
		}
	})
}

func TestShippedDatasets(t *testing.T) {
	list, err := LoadDatasets(Shipped, "datasets")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range list {
		if d.Licence == "" || d.Doc == "" || len(d.URLs) == 0 {
			t.Errorf("%s: want doc, licence and urls", d.Name)
		}
		for _, u := range d.URLs {
			if !strings.HasPrefix(u, "https://") {
				t.Errorf("%s: %s is fetched without TLS", d.Name, u)
			}
		}
	}
}
