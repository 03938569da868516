package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"picket/ingest"
	"picket/kql"
)

func TestLogConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "picket.yaml")
	load := func(text string) (Config, error) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return LoadConfig(path)
	}
	c, err := load(`logs:
  - /var/log/auth.log
  - {path: "/var/log/nginx/*.log", format: nginx, max_bytes: 1000}
  - path: /srv/app/*.jsonl
    format: json
    table: App_CL
    time: ts
    columns:
      User: string
      Bytes: {type: long, from: http.bytes}
  - {path: /srv/x.csv, format: csv, table: SecurityEvent, fields: [a, b], delimiter: "\t"}
`)
	if err != nil {
		t.Fatal(err)
	}
	var got []*ingest.Format
	for _, l := range c.Logs {
		f, err := l.ingestFormat()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, f)
	}
	if got[0] != nil || got[1].Table != "NGINX_CL" || got[3].Table != "SecurityEvent" {
		t.Errorf("%+v", got)
	}
	want := []kql.Column{{Name: "User", Type: kql.String}, {Name: "Bytes", Type: kql.Long}}
	if diff := cmp.Diff(want, got[2].Columns[6:], cmpopts.EquateEmpty()); diff != "" || got[2].Table != "App_CL" {
		t.Error(diff, got[2].Table)
	}

	for text, want := range map[string]JournalConfig{
		"true": {On: true}, "false": {}, "[sshd.service, nginx*]": {On: true, Units: []string{"sshd.service", "nginx*"}},
		"{matches: [_TRANSPORT=kernel], since: -1h, directory: /j}": {On: true, Matches: []string{"_TRANSPORT=kernel"}, Since: "-1h", Directory: "/j"},
	} {
		c, err := load("journald: " + text + "\n")
		if diff := cmp.Diff(want, c.Journald); err != nil || diff != "" {
			t.Errorf("%s: %v, %s", text, err, diff)
		}
	}
	for text, want := range map[string]string{"{unit: x}": "unit", "[--file=x]": "is no unit", "{matches: [x]}": "is no match", "3": ":1:11"} {
		if _, err := load("journald: " + text + "\n"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}

	bad := func(text, want string) {
		t.Helper()
		if _, err := load("logs:\n  - " + text + "\n"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
	bad(`""`, "path is empty")
	bad(`{path: x, formt: csv}`, "formt")
	bad(`{path: x, max_bytes: 10}`, "256 to 1048576")
	bad(`[x]`, ":2:5: ")
	bad(`{path: x, format: iis}`, `unknown format "iis"; want one of syslog`)
	bad(`{path: x, format: json}`, "needs a table")
	bad(`{path: x, table: X_CL}`, "format is missing")
	bad(`{path: x, format: json, table: Syslog}`, "table Syslog has columns of its own")
	bad(`{path: x, format: json, table: a-b}`, `table "a-b"`)
	bad(`{path: x, format: syslog, table: X_CL}`, "its own table")
	bad(`{path: x, format: nginx, columns: {a: string}}`, "columns of its own")
	bad(`{path: x, format: json, table: X_CL, columns: {a: text}}`, `unknown type "text"`)
	bad(`{path: x, format: json, table: X_CL, columns: {a: {typ: string}}}`, "unknown typ")
	bad(`{path: x, format: json, table: X_CL, columns: {RawData: string}}`, "RawData is there already")
	bad(`{path: x, format: json, table: X_CL, columns: {a-b: string}}`, `column "a-b"`)
	bad(`{path: x, format: csv, table: X_CL, delimiter: ab}`, "one character")
	bad(`{path: x, format: json, table: X_CL, fields: [a]}`, "fields and delimiter are of csv")
}
