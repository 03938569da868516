package syntax

import "strings"

// stringPrefix returns the length of what opens a string literal at the start
// of s, quotes included, or 0 when none begins there.
func stringPrefix(s string) int {
	i := 0
	if i < len(s) && (s[i] == 'h' || s[i] == 'H') {
		i++
	}
	if strings.HasPrefix(s[i:], "```") || strings.HasPrefix(s[i:], "~~~") {
		return i + 3
	}
	if i < len(s) && s[i] == '@' {
		i++
	}
	if i < len(s) && (s[i] == '"' || s[i] == '\'') {
		return i + 1
	}
	return 0
}

// str reads a string literal. One that does not end, or has an escape that
// KQL does not know, is ILLEGAL.
func (l *lexer) str() Kind {
	n := stringPrefix(l.src[l.pos:])
	prefix := l.src[l.pos : l.pos+n]
	l.pos += n
	if q := prefix[n-1:]; q == "`" || q == "~" {
		end := strings.Index(l.src[l.pos:], strings.Repeat(q, 3))
		if end < 0 {
			l.pos = len(l.src)
			return ILLEGAL
		}
		l.pos += end + 3
		return STRING
	}
	return l.strBody(prefix[n-1], strings.Contains(prefix, "@"))
}

// strBody reads the rest of a one-line string up to and with its quote.
func (l *lexer) strBody(quote byte, verbatim bool) Kind {
	kind := STRING
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		switch {
		case c == '\n' || c == '\r':
			return ILLEGAL
		case c == quote && verbatim && l.at(1) == quote:
			l.pos += 2
		case c == quote:
			l.pos++
			return kind
		case c == '\\' && !verbatim:
			n := escapeLen(l.src[l.pos:])
			if n == 0 {
				kind = ILLEGAL
				n = 1
			}
			l.pos += n
		default:
			l.pos++
		}
	}
	return ILLEGAL
}

// escapeLen returns the length of the escape sequence at the start of s, which
// is a backslash, or 0 when KQL knows no such escape.
func escapeLen(s string) int {
	if len(s) < 2 {
		return 0
	}
	hex := func(n int) int {
		if len(s) < 2+n {
			return 0
		}
		for _, c := range []byte(s[2 : 2+n]) {
			if !isHex(c) {
				return 0
			}
		}
		return 2 + n
	}
	switch c := s[1]; c {
	case '\\', '\'', '"', 'a', 'b', 'f', 'n', 'r', 't', 'v':
		return 2
	case 'u':
		return hex(4)
	case 'U':
		return hex(8)
	case 'x':
		return hex(2)
	case '0', '1', '2', '3', '4', '5', '6', '7':
		n, most := 2, 3
		if c <= '3' {
			most = 4
		}
		for n < most && n < len(s) && s[n] >= '0' && s[n] <= '7' {
			n++
		}
		return n
	}
	return 0
}

// number reads what begins with a digit: a number, a timespan such as 1.5h, a
// bare GUID, or a name such as 4xx.
func (l *lexer) number() Kind {
	s := l.src[l.pos:]
	if isGUID(s) {
		l.pos += guidLen
		return LITERAL
	}
	if n := hexLen(s); n > 0 {
		l.pos += n
		return INT
	}
	whole := digits(s, 0)
	frac := whole
	if whole < len(s) && s[whole] == '.' {
		if n := digits(s, whole+1); n > whole+1 {
			frac = n
		}
	}
	unit := frac
	for unit < len(s) && isIdentChar(s[unit]) {
		unit++
	}
	if isTimeUnit(s[frac:unit]) {
		l.pos += unit
		return TIMESPAN
	}
	if n := realLen(s, whole, frac); n > 0 {
		l.pos += n
		return REAL
	}
	if unit == whole {
		l.pos += whole
		return INT
	}
	if frac == whole {
		l.ident()
		return IDENT
	}
	l.pos += unit
	return ILLEGAL
}

// realLen returns the length of the real number at the start of s, or 0.
// whole and frac are where its digits before and behind the point end.
func realLen(s string, whole, frac int) int {
	n := frac
	if frac == whole && whole < len(s) && s[whole] == '.' && !strings.HasPrefix(s[whole:], "..") {
		n = whole + 1 // 1.
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		e := n + 1
		if e < len(s) && (s[e] == '+' || s[e] == '-') {
			e++
		}
		if end := digits(s, e); end > e {
			n = end
		}
	}
	if n == whole || n < len(s) && isIdentChar(s[n]) {
		return 0
	}
	return n
}

// digits returns the end of the run of digits at s[i:].
func digits(s string, i int) int {
	for i < len(s) && isDigit(s[i]) {
		i++
	}
	return i
}

func hexLen(s string) int {
	if len(s) < 3 || s[0] != '0' || s[1] != 'x' && s[1] != 'X' {
		return 0
	}
	n := 2
	for n < len(s) && isHex(s[n]) {
		n++
	}
	if n == 2 || n < len(s) && isIdentChar(s[n]) {
		return 0
	}
	return n
}

// isTimeUnit holds for the suffixes of timespan literals.
func isTimeUnit(u string) bool {
	switch u {
	case "d", "day", "days", "h", "hr", "hrs", "hour", "hours",
		"m", "min", "minute", "minutes", "s", "sec", "second", "seconds",
		"ms", "milli", "millis", "millisec", "millisecond", "milliseconds",
		"micro", "micros", "microsec", "microsecond", "microseconds",
		"nano", "nanos", "nanosec", "nanosecond", "nanoseconds",
		"tick", "ticks":
		return true
	}
	return false
}

const guidLen = 36

// isGUID reports whether s begins with a GUID in its hyphenated form.
func isGUID(s string) bool {
	if len(s) < guidLen || s[8] != '-' {
		return false
	}
	for i := range guidLen {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if !isHex(s[i]) {
				return false
			}
		}
	}
	return len(s) == guidLen || !isIdentChar(s[guidLen])
}
