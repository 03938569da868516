package app

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// start runs an App on cfg until the test ends or stop is called.
func start(t *testing.T, cfg Config) (a *App, stop func() error) {
	t.Helper()
	a, err := New(t.Context(), cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	stop = func() error {
		cancel()
		select {
		case err := <-ended:
			ended <- err
			return err
		case <-time.After(time.Minute):
			return errors.New("Run does not end")
		}
	}
	t.Cleanup(func() { _ = stop() })
	res, err := http.Get(a.URL() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	return a, stop
}

func testConfig(t *testing.T) Config {
	c := DefaultConfig()
	c.Data = t.TempDir()
	c.Listen, c.Syslog = "127.0.0.1:0", "off"
	return c
}

// The folder says where the server is while there is one: who gets the port
// afterwards would be sent the admin token.
func TestLocatorEndsWithTheServer(t *testing.T) {
	cfg := testConfig(t)
	a, stop := start(t, cfg)
	at, err := ReadLocator(cfg.Data)
	if err != nil || at.URL != a.URL() {
		t.Errorf("%s, %v; want %s", at.URL, err, a.URL())
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadLocator(cfg.Data); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after the end: %v", err)
	}
}

// A connection on which nothing was sent is not waited for.
func TestStopIsQuick(t *testing.T) {
	a, stop := start(t, testConfig(t))
	c, err := net.Dial("tcp", a.listen.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Get(a.URL() + "/healthz") // accepted after c
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	began := time.Now()
	if err := stop(); err != nil {
		t.Error(err)
	}
	if d := time.Since(began); d > 4*time.Second {
		t.Errorf("the stop took %s", d)
	}
}

// A server for all addresses is reached over loopback, never through a proxy.
func TestURLOfAllAddresses(t *testing.T) {
	for _, listen := range []string{"0.0.0.0:0", "[::]:0", ":0"} {
		cfg := testConfig(t)
		cfg.Listen = listen
		a, err := New(t.Context(), cfg, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(a.URL(), "http://127.0.0.1:") {
			t.Errorf("%s: %s", listen, a.URL())
		}
		if err := a.close(); err != nil {
			t.Error(err)
		}
	}
}

// Files that are no good are passed over, and the log says where they are wrong.
func TestBadContentAndLogs(t *testing.T) {
	cfg := testConfig(t)
	cfg.Logs = []LogConfig{{Path: cfg.Data}, {Path: filepath.Join(cfg.Data, "absent.log")}, {Path: filepath.Join(cfg.Data, "good.log")}}
	for name, text := range map[string]string{
		"good.log": "Nov 23 01:02:03 web1 sshd[1]: hello\n", "rules/a.yaml": "id: [\n", "automation/a.json": "{", "playbooks/a.json": "[]",
	} {
		path := filepath.Join(cfg.Data, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	a, stop := start(t, cfg)
	at, err := ReadLocator(cfg.Data)
	if err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		req, err := http.NewRequest("POST", a.URL()+"/v1/workspaces/default/query", strings.NewReader(`{"query":"Syslog | project SyslogMessage"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+at.Token.Reveal())
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(body), "hello") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the good file is not read: %s", body)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// A name that nothing reads is told, or whoever misspelt one would never know.
func TestContentWarnings(t *testing.T) {
	cfg := testConfig(t)
	if err := installContent(cfg.Data); err != nil {
		t.Fatal(err)
	}
	for name, misspell := range map[string][2]string{
		"rules/ssh-failed-logins.yaml":         {"tactics:", "tacticts:"},
		"automation/enrich-new-incidents.json": {`"order"`, `"ordr"`},
	} {
		path := filepath.Join(cfg.Data, name)
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		changed := strings.Replace(string(text), misspell[0], misspell[1], 1)
		if err := os.WriteFile(path, []byte(changed), 0o600); err != nil || changed == string(text) {
			t.Fatalf("%s: %v", name, err)
		}
	}
	var log strings.Builder
	a, err := New(t.Context(), cfg, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.close(); err != nil {
		t.Error(err)
	}
	for _, want := range []string{"at=rules/ssh-failed-logins.yaml:", "tacticts", "at=automation/enrich-new-incidents.json:", "ordr", "rules=1 automation=1"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %s in\n%s", want, &log)
		}
	}
}
