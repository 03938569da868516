package syntax

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// token is one token of a query text. mate is, for a bracket, the index of
// the bracket that belongs to it, or -1.
type token struct {
	kind             int16
	start, end, mate int32
}

// lex cuts src into tokens; the last is EOF. It cannot fail: what is no token
// becomes ILLEGAL, and the parser says why when it meets it.
// src must be shorter than 2 GiB.
func lex(src string) []token {
	l := lexer{src: src, toks: make([]token, 0, len(src)/5+8)}
	for l.skipSpace(); l.pos < len(src); l.skipSpace() {
		start := l.pos
		kind := l.scan()
		if l.pos <= start { // never: a guard against looping forever
			l.pos = start + 1
			kind = ILLEGAL
		}
		l.add(kind, start)
	}
	l.add(EOF, l.pos)
	l.matchBrackets()
	return l.toks
}

type lexer struct {
	src  string
	pos  int
	toks []token
}

func (l *lexer) add(k Kind, start int) {
	l.toks = append(l.toks, token{kind: int16(k), start: int32(start), end: int32(l.pos), mate: -1})
}

// at returns the byte n places ahead, or 0 at the end.
func (l *lexer) at(n int) byte {
	if l.pos+n < len(l.src) {
		return l.src[l.pos+n]
	}
	return 0
}

// skipSpace moves over white space and comments.
func (l *lexer) skipSpace() {
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		switch {
		case c == ' ' || c == '\n' || c == '\r' || c == '\t' || c == '\f' || c == '\v':
			l.pos++
		case c == '/' && l.at(1) == '/':
			n := strings.IndexAny(l.src[l.pos:], "\r\n")
			if n < 0 {
				n = len(l.src) - l.pos
			}
			l.pos += n
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(l.src[l.pos:])
			if !isSpace(r) {
				return
			}
			l.pos += n
		default:
			return
		}
	}
}

// isSpace holds for Unicode's white space, and for the invisible characters
// that come along when queries are pasted from web pages.
func isSpace(r rune) bool {
	return unicode.IsSpace(r) || r == '\u180e' || r == '\u200b' || r == '\ufeff'
}

// scan reads one token from l.pos, which is not the end, and returns its kind.
func (l *lexer) scan() Kind {
	c := l.src[l.pos]
	switch {
	case c >= '0' && c <= '9':
		return l.number()
	case isIdentStart(c):
		return l.word()
	case c == '"' || c == '\'' || c == '`' || c == '~' || c == '@':
		if n := stringPrefix(l.src[l.pos:]); n > 0 {
			return l.str()
		}
	case c >= utf8.RuneSelf:
		if r, _ := utf8.DecodeRuneInString(l.src[l.pos:]); unicode.IsLetter(r) {
			return l.word()
		}
	case c == '!':
		return l.bang()
	}
	return l.punct(c)
}

// punct reads an operator or a bracket.
func (l *lexer) punct(c byte) Kind {
	two := func(next byte, yes, no Kind) Kind {
		if l.at(1) == next {
			l.pos += 2
			return yes
		}
		l.pos++
		return no
	}
	switch c {
	case '=':
		switch l.at(1) {
		case '=':
			return two('=', EQ, EQ)
		case '>':
			return two('>', ARROW, ARROW)
		}
		return two('~', EQCI, ASSIGN)
	case '<':
		if l.at(1) == '>' {
			return two('>', NE, NE)
		}
		return two('=', LE, LT)
	case '>':
		return two('=', GE, GT)
	case '.':
		return two('.', DOTDOT, DOT)
	case '|':
		return two('|', ILLEGAL, PIPE) // || is what other languages call or
	case '&':
		return two('&', ILLEGAL, ILLEGAL)
	}
	_, n := utf8.DecodeRuneInString(l.src[l.pos:])
	l.pos += n
	if i := strings.IndexByte(singleChars, c); i >= 0 {
		return singleKinds[i]
	}
	return ILLEGAL
}

const singleChars = "()[]{},;:@+-*/%"

var singleKinds = [...]Kind{LPAREN, RPAREN, LBRACKET, RBRACKET, LBRACE, RBRACE, COMMA, SEMI, COLON, AT, ADD, SUB, MUL, DIV, MOD}

// bang reads an operator that begins with an exclamation mark.
func (l *lexer) bang() Kind {
	l.pos++
	switch l.at(0) {
	case '=':
		l.pos++
		return NE
	case '~':
		l.pos++
		return NECI
	}
	start := l.pos
	l.ident()
	switch l.src[start:l.pos] {
	case "in":
		if l.at(0) == '~' && l.at(1) != '~' {
			l.pos++
			return NOTINCI
		}
		return NOTIN
	case "between":
		return NOTBETWEEN
	}
	if k := negated(wordOp(l.src[start:l.pos])); k != ILLEGAL {
		return k
	}
	return ILLEGAL
}

// word reads a name or keyword, a typed literal such as datetime(…), a string
// with the prefix h, or a bare GUID.
func (l *lexer) word() Kind {
	if n := stringPrefix(l.src[l.pos:]); n > 0 {
		return l.str()
	}
	if isGUID(l.src[l.pos:]) {
		l.pos += guidLen
		return LITERAL
	}
	start := l.pos
	l.ident()
	w := l.src[start:l.pos]
	switch l.at(0) {
	case '(':
		if _, ok := typedLiteral(w); ok {
			return l.typed()
		}
	case '~':
		if w == "in" && l.at(1) != '~' {
			l.pos++
			return INCI
		}
	}
	return IDENT
}

// typed reads the parenthesis of a typed literal. Its content is raw text that
// ends with the first ) and cannot span lines.
func (l *lexer) typed() Kind {
	for i := l.pos; i < len(l.src); i++ {
		switch l.src[i] {
		case ')':
			l.pos = i + 1
			return LITERAL
		case '\n', '\r':
			l.pos = i
			return ILLEGAL
		}
	}
	l.pos = len(l.src)
	return ILLEGAL
}

// typedLiteral returns the kind of literal that a word makes of the
// parenthesis that follows it.
func typedLiteral(w string) (LitKind, bool) {
	switch w {
	case "datetime", "date":
		return LitDateTime, true
	case "time", "timespan":
		return LitTimeSpan, true
	case "guid", "uuid", "uniqueid":
		return LitGuid, true
	case "int", "int32":
		return LitInt, true
	case "long", "int64":
		return LitLong, true
	case "real", "double":
		return LitReal, true
	case "decimal":
		return LitDecimal, true
	case "bool", "boolean":
		return LitBool, true
	}
	return 0, false
}

// ident moves over letters, digits and underscores.
func (l *lexer) ident() {
	if l.at(0) == '$' {
		l.pos++
	}
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		switch {
		case isIdentChar(c):
			l.pos++
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRuneInString(l.src[l.pos:])
			if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
				return
			}
			l.pos += n
		default:
			return
		}
	}
}

func isIdentStart(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$'
}

func isIdentChar(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || isDigit(c)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func isHex(c byte) bool {
	return isDigit(c) || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

// holdsSemi reports whether semicolons may stand inside bracket i: braces, and
// the steps of scan.
func (l *lexer) holdsSemi(i int32) bool {
	next := l.toks[i+1]
	return Kind(l.toks[i].kind) == LBRACE || Kind(next.kind) == IDENT && l.src[next.start:next.end] == "step"
}

// matchBrackets joins every bracket with its mate. A semicolon leaves open
// parentheses and square brackets without one, so that an unclosed bracket
// spoils only its own statement.
func (l *lexer) matchBrackets() {
	var open []int32
	var count [RBRACE + 1]int // of open brackets, by kind: bounds the search for a mate
	pop := func() {
		last := len(open) - 1
		count[l.toks[open[last]].kind]--
		open = open[:last]
	}
	for i := range l.toks {
		switch t := &l.toks[i]; Kind(t.kind) {
		case LPAREN, LBRACKET, LBRACE:
			open = append(open, int32(i))
			count[t.kind]++
		case SEMI:
			for len(open) > 0 && !l.holdsSemi(open[len(open)-1]) {
				pop()
			}
		case RPAREN, RBRACKET, RBRACE:
			// Brackets left open inside are given up only when an outer one fits.
			if count[t.kind-1] == 0 {
				continue
			}
			for l.toks[open[len(open)-1]].kind != t.kind-1 {
				pop()
			}
			o := open[len(open)-1]
			l.toks[o].mate, t.mate = int32(i), o
			pop()
		}
	}
}
