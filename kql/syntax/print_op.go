package syntax

func (p *printer) op(n Op) {
	switch n := n.(type) {
	case *WhereOp:
		p.put("where ")
		p.expr(n.Pred)
	case *ExtendOp:
		p.put("extend ")
		commas(p, n.Cols, p.expr)
	case *ProjectOp:
		p.project(n)
	case *SortOp:
		p.put("sort ")
		p.hints(n.Hints)
		p.put("by ")
		commas(p, n.Keys, p.ordered)
	case *TakeOp:
		p.put("take ")
		p.hints(n.Hints)
		p.expr(n.N)
	case *TopOp:
		p.put("top ")
		p.hints(n.Hints)
		p.expr(n.N)
		p.put(" by ")
		commas(p, n.Keys, p.ordered)
	case *DistinctOp:
		p.put("distinct ")
		p.hints(n.Hints)
		commas(p, n.Cols, p.expr)
	case *SummarizeOp:
		p.put("summarize")
		p.spaced(n.Hints, n.Aggs)
		if n.HasBy {
			p.put(" by ")
			commas(p, n.Groups, p.expr)
		}
	case *CountOp:
		p.put("count")
		if n.As != nil {
			p.put(" as ")
			p.name(n.As)
		}
	case *JoinOp:
		p.join(n)
	case *UnionOp:
		p.put("union")
		p.spaced(n.Hints, n.Tables)
	case *PrintOp:
		p.put("print ")
		commas(p, n.Cols, p.expr)
	case *RangeOp:
		p.put("range ")
		p.name(n.Name)
		p.clause("from", n.From)
		p.clause("to", n.To)
		p.clause("step", n.Step)
	case *MvExpandOp:
		if n.Legacy {
			p.put("mvexpand ")
		} else {
			p.put("mv-expand ")
		}
		p.hints(n.Hints)
		commas(p, n.Items, p.mvItem)
		p.clause("limit", n.Limit)
	case *MvApplyOp:
		p.put("mv-apply ")
		p.hints(n.Hints)
		commas(p, n.Items, p.mvItem)
		p.clause("limit", n.Limit)
		p.put(" on ")
		p.subquery(n.On)
	case *ParseOp:
		p.parse(n)
	case *ParseKvOp:
		p.put("parse-kv ")
		p.expr(n.X)
		p.put(" as ")
		p.schema(n.Schema, false)
		if n.Props != nil {
			p.put(" with ")
			p.props(n.Props)
		}
	case *SearchOp:
		p.search(n)
	case *FindOp:
		p.find(n)
	default:
		p.rareOp(n)
	}
}

// spaced writes hints and a list, each with a blank before it.
func (p *printer) spaced(hints []*Hint, list []Expr) {
	for _, h := range hints {
		p.put(" ")
		p.node(h)
	}
	if len(list) > 0 {
		p.put(" ")
		commas(p, list, p.expr)
	}
}

// clause writes a word and its expression, with blanks, unless x is nil.
func (p *printer) clause(word string, x Expr) {
	if x != nil {
		p.put(" ", word, " ")
		p.expr(x)
	}
}

var projectNames = [...]string{
	Project: "project", ProjectAway: "project-away", ProjectKeep: "project-keep", ProjectRename: "project-rename",
	ProjectReorder: "project-reorder", ProjectByNames: "project-by-names", ProjectSmart: "project-smart",
}

func (p *printer) project(n *ProjectOp) {
	p.put(projectNames[n.Kind])
	if len(n.Cols) > 0 {
		p.put(" ")
	}
	for i, x := range n.Cols {
		if i > 0 {
			p.put(", ")
		}
		p.expr(x)
		if i < len(n.Dirs) {
			p.dir(n.Dirs[i])
		}
	}
}

var dirNames = [...]string{Asc: " asc", Desc: " desc", GrannyAsc: " granny-asc", GrannyDesc: " granny-desc"}

func (p *printer) dir(d OrderDir) { p.put(dirNames[d]) }

func (p *printer) ordered(o *Ordered) {
	p.expr(o.X)
	p.dir(o.Dir)
	switch o.Nulls {
	case NullsFirst:
		p.put(" nulls first")
	case NullsLast:
		p.put(" nulls last")
	}
}

func (p *printer) join(n *JoinOp) {
	if n.Lookup {
		p.put("lookup ")
	} else {
		p.put("join ")
	}
	p.hints(n.Hints)
	p.operand(n.Right, precPostfix)
	switch {
	case len(n.On) == 0:
	case n.Where:
		p.clause("where", n.On[0])
	default:
		p.put(" on ")
		commas(p, n.On, p.expr)
	}
}

func (p *printer) mvItem(m *MvItem) {
	if m.Name != nil {
		p.name(m.Name)
		p.put(" = ")
	}
	p.expr(m.X)
	if m.Type != nil {
		p.put(" to typeof(")
		p.name(m.Type)
		p.put(")")
	}
}

func (p *printer) parse(n *ParseOp) {
	if n.WhereOnly {
		p.put("parse-where ")
	} else {
		p.put("parse ")
	}
	p.hints(n.Hints)
	p.expr(n.X)
	p.put(" with")
	for _, x := range n.Pattern {
		p.put(" ")
		p.expr(x)
	}
}

func (p *printer) search(n *SearchOp) {
	p.put("search ")
	p.hints(n.Hints)
	p.inTables(n.Tables)
	p.expr(n.Pred)
}

func (p *printer) inTables(list []Expr) {
	if len(list) > 0 {
		p.put("in ")
		p.args(list)
		p.put(" ")
	}
}

func (p *printer) find(n *FindOp) {
	p.put("find ")
	p.hints(n.Hints)
	p.inTables(n.Tables)
	p.put("where ")
	p.expr(n.Pred)
	if len(n.Project) > 0 || n.PackRest {
		p.put(" project ")
		commas(p, n.Project, p.expr)
		if n.PackRest {
			if len(n.Project) > 0 {
				p.put(", ")
			}
			p.put("pack(*)")
		}
	}
	if n.Smart {
		p.put(" project-smart")
	}
	if len(n.Away) > 0 {
		p.put(" project-away ")
		commas(p, n.Away, p.expr)
	}
}
