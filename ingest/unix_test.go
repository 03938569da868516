package ingest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func dialUnix(t *testing.T, path string) *net.UnixConn {
	t.Helper()
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestServerUnix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	s := newStore()
	server, stop := startServer(t, s, Options{Socket: path, MaxMessage: 3000})
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o666 {
		t.Fatalf("the socket: %v, %v", info, err)
	}
	c := dialUnix(t, path)
	// As syslog(3) writes: no host, and a NUL at the end from old libraries.
	send(t, c, "<86>Nov 23 03:12:59 sshd[1]: one")
	send(t, c, "<38>Nov 23 03:12:59 su: two\n\x00")
	send(t, c, "<14>app[7]: first line\nsecond line")
	send(t, c, "<13>Nov 23 03:12:59 a: "+strings.Repeat("x", 5000))
	send(t, c, "\x00")
	await(t, s, 4)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]any{"one", "two", "first line\nsecond line", strings.Repeat("x", 3000-len("<13>Nov 23 03:12:59 a: ")) + CutMarker}, s.column("SyslogMessage")); diff != "" {
		t.Error(diff)
	}
	for i, host := range s.column("HostName") {
		if host != "collector" || s.column("HostIP")[i] != "" {
			t.Errorf("row %d: host %v, address %v", i, host, s.column("HostIP")[i])
		}
	}
	if got := server.Stats(); got != (Stats{Received: 4, Committed: 4, Truncated: 1}) {
		t.Errorf("stats: %+v", got)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

// TestServerUnixStale holds what is replaced and what is not.
func TestServerUnixStale(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	listen := func() error {
		server, err := Listen(newStore().Append, Options{Socket: path})
		if err == nil {
			err = server.Close()
		}
		return err
	}
	// The socket of a run that was killed.
	dead, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Fatal(err)
	}
	if err := listen(); err != nil {
		t.Errorf("a stale socket: %v", err)
	}
	// One that is in use.
	server, stop := startServer(t, newStore(), Options{Socket: path})
	if err := listen(); err == nil || !strings.Contains(err.Error(), "another program receives") {
		t.Errorf("a socket in use: %v", err)
	}
	// The file of another that has replaced it is left alone.
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if server.Stats().Dropped != 0 {
		t.Error("dropped")
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "mine" {
		t.Errorf("another's file: %q, %v", text, err)
	}
	if err := listen(); err == nil || !strings.Contains(err.Error(), "is no socket") {
		t.Errorf("a file in the way: %v", err)
	}
	path = filepath.Join(t.TempDir(), "missing", "log")
	if err := listen(); err == nil || !strings.Contains(err.Error(), "make its folder first") {
		t.Errorf("no folder: %v", err)
	}
}

// TestLoggerUnix receives from logger(1) as from any program that uses /dev/log.
func TestLoggerUnix(t *testing.T) {
	logger, err := exec.LookPath("logger")
	if err != nil {
		t.Skip("no logger(1) here:", err)
	}
	path := filepath.Join(t.TempDir(), "log")
	s := newStore()
	server, stop := startServer(t, s, Options{Socket: path})
	const text = "Failed password for root from 203.0.113.7 port 51022 ssh2"
	for _, format := range []string{"--rfc3164", "--rfc5424"} {
		if out, err := exec.Command(logger, "-u", path, format, "--tag", "sshd", "--id=4242", "--priority", "authpriv.warning", "--", text).CombinedOutput(); err != nil {
			t.Fatalf("logger: %v: %s", err, out)
		}
	}
	await(t, s, 2)
	if err := stop(); err != nil {
		t.Error(err)
	}
	for i := range 2 {
		got := []any{s.column("Facility")[i], s.column("SeverityLevel")[i], s.column("ProcessName")[i], s.column("ProcessID")[i], s.column("SyslogMessage")[i]}
		if diff := cmp.Diff([]any{"authpriv", "warning", "sshd", int32(4242), text}, got); diff != "" {
			t.Error(diff)
		}
	}
	if got := server.Stats(); got.Odd != 0 {
		t.Errorf("stats: %+v", got)
	}
}
