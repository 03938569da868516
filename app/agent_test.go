package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"picket/agent"
	"picket/kql"
	"picket/reputation"
	"picket/state"
)

// textOf runs a query that yields one value, as text.
func textOf(t *testing.T, a *App, query string) string {
	t.Helper()
	r, err := a.Workspace.Query(t.Context(), query, kql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for row, err := range r.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fmt.Sprint(row...))
	}
	return strings.Join(out, "\n")
}

// become waits until the query yields the text.
func become(t *testing.T, a *App, query, want string) {
	t.Helper()
	got := ""
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if got = textOf(t, a, query); got == want {
			return
		}
	}
	t.Fatalf("%s:\n%s\nwant %s", query, got, want)
}

// syncBuffer is a log that is read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// runAgent runs an agent and returns what stops it, with the error it ended with.
func runAgent(t *testing.T, o agent.Options) (stop func() error, ended chan error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended = make(chan error, 1)
	go func() { ended <- agent.Run(ctx, o) }()
	var once sync.Once
	var err error
	stop = func() error {
		once.Do(func() { cancel(); err = <-ended; ended <- err })
		return err
	}
	t.Cleanup(func() { _ = stop() })
	return stop, ended
}

func appendLines(t *testing.T, path string, lines ...string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(strings.Join(lines, "\n") + "\n"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// A host enrols over TLS, its lines and heartbeats arrive, those of the time
// when the server or the agent was away, too, each once; revoked it stops.
func TestAgent(t *testing.T) {
	cfg := testConfig(t)
	a, stopServer := start(t, cfg)
	cfg.Listen, cfg.ListenTLS = a.host(), strings.TrimPrefix(a.TLSURL(), "https://")
	_, token, err := a.Reputation.CreateKey(t.Context(), reputation.NewKey{Name: "enrolment", Scopes: []string{reputation.ScopeEnrol}, Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	logs := t.TempDir()
	auth := filepath.Join(logs, "auth.log")
	line := func(i int) string {
		return fmt.Sprintf("Nov 25 10:00:00 web1 sshd[77]: Failed password for root from 203.0.113.7 port %d ssh2", i)
	}
	lines := func(from, to int) (list []string) {
		for i := from; i < to; i++ {
			list = append(list, line(i))
		}
		return list
	}
	appendLines(t, auth, lines(0, 10)...)
	var log syncBuffer
	o := agent.Options{Server: a.TLSURL(), Token: token, CA: filepath.Join(cfg.Data, CAFile), Dir: t.TempDir(), LogDir: logs,
		Host: "web1", Version: "1.2", Log: slog.New(slog.NewTextHandler(&log, nil))}
	stopAgent, _ := runAgent(t, o)
	const count = `Syslog | where Computer == "web1" and ProcessName == "sshd" | summarize strcat(count(), " ", dcount(SyslogMessage))`
	become(t, a, count, "10 10")
	become(t, a, `Heartbeat | where Computer == "web1" | take 1 | project strcat(ComputerIP, " ", Version, " ", OSType, " ", isnotempty(OSName), " ", Category)`, "127.0.0.1 1.2 Linux true Picket")
	if list := hostsOf(t, a); len(list) != 1 || list[0].LastSeen.IsZero() || list[0].Address != "127.0.0.1" {
		t.Errorf("hosts %+v", list)
	}

	// Its addresses are of the house, though they are public.
	if _, err := a.hosts().HostSeen(t.Context(), hostsOf(t, a)[0].ID, time.Now(), "198.51.100.9", []string{"8.8.8.8"}, "1"); err != nil {
		t.Fatal(err)
	}
	if why := a.sources.Skip.Reason(netip.MustParseAddr("8.8.8.8")); why != "address of the enrolled host web1" {
		t.Errorf("8.8.8.8 is skipped: %q", why)
	}

	// The server goes away; lines go on, and the agent ends, too, and starts anew.
	if err := stopServer(); err != nil {
		t.Fatal(err)
	}
	appendLines(t, auth, lines(10, 20)...)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if files, _ := filepath.Glob(filepath.Join(o.Dir, "spool", "*.batch")); len(files) > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("nothing is spooled: %s", log.String())
		}
	}
	if err := stopAgent(); err != nil {
		t.Fatal(err)
	}
	appendLines(t, auth, lines(20, 30)...)
	o.Token = "" // it has enrolled
	stopAgent, _ = runAgent(t, o)
	a, _ = start(t, cfg)
	become(t, a, count, "30 30")
	if err := stopAgent(); err != nil {
		t.Fatal(err)
	}

	// Revoked, it says so and ends.
	if err := a.Reputation.RevokeKey(t.Context(), hostsOf(t, a)[0].ID); err != nil {
		t.Fatal(err)
	}
	_, ended := runAgent(t, o)
	select {
	case err := <-ended:
		if !errors.Is(err, agent.ErrRevoked) {
			t.Errorf("a revoked host ends with %v", err)
		}
		ended <- err
	case <-time.After(time.Minute):
		t.Fatal("a revoked host goes on")
	}
	if strings.Contains(log.String(), token.Reveal()) {
		t.Error("the log shows the token")
	}
}

// A host with a rule collects what it says, and its records are transformed; it
// can send nothing else.
func TestAgentOfRule(t *testing.T) {
	cfg := testConfig(t)
	logs := t.TempDir()
	rule := `
streamDeclarations:
  Custom-App: {columns: [{name: TimeGenerated, type: datetime}, {name: user, type: string}, {name: n, type: int}, {name: RawData, type: string}]}
dataSources:
  logFiles: [{name: app, streams: [Custom-App], filePatterns: ["` + logs + `/app*.json"], format: json}]
dataFlows:
  - {streams: [Custom-App], transformKql: "source | extend User = toupper(user), N = n | project TimeGenerated, User, N, RawData", outputStream: Custom-App_CL}
`
	if err := os.Mkdir(filepath.Join(cfg.Data, rulesOfCollection), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cfg.Data, rulesOfCollection, "app.yaml"), []byte(rule), 0o600); err != nil {
		t.Fatal(err)
	}
	a, _ := start(t, cfg)
	_, token, err := a.Reputation.CreateKey(t.Context(), reputation.NewKey{Name: "enrolment", Scopes: []string{reputation.ScopeEnrol}})
	if err != nil {
		t.Fatal(err)
	}
	appendLines(t, filepath.Join(logs, "app1.json"), `{"user":"ada","n":1}`, `no JSON`, `{"user":"bob","n":"x"}`)
	o := agent.Options{Server: a.URL(), Token: token, Rule: "app", Dir: t.TempDir(), Host: "app1"}
	stopAgent, _ := runAgent(t, o)
	become(t, a, `App_CL | sort by RawData asc | project strcat(User, "|", N, "|", isnotnull(TimeGenerated), "|", RawData)`,
		"||true|no JSON\nADA|1|true|{\"user\":\"ada\",\"n\":1}\nBOB||true|{\"user\":\"bob\",\"n\":\"x\"}")

	o.Rule, o.Dir = "nope", t.TempDir()
	if err := agent.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "no data collection rule \"nope\"") {
		t.Errorf("an unknown rule: %v", err)
	}
	o.Token, o.Rule, o.Dir = "pk_wrong", "", t.TempDir()
	if err := agent.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "enrol at") {
		t.Errorf("a wrong token: %v", err)
	}
	o.Server = "http://192.0.2.1"
	if err := agent.Run(t.Context(), o); err == nil || !strings.Contains(err.Error(), "want https") {
		t.Errorf("no TLS: %v", err)
	}
	// A host's key opens nothing else, and no streams but the rule's.
	_, key := enrol(t, a, token.Reveal())
	for path, want := range map[string]int{"/v1/host/streams/Custom-ProwlEnrich_CL": 400, "/v1/host/streams/Microsoft-Syslog": 204, "/v1/keys": 403, "/v1/host/sources": 404} {
		if got := postAs(t, a, key, path, "", "[]"); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	// It waits as other senders do while many calls are being taken in.
	if err := stopAgent(); err != nil { // its heartbeat would be one of them
		t.Fatal(err)
	}
	for {
		leave, err := a.Workspace.Admit()
		if err != nil {
			break
		}
		defer leave()
	}
	if got := postAs(t, a, key, "/v1/host/streams/Microsoft-Syslog", "", "[]"); got != 429 {
		t.Errorf("a batch while the server is busy: %d", got)
	}
}

// A batch that is sent again, read at another time, is taken once.
func TestHostBatchOnce(t *testing.T) {
	a, _ := start(t, testConfig(t))
	_, token, err := a.Reputation.CreateKey(t.Context(), reputation.NewKey{Name: "enrolment", Scopes: []string{reputation.ScopeEnrol}})
	if err != nil {
		t.Fatal(err)
	}
	_, key := enrol(t, a, token.Reveal())
	for _, text := range []string{"first", "again"} {
		if got := postAs(t, a, key, "/v1/host/streams/Microsoft-Syslog", "b1", `[{"Computer":"once","SyslogMessage":"`+text+`"}]`); got != 204 {
			t.Errorf("batch: %d", got)
		}
	}
	if got := textOf(t, a, `Syslog | where Computer == "once" | project SyslogMessage`); got != "first" {
		t.Errorf("a batch that was sent twice: %s", got)
	}
}

func hostsOf(t *testing.T, a *App) []state.Host {
	t.Helper()
	list, err := a.State.Hosts(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// postAs posts JSON with a key and returns the status.
func postAs(t *testing.T, a *App, key, path, id, body string) int {
	t.Helper()
	status, _ := askAs(t, a, key, path, id, body)
	return status
}

func askAs(t *testing.T, a *App, key, path, id, body string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequest("POST", a.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	if id != "" {
		req.Header.Set("x-ms-client-request-id", id)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, text
}

// enrol enrols a host by hand.
func enrol(t *testing.T, a *App, token string) (id, key string) {
	t.Helper()
	status, text := askAs(t, a, token, "/v1/hosts", "", `{"computer":"by hand"}`)
	var h struct{ ID, Key string }
	if err := json.Unmarshal(text, &h); err != nil || status != 201 || h.Key == "" {
		t.Fatalf("enrolment: %d %s %v", status, text, err)
	}
	return h.ID, h.Key
}
