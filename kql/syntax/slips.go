package syntax

import "strings"

// illegal fails because of text that is no token.
func (p *parser) illegal() {
	s := p.span()
	t := p.text(p.pos)
	switch {
	case t == "&&":
		p.fail(s, CodeText, "use 'and'", "'&&' is not an operator of KQL")
	case t == "||":
		p.fail(s, CodeText, "use 'or'", "'||' is not an operator of KQL")
	case t == "!":
		hint := "negate with not(…)"
		if p.pos > 0 && Kind(p.toks[p.pos-1].kind) == ASSIGN && p.adjacent(p.pos) {
			hint = "write '!='"
		}
		p.fail(s, CodeText, hint, "'!' is not an operator of KQL")
	case t[0] == '!':
		p.fail(s, CodeText, bangHint(t), "'"+clip(t, 30)+"' is not an operator of KQL")
	case stringPrefix(t) > 0:
		p.badString(s, t)
	case t == "`" || t == "~":
		p.fail(s, CodeText, "", "'"+t+"' does not belong here")
	case isDigit(t[0]):
		p.fail(s, CodeText, "timespans end in d, h, m, s, ms, microsecond or tick", "'"+clip(t, 30)+"' is neither a number nor a timespan")
	case strings.IndexByte(t, '(') > 0:
		p.fail(s, CodeText, "close it on the same line", "the literal "+clip(t, 30)+" is not closed")
	default:
		p.fail(s, CodeText, charHint(t), "the character '"+clean(t)+"' has no meaning in KQL")
	}
}

// charHint returns advice for a character KQL does not know.
func charHint(t string) string {
	switch t {
	case "?":
		return "use iff(condition, then, else)"
	case "#":
		return "comments begin with //"
	case "“", "”", "„", "‘", "’", "«", "»":
		return "use straight quotes: \" or '"
	case "–", "—", "−":
		return "use '-'"
	}
	return ""
}

func bangHint(t string) string {
	if best := nearest(t, negatedNames[:]); best != "" {
		return "did you mean '" + best + "'?"
	}
	return "negate with not(…)"
}

var negatedNames = [...]string{"!has", "!has_cs", "!hasprefix", "!hasprefix_cs", "!hassuffix", "!hassuffix_cs",
	"!contains", "!contains_cs", "!startswith", "!startswith_cs", "!endswith", "!endswith_cs", "!in", "!in~", "!between"}

// badString fails because of a string literal t that is not well formed.
func (p *parser) badString(s Span, t string) {
	n := stringPrefix(t)
	prefix := t[:n]
	quote := prefix[n-1:]
	if quote == "`" || quote == "~" {
		p.fail(Span{s.Start, s.Start + n}, CodeText, "", "the string is not closed: expected "+strings.Repeat(quote, 3)+" before the end of the query")
		return
	}
	if !strings.Contains(prefix, "@") {
		for i := n; i < len(t); i++ {
			if t[i] != '\\' {
				continue
			}
			k := escapeLen(t[i:])
			if k == 0 {
				end := min(len(t), i+2)
				for end < len(t) && t[end]&0xc0 == 0x80 {
					end++
				}
				p.fail(Span{s.Start + i, s.Start + end}, CodeText,
					`write \\ for a backslash, or use a verbatim string: @"…"`, "'"+clean(t[i:end])+"' is not an escape sequence")
				return
			}
			i += k - 1
		}
	}
	hint := "a string over several lines is written ```…```"
	if p.pos > 0 && p.adjacent(p.pos) && Kind(p.toks[p.pos-1].kind) == STRING {
		hint = "inside a string, write \\" + quote + " for a quote"
	}
	p.fail(Span{s.Start, s.Start + n}, CodeText, hint,
		"the string is not closed: expected "+quote+" before the end of the line")
}

// unexpected fails because the current token cannot follow op.
func (p *parser) unexpected(op Op) {
	switch p.kind() {
	case RPAREN, RBRACKET, RBRACE:
		p.fail(p.span(), CodeBracket, "", "'"+p.text(p.pos)+"' was never opened")
		return
	case COMMA:
		p.expected("'|' or the end of the query")
		return
	}
	switch op.(type) {
	case *WhereOp, *SearchOp, *FindOp:
		p.expected("an operator such as '==', or '|'")
	case *ExtendOp, *ProjectOp, *SortOp, *TopOp, *DistinctOp, *SummarizeOp, *JoinOp, *UnionOp, *PrintOp, *MvExpandOp, *SerializeOp, *FacetOp, *ReduceOp, *MakeSeriesOp:
		p.expected("',' or '|'")
	default:
		p.expected("'|'")
	}
}

// hint returns advice for a token that was not expected, or "".
func (p *parser) hint() string {
	if h := p.habit(); h != "" {
		return h
	}
	t := p.text(p.pos)
	prev := EOF
	if p.pos > 0 {
		prev = Kind(p.toks[p.pos-1].kind)
	}
	k := p.kind()
	switch {
	case k == ASSIGN && prev == EQ:
		return "'==' compares; there is no '==='"
	case k == ASSIGN && p.pos > p.first:
		return "'==' compares; '=' only gives a name"
	case k == EQ && p.wordAt(p.pos-2, "let"):
		return "let uses a single '='"
	case precedence(k) == precEq || precedence(k) == precRel:
		return "join comparisons with 'and', or put one in parentheses"
	case k == MUL && prev == DIV && p.adjacent(p.pos):
		return "comments begin with // and end with the line"
	case k == DOT && p.pos == 0:
		return "management commands such as .show are not queries"
	case k == INT && prev == DOT:
		return "write [" + t + "] for an element, or [\"" + t + "\"] for a member"
	case prev == COMMA:
		return "there is a comma too many before " + p.found()
	case prev == IDENT && p.wordAt(p.pos-1, "not"):
		return "negate with not(…), or with an operator such as '!has'"
	case prev == IDENT && isList(wordOp(p.text(p.pos-1))), prev == NOTIN, prev == INCI, prev == NOTINCI:
		return "put the list in parentheses"
	case k == IDENT:
		if h := p.wordHint(); h != "" {
			return h
		}
	}
	if (prev == IDENT || prev == RPAREN || prev == STRING) && (k == IDENT || k == STRING) {
		return p.listHint()
	}
	return ""
}

// listHint returns advice for two operands side by side, where a comma may be
// missing.
func (p *parser) listHint() string {
	if p.first > 0 && p.first <= p.pos {
		switch p.text(p.first - 1) {
		case "project", "extend", "summarize", "distinct", "away", "keep", "rename", "reorder", "print":
			return "put a comma between two columns"
		}
	}
	return ""
}

// isList holds for the operators whose right side is a list.
func isList(k Kind) bool { return k == IN || k == HASANY || k == HASALL }

// wordHint returns advice for a word that was not expected, or "".
func (p *parser) wordHint() string {
	t := p.text(p.pos)
	switch low := strings.ToLower(t); low {
	case "and", "or", "by", "on", "in", "has", "contains", "startswith", "endswith", "between", "where", "with", "asc", "desc":
		if t != low {
			return "KQL's words are lower case: '" + low + "'"
		}
	case "like":
		return "use contains, startswith, endswith or matches regex"
	case "is":
		return "use isnull(), isempty(), isnotnull() or isnotempty()"
	case "not":
		if p.wordAt(p.pos+1, "in") {
			return "write '!in'"
		}
		return "negate with not(…), or with an operator such as '!has'"
	case "group":
		return "use 'summarize … by …'"
	case "having":
		return "use '| where …' after summarize"
	case "regex":
		return "write 'matches regex'"
	}
	return ""
}

const sqlHint = "this looks like SQL; in KQL the table comes first: Table | where … | project …"

// sqlAhead reports whether the statement is an SQL query: select and a column.
func (p *parser) sqlAhead() bool {
	if !p.is(IDENT) || !strings.EqualFold(p.text(p.pos), "select") {
		return false
	}
	switch p.kindAt(1) {
	case MUL, IDENT, LBRACKET, STRING:
		return true
	}
	return false
}

// operatorHint returns what to write instead of an operator KQL does not have.
func operatorHint(name string) string {
	switch low := strings.ToLower(name); low {
	case "select", "fields", "columns", "keep", "table":
		return "use 'project'"
	case "group", "stats", "aggregate", "groupby", "group-by":
		return "use 'summarize … by …'"
	case "having", "search-in":
		return "use 'where'"
	case "head", "first", "tail":
		return "use 'take' or 'top … by …'"
	case "orderby", "order-by", "sortby", "sort-by":
		return "use 'sort by'"
	case "dedup", "unique", "uniq":
		return "use 'distinct' or 'summarize arg_max(…)'"
	case "rename":
		return "use 'project-rename New = Old'"
	case "drop", "remove", "delete", "exclude":
		return "use 'project-away'"
	case "eval", "let", "set", "add":
		return "use 'extend'"
	case "rex", "grok", "extract":
		return "use 'parse', or 'extend' with extract()"
	case "append", "concat":
		return "use 'union'"
	case "explode", "unnest", "mv_expand", "expand":
		return "use 'mv-expand'"
	case "inner", "left", "right", "outer", "full", "cross":
		return "the kind of a join is a parameter: join kind=inner (U) on Column"
	case "and", "or":
		return "conditions are joined inside one 'where'"
	default:
		if low != name && isOperator(low) {
			return "KQL's words are lower case: '" + low + "'"
		}
		if alt := strings.ReplaceAll(low, "_", "-"); isOperator(alt) {
			return "did you mean '" + alt + "'?"
		}
		if best := nearest(low, operatorNames[:]); best != "" {
			return "did you mean '" + best + "'?"
		}
	}
	return ""
}

var operatorNames = [...]string{"where", "extend", "project", "project-away", "project-keep", "project-rename", "project-reorder",
	"sort", "order", "take", "limit", "top", "distinct", "summarize", "count", "join", "lookup", "union", "print", "range",
	"mv-expand", "mv-apply", "parse", "parse-where", "parse-kv", "sample", "sample-distinct", "top-hitters", "top-nested",
	"make-series", "evaluate", "invoke", "as", "search", "find", "partition", "scan", "serialize", "render", "getschema",
	"consume", "facet", "fork", "reduce", "filter",
	"make-graph", "graph-match", "graph-shortest-paths", "graph-to-table", "graph-mark-components"}

// nearest returns the name that w may have been meant for, or "".
func nearest(w string, names []string) string {
	best, least := "", max(1, min(3, len(w)/3))+1
	if len(w) > 40 {
		return ""
	}
	for _, n := range names {
		if d := distance(w, n); d < least {
			best, least = n, d
		}
	}
	return best
}

// distance is the number of letters to insert, remove, change or swap with
// their neighbour to make b of a.
func distance(a, b string) int {
	two, one, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		one[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(row[j-1]+1, one[j]+1, one[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], two[j-2]+1)
			}
		}
		two, one, row = one, row, two
	}
	return one[len(b)]
}
