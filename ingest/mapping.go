package ingest

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"picket/kql"
)

// mappedColumns begin the rows of json and csv; the configured columns follow.
//
// Nothing of a record is lost. A field that is no column, or whose value its
// column cannot hold, is in AdditionalFields under its own name; a line that is
// no record is in RawData as it was. TimeGenerated is the time of receipt, as
// in all tables here, so that no record hides from a rule by being late; what
// the record says is EventTime.
var mappedColumns = []kql.Column{
	{Name: "TimeGenerated", Type: kql.DateTime},
	{Name: "EventTime", Type: kql.DateTime},
	{Name: "Computer", Type: kql.String},
	{Name: "FilePath", Type: kql.String},
	{Name: "RawData", Type: kql.String},
	{Name: "AdditionalFields", Type: kql.Dynamic},
}

// mapping makes rows of records.
type mapping struct {
	columns []MappedColumn
	time    string // the field for EventTime, or ""
	source
}

// mappedFormat is that of JSON lines or CSV.
func mappedFormat(o FormatOptions) (*Format, error) {
	columns, err := checkMapping(o)
	if err != nil {
		return nil, err
	}
	f := &Format{Name: o.Name, Table: o.Table, Custom: true, Columns: slices.Clone(mappedColumns), header: o.Name == "csv" && len(o.Fields) == 0}
	for _, c := range columns {
		f.Columns = append(f.Columns, kql.Column{Name: c.Name, Type: c.Type})
	}
	comma := ','
	if o.Delimiter != "" {
		r, size := utf8.DecodeRuneInString(o.Delimiter)
		if size != len(o.Delimiter) || r == utf8.RuneError || strings.ContainsRune("\"\r\n", r) {
			return nil, fmt.Errorf("delimiter %q: want one character, no quote and no line end", o.Delimiter)
		}
		comma = r
	}
	if o.Name == "csv" {
		f.comma = string(comma)
	}
	f.reader = func(s source) rowFunc {
		m := mapping{columns, o.Time, s}
		if o.Name == "json" {
			return m.jsonRow
		}
		names := o.Fields
		if f.header {
			// A header that is no record names nothing: then each line is in RawData.
			names, _ = splitRecord(strings.TrimSpace(clean(s.header)), comma)
		}
		return func(l line) ([]any, bool) { return m.csvRow(l, names, comma) }
	}
	return f, nil
}

// checkMapping returns the columns with what they left out.
func checkMapping(o FormatOptions) ([]MappedColumn, error) {
	columns := slices.Clone(o.Columns)
	var seen []string
	for _, c := range mappedColumns {
		seen = append(seen, c.Name)
	}
	seen = append(append(seen, "TenantId"), standardColumns[:]...)
	for i := range columns {
		c := &columns[i]
		switch {
		case !isColumn(c.Name):
			return nil, fmt.Errorf("column %q: want a letter, then letters, digits and _, at most 45", c.Name)
		case slices.Contains(seen, c.Name):
			return nil, fmt.Errorf("column %s is there already; want another name, and from: for the name of the field", c.Name)
		case c.Type == kql.Unknown, c.Type == kql.TimeSpan, c.Type == kql.Decimal:
			return nil, fmt.Errorf("column %s: want the type string, int, long, real, bool, datetime, dynamic or guid", c.Name)
		}
		seen = append(seen, c.Name)
		if c.From == "" {
			c.From = c.Name
		}
	}
	if i := slices.Index(o.Fields, ""); i >= 0 {
		return nil, fmt.Errorf("fields: the %d. has no name", i+1)
	}
	return columns, nil
}

// isColumn reports whether a custom column can have that name ("Azure Monitor
// service limits": 45 characters).
func isColumn(name string) bool {
	for i := 0; i < len(name); i++ {
		switch c := name[i]; {
		case c|0x20 >= 'a' && c|0x20 <= 'z':
		case i > 0 && (c == '_' || isDigit(c)):
		default:
			return false
		}
	}
	return name != "" && len(name) <= 45
}

// raw is the row of a line that is no record.
func (m *mapping) raw(l line) []any {
	row := m.row(l)
	row[4] = clean(l.text)
	return row
}

// row is a row without anything of the record.
func (m *mapping) row(l line) []any {
	row := make([]any, len(mappedColumns)+len(m.columns))
	row[0], row[2], row[3] = l.received, m.host, m.path
	return row
}

// jsonRow reads a JSON object. Of a key that is there twice the last counts.
func (m *mapping) jsonRow(l line) ([]any, bool) {
	text := bytes.TrimPrefix(bytes.Trim(l.text, " \t\r\n\x00"), []byte(bom))
	var record map[string]json.RawMessage
	if err := json.Unmarshal(text, &record); err != nil || record == nil {
		return m.raw(l), true
	}
	row := m.row(l)
	used, odd := m.fill(row, func(name string, t kql.Type) (value any, there, fits bool) {
		v, there := jsonField(record, name)
		if there {
			value, fits = fromJSON(v, t, l.received, m.loc)
		}
		return value, there, fits
	})
	for _, name := range used { // after all: a field may be two columns
		delete(record, name)
	}
	if len(record) > 0 {
		row[5] = marshal(record)
	}
	return row, odd
}

// fill sets the columns of a row to what take reads of their fields: whether the
// record has the field, and its value fits the type. It returns the fields that
// are in columns then; odd says that a value did not fit.
func (m *mapping) fill(row []any, take func(field string, t kql.Type) (value any, there, fits bool)) (used []string, odd bool) {
	set := func(to *any, field string, t kql.Type) {
		switch value, there, fits := take(field, t); {
		case there && fits:
			*to = value
			used = append(used, field)
		case there:
			odd = true
		}
	}
	if m.time != "" {
		set(&row[1], m.time, kql.DateTime)
	}
	for i, c := range m.columns {
		set(&row[len(mappedColumns)+i], c.From, c.Type)
	}
	return used, odd
}

// jsonField returns the value of the field of that name, or the one that is
// reached by it through objects.
func jsonField(record map[string]json.RawMessage, name string) (json.RawMessage, bool) {
	if v, ok := record[name]; ok {
		return v, true
	}
	for i := range len(name) {
		if name[i] != '.' {
			continue
		}
		v, ok := record[name[:i]]
		if !ok {
			continue
		}
		var inner map[string]json.RawMessage
		if json.Unmarshal(v, &inner) != nil {
			continue
		}
		if v, ok := jsonField(inner, name[i+1:]); ok {
			return v, true
		}
	}
	return nil, false
}

// marshal writes fields as JSON. They are strings, or were JSON: it cannot fail.
func marshal(fields any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(fields); err != nil {
		return nil
	}
	return json.RawMessage(bytes.TrimSpace(b.Bytes()))
}

// csvRow reads a record of RFC 4180.
func (m *mapping) csvRow(l line, names []string, comma rune) ([]any, bool) {
	text := clean(l.text)
	fields, ok := splitRecord(text, comma)
	if !ok || len(fields) != len(names) {
		return m.raw(l), true
	}
	rest := make(map[string]string, len(fields))
	for i, name := range names {
		if _, twice := rest[name]; twice {
			name = fmt.Sprintf("%s (%d)", name, i+1)
		}
		rest[name] = fields[i]
	}
	row := m.row(l)
	used, odd := m.fill(row, func(name string, t kql.Type) (value any, there, fits bool) {
		s := rest[name]
		if s != "" {
			value, fits = fromText(s, t, l.received, m.loc)
		}
		return value, s != "", fits
	})
	for _, name := range used {
		delete(rest, name)
	}
	for name, s := range rest {
		if s == "" {
			delete(rest, name)
		}
	}
	if len(rest) > 0 {
		row[5] = marshal(rest)
	}
	return row, odd
}

// splitRecord splits a record of CSV.
func splitRecord(s string, comma rune) ([]string, bool) {
	r := csv.NewReader(strings.NewReader(s))
	r.Comma, r.FieldsPerRecord = comma, -1
	fields, err := r.Read()
	if err != nil {
		return nil, false
	}
	_, err = r.Read()
	return fields, err == io.EOF
}
