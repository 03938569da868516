package ingest

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"picket/kql"
)

// A Format is how the lines of a log file become rows of a table. It is made by
// [NewFormat] and does not change.
type Format struct {
	Name string

	// Table is where the rows go, and Columns what they hold, in the order of
	// their values.
	Table   string
	Columns []kql.Column

	// Custom says that the table is none that every workspace has: it must have
	// been made with [Format.Definition] before rows are appended.
	Custom bool

	// header says that the first line of a file names the fields of the others.
	header bool

	// comma parts the fields of csv, whose records may span lines; else "".
	comma string

	// reader returns the function that makes rows of one file's lines.
	reader func(s source) rowFunc
}

// source is the file that lines are of.
type source struct {
	host   string         // of lines that name none
	path   string         // as it was opened
	loc    *time.Location // zone of times that name none
	header []byte         // the file's first line, if the format has headers
}

// line is one line of a file, without its end. The text is valid until the
// function that is given it returns.
type line struct {
	text     []byte
	received time.Time
}

// rowFunc makes a line a row with a value for each of the format's columns. It
// cannot fail: what is not understood is in the row as it was, and odd says so.
type rowFunc func(l line) (row []any, odd bool)

// FormatOptions describe a format. Only Name is always needed.
type FormatOptions struct {
	// Name is one of [FormatNames].
	Name string

	// Table is the table for the rows: one whose name ends with _CL, as Azure
	// Monitor has it for custom logs, or one of Azure's, such as SecurityEvent, so
	// that content for that finds them. The formats json, csv and text need it;
	// apache and nginx have a default; syslog and cef have their own.
	Table string

	// Columns are what fields of json and csv become. Other fields are in
	// AdditionalFields.
	Columns []MappedColumn

	// Fields names the fields of csv in their order; without it the first line
	// of each file does. Delimiter parts them, a comma by default.
	Fields    []string
	Delimiter string

	// Time names the field of json or csv that says when the event was, for
	// EventTime.
	Time string
}

// A MappedColumn is a column of a custom table and the field it is filled from.
type MappedColumn struct {
	Name string
	Type kql.Type
	From string // the field: a name, or names joined by points to reach into objects; default Name
}

// FormatNames are the names of all formats.
func FormatNames() []string {
	return []string{"syslog", "cef", "apache", "nginx", "json", "csv", "text"}
}

// NewFormat returns the format that o describes. The error says which option is
// wrong.
func NewFormat(o FormatOptions) (*Format, error) {
	mapped := o.Name == "json" || o.Name == "csv"
	switch {
	case !mapped && (len(o.Columns) > 0 || o.Time != ""):
		return nil, fmt.Errorf("format %s has columns of its own; want json or csv for others", o.Name)
	case o.Name != "csv" && (len(o.Fields) > 0 || o.Delimiter != ""):
		return nil, fmt.Errorf("fields and delimiter are of csv; format is %s", o.Name)
	case (o.Name == "syslog" || o.Name == "cef") && o.Table != "":
		return nil, fmt.Errorf("%s always goes to its own table; leave table out", o.Name)
	case (mapped || o.Name == "text") && o.Table == "":
		return nil, fmt.Errorf("format %s needs a table; want a name that ends with _CL, or one of Azure's tables", o.Name)
	case o.Table != "" && !tableName.MatchString(o.Table):
		return nil, fmt.Errorf("table %q: want letters, digits and _, a letter first, at most 63; _CL at the end, unless it is one of Azure's tables", o.Table)
	}
	switch o.Name {
	case "syslog":
		return syslogFormat(), nil
	case "cef":
		return cefFormat(), nil
	case "apache", "nginx":
		return webFormat(o.Name, o.Table), nil
	case "json", "csv":
		return mappedFormat(o)
	case "text":
		return textFormat(o.Table), nil
	}
	return nil, fmt.Errorf("unknown format %q; want one of %s", o.Name, strings.Join(FormatNames(), ", "))
}

var tableName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,62}$`)

// Definition is the table to make for a Custom format.
func (f *Format) Definition() kql.Table {
	t := kql.Table{Name: f.Table, Columns: []kql.Column{{Name: "TenantId", Type: kql.String}}}
	t.Columns = append(t.Columns, f.Columns...)
	for _, name := range standardColumns {
		t.Columns = append(t.Columns, kql.Column{Name: name, Type: kql.String})
	}
	return t
}

// standardColumns are in every table of Azure Monitor's, beside TenantId and
// TimeGenerated ("Standard columns in Azure Monitor Logs").
var standardColumns = [...]string{"SourceSystem", "Type", "_ResourceId", "_ItemId"}

// columnNames are the names of the format's columns.
func (f *Format) columnNames() []string {
	names := make([]string, len(f.Columns))
	for i, c := range f.Columns {
		names[i] = c.Name
	}
	return names
}

func syslogFormat() *Format {
	f := &Format{Name: "syslog", Table: syslogTable}
	for _, name := range syslogColumns {
		c := kql.Column{Name: name, Type: kql.String}
		switch name {
		case "TimeGenerated", "EventTime":
			c.Type = kql.DateTime
		case "ProcessID":
			c.Type = kql.Int
		}
		f.Columns = append(f.Columns, c)
	}
	f.reader = func(s source) rowFunc {
		o := origin{collector: s.host, host: s.host, address: "", facility: fileFacility(s.path), severity: Info}
		return func(l line) ([]any, bool) {
			m := Parse(l.text, l.received, s.loc)
			return o.row(&m, l.received), m.Odd
		}
	}
	return f
}

// cefFormat is that of files with an event of CEF a line, bare or behind a header
// of syslog. Another line is in Message.
func cefFormat() *Format {
	f := &Format{Name: "cef", Table: cefTable}
	for _, name := range cefColumns {
		f.Columns = append(f.Columns, kql.Column{Name: name, Type: kql.String})
	}
	f.Columns[cefTimeGenerated].Type = kql.DateTime
	for _, c := range cefKeys {
		switch c.kind {
		case cefInt:
			f.Columns[c.at].Type = kql.Int
		case cefLong:
			f.Columns[c.at].Type = kql.Long
		case cefReal:
			f.Columns[c.at].Type = kql.Real
		case cefMoment:
			f.Columns[c.at].Type = kql.DateTime
		case cefBoth:
			f.Columns[c.at].Type, f.Columns[c.at-1].Type = kql.Long, kql.Int
		case cefID:
			f.Columns[c.at-1].Type = kql.Int
		}
	}
	f.reader = func(s source) rowFunc {
		o := origin{collector: s.host, host: s.host, address: ""}
		return func(l line) ([]any, bool) {
			m := Parse(l.text, l.received, s.loc)
			row, odd, ok := o.cefEvent(&m, l.received, s.loc)
			if !ok {
				row = o.cefRow(&CEF{}, m.HostName, l.received, s.loc)
				row[cefKeys["msg"].at] = clean(l.text)
			}
			return row, odd || !ok
		}
	}
	return f
}

// textFormat keeps lines as they are, in the columns that Azure Monitor's custom
// text logs have ("Collect logs from a text file with Azure Monitor Agent").
func textFormat(table string) *Format {
	return &Format{
		Name: "text", Table: table, Custom: true,
		Columns: []kql.Column{
			{Name: "TimeGenerated", Type: kql.DateTime}, {Name: "Computer", Type: kql.String},
			{Name: "RawData", Type: kql.String}, {Name: "FilePath", Type: kql.String},
		},
		reader: func(s source) rowFunc {
			return func(l line) ([]any, bool) { return []any{l.received, s.host, clean(l.text), s.path}, false }
		},
	}
}

// FileRows returns a function that makes a line of a log file at rest a row, or
// nil of a line that names fields. Nothing is received here, so TimeGenerated is
// the line's own time, as EventTime is; a line without one has that of the line
// before it, at first written, when the file was last written. Times without a
// year are of the latest that is not after that, those without a zone in loc.
func (f *Format) FileRows(path string, written time.Time, loc *time.Location) func(text []byte) []any {
	received, event := -1, -1
	for i, c := range f.Columns {
		switch c.Name {
		case "TimeGenerated":
			received = i
		case "EventTime":
			event = i
		}
	}
	s := source{path: path, loc: loc}
	var rows rowFunc
	last := written
	return func(text []byte) []any {
		if rows == nil {
			if f.header {
				s.header = append([]byte(nil), text...)
			}
			if rows = f.reader(s); f.header {
				return nil
			}
		}
		row, _ := rows(line{text, written})
		if event >= 0 {
			if t, ok := row[event].(time.Time); ok && !t.Equal(written) {
				last = t
			}
			row[event] = last
		}
		row[received] = last
		return row
	}
}
