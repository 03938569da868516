package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"picket"
)

// openSSH is a real attacked server's log, beside the repository.
const openSSH = "../../../shared/data/openssh_2k.log"

// A real server's log: every attacker gets exactly one row, and standard
// output holds nothing but the JSON.
func TestDemoOverARealLog(t *testing.T) {
	if _, err := os.Stat(openSSH); err != nil {
		t.Skipf("the data set is not here: %v", err)
	}
	out, errs, code := runPicket(t, "", "demo", "--log", openSSH, "--once", "--format", "json")
	if code != 0 {
		t.Fatalf("exit %d\n%s", code, errs)
	}
	var rows []struct {
		IPAddress, Status, IncidentName, RunID string
		IncidentNumber                         int
		Ttps                                   []string
		CostUsd                                float64
		TimeGenerated                          time.Time
	}
	decode(t, out, &rows)
	seen := map[string]bool{}
	for _, r := range rows {
		a, err := netip.ParseAddr(r.IPAddress)
		if err != nil || seen[r.IPAddress] {
			t.Errorf("row for %q: again, or no address", r.IPAddress)
		}
		seen[a.String()] = true
		if r.Status != "not_found" || r.IncidentNumber != 1 || r.IncidentName == "" || r.CostUsd != 0.02 {
			t.Errorf("row %+v: want not_found, of incident 1, for $0.02", r)
		}
	}
	if len(rows) != 23 {
		t.Errorf("%d rows, want 23", len(rows))
	}
	if !strings.Contains(errs, "518 failed logins") {
		t.Errorf("the story lacks the 518 failed logins:\n%s", errs)
	}
}

func TestDemoOverALogWithoutAttacks(t *testing.T) {
	log := filepath.Join(t.TempDir(), "auth.log")
	if err := os.WriteFile(log, []byte("Nov 23 01:02:03 web1 sshd[1]: Server listening on 0.0.0.0 port 22.\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, errs, code := runPicket(t, "", "demo", "--log", log, "--once", "--format", "json")
	if code != 0 || strings.TrimSpace(out) != "[]" {
		t.Errorf("exit %d, stdout %q\n%s", code, out, errs)
	}
	packed := filepath.Join(t.TempDir(), "auth.log.2.gz")
	if err := os.WriteFile(packed, []byte("\x1f\x8b\x08\x00 packed"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := runPicket(t, "", "demo", "--log", packed, "--once", "--format", "json"); code != 1 || out != "" || !strings.Contains(errs, "zcat") {
		t.Errorf("compressed file: exit %d, stdout %q, stderr %q", code, out, errs)
	}
	_, errs, code = runPicket(t, "", "demo", "--log", log+".absent", "--once")
	if code != 1 || !strings.Contains(errs, "auth.log.absent") {
		t.Errorf("absent file: exit %d, stderr %q", code, errs)
	}
}

func TestDemoSample(t *testing.T) {
	out, errs, code := runPicket(t, "", "demo", "--once")
	if code != 0 {
		t.Fatalf("exit %d\n%s", code, errs)
	}
	for _, want := range []string{"Enrolled", "Received", "Detected", "Raised", "Asked", "Wrote", "203.0.113.7", "2001:db8:5ca1:ab1e::17", "10.20.0.15", "skipped", "Try next"} {
		if !strings.Contains(out, want) {
			t.Errorf("the story lacks %q", want)
		}
	}
	// Typed as a user name by the attacker 198.51.100.23; not to blame.
	if strings.Contains(out, "192.0.2.1 ") {
		t.Error("an address in a user name was taken for the attacker")
	}
	if t.Failed() {
		t.Log(out, errs)
	}
}

// witness stands for the Prowl API and counts what it is asked.
type witness struct {
	mu    sync.Mutex
	asked map[string]map[string]int // ip -> request id -> times
	keys  map[string]bool
	rand  *rand.Rand
}

func (w *witness) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	w.mu.Lock()
	ip := r.URL.Query().Get("ip")
	if w.asked[ip] == nil {
		w.asked[ip] = map[string]int{}
	}
	w.asked[ip][r.Header.Get("x-ms-client-request-id")]++
	w.keys[r.Header.Get("x-api-key")] = true
	delay := time.Duration(w.rand.IntN(80)) * time.Millisecond
	w.mu.Unlock()
	time.Sleep(delay) // a network's
	fmt.Fprintf(rw, `{"ip":%q,"ttps":["known-ssh-attack"]}`, ip)
}

// attack makes sshd's lines about n attackers with documentation addresses.
func attack(n int) (lines []string, ips []string) {
	for i := range n {
		ip := fmt.Sprintf("198.51.100.%d", i+1)
		if i%5 == 4 {
			ip = fmt.Sprintf("2001:db8::%x", i+1)
		}
		ips = append(ips, ip)
		for j := range 3 {
			lines = append(lines, fmt.Sprintf("<86>%s web1 sshd[%d]: Failed password for invalid user u%d from %s port %d ssh2", time.Now().Format(time.Stamp), 1000+i, j, ip, 40000+i*3+j))
		}
	}
	slices.Sort(ips)
	return lines, ips
}

// sendTCP sends lines over one syslog TCP connection.
func sendTCP(t *testing.T, addr string, lines []string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(conn, strings.Join(lines, "\n")+"\n"); err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Fatal(err)
	}
}

const canaryKey = "canary-key-7f3a9"

// labConfig lets documentation addresses count as public and asks the witness.
func labConfig(t *testing.T, prowl string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "picket.yaml")
	text := "force_public: [198.51.100.0/24, \"2001:db8::/32\", 127.0.0.0/8]\nrule_delay: 0s\n"
	if prowl != "" {
		text += fmt.Sprintf("prowl:\n  url: %s\n  api_key: %s\n", prowl, canaryKey)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// withoutRules makes a data folder whose rules come later: a new rule's first
// slot is at once, so a test decides when it looks.
func withoutRules(t *testing.T) string {
	t.Helper()
	data := t.TempDir()
	if err := os.Mkdir(filepath.Join(data, "rules"), 0o700); err != nil {
		t.Fatal(err)
	}
	return data
}

func addRule(t *testing.T, data string) {
	t.Helper()
	text, err := picket.Content.ReadFile("rules/ssh-failed-logins.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "rules", "ssh-failed-logins.yaml"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Killed at random points and started again, the job ends as if nothing had
// happened: one alert, one incident, one row and one lookup for every address.
func TestKilledInTheMiddle(t *testing.T) {
	const seed, kills, attackers = 7, 10, 30
	rnd := rand.New(rand.NewPCG(seed, seed))
	wit := &witness{asked: map[string]map[string]int{}, keys: map[string]bool{}, rand: rand.New(rand.NewPCG(seed, 1))}
	prowl := httptest.NewServer(wit)
	defer prowl.Close()
	config := labConfig(t, prowl.URL)
	data := withoutRules(t)

	s := startService(t, data, "--config", config)
	lines, ips := attack(attackers)
	sendTCP(t, s.syslogAddr(), lines)
	s.until("the lines are committed", func() bool { return s.one("Syslog | count") == fmt.Sprint(len(lines)) })
	// The rows are there, so they were acknowledged: a kill must not lose them.
	s.kill()
	addRule(t, data)

	for range kills {
		s = startService(t, data, "--config", config)
		time.Sleep(time.Duration(rnd.IntN(400)) * time.Millisecond) // the random point
		s.kill()
		if strings.Contains(s.log.String(), canaryKey) {
			t.Fatal("the API key is in the log")
		}
	}
	s = startService(t, data, "--config", config)
	s.until("every row is there", func() bool {
		return s.one("ProwlEnrich_CL | count") == fmt.Sprint(attackers) && s.one("SecurityIncident | where AdditionalData.commentsCount == 1 | count") != "0"
	})
	if got := s.one("Syslog | count"); got != fmt.Sprint(len(lines)) {
		t.Errorf("%s Syslog rows, want %d", got, len(lines))
	}
	if got := s.one("SecurityAlert | count"); got != "1" {
		t.Errorf("%s alerts, want 1", got)
	}
	if got := s.one("SecurityIncident | summarize dcount(IncidentNumber)"); got != "1" {
		t.Errorf("%s incidents, want 1", got)
	}
	if got := s.one("SecurityIncident | summarize n = count() by LastModifiedTime, tostring(AdditionalData) | summarize max(n)"); got != "1" {
		t.Errorf("a change of the incident is there %s times", got)
	}
	if got := s.one("SecurityIncident | summarize arg_max(TimeGenerated, *) by IncidentNumber | project toint(AdditionalData.commentsCount)"); got != "1" {
		t.Errorf("%s comments, want 1", got)
	}
	var got []string
	for _, r := range s.rows("ProwlEnrich_CL | project IPAddress, Status, CostUsd, Ttps") {
		got = append(got, r[0])
		if r[1] != "found" || r[2] != "0.02" || r[3] != `["known-ssh-attack"]` {
			t.Errorf("row %v", r)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, ips) {
		t.Errorf("rows for %v\nwant     %v", got, ips)
	}
	wit.mu.Lock()
	total := 0
	for ip, ids := range wit.asked {
		if len(ids) != 1 {
			t.Errorf("%s was looked up under %d request ids, want 1", ip, len(ids))
		}
		for _, n := range ids {
			total += n
		}
	}
	if len(wit.asked) != attackers {
		t.Errorf("%d addresses were looked up, want %d", len(wit.asked), attackers)
	}
	// Only what was under way at a kill may be asked again: ten at a time.
	if total > attackers+10*kills {
		t.Errorf("%d requests for %d addresses and %d kills", total, attackers, kills)
	}
	if len(wit.keys) != 1 || !wit.keys[canaryKey] {
		t.Error("the witness was not asked with the configured key")
	}
	wit.mu.Unlock()
	t.Logf("%d requests for %d addresses over %d kills", total, attackers, kills)
	if code := s.terminate(); code != 0 {
		t.Errorf("exit %d on SIGTERM\n%s", code, s.log)
	}
	noCanary(t, data)
}

// noCanary looks for the API key in every file of a data folder.
func noCanary(t *testing.T, data string) {
	t.Helper()
	err := filepath.WalkDir(data, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(b), canaryKey) {
			t.Errorf("the API key is in %s", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// What the server acknowledged, by reading it from the socket of a sender that
// then closed, is there after SIGTERM.
func TestTerminateLosesNothing(t *testing.T) {
	data := withoutRules(t)
	s := startService(t, data)
	var lines []string
	for i := range 20_000 {
		lines = append(lines, fmt.Sprintf("<13>1 2026-11-23T00:00:00Z h app %d - - line %d", i, i))
	}
	sendTCP(t, s.syslogAddr(), lines)
	if code := s.terminate(); code != 0 {
		t.Fatalf("exit %d\n%s", code, s.log)
	}
	s = startService(t, data)
	if got := s.one("Syslog | summarize dcount(SyslogMessage)"); got != "20000" {
		t.Errorf("%s different lines after the restart, want 20000", got)
	}
	if got := s.one("Syslog | count"); got != "20000" {
		t.Errorf("%s lines after the restart, want 20000", got)
	}
}
