package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"

	"github.com/rivo/uniseg"
	"golang.org/x/term"
)

// terminalRows is how many rows a table on a terminal has unless asked for more.
const terminalRows = 100

// tablePrinter writes aligned columns, cut to the terminal's width when the
// output is one.
type tablePrinter struct {
	w       io.Writer
	width   int  // of the terminal; 0 is no limit
	styled  bool // the head may be bold
	limit   int  // rows; 0 is all
	columns []column
	cells   [][]string
	more    int // rows beyond the limit
}

func newTablePrinter(w io.Writer, limit int) *tablePrinter {
	p := &tablePrinter{w: w, limit: max(limit, 0)}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.styled = os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
		if n, _, err := term.GetSize(int(f.Fd())); err == nil {
			p.width = n
		}
		if limit < 0 {
			p.limit = terminalRows
		}
	}
	return p
}

func (p *tablePrinter) head(columns []column) error {
	p.columns = columns
	return nil
}

func (p *tablePrinter) row(values []json.RawMessage) error {
	if p.limit > 0 && len(p.cells) == p.limit {
		p.more++
		return nil
	}
	cells := make([]string, len(values))
	for j, v := range values {
		cells[j] = "null"
		if !isNull(v) || p.columns[j].Type == "string" {
			cells[j] = printable(text(v), false)
		}
	}
	p.cells = append(p.cells, cells)
	return nil
}

func (p *tablePrinter) end() error {
	names := make([]string, len(p.columns))
	widths := make([]int, len(p.columns))
	for j, c := range p.columns {
		names[j] = printable(c.Name, false)
		widths[j] = max(1, uniseg.StringWidth(names[j]))
		for _, row := range p.cells {
			widths[j] = max(widths[j], uniseg.StringWidth(row[j]))
		}
	}
	fit(widths, p.width)
	rules := make([]string, len(widths))
	for j, n := range widths {
		rules[j] = strings.Repeat("─", n)
	}
	var b strings.Builder
	head := p.line(names, widths)
	if p.styled {
		head = "\x1b[1m" + head + "\x1b[0m"
	}
	b.WriteString(head + "\n" + p.line(rules, widths) + "\n")
	for _, row := range p.cells {
		b.WriteString(p.line(row, widths) + "\n")
		if b.Len() > 32<<10 {
			if _, err := io.WriteString(p.w, b.String()); err != nil {
				return err
			}
			b.Reset()
		}
	}
	n := len(p.cells) + p.more
	fmt.Fprintf(&b, "%d row%s", n, plural(n))
	if p.more > 0 {
		fmt.Fprintf(&b, ", %d more row%s not shown: --limit 0 shows all", p.more, plural(p.more))
	}
	_, err := io.WriteString(p.w, b.String()+"\n")
	return err
}

func (p *tablePrinter) line(cells []string, widths []int) string {
	var b strings.Builder
	for j, s := range cells {
		if j > 0 {
			b.WriteString("  ")
		}
		pad(&b, s, widths[j], right(p.columns[j].Type))
	}
	return strings.TrimRight(b.String(), " ")
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
	case "int", "long", "real", "decimal", "timespan":
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

// pad writes s in a column of the given width, as terminals count it: East
// Asian characters take two places, combining ones none.
func pad(b *strings.Builder, s string, width int, right bool) {
	n := uniseg.StringWidth(s)
	if n > width {
		s, n = cut(s, width-1)
		s, n = s+"…", n+1
	}
	gap := strings.Repeat(" ", max(0, width-n))
	if right {
		b.WriteString(gap + s)
	} else {
		b.WriteString(s + gap)
	}
}

// cut returns as much of s as is no wider than width, and how wide that is.
func cut(s string, width int) (string, int) {
	n, rest, state := 0, s, -1
	for rest != "" {
		_, next, w, st := uniseg.FirstGraphemeClusterInString(rest, state)
		if n+w > width {
			break
		}
		n, rest, state = n+w, next, st
	}
	return s[:len(s)-len(rest)], n
}

// printable keeps what is hostile to a terminal out: log lines can hold
// control sequences. Line ends become blanks unless they are kept.
func printable(s string, lines bool) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n' && !lines, r == '\r' && !lines:
			return ' '
		case r == '\n', r == '\r':
			return r
		case r == '\u200d', !unicode.IsControl(r) && !unicode.In(r, unicode.Cf):
			return r // the joiner of emoji is a format character, and does nothing alone
		}
		return '\uFFFD'
	}, s)
}
