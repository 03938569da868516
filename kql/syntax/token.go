package syntax

// Kind is the kind of a token. Keywords that KQL lets be names too (most of
// them) are lexed as IDENT; only operators spelt with letters that can never
// be names in operator position are told apart by the parser.
type Kind int

// Tokens, and the operators of [Binary] and [In].
const (
	EOF Kind = iota
	ILLEGAL

	IDENT    // Foo, _x, $left
	STRING   // "…", '…', @"…", ```…```, h"…"
	INT      // 12, 0x1F
	REAL     // 1.5, 1e3
	TIMESPAN // 1d, 1.5h, 10ms, 3ticks
	LITERAL  // typed literal: datetime(…), guid(…), int(…), …: Text has the whole of it

	LPAREN
	RPAREN
	LBRACKET
	RBRACKET
	LBRACE
	RBRACE
	COMMA
	SEMI
	COLON
	DOT
	DOTDOT
	PIPE
	ASSIGN // =
	ARROW  // =>
	AT     // @

	ADD
	SUB
	MUL
	DIV
	MOD
	LT
	LE
	GT
	GE
	EQ   // ==
	NE   // != and <>
	EQCI // =~
	NECI // !~

	AND
	OR

	HAS
	NOTHAS
	HASCS
	NOTHASCS
	HASPREFIX
	NOTHASPREFIX
	HASPREFIXCS
	NOTHASPREFIXCS
	HASSUFFIX
	NOTHASSUFFIX
	HASSUFFIXCS
	NOTHASSUFFIXCS
	CONTAINS
	NOTCONTAINS
	CONTAINSCS
	NOTCONTAINSCS
	STARTSWITH
	NOTSTARTSWITH
	STARTSWITHCS
	NOTSTARTSWITHCS
	ENDSWITH
	NOTENDSWITH
	ENDSWITHCS
	NOTENDSWITHCS
	MATCHES // matches regex
	IN
	NOTIN
	INCI
	NOTINCI
	HASANY
	HASALL
	BETWEEN // only as tokens: the tree has the node Between
	NOTBETWEEN
)
