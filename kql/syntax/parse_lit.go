package syntax

import "strings"

// literal reads a constant other than dynamic, true and false.
func (p *parser) literal() Expr {
	l := &Literal{pos: pos{p.span()}, Text: p.text(p.pos)}
	switch p.kind() {
	case STRING:
		return p.stringLit()
	case INT:
		l.Kind = LitLong
	case REAL:
		l.Kind = LitReal
	case TIMESPAN:
		l.Kind = LitTimeSpan
	case LITERAL:
		if p.bareGUID() {
			p.report(l.S, CodeLiteral, "write guid("+l.Text+")", "a GUID cannot stand alone")
			l.Kind = LitGuid
			break
		}
		l.Kind, l.Text, l.Null = splitTyped(l.Text)
		if l.Text == "" && l.Kind != LitDateTime { // datetime() is the time of the query
			p.report(l.S, CodeLiteral, "", "the parentheses of a "+p.text(p.pos)[:strings.IndexByte(p.text(p.pos), '(')]+" literal are empty")
		}
	}
	p.next()
	return l
}

// bareGUID reports whether the current token is a GUID without guid(…).
func (p *parser) bareGUID() bool {
	t := p.cur()
	return Kind(t.kind) == LITERAL && t.end-t.start == guidLen && isGUID(p.text(p.pos))
}

// splitTyped takes datetime(…) and its like apart.
func splitTyped(s string) (kind LitKind, text string, null bool) {
	open := strings.IndexByte(s, '(')
	kind, _ = typedLiteral(s[:open])
	text = strings.TrimSpace(s[open+1 : len(s)-1])
	return kind, text, text == "null"
}

// stringLit reads a string; several beside each other are one.
func (p *parser) stringLit() *Literal {
	start := p.start()
	s, hidden := unquote(p.text(p.pos))
	p.next()
	if p.is(STRING) {
		var b strings.Builder
		b.WriteString(s)
		for p.is(STRING) {
			t, h := unquote(p.text(p.pos))
			b.WriteString(t)
			hidden = hidden || h
			p.next()
		}
		s = b.String()
	}
	return &Literal{pos: p.from(start), Kind: LitString, Text: s, Hidden: hidden}
}

// optionValue reads the value of an option or hint: a word or a literal.
func (p *parser) optionValue() Expr {
	if e := p.wants(); e != nil && p.pos >= 2 {
		e.ValueOf = p.text(p.pos - 2)
	}
	if p.is(IDENT) {
		if x := p.keyword(); x != nil {
			return x
		}
		return p.name("")
	}
	return p.constant()
}

// constant reads a literal with an optional sign.
func (p *parser) constant() Expr {
	switch p.kind() {
	case STRING, INT, REAL, TIMESPAN, LITERAL:
		return p.literal()
	case ADD, SUB:
		start, op := p.start(), p.kind()
		switch p.kindAt(1) {
		case INT, REAL, TIMESPAN, LITERAL:
			p.next()
			x := p.literal()
			return &Unary{p.from(start), op, x}
		}
	case LBRACE, LBRACKET:
		return p.primary()
	case IDENT:
		if x := p.keyword(); x != nil {
			return x
		}
	}
	p.expected("a literal")
	return p.bad()
}

// dynamic reads dynamic(json).
func (p *parser) dynamic() Expr {
	start := p.start()
	p.next()
	o := p.openBracket(LPAREN, "'('")
	v := p.json()
	p.closeBracket(o)
	return &Dynamic{p.from(start), v}
}

// json reads a value inside a dynamic literal; null is a nil Expr.
func (p *parser) json() Expr {
	if p.failed {
		return p.bad()
	}
	start := p.start()
	switch p.kind() {
	case INT, REAL, TIMESPAN, STRING:
		return p.literal()
	case LITERAL:
		if p.bareGUID() {
			p.next()
			s := p.from(start)
			return &Literal{pos: s, Kind: LitGuid, Text: p.src[s.S.Start:s.S.End]}
		}
		return p.literal()
	case SUB, ADD:
		if k := p.kindAt(1); k == INT || k == REAL || k == TIMESPAN {
			sign := strings.TrimPrefix(p.text(p.pos), "+")
			p.next()
			l := p.literal().(*Literal)
			l.Text = sign + l.Text
			l.S.Start = start
			return l
		}
	case LBRACKET:
		return p.jsonArray()
	case LBRACE:
		if p.kindAt(1) == IDENT && p.kindAt(2) == RBRACE {
			return p.placeholder()
		}
		return p.jsonObject()
	case IDENT:
		if p.acceptWord("null") {
			return nil
		}
		if p.word("dynamic") && p.kindAt(1) == LPAREN {
			if d, ok := p.dynamic().(*Dynamic); ok {
				return d.Value
			}
		}
		if x := p.keyword(); x != nil {
			return x
		}
		if !p.failed {
			p.fail(p.span(), CodeLiteral, "use bag_pack() or pack_array() to build a value from columns",
				"a dynamic literal holds only constants, found "+p.found())
		}
		return p.bad()
	}
	p.expected("a JSON value")
	return p.bad()
}

func (p *parser) jsonArray() Expr {
	start := p.start()
	a := &DynArray{}
	o := p.openBracket(LBRACKET, "'['")
	for !p.failed && !p.is(RBRACKET) {
		a.Items = append(a.Items, p.json())
		if !p.accept(COMMA) {
			break
		}
		if p.is(RBRACKET) {
			p.expected("a JSON value after ','")
		}
	}
	p.closeList(o)
	a.pos = p.from(start)
	return a
}

func (p *parser) jsonObject() Expr {
	start := p.start()
	b := &DynObject{}
	o := p.openBracket(LBRACE, "'{'")
	for !p.failed && !p.is(RBRACE) {
		if !p.is(STRING) {
			p.expected("a key in quotes")
			break
		}
		key, _ := unquote(p.text(p.pos))
		p.next()
		p.expect(COLON, "':' after the key")
		b.Keys = append(b.Keys, key)
		b.Values = append(b.Values, p.json())
		if !p.accept(COMMA) {
			break
		}
		if p.is(RBRACE) {
			p.expected("a key after ','")
		}
	}
	p.closeList(o)
	b.pos = p.from(start)
	return b
}

// dataTable reads datatable(schema)[values].
func (p *parser) dataTable() Expr {
	start := p.start()
	p.next()
	d := &DataTable{}
	d.Hints = p.hints()
	d.Schema, _ = p.schema()
	o := p.openBracket(LBRACKET, "'[' and the values")
	d.Values = p.constants()
	if k := p.kind(); !p.failed && precedence(k) > 0 || k == LPAREN {
		p.fail(p.span(), CodeLiteral, "compute values behind it, with extend", "a datatable holds only literals, found "+p.found())
	}
	p.closeList(o)
	d.pos = p.from(start)
	return d
}

// constants reads literals up to a ]; a comma may stand at either end.
func (p *parser) constants() []Expr {
	var list []Expr
	p.accept(COMMA)
	for !p.failed && !p.is(RBRACKET) {
		list = append(list, p.constant())
		if !p.accept(COMMA) {
			break
		}
	}
	return list
}

// externalData reads externaldata(schema)[uris] with (props).
func (p *parser) externalData() Expr {
	start := p.start()
	p.next()
	d := &ExternalData{}
	d.Schema, _ = p.schema()
	o := p.openBracket(LBRACKET, "'[' and the addresses of the data")
	d.URIs = p.constants()
	p.closeList(o)
	if p.acceptWord("with") {
		d.Props = p.props()
	}
	d.pos = p.from(start)
	return d
}

// props reads (name = value, …).
func (p *parser) props() []*NamedExpr {
	o := p.openBracket(LPAREN, "'(' and properties")
	var list []*NamedExpr
	for !p.failed && !p.is(RPAREN) {
		list = append(list, p.prop())
		if !p.accept(COMMA) {
			break
		}
	}
	p.closeList(o)
	return list
}

// prop reads name = value; a value of several names (ycolumns = a, b) is a List.
func (p *parser) prop() *NamedExpr {
	start := p.start()
	name := p.name("the name of a property")
	p.expect(ASSIGN, "'=' and a value")
	at := p.start()
	x := p.expr()
	var list []Expr
	for p.is(COMMA) && p.nameAhead(1) > 0 && p.kindAt(1+p.nameAhead(1)) != ASSIGN {
		p.next()
		list = append(list, p.expr())
	}
	if list != nil {
		x = &List{p.from(at), append([]Expr{x}, list...)}
	}
	return &NamedExpr{p.from(start), []*Name{name}, x}
}
