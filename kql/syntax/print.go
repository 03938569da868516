package syntax

import (
	"strings"
)

// Print writes a tree as a query in canonical form: one operator a line, each
// behind its pipe sign, subqueries indented by four blanks. Printing what was
// parsed from printed text gives that text again. Comments are not in the tree
// and are lost; obfuscated strings (h"…") are written in full.
func Print(n Node) string {
	var p printer
	p.node(n)
	return p.b.String()
}

type printer struct {
	b      strings.Builder
	indent int
}

func (p *printer) put(s ...string) {
	for _, s := range s {
		p.b.WriteString(s)
	}
}

func (p *printer) newline() {
	p.b.WriteByte('\n')
	for range p.indent {
		p.b.WriteString("    ")
	}
}

// block writes f's text on lines of their own, indented, between brackets.
func (p *printer) block(open, end string, f func()) {
	p.put(open)
	p.indent++
	p.newline()
	f()
	p.indent--
	p.newline()
	p.put(end)
}

func (p *printer) node(n Node) {
	switch n := n.(type) {
	case *Query:
		p.stmts(n.Stmts)
	case Stmt:
		p.stmt(n)
	case Expr:
		p.expr(n)
	case Op:
		p.op(n)
	case *Param:
		p.param(n)
	case *Hint:
		p.put(n.Name, "=")
		p.expr(n.Value)
	case *Ordered:
		p.ordered(n)
	case *MvItem:
		p.mvItem(n)
	case *SeriesAgg:
		p.seriesAgg(n)
	case *TopNestedLevel:
		p.topLevel(n)
	case *ScanStep:
		p.step(n)
	case *GraphNodes:
		p.graphNodes(n)
	case *GraphPattern:
		p.graphPattern(n)
	case *GraphNode:
		p.graphNode(n)
	case *GraphEdge:
		p.graphEdge(n)
	case *GraphOutput:
		p.graphOutput(n)
	}
}

func (p *printer) stmts(list []Stmt) {
	for i, s := range list {
		if i > 0 {
			p.put(";")
			p.newline()
		}
		p.stmt(s)
	}
}

func (p *printer) stmt(n Stmt) {
	switch n := n.(type) {
	case *LetStmt:
		p.put("let ")
		p.name(n.Name)
		p.put(" =")
		if isPipe(n.Value) {
			p.newline()
		} else {
			p.put(" ")
		}
		p.expr(n.Value)
	case *SetStmt:
		p.put("set ")
		p.name(n.Name)
		if n.Value != nil {
			p.put(" = ")
			p.expr(n.Value)
		}
	case *DeclareStmt:
		p.put("declare query_parameters")
		p.params(n.Params)
	case *PatternStmt:
		p.put(n.Text)
	case *AliasStmt:
		p.put("alias database ")
		p.name(n.Name)
		p.put(" = ")
		p.expr(n.Value)
	case *RestrictStmt:
		p.put("restrict access to (")
		commas(p, n.Items, p.expr)
		p.put(")")
	case *ExprStmt:
		p.expr(n.X)
	}
}

// commas writes a list with f.
func commas[T any](p *printer, list []T, f func(T)) {
	for i, x := range list {
		if i > 0 {
			p.put(", ")
		}
		f(x)
	}
}

func (p *printer) name(n *Name) {
	switch {
	case n == nil:
	case !n.Quoted && isPlainName(n.Text):
		p.put(n.Text)
	default:
		p.put("[", escape(n.Text, '\''), "]")
	}
}

func (p *printer) typedName(t *TypedName) {
	p.name(t.Name)
	p.put(":")
	p.name(t.Type)
}

func (p *printer) params(list []*Param) {
	p.put("(")
	commas(p, list, p.param)
	p.put(")")
}

func (p *printer) param(m *Param) {
	p.name(m.Name)
	p.put(":")
	if m.Tabular() {
		p.schema(m.Schema, m.AnyCols)
		return
	}
	p.name(m.Type)
	if m.Default != nil {
		p.put(" = ")
		p.expr(m.Default)
	}
}

func (p *printer) schema(cols []*TypedName, star bool) {
	p.put("(")
	if star {
		p.put("*")
		if len(cols) > 0 {
			p.put(", ")
		}
	}
	commas(p, cols, p.typedName)
	p.put(")")
}

func (p *printer) namedExpr(n *NamedExpr) {
	if len(n.Names) == 1 {
		p.name(n.Names[0])
	} else {
		p.put("(")
		commas(p, n.Names, p.name)
		p.put(")")
	}
	p.put(" = ")
	p.expr(n.X)
}

func (p *printer) pipe(n *Pipe) {
	if n.Source != nil {
		p.expr(n.Source)
	}
	p.ops(n.Ops, n.Source != nil)
}

// ops writes operators, each on its line; piped tells whether the first, too,
// has a pipe sign.
func (p *printer) ops(list []Op, piped bool) {
	for i, op := range list {
		if i > 0 || piped {
			p.newline()
			p.put("| ")
		}
		p.op(op)
	}
}

// subquery writes operators in parentheses.
func (p *printer) subquery(ops []Op) {
	p.block("(", ")", func() { p.ops(ops, false) })
}

func isPipe(x Expr) bool {
	_, ok := x.(*Pipe)
	return ok
}

// lambda writes a function; its body stands on lines of its own.
func (p *printer) lambda(n *Lambda) {
	if n.View {
		p.put("view ")
	}
	p.params(n.Params)
	if len(n.Body) == 0 {
		p.put(" { }")
		return
	}
	p.block(" {", "}", func() { p.stmts(n.Body) })
}

func (p *printer) dataTable(n *DataTable) {
	p.put("datatable")
	if len(n.Hints) > 0 {
		p.put(" ")
		p.hints(n.Hints)
	}
	p.schema(n.Schema, false)
	if len(n.Values) == 0 {
		p.put("[]")
		return
	}
	width := max(1, len(n.Schema))
	p.block("[", "]", func() {
		for i, v := range n.Values {
			switch {
			case i == 0:
			case i%width == 0:
				p.put(",")
				p.newline()
			default:
				p.put(", ")
			}
			p.expr(v)
		}
	})
}

func (p *printer) externalData(n *ExternalData) {
	p.put("externaldata")
	p.schema(n.Schema, false)
	p.put("[")
	commas(p, n.URIs, p.expr)
	p.put("]")
	if len(n.Props) > 0 {
		p.put(" with ")
		p.props(n.Props)
	}
}

func (p *printer) props(list []*NamedExpr) {
	p.put("(")
	commas(p, list, p.namedExpr)
	p.put(")")
}

// hints writes name=value pairs, each with a blank behind it.
func (p *printer) hints(list []*Hint) {
	for _, h := range list {
		p.node(h)
		p.put(" ")
	}
}
