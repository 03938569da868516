package syntax

import (
	"errors"
	"strings"
	"unicode/utf8"
)

// formatWidth is the length, in characters, that lines of formatted text keep
// to where they can.
const formatWidth = 120

// Format lays out a query: one operator a line, subqueries indented by four
// blanks, what is longer than a line broken at its commas or at and/or. Words,
// literals and comments stay as they are written, only the space between them
// changes. Formatting formatted text changes nothing.
//
// Text that does not parse is an error, a [Diagnostics].
func Format(src string) (string, error) {
	q, ds := Parse(src)
	if err := ds.Err(); err != nil {
		return "", err
	}
	f := &formatter{src: src, toks: lex(src)}
	f.comments()
	f.measure(spacesOf(src, f.toks, q))
	f.stmts(0, len(f.toks)-1, 0)
	f.endLine(0)
	f.flush(len(f.toks) - 1)
	out := f.b.String()
	if out != "" && !strings.HasSuffix(out, "\n") {
		out += "\n"
	}
	if !sameTokens(src, f.toks, out) {
		return "", errors.New("this query cannot be formatted without changing it")
	}
	return out, nil
}

// sameTokens reports whether out consists of the tokens of src.
func sameTokens(src string, toks []token, out string) bool {
	other := lex(out)
	if len(other) != len(toks) {
		return false
	}
	for i, t := range toks {
		if o := other[i]; o.kind != t.kind || src[t.start:t.end] != out[o.start:o.end] {
			return false
		}
	}
	return true
}

// comment is a comment in the gap before a token.
type comment struct {
	text  string
	ahead bool // it stands on the line of the token before
	blank bool // an empty line stands before it
}

// formatter writes the tokens of one query.
type formatter struct {
	src   string
	toks  []token
	gaps  map[int][]comment // by the token behind the gap
	blank map[int]bool      // tokens with an empty line before them
	space []bool            // whether a blank stands before a token on one line
	width []int             // sums of the widths of the tokens before
	hard  []int             // how many tokens before cannot be written on one line with others

	b       strings.Builder
	col     int
	indent  int  // of the next line
	newline bool // a line ends before the next token
	begun   bool // something is written
	remark  bool // the last thing written is a comment
}

// comments collects the comments and empty lines between the tokens.
func (f *formatter) comments() {
	f.gaps, f.blank = map[int][]comment{}, map[int]bool{}
	last := 0
	for i, t := range f.toks {
		if gap := f.src[last:t.start]; strings.ContainsAny(gap, "\r\n/") {
			f.gap(i, gap)
		}
		// A comment before a comma or semicolon goes behind it.
		if k := Kind(t.kind); len(f.gaps[i]) > 0 && (k == COMMA || k == SEMI) {
			f.gaps[i+1] = f.gaps[i]
			delete(f.gaps, i)
		}
		last = int(t.end)
	}
}

// gap collects what stands in the gap before token i.
func (f *formatter) gap(i int, text string) {
	lines := strings.Split(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n"), "\n")
	empty := false
	for n, line := range lines {
		line = strings.TrimFunc(line, isSpace)
		switch {
		case strings.HasPrefix(line, "//"):
			f.gaps[i] = append(f.gaps[i], comment{line, n == 0 && i > 0, empty})
			empty = false
		case n > 0 && n < len(lines)-1:
			empty = true
		}
	}
	if empty {
		f.blank[i] = true
	}
}

// measure adds up how wide the tokens are on one line.
func (f *formatter) measure(space []bool) {
	f.space = space
	f.width, f.hard = make([]int, len(f.toks)+1), make([]int, len(f.toks)+1)
	for i, t := range f.toks {
		text := f.src[t.start:t.end]
		w := utf8.RuneCountInString(text)
		if space[i] {
			w++
		}
		f.width[i+1], f.hard[i+1] = f.width[i]+w, f.hard[i]
		if len(f.gaps[i]) > 0 || strings.ContainsAny(text, "\r\n") || Kind(t.kind) == PIPE || Kind(t.kind) == SEMI {
			f.hard[i+1]++
		}
	}
}

// fits reports whether tokens lo to hi can be written on the rest of the line.
// What stands before lo is none of it.
func (f *formatter) fits(lo, hi int) bool {
	if lo >= hi {
		return true
	}
	col := f.col
	if f.newline {
		col = f.indent
	}
	hard := f.hard[hi] - f.hard[lo+1]
	return hard == 0 && col+f.width[hi]-f.width[lo] <= formatWidth
}

// endLine makes the next token begin a line with the given indentation.
func (f *formatter) endLine(indent int) { f.newline, f.indent = true, indent }

// put writes the line breaks that are due, and s.
func (f *formatter) put(s string) {
	if f.newline {
		if f.begun {
			f.b.WriteByte('\n')
		}
		f.b.WriteString(strings.Repeat(" ", f.indent))
		f.col, f.newline = f.indent, false
	}
	f.b.WriteString(s)
	f.begun = true
	if i := strings.LastIndexAny(s, "\r\n"); i >= 0 {
		f.col = 0
		s = s[i+1:]
	}
	f.col += utf8.RuneCountInString(s)
}

// flush writes the comments before token i.
func (f *formatter) flush(i int) {
	for _, c := range f.gaps[i] {
		if c.ahead && f.begun && !f.remark {
			indent := f.indent
			f.newline = false
			f.put(" " + c.text)
			f.endLine(indent)
		} else {
			f.endLine(f.indent)
			if c.blank && f.begun {
				f.b.WriteByte('\n')
			}
			f.put(c.text)
			f.endLine(f.indent)
		}
		f.remark = true
	}
	delete(f.gaps, i)
}

// token writes token i behind its comments.
func (f *formatter) token(i int) {
	f.flush(i)
	if f.space[i] && !f.newline && f.begun {
		f.put(" ")
	}
	f.put(f.src[f.toks[i].start:f.toks[i].end])
	f.remark = false
}

// stmts writes statements, each from the start of a line.
func (f *formatter) stmts(lo, hi, indent int) {
	for lo < hi {
		end := f.next(lo, hi, SEMI)
		f.endLine(indent)
		f.flush(lo)
		if f.blank[lo] && f.begun && (f.remark || Kind(f.toks[lo-1].kind) == SEMI) {
			f.b.WriteByte('\n')
		}
		f.pipeline(lo, end, indent)
		if end < hi {
			f.token(end)
			end++
		}
		lo = end
	}
}

// pipeline writes tokens lo to hi, each operator on a line of its own. Behind
// let, the operators are indented.
func (f *formatter) pipeline(lo, hi, indent int) {
	first := f.next(lo, hi, PIPE)
	f.segment(lo, first, indent)
	if Kind(f.toks[lo].kind) == IDENT && first < hi && f.text(lo) == "let" {
		indent += 4
	}
	for at := first; at < hi; {
		end := f.next(at+1, hi, PIPE)
		f.endLine(indent)
		f.token(at)
		f.segment(at+1, end, indent)
		at = end
	}
}

func (f *formatter) text(i int) string { return f.src[f.toks[i].start:f.toks[i].end] }

// next returns the first token of kind k from lo on that stands in no bracket
// begun there, or hi.
func (f *formatter) next(lo, hi int, k Kind) int {
	for i := lo; i < hi; i++ {
		if Kind(f.toks[i].kind) == k {
			return i
		}
		if m := int(f.toks[i].mate); m > i {
			i = m
		}
	}
	return hi
}
