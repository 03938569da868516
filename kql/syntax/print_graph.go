package syntax

// graphOp prints the operators of graphs and reports whether n is one.
func (p *printer) graphOp(n Op) bool {
	switch n := n.(type) {
	case *MakeGraphOp:
		p.makeGraph(n)
	case *GraphMatchOp:
		name := "graph-match "
		if n.Shortest {
			name = "graph-shortest-paths "
		}
		p.put(name)
		p.hints(n.Hints)
		commas(p, n.Patterns, p.graphPattern)
		p.clause("where", n.Pred)
		if len(n.Project) > 0 {
			p.put(" project ")
			commas(p, n.Project, p.expr)
		}
	case *GraphToTableOp:
		p.put("graph-to-table ")
		commas(p, n.Outputs, p.graphOutput)
	case *GraphMarkOp:
		p.put("graph-mark-components")
		p.spaced(n.Hints, nil)
	default:
		return false
	}
	return true
}

func (p *printer) makeGraph(n *MakeGraphOp) {
	p.put("make-graph ")
	p.hints(n.Hints)
	p.name(n.Source)
	if n.Undirected {
		p.put(" -- ")
	} else {
		p.put(" --> ")
	}
	p.name(n.Target)
	if n.NodeID != nil {
		p.put(" with_node_id=")
		p.name(n.NodeID)
	}
	if len(n.Nodes) > 0 {
		p.put(" with ")
		commas(p, n.Nodes, p.graphNodes)
	}
	if n.PartitionBy != nil {
		p.put(" partitioned-by ")
		p.name(n.PartitionBy)
		p.put(" ")
		p.subquery(n.Ops)
	}
}

func (p *printer) graphNodes(n *GraphNodes) {
	p.expr(n.Table)
	p.put(" on ")
	p.name(n.Key)
}

func (p *printer) graphOutput(n *GraphOutput) {
	if n.Edges {
		p.put("edges")
	} else {
		p.put("nodes")
	}
	if n.As != nil {
		p.put(" as ")
		p.name(n.As)
	}
	p.spaced(n.Hints, nil)
}

func (p *printer) graphPattern(n *GraphPattern) {
	for i, node := range n.Nodes {
		if i > 0 {
			p.graphEdge(n.Edges[i-1])
		}
		p.graphNode(node)
	}
}

func (p *printer) graphNode(n *GraphNode) {
	p.put("(")
	if n.Name != nil {
		p.name(n.Name)
	}
	p.put(")")
}

func (p *printer) graphEdge(n *GraphEdge) {
	if n.Dir == EdgeLeft {
		p.put("<")
	}
	p.put("-")
	if n.Name != nil || n.Min != nil {
		p.put("[")
		if n.Name != nil {
			p.name(n.Name)
		}
		if n.Min != nil {
			p.put("*")
			p.expr(n.Min)
			p.put("..")
			p.expr(n.Max)
		}
		p.put("]")
	}
	p.put("-")
	if n.Dir == EdgeRight {
		p.put(">")
	}
}
