package workspace

import (
	"bytes"
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"picket"
	"picket/kql"
)

var background = context.Background()

// convert turns the rows of b into what DuckDB holds. Their columns are the hidden
// ingestion time first, then those that are given, TimeGenerated, and last what is
// found in the texts: the row's addresses and the shape of a text. What the table
// holds by itself where nothing is given fills the others.
func (db *DB) convert(b picket.Batch) (r request, err error) {
	t, ok := db.Table(b.Table)
	if !ok {
		return r, picket.Errorf(picket.NotFound, "append: there is no table %s", b.Table)
	}
	cells, err := db.cellsOf(t, b.Columns, len(b.Rows))
	if err != nil {
		return r, err
	}
	for i, in := range b.Rows {
		if len(in) != len(b.Columns) {
			return r, picket.Errorf(picket.Invalid, "append: row %d has %d values for %d columns", i+1, len(in), len(b.Columns))
		}
		for j, v := range in {
			if err := cells[j].add(v); err != nil {
				return r, picket.Errorf(picket.Invalid, "append: table %s, row %d, column %s: %w", b.Table, i+1, b.Columns[j], err)
			}
		}
	}
	r = request{table: b.Table, id: b.ID, ephemeral: b.Ephemeral, rows: block{rows: len(b.Rows)}}
	now := column{numbers: slices.Repeat([]int64{kql.TicksOf(db.now())}, len(b.Rows))}
	r.rows.add(kql.IngestionTime, now)
	absent := db.absentOf(b.Table)
	for i := range cells {
		c := &cells[i]
		if i >= len(b.Columns) {
			r.rows.add(c.id, now)
		} else if c.begun() || !absent[c.id] {
			r.rows.add(c.id, c.values(len(b.Rows)))
			r.bytes += c.size()
		}
	}
	if t.Addressed {
		found := findAddresses(r.rows.columns, len(b.Rows))
		r.rows.add(kql.FirstAddress, found.first)
		r.rows.add(kql.SecondAddress, found.second)
		r.rows.add(kql.Addresses, found.others)
	}
	if i := slices.Index(b.Columns, t.Shaped); i >= 0 {
		r.rows.add(kql.Shape, db.shaperOf(b.Table).shapes(cells[i].values(len(b.Rows)).texts))
	}
	return r, nil
}

// cellsOf returns what takes n values of each of the named columns, and of
// TimeGenerated, where the table has it and it is not given, behind them.
func (db *DB) cellsOf(t *kql.Table, columns []string, n int) ([]cell, error) {
	ids := kql.Identifiers(t.Columns)
	index := make(map[string]int, len(t.Columns))
	for i, c := range t.Columns {
		index[c.Name] = i
	}
	cells := make([]cell, 0, len(columns)+1)
	given := make([]bool, len(t.Columns))
	for _, name := range columns {
		i, ok := index[name]
		if !ok {
			return nil, picket.Errorf(picket.Invalid, "append: table %s has no column %s", t.Name, name)
		}
		if given[i] {
			return nil, picket.Errorf(picket.Invalid, "append: column %s is given twice", name)
		}
		given[i] = true
		cells = append(cells, cell{id: ids[i], kind: t.Columns[i].Type, blank: db.blank(t, t.Columns[i]), room: n})
	}
	if i, ok := index["TimeGenerated"]; ok && !given[i] && t.Columns[i].Type == kql.DateTime {
		cells = append(cells, cell{id: ids[i]})
	}
	return cells, nil
}

// blank is what a column holds when nothing is given: an empty string, NULL for
// the other types, and what the workspace itself knows.
func (db *DB) blank(t *kql.Table, c kql.Column) driver.Value {
	switch {
	case c.Name == "TimeGenerated" && c.Type == kql.DateTime:
		return kql.TicksOf(db.now())
	case c.Type != kql.String:
		return nil
	case c.Name == "TenantId":
		return db.id
	case c.Name == "Type":
		return t.Name
	}
	return ""
}

// A cell takes the values of one column. It has none of them in memory as long as
// they are blank: of wide tables most columns are. A time that repeats, as those of
// lines that came together do, is converted once.
type cell struct {
	column
	id     string // as SQL has it
	kind   kql.Type
	blank  driver.Value // for no value
	blanks int          // values before the first that is not
	room   int          // for how many values

	last  time.Time
	ticks int64 // of last; 0 for none
}

// add converts v and puts it behind the others.
func (c *cell) add(v any) error {
	switch x := v.(type) {
	case nil:
		c.put(c.blank)
		return nil
	case string:
		if c.texts != nil && c.kind == kql.String && utf8.ValidString(x) {
			c.texts = append(c.texts, x)
			return nil
		}
	case time.Time:
		if c.ticks != 0 && x == c.last {
			c.numbers = append(c.numbers, c.ticks)
			return nil
		}
	}
	held, err := convertValue(v, c.kind)
	if err != nil {
		return err
	}
	c.put(held)
	if at, ok := v.(time.Time); ok && c.begun() {
		c.last = at
		c.ticks, _ = held.(int64)
	}
	return nil
}

// put puts a value as DuckDB holds it behind the others.
func (c *cell) put(v driver.Value) {
	if !c.begun() {
		if v == c.blank {
			c.blanks++
			return
		}
		c.begin(c.blanks)
	}
	c.column.add(v)
}

// begun reports whether there was a value that is not blank.
func (c *cell) begun() bool { return c.texts != nil || c.numbers != nil }

func (c *cell) begin(blanks int) {
	c.column = newColumn(c.kind, c.room)
	for range blanks {
		c.column.add(c.blank)
	}
}

// values returns the column of n values.
func (c *cell) values(n int) column {
	if !c.begun() {
		c.begin(n)
	}
	return c.column
}

// convertValue turns a Go value into what DuckDB holds for type t.
func convertValue(v any, t kql.Type) (driver.Value, error) {
	switch t {
	case kql.String:
		return text(v)
	case kql.Dynamic:
		return dynamic(v)
	case kql.Int:
		if _, ok := v.(int32); ok {
			return v, nil
		}
		n, err := integer(v)
		if err == nil && (n < math.MinInt32 || n > math.MaxInt32) {
			err = fmt.Errorf("%d is out of an int's range", n)
		}
		return int32(n), err
	case kql.Long:
		return integer(v)
	case kql.Real:
		return real64(v)
	case kql.Bool:
		if b, ok := v.(bool); ok {
			return b, nil
		}
	case kql.DateTime:
		if x, ok := v.(time.Time); ok {
			return datetime(x)
		}
	case kql.TimeSpan:
		if x, ok := v.(time.Duration); ok {
			return int64(x / 100), nil
		}
	case kql.Guid:
		if s, ok := v.(string); ok {
			return strings.ToLower(cleanText(s)), nil
		}
	}
	return nil, fmt.Errorf("a %T does not fit type %s", v, t)
}

func datetime(x time.Time) (driver.Value, error) {
	if x.IsZero() {
		return nil, nil
	}
	if y := x.UTC().Year(); y < 1 || y > 9999 {
		return nil, fmt.Errorf("year %d is out of a datetime's range", y)
	}
	return kql.TicksOf(x), nil
}

func text(v any) (driver.Value, error) {
	switch x := v.(type) {
	case string:
		return cleanText(x), nil
	case []byte:
		return cleanText(string(x)), nil
	case json.RawMessage:
		return cleanText(string(x)), nil
	case fmt.Stringer:
		return cleanText(x.String()), nil
	case bool, int, int32, int64, float64:
		return fmt.Sprint(x), nil
	}
	return nil, fmt.Errorf("a %T does not fit type string", v)
}

// cleanText makes s valid UTF-8, which is all that DuckDB takes.
func cleanText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// dynamic encodes v as JSON; JSON's null is NULL.
func dynamic(v any) (driver.Value, error) {
	raw, ok := v.(json.RawMessage)
	if !ok {
		var err error
		if raw, err = json.Marshal(v); err != nil {
			return nil, err
		}
	} else if !json.Valid(raw) {
		return nil, fmt.Errorf("not JSON: %.40q", raw)
	}
	if !plainJSON(raw) {
		var err error
		if raw, err = tameJSON(raw); err != nil {
			return nil, err
		}
	}
	s := cleanText(strings.TrimSpace(string(raw)))
	if s == "null" {
		return nil, nil
	}
	return unescapeHTML(s), nil
}

// unescapeHTML writes <, > and & as themselves, where encoding/json has escaped
// them for HTML: queries look for the text as it was.
func unescapeHTML(s string) string {
	if !strings.Contains(s, `\u00`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		if i+6 <= len(s) {
			switch strings.ToLower(s[i : i+6]) {
			case `\u003c`:
				b.WriteByte('<')
				i += 5
				continue
			case `\u003e`:
				b.WriteByte('>')
				i += 5
				continue
			case `\u0026`:
				b.WriteByte('&')
				i += 5
				continue
			}
		}
		b.WriteString(s[i : i+2])
		i++
	}
	return b.String()
}

// plainJSON reports whether valid JSON surely holds nothing that DuckDB's parser
// refuses though Go's takes it: a lone surrogate, a number beyond a double. One
// such value would fail every query that looks into its column.
func plainJSON(raw []byte) bool {
	quoted, digits := false, 0
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++ // JSON is valid: something follows
			if raw[i] == 'u' && (raw[i+1] == 'd' || raw[i+1] == 'D') && raw[i+2] >= '8' {
				return false
			}
		case quoted:
		case c >= '0' && c <= '9':
			if digits++; digits > 300 {
				return false
			}
			continue
		case c == 'e' && digits > 0, c == 'E': // not that of true or false
			return false
		}
		digits = 0
	}
	return true
}

// tameJSON writes JSON anew: lone surrogates become U+FFFD, and numbers beyond
// a double strings.
func tameJSON(raw []byte) ([]byte, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(tameNumbers(v))
	return b.Bytes(), err
}

func tameNumbers(v any) any {
	switch x := v.(type) {
	case json.Number:
		if _, err := x.Float64(); err != nil {
			return x.String()
		}
	case []any:
		for i := range x {
			x[i] = tameNumbers(x[i])
		}
	case map[string]any:
		for k := range x {
			x[k] = tameNumbers(x[k])
		}
	}
	return v
}

func integer(v any) (int64, error) {
	switch x := v.(type) {
	case int:
		return int64(x), nil
	case int32:
		return int64(x), nil
	case int64:
		return x, nil
	case uint32:
		return int64(x), nil
	case float64:
		if x == math.Trunc(x) && math.Abs(x) < 1<<53 {
			return int64(x), nil
		}
	}
	return 0, fmt.Errorf("%v (%T) is no whole number", v, v)
}

func real64(v any) (driver.Value, error) {
	if f, ok := v.(float64); ok {
		return f, nil
	}
	n, err := integer(v)
	return float64(n), err
}
