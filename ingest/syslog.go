package ingest

import (
	"bytes"
	"math"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"
)

// A Message is what one line of syslog says.
type Message struct {
	// Priority reports that the line named facility and severity. If it did
	// not, Facility is what the program commonly uses (User if that is not
	// known) and Severity is Info.
	Priority bool
	Facility Facility
	Severity Severity

	// Time is the event's own time in UTC; zero if the line has none.
	Time time.Time

	HostName    string // "" if the line has none
	ProcessName string // the tag without its process id, or APP-NAME; for Cisco's devices the mnemonic with its %
	ProcessID   int32
	HasPID      bool // ProcessID is known

	MsgID string // RFC 5424 MSGID, "" if nil
	Data  string // RFC 5424 STRUCTURED-DATA as sent, "" if nil

	// Text is the message without header and tag.
	Text string

	// Odd reports that something was not as any known form has it. It is in Text.
	Odd bool
}

// Parse reads one message of syslog: RFC 5424, RFC 3164 and what senders have
// made of it, or a line of a log file. It cannot fail: what it does not
// understand stays in Text.
//
// Times without a zone are in loc. Times without a year are of the latest year
// that puts them at most 24 hours ahead of now.
//
// All text is valid UTF-8 without NUL: other bytes appear as \xNN. NULs at the
// ends and line ends are removed; a MSGID, or a PROCID that is no number, goes
// with the rest of an RFC 5424 header.
func Parse(line []byte, now time.Time, loc *time.Location) Message {
	return parse(clean(line), now, loc)
}

// parse reads a message of which clean has made text.
func parse(s string, now time.Time, loc *time.Location) Message {
	m := Message{Facility: User, Severity: Info}
	if s == "" {
		m.Odd = true
		return m
	}
	rest := s
	if s[0] == '<' {
		var pri int
		if pri, rest, m.Priority = priority(s); m.Priority {
			m.Facility, m.Severity = Facility(pri>>3), Severity(pri&7)
		} else {
			m.Odd = true
		}
	}
	if m.Priority && strings.HasPrefix(rest, "1 ") {
		if m.rfc5424(rest[2:], loc) {
			return m
		}
		if m.meraki(rest[2:]) {
			return m
		}
		m.Odd = true
		if _, _, _, ok := timestamp(rest[2:], now, loc); ok {
			rest = rest[2:] // the header of the one, the body of the other
		}
	}
	m.rfc3164(rest, now, loc)
	if !m.Priority {
		m.Facility, _ = programFacility(m.ProcessName)
	}
	return m
}

// clean returns line as text that a table can hold.
func clean(line []byte) string {
	line = trimLine(line)
	if plain(line) {
		return string(line)
	}
	return escape(line)
}

// trimLine cuts off what is around a line.
func trimLine(line []byte) []byte {
	return trimHead(bytes.TrimRight(line, "\r\n\x00"))
}

// trimHead cuts off what is before a line: a hole left by copytruncate reads as NULs.
func trimHead(line []byte) []byte {
	return bytes.TrimPrefix(bytes.TrimLeft(line, "\x00"), []byte(bom))
}

// plain reports whether line is text as it is: UTF-8 without NUL.
func plain(line []byte) bool { return utf8.Valid(line) && bytes.IndexByte(line, 0) < 0 }

// escape writes what is not text as \xNN.
func escape(line []byte) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	for i := 0; i < len(line); {
		r, size := utf8.DecodeRune(line[i:])
		if r == 0 || r == utf8.RuneError && size == 1 {
			b.WriteString(`\x`)
			b.WriteByte(hex[line[i]>>4])
			b.WriteByte(hex[line[i]&15])
		} else {
			b.Write(line[i : i+size])
		}
		i += size
	}
	return b.String()
}

const bom = "\ufeff"

// priority reads "<PRI>", at most three digits and 191.
func priority(s string) (pri int, rest string, ok bool) {
	pri, end := digits(s, 1, 3)
	if end == 1 || end >= len(s) || s[end] != '>' || pri > maxPRI {
		return 0, s, false
	}
	return pri, s[end+1:], true
}

// rfc5424 reads a message of RFC 5424 from after its version. It changes
// nothing and returns false if the header is not complete.
func (m *Message) rfc5424(s string, loc *time.Location) bool {
	var field [5]string
	for i := range field {
		end := strings.IndexByte(s, ' ')
		if end <= 0 {
			return false
		}
		field[i], s = s[:end], s[end+1:]
		if field[i] == "-" { // NILVALUE
			field[i] = ""
		}
	}
	if field[0] != "" {
		t, rest, form, ok := isoTime(field[0], loc)
		if !ok || rest != "" || form != iso {
			return false
		}
		m.Time = t
	}
	m.HostName, m.ProcessName, m.MsgID = field[1], field[2], field[4]
	m.ProcessID, m.HasPID = pid(field[3])

	end := dataEnd(s)
	switch {
	case end < 0 || end < len(s) && s[end] != ' ':
		m.Odd = true
		m.Text = s
		return true
	case s[:end] != "-":
		m.Data = s[:end]
	}
	text, marked := strings.CutPrefix(strings.TrimPrefix(s[end:], " "), bom)
	if !marked {
		// rsyslog's own template keeps the space that was behind the tag of a
		// message of RFC 3164: "- - -  Failed password".
		text = strings.TrimPrefix(text, " ")
	}
	m.Text = text
	return true
}

// dataEnd returns the length of the STRUCTURED-DATA at the head of s, or -1.
func dataEnd(s string) int {
	if strings.HasPrefix(s, "-") {
		return 1
	}
	end := 0
	for end < len(s) && s[end] == '[' {
		n := elementEnd(s[end:])
		if n < 0 {
			return -1
		}
		end += n
	}
	if end == 0 {
		return -1
	}
	return end
}

// elementEnd returns the length of the SD-ELEMENT at the head of s, or -1.
func elementEnd(s string) int {
	quoted := false
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case quoted && c == '\\':
			i++ // \" \\ \] (RFC 5424 §6.3.3)
		case c == '"':
			quoted = !quoted
		case c == ']' && !quoted:
			return i + 1
		}
	}
	return -1
}

// rfc3164 reads what follows the priority, if there is one, of a message in
// the manner of RFC 3164, or a line of a log file.
func (m *Message) rfc3164(s string, now time.Time, loc *time.Location) {
	head := strings.TrimLeft(s, " ")
	if m.Priority || ciscoHead(head) {
		head = skipSequence(head)
	}
	t, rest, form, ok := timestamp(head, now, loc)
	if !ok && m.Priority {
		if host, after, found := cutOrigin(head); found {
			t, rest, form, ok = timestamp(after, now, loc)
			if ok = ok && strings.HasPrefix(rest, ": %"); ok {
				m.HostName = host
			}
		}
	}
	if !ok {
		m.untimed(s)
		return
	}
	m.Time = t
	if strings.HasPrefix(rest, ":") { // Cisco: no host, no tag
		m.setText(strings.TrimLeft(rest[1:], " "))
		return
	}
	rest = strings.TrimLeft(rest, " ")
	if from, ok := strings.CutPrefix(rest, "Message forwarded from "); ok { // AIX
		if host, after, ok := strings.Cut(from, ": "); ok && isHost(host) {
			m.HostName = host
			m.setText(after)
			return
		}
	}
	// Only syslog writes a bare "name: " or a host after the time; an
	// application's own log has its level there.
	foreign := form != bsd && !m.Priority
	if t, ok := readTag(rest, false); ok && (t.hasPID || !foreign) && !strings.HasPrefix(t.rest, " %") {
		m.setTag(t)
		return
	}
	host, after, ok := cutHost(rest)
	if foreign {
		if _, tagged := readTag(after, true); !ok || !tagged || isLevel(host) {
			m.Text = rest
			return
		}
	}
	if ok {
		m.HostName, rest = host, after
	}
	m.setText(rest)
}

// untimed reads a message that has no timestamp. It may have a tag, and, if
// that is beyond doubt, a host.
func (m *Message) untimed(s string) {
	if m.mnemonic(s) {
		return
	}
	if t, ok := readTag(s, false); ok && (m.Priority || t.hasPID && t.colon) {
		m.setTag(t)
		return
	}
	if host, after, ok := cutHost(s); ok && m.Priority {
		if t, ok := readTag(after, false); ok && t.hasPID {
			m.HostName = host
			m.setTag(t)
			return
		}
	}
	m.Text = s
	m.Odd = true
}

// setText takes s for tag and message, or for message alone.
func (m *Message) setText(s string) {
	if m.mnemonic(s) {
		return
	}
	if t, ok := readTag(strings.TrimLeft(s, " "), true); ok {
		if level, name, ok := strings.Cut(t.name, " "); ok && isLevel(level) {
			t.name = name // F5's: "notice httpd[6811]:"
		}
		m.setTag(t)
		return
	}
	m.Text = s
}

func (m *Message) setTag(t tag) {
	m.ProcessName, m.ProcessID, m.HasPID = t.name, t.pid, t.hasPID
	m.Text = strings.TrimPrefix(t.rest, " ") // one space is the separator, more are the message's own
}

// cutHost cuts a host name or address off the head of s.
func cutHost(s string) (host, after string, ok bool) {
	host, after, ok = strings.Cut(s, " ")
	if !ok { // a single word is rather the message
		return "", s, false
	}
	if strings.HasPrefix(s, "last message repeated ") {
		return "", s, false // syslogd's own line, which some write without a host
	}
	if name, ok := strings.CutSuffix(host, ":"); ok && strings.HasPrefix(after, "%") {
		host = name // "10.0.0.1: %SYS-5-CONFIG_I: …"
	}
	if rest, ok := strings.CutPrefix(after, ": "); ok && strings.HasPrefix(rest, "%") {
		after = rest // "asa1 : %ASA-6-302013: …"
	}
	if !isHost(host) {
		return "", s, false
	}
	if host == "-" {
		host = ""
	}
	return host, after, true
}

// isHost reports whether s can be a host name or an address. Relays write
// chains with / and @.
func isHost(s string) bool {
	if s == "" || len(s) > 255 {
		return false
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', isDigit(c), c == '.', c == '-', c == '_':
		case i > 0 && (c == '/' || c == '@'):
		case c == ':' || c == '%':
			_, err := netip.ParseAddr(s)
			return err == nil
		default:
			return false
		}
	}
	return true
}

// isLevel reports whether a word is what applications write where syslog has
// the host.
func isLevel(s string) bool {
	for _, level := range [...]string{"trace", "debug", "info", "notice", "warn", "warning", "error", "err", "fatal", "critical"} {
		if strings.EqualFold(s, level) {
			return true
		}
	}
	return false
}

// pid reads a process id.
func pid(s string) (int32, bool) {
	if len(s) > 10 {
		return 0, false
	}
	n, ok := number(s)
	if !ok || n > math.MaxInt32 {
		return 0, false
	}
	return int32(n), true
}
