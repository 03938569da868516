package collection

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"picket"
	"picket/kql"
)

// maxColumns is how many columns a table may have ("Azure Monitor service
// limits", Log Analytics workspaces).
const maxColumns = 500

// A shape is a table that gets the columns its records need: those of the
// properties' names, or with the endings of the HTTP Data Collector API.
type shape struct {
	table   *kql.Table
	index   map[string]int
	classic bool
	known   map[string]int // columns of properties
	grown   bool
	records []Record
	rows    [][]any
}

func newShape(t *kql.Table, classic bool, records []Record) *shape {
	s := &shape{table: t, index: map[string]int{}, classic: classic, known: map[string]int{}, records: records}
	for i, c := range t.Columns {
		s.index[c.Name] = i
	}
	return s
}

// place makes all records rows.
func (s *shape) place() error {
	for i, rec := range s.records {
		if err := s.record(rec); err != nil {
			return fmt.Errorf("record %d: %w", i+1, err)
		}
	}
	return nil
}

// values are the values of a property, from the present record on.
func (s *shape) values(property string) []json.RawMessage {
	var list []json.RawMessage
	for _, rec := range s.records[len(s.rows):] {
		if raw := rec[property]; kindOf(raw) != kql.Unknown {
			list = append(list, raw)
		}
	}
	return list
}

// record adds a record as a row. Each of its properties is in it: what its column
// cannot hold is in one beside, whose name ends as the HTTP Data Collector API
// ends names.
func (s *shape) record(rec Record) error {
	row := make([]any, len(s.table.Columns), len(s.table.Columns)+len(rec))
	for _, property := range slices.Sorted(maps.Keys(rec)) {
		raw := rec[property]
		if kindOf(raw) == kql.Unknown {
			continue // null
		}
		var err error
		if row, err = s.put(row, property, raw); err != nil {
			return err
		}
	}
	s.rows = append(s.rows, row)
	return nil
}

func (s *shape) put(row []any, property string, raw json.RawMessage) ([]any, error) {
	i, err := s.columnOf(property, raw)
	if err != nil {
		return nil, err
	}
	row = append(row, make([]any, len(s.table.Columns)-len(row))...)
	v, fits := valueOf(raw, s.table.Columns[i].Type)
	if fits && row[i] == nil {
		row[i] = v
		return row, nil
	}
	// The name says the type, so that it fits there.
	ending, t := classicType(raw)
	c := s.table.Columns[i].Name
	beside := c + ending
	if i, err = s.column(beside, t); err != nil {
		return nil, err
	}
	row = append(row, make([]any, len(s.table.Columns)-len(row))...)
	if v, fits = valueOf(raw, s.table.Columns[i].Type); !fits || row[i] != nil {
		return nil, picket.Errorf(picket.Invalid, "table %s: the property %s is a %s, which neither the column %s nor %s can hold", s.table.Name, property, kindOf(raw), c, beside)
	}
	row[i] = v
	return row, nil
}

// columnOf returns the place of a property's column. Where the name does not say
// the type, a property has the same one in all records.
func (s *shape) columnOf(property string, raw json.RawMessage) (int, error) {
	if s.classic {
		ending, t := classicType(raw)
		return s.column(columnName(property)+ending, t)
	}
	i, ok := s.known[property]
	if ok {
		return i, nil
	}
	name, t := columnName(property), plainType(s.values(property))
	if reserved(name) {
		ending, t2 := classicType(raw)
		name, t = name+ending, t2
	}
	i, err := s.column(name, t)
	s.known[property] = i
	return i, err
}

// column returns the place of a column, which is added when the table lacks it.
func (s *shape) column(name string, t kql.Type) (int, error) {
	if i, ok := s.index[name]; ok {
		return i, nil
	}
	if len(s.table.Columns) >= maxColumns {
		return 0, picket.Errorf(picket.Invalid, "table %s has %d columns, as many as a table may have; there is no room for %s", s.table.Name, maxColumns, name)
	}
	if !s.grown {
		s.table = &kql.Table{Name: s.table.Name, Columns: slices.Clone(s.table.Columns)}
		s.grown = true
	}
	s.table.Columns = append(s.table.Columns, kql.Column{Name: name, Type: t})
	i := len(s.table.Columns) - 1
	s.index[name] = i
	return i, nil
}

// batch returns the rows, all of the same width, with now as the time of those
// that have none.
func (s *shape) batch(now time.Time) picket.Batch {
	b := picket.Batch{Table: s.table.Name}
	var from []int
	for i, c := range s.table.Columns {
		if !reserved(c.Name) {
			b.Columns, from = append(b.Columns, c.Name), append(from, i)
		}
	}
	at := s.index["TimeGenerated"]
	for _, row := range s.rows {
		out := make([]any, len(from))
		for j, i := range from {
			if i < len(row) {
				out[j] = row[i]
			}
			if i == at && out[j] == nil {
				out[j] = now
			}
		}
		b.Rows = append(b.Rows, out)
	}
	return b
}

// kindOf is the type that a JSON value has by itself; null has none.
func kindOf(raw json.RawMessage) kql.Type {
	text := strings.TrimSpace(string(raw))
	if text == "" || text == "null" {
		return kql.Unknown
	}
	switch text[0] {
	case '"':
		return kql.String
	case '{', '[':
		return kql.Dynamic
	case 't', 'f':
		return kql.Bool
	}
	if _, ok := valueOf(raw, kql.Long); ok && !strings.ContainsAny(text, ".eE") {
		return kql.Long
	}
	return kql.Real
}

// plainType is the type of a new column by its values: those of the first, but
// texts that are all times make a datetime, and numbers that are not all whole a real.
func plainType(values []json.RawMessage) kql.Type {
	t := kindOf(values[0])
	if t == kql.String && isTime(values[0]) {
		t = kql.DateTime
	}
	for _, raw := range values[1:] {
		switch k := kindOf(raw); {
		case t == kql.Long && k == kql.Real:
			t = kql.Real
		case t == kql.DateTime && k == kql.String && !isTime(raw):
			t = kql.String
		}
	}
	return t
}

// columnName makes a property's name one of a column: letters, digits and _.
func columnName(property string) string {
	name := strings.Map(func(r rune) rune {
		if r == '_' || '0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' {
			return r
		}
		return '_'
	}, property)
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name[:min(len(name), 100)]
}

// classicType is how the HTTP Data Collector API ends the name of a value's
// column, and its type. Objects and lists are texts of JSON, numbers are real
// ("Record type and properties").
func classicType(raw json.RawMessage) (ending string, t kql.Type) {
	switch kindOf(raw) {
	case kql.Bool:
		return "_b", kql.Bool
	case kql.Long, kql.Real:
		return "_d", kql.Real
	case kql.String:
		if isTime(raw) {
			return "_t", kql.DateTime
		}
		if isGUID(raw) {
			return "_g", kql.String
		}
	}
	return "_s", kql.String
}

// isTime reports whether a JSON text is an ISO 8601 date and time.
func isTime(raw json.RawMessage) bool {
	at, ok := valueOf(raw, kql.DateTime)
	return ok && at != nil && strings.ContainsAny(string(raw), "T:")
}

func isGUID(raw json.RawMessage) bool {
	text, ok := valueOf(raw, kql.String)
	s, isText := text.(string)
	return ok && isText && len(s) == 36 && uuid.Validate(s) == nil
}
