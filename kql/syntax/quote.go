package syntax

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Unquote returns the value of a string literal as written in a query: "…",
// '…', @"…", ```…```, ~~~…~~~, each with an optional h before it (Microsoft
// page "The string data type"). It fails when lit is not one whole literal.
func Unquote(lit string) (string, error) {
	n := stringPrefix(lit)
	l := lexer{src: lit}
	if n == 0 || l.str() != STRING || l.pos != len(lit) {
		return "", fmt.Errorf("not a string literal: %s", clip(lit, 40))
	}
	s, _ := unquote(lit)
	return s, nil
}

// unquote returns the value of a well-formed string literal, and whether it is
// an obfuscated one.
func unquote(lit string) (s string, hidden bool) {
	n := stringPrefix(lit)
	prefix := lit[:n]
	hidden = prefix[0] == 'h' || prefix[0] == 'H'
	switch q := prefix[n-1:]; {
	case q == "`" || q == "~":
		return lit[n : len(lit)-3], hidden
	case strings.Contains(prefix, "@"):
		return strings.ReplaceAll(lit[n:len(lit)-1], q+q, q), hidden
	default:
		return unescape(lit[n : len(lit)-1]), hidden
	}
}

// unescape replaces the escape sequences of s.
func unescape(s string) string {
	i := strings.IndexByte(s, '\\')
	if i < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i >= 0 {
		b.WriteString(s[:i])
		n := escapeLen(s[i:])
		if n == 0 {
			b.WriteByte('\\')
			n = 1
		} else {
			b.WriteRune(escapeRune(s[i+1 : i+n]))
		}
		s = s[i+n:]
		i = strings.IndexByte(s, '\\')
	}
	b.WriteString(s)
	return b.String()
}

// escapeRune returns what the escape e, without its backslash, stands for.
func escapeRune(e string) rune {
	switch e[0] {
	case 'a':
		return '\a'
	case 'b':
		return '\b'
	case 'f':
		return '\f'
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case 't':
		return '\t'
	case 'v':
		return '\v'
	case 'u', 'U', 'x':
		return number(e[1:], 16)
	case '\\', '\'', '"':
		return rune(e[0])
	}
	return number(e, 8)
}

// number reads digits that are known to be good; what is no Unicode character
// becomes U+FFFD when it is written.
func number(s string, base rune) (n rune) {
	for _, c := range []byte(s) {
		d := rune(c - '0')
		if c >= 'a' {
			d = rune(c-'a') + 10
		} else if c >= 'A' {
			d = rune(c-'A') + 10
		}
		if n > unicode.MaxRune {
			return utf8.RuneError
		}
		n = n*base + d
	}
	return n
}

// Quote returns s as a string literal. Text with backslashes and nothing to
// escape is written verbatim (@"…"), because that is how regular expressions
// are read best.
func Quote(s string) string {
	plain, backslash := true, false
	for _, r := range s {
		switch {
		case r == '\\':
			backslash = true
		case r == utf8.RuneError, !unicode.IsPrint(r):
			plain = false
		}
	}
	if plain && backslash {
		return `@"` + strings.ReplaceAll(s, `"`, `""`) + `"`
	}
	return escape(s, '"')
}

// escape writes s between quotes, with what needs it escaped.
func escape(s string, quote rune) string {
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteRune(quote)
	for _, r := range s {
		switch {
		case r == quote || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(r):
			b.WriteRune(r)
		case r > 0xffff:
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	b.WriteRune(quote)
	return b.String()
}

// QuoteName returns name as it must be written in a query: plain where KQL
// takes it as an identifier, else as ['…'].
func QuoteName(name string) string {
	if isPlainName(name) && !isReserved(name) {
		return name
	}
	return "[" + escape(name, '\'') + "]"
}

// isPlainName reports whether name can be written without brackets.
func isPlainName(name string) bool {
	l := lexer{src: name}
	if name == "" || l.scan() != IDENT || l.pos != len(name) {
		return false
	}
	return true
}

// isReserved holds for words that KQL reads as something else where a column
// may stand.
func isReserved(w string) bool {
	switch w {
	case "true", "false", "True", "False", "TRUE", "FALSE", "typeof":
		return true
	}
	if _, ok := typedLiteral(w); ok {
		return true
	}
	return reserved(w) || wordOp(w) != ILLEGAL || isOperator(w)
}

// clip shortens s to at most n characters.
func clip(s string, n int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	return string(r[:n-1]) + "…"
}
