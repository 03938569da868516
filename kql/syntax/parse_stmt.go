package syntax

import "strings"

// query reads the whole text.
func (p *parser) query() *Query {
	q := &Query{}
	q.Stmts = p.stmts(0)
	for !p.is(EOF) { // brackets too many
		p.next()
	}
	q.S = Span{0, len(p.src)}
	return q
}

// stmts reads statements up to the end of the text, or of the braces when
// level, the number of brackets around, is not 0.
func (p *parser) stmts(level int) []Stmt {
	var list []Stmt
	for {
		for p.is(SEMI) {
			if level == 0 || p.toks[p.open[level-1]].mate >= 0 {
				p.report(p.span(), CodeExpected, "remove the semicolon", "expected a statement, found ';'")
			}
			p.next()
		}
		if p.is(EOF) || level > 0 && p.is(RBRACE) {
			p.wantStmt()
			return list
		}
		begin := p.pos
		list = append(list, p.stmt())
		if p.failed {
			p.sync(level, true)
		}
		switch {
		case p.accept(SEMI):
		case p.is(EOF) || level > 0 && p.is(RBRACE):
		case p.startsLine() && p.pos > begin && p.is(IDENT):
			p.report(Span{p.last, p.last}, CodeExpected, "statements are separated by semicolons",
				"expected ';' at the end of the statement, found "+p.found())
		default:
			p.afterStmt()
			p.sync(level, true)
			if p.pos == begin { // a bracket that belongs to nobody here
				return list
			}
		}
	}
}

// startsLine reports whether the current token is the first of its line.
func (p *parser) startsLine() bool {
	return strings.ContainsAny(p.src[p.last:p.start()], "\r\n")
}

// afterStmt fails because of what stands behind a statement.
func (p *parser) afterStmt() {
	switch p.kind() {
	case RPAREN, RBRACKET, RBRACE:
		p.fail(p.span(), CodeBracket, "", "'"+p.text(p.pos)+"' was never opened")
	default:
		p.expected("'|', ';' or the end of the query")
	}
}

// stmt reads one statement.
func (p *parser) stmt() Stmt {
	start := p.start()
	if p.is(IDENT) && (p.nameAhead(1) > 0 || p.word("let") && p.kindAt(1) == ASSIGN) {
		switch p.text(p.pos) {
		case "let":
			return p.let(start)
		case "set":
			return p.set(start)
		case "declare":
			return p.declare(start)
		case "alias":
			return p.alias(start)
		case "restrict":
			return p.restrict(start)
		}
	}
	if p.sqlAhead() {
		p.fail(p.span(), CodeExpected, sqlHint, "expected a query, found '"+p.text(p.pos)+"'")
	}
	x := p.tabular()
	return &ExprStmt{p.from(start), x}
}

func (p *parser) let(start int) Stmt {
	p.next()
	p.first = p.pos
	s := &LetStmt{}
	p.bareName(false)
	s.Name = p.name("a name after 'let'")
	p.expect(ASSIGN, "'=' after the name")
	if p.failed {
		s.Value = p.bad()
	} else if p.lambdaAhead() {
		s.Value = p.lambda()
	} else {
		s.Value = p.tabular()
	}
	s.pos = p.from(start)
	return s
}

func (p *parser) set(start int) Stmt {
	p.next()
	s := &SetStmt{Name: p.name("the name of a request property after 'set'")}
	if p.accept(ASSIGN) {
		s.Value = p.optionValue()
	}
	s.pos = p.from(start)
	return s
}

func (p *parser) declare(start int) Stmt {
	p.next()
	switch {
	case p.acceptWord("query_parameters"):
		s := &DeclareStmt{}
		s.Params = p.params()
		s.pos = p.from(start)
		return s
	case p.word("pattern"):
		return p.pattern(start)
	}
	p.expected("'query_parameters' or 'pattern' after 'declare'")
	return &DeclareStmt{pos: p.from(start)}
}

// pattern reads what stands behind declare.
func (p *parser) pattern(start int) Stmt {
	p.next()
	s := &PatternStmt{Name: p.name("a name after 'pattern'")}
	if !p.enter() {
		s.pos = p.from(start)
		return s
	}
	defer p.leave()
	if p.accept(ASSIGN) {
		s.Params = p.params()
		if p.is(LBRACKET) {
			o := p.openBracket(LBRACKET, "'['")
			p.param()
			p.closeBracket(o)
		}
		o := p.openBracket(LBRACE, "'{' and the rules of the pattern")
		for !p.failed && p.is(LPAREN) {
			s.Rules = append(s.Rules, p.patternRule())
			if !p.accept(SEMI) {
				break
			}
		}
		p.closeBracket(o)
	}
	s.pos = p.from(start)
	s.Text = p.src[s.S.Start:s.S.End]
	return s
}

// patternRule reads ("a", "b").["path"] = { … }.
func (p *parser) patternRule() *PatternRule {
	start := p.start()
	r := &PatternRule{}
	o := p.openBracket(LPAREN, "'('")
	r.Args = p.exprs((*parser).expr)
	p.closeBracket(o)
	if p.accept(DOT) {
		o := p.openBracket(LBRACKET, "'[' and the path of the rule")
		r.Path = p.expr()
		p.closeBracket(o)
	}
	p.expect(ASSIGN, "'=' and the body of the rule")
	o = p.openBracket(LBRACE, "'{' and the body of the rule")
	if !p.failed {
		r.Body = p.stmts(len(p.open))
	}
	p.closeBracket(o)
	r.pos = p.from(start)
	return r
}

func (p *parser) alias(start int) Stmt {
	p.next()
	s := &AliasStmt{}
	p.expectWord("database", "after 'alias'")
	s.Name = p.name("a name for the database")
	p.expect(ASSIGN, "'=' after the name")
	s.Value = p.expr()
	s.pos = p.from(start)
	return s
}

func (p *parser) restrict(start int) Stmt {
	p.next()
	s := &RestrictStmt{}
	p.expectWord("access", "after 'restrict'")
	p.expectWord("to", "after 'access'")
	o := p.openBracket(LPAREN, "'(' and the tables that may be read")
	s.Items = p.tables()
	p.closeList(o)
	s.pos = p.from(start)
	return s
}

// lambdaAhead reports whether a function begins here: [view] (params) {…}.
func (p *parser) lambdaAhead() bool {
	i := p.pos
	if p.wordAt(i, "view") {
		i++
	}
	if i >= len(p.toks) || Kind(p.toks[i].kind) != LPAREN {
		return false
	}
	if m := int(p.toks[i].mate); m > 0 && Kind(p.toks[m+1].kind) == LBRACE {
		return true
	}
	i++
	n := p.nameLen(i)
	return n > 0 && Kind(p.toks[i+n].kind) == COLON
}

func (p *parser) lambda() Expr {
	start := p.start()
	f := &Lambda{}
	f.View = p.acceptWord("view")
	f.Params = p.params()
	o := p.openBracket(LBRACE, "'{' and the body of the function")
	if !p.failed {
		f.Body = p.stmts(len(p.open))
	}
	if p.unclosedFns != nil && o >= 0 && p.toks[o].mate < 0 {
		p.unclosedFns[f] = true
	}
	p.closeBracket(o)
	f.pos = p.from(start)
	return f
}

// params reads (a:int = 1, T:(*), U:(x:long)).
func (p *parser) params() []*Param {
	o := p.openBracket(LPAREN, "'(' and the parameters")
	var list []*Param
	for !p.failed && !p.is(RPAREN) {
		list = append(list, p.param())
		if !p.accept(COMMA) {
			break
		}
		if p.is(RPAREN) {
			p.expected("a parameter")
		}
	}
	p.closeList(o)
	return list
}

func (p *parser) param() *Param {
	start := p.start()
	p.bareName(true)
	m := &Param{Name: p.name("the name of a parameter")}
	p.expect(COLON, "':' and the type of the parameter")
	if p.is(LPAREN) {
		m.Schema, m.AnyCols = p.schema()
	} else {
		m.Type = p.typeName()
		if p.accept(ASSIGN) {
			m.Default = p.expr()
		}
	}
	m.pos = p.from(start)
	return m
}

// schema reads (a:type, b:type), (*) or (*, a:type).
func (p *parser) schema() (cols []*TypedName, any bool) {
	o := p.openBracket(LPAREN, "'(' and the columns")
	p.accept(COMMA)
	for !p.failed && !p.is(RPAREN) {
		if p.accept(MUL) {
			any = true
		} else {
			start := p.start()
			p.bareName(true)
			c := &TypedName{Name: p.name("the name of a column")}
			p.expect(COLON, "':' and the type of the column")
			c.Type = p.typeName()
			c.pos = p.from(start)
			cols = append(cols, c)
		}
		if !p.accept(COMMA) {
			break
		}
	}
	p.closeList(o)
	return cols, any
}

// typeName reads the name of a type.
func (p *parser) typeName() *Name {
	if e := p.wants(); e != nil {
		e.Type = true
	}
	if p.failed || !p.is(IDENT) {
		p.expected("a type such as string, long or datetime")
		return &Name{pos: p.here()}
	}
	w := p.text(p.pos)
	n := &Name{pos: pos{p.span()}, Text: w}
	if !isType(w) {
		hint := "there are bool, int, long, real, decimal, string, datetime, timespan, dynamic and guid"
		if best := nearest(strings.ToLower(w), typeNames[:]); best != "" {
			hint = "did you mean '" + best + "'?"
		}
		p.report(p.span(), CodeExpected, hint, "'"+clip(w, 40)+"' is not a type")
	}
	p.next()
	return n
}
