package syntax

func (p *parser) evaluate(start int) Op {
	o := &EvaluateOp{Hints: p.hints("decodeblocks", "expandoutput")}
	if e := p.wants(); e != nil {
		e.Plugin = true
	}
	if p.failed || p.nameLen(p.pos) == 0 || p.kindAt(p.nameLen(p.pos)) != LPAREN {
		p.expected("a plugin and its arguments, such as bag_unpack(x)")
		o.Call = &Call{pos: p.here(), Func: &Name{pos: p.here()}}
	} else {
		o.Call = p.call(p.name("")).(*Call)
	}
	if p.accept(COLON) {
		o.HasSchm = true
		o.Schema, o.AnyCols = p.schema()
	}
	o.pos = p.from(start)
	return o
}

func (p *parser) invoke(start int) Op {
	o := &InvokeOp{Call: p.postfix()}
	if !p.failed && !isCall(o.Call) {
		p.expected("'(' and the arguments of the function")
	}
	o.pos = p.from(start)
	return o
}

func isCall(x Expr) bool {
	if path, ok := x.(*Path); ok {
		x = path.Name
	}
	_, ok := x.(*Call)
	return ok
}

func (p *parser) as(start int) Op {
	o := &AsOp{Hints: p.hints()}
	o.Name = p.name("a name after 'as'")
	o.pos = p.from(start)
	return o
}

func (p *parser) search(start int) Op {
	o := &SearchOp{Hints: p.hints("kind", "withsource", "with_source")}
	if p.word("in") && p.kindAt(1) == LPAREN {
		p.next()
		o.Tables = p.tableList()
	}
	o.Pred = p.expr()
	o.pos = p.from(start)
	return o
}

// tableList reads (T, U*, …).
func (p *parser) tableList() []Expr {
	o := p.openBracket(LPAREN, "'(' and tables")
	var list []Expr
	if !p.failed {
		list = p.tables()
	}
	p.closeList(o)
	return list
}

func (p *parser) find(start int) Op {
	o := &FindOp{Hints: p.hints("withsource", "with_source", "datascope", "isfuzzy")}
	hasIn := p.word("in") && p.kindAt(1) == LPAREN
	if hasIn {
		p.next()
		o.Tables = p.tableList()
	}
	if !p.acceptWord("where") && hasIn {
		p.expected("'where' and a predicate")
	}
	o.Pred = p.expr()
	if p.is(IDENT) {
		switch name, n := p.opName(); name {
		case "project":
			p.skipTo(p.pos + n)
			p.findProject(o)
		case "project-smart":
			p.skipTo(p.pos + n)
			o.Smart = true
		}
	}
	if p.is(IDENT) {
		if name, n := p.opName(); name == "project-away" || name == "__projectAway" {
			p.skipTo(p.pos + n)
			o.Away = p.exprs(func(p *parser) Expr {
				if w := p.wildcard(); w != nil {
					return w
				}
				return p.name(aColumn)
			})
		}
	}
	o.pos = p.from(start)
	return o
}

func (p *parser) findProject(o *FindOp) {
	for !p.failed {
		start := p.start()
		if p.word("pack") && p.kindAt(1) == LPAREN && p.kindAt(2) == MUL {
			p.next()
			b := p.openBracket(LPAREN, "'('")
			p.next()
			p.closeBracket(b)
			o.PackRest = true
		} else if n := p.nameLen(p.pos); n > 0 && p.kindAt(n) == LPAREN {
			o.Project = append(o.Project, p.postfix())
		} else {
			name := p.name(aColumn)
			if p.accept(COLON) {
				t := p.typeName()
				o.Project = append(o.Project, &TypedName{p.from(start), name, t})
			} else {
				o.Project = append(o.Project, name)
			}
		}
		if !p.accept(COMMA) {
			break
		}
	}
}

func (p *parser) partition(start int) Op {
	o := &PartitionOp{Hints: p.hints()}
	p.expectWord("by", "and a column")
	o.By = p.column()
	if p.is(LBRACE) {
		b := p.openBracket(LBRACE, "'{'")
		o.Query = p.tabular()
		p.closeBracket(b)
	} else {
		b := p.openBracket(LPAREN, "'(' and a subquery")
		o.Ops = p.subOps("a query operator")
		p.closeBracket(b)
	}
	o.pos = p.from(start)
	return o
}

// column reads a column or a path below one; a parenthesis behind it is none
// of its arguments.
func (p *parser) column() Expr {
	start := p.start()
	var x Expr = p.name(aColumn)
	for !p.failed {
		switch {
		case p.accept(DOT):
			n := p.name("a name after '.'")
			x = &Path{p.from(start), x, n}
		case p.is(LBRACKET):
			x = p.index(start, x)
		default:
			return x
		}
	}
	return x
}

func (p *parser) scan(start int) Op {
	o := &ScanOp{Hints: p.hints("with_match_id", "with_step_name", "kind")}
	if p.acceptWord("order") {
		p.expectWord("by", "after 'order'")
		o.OrderBy = p.orderedList()
	}
	if p.acceptWord("partition") {
		p.expectWord("by", "after 'partition'")
		o.PartitionBy = p.exprs((*parser).expr)
	}
	if p.acceptWord("declare") {
		o.Declarations = p.params()
	}
	p.expectWord("with", "and the steps of 'scan'")
	b := p.openBracket(LPAREN, "'(' and steps")
	for p.word("step") {
		o.Steps = append(o.Steps, p.step())
		if !p.accept(SEMI) {
			break
		}
	}
	if len(o.Steps) == 0 {
		p.expected("'step'")
	}
	p.closeBracket(b)
	o.pos = p.from(start)
	return o
}

func (p *parser) step() *ScanStep {
	start := p.start()
	p.next()
	s := &ScanStep{Name: p.name("the name of the step")}
	s.Optional = p.acceptWord("optional")
	if p.acceptWord("output") {
		p.expect(ASSIGN, "'=' after 'output'")
		switch w := p.text(p.pos); w {
		case "all", "last", "none":
			s.Output = w
			p.next()
		default:
			p.expected("'all', 'last' or 'none'")
		}
	}
	p.expect(COLON, "':' and the condition of the step")
	s.Cond = p.expr()
	if p.accept(ARROW) {
		for !p.failed {
			at := p.start()
			n := p.name("a declared column")
			p.expect(ASSIGN, "'=' and a value")
			x := p.expr()
			s.Assigns = append(s.Assigns, &NamedExpr{p.from(at), []*Name{n}, x})
			if !p.accept(COMMA) {
				break
			}
		}
	}
	s.pos = p.from(start)
	return s
}

func (p *parser) serialize(start int) Op {
	o := &SerializeOp{Hints: p.hints()}
	if !p.noOperands() {
		o.Cols = p.exprs((*parser).named)
	}
	o.pos = p.from(start)
	return o
}

func (p *parser) render(start int) Op {
	p.wantWords(chartKinds[:]...)
	o := &RenderOp{Kind: p.name("the kind of the chart")}
	if p.word("with") && p.kindAt(1) == LPAREN {
		p.next()
		o.Props = p.props()
	}
	for !p.failed && p.is(IDENT) && p.kindAt(1) == ASSIGN { // the old form: kind=stacked title="x"
		o.Props = append(o.Props, p.prop())
		p.accept(COMMA)
	}
	o.pos = p.from(start)
	return o
}

func (p *parser) facet(start int) Op {
	o := &FacetOp{}
	p.expectWord("by", "after 'facet'")
	o.Cols = p.exprs((*parser).column)
	if p.acceptWord("with") {
		if p.is(LPAREN) {
			b := p.openBracket(LPAREN, "'('")
			o.Ops = p.subOps("a query operator")
			p.closeBracket(b)
		} else {
			o.Ops = []Op{p.nestedOp()}
		}
	}
	o.pos = p.from(start)
	return o
}

// nestedOp reads an operator inside another that has no bracket around it.
func (p *parser) nestedOp() Op {
	if !p.enter() {
		return &BadOp{p.here()}
	}
	defer p.leave()
	return p.op()
}

func (p *parser) fork(start int) Op {
	o := &ForkOp{}
	for !p.failed && !p.atEnd() {
		var name *Name
		if p.nameLen(p.pos) > 0 {
			name = p.name("")
			p.expect(ASSIGN, "'=' after the name of the branch")
		}
		b := p.openBracket(LPAREN, "'(' and a subquery")
		o.Names = append(o.Names, name)
		o.Branches = append(o.Branches, p.subOps("a query operator"))
		p.closeBracket(b)
	}
	if len(o.Branches) == 0 {
		p.expected("'(' and a subquery")
	}
	o.pos = p.from(start)
	return o
}

func (p *parser) reduce(start int) Op {
	o := &ReduceOp{Hints: p.hints("kind")}
	p.expectWord("by", "and a column")
	o.By = p.named()
	if p.acceptWord("with") {
		for !p.failed {
			o.Props = append(o.Props, p.prop())
			if !p.accept(COMMA) {
				break
			}
		}
	}
	o.pos = p.from(start)
	return o
}

// unsupported skips an operator that only its name is known of.
func (p *parser) unsupported(start int) Op {
	o := &UnsupportedOp{Name: p.src[start:p.last]}
	for {
		t := p.cur()
		switch Kind(t.kind) {
		case EOF, SEMI, PIPE, RPAREN, RBRACKET, RBRACE:
			o.pos = p.from(start)
			o.Text = p.src[o.S.Start:o.S.End]
			return o
		case ILLEGAL:
			p.illegal()
			o.pos = p.from(start)
			return o
		}
		if int(t.mate) > p.pos {
			p.skipTo(int(t.mate))
		}
		p.next()
	}
}
