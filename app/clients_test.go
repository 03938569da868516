package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/kql"
	"picket/reputation"
)

// The official clients of the query APIs are run unchanged against a whole
// server. What each of them must get is here; how it asks is in a file of its own.

// lab is a server for the clients of one language.
type lab struct {
	app *App
	key string // of the scopes query and ingest
	dir string
}

// allTypes has a value of every type, and nulls, in a row.
const allTypes = `print b = true, i = int(-5), l = 9007199254740991, r = 1.5, d = decimal(1.25), s = 'q"\\ü', t = datetime(2026-01-02T03:04:05.1234567Z), ts = 1d + 2h + 3m + 4.5s, g = guid(74be27de-1e4e-49d9-b579-fe0b331d3642), y = dynamic({"a":[1,"x"]}), n = long(null), e = ""`

// manyRows is cut off by its own limit, after more rows than fit into one piece of an answer.
const manyRows = "set truncationmaxrecords = 20000; range x from 1 to 50000 step 1 | extend text = strcat('row ', x)"

// clientRule is the id of the data collection rule in testdata/dcr.
const clientRule = "dcr-0123456789abcdef0123456789abcdef"

// uploaded checks that the client called by has sent two records, and one of them twice.
func (l lab) uploaded(t *testing.T, by string) {
	t.Helper()
	r, err := l.app.Workspace.Query(t.Context(), "Client_CL | where By == '"+by+"' | summarize Records = count(), Sum = sum(Twice), Oldest = min(TimeGenerated)", kql.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for row, err := range r.Rows() {
		if err != nil {
			t.Fatal(err)
		}
		if want := []any{int64(2), int64(6), kql.TicksOf(time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC))}; !reflect.DeepEqual(row, want) {
			t.Errorf("%s uploaded %v, want %v", by, row, want)
		}
	}
}

// endless does not end by itself in the time of a test.
const endless = "range x from 1 to 100000 step 1 | extend k = 1 | join kind=inner (range y from 1 to 1000000 step 1 | extend k = 1) on k | where x * y == 7"

func newLab(t *testing.T) lab {
	t.Helper()
	cfg := testConfig(t)
	if err := os.CopyFS(filepath.Join(cfg.Data, rulesOfCollection), os.DirFS("testdata/dcr")); err != nil {
		t.Fatal(err)
	}
	a, _ := start(t, cfg)
	_, key, err := a.Reputation.CreateKey(t.Context(), reputation.NewKey{Name: "clients", Scopes: []string{reputation.ScopeQuery, reputation.ScopeIngest}})
	if err != nil {
		t.Fatal(err)
	}
	b := picket.Batch{Table: "Syslog", Columns: []string{"TimeGenerated", "SyslogMessage"}}
	for h := range 5 {
		b.Rows = append(b.Rows, []any{time.Now().Add(-time.Duration(h)*time.Hour - 30*time.Minute), fmt.Sprint(h)})
	}
	if err := a.Workspace.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return lab{a, key.Reveal(), cfg.Data}
}

// env is what a client program of another language is told.
func (l lab) env() []string {
	ca := filepath.Join(l.dir, CAFile)
	return append(os.Environ(),
		"PICKET_URL="+l.app.TLSURL(), "PICKET_HTTP_URL="+l.app.URL(), "PICKET_KEY="+l.key, "PICKET_WORKSPACE="+l.app.Workspace.ID(), "PICKET_RULE="+clientRule,
		"PICKET_ALL_TYPES="+allTypes, "PICKET_MANY_ROWS="+manyRows, "PICKET_ENDLESS="+endless,
		"SSL_CERT_FILE="+ca, "NODE_EXTRA_CA_CERTS="+ca, "REQUESTS_CA_BUNDLE="+ca,
		"IDENTITY_ENDPOINT="+l.app.URL()+"/msi", "IDENTITY_HEADER="+l.key, "NO_PROXY=*", "no_proxy=*")
}

// run runs a client program, which prints one JSON object of what it got, and
// compares that with what it must be.
func (l lab) run(t *testing.T, want string, name string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = l.env()
	out, err := cmd.Output()
	if err != nil {
		var failed *exec.ExitError
		if errors.As(err, &failed) {
			t.Fatalf("%s: %v\n%s", name, err, failed.Stderr)
		}
		t.Fatal(err)
	}
	var got, wanted map[string]any
	if err := errors.Join(json.Unmarshal(out, &got), json.Unmarshal([]byte(want), &wanted)); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for k := range wanted {
		if g, w := compact(got[k]), compact(wanted[k]); g != w {
			t.Errorf("%s:\n got %s\nwant %s", k, g, w)
		}
	}
	if len(got) != len(wanted) {
		t.Errorf("%d answers, want %d:\n%s", len(got), len(wanted), out)
	}
	if strings.Contains(string(out), l.key) {
		t.Error("an answer shows the key")
	}
}

func compact(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
