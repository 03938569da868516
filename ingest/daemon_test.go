package ingest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// documented returns the configurations for a daemon that users are told: the
// code blocks of that language.
func documented(t *testing.T, daemon string) (blocks []string) {
	t.Helper()
	for _, path := range []string{"../README.md", "../docs/syslog.md"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?ms)^```"+daemon+"\n(.*?)^```").FindAllStringSubmatch(string(text), -1) {
			blocks = append(blocks, m[1])
		}
	}
	return blocks
}

// writePEM writes a certificate and its key as files.
func writePEM(t *testing.T, pair tls.Certificate, cert, key string) {
	t.Helper()
	der, err := x509.MarshalECPrivateKey(pair.PrivateKey.(*ecdsa.PrivateKey))
	if err == nil {
		err = os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}), 0o600)
	}
	if err == nil && key != "" {
		err = os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// program returns the path of a program, or skips.
func program(t *testing.T, name string, also ...string) string {
	t.Helper()
	for _, path := range append([]string{name, "/usr/sbin/" + name}, also...) {
		if found, err := exec.LookPath(path); err == nil {
			if found, err = filepath.Abs(found); err == nil {
				return found
			}
		}
	}
	t.Skipf("%s is not here; make setup installs it", name)
	return ""
}

// A daemon is a real one: its configuration that takes messages at a socket,
// before what users are told, and its command.
type daemon struct {
	name    string
	head    string // with %s for the socket
	command func(dir, config string) *exec.Cmd
}

func rsyslog(t *testing.T) daemon {
	path := program(t, "rsyslogd")
	return daemon{"rsyslog", "module(load=\"imuxsock\" SysSock.Use=\"off\")\ninput(type=\"imuxsock\" Socket=%q CreatePath=\"on\")\n", func(dir, config string) *exec.Cmd {
		return exec.Command(path, "-n", "-f", config, "-i", filepath.Join(dir, "pid"))
	}}
}

func syslogNG(t *testing.T) daemon {
	path := program(t, "syslog-ng", "../bin/syslog-ng/usr/sbin/syslog-ng")
	root := strings.TrimSuffix(path, "/usr/sbin/syslog-ng")
	modules, err := filepath.Glob(root + "/usr/lib/syslog-ng/[0-9]*")
	if err != nil || len(modules) == 0 {
		t.Skip("no modules of syslog-ng are here")
	}
	return daemon{"syslog-ng", "@version: current\nsource s_src { unix-dgram(%q); };\n", func(dir, config string) *exec.Cmd {
		in := func(name string) string { return filepath.Join(dir, name) }
		cmd := exec.Command(path, "-F", "--no-caps", "-f", config, "-R", in("persist"), "-p", in("pid"), "-c", in("ctl"), "--module-path", modules[0])
		cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+root+"/usr/lib/syslog-ng")
		return cmd
	}}
}

// start runs the daemon with a configuration until the end of the test and
// returns the socket that it takes messages at.
func (d daemon) start(t *testing.T, dir, config string) (socket string) {
	t.Helper()
	socket = filepath.Join(dir, "in")
	path := filepath.Join(dir, "conf")
	if err := os.WriteFile(path, []byte(fmt.Sprintf(d.head, socket)+config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := d.command(dir, path)
	var out syncBuffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
		}
		if t.Failed() {
			t.Logf("%s with\n%s\n%s", d.name, config, out.String())
		}
	})
	timeout := time.After(20 * time.Second)
	for tick := time.Tick(10 * time.Millisecond); ; {
		if _, err := os.Stat(socket); err == nil {
			return socket
		}
		select {
		case <-tick:
		case err := <-ended:
			ended <- err
			t.Fatalf("%s ended: %v", d.name, err)
		case <-timeout:
			t.Fatalf("%s does not start", d.name)
		}
	}
}

// TestDaemons has the real daemons ship to a Server, with the configurations
// that README and docs tell users.
func TestDaemons(t *testing.T) {
	logger := program(t, "logger")
	ca := newIssuer(t)
	files := t.TempDir()
	in := func(name string) string { return filepath.Join(files, name) }
	writePEM(t, tls.Certificate{Certificate: [][]byte{ca.cert.Raw}, PrivateKey: ca.key}, in("picket-ca.pem"), "")
	writePEM(t, ca.client(time.Now().Add(time.Hour)), in("sender.pem"), in("sender-key.pem"))
	for _, load := range []func(*testing.T) daemon{rsyslog, syslogNG} {
		d := load(t)
		blocks := documented(t, d.name)
		if len(blocks) < 6 {
			t.Errorf("%d configurations for %s are documented", len(blocks), d.name)
		}
		for i, block := range blocks {
			t.Run(fmt.Sprint(d.name, " ", i+1), func(t *testing.T) {
				if driver, _ := filepath.Glob("/usr/lib/*/rsyslog/lmnsd_ossl.so"); strings.Contains(block, `"ossl"`) && len(driver) == 0 {
					t.Skip("rsyslog's driver for TLS is not here; make setup installs it")
				}
				conf := ca.server()
				if strings.Contains(block, "sender-key.pem") {
					conf.ClientCAs, conf.ClientAuth = ca.pool(), tls.RequireAndVerifyClientCert
				}
				s := newStore()
				server, stop := startTLS(t, s, Options{TLS: conf})
				config := strings.NewReplacer("5514", strconv.Itoa(int(server.Addr().Port())), "6514", strconv.Itoa(int(server.TLSAddr().Port())),
					"picket.example.org", "localhost", "/etc/ssl/", files+"/").Replace(block)
				socket := d.start(t, t.TempDir(), config)
				ship(t, logger, socket)
				await(t, s, 1)
				awaitMessages(t, s)
				if err := stop(); err != nil {
					t.Error(err)
				}
				checkShipped(t, s, server)
			})
		}
	}
}

const shippedText = "Failed password for invalid user admin from 203.0.113.7 port 51022 ssh2"

// ship logs two messages as programs do.
func ship(t *testing.T, logger, socket string) {
	t.Helper()
	for _, text := range []string{shippedText, "the last"} {
		var out bytes.Buffer
		cmd := exec.Command(logger, "-u", socket, "--tag", "sshd", "--id=4242", "--priority", "authpriv.warning", "--", text)
		cmd.Stdout, cmd.Stderr = &out, &out
		if err := cmd.Run(); err != nil {
			t.Fatalf("logger: %v: %s", err, out.String())
		}
	}
}

// awaitMessages returns when both messages have arrived; daemons send others of their own.
func awaitMessages(t *testing.T, s *store) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for !strings.Contains(fmt.Sprint(s.column("SyslogMessage")), "the last") {
		select {
		case <-s.arrived:
		case <-timeout:
			t.Fatalf("the messages do not arrive: %v", s.column("SyslogMessage"))
		}
	}
}

func checkShipped(t *testing.T, s *store, server *Server) {
	t.Helper()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	short, _, _ := strings.Cut(host, ".")
	found := 0
	for i, text := range s.column("SyslogMessage") {
		if text != shippedText {
			continue
		}
		found++
		got := []any{s.column("Facility")[i], s.column("SeverityLevel")[i], s.column("ProcessName")[i], s.column("ProcessID")[i], s.column("HostIP")[i]}
		if diff := cmp.Diff([]any{"authpriv", "warning", "sshd", int32(4242), "127.0.0.1"}, got); diff != "" {
			t.Error(diff)
		}
		if name, _, _ := strings.Cut(fmt.Sprint(s.column("HostName")[i]), "."); name != short && name != "localhost" {
			t.Errorf("host %s, want %s", name, short)
		}
		if age := time.Since(s.column("EventTime")[i].(time.Time)); age < -time.Hour || age > time.Hour {
			t.Errorf("the event is %s old", age)
		}
	}
	if found != 1 {
		t.Errorf("the message arrived %d times", found)
	}
	if got := server.Stats(); got.Odd != 0 || got.Truncated != 0 || got.Insecure != 0 || got.Dropped != 0 {
		t.Errorf("stats: %+v", got)
	}
}
