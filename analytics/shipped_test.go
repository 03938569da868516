package analytics

import (
	"bufio"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
	"picket/state"
	"picket/workspace"
)

const shipped = "../rules/ssh-failed-logins.yaml"

func openWorkspace(t *testing.T) *workspace.DB {
	t.Helper()
	ws, err := workspace.Open("", workspace.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ws.Close() })
	return ws
}

func loadShipped(t *testing.T, ws *workspace.DB) *Rule {
	t.Helper()
	data, err := os.ReadFile(shipped)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Load(filepath.Base(shipped), data, compilesIn(ws))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range r.Warnings {
		t.Error(w)
	}
	return r
}

func TestShippedRules(t *testing.T) {
	ws := openWorkspace(t)
	rules, err := LoadDir(os.DirFS(".."), "rules", compilesIn(ws))
	if err != nil || len(rules) == 0 {
		t.Fatalf("%d rules: %v", len(rules), err)
	}
}

// sshd appends messages as rows of Syslog, a second apart from at.
func sshd(t *testing.T, ws *workspace.DB, at time.Time, messages ...string) {
	t.Helper()
	b := picket.Batch{Table: "Syslog", Columns: []string{"TimeGenerated", "EventTime", "HostName", "Computer", "ProcessName", "SyslogMessage"}}
	for i, m := range messages {
		when := at.Add(time.Duration(i) * time.Second)
		b.Rows = append(b.Rows, []any{when, when, "web1", "web1", "sshd", m})
	}
	if err := ws.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func addresses(a picket.Alert) []string {
	var list []string
	for _, e := range a.Entities {
		list = append(list, e.Address())
	}
	slices.Sort(list)
	return list
}

func TestSSHRule(t *testing.T) {
	ws := openWorkspace(t)
	r := loadShipped(t, ws)
	sshd(t, ws, slot.Add(-5*time.Minute),
		"Failed password for root from 203.0.113.7 port 51022 ssh2",
		"Failed password for root from 203.0.113.7 port 51023 ssh2",
		"Failed password for invalid user admin from 2001:db8::7 port 51022 ssh2",
		"Failed password for invalid user 198.51.100.1 from 203.0.113.8 port 22 ssh2",                     // the user name is an address
		"Failed password for invalid user x from 198.51.100.2 port 22 ssh2 from 203.0.113.9 port 22 ssh2", // and here it looks like sshd's own words
		"Failed password for invalid user  from 203.0.113.10 port 4242",                                   // of an old sshd
		"Failed password for bob from 203.0.113.11",                                                       // the pattern does not match: the first address stays
		"Failed password for nobody at all",
		"Accepted password for root from 198.51.100.3 port 22 ssh2",
		"message repeated 2 times: [ Failed password for root from 198.51.100.4 port 1 ssh2]",
	)
	sshd(t, ws, slot.Add(-20*time.Minute), "Failed password for root from 198.51.100.5 port 22 ssh2") // before the window
	sshd(t, ws, slot, "Failed password for root from 198.51.100.6 port 22 ssh2")                      // after it
	alerts, stats, err := Evaluate(t.Context(), r, slot, 0, Over(ws))
	if err != nil || len(alerts) != 1 {
		t.Fatalf("%d alerts, %v", len(alerts), err)
	}
	want := []string{"2001:db8::7", "203.0.113.10", "203.0.113.11", "203.0.113.7", "203.0.113.8", "203.0.113.9"}
	if d := cmp.Diff(want, addresses(alerts[0])); d != "" {
		t.Error(d)
	}
	if stats.Rows != 6 || !alerts[0].Start.Equal(slot.Add(-5*time.Minute)) || !alerts[0].End.Equal(slot.Add(-5*time.Minute+6*time.Second)) {
		t.Errorf("%d rows from %v to %v", stats.Rows, alerts[0].Start, alerts[0].End)
	}
}

// The log of a real server under attack: 518 failed logins of 23 attackers.
func TestSSHRuleRealLog(t *testing.T) {
	f, err := os.Open("../../shared/data/openssh_2k.log")
	if err != nil {
		t.Skip("no real log: ", err)
	}
	defer f.Close()
	line := regexp.MustCompile(`^(\w+ +\d+ [\d:]+) (\S+) sshd\[\d+\]: (.*)$`)
	ws := openWorkspace(t)
	b := picket.Batch{Table: "Syslog", Columns: []string{"TimeGenerated", "EventTime", "HostName", "ProcessName", "SyslogMessage"}}
	failed := 0
	for s := bufio.NewScanner(f); s.Scan(); {
		m := line.FindStringSubmatch(s.Text())
		if m == nil {
			t.Fatalf("not a line of sshd: %q", s.Text())
		}
		at, err := time.Parse("Jan _2 15:04:05 2006", m[1]+" 2026")
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(m[3], "Failed password") {
			failed++
		}
		b.Rows = append(b.Rows, []any{at, at, m[2], "sshd", m[3]})
	}
	if err := ws.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	r := loadShipped(t, ws)
	r.Period = 24 * time.Hour
	first := b.Rows[0][0].(time.Time)
	alerts, _, err := Evaluate(t.Context(), r, first.Add(24*time.Hour), 0, Over(ws))
	if err != nil || len(alerts) != 1 {
		t.Fatalf("%d alerts, %v", len(alerts), err)
	}
	if n := len(alerts[0].Entities); n != 23 || failed != 518 {
		t.Errorf("%d attackers in %d failed logins, want 23 in 518: %v", n, failed, addresses(alerts[0]))
	}

	// By its own slots of ten minutes the rule finds the same attackers.
	st, err := state.Open(t.Context(), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close(context.Background())
	seen, raised := map[string]bool{}, 0
	s := New(ws, st, Options{Raise: func(_ context.Context, _ *sql.Tx, alerts []picket.Alert) error {
		for _, a := range alerts {
			raised++
			for _, ip := range addresses(a) {
				seen[ip] = true
			}
		}
		return nil
	}})
	r.Period = r.Frequency
	s.SetRules([]*Rule{r})
	if err := st.Launch(); err != nil {
		t.Fatal(err)
	}
	last := b.Rows[len(b.Rows)-1][0].(time.Time)
	slots := 0
	for at := first.Add(r.Frequency); at.Before(last.Add(r.Frequency + time.Second)); at = at.Add(r.Frequency) {
		slots++
		if run, err := s.RunSlot(t.Context(), r.ID, at); err != nil || run.Status != "Success" {
			t.Fatalf("%+v %v", run, err)
		}
	}
	if len(seen) != 23 {
		t.Errorf("%d attackers by slots", len(seen))
	}
	for query, want := range map[string]int64{
		"SecurityAlert | summarize n = dcount(SystemAlertId)":                                                              int64(raised),
		"SentinelHealth | where Status == 'Success' and OperationName == 'Scheduled analytics rule run' | count":           int64(slots),
		"SecurityAlert | mv-expand e = todynamic(Entities) | where e.Type == 'ip' | summarize dcount(tostring(e.Address))": 23,
		"SecurityAlert | extend p = todynamic(ExtendedProperties) | where p['Query Period'] == '00:10:00' and toint(p['Search Query Results Overall Count']) > 0 and ProductName == 'Azure Sentinel' and Techniques == '[\"T1110\"]' | count": int64(raised),
	} {
		if got := count(t, ws, query); got != want {
			t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
}

func count(t *testing.T, ws *workspace.DB, query string) int64 {
	t.Helper()
	// Rows of old logs are in the future and the past: no window.
	r, err := ws.Query(t.Context(), query, workspace.Window(time.Time{}, time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)))
	if err != nil {
		t.Fatalf("%s: %s", query, explain(err, query))
	}
	rows, err := r.Collect()
	if err != nil || len(rows) != 1 {
		t.Fatalf("%s: %v %v", query, rows, err)
	}
	n, _ := rows[0][0].(int64)
	return n
}
