package syntax

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of the parser. A query beyond them gets one diagnostic, quickly.
const (
	MaxText   = 2 << 20 // bytes of query text
	maxDepth  = 500     // nested brackets, subqueries and signs
	maxHeight = 20_000  // height of an expression: a chain a + b + c … counts its terms
	maxDiags  = 100     // problems told of one query; the rest is not read
)

// Parse reads a query. It returns a tree, never nil, of everything it could
// understand, and every problem it found; after a problem it goes on at the
// next pipe sign or semicolon of the same level. Without diagnostics the
// tree holds no Bad and no BadOp.
func Parse(src string) (*Query, Diagnostics) {
	if len(src) > MaxText {
		d := Diagnostic{Span: Span{MaxText, MaxText}, Code: CodeLimit,
			Msg:  fmt.Sprintf("the query is too long: %d bytes, at most %d are read", len(src), MaxText),
			Hint: "put long lists of values into a table or a watchlist"}
		return &Query{pos: pos{Span{0, len(src)}}}, Diagnostics{d}
	}
	p := &parser{src: src, toks: lex(src)}
	if i := invalidUTF8(src); i >= 0 {
		p.report(Span{i, i + 1}, CodeText, "save the query as UTF-8", "the query is not valid UTF-8 here")
	}
	q := p.query()
	slices.SortStableFunc(p.diags, func(a, b Diagnostic) int { return cmp.Compare(a.Span.Start, b.Span.Start) })
	return q, p.diags
}

// invalidUTF8 returns where the first byte of s is that is not UTF-8, or -1.
func invalidUTF8(s string) int {
	if utf8.ValidString(s) {
		return -1
	}
	for i, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD") {
			return i
		}
	}
	return -1
}

// parser is a recursive-descent parser over the tokens of one text.
//
// When something is wrong, fail records one diagnostic and sets failed. From
// then on nothing more is recorded and the parsing functions return what they
// have, until sync finds the next place to go on.
type parser struct {
	src   string
	toks  []token
	pos   int
	last  int // end of the last token taken
	reach int // where the last missing node stands
	diags Diagnostics

	failed  bool
	stopped bool    // failed for good: a limit was reached
	first   int     // index of the first operand of the present operator
	open    []int32 // indexes of the brackets the parser is inside of
	depth   int
	height  int // of the expression just parsed
	tallest int // of all expressions since it was last set to 0

	wild bool // a*.b* may be a name: where tables are listed

	ask         *Expected        // what could stand at the end of the text is noted here; nil for plain parsing
	unclosedFns map[*Lambda]bool // the functions whose braces do not end; nil for plain parsing
	aggs        bool             // in the place of an aggregate
	callee      string           // the function whose arguments are being read
}

func (p *parser) cur() token         { return p.toks[p.pos] }
func (p *parser) kind() Kind         { return Kind(p.toks[p.pos].kind) }
func (p *parser) start() int         { return int(p.toks[p.pos].start) }
func (p *parser) is(k Kind) bool     { return p.kind() == k }
func (p *parser) word(w string) bool { return p.wordAt(p.pos, w) }

// kindAt returns the kind of the token n places ahead.
func (p *parser) kindAt(n int) Kind {
	if p.pos+n < len(p.toks) {
		return Kind(p.toks[p.pos+n].kind)
	}
	return EOF
}

// text returns the text of token i.
func (p *parser) text(i int) string {
	t := p.toks[min(i, len(p.toks)-1)]
	return p.src[t.start:t.end]
}

func (p *parser) wordAt(i int, w string) bool {
	return i >= 0 && i < len(p.toks) && Kind(p.toks[i].kind) == IDENT && p.text(i) == w
}

// adjacent reports whether nothing stands between tokens i-1 and i.
func (p *parser) adjacent(i int) bool {
	return i > 0 && i < len(p.toks) && p.toks[i-1].end == p.toks[i].start
}

// next takes the current token.
func (p *parser) next() {
	t := p.toks[p.pos]
	if Kind(t.kind) != EOF {
		p.last = int(t.end)
		p.pos++
	}
}

// from returns the place from start to the end of the last token taken. An empty
// node that stands behind that token lies within those around it.
func (p *parser) from(start int) pos {
	if start > p.last {
		p.reach = start
	}
	return pos{Span{start, max(start, p.last, p.reach)}}
}

// accept takes the current token when it is of kind k.
func (p *parser) accept(k Kind) bool {
	if p.failed || !p.is(k) {
		return false
	}
	p.next()
	return true
}

// acceptWord takes the current token when it is the word w.
func (p *parser) acceptWord(w string) bool {
	p.wantWords(w)
	if p.failed || !p.word(w) {
		return false
	}
	p.next()
	return true
}

// expect takes a token of kind k or fails; what says what it is for.
func (p *parser) expect(k Kind, what string) bool {
	if p.accept(k) {
		return true
	}
	p.expected(what)
	return false
}

// expectWord takes the word w or fails.
func (p *parser) expectWord(w, what string) bool {
	if p.acceptWord(w) {
		return true
	}
	p.expected("'" + w + "' " + what)
	return false
}

// openBracket takes a bracket of kind k or fails. The result is for closeBracket.
func (p *parser) openBracket(k Kind, what string) int {
	i := p.pos
	if p.is(k) && len(p.open) >= maxDepth {
		p.tooDeep()
	}
	if !p.expect(k, what) {
		return -1
	}
	p.open = append(p.open, int32(i))
	return i
}

// closeBracket takes the bracket that closes token i.
func (p *parser) closeBracket(i int) { p.closeAfter(i, "") }

// closeList takes the bracket that closes the list begun by token i.
func (p *parser) closeList(i int) { p.closeAfter(i, " or ','") }

func (p *parser) closeAfter(i int, or string) {
	if p.failed || i < 0 {
		return // sync will find the way out
	}
	want := Kind(p.toks[i].kind + 1)
	if !p.is(want) {
		p.unclosed(i, want, or)
		return
	}
	p.next()
	for n := len(p.open); n > 0 && int(p.open[n-1]) >= i; n-- {
		p.open = p.open[:n-1]
	}
}

// unclosed fails because bracket i is not closed by the current token. The place
// is where the other one is missing; the message tells where the bracket stands.
func (p *parser) unclosed(i int, want Kind, or string) {
	if p.is(PIPE) && int(p.toks[i].mate) > p.pos {
		p.fail(p.span(), CodeExpected, argHint, "expected '"+want.String()+"'"+or+", found '|'")
	}
	switch p.kind() {
	case EOF, SEMI, PIPE:
		s := p.span()
		if p.is(EOF) {
			s = Span{p.last, p.last}
		}
		line, col := LineCol(p.src, int(p.toks[i].start))
		p.fail(s, CodeBracket, "", fmt.Sprintf("expected '%s' before %s: the '%s' at %d:%d is not closed", want, p.found(), p.text(i), line, col))
	default:
		p.expected("'" + want.String() + "'" + or)
	}
}

// enter counts a level of nesting that has no bracket; each call that returns
// true needs a leave.
func (p *parser) enter() bool {
	if p.depth >= maxDepth {
		p.tooDeep()
		return false
	}
	p.depth++
	return true
}

func (p *parser) tooDeep() {
	p.limit(fmt.Sprintf("the query is nested too deeply: more than %d levels", maxDepth))
}

func (p *parser) leave() { p.depth-- }

// limit fails for good because of a limit.
func (p *parser) limit(msg string) {
	p.fail(p.span(), CodeLimit, "split the query with let statements", msg)
	p.stop()
}

// stop gives up: nothing more is read or told.
func (p *parser) stop() {
	p.pos = len(p.toks) - 1
	p.failed, p.stopped = true, true
}

// span returns the place of the current token.
func (p *parser) span() Span {
	t := p.cur()
	return Span{int(t.start), int(t.end)}
}

// fail records a diagnostic unless one is being recovered from already.
func (p *parser) fail(s Span, code, hint, msg string) {
	if !p.failed {
		p.report(s, code, hint, msg)
	}
	if p.is(EOF) {
		p.ask = nil // what outer levels look for is not wanted here
	}
	p.failed = true
}

// report records a diagnostic after which parsing goes on undisturbed.
func (p *parser) report(s Span, code, hint, msg string) {
	if p.failed {
		return
	}
	p.diags = append(p.diags, Diagnostic{Span: s, Code: code, Msg: msg, Hint: hint})
	if len(p.diags) == maxDiags {
		p.stop()
	}
}

// expected fails because the current token is not what.
func (p *parser) expected(what string) {
	if p.failed {
		return
	}
	if p.is(ILLEGAL) {
		p.illegal()
		return
	}
	s := p.span()
	if p.is(EOF) {
		s = Span{p.last, p.last}
	}
	p.fail(s, CodeExpected, p.hint(), "expected "+what+", found "+p.found())
}

// found describes the current token.
func (p *parser) found() string {
	switch t := p.text(p.pos); p.kind() {
	case EOF:
		return "the end of the query"
	case STRING:
		return "the string " + clip(firstLine(t), 30)
	case INT, REAL:
		return "the number " + clip(t, 30)
	case LITERAL, TIMESPAN:
		return "the literal " + clip(firstLine(t), 30)
	default:
		return "'" + clip(firstLine(t), 30) + "'"
	}
}

func firstLine(s string) string {
	if i := strings.IndexAny(s, "\r\n"); i >= 0 {
		return s[:i] + "…"
	}
	return s
}

// sync ends a failure: it leaves the brackets that were opened beyond level
// and skips to the next place where a pipeline of that level can go on. stmt
// makes it skip pipe signs too.
func (p *parser) sync(level int, stmt bool) {
	if p.stopped {
		return
	}
	p.failed = false
	level = min(level, len(p.open))
	for _, o := range p.open[level:] {
		if m := int(p.toks[o].mate); m >= p.pos {
			p.skipTo(m + 1)
			break
		}
	}
	p.open = p.open[:level]
	for {
		t := p.cur()
		switch k := Kind(t.kind); k {
		case EOF, SEMI:
			return
		case PIPE:
			if !stmt {
				return
			}
		case RPAREN, RBRACKET, RBRACE:
			if t.mate >= 0 && level > 0 {
				return
			}
		case LPAREN, LBRACKET, LBRACE:
			if t.mate >= 0 {
				p.skipTo(int(t.mate) + 1)
				continue
			}
		}
		p.next()
	}
}

// skipTo moves forward to token i.
func (p *parser) skipTo(i int) {
	i = min(i, len(p.toks)-1)
	if i > p.pos {
		p.pos = i
		p.last = int(p.toks[i-1].end)
	}
}
