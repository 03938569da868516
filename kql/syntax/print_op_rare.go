package syntax

func (p *printer) rareOp(n Op) {
	switch n := n.(type) {
	case *SampleOp:
		p.put("sample")
		if n.Of != nil {
			p.put("-distinct")
		}
		p.put(" ")
		p.hints(n.Hints)
		p.expr(n.N)
		p.clause("of", n.Of)
	case *TopHittersOp:
		p.put("top-hitters ")
		p.expr(n.N)
		p.clause("of", n.Of)
		p.clause("by", n.By)
	case *TopNestedOp:
		commas(p, n.Levels, p.topLevel)
	case *MakeSeriesOp:
		p.makeSeries(n)
	case *EvaluateOp:
		p.put("evaluate ")
		p.hints(n.Hints)
		p.expr(n.Call)
		if n.HasSchm {
			p.put(" : ")
			p.schema(n.Schema, n.AnyCols)
		}
	case *InvokeOp:
		p.put("invoke ")
		p.expr(n.Call)
	case *AsOp:
		p.put("as ")
		p.hints(n.Hints)
		p.name(n.Name)
	case *PartitionOp:
		p.put("partition ")
		p.hints(n.Hints)
		p.put("by ")
		p.expr(n.By)
		p.put(" ")
		if n.Query != nil {
			p.block("{", "}", func() { p.expr(n.Query) })
		} else {
			p.subquery(n.Ops)
		}
	case *ScanOp:
		p.scan(n)
	case *SerializeOp:
		p.put("serialize")
		p.spaced(n.Hints, n.Cols)
	case *RenderOp:
		p.put("render ")
		p.name(n.Kind)
		if len(n.Props) > 0 {
			p.put(" with ")
			p.props(n.Props)
		}
	case *GetSchemaOp:
		p.put("getschema")
	case *ConsumeOp:
		p.put("consume")
		p.spaced(n.Hints, nil)
	case *FacetOp:
		p.put("facet by ")
		commas(p, n.Cols, p.expr)
		if len(n.Ops) > 0 {
			p.put(" with ")
			p.subquery(n.Ops)
		}
	case *ForkOp:
		p.fork(n)
	case *ReduceOp:
		p.put("reduce ")
		p.hints(n.Hints)
		p.put("by ")
		p.expr(n.By)
		if len(n.Props) > 0 {
			p.put(" with ")
			commas(p, n.Props, p.namedExpr)
		}
	case *UnsupportedOp:
		p.put(n.Text)
	default: // BadOp
		if !p.graphOp(n) {
			p.put("…")
		}
	}
}

func (p *printer) topLevel(l *TopNestedLevel) {
	p.put("top-nested")
	if l.N != nil {
		p.put(" ")
		p.expr(l.N)
	}
	p.clause("of", l.Of)
	p.clause("with others =", l.Others)
	p.clause("by", l.By)
	p.dir(l.Dir)
}

func (p *printer) seriesAgg(a *SeriesAgg) {
	p.expr(a.X)
	p.clause("default =", a.Default)
}

func (p *printer) makeSeries(n *MakeSeriesOp) {
	p.put("make-series ")
	p.hints(n.Hints)
	commas(p, n.Aggs, p.seriesAgg)
	p.clause("on", n.On)
	if n.InRange {
		p.put(" in range")
		p.args([]Expr{n.From, n.To, n.Step})
	} else {
		p.clause("from", n.From)
		p.clause("to", n.To)
		p.clause("step", n.Step)
	}
	if len(n.Groups) > 0 {
		p.put(" by ")
		commas(p, n.Groups, p.expr)
	}
}

func (p *printer) scan(n *ScanOp) {
	p.put("scan ")
	p.hints(n.Hints)
	if len(n.OrderBy) > 0 {
		p.put("order by ")
		commas(p, n.OrderBy, p.ordered)
		p.put(" ")
	}
	if len(n.PartitionBy) > 0 {
		p.put("partition by ")
		commas(p, n.PartitionBy, p.expr)
		p.put(" ")
	}
	if n.Declarations != nil {
		p.put("declare ")
		p.params(n.Declarations)
		p.put(" ")
	}
	p.block("with (", ")", func() {
		for i, s := range n.Steps {
			if i > 0 {
				p.newline()
			}
			p.step(s)
			p.put(";")
		}
	})
}

func (p *printer) step(s *ScanStep) {
	p.put("step ")
	p.name(s.Name)
	if s.Optional {
		p.put(" optional")
	}
	if s.Output != "" {
		p.put(" output=", s.Output)
	}
	p.put(": ")
	p.expr(s.Cond)
	if len(s.Assigns) > 0 {
		p.put(" => ")
		commas(p, s.Assigns, p.namedExpr)
	}
}

func (p *printer) fork(n *ForkOp) {
	p.put("fork")
	for i, ops := range n.Branches {
		p.put(" ")
		if name := n.Names[i]; name != nil {
			p.name(name)
			p.put(" = ")
		}
		p.subquery(ops)
	}
}
