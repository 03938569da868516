package syntax

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Codes of the parser's diagnostics. Package kql adds its own, SEM….
const (
	CodeText     = "SYN0001" // text that is no token: a stray character, an unclosed string, a bad escape
	CodeExpected = "SYN0002" // something else was expected here
	CodeOperator = "SYN0003" // no such query operator
	CodeBracket  = "SYN0004" // a bracket that is not closed, or was never opened
	CodeLiteral  = "SYN0005" // a literal that does not say what its kind needs
	CodeLimit    = "SYN0006" // the query is too long or too deeply nested
)

// Diagnostic is one problem of a query, with its place.
type Diagnostic struct {
	Span Span   // what is wrong; empty (Start == End) where something is missing
	Code string // SYN… from the parser, SEM… from the binder
	Msg  string // what was found and what was expected; no full stop
	Hint string // how to mend it, or ""
}

// Diagnostics is every problem of a query, in the order of the text. It is an
// error; a nil or empty one must not be returned as such: use [Diagnostics.Err].
type Diagnostics []Diagnostic

// Err returns d as an error, or nil when it is empty.
func (d Diagnostics) Err() error {
	if len(d) == 0 {
		return nil
	}
	return d
}

// Error returns the messages, one a line, without their places, which need
// the query text: see [Diagnostics.Render].
func (d Diagnostics) Error() string {
	var b strings.Builder
	for i, x := range d {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(x.Code + ": " + x.Msg)
		if x.Hint != "" {
			b.WriteString(" (" + x.Hint + ")")
		}
	}
	return b.String()
}

// Render returns every diagnostic as [Diagnostic.Render] writes it.
func (d Diagnostics) Render(src string) string {
	var b strings.Builder
	for _, x := range d {
		b.WriteString(x.Render(src))
	}
	return b.String()
}

// lineWidth is how many characters of a source line are shown at most.
const lineWidth = 100

// Render returns line:col: message, the line of src, a line with carets under
// the span, and the hint, each ended by a newline. Columns count characters
// from 1. Of a long line, the part around the span is shown.
func (d Diagnostic) Render(src string) string {
	line, col := LineCol(src, d.Span.Start)
	start := min(max(d.Span.Start, 0), len(src))
	text, off := lineAt(src, start)
	end := min(max(d.Span.End, start), off+len(text))

	before := []rune(clean(src[off:start]))
	under := []rune(clean(src[start:end]))
	after := []rune(clean(src[end : off+len(text)]))
	before, under, after = window(before, under, after)

	var b strings.Builder
	fmt.Fprintf(&b, "%d:%d: %s\n", line, col, d.Msg)
	b.WriteString("  " + string(before) + string(under) + string(after) + "\n  ")
	for _, r := range before {
		if r == '\t' {
			b.WriteByte('\t')
		} else {
			b.WriteByte(' ')
		}
	}
	b.WriteString(strings.Repeat("^", max(1, len(under))) + "\n")
	if d.Hint != "" {
		b.WriteString("  hint: " + d.Hint + "\n")
	}
	return b.String()
}

// Line returns the diagnostic as one line without its end: line:col: message
// (hint).
func (d Diagnostic) Line(src string) string {
	line, col := LineCol(src, d.Span.Start)
	s := fmt.Sprintf("%d:%d: %s", line, col, d.Msg)
	if d.Hint != "" {
		s += " (" + d.Hint + ")"
	}
	return s
}

// window cuts a line, given as what stands before, in and after a span, to
// lineWidth characters.
func window(before, under, after []rune) (_, _, _ []rune) {
	if len(before)+len(under)+len(after) <= lineWidth {
		return before, under, after
	}
	if len(under) > lineWidth/2 {
		under = under[:lineWidth/2]
		after = nil
	}
	room := lineWidth - len(under)
	left := min(len(before), max(room/2, room-len(after)))
	right := min(len(after), room-left)
	if left < len(before) {
		before = append([]rune{'…'}, before[len(before)-left+1:]...)
	}
	if right < len(after) {
		after = append(after[:max(0, right-1):max(0, right-1)], '…')
	}
	return before, under, after
}

// clean makes s safe to show on a terminal; every character stays one.
func clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	return strings.Map(func(r rune) rune {
		if r != '\t' && (r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e') {
			return '\uFFFD'
		}
		return r
	}, s)
}

// lineAt returns the line of src that offset lies on, without its line break,
// and where the line begins.
func lineAt(src string, offset int) (line string, start int) {
	start = offset
	for start > 0 && src[start-1] != '\n' && (src[start-1] != '\r' || start < len(src) && src[start] == '\n') {
		start--
	}
	line = src[start:]
	if n := strings.IndexAny(line, "\r\n"); n >= 0 {
		line = line[:n]
	}
	if offset > start+len(line) { // offset is in a line break
		line = src[start:offset]
	}
	return line, start
}

// LineCol returns the line and column of a byte offset, both from 1. Columns
// count characters. \n, \r\n and a lone \r end a line. An offset outside src
// counts as the nearest one inside.
func LineCol(src string, offset int) (line, col int) {
	offset = min(max(offset, 0), len(src))
	_, start := lineAt(src, offset)
	line = 1
	for i := range start {
		if src[i] == '\n' || src[i] == '\r' && !strings.HasPrefix(src[i+1:], "\n") {
			line++
		}
	}
	return line, 1 + utf8.RuneCountInString(src[start:offset])
}
