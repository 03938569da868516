package syntax

import "fmt"

// Precedence of operators, as in Microsoft's parser (Kusto.Language): note
// that the string operators bind tighter than arithmetic.
const (
	precOr = iota + 1
	precAnd
	precEq  // == != in between has_any, not chained
	precRel // < > <= >=, not chained
	precAdd
	precMul
	precStr // has, contains, =~, …
)

func precedence(k Kind) int {
	switch k {
	case OR:
		return precOr
	case AND:
		return precAnd
	case EQ, NE, IN, NOTIN, INCI, NOTINCI, HASANY, HASALL, BETWEEN, NOTBETWEEN:
		return precEq
	case LT, LE, GT, GE:
		return precRel
	case ADD, SUB:
		return precAdd
	case MUL, DIV, MOD:
		return precMul
	case EQCI, NECI, COLON:
		return precStr
	}
	if k >= HAS && k <= MATCHES {
		return precStr
	}
	return 0
}

// binaryOp returns the binary operator at the current token, and of how many
// tokens it is made; 0 when there is none.
func (p *parser) binaryOp() (Kind, int) {
	if e := p.wants(); e != nil {
		e.Infix = true
	}
	k := p.kind()
	switch k {
	case IDENT:
		k = wordOp(p.text(p.pos))
		switch {
		case k == ILLEGAL:
			return k, 0
		case k == IN && p.wordAt(p.pos+1, "range"):
			return k, 0 // make-series … in range(a, b, c)
		case k == MATCHES:
			if !p.wordAt(p.pos+1, "regex") {
				return k, 0
			}
			return k, 2
		}
		return k, 1
	}
	if precedence(k) == 0 {
		return k, 0
	}
	return k, 1
}

// expr reads a scalar expression (or the name of a table).
func (p *parser) expr() Expr {
	x := p.binary(precOr)
	p.tallest = max(p.tallest, p.height)
	return x
}

// binary reads operands joined by operators of precedence min or more. It
// loops over chains, so that only brackets cost depth.
func (p *parser) binary(min int) Expr {
	if p.failed {
		return p.bad()
	}
	start := p.start()
	x := p.unary()
	height := p.height
	for most := precStr; !p.failed; {
		op, n := p.binaryOp()
		prec := precedence(op)
		if n == 0 || prec < min || prec > most {
			break
		}
		if most = prec; prec == precEq || prec == precRel {
			most-- // a == b == c is refused
		}
		opPos := Span{p.start(), int(p.toks[p.pos+n-1].end)}
		p.skipTo(p.pos + n)
		p.height = 0
		x = p.rest(start, x, op, opPos, prec)
		height = max(height, p.height) + 1
		if height > maxHeight {
			p.limit(fmt.Sprintf("the expression is too long: more than %d terms", maxHeight))
		}
	}
	p.height = height
	return x
}

// rest reads what stands behind the operator op and makes the node.
func (p *parser) rest(start int, x Expr, op Kind, opPos Span, prec int) Expr {
	switch op {
	case IN, NOTIN, INCI, NOTINCI, HASANY, HASALL:
		list := p.list(op)
		return &In{p.from(start), op, opPos, x, list}
	case BETWEEN, NOTBETWEEN:
		b := &Between{Not: op == NOTBETWEEN, OpPos: opPos, X: x}
		o := p.openBracket(LPAREN, "'(' and a range such as (1 .. 5) after '"+op.String()+"'")
		b.Lo = p.binary(precAdd)
		p.expect(DOTDOT, "'..' between the ends of the range")
		b.Hi = p.binary(precAdd)
		p.closeBracket(o)
		b.pos = p.from(start)
		return b
	}
	y := p.binary(prec + 1)
	return &Binary{p.from(start), op, opPos, x, y}
}

// list reads the parenthesised right side of in and its relatives.
func (p *parser) list(op Kind) []Expr {
	o := p.openBracket(LPAREN, "'(' and a list after '"+op.String()+"'")
	var list []Expr
	inner := p.inner(func() {
		list = []Expr{p.tabular()}
		if p.accept(COMMA) {
			list = append(list, p.exprs((*parser).expr)...)
		}
	})
	p.closeList(o)
	p.height = inner
	return list
}

// inner runs f, which reads whole expressions, and returns the height of the
// tallest and one.
func (p *parser) inner(f func()) int {
	old := p.tallest
	p.tallest = 0
	wild := p.wild
	p.wild = false
	f()
	p.wild = wild
	h := p.tallest + 1
	p.tallest = old
	return h
}

// unary reads an operand with its sign.
func (p *parser) unary() Expr {
	if !p.is(SUB) && !p.is(ADD) {
		return p.postfix()
	}
	start, op := p.start(), p.kind()
	p.next()
	x := p.postfix()
	p.height++
	return &Unary{p.from(start), op, x}
}

// postfix reads an operand with its members and indexes.
func (p *parser) postfix() Expr {
	start := p.start()
	x := p.primary()
	for !p.failed {
		switch {
		case p.is(DOT):
			p.next()
			if p.is(LBRACKET) && p.nameLen(p.pos) == 0 {
				x = p.index(start, x) // the old form a.[0]
			} else {
				x = &Path{X: x, Name: p.member()}
			}
		case p.is(LBRACKET):
			x = p.index(start, x)
		default:
			return x
		}
		if q, ok := x.(*Path); ok {
			q.pos = p.from(start)
		}
		if p.height++; p.height > maxHeight {
			p.limit(fmt.Sprintf("the path is too long: more than %d parts", maxHeight))
		}
	}
	return x
}

func (p *parser) index(start int, x Expr) Expr {
	o := p.openBracket(LBRACKET, "'['")
	height := p.height
	var i Expr
	inner := p.inner(func() { i = p.expr() })
	p.closeBracket(o)
	p.height = max(height, inner)
	return &Index{p.from(start), x, i}
}

// member reads what stands behind a dot.
func (p *parser) member() Expr {
	if p.wild {
		if w := p.wildcard(); w != nil {
			return w
		}
	}
	if e := p.wants(); e != nil && p.pos >= 2 {
		e.MemberOf = p.text(p.pos - 2)
	}
	n := p.nameLen(p.pos)
	if n == 0 {
		p.expected("a name after '.'")
		return p.bad()
	}
	height := p.height
	p.bareName(false)
	name := p.name("")
	if p.is(LPAREN) {
		c := p.call(name)
		p.height = max(height, p.height)
		return c
	}
	return name
}

// named reads [Name =] X or (A, B) = X.
func (p *parser) named() Expr {
	if p.failed {
		return p.bad()
	}
	start := p.start()
	names := p.assignNames()
	if names == nil {
		return p.expr()
	}
	x := p.expr()
	return &NamedExpr{p.from(start), names, x}
}

// aggregate reads [Name =] X, where X may call aggregates.
func (p *parser) aggregate() Expr {
	p.aggs = true
	defer func() { p.aggs = false }()
	return p.named()
}

// assignNames reads the names before an = sign, and the sign; nil when there
// are none.
func (p *parser) assignNames() []*Name {
	if n := p.nameLen(p.pos); n > 0 && p.kindAt(n) == ASSIGN {
		p.bareName(true)
		name := p.name("")
		p.next()
		return []*Name{name}
	}
	if !p.nameListAhead() {
		return nil
	}
	var names []*Name
	o := p.openBracket(LPAREN, "")
	for {
		names = append(names, p.name("a name"))
		if !p.accept(COMMA) {
			break
		}
	}
	p.closeBracket(o)
	p.accept(ASSIGN)
	return names
}

// nameListAhead reports whether (a, b) = follows.
func (p *parser) nameListAhead() bool {
	m := int(p.cur().mate)
	if !p.is(LPAREN) || m < 0 || Kind(p.toks[m+1].kind) != ASSIGN {
		return false
	}
	i := p.pos + 1
	for {
		n := p.nameLen(i)
		if n == 0 {
			return false
		}
		i += n
		if i == m {
			return true
		}
		if Kind(p.toks[i].kind) != COMMA {
			return false
		}
		i++
	}
}

// exprs reads a comma-separated list with f.
func (p *parser) exprs(f func(*parser) Expr) []Expr {
	var list []Expr
	for !p.failed {
		list = append(list, f(p))
		if !p.accept(COMMA) {
			break
		}
	}
	return list
}
