package app

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"picket/collection"
)

// host is a Picket as its users see it: by its addresses.
type host struct {
	url, syslog, token, workspace string
}

// post sends records to ProwlEnrich_CL under an id and returns the status.
func (h host) post(ctx context.Context, id string, records ...map[string]any) (*http.Response, error) {
	body, err := json.Marshal(records)
	if err != nil {
		return nil, err
	}
	url := h.url + "/dataCollectionRules/" + collection.BuiltinID(h.workspace) + "/streams/Custom-ProwlEnrich_CL?api-version=2023-01-01"
	req, err := http.NewRequestWithContext(ctx, "POST", url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+h.token)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("x-ms-client-request-id", id)
	res, err := http.DefaultClient.Do(req)
	if err == nil {
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
	}
	return res, err
}

// query returns the rows of a query's first table.
func (h host) query(t *testing.T, kql string) [][]any {
	t.Helper()
	body, _ := json.Marshal(map[string]string{"query": kql})
	req, err := http.NewRequestWithContext(t.Context(), "POST", h.url+"/v1/workspaces/default/query", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+h.token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var answer struct {
		Tables []struct{ Rows [][]any }
		Error  any
	}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s %v %v", kql, res.Status, err, answer.Error)
	}
	return answer.Tables[0].Rows
}

// waitFor asks until the query's first value is want.
func (h host) waitFor(t *testing.T, kql string, want int) {
	t.Helper()
	var got any
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if got = h.query(t, kql)[0][0]; got == float64(want) {
			return
		}
	}
	t.Fatalf("%s: %v, want %d", kql, got, want)
}

// A disk that is full stops new data, and nothing else; it goes on by itself when
// there is space again.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=128m"); err != nil {
		t.Skipf("a small file system is needed: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	cfg := testConfig(t)
	cfg.Data, cfg.Syslog, cfg.NoProviders = filepath.Join(dir, "data"), "127.0.0.1:0", true
	followed := filepath.Join(t.TempDir(), "app.log") // on another disk
	cfg.Logs = []LogConfig{{Path: followed}}
	a, stop := start(t, cfg)
	at, err := ReadLocator(cfg.Data)
	if err != nil {
		t.Fatal(err)
	}
	h := host{a.URL(), a.SyslogAddr().String(), at.Token.Reveal(), a.Workspace.ID()}
	if res, err := h.post(t.Context(), "before", map[string]any{"IPAddress": "192.0.2.1"}); err != nil || res.StatusCode != http.StatusNoContent {
		t.Fatal(res, err)
	}
	ballast := fill(t, dir)
	res, err := h.post(t.Context(), "full", map[string]any{"IPAddress": "192.0.2.2"})
	if err != nil || res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
		t.Fatalf("on the full disk: %v %v, want 503 with Retry-After", res, err)
	}
	conn, err := net.Dial("tcp", h.syslog)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "<13>Nov 23 03:12:59 web1 app: over TCP\n"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(followed, []byte("Nov 23 03:12:59 web1 app: from the file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := a.State.SetValue(t.Context(), "test", strings.Repeat(rand.Text(), 1<<16)); err == nil {
		t.Error("the state wrote two megabytes to the full disk")
	}
	if n := h.query(t, "ProwlEnrich_CL | count")[0][0]; n != 1.0 {
		t.Errorf("%v rows on the full disk, want the one that was acknowledged", n)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	h.waitFor(t, `Syslog | where SyslogMessage in ("over TCP", "from the file") | count`, 2)
	if res, err := h.post(t.Context(), "full", map[string]any{"IPAddress": "192.0.2.2"}); err != nil || res.StatusCode != http.StatusNoContent {
		t.Errorf("there is space again: %v %v", res, err)
	}
	if err := a.State.SetValue(t.Context(), "test", "x"); err != nil {
		t.Errorf("there is space again: %v", err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// fill writes a file until nothing is free any more, and returns its path.
func fill(t *testing.T, dir string) string {
	t.Helper()
	f, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size >= 1; {
		if _, err := f.Write(make([]byte, size)); errors.Is(err, syscall.ENOSPC) {
			size /= 2
		} else if err != nil {
			t.Fatal(fmt.Errorf("fill the disk: %w", err))
		}
	}
	return f.Name()
}
