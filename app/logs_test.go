package app

import (
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// ask runs a query over HTTP as an administrator and returns the rows as JSON.
func ask(t *testing.T, a *App, query string) string {
	t.Helper()
	at, err := ReadLocator(a.Data())
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]string{"query": query})
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), "POST", a.URL()+"/v1/workspaces/default/query", strings.NewReader(string(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+at.Token.Reveal())
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Tables []struct{ Rows json.RawMessage }
	}
	if err := json.Unmarshal(text, &answer); err != nil || len(answer.Tables) == 0 {
		t.Fatalf("%s: %s", query, text)
	}
	return string(answer.Tables[0].Rows)
}

// TestLogs has a server whose configuration names logs of several formats, and
// a journal.
func TestLogs(t *testing.T) {
	cfg := testConfig(t)
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	access := func(client string) string {
		return client + ` - - [25/Nov/2026:13:44:24 +0100] "GET /wp-login.php?a=b HTTP/1.1" 404 5 "-" "curl/8"` + "\n"
	}
	write("nginx-access.log", access("203.0.113.7"))
	packed, err := os.Create(filepath.Join(dir, "nginx-access.log.2.gz"))
	if err != nil {
		t.Fatal(err)
	}
	z := gzip.NewWriter(packed)
	if _, err := io.WriteString(z, access("203.0.113.8")+access("2001:db8::1")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if err := packed.Close(); err != nil {
		t.Fatal(err)
	}
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(packed.Name(), past, past); err != nil {
		t.Fatal(err)
	}
	write("app.jsonl", `{"ts":"2026-11-25T13:44:24Z","client":{"ip":"203.0.113.9"},"bytes":7,"extra":"kept"}`+"\nno JSON\n"+strings.Repeat("z", 999)+"\n")
	write("journalctl", "#!/bin/sh\necho '{\"__CURSOR\":\"1\",\"MESSAGE\":\"from the journal\",\"_HOSTNAME\":\"web1\"}'\nexec sleep 1000\n")
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	config := filepath.Join(dir, "picket.yaml")
	write("picket.yaml", `
journald: true
logs:
  - `+filepath.Join(dir, "nginx-access.log*")+`
  - path: `+filepath.Join(dir, "*.jsonl")+`
    format: json
    max_bytes: 256
    table: App_CL
    time: ts
    columns: {Address: {type: string, from: client.ip}, Bytes: {type: long, from: bytes}}
`)
	loaded, err := LoadConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Logs, cfg.Journald = loaded.Logs, loaded.Journald
	a, stop := start(t, cfg)
	deadline := time.After(30 * time.Second)
	for look := time.NewTicker(10 * time.Millisecond); a.files.Stats().Committed < 6 || a.journal.Stats().Committed < 1; {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatalf("files: %+v, journal: %+v", a.files.Stats(), a.journal.Stats())
		}
	}
	f := func(query, want string) {
		t.Helper()
		if got := ask(t, a, query); got != want {
			t.Errorf("%s:\ngot  %s\nwant %s", query, got, want)
		}
	}
	f("NGINX_CL | summarize by cIP, csMethod, csUriStem, csUriQuery, scStatus | sort by cIP asc | project strcat(cIP, ' ', csMethod, ' ', csUriStem, ' ', csUriQuery, ' ', scStatus)",
		`[["2001:db8::1 GET /wp-login.php a=b 404"],["203.0.113.7 GET /wp-login.php a=b 404"],["203.0.113.8 GET /wp-login.php a=b 404"]]`)
	f("NGINX_CL | where RawData has 'curl' and FilePath endswith 'nginx-access.log' and TimeGenerated > ago(5m) and EventTime == datetime(2026-11-25T12:44:24Z) | count", "[[3]]")
	f("App_CL | where RawData startswith 'z' | project strlen(RawData), RawData endswith 'z …[cut]'", "[[263,true]]")
	f("App_CL | where RawData !startswith 'z' | sort by RawData asc | project Address, Bytes, tostring(AdditionalFields.extra), EventTime, RawData",
		`[["203.0.113.9",7,"kept","2026-11-25T13:44:24Z",""],["",null,"",null,"no JSON"]]`)
	f("Syslog | where SyslogMessage == 'from the journal' | project Computer, Facility", `[["web1","daemon"]]`)
	if err := stop(); err != nil {
		t.Error(err)
	}
}
