package playbook

import (
	"fmt"
	"strings"
)

// The expression language of Logic Apps ("Schema reference for Workflow
// Definition Language", Expressions): literals, calls and property access.
type expr interface{ isExpr() }

type literal struct{ v any }

type call struct {
	fn   *function
	args []expr
}

// access is base.key, base?.key, base[key] or base?[key].
type access struct {
	base, key expr
	optional  bool // '?': null instead of an error
}

// quoted is a template inside an expression: an operand of a condition.
type quoted struct{ t template }

func (*literal) isExpr() {}
func (*call) isExpr()    {}
func (*access) isExpr()  {}
func (*quoted) isExpr()  {}

// syntaxError is a fault at a byte of an expression.
type syntaxError struct {
	off int
	msg string
}

func (e *syntaxError) Error() string { return fmt.Sprintf("column %d: %s", e.off+1, e.msg) }

// exprParser is a recursive descent parser; depth keeps hostile input off the stack.
type exprParser struct {
	src   string
	off   int
	depth int
}

// parseExpr reads one whole expression, without the leading '@'.
func parseExpr(src string) (expr, error) {
	p := &exprParser{src: src}
	e, err := p.expression()
	if err != nil {
		return nil, err
	}
	if p.space(); p.off < len(src) {
		return nil, p.fail("unexpected %s after the expression", p.what())
	}
	return e, nil
}

func (p *exprParser) fail(format string, args ...any) error {
	return &syntaxError{p.off, fmt.Sprintf(format, args...)}
}

// what describes the next character for an error.
func (p *exprParser) what() string {
	if p.off >= len(p.src) {
		return "end"
	}
	for _, r := range p.src[p.off:] {
		return fmt.Sprintf("%q", r)
	}
	return "end"
}

func (p *exprParser) space() {
	for p.off < len(p.src) && strings.IndexByte(" \t\r\n", p.src[p.off]) >= 0 {
		p.off++
	}
}

// take consumes c, after white space.
func (p *exprParser) take(c byte) bool {
	p.space()
	if p.off < len(p.src) && p.src[p.off] == c {
		p.off++
		return true
	}
	return false
}

func (p *exprParser) expression() (expr, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, p.fail("nested deeper than %d levels", maxDepth)
	}
	defer func() { p.depth-- }()

	e, err := p.primary()
	for n := 0; err == nil; n++ {
		if n > maxDepth {
			return nil, p.fail("more than %d properties in a row", maxDepth)
		}
		p.space()
		if p.off >= len(p.src) || strings.IndexByte("?.[", p.src[p.off]) < 0 {
			return e, nil
		}
		e, err = p.postfix(e)
	}
	return nil, err
}

func (p *exprParser) postfix(base expr) (expr, error) {
	a := &access{base: base, optional: p.take('?')}
	switch {
	case p.take('.'):
		p.space()
		name := p.word()
		if name == "" {
			return nil, p.fail("expected a property name after '.', found %s", p.what())
		}
		a.key = &literal{name}
	case p.take('['):
		key, err := p.expression()
		if err != nil {
			return nil, err
		}
		if !p.take(']') {
			return nil, p.fail("expected ']', found %s", p.what())
		}
		a.key = key
	default:
		return nil, p.fail("expected '.' or '[' after '?', found %s", p.what())
	}
	return a, nil
}

func (p *exprParser) primary() (expr, error) {
	p.space()
	if p.off >= len(p.src) {
		return nil, p.fail("expected a value or a function, found the end")
	}
	switch c := p.src[p.off]; {
	case c == '\'':
		return p.str()
	case c >= '0' && c <= '9' || c == '-' || c == '+' || c == '.':
		return p.num()
	case isLetter(c):
		start := p.off
		name := p.word()
		if p.take('(') {
			return p.call(name, start)
		}
		switch strings.ToLower(name) {
		case "true":
			return &literal{true}, nil
		case "false":
			return &literal{false}, nil
		case "null":
			return &literal{nil}, nil
		}
		p.off = start
		return nil, p.fail("'%s' is neither a function call nor true, false or null; text stands in single quotes", name)
	}
	return nil, p.fail("expected a value or a function, found %s", p.what())
}

func (p *exprParser) call(name string, start int) (expr, error) {
	fn := lookup(name)
	if fn == nil {
		p.off = start
		return nil, p.fail("unknown function '%s'", name)
	}
	c := &call{fn: fn}
	if p.take(')') {
		return c, p.arity(c, start)
	}
	for {
		arg, err := p.expression()
		if err != nil {
			return nil, err
		}
		c.args = append(c.args, arg)
		if p.take(',') {
			continue
		}
		if p.take(')') {
			return c, p.arity(c, start)
		}
		return nil, p.fail("expected ',' or ')' in the arguments of %s, found %s", fn.name, p.what())
	}
}

// arity checks the number of arguments and what is known of their types.
func (p *exprParser) arity(c *call, start int) error {
	n, fn := len(c.args), c.fn
	if n < fn.min || n > len(fn.params) && !fn.variadic {
		p.off = start
		return p.fail("%s takes %s, not %d", fn.name, fn.arity(), n)
	}
	for i, a := range c.args {
		if got, want := staticKind(a), fn.param(i); got&want == 0 {
			p.off = start
			return p.fail("argument %d of %s must be %s, not %s", i+1, fn.name, want, got)
		}
	}
	return nil
}

// staticKind is what is known of an expression's type before it is evaluated.
func staticKind(e expr) kind {
	switch e := e.(type) {
	case *literal:
		return kindOf(e.v)
	case *call:
		return e.fn.ret
	}
	return kAny
}

func (p *exprParser) word() string {
	start := p.off
	for p.off < len(p.src) && (isLetter(p.src[p.off]) || p.src[p.off] >= '0' && p.src[p.off] <= '9') {
		p.off++
	}
	return p.src[start:p.off]
}

func isLetter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_' || c == '$'
}

func (p *exprParser) str() (expr, error) {
	start := p.off
	p.off++
	var b strings.Builder
	for p.off < len(p.src) {
		c := p.src[p.off]
		p.off++
		if c != '\'' {
			b.WriteByte(c)
			continue
		}
		if p.off >= len(p.src) || p.src[p.off] != '\'' {
			return &literal{b.String()}, nil
		}
		b.WriteByte('\'') // '' stands for one quote
		p.off++
	}
	p.off = start
	return nil, p.fail("the text is not closed with a single quote")
}

func (p *exprParser) num() (expr, error) {
	start := p.off
	for p.off < len(p.src) && strings.IndexByte("+-.0123456789eE", p.src[p.off]) >= 0 {
		p.off++
	}
	s := p.src[start:p.off]
	v, err := number(strings.TrimPrefix(s, "+"))
	if err != nil {
		p.off = start
		return nil, p.fail("%q is not a number", s)
	}
	return &literal{v}, nil
}
