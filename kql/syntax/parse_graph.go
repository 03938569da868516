package syntax

func (p *parser) makeGraph(start int) Op {
	o := &MakeGraphOp{Hints: p.hints()}
	o.Source = p.name("the column with the sources of edges")
	p.expect(SUB, "'-->' between the columns of sources and targets")
	p.expect(SUB, "'-->' between the columns of sources and targets")
	o.Undirected = !p.accept(GT)
	o.Target = p.name("the column with the targets of edges")
	if p.word("with_node_id") && p.kindAt(1) == ASSIGN {
		p.next()
		p.next()
		o.NodeID = p.name("the name of the nodes' identifier")
	} else if p.acceptWord("with") {
		for !p.failed {
			at := p.start()
			n := &GraphNodes{Table: p.postfix()}
			p.expectWord("on", "and the column with the identifier of nodes")
			n.Key = p.name("the column with the identifier of nodes")
			n.pos = p.from(at)
			o.Nodes = append(o.Nodes, n)
			if !p.accept(COMMA) {
				break
			}
		}
	}
	if name, n := "", 0; p.is(IDENT) {
		if name, n = p.opName(); name == "partitioned-by" {
			p.skipTo(p.pos + n)
			o.PartitionBy = p.name("the column to partition by")
			b := p.openBracket(LPAREN, "'(' and what is done with each graph")
			o.Ops = p.subOps("a graph operator")
			p.closeBracket(b)
		}
	}
	o.pos = p.from(start)
	return o
}

func (p *parser) graphMatch(start int) Op         { return p.graphPaths(start, false) }
func (p *parser) graphShortestPaths(start int) Op { return p.graphPaths(start, true) }

func (p *parser) graphPaths(start int, shortest bool) Op {
	o := &GraphMatchOp{Shortest: shortest, Hints: p.hints("cycles", "output")}
	for !p.failed {
		o.Patterns = append(o.Patterns, p.graphPattern())
		if !p.accept(COMMA) {
			break
		}
	}
	if p.acceptWord("where") {
		o.Pred = p.expr()
	}
	if p.acceptWord("project") {
		o.Project = p.exprs((*parser).named)
	}
	o.pos = p.from(start)
	return o
}

func (p *parser) graphPattern() *GraphPattern {
	start := p.start()
	g := &GraphPattern{Nodes: []*GraphNode{p.graphNode()}}
	for !p.failed && (p.is(SUB) || p.is(LT)) {
		g.Edges = append(g.Edges, p.graphEdge())
		g.Nodes = append(g.Nodes, p.graphNode())
	}
	g.pos = p.from(start)
	return g
}

func (p *parser) graphNode() *GraphNode {
	start := p.start()
	n := &GraphNode{}
	b := p.openBracket(LPAREN, "'(' and a node, such as (n)")
	if !p.failed && !p.is(RPAREN) {
		n.Name = p.name("the name of a node, or ')'")
	}
	p.closeBracket(b)
	n.pos = p.from(start)
	return n
}

// graphEdge reads -->, <--, --, and the same with [name*min..max] between.
func (p *parser) graphEdge() *GraphEdge {
	start := p.start()
	e := &GraphEdge{Dir: EdgeAny}
	if p.accept(LT) {
		e.Dir = EdgeLeft
	}
	p.expect(SUB, "an edge, such as -[e]->")
	if p.is(LBRACKET) {
		b := p.openBracket(LBRACKET, "'['")
		if p.is(IDENT) {
			e.Name = p.name("the name of an edge")
		}
		if p.accept(MUL) {
			e.Min = p.binary(precAdd)
			p.expect(DOTDOT, "'..' between the least and the largest number of edges")
			e.Max = p.binary(precAdd)
		}
		p.closeBracket(b)
	}
	p.expect(SUB, "'-' at the end of the edge")
	if e.Dir == EdgeAny && p.accept(GT) {
		e.Dir = EdgeRight
	}
	e.pos = p.from(start)
	return e
}

func (p *parser) graphToTable(start int) Op {
	o := &GraphToTableOp{}
	for !p.failed {
		at := p.start()
		g := &GraphOutput{}
		switch {
		case p.acceptWord("edges"):
			g.Edges = true
		case p.acceptWord("nodes"):
		default:
			p.expected("'nodes' or 'edges'")
		}
		if p.acceptWord("as") {
			g.As = p.name("the name of the table")
		}
		g.Hints = p.hints("with_node_id", "with_source_id", "with_target_id")
		g.pos = p.from(at)
		o.Outputs = append(o.Outputs, g)
		if !p.accept(COMMA) {
			break
		}
	}
	o.pos = p.from(start)
	return o
}

func (p *parser) graphMark(start int) Op {
	h := p.hints("kind", "with_component_id")
	return &GraphMarkOp{p.from(start), h}
}
