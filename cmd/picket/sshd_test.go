package main

import (
	"bytes"
	"fmt"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"math/rand/v2"
)

// program finds a program the test drives, or skips the test.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		p := filepath.Join(dir, name)
		if fi, err := os.Stat(p); err == nil && fi.Mode()&0o111 != 0 {
			return p
		}
	}
	t.Skipf("%s is not installed; \"make test\" installs it", name)
	return ""
}

// background starts a process that ends with the test.
func background(t *testing.T, cmd *exec.Cmd) *logBuffer {
	t.Helper()
	out := &logBuffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return out
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// startSSHD starts a real sshd on loopback that logs to a file, and returns
// its port and that file.
func startSSHD(t *testing.T) (port int, log string) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("sshd checks passwords as root only")
	}
	sshd := program(t, "sshd")
	dir := t.TempDir()
	// sshd separates privileges in a folder that packages make at boot.
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "host_key")
	if out, err := exec.Command(program(t, "ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", key).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	port = freePort(t)
	log = filepath.Join(dir, "sshd.log")
	config := filepath.Join(dir, "sshd_config")
	write(t, config, fmt.Sprintf("Port %d\nListenAddress 127.0.0.1\nHostKey %s\nPasswordAuthentication yes\nKbdInteractiveAuthentication no\nUsePAM no\nPidFile none\nLogLevel INFO\nMaxAuthTries 6\nMaxStartups 100\n", port, key))
	out := background(t, exec.Command(sshd, "-D", "-f", config, "-E", log))
	deadline := time.Now().Add(30 * time.Second)
	for {
		c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			c.Close()
			return port, log
		}
		if time.Now().After(deadline) {
			b, _ := os.ReadFile(log)
			t.Fatalf("sshd does not listen: %v\n%s%s", err, out, b)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// guess has the real SSH client try a wrong password from a loopback address.
func guess(t *testing.T, port int, from, user string) {
	t.Helper()
	cmd := exec.Command(program(t, "sshpass"), "-p", "wrong", program(t, "ssh"), "-p", strconv.Itoa(port), "-b", from,
		"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "PreferredAuthentications=password",
		"-o", "NumberOfPasswordPrompts=1", "-o", "LogLevel=ERROR", user+"@127.0.0.1", "true")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err == nil || !strings.Contains(out.String(), "Permission denied") {
		t.Fatalf("the wrong password of %s from %s: %v\n%s", user, from, err, out.String())
	}
}

// relay has a real rsyslogd read sshd's log and forward it over TCP, as a host
// would that sends its syslog to Picket.
func relay(t *testing.T, log, to string) {
	t.Helper()
	rsyslogd := program(t, "rsyslogd")
	dir := t.TempDir()
	host, port, err := net.SplitHostPort(to)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "rsyslog.conf")
	write(t, config, fmt.Sprintf(`global(workDirectory="%s" localHostname="decoy1")
module(load="imfile" mode="polling" pollingInterval="1")
input(type="imfile" file="%s" tag="sshd:" facility="authpriv" severity="info")
*.* action(type="omfwd" target="%s" port="%s" protocol="tcp" template="RSYSLOG_SyslogProtocol23Format" action.resumeRetryCount="-1")
`, dir, log, host, port))
	out := background(t, exec.Command(rsyslogd, "-n", "-f", config, "-i", filepath.Join(dir, "pid")))
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("rsyslogd: %s", out)
		}
	})
}

// A real sshd is attacked by a real SSH client, its log comes over real
// syslog, and every attacker ends as a row of ProwlEnrich_CL.
func TestRealSSHD(t *testing.T) {
	port, log := startSSHD(t)
	wit := &witness{asked: map[string]map[string]int{}, keys: map[string]bool{}, rand: rand.New(rand.NewPCG(1, 1))}
	prowl := httptest.NewServer(wit)
	defer prowl.Close()
	config := labConfig(t, prowl.URL)
	data := withoutRules(t)
	s := startService(t, data, "--config", config)
	relay(t, log, s.syslogAddr())

	attackers := []string{"127.0.0.11", "127.0.0.12", "127.0.0.13"}
	want := map[string]int{}
	for i, from := range attackers {
		for j := range i + 1 {
			user := []string{"root", "admin", "oracle"}[j]
			guess(t, port, from, user)
			want[from]++
		}
	}
	// An address for a user name must not be blamed, or asked about.
	guess(t, port, attackers[0], "203.0.113.99")
	want[attackers[0]]++
	s.until("the failed logins are in Syslog", func() bool {
		return s.one(`Syslog | where SyslogMessage startswith "Failed password" | count`) == "7"
	})
	for _, r := range s.rows(`Syslog | where SyslogMessage startswith "Failed password" | distinct HostName, ProcessName, Facility, SeverityLevel`) {
		if strings.Join(r, " ") != "decoy1 sshd authpriv info" {
			t.Errorf("host, process, facility, severity: %v", r)
		}
	}
	if code := s.terminate(); code != 0 {
		t.Fatalf("exit %d\n%s", code, s.log)
	}

	addRule(t, data)
	s = startService(t, data, "--config", config)
	s.until("the attackers are enriched", func() bool { return s.one("ProwlEnrich_CL | count") == fmt.Sprint(len(attackers)) })
	var got []string
	for _, r := range s.rows(`ProwlEnrich_CL | project IPAddress, Status, Verdict, AnalyticsRuleName, IncidentNumber`) {
		got = append(got, r[0])
		if strings.Join(r[1:], "|") != "found|malicious|SSH - failed logins by address|1" {
			t.Errorf("row %v", r)
		}
	}
	slices.Sort(got)
	if !slices.Equal(got, attackers) {
		t.Errorf("rows for %v, want %v", got, attackers)
	}
	for _, r := range s.rows(`Syslog | where SyslogMessage startswith "Failed password" | extend IP = extract(@" from (\S+) port", 1, SyslogMessage) | summarize n = count() by IP`) {
		if fmt.Sprint(want[r[0]]) != r[1] {
			t.Errorf("%s failed logins from %s, want %d", r[1], r[0], want[r[0]])
		}
	}
	if got := s.one(`SecurityAlert | mv-expand e = todynamic(Entities) | where e.Type == "ip" | count`); got != "3" {
		t.Errorf("%s IP entities, want 3", got)
	}
}
