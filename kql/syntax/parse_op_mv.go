package syntax

import "strings"

func (p *parser) mvExpand(start int) Op {
	o := &MvExpandOp{Hints: p.hints("bagexpansion", "kind", "with_itemindex"), Legacy: strings.HasPrefix(p.src[start:], "mvexpand")}
	o.Items = p.mvItems()
	if p.acceptWord("limit") {
		o.Limit = p.expr()
	}
	o.pos = p.from(start)
	return o
}

func (p *parser) mvApply(start int) Op {
	o := &MvApplyOp{Hints: p.hints("bagexpansion", "kind", "with_itemindex")}
	o.Items = p.mvItems()
	if p.acceptWord("limit") {
		o.Limit = p.expr()
	}
	if p.acceptWord("id") {
		p.constant()
	}
	p.expectWord("on", "and a subquery")
	b := p.openBracket(LPAREN, "'(' and a subquery after 'on'")
	at := p.start()
	o.On = p.subOps("a query operator")
	o.OnX = &Pipe{pos: p.from(at), Ops: o.On}
	p.closeBracket(b)
	o.pos = p.from(start)
	return o
}

func (p *parser) mvItems() []*MvItem {
	var list []*MvItem
	for !p.failed {
		list = append(list, p.mvItem())
		if !p.accept(COMMA) {
			break
		}
	}
	return list
}

// mvItem reads [Name =] X [to typeof(type)].
func (p *parser) mvItem() *MvItem {
	start := p.start()
	m := &MvItem{}
	if n := p.nameLen(p.pos); n > 0 && p.kindAt(n) == ASSIGN {
		m.Name = p.name("")
		p.next()
	}
	m.X = p.expr()
	if p.acceptWord("to") {
		p.expectWord("typeof", "after 'to'")
		o := p.openBracket(LPAREN, "'(' and a type")
		m.Type = p.name("a type")
		p.closeBracket(o)
	}
	m.pos = p.from(start)
	return m
}

func (p *parser) parse(start int) Op      { return p.parseOf(start, false) }
func (p *parser) parseWhere(start int) Op { return p.parseOf(start, true) }

func (p *parser) parseOf(start int, whereOnly bool) Op {
	o := &ParseOp{WhereOnly: whereOnly, Hints: p.hints("kind", "flags")}
	o.X = p.expr()
	p.expectWord("with", "and a pattern")
	for !p.failed && !p.atEnd() {
		o.Pattern = append(o.Pattern, p.patternPart())
	}
	if len(o.Pattern) == 0 && !p.atEnd() {
		p.expected("a pattern such as * \"user=\" User:string after 'with'")
	}
	o.pos = p.from(start)
	return o
}

// patternPart reads one part of a parse pattern: *, a string, or a column.
func (p *parser) patternPart() Expr {
	start := p.start()
	switch {
	case p.accept(MUL):
		return &Wildcard{p.from(start), "*"}
	case p.is(STRING):
		return p.stringLit()
	}
	n := p.name("a string, '*' or a column")
	if !p.accept(COLON) {
		return n
	}
	t := p.typeName()
	return &TypedName{p.from(start), n, t}
}

func (p *parser) parseKv(start int) Op {
	o := &ParseKvOp{X: p.expr()}
	p.expectWord("as", "and the columns")
	o.Schema, _ = p.schema()
	if p.acceptWord("with") {
		o.Props = p.props()
	}
	o.pos = p.from(start)
	return o
}

func (p *parser) makeSeries(start int) Op {
	o := &MakeSeriesOp{Hints: p.hints("kind")}
	for !p.failed {
		at := p.start()
		a := &SeriesAgg{X: p.aggregate()}
		if p.acceptWord("default") {
			p.expect(ASSIGN, "'=' after 'default'")
			a.Default = p.expr()
		}
		a.pos = p.from(at)
		o.Aggs = append(o.Aggs, a)
		if !p.accept(COMMA) {
			break
		}
	}
	p.expectWord("on", "and the axis of the series")
	o.On = p.named()
	if p.acceptWord("in") {
		o.InRange = true
		p.expectWord("range", "after 'in'")
		b := p.openBracket(LPAREN, "'(' and start, stop, step")
		o.From = p.expr()
		p.expect(COMMA, "','")
		o.To = p.expr()
		p.expect(COMMA, "','")
		o.Step = p.expr()
		p.closeBracket(b)
	} else {
		if p.acceptWord("from") {
			o.From = p.expr()
		}
		if p.acceptWord("to") {
			o.To = p.expr()
		}
		p.expectWord("step", "and the distance of values")
		o.Step = p.expr()
	}
	if p.acceptWord("by") {
		o.Groups = p.exprs((*parser).named)
	}
	o.pos = p.from(start)
	return o
}

func (p *parser) sample(start int) Op {
	o := &SampleOp{Hints: p.hints()}
	o.N = p.expr()
	o.pos = p.from(start)
	return o
}

func (p *parser) sampleDistinct(start int) Op {
	o := &SampleOp{Hints: p.hints()}
	o.N = p.expr()
	p.expectWord("of", "and a column")
	o.Of = p.expr()
	o.pos = p.from(start)
	return o
}

func (p *parser) topHitters(start int) Op {
	o := &TopHittersOp{N: p.expr()}
	p.expectWord("of", "and what to count")
	o.Of = p.named()
	if p.acceptWord("by") {
		o.By = p.named()
	}
	o.pos = p.from(start)
	return o
}

func (p *parser) topNested(start int) Op {
	o := &TopNestedOp{}
	for at := start; !p.failed; {
		o.Levels = append(o.Levels, p.topLevel(at))
		if !p.accept(COMMA) {
			break
		}
		at = p.start()
		name, n := "", 0
		if p.is(IDENT) {
			name, n = p.opName()
		}
		if name != "top-nested" {
			p.expected("'top-nested' and the next level")
			break
		}
		p.skipTo(p.pos + n)
	}
	o.pos = p.from(start)
	return o
}

func (p *parser) topLevel(start int) *TopNestedLevel {
	l := &TopNestedLevel{}
	if !p.word("of") {
		l.N = p.expr()
	}
	p.expectWord("of", "and what to rank")
	l.Of = p.named()
	if p.acceptWord("with") {
		p.expectWord("others", "after 'with'")
		p.expect(ASSIGN, "'=' after 'others'")
		l.Others = p.expr()
	}
	p.expectWord("by", "and an aggregate")
	l.By = p.aggregate()
	l.Dir = p.direction()
	l.pos = p.from(start)
	return l
}
