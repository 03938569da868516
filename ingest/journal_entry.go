package ingest

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"
)

// journalFields are what rows are made of ("systemd.journal-fields(7)").
var journalFields = []string{
	"MESSAGE", "PRIORITY", "SYSLOG_FACILITY", "SYSLOG_IDENTIFIER", "SYSLOG_PID", "_PID", "_COMM", "_HOSTNAME", "_TRANSPORT",
	"_SOURCE_REALTIME_TIMESTAMP",
}

// A journalEntry is one entry of the journal as a message of syslog.
type journalEntry struct {
	cursor  string
	message Message
	cut     bool // the message was longer than it may be
	size    int  // of the message
}

// newJournalEntry reads the fields of an entry. Times of the entry are in
// microseconds since 1970.
func newJournalEntry(fields map[string]*rawField, maxLine int) (*journalEntry, error) {
	text := func(name string) string {
		s, _ := fields[name].value()
		return clean(s)
	}
	e := &journalEntry{cursor: text("__CURSOR")}
	if f := fields["__CURSOR"]; e.cursor == "" || f.cut {
		return nil, errNoEntry
	}
	body, cut := fields["MESSAGE"].value()
	if len(body) > maxLine {
		body, cut = body[:maxLine], true
	}
	if e.cut = cut; cut {
		body = markCut(bytes.Clone(body))
	}
	m := &e.message
	m.Text = clean(body)
	m.Odd = fields["MESSAGE"] == nil
	e.size = len(m.Text)
	m.Facility, m.Severity = Daemon, Info
	m.HostName = text("_HOSTNAME")
	m.ProcessName = text("SYSLOG_IDENTIFIER")
	if m.ProcessName == "" {
		m.ProcessName = text("_COMM")
	}
	for _, name := range []string{"_PID", "SYSLOG_PID"} { // the first is the kernel's word, the other the sender's
		if m.ProcessID, m.HasPID = pid(text(name)); m.HasPID {
			break
		}
	}
	kernel := text("_TRANSPORT") == "kernel"
	if kernel && m.ProcessName == "" {
		m.ProcessName = "kernel"
	}
	if n, ok := number(text("PRIORITY")); ok && n < len(severityNames) {
		m.Severity = Severity(n)
	}
	// Without a facility an entry is of a service's output, or of the journal's own interface.
	if n, ok := number(text("SYSLOG_FACILITY")); ok && n < len(facilityNames) {
		m.Facility = Facility(n)
	} else if f, ok := programFacility(m.ProcessName); ok {
		m.Facility = f
	} else if kernel {
		m.Facility = Kern
	}
	m.Priority = true
	for _, name := range []string{"_SOURCE_REALTIME_TIMESTAMP", "__REALTIME_TIMESTAMP"} {
		if n, err := strconv.ParseInt(text(name), 10, 64); err == nil && n > 0 {
			if t := time.UnixMicro(n).UTC(); t.Year() <= lastYear {
				m.Time = t
				break
			}
		}
	}
	return e, nil
}

// value is what a field holds: text, or bytes that are written as an array of
// numbers. Of a field that is there several times all values are taken, a line
// each. cut says that it is not all.
func (f *rawField) value() (text []byte, cut bool) {
	if f == nil {
		return nil, false
	}
	raw := f.text
	if f.cut {
		raw = closed(raw)
	}
	return flatten(raw), f.cut
}

// flatten returns the text of a JSON value; what is neither text nor a list
// stays as it is written.
func flatten(raw []byte) []byte {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return []byte(s)
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return raw
	}
	var out []byte
	for i, v := range list {
		if n, err := strconv.ParseUint(string(v), 10, 8); err == nil {
			out = append(out, byte(n))
			continue
		}
		if i > 0 {
			out = append(out, '\n')
		}
		out = append(out, flatten(v)...)
	}
	return out
}

// closed makes JSON of the beginning of a string, or of an array of either
// numbers or strings. What it cannot make any of it returns as it is.
func closed(raw []byte) []byte {
	end := ""
	if raw[0] == '[' {
		end = "]"
	}
	if end != "" && bytes.IndexByte(raw, '"') < 0 { // the last number may not be whole
		if i := bytes.LastIndexByte(raw, ','); i > 0 {
			return append(bytes.Clone(raw[:i]), end...)
		}
		return raw
	}
	for cut := 0; cut < min(6, len(raw)); cut++ { // at most five bytes of an escape can be left
		if text := append(bytes.Clone(raw[:len(raw)-cut]), `"`+end...); json.Valid(text) {
			return text
		}
	}
	return raw
}
