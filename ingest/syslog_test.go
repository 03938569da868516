package ingest

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// testNow is when the tests' lines are read.
var testNow = time.Date(2026, time.November, 23, 3, 30, 0, 0, time.UTC)

// at is a time of testNow's day.
func at(hour, minute, second, nano int) time.Time {
	return time.Date(2026, time.November, 23, hour, minute, second, nano, time.UTC)
}

// parsed is a Message in short, for comparing.
type parsed struct {
	Level   string // facility.severity, with a ? if the line had none
	Time    time.Time
	Host    string
	Process string
	PID     int32 // -1 for none
	Text    string
	MsgID   string
	Data    string
	Odd     bool
}

func short(m Message) parsed {
	p := parsed{m.Facility.String() + "." + m.Severity.String(), m.Time, m.HostName, m.ProcessName, -1, m.Text, m.MsgID, m.Data, m.Odd}
	if !m.Priority {
		p.Level += "?"
	}
	if m.HasPID {
		p.PID = m.ProcessID
	}
	return p
}

func checkParse(t *testing.T, line string, want parsed) {
	t.Helper()
	got := short(Parse([]byte(line), testNow, time.UTC))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Parse(%q): (-want +got)\n%s", line, diff)
	}
}

func TestParseRFC3164(t *testing.T) {
	f := func(line, level string, at time.Time, host, process string, pid int32, text string) {
		t.Helper()
		checkParse(t, line, parsed{Level: level, Time: at, Host: host, Process: process, PID: pid, Text: text})
	}
	event := at(3, 12, 59, 0)

	// As rsyslog forwards.
	f("<86>Nov 23 03:12:59 web1 sshd[4242]: Failed password for root from 203.0.113.7 port 51022 ssh2",
		"authpriv.info", event, "web1", "sshd", 4242, "Failed password for root from 203.0.113.7 port 51022 ssh2")
	f("<38>Nov 23 03:12:59 web1 sshd[4242]: Accepted publickey for ops from 2001:db8::7 port 51022 ssh2: ED25519 SHA256:abc",
		"auth.info", event, "web1", "sshd", 4242, "Accepted publickey for ops from 2001:db8::7 port 51022 ssh2: ED25519 SHA256:abc")
	f("<85>Nov 23 03:12:59 web1 sudo:      ann : TTY=pts/0 ; PWD=/home/ann ; USER=root ; COMMAND=/bin/ls",
		"authpriv.notice", event, "web1", "sudo", -1, "     ann : TTY=pts/0 ; PWD=/home/ann ; USER=root ; COMMAND=/bin/ls")
	f("<78>Nov 23 03:12:59 web1 CRON[77]: (root) CMD (   cd / && run-parts --report /etc/cron.hourly)",
		"cron.info", event, "web1", "CRON", 77, "(root) CMD (   cd / && run-parts --report /etc/cron.hourly)")
	f("<4>Nov 23 03:12:59 web1 kernel: [12345.678901] [UFW BLOCK] IN=eth0 OUT= SRC=203.0.113.7 DST=192.0.2.1",
		"kern.warning", event, "web1", "kernel", -1, "[12345.678901] [UFW BLOCK] IN=eth0 OUT= SRC=203.0.113.7 DST=192.0.2.1")
	f("<22>Nov 23 03:12:59 mx postfix/smtpd[901]: connect from unknown[203.0.113.9]",
		"mail.info", event, "mx", "postfix/smtpd", 901, "connect from unknown[203.0.113.9]")
	f("<22>Nov 23 03:12:59 mx postfix/submission/smtpd[901]: NOQUEUE: reject", "mail.info", event, "mx", "postfix/submission/smtpd", 901, "NOQUEUE: reject")
	f("<30>Nov 23 03:12:59 web1 systemd[1]: Started Session 4 of user ann.", "daemon.info", event, "web1", "systemd", 1, "Started Session 4 of user ann.")
	f("<30>Nov 23 03:12:59 web1 systemd-logind[55]: New session 4", "daemon.info", event, "web1", "systemd-logind", 55, "New session 4")
	f("<30>Nov 23 03:12:59 web1 dbus-daemon[5]: [system] Activating", "daemon.info", event, "web1", "dbus-daemon", 5, "[system] Activating")
	f("<46>Nov 23 03:12:59 web1 rsyslogd: [origin software=\"rsyslogd\"] start", "syslog.info", event, "web1", "rsyslogd", -1, `[origin software="rsyslogd"] start`)
	f("<30>Nov 23 03:12:59 web1 (systemd)[6]: pam_unix", "daemon.info", event, "web1", "(systemd)", 6, "pam_unix")
	f("<85>Nov 23 03:12:59 web1 su(pam_unix)[7]: session opened", "authpriv.notice", event, "web1", "su(pam_unix)", 7, "session opened")
	f("<13>Nov 23 03:12:59 web1 -bash[8]: HISTORY: id", "user.notice", event, "web1", "-bash", 8, "HISTORY: id")
	f("<13>Nov 23 03:12:59 web1 /usr/bin/backup.sh[9]: done", "user.notice", event, "web1", "/usr/bin/backup.sh", 9, "done")
	f("<13>Nov 23 03:12:59 web1 Net::Server[10]: up", "user.notice", event, "web1", "Net::Server", 10, "up")
	// The examples of RFC 3164 §5.4 that have a time.
	f("<34>Oct 11 22:14:15 mymachine su: 'su root' failed for lonvick on /dev/pts/8",
		"auth.crit", time.Date(2026, 10, 11, 22, 14, 15, 0, time.UTC), "mymachine", "su", -1, "'su root' failed for lonvick on /dev/pts/8")
	f("<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!", "user.notice", time.Date(2026, 2, 5, 17, 32, 18, 0, time.UTC), "10.0.0.99", "", -1, "Use the BFG!")
	f("<0>1990 Oct 22 10:52:01 scapegoat.dmz.example.org sched[0]: That's All Folks!",
		"kern.emerg", time.Date(1990, 10, 22, 10, 52, 1, 0, time.UTC), "scapegoat.dmz.example.org", "sched", 0, "That's All Folks!")

	// No host, as the C library writes to /dev/log.
	f("<86>Nov 23 03:12:59 sshd[4242]: Invalid user x from 203.0.113.7", "authpriv.info", event, "", "sshd", 4242, "Invalid user x from 203.0.113.7")
	f("<86>Nov 23 03:12:59 sudo: pam_unix(sudo:session): session closed", "authpriv.info", event, "", "sudo", -1, "pam_unix(sudo:session): session closed")
	// Addresses for hosts, and relays' chains of names.
	f("<86>Nov 23 03:12:59 2001:db8::5 sshd[1]: x", "authpriv.info", event, "2001:db8::5", "sshd", 1, "x")
	f("<86>Nov 23 03:12:59 fe80::1%eth0 sshd[1]: x", "authpriv.info", event, "fe80::1%eth0", "sshd", 1, "x")
	f("<86>Nov 23 03:12:59 relay/web1 sshd[1]: x", "authpriv.info", event, "relay/web1", "sshd", 1, "x")
	f("<86>Nov 23 03:12:59 Message forwarded from aix1: sshd[1]: Failed password for root", "authpriv.info", event, "aix1", "sshd", 1, "Failed password for root")
	// Other times.
	f("<86>Nov 23 2026 03:12:59 web1 sshd[1]: x", "authpriv.info", event, "web1", "sshd", 1, "x")
	f("<86>Nov 23 03:12:59 2026 web1 sshd[1]: x", "authpriv.info", event, "web1", "sshd", 1, "x")
	f("<86>Nov 23 03:12:59.25 web1 sshd[1]: x", "authpriv.info", at(3, 12, 59, 250_000_000), "web1", "sshd", 1, "x")
	f("<86>Nov 23 04:12:59+01:00 web1 sshd[1]: x", "authpriv.info", event, "web1", "sshd", 1, "x")
	f("<86>2026-11-23T03:12:59.123456+00:00 web1 sshd[1]: x", "authpriv.info", at(3, 12, 59, 123_456_000), "web1", "sshd", 1, "x")
	f("<86>2026-11-22T22:12:59-05:00 web1 sshd[1]: x", "authpriv.info", event, "web1", "sshd", 1, "x")
	f("<166>2026-11-23T03:12:59.000Z esx1 Hostd: warning hostd[2099]", "local4.info", event, "esx1", "Hostd", -1, "warning hostd[2099]")
	f("<86> Nov 23 03:12:59  web1  sshd[1]: x", "authpriv.info", event, "web1", "sshd", 1, "x")
	// Names with spaces need a process id to be one.
	f("<13>Nov 23 03:12:59 web1 Server Agent[31]: up", "user.notice", event, "web1", "Server Agent", 31, "up")
	f("<13>Nov 23 03:12:59 web1 Error while reading: x", "user.notice", event, "web1", "", -1, "Error while reading: x")
	f("<13>Nov 23 03:12:59 web1 Error on line[31] of x", "user.notice", event, "web1", "", -1, "Error on line[31] of x")
	// Tags at their edges.
	f("<13>Nov 23 03:12:59 web1 app[main]: x", "user.notice", event, "web1", "app[main]", -1, "x")
	f("<13>Nov 23 03:12:59 web1 app[99999999999]: x", "user.notice", event, "web1", "app[99999999999]", -1, "x")
	f("<13>Nov 23 03:12:59 web1 app[12] x", "user.notice", event, "web1", "app", 12, "x")
	f("<13>Nov 23 03:12:59 web1 app:", "user.notice", event, "web1", "app", -1, "")
	f("<13>Nov 23 03:12:59 web1 app:x", "user.notice", event, "web1", "", -1, "app:x")
	f("<13>Nov 23 03:12:59 web1 CEF:0|V|P|1|100|n|5|src=203.0.113.7", "user.notice", event, "web1", "", -1, "CEF:0|V|P|1|100|n|5|src=203.0.113.7")
	f("<13>Nov 23 03:12:59 web1 http://a/b: x", "user.notice", event, "web1", "", -1, "http://a/b: x")
	f("<13>Nov 23 03:12:59 web1 key=value x: y", "user.notice", event, "web1", "", -1, "key=value x: y")
	f("<13>Nov 23 03:12:59 web1 1234: x", "user.notice", event, "web1", "", -1, "1234: x")
	f("<13>Nov 23 03:12:59 key=value x", "user.notice", event, "", "", -1, "key=value x")
	f("<13>Nov 23 03:12:59 - app[1]: x", "user.notice", event, "", "app", 1, "x")
	f("<13>Nov 23 03:12:59 hello", "user.notice", event, "", "", -1, "hello")
	f("<13>Nov 23 03:12:59", "user.notice", event, "", "", -1, "")
	f("<14>Nov 23 03:12:59 PA-220 1,2026/11/23 03:12:59,0,TRAFFIC", "user.info", event, "PA-220", "", -1, "1,2026/11/23 03:12:59,0,TRAFFIC")
	f("<13>Nov 23 03:12:59 last message repeated 2 times", "user.notice", event, "", "", -1, "last message repeated 2 times")
	f("<13>Nov 23 03:12:59 web1 last message repeated 2 times", "user.notice", event, "web1", "", -1, "last message repeated 2 times")
	f("<46>Nov 23 03:12:59 web1 -- MARK --", "syslog.info", event, "web1", "", -1, "-- MARK --")
	f("<86>Nov 23 03:12:59 web1 sshd[1]: message repeated 5 times: [ Failed password for root from 203.0.113.7 port 1 ssh2]",
		"authpriv.info", event, "web1", "sshd", 1, "message repeated 5 times: [ Failed password for root from 203.0.113.7 port 1 ssh2]")
	// Line ends of all sorts.
	f("<86>Nov 23 03:12:59 web1 sshd[1]: x\r\n", "authpriv.info", event, "web1", "sshd", 1, "x")
	f("<86>Nov 23 03:12:59 web1 sshd[1]: x\n\x00", "authpriv.info", event, "web1", "sshd", 1, "x")
	f("<86>Nov 23 03:12:59 web1 sshd[1]: a\nb", "authpriv.info", event, "web1", "sshd", 1, "a\nb")
	// No time, but a priority and a tag.
	f("<86>sshd[4242]: Invalid user x", "authpriv.info", time.Time{}, "", "sshd", 4242, "Invalid user x")
	f("<13>myapp: hello", "user.notice", time.Time{}, "", "myapp", -1, "hello")
	f("<86>web1 sshd[4242]: x", "authpriv.info", time.Time{}, "web1", "sshd", 4242, "x")
}

func TestParseCisco(t *testing.T) {
	f := func(line, host, process, text string, at time.Time) {
		t.Helper()
		checkParse(t, line, parsed{Level: "local4.info", Time: at, Host: host, Process: process, PID: -1, Text: text})
	}
	event := at(3, 12, 59, 0)
	const asa = "%ASA-6-302013: Built inbound TCP connection 1 for outside:203.0.113.7/51022"
	f("<166>"+asa, "", "%ASA-6-302013", asa, time.Time{})
	f("<166>Nov 23 2026 03:12:59: "+asa, "", "%ASA-6-302013", asa, event)
	f("<166>Nov 23 2026 03:12:59 asa1 : "+asa, "asa1", "%ASA-6-302013", asa, event)
	f("<166>Nov 23 2026 03:12:59 asa1: "+asa, "asa1", "%ASA-6-302013", asa, event)
	f("<166>Nov 23 03:12:59 10.0.0.1: "+asa, "10.0.0.1", "%ASA-6-302013", asa, event)
	f("<166>Nov 23 03:12:59 asa1 "+asa, "asa1", "%ASA-6-302013", asa, event)
	const ios = "%SYS-5-CONFIG_I: Configured from console by vty0 (203.0.113.7)"
	f("<166>45: *Nov 23 03:12:59.000: "+ios, "", "%SYS-5-CONFIG_I", ios, event)
	f("<166>45: .Nov 23 03:12:59.000 UTC: "+ios, "", "%SYS-5-CONFIG_I", ios, event)
	f("<166>Nov 23 03:12:59 UTC: "+ios, "", "%SYS-5-CONFIG_I", ios, event)
	f("<166>Nov 23 03:12:59 ise1 CISE_Failed_Attempts 0000000042 1 0 2026-11-23 03:12:59.000 +00:00 5400 NOTICE",
		"ise1", "CISE_Failed_Attempts", "0000000042 1 0 2026-11-23 03:12:59.000 +00:00 5400 NOTICE", event)
	// A % that is no mnemonic.
	f("<166>Nov 23 03:12:59 web1 %d items", "web1", "", "%d items", event)
}

func TestParseRFC5424(t *testing.T) {
	f := func(line string, want parsed) {
		t.Helper()
		checkParse(t, line, want)
	}
	// The examples of RFC 5424 §6.5.
	f("<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \ufeff'su root' failed for lonvick on /dev/pts/8", parsed{
		Level: "auth.crit", Time: time.Date(2003, 10, 11, 22, 14, 15, 3_000_000, time.UTC), Host: "mymachine.example.com",
		Process: "su", PID: -1, MsgID: "ID47", Text: "'su root' failed for lonvick on /dev/pts/8"})
	f("<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time to make the do-nuts.", parsed{
		Level: "local4.notice", Time: time.Date(2003, 8, 24, 12, 14, 15, 3_000, time.UTC), Host: "192.0.2.1",
		Process: "myproc", PID: 8710, Text: "%% It's time to make the do-nuts."})
	const data = `[exampleSDID@32473 iut="3" eventSource="Application" eventID="1011"]`
	f("<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 "+data+" \ufeffAn application event log entry...", parsed{
		Level: "local4.notice", Time: time.Date(2003, 10, 11, 22, 14, 15, 3_000_000, time.UTC), Host: "mymachine.example.com",
		Process: "evntslog", PID: -1, MsgID: "ID47", Data: data, Text: "An application event log entry..."})
	const two = data + `[examplePriority@32473 class="high"]`
	f("<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 "+two, parsed{
		Level: "local4.notice", Time: time.Date(2003, 10, 11, 22, 14, 15, 3_000_000, time.UTC), Host: "mymachine.example.com",
		Process: "evntslog", PID: -1, MsgID: "ID47", Data: two})
	// Times of §6.2.3.1.
	f("<34>1 1985-04-12T23:20:50.52Z - - - - -", parsed{Level: "auth.crit", Time: time.Date(1985, 4, 12, 23, 20, 50, 520_000_000, time.UTC), PID: -1})
	// All nil.
	f("<13>1 - - - - - -", parsed{Level: "user.notice", PID: -1})
	f("<13>1 - - - - - - text", parsed{Level: "user.notice", PID: -1, Text: "text"})
	// Escapes in parameters; a ] and a space in quotes.
	f(`<13>1 - h a 1 - [x@1 a="b\"] c\\" d="\]"] text`, parsed{Level: "user.notice", Host: "h", Process: "a", PID: 1, Data: `[x@1 a="b\"] c\\" d="\]"]`, Text: "text"})
	// A process id that is no number, or too large for one.
	f("<13>1 - h java http-nio-1 - - text", parsed{Level: "user.notice", Host: "h", Process: "java", PID: -1, Text: "text"})
	f("<13>1 - h a 4294967296 - - text", parsed{Level: "user.notice", Host: "h", Process: "a", PID: -1, Text: "text"})
	// Spaces belong to the text, but for the one that rsyslog puts before it.
	f("<13>1 - h a 1 - -   text ", parsed{Level: "user.notice", Host: "h", Process: "a", PID: 1, Text: " text "})
	f("<13>1 - h a 1 - - \ufeff text ", parsed{Level: "user.notice", Host: "h", Process: "a", PID: 1, Text: " text "})
}

// TestParseOdd holds what is broken: it must be all there, and marked.
func TestParseOdd(t *testing.T) {
	f := func(line string, want parsed) {
		t.Helper()
		want.Odd = true
		checkParse(t, line, want)
	}
	none := func(text string) parsed { return parsed{Level: "user.info?", PID: -1, Text: text} }
	// Nothing of syslog.
	f("hello world", none("hello world"))
	f("Error: no such file", none("Error: no such file"))
	f("   at java.base/Thread.run", none("   at java.base/Thread.run"))
	f("", none(""))
	f("x[1] = 5", none("x[1] = 5"))
	f(`{"json": true}`, none(`{"json": true}`))
	// Broken priorities.
	f("<192>hello", none("<192>hello"))
	f("<>hello", none("<>hello"))
	f("<13 hello", none("<13 hello"))
	f("<1a>hello", none("<1a>hello"))
	f("<0013>hello", none("<0013>hello"))
	f("<-1>hello", none("<-1>hello"))
	f("<999>Nov 23 03:12:59 web1 sshd[1]: x", none("<999>Nov 23 03:12:59 web1 sshd[1]: x"))
	// A priority and nothing more that is known.
	f("<13>hello world", parsed{Level: "user.notice", PID: -1, Text: "hello world"})
	f("<13>", parsed{Level: "user.notice", PID: -1})
	f("<189>date=2026-11-23 time=03:12:59 devname=\"fw\" srcip=203.0.113.7",
		parsed{Level: "local7.notice", PID: -1, Text: "date=2026-11-23 time=03:12:59 devname=\"fw\" srcip=203.0.113.7"})
	// Days and hours that do not exist.
	for _, when := range []string{"Feb 30 03:12:59", "Nov 31 03:12:59", "Nov 23 24:12:59", "Nov 23 03:60:59", "Nov 00 03:12:59", "Nov 23 03:12", "2026-13-01T00:00:00Z", "2026-02-29T00:00:00Z", "0000-01-01T00:00:00Z", "9999-01-01T00:00:00Z"} {
		f("<86>"+when+" some text", parsed{Level: "authpriv.info", PID: -1, Text: when + " some text"})
	}
	// Broken headers of RFC 5424.
	f("<13>1 yesterday h a 1 - - x", parsed{Level: "user.notice", PID: -1, Text: "1 yesterday h a 1 - - x"})
	f("<13>1 - h a", parsed{Level: "user.notice", PID: -1, Text: "1 - h a"})
	f("<13>1 ", parsed{Level: "user.notice", PID: -1, Text: "1 "})
	f("<13>1 2026-11-23T03:12:59Z web1 sshd[1]: x", parsed{Level: "user.notice", Time: at(3, 12, 59, 0), Host: "web1", Process: "sshd", PID: 1, Text: "x"})
	// Structured data that is none: the header counts.
	f(`<13>1 - h a 1 - [x@1 a="b" text`, parsed{Level: "user.notice", Host: "h", Process: "a", PID: 1, Text: `[x@1 a="b" text`})
	f(`<13>1 - h a 1 - [x]text`, parsed{Level: "user.notice", Host: "h", Process: "a", PID: 1, Text: `[x]text`})
	f(`<13>1 - h a 1 - text`, parsed{Level: "user.notice", Host: "h", Process: "a", PID: 1, Text: `text`})
	f("<13>1 - h a 1 - ", parsed{Level: "user.notice", Host: "h", Process: "a", PID: 1})
	// Bytes that are no text.
	f("caf\xe9 \x00 \xff\xfe ok \u00e9", none(`caf\xe9 \x00 \xff\xfe ok é`))
	f("\x00\x00hello\x00\x00", none("hello"))
}

// TestParseFile holds lines of log files, which have no priority.
func TestParseFile(t *testing.T) {
	f := func(line, facility string, at time.Time, host, process string, pid int32, text string) {
		t.Helper()
		checkParse(t, line, parsed{Level: facility + ".info?", Time: at, Host: host, Process: process, PID: pid, Text: text})
	}
	event := at(3, 12, 59, 0)
	f("Dec 10 06:55:46 LabSZ sshd[24200]: Invalid user webmaster from 203.0.113.7",
		"authpriv", time.Date(2025, 12, 10, 6, 55, 46, 0, time.UTC), "LabSZ", "sshd", 24200, "Invalid user webmaster from 203.0.113.7")
	f("2026-11-23T03:12:59.123456+00:00 host sshd[1]: Failed password for root", "authpriv", at(3, 12, 59, 123_456_000), "host", "sshd", 1, "Failed password for root")
	f("2026-11-23T04:12:59.123456+01:00 host sshd-session[1]: x", "authpriv", at(3, 12, 59, 123_456_000), "host", "sshd-session", 1, "x")
	f("Nov 23 03:12:59 h sudo:  ann : x", "authpriv", event, "h", "sudo", -1, " ann : x")
	f("Nov 23 03:12:59 h su[1]: x", "authpriv", event, "h", "su", 1, "x")
	f("Nov 23 03:12:59 h su(pam_unix)[1]: x", "authpriv", event, "h", "su(pam_unix)", 1, "x")
	f("Nov 23 03:12:59 h login[1]: x", "authpriv", event, "h", "login", 1, "x")
	f("Nov 23 03:12:59 h CRON[1]: x", "cron", event, "h", "CRON", 1, "x")
	f("Nov 23 03:12:59 h /usr/sbin/cron[1]: x", "cron", event, "h", "/usr/sbin/cron", 1, "x")
	f("Nov 23 03:12:59 h kernel: x", "kern", event, "h", "kernel", -1, "x")
	f("Nov 23 03:12:59 h postfix/smtpd[1]: x", "mail", event, "h", "postfix/smtpd", 1, "x")
	f("Nov 23 03:12:59 h rsyslogd: x", "syslog", event, "h", "rsyslogd", -1, "x")
	f("Nov 23 03:12:59 h systemd[1]: x", "daemon", event, "h", "systemd", 1, "x")
	f("Nov 23 03:12:59 h app[1]: x", "user", event, "h", "app", 1, "x")
	f("Nov  3 03:12:59 h app[1]: x", "user", event.AddDate(0, 0, -20), "h", "app", 1, "x")
	f("Nov 3 03:12:59 h app[1]: x", "user", event.AddDate(0, 0, -20), "h", "app", 1, "x")
	f("Nov 23 03:12:59 h something without a tag", "user", event, "h", "", -1, "something without a tag")
	f("\ufeffNov 23 03:12:59 h app[1]: x", "user", event, "h", "app", 1, "x")
	f("sshd[12]: Failed password", "authpriv", time.Time{}, "", "sshd", 12, "Failed password")
	// Applications' own logs are no syslog: no host and no program is made up.
	f("2026-11-23 03:12:59,250 ERROR [main] db: lost", "user", at(3, 12, 59, 250_000_000), "", "", -1, "ERROR [main] db: lost")
	f("2026-11-23 03:12:59 ERROR: lost", "user", event, "", "", -1, "ERROR: lost")
	f("2026-11-23 03:12:59 ERROR db: lost", "user", event, "", "", -1, "ERROR db: lost")
	f("2026-11-23T03:12:59Z stdout F hello", "user", event, "", "", -1, "stdout F hello")
	f("2026-11-23 04:12:59 +0100 h app[1]: x", "user", event, "h", "app", 1, "x")
	f("2026-11-23 03:12:59 app[1]: x", "user", event, "", "app", 1, "x")
	f("2026-11-23T03:12:59 h app: x", "user", event, "h", "app", -1, "x")
}

// realLog returns a real server's log, or skips.
func realLog(t testing.TB) [][]byte {
	t.Helper()
	b, err := os.ReadFile(realLogPath)
	if err != nil {
		t.Skip("the log of a real server is not here:", err)
	}
	return bytes.Split(bytes.TrimSuffix(b, []byte("\n")), []byte("\n"))
}

const realLogPath = "../../shared/data/openssh_2k.log"

func TestParseRealLog(t *testing.T) {
	lines := realLog(t)
	failed := 0
	for _, line := range lines {
		m := Parse(line, testNow, time.UTC)
		if m.ProcessName != "sshd" || m.HostName != "LabSZ" || m.Facility != Authpriv || !m.HasPID || m.Odd ||
			m.Time.Year() != 2025 || m.Time.Month() != time.December || strings.HasSuffix(m.Text, "\r") {
			t.Errorf("Parse(%q) = %+v", line, m)
		}
		if strings.HasPrefix(m.Text, "Failed password") {
			failed++
		}
	}
	if len(lines) != 2000 || failed != 518 {
		t.Errorf("got %d lines, %d of them failed passwords; want 2000 and 518", len(lines), failed)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"<86>Nov 23 03:12:59 web1 sshd[4242]: Failed password for root from 203.0.113.7 port 51022 ssh2",
		"<0>1990 Oct 22 10:52:01 TZ-6 scapegoat.dmz.example.org 10.1.2.3 sched[0]: That's All Folks!",
		"<165>1 2003-10-11T22:14:15.003Z m evntslog - ID47 [a@1 b=\"c\\\"]\"] \ufeffAn entry",
		"<166>45: *Nov 23 03:12:59.000 UTC: %SYS-5-CONFIG_I: x",
		"2026-11-23 03:12:59,123 +0100 ERROR x: y",
		"Feb 29 03:12:59 2024 h a[b]: \xff\x00",
		"Message forwarded from a: b", "<13>1 - - - - -", "a b c d[1]: x", "Nov 23 03:12:59 \ufeff",
	} {
		f.Add([]byte(s), int64(1795404600))
	}
	f.Fuzz(checkFuzzed)
}

// FuzzRFC5424 has all inputs begin as RFC 5424 has it, where FuzzParse rarely comes.
func FuzzRFC5424(f *testing.F) {
	for _, s := range []string{
		"2003-10-11T22:14:15.003Z m evntslog - ID47 [a@1 b=\"c\\\"]\"] \ufeffAn entry", "- - - - - -", "- h a 1 - [x]text", "- h a 1 - -  text",
		"1795403579.123456789 MX84 flows src=203.0.113.7", "2026-11-23T03:12:59Z web1 sshd[1]: x", "yesterday h a 1 - - x", "- h a - - [a@1][b c=\"]\"]",
	} {
		f.Add([]byte(s), int64(1795404600))
	}
	f.Fuzz(func(t *testing.T, rest []byte, unix int64) {
		checkFuzzed(t, append([]byte("<13>1 "), rest...), unix)
	})
}

// checkFuzzed holds what is true of any message.
func checkFuzzed(t *testing.T, line []byte, unix int64) {
	now := time.Unix(unix%(1<<33), 0)
	m := Parse(line, now, time.UTC)
	all := clean(line)
	// The message is the end of the line: none of it is lost or changed.
	if !strings.HasSuffix(all, m.Text) {
		t.Fatalf("text %q is not the end of %q", m.Text, all)
	}
	header := all[:len(all)-len(m.Text)]
	for _, s := range []string{m.HostName, m.ProcessName, m.MsgID, m.Data} {
		if !strings.Contains(header, s) && !strings.HasPrefix(m.Text, s) {
			t.Fatalf("%q is not from the header %q", s, header)
		}
	}
	// What is not understood was not taken for header.
	if m.Time.IsZero() && m.ProcessName == "" && m.HostName == "" && !strings.HasPrefix(header, "<") && strings.TrimLeft(header, " ") != "" {
		t.Fatalf("header %q of %q is lost", header, all)
	}
	for _, s := range []string{m.Text, m.HostName, m.ProcessName, m.body()} {
		if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
			t.Fatalf("%q is no text", s)
		}
	}
	if m.Facility > 23 || m.Severity > 7 || m.ProcessID < 0 {
		t.Fatalf("out of range: %+v", m)
	}
	if y := m.Time.Year(); !m.Time.IsZero() && (y < 1900 || y > lastYear+1) {
		t.Fatalf("year %d", y)
	}
}

func BenchmarkParse(b *testing.B) {
	for name, line := range map[string]string{
		"rfc3164": "<86>Nov 23 03:12:59 web1 sshd[4242]: Failed password for invalid user admin from 203.0.113.7 port 51022 ssh2",
		"rfc5424": "<86>1 2026-11-23T03:12:59.123456+01:00 web1 sshd 4242 - [timeQuality tzKnown=\"1\"] Failed password for root from 203.0.113.7 port 51022 ssh2",
		"file":    "Dec 10 06:55:48 LabSZ sshd[24200]: Failed password for invalid user webmaster from 173.234.31.186 port 38926 ssh2",
		"isofile": "2026-11-23T03:12:59.123456+00:00 host sshd[4242]: Failed password for root from 203.0.113.7 port 51022 ssh2",
	} {
		b.Run(name, func(b *testing.B) {
			data := []byte(line)
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				Parse(data, testNow, time.Local)
			}
		})
	}
}
