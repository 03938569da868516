package syntax

import "strings"

// Precedences of what is no binary operator.
const (
	precUnary   = precStr + 1
	precPostfix = precStr + 2
)

func precOf(x Expr) int {
	switch x := x.(type) {
	case *Binary:
		return precedence(x.Op)
	case *In, *Between:
		return precEq
	case *Unary:
		return precUnary
	case *Pipe, *SourceOp, *NamedExpr, *Lambda:
		return 0
	}
	return precPostfix
}

// operand writes x, in parentheses when it binds less tightly than least.
// Parsed trees have their Paren nodes and never need it.
func (p *printer) operand(x Expr, least int) {
	if precOf(x) >= least {
		p.expr(x)
		return
	}
	p.put("(")
	p.expr(x)
	p.put(")")
}

func (p *printer) expr(x Expr) {
	switch x := x.(type) {
	case nil:
		p.put("null")
	case *Name:
		p.name(x)
	case *Wildcard:
		p.put(x.Pattern)
	case *Literal:
		p.put(literalText(x))
	case *Dynamic:
		p.put("dynamic(")
		p.json(x.Value)
		p.put(")")
	case *DynArray, *DynObject:
		p.json(x)
	case *Unary:
		p.put(x.Op.String())
		p.operand(x.X, precPostfix)
	case *Binary:
		p.binary(x)
	case *In:
		p.operand(x.X, precEq+1)
		p.put(" ", x.Op.String(), " ")
		p.args(x.List)
	case *Between:
		p.operand(x.X, precEq+1)
		if x.Not {
			p.put(" !between (")
		} else {
			p.put(" between (")
		}
		p.operand(x.Lo, precAdd)
		p.put(" .. ")
		p.operand(x.Hi, precAdd)
		p.put(")")
	case *Call:
		p.name(x.Func)
		p.args(x.Args)
	case *Path:
		p.base(x.X)
		p.put(".")
		p.expr(x.Name)
	case *Index:
		p.operand(x.X, precPostfix)
		p.put("[")
		p.index(x.Index)
		p.put("]")
	default:
		p.rareExpr(x)
	}
}

func (p *printer) rareExpr(x Expr) {
	switch x := x.(type) {
	case *Paren:
		if isPipe(x.X) {
			p.block("(", ")", func() { p.expr(x.X) })
			return
		}
		p.put("(")
		p.expr(x.X)
		p.put(")")
	case *NamedExpr:
		p.namedExpr(x)
	case *TypedName:
		p.typedName(x)
	case *Lambda:
		p.lambda(x)
	case *DataTable:
		p.dataTable(x)
	case *ExternalData:
		p.externalData(x)
	case *Placeholder:
		p.put("{", x.Name, "}")
	case *List:
		commas(p, x.Items, p.expr)
	case *Pipe:
		p.pipe(x)
	case *SourceOp:
		p.op(x.Op)
	default: // Bad
		p.put("…")
	}
}

func (p *printer) binary(x *Binary) {
	prec := precedence(x.Op)
	left := prec
	if prec == precEq || prec == precRel {
		left++
	}
	p.operand(x.X, left)
	if x.Op == COLON {
		p.put(":")
	} else {
		p.put(" ", x.Op.String(), " ")
	}
	p.operand(x.Y, prec+1)
}

// base writes what stands before a dot. Numbers get a blank: 1.e5 is one.
func (p *printer) base(x Expr) {
	p.operand(x, precPostfix)
	if l, ok := x.(*Literal); ok && (l.Kind == LitLong || l.Kind == LitReal) {
		p.put(" ")
	}
}

// index writes what stands in the brackets of an index. A lone string is in
// double quotes: KQL reads both ["a"] and .["a"].
func (p *printer) index(x Expr) {
	if l, ok := x.(*Literal); ok && l.Kind == LitString && !l.Hidden {
		p.put(escape(l.Text, '"'))
		return
	}
	p.expr(x)
}

// args writes arguments in parentheses; when one is a pipeline, each stands on
// a line of its own.
func (p *printer) args(list []Expr) {
	multi := false
	for _, x := range list {
		if n, ok := x.(*NamedExpr); ok {
			x = n.X
		}
		multi = multi || isPipe(x)
	}
	if !multi {
		p.put("(")
		commas(p, list, p.expr)
		p.put(")")
		return
	}
	p.block("(", ")", func() {
		for i, x := range list {
			if i > 0 {
				p.put(",")
				p.newline()
			}
			p.expr(x)
		}
	})
}

// literalText returns how a constant is written.
func literalText(l *Literal) string {
	switch l.Kind {
	case LitString:
		if l.Hidden {
			return "h" + Quote(l.Text)
		}
		return Quote(l.Text)
	case LitBool:
		if l.Text == "true" || l.Text == "false" {
			return l.Text
		}
		return "bool(" + l.Text + ")"
	case LitInt:
		return "int(" + l.Text + ")"
	case LitLong:
		return plainOr(l.Text, INT, "long")
	case LitReal:
		return plainOr(l.Text, REAL, "real")
	case LitDecimal:
		return "decimal(" + l.Text + ")"
	case LitDateTime:
		return "datetime(" + l.Text + ")"
	case LitTimeSpan:
		return plainOr(l.Text, TIMESPAN, "timespan")
	default:
		return "guid(" + l.Text + ")"
	}
}

// plainOr returns text when it is one token of kind k by itself, else as a
// literal with its type.
func plainOr(text string, k Kind, typ string) string {
	if isToken(text, k) {
		return text
	}
	return typ + "(" + text + ")"
}

func isToken(text string, k Kind) bool {
	l := lexer{src: text}
	return text != "" && isDigit(text[0]) && l.scan() == k && l.pos == len(text)
}

// json writes a value inside dynamic(…).
func (p *printer) json(x Expr) {
	switch x := x.(type) {
	case nil:
		p.put("null")
	case *DynArray:
		p.put("[")
		commas(p, x.Items, p.json)
		p.put("]")
	case *DynObject:
		p.put("{")
		for i, k := range x.Keys {
			if i > 0 {
				p.put(", ")
			}
			p.put(escape(k, '"'), ": ")
			p.json(x.Values[i])
		}
		p.put("}")
	case *Literal:
		p.jsonLiteral(x)
	default:
		p.expr(x)
	}
}

func (p *printer) jsonLiteral(l *Literal) {
	unsigned := strings.TrimPrefix(l.Text, "-")
	switch {
	case l.Kind == LitString && !l.Hidden:
		p.put(escape(l.Text, '"'))
	case l.Kind == LitLong && isToken(unsigned, INT),
		l.Kind == LitReal && isToken(unsigned, REAL),
		l.Kind == LitTimeSpan && isToken(unsigned, TIMESPAN):
		p.put(l.Text)
	default:
		p.put(literalText(l))
	}
}
