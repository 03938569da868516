package syntax

import "strings"

// habit returns advice for a token that was not expected and is right in some
// other language, or "".
func (p *parser) habit() string {
	prev, t := EOF, p.text(p.pos)
	if p.pos > 0 {
		prev = Kind(p.toks[p.pos-1].kind)
	}
	before := p.text(max(0, p.pos-1))
	switch k := p.kind(); k {
	case IDENT:
		return p.wordHabit(prev, before)
	case ASSIGN:
		switch {
		case prev == COLON && p.adjacent(p.pos):
			return "a name is given with '='"
		case prev == STRING:
			return "a name is written without quotes, or in brackets: ['a b']"
		case p.pos == 1:
			return "a value gets a name with let: let x = 5; a query begins with a table"
		case p.pos > 1 && before == "kind":
			return "parameters stand before the table: join kind=inner (U) on Column"
		}
	case LPAREN:
		if before == "count" {
			return "the operator is '| count'; to count by groups: '| summarize count() by …'"
		}
	case COMMA:
		if p.betweenAhead(2) {
			return "the ends of a range are joined by two dots: (1 .. 5)"
		}
	case INT, REAL, TIMESPAN, LITERAL:
		if before == "between" || before == "!between" {
			return "write between (1 .. 5)"
		}
	case SUB:
		if prev == SUB && p.adjacent(p.pos) {
			return "comments begin with //; a negative number in an expression: a - (-1)"
		}
	case DIV:
		if p.kindAt(1) == MUL {
			return "comments begin with // and end with the line"
		}
	case EOF:
		if prev == PIPE {
			return "remove the pipe sign at the end, or put an operator behind it"
		}
	}
	if t == "?" {
		return "use iff(condition, then, else)"
	}
	return ""
}

// betweenAhead reports whether the word between stands n tokens before a bracket
// that the current token is in, with one token between.
func (p *parser) betweenAhead(n int) bool {
	i := p.pos - n
	return i > 0 && Kind(p.toks[i].kind) == LPAREN && (p.wordAt(i-1, "between") || Kind(p.toks[i-1].kind) == NOTBETWEEN)
}

func (p *parser) wordHabit(prev Kind, before string) string {
	t := p.text(p.pos)
	switch low := strings.ToLower(t); {
	case low == "ascending" || low == "descending":
		return "write '" + strings.TrimSuffix(low, "ending") + "'"
	case low == "matches":
		return "write 'matches regex'"
	case low == "when" || low == "then" || low == "else":
		return "use case(condition, value, …, otherwise) or iff(condition, then, else)"
	case before == "union" || p.wordAt(p.pos-2, "union") && before == "all":
		return "union keeps all rows: leave out 'all'"
	case t == "by" && before == "count":
		return "use '| summarize count() by …'"
	case t == "kind" && p.kindAt(1) == ASSIGN:
		return "parameters stand before the table: join kind=inner (U) on Column"
	case prev == INT && (isTimeUnit(low) || low == "week" || low == "weeks"):
		switch {
		case strings.HasPrefix(low, "week"):
			return "weeks are days: 7d"
		case strings.HasPrefix(low, "mil"), strings.HasPrefix(low, "mic"), strings.HasPrefix(low, "nano"), strings.HasPrefix(low, "tick"):
			return "the unit stands right behind the number: " + before + low
		}
		return "the unit stands right behind the number: " + before + low[:1]
	case prev == STRING && p.adjacent(p.pos):
		return "the string ends before " + p.found() + ": inside it a quote is written \\" + before[len(before)-1:]
	case prev == IDENT && p.pos > 1 && precedence(wordOp(p.text(p.pos-2))) == precStr:
		return "text stands in quotes: \"" + before + " " + t + "\""
	case prev == IDENT && p.wordHint() == "" && p.kindAt(1) == STRING:
		if best := nearest(low, infixWords[:]); best != "" {
			return "did you mean '" + best + "'?"
		}
	}
	return ""
}

var infixWords = [...]string{"has", "has_cs", "hasprefix", "hassuffix", "contains", "contains_cs", "startswith", "startswith_cs",
	"endswith", "endswith_cs", "in", "has_any", "has_all", "between", "and", "or"}
