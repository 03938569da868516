package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"picket/app"
)

// The test binary is also picket itself: with PICKET_TEST_RUN set it runs the
// command line, so that tests can start, signal and kill a real process.
func TestMain(m *testing.M) {
	if os.Getenv("PICKET_TEST_RUN") == "1" {
		main()
	}
	os.Exit(m.Run())
}

// command returns a picket process that is not started yet.
func command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), "PICKET_TEST_RUN=1", "PICKET_URL=", "PICKET_KEY=")
	return cmd
}

// picket runs a command to its end.
func runPicket(t *testing.T, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := command(t, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// service is a running "picket serve".
type service struct {
	t    *testing.T
	data string
	cmd  *exec.Cmd
	log  *logBuffer
	done chan error
	c    *client
}

// logBuffer collects a process's log while others read it.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// startService starts "picket serve" on a data folder and waits until it answers.
func startService(t *testing.T, data string, args ...string) *service {
	t.Helper()
	if err := os.Remove(filepath.Join(data, "url")); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	s := &service{t: t, data: data, log: &logBuffer{}, done: make(chan error, 1)}
	s.cmd = command(t, append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0", "--syslog", "127.0.0.1:0"}, args...)...)
	s.cmd.Stderr = s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { s.done <- s.cmd.Wait() }()
	t.Cleanup(s.kill)
	s.until("the server answers", func() bool {
		at, err := app.ReadLocator(data)
		if err != nil {
			return false
		}
		res, err := http.Get(at.URL + "/healthz")
		if err != nil {
			return false
		}
		io.Copy(io.Discard, res.Body)
		res.Body.Close()
		s.c, err = connect(data)
		return err == nil
	})
	return s
}

// until waits for something, as long as the process lives.
func (s *service) until(what string, ready func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	for !ready() {
		select {
		case err := <-s.done:
			s.done <- err
			s.t.Fatalf("waiting until %s: picket ended: %v\n%s", what, err, s.log)
		case <-time.After(400 * time.Millisecond): // a caller has 200 queries in 30 s
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain until %s\n%s", what, s.log)
		}
	}
}

// kill ends the process as kill -9 does. Killing a dead one does nothing.
func (s *service) kill() {
	_ = s.cmd.Process.Kill()
	err := <-s.done
	s.done <- err
}

// terminate ends the process with SIGTERM and reports its exit code.
func (s *service) terminate() int {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	select {
	case err := <-s.done:
		s.done <- err
	case <-time.After(time.Minute):
		s.t.Fatalf("does not end on SIGTERM\n%s", s.log)
	}
	return s.cmd.ProcessState.ExitCode()
}

// rows asks the server; every value is given as text.
func (s *service) rows(kql string) [][]string {
	s.t.Helper()
	r, err := s.c.query(context.Background(), kql)
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", kql, err, s.log)
	}
	out := make([][]string, len(r.Rows))
	for i, row := range r.Rows {
		for _, v := range row {
			out[i] = append(out[i], text(v))
		}
	}
	return out
}

// one is rows for a query of one value.
func (s *service) one(kql string) string {
	s.t.Helper()
	rows := s.rows(kql)
	if len(rows) != 1 || len(rows[0]) != 1 {
		s.t.Fatalf("%s: %v, want one value", kql, rows)
	}
	return rows[0][0]
}

// syslogAddr is where the service takes syslog; its log says so.
func (s *service) syslogAddr() string {
	s.t.Helper()
	var addr string
	s.until("it says where syslog is", func() bool {
		_, rest, ok := strings.Cut(s.log.String(), " syslog=")
		if ok {
			addr = strings.Fields(rest)[0]
		}
		return ok
	})
	return addr
}

// decode reads JSON that must be whole.
func decode(t *testing.T, s string, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(s), v); err != nil {
		t.Fatalf("%v in:\n%s", err, s)
	}
}
