package ingest

import (
	"iter"
	"strings"
	"time"
)

// A CEF is one event in the Common Event Format ("Implementing ArcSight Common
// Event Format", versions 0 and 1):
//
//	CEF:Version|Vendor|Product|Version|Class|Name|Severity|key=value key=value …
//
// Escapes are resolved: \| and \\ in the header, \=, \\, \n and \r in values.
type CEF struct {
	Vendor, Product, Version string // of the device
	Class                    string // the kind of event: Device Event Class ID, or Signature ID
	Name                     string
	Severity                 string // as sent: 0 to 10 or a word

	extension string // the keys and their values, as sent

	// Rest is what stands before the first key and is no value of any.
	Rest string

	// Odd reports a header that is not whole, or a Rest.
	Odd bool
}

// ParseCEF reads an event at the head of s. ok is false if s does not begin as
// one, with "CEF:", a version and a bar; there is no other error. Fields that are
// missing at the end of the header are empty.
//
// Values may hold spaces: a key is a word at the head of the extension, or
// behind a space, that is followed by an equals sign. An equals sign behind
// something else is part of the value, escaped or not.
func ParseCEF(s string) (e CEF, ok bool) {
	s, ok = strings.CutPrefix(s, cefPrefix)
	if !ok {
		return e, false
	}
	if s, ok = cefVersion(s); !ok {
		return e, false
	}
	fields := [...]*string{&e.Vendor, &e.Product, &e.Version, &e.Class, &e.Name, &e.Severity}
	for i, field := range fields {
		end := barEnd(s)
		if end < 0 { // there is no bar behind the last field, or fields are missing
			end = firstKey(s)
			e.Odd = i < len(fields)-1 || end < len(s)
			*field = unescapeHeader(strings.Trim(s[:end], " "))
			s = s[end:]
			break
		}
		*field = unescapeHeader(strings.Trim(s[:end], " "))
		s = s[end+1:]
	}
	begin := firstKey(s)
	if e.Rest = strings.Trim(s[:begin], " "); e.Rest != "" {
		e.Odd = true
	}
	e.extension = s[begin:]
	return e, true
}

const cefPrefix = "CEF:"

// cefEvent returns the event that a message carries as a row of
// CommonSecurityLog, and whether something of it is not as the format has it. ok
// is false if it carries none.
func (o *origin) cefEvent(m *Message, received time.Time, loc *time.Location) (row []any, odd, ok bool) {
	text := m.cef()
	if text == "" {
		return nil, false, false
	}
	e, ok := ParseCEF(text)
	if !ok {
		return nil, false, false
	}
	return o.cefRow(&e, m.HostName, received, loc), e.Odd, true
}

// cef returns the event that a message carries, from its "CEF:" on, or "" if it
// carries none.
func (m *Message) cef() string {
	if m.ProcessName == "CEF" && !m.HasPID && len(m.Text) > 0 && isDigit(m.Text[0]) {
		return cefPrefix + m.Text // some put a space behind the colon, which makes it a tag
	}
	if strings.HasPrefix(m.Text, cefPrefix) {
		return m.Text
	}
	return ""
}

// cefVersion passes over the version, "0", "1" or "1.2", and its bar. Some
// devices put a space before it.
func cefVersion(s string) (rest string, ok bool) {
	version, rest, ok := strings.Cut(s[:min(len(s), 16)], "|")
	version = strings.Trim(version, " ")
	if !ok || version == "" || strings.Trim(version, "0123456789.") != "" {
		return s, false
	}
	return s[min(len(s), 16)-len(rest):], true
}

// barEnd returns where the header field at the head of s ends, at a bar that is
// not escaped, or -1.
func barEnd(s string) int {
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '|':
			return i
		case '\\':
			i++
		}
	}
	return -1
}

// firstKey returns where the first key of s begins, or the length of s.
func firstKey(s string) int {
	begin, _, ok := nextKey(s, 0)
	if !ok {
		return len(s)
	}
	return begin
}

// maxKey bounds the length of a key, so that reading is linear.
const maxKey = 256

// nextKey finds the next key in s whose equals sign is not before s[from]: it is
// s[begin:equals].
func nextKey(s string, from int) (begin, equals int, ok bool) {
	for i := from; i < len(s); i++ {
		n := strings.IndexByte(s[i:], '=')
		if n < 0 {
			break
		}
		i += n
		begin = i
		for begin > from && i-begin <= maxKey && isKey(s[begin-1]) {
			begin--
		}
		if begin < i && i-begin <= maxKey && (begin == 0 || s[begin-1] == ' ') && !isDigit(s[begin]) {
			return begin, i, true
		}
	}
	return 0, 0, false
}

// isKey reports whether c can be in a key. The specification has letters and
// digits; devices also use the others.
func isKey(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c) || c == '_' || c == '.' || c == '-' || c == '[' || c == ']'
}

// Extensions yields the keys and their values in the order of the event. A value
// may be empty, and a key may come twice.
func (e *CEF) Extensions() iter.Seq2[string, string] {
	return func(yield func(key, value string) bool) {
		s := e.extension
		begin, equals, ok := nextKey(s, 0)
		for ok {
			key, value := s[begin:equals], equals+1
			begin, equals, ok = nextKey(s, value)
			end := len(s)
			if ok {
				end = begin
			}
			if !yield(key, unescapeValue(strings.Trim(s[value:end], " "))) {
				return
			}
		}
	}
}

func unescapeHeader(s string) string {
	return unescape(s, func(c byte) (byte, bool) { return c, c == '|' || c == '\\' })
}

func unescapeValue(s string) string {
	return unescape(s, func(c byte) (byte, bool) {
		switch c {
		case 'n':
			return '\n', true
		case 'r':
			return '\r', true
		}
		return c, c == '=' || c == '\\'
	})
}

// unescape replaces a backslash and what follows it by the character that they
// mean. Other backslashes stay: devices forget to escape those of paths.
func unescape(s string, meaning func(c byte) (byte, bool)) string {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	b := make([]byte, i, len(s))
	copy(b, s)
	for ; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			if c, ok := meaning(s[i+1]); ok {
				b = append(b, c)
				i++
				continue
			}
		}
		b = append(b, s[i])
	}
	return string(b)
}
