package syntax

// tabular reads an expression that may be a pipeline: a statement, the content
// of parentheses, an argument.
func (p *parser) tabular() Expr {
	if p.failed {
		return p.bad()
	}
	if e := p.wants(); e != nil {
		e.Table, e.Source = true, true
	}
	start := p.start()
	level := len(p.open)
	var x Expr
	switch {
	case p.is(PIPE):
		hint := "a query begins with the name of a table"
		if p.pos > 0 && Kind(p.toks[p.pos-1].kind) == SEMI {
			hint = "the semicolon before it ends the query: remove it to go on"
		}
		p.report(p.span(), CodeExpected, hint, "expected a table before '|'")
		x = p.bad()
	case p.sourceAhead():
		op := p.op()
		x = &SourceOp{p.from(start), op}
	default:
		x = p.expr()
	}
	if !p.failed && !p.is(PIPE) && !p.missingPipe() {
		return x
	}
	ops := p.ops(level)
	if len(ops) == 0 {
		return x
	}
	return &Pipe{p.from(start), x, ops}
}

// ops reads | op | op … at the given bracket level, and gets over failures.
func (p *parser) ops(level int) []Op {
	var list []Op
	for {
		if p.failed {
			p.sync(level, false)
		}
		if !p.accept(PIPE) && !p.reportMissingPipe() {
			return list
		}
		list = append(list, p.wholeOp())
	}
}

// wholeOp reads an operator and checks that it ends.
func (p *parser) wholeOp() Op {
	s := p.span()
	op := p.op()
	switch op.(type) {
	case *PrintOp, *RangeOp:
		p.fail(s, CodeExpected, "", "'"+p.src[s.Start:s.End]+"' can only begin a query")
	}
	if !p.failed && !p.endOfOp() {
		p.unexpected(op)
	}
	return op
}

// subOps reads the operators of a subquery that is applied to rows at hand:
// the first has no pipe sign.
func (p *parser) subOps(what string) []Op {
	if p.failed {
		return nil
	}
	level := len(p.open)
	p.accept(PIPE)
	if e := p.wants(); e != nil {
		e.Operator = true
	}
	if !p.is(IDENT) {
		p.expected(what)
		return nil
	}
	return append([]Op{p.wholeOp()}, p.ops(level)...)
}

// atEnd reports whether nothing more can belong to the present operator.
func (p *parser) atEnd() bool {
	switch p.kind() {
	case EOF, SEMI, PIPE, RPAREN, RBRACKET, RBRACE, COMMA:
		return true
	}
	return false
}

// endOfOp reports whether an operator can end before the current token, or a
// forgotten pipe sign or semicolon has to be reported there.
func (p *parser) endOfOp() bool {
	if p.atEnd() {
		k := p.kind()
		return k == EOF || k == SEMI || k == PIPE || len(p.open) > 0
	}
	return p.missingPipe() || len(p.open) <= p.stmtLevel() && p.startsLine() && p.is(IDENT) && p.wordHint() == ""
}

// stmtLevel returns how many brackets are around the present statement.
func (p *parser) stmtLevel() int {
	for i := len(p.open) - 1; i >= 0; i-- {
		if Kind(p.toks[p.open[i]].kind) == LBRACE {
			return i + 1
		}
	}
	return 0
}

// missingPipe reports whether an operator follows that lacks its pipe sign.
func (p *parser) missingPipe() bool {
	if p.failed || !p.is(IDENT) {
		return false
	}
	name, n := p.opName()
	if !isOperator(name) || isSource(name) || p.kindAt(n) == ASSIGN {
		return false
	}
	return p.kindAt(n) != EOF && p.kindAt(n) != COMMA && p.kindAt(n) != RPAREN || name == "count"
}

func (p *parser) reportMissingPipe() bool {
	if !p.missingPipe() {
		return false
	}
	hint := "put a pipe sign before the operator"
	if p.word("as") {
		hint = "a name comes first: Name = expression"
	}
	p.report(p.span(), CodeExpected, hint, "expected '|' before '"+p.text(p.pos)+"'")
	return true
}

// sourceAhead reports whether an operator that begins a query follows, rather
// than a name that is spelt like it.
func (p *parser) sourceAhead() bool {
	if !p.is(IDENT) {
		return false
	}
	name, _ := p.opName()
	if !isSource(name) {
		return false
	}
	if p.ask != nil && p.kindAt(1) == EOF {
		return true
	}
	switch name {
	case "macro-expand":
		return true
	case "entity_group":
		return p.kindAt(1) == LBRACKET
	case "range":
		if n := p.nameLen(p.pos + 1); p.kindAt(1) != INT {
			return n > 0 && p.wordAt(p.pos+1+n, "from")
		}
	case "evaluate":
		return p.kindAt(1) == IDENT
	}
	switch k := p.kindAt(1); k {
	case EOF, COMMA, SEMI, PIPE, RPAREN, RBRACKET, RBRACE, ASSIGN, DOT, DIV, MOD,
		EQ, NE, LT, LE, GT, GE, EQCI, NECI, NOTIN, INCI, NOTINCI:
		return false
	case IDENT:
		w := p.text(p.pos + 1)
		return wordOp(w) == ILLEGAL || w == "in" && p.kindAt(2) == LPAREN && name != "print"
	}
	return true
}

// isSource holds for the operators that begin a query.
func isSource(name string) bool {
	switch name {
	case "print", "range", "union", "search", "find", "evaluate", "macro-expand", "entity_group", "inline_external_table":
		return true
	}
	return false
}

// opName returns the operator name at the current token, hyphens included,
// and how many tokens it takes.
func (p *parser) opName() (string, int) {
	n := 1
	for p.kindAt(n) == SUB && p.adjacent(p.pos+n) && p.kindAt(n+1) == IDENT && p.adjacent(p.pos+n+1) {
		n += 2
	}
	return p.src[p.toks[p.pos].start:p.toks[p.pos+n-1].end], n
}

// op reads one operator, its name first.
func (p *parser) op() Op {
	start := p.start()
	if p.failed {
		return &BadOp{p.here()}
	}
	if e := p.wants(); e != nil {
		e.Operator = true
	}
	if !p.is(IDENT) {
		p.expected("a query operator")
		return &BadOp{p.here()}
	}
	name, n := p.opName()
	f := operator(name)
	if f == nil {
		s := Span{start, int(p.toks[p.pos+n-1].end)}
		p.fail(s, CodeOperator, operatorHint(name), "'"+clip(name, 40)+"' is not a query operator")
		p.skipTo(p.pos + n)
		return &BadOp{p.from(start)}
	}
	p.skipTo(p.pos + n)
	p.first = p.pos
	return f(p, start)
}

// tables reads a list of tables: names, wildcards, calls, subqueries.
func (p *parser) tables() []Expr {
	var list []Expr
	for {
		list = append(list, p.table())
		if !p.accept(COMMA) {
			return list
		}
	}
}

func (p *parser) table() Expr {
	if w := p.wildcard(); w != nil {
		return w
	}
	p.wantTable()
	defer func(old bool) { p.wild = old }(p.wild)
	p.wild = true
	return p.postfix()
}

// wildcard reads a name with * in it, or returns nil when none is here.
func (p *parser) wildcard() Expr {
	if p.failed {
		return nil
	}
	n := 0
	switch {
	case p.is(MUL):
		n = 1
	case p.is(IDENT) && p.kindAt(1) == MUL && p.adjacent(p.pos+1):
		n = 2
	default:
		return nil
	}
	for p.adjacent(p.pos+n) && (p.kindAt(n) == IDENT || p.kindAt(n) == INT || p.kindAt(n) == MUL) {
		n++
	}
	start := p.start()
	p.skipTo(p.pos + n)
	w := &Wildcard{pos: p.from(start)}
	w.Pattern = p.src[w.S.Start:w.S.End]
	return w
}
