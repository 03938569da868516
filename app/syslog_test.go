package app

import (
	"crypto/tls"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"picket/kql"
)

// TestSyslogTransports holds that every way in leads to the tables, and that the
// data folder's own authority is what senders over TLS need to trust.
func TestSyslogTransports(t *testing.T) {
	cfg := testConfig(t)
	cfg.Syslog, cfg.SyslogTLS, cfg.SyslogSocket = "127.0.0.1:0", "127.0.0.1:0", filepath.Join(t.TempDir(), "log")
	a, _ := start(t, cfg)
	roots := trusting(t, cfg.Data).Transport.(*http.Transport).TLSClientConfig.RootCAs
	secure, err := tls.Dial("tcp", a.SyslogTLSAddr().String(), &tls.Config{RootCAs: roots, ServerName: "localhost"})
	if err != nil {
		t.Fatal(err)
	}
	conns := map[string]net.Conn{"tls": secure}
	for network, addr := range map[string]string{"tcp": a.SyslogAddr().String(), "udp": a.SyslogAddr().String(), "unixgram": cfg.SyslogSocket} {
		if conns[network], err = net.Dial(network, addr); err != nil {
			t.Fatal(err)
		}
	}
	for network, c := range conns {
		defer c.Close()
		for _, text := range []string{"<86>Nov 23 03:12:59 sshd[1]: over " + network, "<134>Nov 23 03:12:59 fw CEF:0|V|P|1|100|over " + network + "|5|src=203.0.113.7"} {
			if network != "udp" && network != "unixgram" {
				text += "\n"
			}
			if _, err := c.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
	}
	awaitCommitted(t, a, 8)
	for query, want := range map[string]string{
		"Syslog | where SyslogMessage startswith 'over ' | distinct SyslogMessage | sort by SyslogMessage asc": "over tcp,over tls,over udp,over unixgram",
		"CommonSecurityLog | where SourceIP == '203.0.113.7' | distinct Activity | sort by Activity asc":       "over tcp,over tls,over udp,over unixgram",
	} {
		res, err := a.Workspace.Query(t.Context(), query, kql.Options{})
		if err != nil {
			t.Fatal(err)
		}
		rows, err := res.Collect()
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, row := range rows {
			got = append(got, row[0].(string))
		}
		if strings.Join(got, ",") != want {
			t.Errorf("%s: %q, want %s", query, got, want)
		}
	}
}

// awaitCommitted returns when n messages of syslog are in the workspace.
func awaitCommitted(t *testing.T, a *App, n uint64) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for tick := time.Tick(5 * time.Millisecond); a.syslog.Stats().Committed < n; {
		select {
		case <-tick:
		case <-timeout:
			t.Fatalf("want %d messages: %+v", n, a.syslog.Stats())
		}
	}
}

func TestSyslogRefuses(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	f := func(change func(c *Config), want string) {
		t.Helper()
		cfg := testConfig(t)
		change(&cfg)
		a, err := New(t.Context(), cfg, Options{})
		if err == nil {
			_ = a.close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	f(func(c *Config) { c.SyslogTLS, c.SyslogClientCA = "127.0.0.1:0", empty }, "syslog_client_ca: "+empty+" holds no certificate")
	f(func(c *Config) { c.SyslogTLS, c.SyslogClientCA = "127.0.0.1:0", empty+".missing" }, "no such file")
	f(func(c *Config) { c.SyslogClientCA = empty }, "syslog_client_ca: senders are only asked")
	f(func(c *Config) { c.SyslogTLS = taken.Addr().String() }, "another program, or another Picket, has it")
	f(func(c *Config) { c.SyslogSocket = empty }, "is no socket")
}
