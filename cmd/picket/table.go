package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// column is a column of a result: its name and KQL type.
type column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// result is a table of JSON values, as every answer is printed.
type result struct {
	Columns []column
	Rows    [][]json.RawMessage
}

// print writes the result as format says: table, json (an array of objects) or csv.
func (r result) print(w io.Writer, format string) error {
	switch format {
	case "json":
		return r.json(w)
	case "csv":
		return r.csv(w)
	}
	return r.table(w)
}

// knownFormat refuses a format that print does not know, before there is
// anything to print.
func knownFormat(format string) error {
	switch format {
	case "table", "json", "csv":
		return nil
	}
	return misuse("unknown format %q: want table, json or csv", format)
}

// text is a value as people read it: strings without quotes, null as nothing.
func text(v json.RawMessage) string {
	if len(v) == 0 || string(v) == "null" {
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

func (r result) json(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString("[")
	for i, row := range r.Rows {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString("\n  {")
		for j, c := range r.Columns {
			if j > 0 {
				b.WriteString(", ")
			}
			name, err := json.Marshal(c.Name)
			if err != nil {
				return err
			}
			b.Write(name)
			b.WriteString(": ")
			b.Write(row[j])
		}
		b.WriteString("}")
	}
	if len(r.Rows) > 0 {
		b.WriteString("\n")
	}
	b.WriteString("]\n")
	_, err := w.Write(b.Bytes())
	return err
}

func (r result) csv(w io.Writer) error {
	c := csv.NewWriter(w)
	record := make([]string, len(r.Columns))
	for i, col := range r.Columns {
		record[i] = col.Name
	}
	if err := c.Write(record); err != nil {
		return err
	}
	for _, row := range r.Rows {
		for i, v := range row {
			record[i] = text(v)
		}
		if err := c.Write(record); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// table writes aligned columns, cut to the terminal's width when w is one.
func (r result) table(w io.Writer) error {
	width := 0 // no limit
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil {
			width = n
		}
	}
	return r.tableWidth(w, width)
}

func (r result) tableWidth(w io.Writer, width int) error {
	cells := make([][]string, len(r.Rows))
	widths := make([]int, len(r.Columns))
	for j, c := range r.Columns {
		widths[j] = utf8.RuneCountInString(c.Name)
	}
	for i, row := range r.Rows {
		cells[i] = make([]string, len(row))
		for j, v := range row {
			cells[i][j] = printable(text(v))
			widths[j] = max(widths[j], utf8.RuneCountInString(cells[i][j]))
		}
	}
	fit(widths, width)
	var b strings.Builder
	line := func(cell func(j int) string) {
		start := b.Len()
		for j := range r.Columns {
			if j > 0 {
				b.WriteString("  ")
			}
			pad(&b, cell(j), widths[j], right(r.Columns[j].Type))
		}
		s := strings.TrimRight(b.String()[start:], " ")
		head := b.String()[:start]
		b.Reset()
		b.WriteString(head + s + "\n")
	}
	line(func(j int) string { return r.Columns[j].Name })
	line(func(j int) string { return strings.Repeat("─", widths[j]) })
	if _, err := io.WriteString(w, b.String()); err != nil {
		return err
	}
	for i := range cells {
		b.Reset()
		line(func(j int) string { return cells[i][j] })
		if _, err := io.WriteString(w, b.String()); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d row%s\n", len(r.Rows), plural(len(r.Rows)))
	return err
}

func plural(n int) string {
	if n == 1 {
		return ""
	}
	return "s"
}

// right says whether a type's values are aligned right.
func right(typ string) bool {
	switch typ {
	case "int", "long", "real", "decimal":
		return true
	}
	return false
}

// fit shrinks the widest columns until the line fits the width.
func fit(widths []int, width int) {
	if width <= 0 {
		return
	}
	for {
		sum, widest := 2*(len(widths)-1), 0
		for j, n := range widths {
			sum += n
			if n > widths[widest] {
				widest = j
			}
		}
		if sum <= width || len(widths) == 0 || widths[widest] <= 8 {
			return
		}
		widths[widest] -= min(sum-width, widths[widest]-8, max(1, widths[widest]/10))
	}
}

func pad(b *strings.Builder, s string, width int, right bool) {
	n := utf8.RuneCountInString(s)
	if n > width {
		r := []rune(s)
		s, n = string(r[:width-1])+"…", width
	}
	gap := strings.Repeat(" ", width-n)
	if right {
		b.WriteString(gap + s)
	} else {
		b.WriteString(s + gap)
	}
}

// printable keeps what is hostile to a terminal out: log lines can hold
// control sequences.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' {
			return ' '
		}
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf) {
			return '\uFFFD'
		}
		return r
	}, s)
}
