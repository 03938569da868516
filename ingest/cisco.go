package ingest

import (
	"strings"
	"time"
)

// ciscoHead reports whether a message without a priority may begin with what
// Cisco's devices put before the time: a mnemonic follows soon.
func ciscoHead(s string) bool {
	return s != "" && (s[0] == '*' || s[0] == '.' || isDigit(s[0])) && strings.Contains(s[:min(len(s), 128)], ": %")
}

// skipSequence passes over what Cisco's IOS puts before the time: a sequence
// number, and * or . for a clock that is not set or not synchronised.
func skipSequence(s string) string {
	if _, end := digits(s, 0, 10); end > 0 && strings.HasPrefix(s[end:], ": ") {
		s = s[end+2:]
	}
	if len(s) > 1 && (s[0] == '*' || s[0] == '.') && month(s[1:min(4, len(s))]) != 0 {
		s = s[1:]
	}
	return s
}

// cutOrigin cuts off what IOS (logging origin-id) and NX-OS put before the time:
// "router1: ", ": ", or a name with a sequence number behind it.
func cutOrigin(s string) (host, rest string, ok bool) {
	host, rest, ok = strings.Cut(s, ": ")
	if !ok || host != "" && !isHost(host) {
		return "", s, false
	}
	return host, skipSequence(rest), true
}

// mnemonic takes a message of Cisco's, "%ASA-6-302013: …". The mnemonic is as
// much message as tag, and those who look for it look in the message: it is both.
func (m *Message) mnemonic(s string) bool {
	if !strings.HasPrefix(s, "%") {
		return false
	}
	t, ok := readTag(s[1:], false)
	if ok {
		m.ProcessName, m.Text = s[:1+len(t.name)], s
	}
	return ok
}

// meraki reads, from behind the version, a message of Cisco Meraki: "1", the
// time in seconds since 1970, the device's name ("Syslog Event Types and Log Samples").
// It changes nothing and returns false if it is none.
func (m *Message) meraki(s string) bool {
	when, rest, ok := strings.Cut(s, " ")
	seconds, fraction, ok2 := strings.Cut(when, ".")
	host, text, ok3 := strings.Cut(rest, " ")
	if !ok || !ok2 || !ok3 || len(seconds) != 10 || len(fraction) > 9 || !isHost(host) {
		return false
	}
	n, ok := number(seconds)
	f, ok2 := number(fraction)
	if !ok || !ok2 {
		return false
	}
	for range 9 - len(fraction) {
		f *= 10
	}
	t := time.Unix(int64(n), int64(f)).UTC()
	if t.Year() > lastYear {
		return false
	}
	m.Time, m.HostName, m.Text = t, host, text
	return true
}
