package main

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"slices"
	"strconv"
	"strings"
)

// column is a column of a result: its name and KQL type.
type column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// result is a table of JSON values.
type result struct {
	Columns []column
	Rows    [][]json.RawMessage
}

// A result is a printer that keeps what it is given.

func (r *result) head(columns []column) error {
	r.Columns = columns
	return nil
}

func (r *result) row(values []json.RawMessage) error {
	r.Rows = append(r.Rows, values)
	return nil
}

func (r *result) end() error { return nil }

// print writes the result as format says.
func (r result) print(w io.Writer, format string) error {
	return r.printTo(newPrinter(w, format, -1))
}

func (r result) printTo(p printer) error {
	if err := p.head(r.Columns); err != nil {
		return err
	}
	for _, row := range r.Rows {
		if err := p.row(row); errors.Is(err, errEnough) {
			break
		} else if err != nil {
			return err
		}
	}
	return p.end()
}

// printer writes a result as it comes. Values are JSON, as every answer has them.
type printer interface {
	head(columns []column) error
	row(values []json.RawMessage) error
	end() error
}

// errEnough is a printer's answer to a row beyond its limit that need not come.
var errEnough = errors.New("the limit of rows is reached")

const formats = "table, csv, tsv, json, ndjson, markdown or compact"

const formatHelp = "`how` to print: table, csv (RFC 4180), tsv, json (an array of objects), ndjson (an object a line), markdown,\n" +
	`or compact ({"columns":[{"name","type"}],"rows":[[…]]})`

// outputFlags are the flags of every command that prints the result of a query.
type outputFlags struct {
	format string
	limit  int // rows; 0 is all, -1 what suits the output
}

func (o *outputFlags) register(fs *flag.FlagSet, standard string) {
	fs.StringVar(&o.format, "format", "", formatHelp+" (default "+standard+")")
	o.limit = -1
	fs.Func("limit", "print at most so many `rows`; 0 is all (default all, but 100 in a table on a terminal)", func(s string) error {
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 {
			return errors.New("want 0 for all rows, or a number of rows")
		}
		o.limit = n
		return nil
	})
}

// check refuses what newPrinter does not know, before anything is asked.
func (o *outputFlags) check() error {
	if o.format == "" {
		return nil
	}
	return knownFormat(o.format)
}

// knownFormat refuses a format that newPrinter does not know, before there is
// anything to print.
func knownFormat(format string) error {
	if !slices.Contains([]string{"table", "csv", "tsv", "json", "ndjson", "markdown", "compact"}, format) {
		return misuse("unknown format %q: want %s", format, formats)
	}
	return nil
}

// newPrinter returns the printer of a known format. limit is the number of rows
// to print: 0 is all, -1 what suits the output.
func newPrinter(w io.Writer, format string, limit int) printer {
	b := bufio.NewWriterSize(w, 32<<10)
	var p printer
	switch format {
	case "csv":
		p = &csvPrinter{w: csv.NewWriter(b), out: b}
	case "tsv":
		p = &tsvPrinter{w: b}
	case "json":
		p = &jsonPrinter{w: b, open: "[\n  ", between: ",\n  ", end1: "\n]\n", none: "[]\n"}
	case "ndjson":
		p = &jsonPrinter{w: b, between: "\n", end1: "\n"}
	case "markdown":
		p = &markdownPrinter{w: b}
	case "compact":
		p = &compactPrinter{w: b}
	default:
		return newTablePrinter(w, limit)
	}
	return &limited{printer: p, left: limit}
}

// limited prints the first rows.
type limited struct {
	printer
	left int // 0 and less: all
}

func (l *limited) row(values []json.RawMessage) error {
	if err := l.printer.row(values); err != nil || l.left <= 0 {
		return err
	}
	if l.left--; l.left == 0 {
		return errEnough
	}
	return nil
}

// text is a value as people read it: strings without quotes, null as nothing.
func text(v json.RawMessage) string {
	if isNull(v) {
		return ""
	}
	if v[0] == '"' {
		var s string
		if json.Unmarshal(v, &s) == nil {
			return s
		}
	}
	return string(v)
}

func isNull(v json.RawMessage) bool { return len(v) == 0 || string(v) == "null" }

// csvPrinter writes RFC 4180, but for lines that end in LF alone. Null is an
// empty field, and so is an empty string: a string is never null in KQL.
type csvPrinter struct {
	w      *csv.Writer
	out    *bufio.Writer
	record []string
}

func (p *csvPrinter) head(columns []column) error {
	p.record = make([]string, len(columns))
	for i, c := range columns {
		p.record[i] = c.Name
	}
	return p.w.Write(p.record)
}

func (p *csvPrinter) row(values []json.RawMessage) error {
	for i, v := range values {
		p.record[i] = text(v)
	}
	return p.w.Write(p.record)
}

func (p *csvPrinter) end() error {
	p.w.Flush()
	return errors.Join(p.w.Error(), p.out.Flush())
}

// tsvPrinter writes a line a row. What would divide fields or lines is written
// \t, \n and \r, and a backslash \\.
type tsvPrinter struct{ w *bufio.Writer }

func (p *tsvPrinter) line(n int, field func(int) string) error {
	for i := range n {
		if i > 0 {
			p.w.WriteByte('\t')
		}
		p.w.WriteString(strings.NewReplacer(`\`, `\\`, "\t", `\t`, "\n", `\n`, "\r", `\r`).Replace(field(i)))
	}
	return p.w.WriteByte('\n')
}

func (p *tsvPrinter) head(columns []column) error {
	return p.line(len(columns), func(i int) string { return columns[i].Name })
}

func (p *tsvPrinter) row(values []json.RawMessage) error {
	return p.line(len(values), func(i int) string { return text(values[i]) })
}

func (p *tsvPrinter) end() error { return p.w.Flush() }

// jsonPrinter writes an object for each row.
type jsonPrinter struct {
	w                         *bufio.Writer
	open, between, end1, none string
	names                     [][]byte
	any                       bool
}

func (p *jsonPrinter) head(columns []column) error {
	for _, c := range columns {
		name, err := plainJSON(c.Name)
		if err != nil {
			return err
		}
		p.names = append(p.names, name)
	}
	return nil
}

func (p *jsonPrinter) row(values []json.RawMessage) error {
	if !p.any {
		p.w.WriteString(p.open)
	} else {
		p.w.WriteString(p.between)
	}
	p.any = true
	p.w.WriteByte('{')
	for i, v := range values {
		if i > 0 {
			p.w.WriteString(", ")
		}
		p.w.Write(p.names[i])
		p.w.WriteString(": ")
		p.w.Write(v)
	}
	return p.w.WriteByte('}')
}

func (p *jsonPrinter) end() error {
	if p.any {
		p.w.WriteString(p.end1)
	} else {
		p.w.WriteString(p.none)
	}
	return p.w.Flush()
}

// plainJSON is JSON that writes <, > and & as themselves.
func plainJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

// markdownPrinter writes a table of GitHub Flavored Markdown.
type markdownPrinter struct {
	w     *bufio.Writer
	types []column
}

// inMarkdown keeps a value within its cell: nothing in it is markup.
var inMarkdown = strings.NewReplacer(`\`, `\\`, `|`, `\|`, "\r\n", "<br>", "\n", "<br>", "\r", "<br>", "<", "&lt;", ">", "&gt;", "&", "&amp;", "*", `\*`, "_", `\_`, "`", "\\`", "[", `\[`, "~", `\~`)

func (p *markdownPrinter) head(columns []column) error {
	p.types = columns
	for _, c := range columns {
		p.w.WriteString("| " + inMarkdown.Replace(printable(c.Name, true)) + " ")
	}
	p.w.WriteString("|\n")
	for _, c := range columns {
		p.w.WriteString(map[bool]string{false: "| --- ", true: "| ---: "}[right(c.Type)])
	}
	_, err := p.w.WriteString("|\n")
	return err
}

func (p *markdownPrinter) row(values []json.RawMessage) error {
	for i, v := range values {
		s := "null"
		if !isNull(v) || p.types[i].Type == "string" {
			s = inMarkdown.Replace(printable(text(v), true))
		}
		p.w.WriteString("| " + s + " ")
	}
	_, err := p.w.WriteString("|\n")
	return err
}

func (p *markdownPrinter) end() error { return p.w.Flush() }

// compactPrinter writes one JSON object, rows as arrays. Nothing is written
// before the last row is there: half an object is none.
type compactPrinter struct {
	w   *bufio.Writer
	b   []byte
	any bool
}

func (p *compactPrinter) head(columns []column) error {
	if columns == nil {
		columns = []column{}
	}
	cols, err := json.Marshal(columns)
	p.b = append(append(append(p.b, `{"columns":`...), cols...), `,"rows":[`...)
	return err
}

func (p *compactPrinter) row(values []json.RawMessage) error {
	if p.any {
		p.b = append(p.b, ',')
	}
	p.any = true
	p.b = append(p.b, '[')
	for i, v := range values {
		if i > 0 {
			p.b = append(p.b, ',')
		}
		p.b = append(p.b, v...)
	}
	p.b = append(p.b, ']')
	return nil
}

func (p *compactPrinter) end() error {
	p.w.Write(append(p.b, "]}\n"...))
	return p.w.Flush()
}
