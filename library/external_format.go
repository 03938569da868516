package library

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"picket/kql"
	"picket/workspace"
)

// format is how external data is to be read, by the pages "externaldata
// operator" and "Data formats supported for ingestion".
type format struct {
	name    string
	ignore  bool // the first record
	columns []kql.Column
}

// separators of the formats that have rows of values.
var separators = map[string]rune{"csv": ',', "tsv": '\t', "tsve": '\t', "psv": '|', "scsv": ';', "sohsv": '\x01'}

// formatOf tells how to read d: as it says, else by the first location's name.
func formatOf(d kql.ExternalData) (format, error) {
	f := format{name: strings.ToLower(d.Props["format"]), columns: d.Columns}
	for k, v := range d.Props {
		switch k {
		case "format":
		case "ignorefirstrecord":
			f.ignore = strings.EqualFold(v, "true")
		default:
			return f, fmt.Errorf("the property %s is not known here; want format or ignoreFirstRecord", k)
		}
	}
	if f.name == "" && len(d.URIs) > 0 {
		name, _, _ := strings.Cut(d.URIs[0], "?")
		f.name = strings.TrimPrefix(path.Ext(strings.TrimSuffix(strings.ToLower(name), ".gz")), ".")
		if f.name == "ndjson" || f.name == "jsonl" {
			f.name = "json"
		} else if _, ok := separators[f.name]; !ok && !slices.Contains([]string{"json", "parquet", "txt"}, f.name) {
			f.name = "csv"
		}
	}
	if _, ok := separators[f.name]; !ok && !slices.Contains([]string{"json", "multijson", "singlejson", "txt", "raw", "parquet"}, f.name) {
		return f, fmt.Errorf("the format %s is not read here; want csv, tsv, psv, scsv, sohsv, json, multijson, txt, raw or parquet", f.name)
	}
	return f, nil
}

// parse appends the rows of data to rows. What is no value of its column is null.
func (f format) parse(ctx context.Context, data []byte, u string, rows [][]any) ([][]any, error) {
	if bytes.HasPrefix(data, []byte("\x1f\x8b")) {
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("not gzip: %w", err)
		}
		if data, err = limited(z); err != nil {
			return nil, err
		}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	switch f.name {
	case "json", "multijson", "singlejson":
		return f.json(data, rows)
	case "txt":
		return f.lines(data, rows)
	case "raw":
		return append(rows, f.row([]string{string(data)})), nil
	case "parquet":
		return f.parquet(ctx, data, rows)
	}
	r := csv.NewReader(bytes.NewReader(data))
	r.Comma, r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = separators[f.name], -1, true, true
	for n := 0; ; n++ {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, fmt.Errorf("not %s: %w", f.name, err)
		}
		if n > 0 || !f.ignore {
			rows = append(rows, f.row(rec))
		}
	}
}

// row makes a row of values by their order; what is missing is null.
func (f format) row(values []string) []any {
	row := make([]any, len(f.columns))
	for i, c := range f.columns {
		if i < len(values) {
			row[i] = valueOf(values[i], c.Type)
		}
	}
	return row
}

// lines makes a row of each line, in the first column.
func (f format) lines(data []byte, rows [][]any) ([][]any, error) {
	s := bufio.NewScanner(bytes.NewReader(data))
	s.Buffer(nil, maxExternal)
	for n := 0; s.Scan(); n++ {
		if n > 0 || !f.ignore {
			rows = append(rows, f.row([]string{s.Text()}))
		}
	}
	return rows, s.Err()
}

// json makes a row of each object, one after the other or in an array, by the
// names of its members.
func (f format) json(data []byte, rows [][]any) ([][]any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	for n := 0; ; {
		var raw json.RawMessage
		if err := dec.Decode(&raw); errors.Is(err, io.EOF) {
			return rows, nil
		} else if err != nil {
			return nil, fmt.Errorf("not JSON: %w", err)
		}
		list := []json.RawMessage{raw}
		if raw[0] == '[' {
			if err := json.Unmarshal(raw, &list); err != nil {
				return nil, fmt.Errorf("not JSON: %w", err)
			}
		}
		for _, it := range list {
			var m map[string]json.RawMessage
			if err := json.Unmarshal(it, &m); err != nil {
				return nil, fmt.Errorf("record %d is no JSON object", n+1)
			}
			if n++; n == 1 && f.ignore {
				continue
			}
			row := make([]any, len(f.columns))
			for i, c := range f.columns {
				row[i] = memberOf(m[c.Name], c.Type)
			}
			rows = append(rows, row)
		}
	}
}

// memberOf is a JSON value as a value of type t.
func memberOf(raw json.RawMessage, t kql.Type) any {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	if t == kql.Dynamic {
		return string(raw)
	}
	var s string
	if json.Unmarshal(raw, &s) != nil {
		s = string(raw)
	}
	return valueOf(s, t)
}

// valueOf reads a text as a value of type t, or nil.
func valueOf(s string, t kql.Type) any {
	var v any
	var err error
	switch trimmed := strings.TrimSpace(s); t {
	case kql.String:
		return s
	case kql.Bool:
		v, err = strconv.ParseBool(strings.ToLower(trimmed))
	case kql.Int:
		v, err = strconv.ParseInt(trimmed, 0, 32)
	case kql.Long:
		v, err = strconv.ParseInt(trimmed, 0, 64)
	case kql.Real:
		v, err = strconv.ParseFloat(trimmed, 64)
	case kql.Decimal:
		_, err = strconv.ParseFloat(trimmed, 64)
		v = trimmed
	case kql.DateTime:
		var x kql.Ticks
		x, err = kql.ParseDateTime(trimmed)
		v = int64(x)
	case kql.TimeSpan:
		var x kql.Ticks
		x, err = kql.ParseTimeSpan(trimmed)
		v = int64(x)
	case kql.Dynamic:
		if v = s; !json.Valid([]byte(s)) {
			b, merr := json.Marshal(s)
			v, err = string(b), merr
		}
	default:
		return strings.ToLower(trimmed)
	}
	if err != nil || strings.TrimSpace(s) == "" {
		return nil
	}
	return v
}

// parquet reads a Parquet file in a database of its own, whose only file it is.
func (f format) parquet(ctx context.Context, data []byte, rows [][]any) ([][]any, error) {
	dir, err := os.MkdirTemp("", "picket-external-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	name := path.Join(dir, "data.parquet")
	if err := os.WriteFile(name, data, 0o600); err != nil {
		return nil, err
	}
	db, err := workspace.Open("", workspace.Options{NoBuiltin: true, Files: []workspace.File{{Table: "T", Paths: []string{name}, Format: "parquet"}}})
	if err != nil {
		return nil, errors.New("not Parquet")
	}
	defer db.Close()
	t, _ := db.Table("T")
	query := make([]string, len(f.columns))
	for i, c := range f.columns {
		query[i] = fmt.Sprintf("c%d = %s(null)", i, c.Type)
		if c.Type == kql.String {
			query[i] = fmt.Sprintf(`c%d = ""`, i)
		}
		if slices.ContainsFunc(t.Columns, func(k kql.Column) bool { return k.Name == c.Name }) {
			query[i] = fmt.Sprintf("c%d = to%s(['%s'])", i, c.Type, strings.ReplaceAll(c.Name, "'", `\'`))
		}
	}
	r, err := db.QueryAs(ctx, workspace.Caller{Limits: workspace.Limits{Rows: 10 * maxItems, Bytes: 10 * maxExternal}}, "T | project "+strings.Join(query, ", "), kql.Options{})
	if err != nil {
		return nil, err
	}
	all, err := r.Collect()
	return append(rows, all...), err
}
