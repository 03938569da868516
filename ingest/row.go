package ingest

import "time"

// syslogColumns are the columns of the Syslog table that rows fill, in the
// order of [origin.row] ("Azure Monitor Logs reference: Syslog").
var syslogColumns = []string{
	"TimeGenerated", "EventTime", "Computer", "HostName", "HostIP", "Facility", "SeverityLevel", "SyslogMessage",
	"ProcessName", "ProcessID", "CollectorHostName", "SourceSystem",
}

// An origin is where lines come from: a sender or a file. It fills what a line
// leaves out.
type origin struct {
	collector any // string: this host, boxed once for all rows
	host      any // string: of lines that name none
	address   any // string: the sender's, "" for a file

	// Of lines without a priority: the facility unless their program tells, and the severity.
	facility Facility
	severity Severity
}

// row returns m as a row of the Syslog table.
//
// TimeGenerated is the time of receipt, never the sender's: rules look at a
// window of TimeGenerated, and whoever has a slow or wrong clock, or sends late,
// would otherwise stay outside of it, by accident or to hide. The sender's time is EventTime.
func (o *origin) row(m *Message, received time.Time) []any {
	return o.fill(make([]any, len(syslogColumns)), m, received, nil)
}

// fill does as row, into a row that is there. received is a time, boxed once for
// all rows.
func (o *origin) fill(row []any, m *Message, received any, known *names) []any {
	if !m.Priority {
		m.Severity = o.severity
		if m.Facility == User {
			m.Facility = o.facility
		}
	}
	event := received
	if !m.Time.IsZero() {
		event = known.moment(m.Time)
	}
	host := o.host
	if m.HostName != "" {
		host = known.value(m.HostName)
	}
	var id any
	if m.HasPID {
		id = m.ProcessID
	}
	copy(row, []any{
		received, event, host, host, o.address, facilityValues[m.Facility], severityValues[m.Severity], m.body(),
		known.value(m.ProcessName), id, o.collector, "Linux",
	})
	return row
}

// body is the text for SyslogMessage. The table has no column for structured
// data, so private elements (name@number, RFC 5424 §6.3.2) follow the text:
// firewalls put the addresses there. The registered ones (timeQuality, origin,
// meta) are about the sending and are left out unless there is nothing else.
func (m *Message) body() string {
	switch {
	case m.Data == "":
		if m.Text == "" {
			return m.MsgID
		}
		return m.Text
	case m.Text == "" && m.MsgID == "":
		return m.Data
	case m.Text == "":
		return m.MsgID + " " + m.Data
	}
	text := m.Text
	for rest := m.Data; rest != ""; {
		end := elementEnd(rest)
		if end < 0 {
			break // not reached: Data is whole elements
		}
		if private(rest[:end]) {
			text += " " + rest[:end]
		}
		rest = rest[end:]
	}
	return text
}

// private reports whether an SD-ELEMENT's name is not one of the registered.
func private(element string) bool {
	for i := 0; i < len(element); i++ {
		switch element[i] {
		case '@':
			return true
		case ' ', ']':
			return false
		}
	}
	return false
}

// The names as values of a row: boxing one for every row would be most of its garbage.
var facilityValues, severityValues = boxed(facilityNames[:]), boxed(severityNames[:])

func boxed(names []string) []any {
	values := make([]any, len(names))
	for i, n := range names {
		values[i] = n
	}
	return values
}
