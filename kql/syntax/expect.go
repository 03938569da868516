package syntax

import "strings"

// Expected is what could stand at the end of a text, as the parser found while
// it looked for the next token there: the base of completion in an editor.
type Expected struct {
	Operand   bool     // an expression
	Infix     bool     // an operator between operands
	Table     bool     // a table, or a query in its place
	TableOnly bool     // nothing but a table
	Aggregate bool     // with Operand: aggregates may be called
	Column    bool     // the name of a column that exists
	Operator  bool     // a query operator, after a pipe sign
	Source    bool     // an operator that begins a query
	Statement bool     // a statement
	Type      bool     // the name of a type
	Plugin    bool     // a plugin of evaluate
	Words     []string // keywords
	Params    []string // parameters of an operator, to be followed by =
	ValueOf   string   // the parameter whose value is wanted, or ""
	MemberOf  string   // the word before the dot, when a member is wanted, or ""
	Call      string   // the function whose arguments the end is inside of, or ""
	// Op is the innermost operator that is not yet ended, or nil. At the place of
	// a query operator it is the BadOp that stands there.
	Op Op
	// Open are the functions whose bodies are not yet closed, outermost first.
	Open []*Lambda

	unclosed map[*Lambda]bool
}

// Expect reads a query that ends in the middle and returns the partial tree and
// what could come next. Text that ends in a string or a comment expects nothing.
func Expect(src string) (*Query, Expected) {
	e := Expected{unclosed: map[*Lambda]bool{}}
	if len(src) > MaxText {
		return &Query{pos: pos{Span{0, len(src)}}}, e
	}
	p := &parser{src: src, toks: lex(src), ask: &e, unclosedFns: e.unclosed}
	end := 0
	if n := len(p.toks); n > 1 {
		end = int(p.toks[n-2].end)
	}
	if inComment(src[end:]) {
		p.ask = nil
	}
	q := p.query()
	e.locate(q, end)
	return q, e
}

// inComment reports whether s, which holds only space and comments, ends inside
// a comment.
func inComment(s string) bool {
	in := false
	for i := range len(s) {
		switch {
		case s[i] == '\n' || s[i] == '\r':
			in = false
		case s[i] == '/':
			in = true
		}
	}
	return in
}

// locate finds what is open at end, where the last token of q's text ends.
func (e *Expected) locate(q *Query, end int) {
	Walk(q, func(n Node) bool {
		if n.Span().End < end {
			return false
		}
		switch n := n.(type) {
		case Op:
			if e.Op == nil || n.Span().Start >= e.Op.Span().Start {
				e.Op = n
			}
		case *Lambda:
			if e.unclosed[n] {
				e.Open = append(e.Open, n)
			}
		}
		return true
	})
}

// wants returns where to note what could stand here, or nil when this is not
// the place that is asked about.
func (p *parser) wants() *Expected {
	if p.ask == nil || p.failed || !p.is(EOF) {
		return nil
	}
	p.ask.Call, p.ask.Aggregate = p.callee, p.aggs
	return p.ask
}

func (p *parser) wantWords(words ...string) {
	if e := p.wants(); e != nil {
		e.Words = append(e.Words, words...)
	}
}

func (p *parser) wantTable() {
	if e := p.wants(); e != nil {
		e.Table, e.TableOnly = true, true
	}
}

// wantStmt notes that a statement could begin here, unless one has just ended
// without its semicolon.
func (p *parser) wantStmt() {
	e := p.wants()
	if e == nil || p.pos > 0 && Kind(p.toks[p.pos-1].kind) != SEMI && Kind(p.toks[p.pos-1].kind) != LBRACE {
		return
	}
	e.Statement, e.Table, e.Source = true, true, true
}

// noOperands reports whether the present operator ends here. The end of a text
// that is being completed is no such end.
func (p *parser) noOperands() bool {
	return p.atEnd() && !(p.ask != nil && p.is(EOF))
}

// aColumn is what a name is called in messages that must be one of a column.
const aColumn = "a column"

// OperatorNames returns the names of the query operators that can stand after a
// pipe sign, in no order that matters.
func OperatorNames() []string {
	var list []string
	for _, n := range operatorNames {
		if n != "print" && n != "range" && n != "find" {
			list = append(list, n)
		}
	}
	return list
}

// SourceNames returns the names of the operators that can begin a query.
func SourceNames() []string {
	return []string{"print", "range", "union", "search", "find", "datatable", "externaldata"}
}

// InfixNames returns the operators between operands that are written with
// letters.
func InfixNames() []string {
	var list []string
	for k := AND; k <= NOTBETWEEN; k++ {
		list = append(list, k.String())
	}
	return list
}

// chartKinds are what render draws (the page "render operator").
var chartKinds = [...]string{"anomalychart", "areachart", "barchart", "card", "columnchart", "linechart", "piechart", "pivotchart",
	"plotly", "scatterchart", "stackedareachart", "table", "timechart", "timepivot", "treemap"}

// InString reports whether a text that ends in the middle ends inside a string
// or another literal.
func InString(src string) bool {
	toks := lex(src)
	if len(toks) < 2 {
		return false
	}
	t := toks[len(toks)-2]
	text := src[t.start:t.end]
	if Kind(t.kind) != ILLEGAL || int(t.end) != len(src) {
		return false
	}
	return stringPrefix(text) > 0 || strings.IndexByte(text, '(') > 0
}
