package workspace

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"picket"
	"picket/kql"
)

// sourceName is the table that a transformation reads (Microsoft page
// "Structure of transformation in Azure Monitor").
const sourceName = "source"

// sourceOnly is a catalog of the table source alone.
type sourceOnly []kql.Column

func (s sourceOnly) Table(name string) (*kql.Table, bool) {
	return &kql.Table{Name: sourceName, Columns: s}, name == sourceName
}

func (s sourceOnly) Tables() []string { return []string{sourceName} }

// TransformColumns compiles a transformation, KQL over the table source of the
// given columns, and returns the columns of its result. The error is a
// syntax.Diagnostics.
func (db *DB) TransformColumns(src string, columns []kql.Column) ([]kql.Column, error) {
	q, err := db.compileTransform(src, columns)
	if err != nil {
		return nil, err
	}
	return q.Columns, nil
}

func (db *DB) compileTransform(src string, columns []kql.Column) (*kql.Query, error) {
	return kql.Compile(src, sourceOnly(columns), kql.Options{Now: kql.TicksOf(db.now())})
}

// ingestion is the caller that transformations run for: it has the places that
// are kept for Picket itself.
var ingestion = Caller{}

// Transform runs a transformation over rows that are stored nowhere, with values
// as [picket.Batch] has them, and returns those of its result, which can be
// appended as they are.
func (db *DB) Transform(ctx context.Context, src string, columns []kql.Column, rows [][]any) ([]kql.Column, [][]any, error) {
	q, err := db.compileTransform(src, columns)
	if err != nil {
		return nil, nil, err
	}
	from, err := valuesSQL(columns, rows)
	if err != nil {
		return nil, nil, err
	}
	q.SQL = "WITH " + quote(sourceName) + " AS (" + from + ") SELECT * FROM (" + q.SQL + ")"
	r, err := db.Run(ctx, ingestion, q)
	if err != nil {
		return nil, nil, err
	}
	var out [][]any
	for row, err := range r.Rows() {
		if err != nil {
			return nil, nil, err
		}
		out = append(out, appendable(row, q.Columns))
	}
	if r.Truncated != "" {
		return nil, nil, picket.Errorf(picket.Invalid, "the transformation yields too much of one call: %s", r.Truncated)
	}
	return q.Columns, out, nil
}

// appendable makes the values of a result those of a batch.
func appendable(row []any, columns []kql.Column) []any {
	for i, v := range row {
		switch x := v.(type) {
		case int64:
			switch columns[i].Type {
			case kql.DateTime:
				row[i] = kql.TimeOf(x)
			case kql.TimeSpan:
				row[i] = time.Duration(x) * 100
			}
		case string:
			if columns[i].Type == kql.Dynamic {
				row[i] = json.RawMessage(x)
			}
		}
	}
	return row
}

// valuesSQL is a SELECT of the rows. They are in it as one text of JSON, which
// DuckDB reads many times faster than a VALUES list.
func valuesSQL(columns []kql.Column, rows [][]any) (string, error) {
	var b bytes.Buffer
	b.WriteByte('[')
	for i, row := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('{')
		for j, c := range columns {
			if row[j] == nil {
				continue
			}
			v, err := convertValue(row[j], c.Type)
			if err != nil {
				return "", picket.Errorf(picket.Invalid, "row %d, column %s: %w", i+1, c.Name, err)
			}
			if b.Bytes()[b.Len()-1] != '{' {
				b.WriteByte(',')
			}
			b.WriteString(`"c` + strconv.Itoa(j) + `":`)
			if err := writeValue(&b, v, c.Type); err != nil {
				return "", fmt.Errorf("row %d, column %s: %w", i+1, c.Name, err)
			}
		}
		b.WriteByte('}')
	}
	b.WriteByte(']')

	var shape, list strings.Builder
	ids := kql.Identifiers(columns)
	for i, c := range columns {
		if i > 0 {
			shape.WriteByte(',')
			list.WriteString(", ")
		}
		fmt.Fprintf(&shape, `"c%d":"%s"`, i, c.Type.SQL())
		cell := fmt.Sprintf("r.c%d", i)
		if c.Type == kql.String {
			cell = "coalesce(" + cell + ", '')"
		}
		list.WriteString(cell + " AS " + quote(ids[i]))
	}
	return fmt.Sprintf("SELECT %s FROM (SELECT unnest(from_json(%s, '[{%s}]')) AS r)", &list, literal(b.String()), &shape), nil
}

// writeValue writes what DuckDB holds for a value as JSON.
func writeValue(b *bytes.Buffer, v any, t kql.Type) error {
	if s, ok := v.(string); ok && t == kql.Dynamic {
		b.WriteString(s) // is JSON already
		return nil
	}
	if f, ok := v.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
		v = strconv.FormatFloat(f, 'g', -1, 64)
	}
	text, err := json.Marshal(v)
	b.Write(text)
	return err
}

// literal writes a text for SQL.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
