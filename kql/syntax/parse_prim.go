package syntax

import "strings"

// here is an empty place before the current token, for what is missing there.
func (p *parser) here() pos {
	p.reach = p.start()
	return pos{Span{p.reach, p.reach}}
}

func (p *parser) bad() Expr {
	p.height = 1
	return &Bad{p.here()}
}

// nameAhead returns how many tokens the name n places ahead takes, or 0.
func (p *parser) nameAhead(n int) int { return p.nameLen(p.pos + n) }

// nameLen returns how many tokens the name at token i takes, or 0 when none
// stands there: one for an identifier, three or more for ['a b'].
func (p *parser) nameLen(i int) int {
	if i >= len(p.toks) {
		return 0
	}
	switch Kind(p.toks[i].kind) {
	case IDENT:
		return 1
	case LBRACKET:
		n := 1
		for Kind(p.toks[i+n].kind) == STRING {
			n++
		}
		if n > 1 && Kind(p.toks[i+n].kind) == RBRACKET {
			return n + 1
		}
	}
	return 0
}

// name reads a name or fails because what was expected.
func (p *parser) name(what string) *Name {
	if what == aColumn {
		if e := p.wants(); e != nil {
			e.Column = true
		}
		p.bareName(false)
	}
	n := p.nameLen(p.pos)
	if p.failed || n == 0 {
		p.expected(what)
		return &Name{pos: p.here()}
	}
	start := p.start()
	if n == 1 {
		p.next()
		s := p.from(start)
		return &Name{s, p.src[s.S.Start:s.S.End], false}
	}
	var b strings.Builder
	for i := 1; i < n-1; i++ {
		s, _ := unquote(p.text(p.pos + i))
		b.WriteString(s)
	}
	p.skipTo(p.pos + n)
	return &Name{p.from(start), b.String(), true}
}

// primary reads an operand.
func (p *parser) primary() Expr {
	p.height = 1
	if p.failed {
		return p.bad()
	}
	if e := p.wants(); e != nil {
		e.Operand = true
	}
	switch p.kind() {
	case STRING, INT, REAL, TIMESPAN, LITERAL:
		return p.literal()
	case LPAREN:
		return p.paren()
	case LBRACKET:
		if n := p.nameLen(p.pos); n > 0 {
			return p.nameOrCall()
		}
		return p.badBracket()
	case LBRACE:
		if p.kindAt(1) == IDENT && p.kindAt(2) == RBRACE {
			return p.placeholder()
		}
	case MUL:
		if p.starAhead() {
			start := p.start()
			p.next()
			return &Wildcard{p.from(start), "*"}
		}
	case IDENT:
		if x := p.keyword(); x != nil {
			return x
		}
		if w := p.text(p.pos); !p.notOperand(w) {
			return p.nameOrCall()
		}
	}
	p.expected("an expression")
	return p.bad()
}

// notOperand holds for words that cannot begin an operand.
func (p *parser) notOperand(w string) bool {
	switch w {
	case "by", "of":
		return true
	case "matches":
		return p.wordAt(p.pos+1, "regex")
	}
	return wordOp(w) != ILLEGAL
}

// starAhead reports whether the * here stands for all columns: alone, or as
// the left side of a comparison (search * has "x").
func (p *parser) starAhead() bool {
	switch p.kindAt(1) {
	case COMMA, RPAREN, RBRACE, EOF, PIPE, SEMI:
		return true
	}
	p.pos++
	k, n := p.binaryOp()
	p.pos--
	prec := precedence(k)
	return n > 0 && prec != precAdd && prec != precMul
}

// keyword reads the operands that begin with a word of their own, or returns
// nil.
func (p *parser) keyword() Expr {
	start := p.start()
	switch w := p.text(p.pos); w {
	case "true", "false", "True", "False", "TRUE", "FALSE":
		if p.kindAt(1) == LPAREN {
			return nil
		}
		p.next()
		return &Literal{pos: p.from(start), Kind: LitBool, Text: strings.ToLower(w)}
	case "dynamic":
		if p.kindAt(1) == LPAREN {
			return p.dynamic()
		}
	case "datatable":
		if p.kindAt(1) == LPAREN || p.kindAt(1) == IDENT && p.kindAt(2) != LPAREN {
			return p.dataTable()
		}
	case "externaldata", "external_data":
		if p.kindAt(1) == LPAREN {
			return p.externalData()
		}
	case "typeof":
		if p.kindAt(1) == LPAREN {
			return p.typeOf()
		}
	}
	return nil
}

// badBracket fails because of a square bracket that holds no name in quotes.
func (p *parser) badBracket() Expr {
	hint := "a name in brackets is written ['a b']; for a list use dynamic([…]) or pack_array(…)"
	n := 1
	for p.kindAt(n) == STRING {
		n++
	}
	if n == 1 && p.kindAt(1) != ILLEGAL && p.kindAt(2) != RBRACKET && p.kindAt(1) != RBRACKET {
		n = 2
	}
	p.skipTo(p.pos + n)
	if !p.is(ILLEGAL) {
		p.fail(p.span(), CodeExpected, hint, "expected ']' after the name in brackets, found "+p.found())
	}
	p.expected("a name in brackets")
	return p.bad()
}

func (p *parser) paren() Expr {
	start := p.start()
	o := p.openBracket(LPAREN, "'('")
	var x Expr
	inner := p.inner(func() { x = p.tabular() })
	p.closeBracket(o)
	p.height = inner
	return &Paren{p.from(start), x}
}

// placeholder reads {Name}, which a workbook or another client fills in.
func (p *parser) placeholder() Expr {
	start := p.start()
	p.next()
	x := &Placeholder{Name: p.text(p.pos)}
	p.next()
	p.next()
	x.pos = p.from(start)
	return x
}

func (p *parser) nameOrCall() Expr {
	if w := p.text(p.pos); p.kindAt(1) != LPAREN || w != "toscalar" && w != "totable" && w != "materialize" {
		p.bareName(false)
	}
	name := p.name("a name")
	if p.is(LPAREN) {
		return p.call(name)
	}
	return name
}

// call reads the arguments of a call of name.
func (p *parser) call(name *Name) Expr {
	c := &Call{Func: name}
	o := p.openBracket(LPAREN, "'('")
	defer func(old string) { p.callee = old }(p.callee)
	p.callee = name.Text
	p.height = p.inner(func() {
		switch {
		case p.is(RPAREN):
		case name.Text == "toscalar" || name.Text == "totable" || name.Text == "materialize":
			c.Args = []Expr{p.tabular()}
		default:
			c.Args = p.exprs((*parser).arg)
		}
	})
	p.closeList(o)
	c.pos = p.from(name.S.Start)
	return c
}

const argHint = "a query among arguments stands in parentheses of its own: f((T | take 5))"

// arg reads an argument: [Name =] X, or *.
func (p *parser) arg() Expr {
	if p.failed {
		return p.bad()
	}
	start := p.start()
	if p.is(MUL) && (p.kindAt(1) == COMMA || p.kindAt(1) == RPAREN) {
		p.next()
		return &Wildcard{p.from(start), "*"}
	}
	if e := p.wants(); e != nil {
		e.Table = true
	}
	if p.sourceAhead() && p.kindAt(1) != EOF {
		p.fail(p.span(), CodeExpected, argHint, "expected an argument, found '"+p.text(p.pos)+"'")
	}
	return p.named()
}

// typeOf reads typeof(type) and typeof(*, a:type); it is a call whose
// arguments are names, typed names and *.
func (p *parser) typeOf() Expr {
	start := p.start()
	c := &Call{Func: p.name("")}
	o := p.openBracket(LPAREN, "'('")
	c.Args = p.exprs(func(p *parser) Expr {
		at := p.start()
		if p.accept(MUL) {
			return &Wildcard{p.from(at), "*"}
		}
		n := p.name("a type or a column")
		if p.accept(COLON) {
			t := p.typeName()
			return &TypedName{p.from(at), n, t}
		}
		return n
	})
	p.closeList(o)
	c.pos = p.from(start)
	return c
}
