package syntax

// tokenText is how each kind is written; operators print from it.
var tokenText = [...]string{
	EOF: "the end of the query", ILLEGAL: "illegal text",
	IDENT: "name", STRING: "string", INT: "number", REAL: "number", TIMESPAN: "timespan", LITERAL: "literal",
	LPAREN: "(", RPAREN: ")", LBRACKET: "[", RBRACKET: "]", LBRACE: "{", RBRACE: "}",
	COMMA: ",", SEMI: ";", COLON: ":", DOT: ".", DOTDOT: "..", PIPE: "|", ASSIGN: "=", ARROW: "=>", AT: "@",
	ADD: "+", SUB: "-", MUL: "*", DIV: "/", MOD: "%",
	LT: "<", LE: "<=", GT: ">", GE: ">=", EQ: "==", NE: "!=", EQCI: "=~", NECI: "!~",
	AND: "and", OR: "or",
	HAS: "has", NOTHAS: "!has", HASCS: "has_cs", NOTHASCS: "!has_cs",
	HASPREFIX: "hasprefix", NOTHASPREFIX: "!hasprefix", HASPREFIXCS: "hasprefix_cs", NOTHASPREFIXCS: "!hasprefix_cs",
	HASSUFFIX: "hassuffix", NOTHASSUFFIX: "!hassuffix", HASSUFFIXCS: "hassuffix_cs", NOTHASSUFFIXCS: "!hassuffix_cs",
	CONTAINS: "contains", NOTCONTAINS: "!contains", CONTAINSCS: "contains_cs", NOTCONTAINSCS: "!contains_cs",
	STARTSWITH: "startswith", NOTSTARTSWITH: "!startswith", STARTSWITHCS: "startswith_cs", NOTSTARTSWITHCS: "!startswith_cs",
	ENDSWITH: "endswith", NOTENDSWITH: "!endswith", ENDSWITHCS: "endswith_cs", NOTENDSWITHCS: "!endswith_cs",
	MATCHES: "matches regex", IN: "in", NOTIN: "!in", INCI: "in~", NOTINCI: "!in~", HASANY: "has_any", HASALL: "has_all",
	BETWEEN: "between", NOTBETWEEN: "!between",
}

// String returns how a token of kind k is written, or a word for what it is.
func (k Kind) String() string {
	if k < 0 || int(k) >= len(tokenText) {
		return "illegal text"
	}
	return tokenText[k]
}

// wordOp returns the operator that is written with letters, or ILLEGAL. The
// spellings containscs, notcontains and notcontainscs are old ones.
func wordOp(w string) Kind {
	switch w {
	case "and":
		return AND
	case "or":
		return OR
	case "has":
		return HAS
	case "has_cs":
		return HASCS
	case "hasprefix":
		return HASPREFIX
	case "hasprefix_cs":
		return HASPREFIXCS
	case "hassuffix":
		return HASSUFFIX
	case "hassuffix_cs":
		return HASSUFFIXCS
	case "contains":
		return CONTAINS
	case "contains_cs", "containscs":
		return CONTAINSCS
	case "notcontains":
		return NOTCONTAINS
	case "notcontainscs":
		return NOTCONTAINSCS
	case "startswith":
		return STARTSWITH
	case "startswith_cs":
		return STARTSWITHCS
	case "endswith":
		return ENDSWITH
	case "endswith_cs":
		return ENDSWITHCS
	case "matches":
		return MATCHES
	case "in":
		return IN
	case "has_any":
		return HASANY
	case "has_all":
		return HASALL
	case "between":
		return BETWEEN
	}
	return ILLEGAL
}

// negated returns the operator !k, or ILLEGAL when there is none.
func negated(k Kind) Kind {
	switch k {
	case HAS, HASCS, HASPREFIX, HASPREFIXCS, HASSUFFIX, HASSUFFIXCS, CONTAINS, CONTAINSCS,
		STARTSWITH, STARTSWITHCS, ENDSWITH, ENDSWITHCS:
		return k + 1
	}
	return ILLEGAL
}
