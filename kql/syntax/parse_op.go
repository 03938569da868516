package syntax

// operator returns the parser of the operator called name, or nil when KQL
// has none of that name. It is called with the name already taken.
func operator(name string) func(p *parser, start int) Op {
	switch name {
	case "where", "filter":
		return (*parser).where
	case "extend":
		return (*parser).extend
	case "project", "project-away", "project-keep", "project-rename", "project-by-names", "project-smart":
		return projectKind(name).parse
	case "project-reorder":
		return (*parser).reorder
	case "sort", "order":
		return (*parser).sort
	case "take", "limit":
		return (*parser).take
	case "top":
		return (*parser).top
	case "distinct":
		return (*parser).distinct
	case "summarize":
		return (*parser).summarize
	case "count":
		return (*parser).count
	case "join":
		return (*parser).join
	case "lookup":
		return (*parser).lookup
	case "union":
		return (*parser).union
	case "print":
		return (*parser).print
	case "range":
		return (*parser).rng
	case "mv-expand", "mvexpand":
		return (*parser).mvExpand
	case "mv-apply", "mvapply":
		return (*parser).mvApply
	case "parse":
		return (*parser).parse
	case "parse-where":
		return (*parser).parseWhere
	case "parse-kv":
		return (*parser).parseKv
	}
	return rareOperator(name)
}

func rareOperator(name string) func(p *parser, start int) Op {
	switch name {
	case "sample":
		return (*parser).sample
	case "sample-distinct":
		return (*parser).sampleDistinct
	case "top-hitters":
		return (*parser).topHitters
	case "top-nested":
		return (*parser).topNested
	case "make-series", "makeseries":
		return (*parser).makeSeries
	case "evaluate":
		return (*parser).evaluate
	case "invoke":
		return (*parser).invoke
	case "as":
		return (*parser).as
	case "search":
		return (*parser).search
	case "find":
		return (*parser).find
	case "partition":
		return (*parser).partition
	case "scan":
		return (*parser).scan
	case "serialize":
		return (*parser).serialize
	case "render":
		return (*parser).render
	case "getschema":
		return func(p *parser, start int) Op { return &GetSchemaOp{p.from(start)} }
	case "consume":
		return func(p *parser, start int) Op {
			h := p.hints("decodeblocks")
			return &ConsumeOp{p.from(start), h}
		}
	case "facet":
		return (*parser).facet
	case "fork":
		return (*parser).fork
	case "reduce":
		return (*parser).reduce
	case "make-graph":
		return (*parser).makeGraph
	case "graph-match":
		return (*parser).graphMatch
	case "graph-shortest-paths":
		return (*parser).graphShortestPaths
	case "graph-to-table":
		return (*parser).graphToTable
	case "graph-mark-components":
		return (*parser).graphMark
	case "graph-merge", "graph-where-nodes", "graph-where-edges", "macro-expand", "entity_group", "assert-schema", "inline_external_table",
		"__partitionby", "__executeAndCache":
		return (*parser).unsupported
	}
	return nil
}

// isOperator reports whether KQL has an operator called name.
func isOperator(name string) bool { return operator(name) != nil }

// hints reads name=value pairs in front of an operator's operands: hint.x, and
// the given names.
func (p *parser) hints(names ...string) []*Hint {
	var list []*Hint
	for !p.failed {
		if e := p.wants(); e != nil {
			e.Params = append(e.Params, names...)
		}
		start := p.start()
		n := p.hintLen(names)
		if n == 0 {
			break
		}
		p.skipTo(p.pos + n)
		h := &Hint{Name: p.src[start:p.last]}
		p.next() // the =
		h.Value = p.optionValue()
		h.pos = p.from(start)
		list = append(list, h)
	}
	return list
}

// hintLen returns how many tokens the name of the hint here takes, or 0.
func (p *parser) hintLen(names []string) int {
	if !p.is(IDENT) {
		return 0
	}
	w := p.text(p.pos)
	if w == "hint" && p.kindAt(1) == DOT && p.kindAt(2) == IDENT && p.kindAt(3) == ASSIGN &&
		p.adjacent(p.pos+1) && p.adjacent(p.pos+2) {
		return 3
	}
	if p.kindAt(1) != ASSIGN {
		return 0
	}
	for _, n := range names {
		if w == n {
			return 1
		}
	}
	return 0
}

// where reads a predicate. As to Microsoft's parser, it may have a name, which
// means nothing: "where x = true" is the predicate true, and real queries hold
// it. That x = 5 is a slip for == can only be told by who knows types.
func (p *parser) where(start int) Op {
	x := p.named()
	return &WhereOp{p.from(start), x}
}

func (p *parser) extend(start int) Op {
	cols := p.exprs((*parser).named)
	return &ExtendOp{p.from(start), cols}
}

func projectKind(name string) ProjectKind {
	switch name {
	case "project-away":
		return ProjectAway
	case "project-keep":
		return ProjectKeep
	case "project-rename":
		return ProjectRename
	case "project-by-names":
		return ProjectByNames
	case "project-smart":
		return ProjectSmart
	}
	return Project
}

// parse reads the members of the project family that have plain columns. All
// of them may have none.
func (k ProjectKind) parse(p *parser, start int) Op {
	o := &ProjectOp{Kind: k}
	if !p.noOperands() || p.is(COMMA) {
		o.Cols = p.exprs(func(p *parser) Expr {
			if k == ProjectAway || k == ProjectKeep || k == ProjectByNames {
				if w := p.wildcard(); w != nil {
					return w
				}
				if k != ProjectByNames {
					return p.name(aColumn)
				}
			}
			return p.named()
		})
	}
	o.pos = p.from(start)
	return o
}

func (p *parser) reorder(start int) Op {
	o := &ProjectOp{Kind: ProjectReorder}
	if !p.noOperands() || p.is(COMMA) {
		o.Cols = p.exprs(func(p *parser) Expr {
			x := p.wildcard()
			if x == nil {
				x = p.name(aColumn)
			}
			o.Dirs = append(o.Dirs, p.direction())
			return x
		})
	}
	o.pos = p.from(start)
	return o
}

// direction reads asc, desc, granny-asc or granny-desc.
func (p *parser) direction() OrderDir {
	p.wantWords("asc", "desc")
	if p.failed || !p.is(IDENT) {
		return DirNone
	}
	name, n := p.opName()
	var dir OrderDir
	switch name {
	case "asc":
		dir = Asc
	case "desc":
		dir = Desc
	case "granny-asc":
		dir = GrannyAsc
	case "granny-desc":
		dir = GrannyDesc
	default:
		return DirNone
	}
	p.skipTo(p.pos + n)
	return dir
}

// ordered reads X [asc|desc] [nulls first|last].
func (p *parser) ordered() *Ordered {
	start := p.start()
	o := &Ordered{X: p.named()}
	o.Dir = p.direction()
	if p.acceptWord("nulls") {
		switch {
		case p.acceptWord("first"):
			o.Nulls = NullsFirst
		case p.acceptWord("last"):
			o.Nulls = NullsLast
		default:
			p.expected("'first' or 'last' after 'nulls'")
		}
	}
	o.pos = p.from(start)
	return o
}

func (p *parser) orderedList() []*Ordered {
	var list []*Ordered
	for !p.failed {
		list = append(list, p.ordered())
		if !p.accept(COMMA) {
			break
		}
	}
	return list
}

func (p *parser) sort(start int) Op {
	o := &SortOp{}
	name := p.src[start:p.last]
	o.Hints = p.hints()
	p.expectWord("by", "after '"+name+"'")
	o.Keys = p.orderedList()
	o.pos = p.from(start)
	return o
}

func (p *parser) take(start int) Op {
	o := &TakeOp{Hints: p.hints()}
	o.N = p.expr()
	o.pos = p.from(start)
	return o
}

func (p *parser) top(start int) Op {
	o := &TopOp{Hints: p.hints()}
	o.N = p.expr()
	p.expectWord("by", "and what to order by")
	o.Keys = p.orderedList()
	o.pos = p.from(start)
	return o
}

func (p *parser) distinct(start int) Op {
	o := &DistinctOp{Hints: p.hints("decodeblocks")}
	o.Cols = p.exprs((*parser).named)
	o.pos = p.from(start)
	return o
}

func (p *parser) summarize(start int) Op {
	o := &SummarizeOp{Hints: p.hints()}
	if !p.byAhead() && !p.noOperands() {
		o.Aggs = p.exprs((*parser).aggregate)
	}
	if o.HasBy = p.acceptWord("by"); o.HasBy {
		o.Groups = p.exprs((*parser).named)
	}
	o.pos = p.from(start)
	return o
}

// byAhead reports whether the word by follows, rather than a column by = ….
func (p *parser) byAhead() bool {
	p.wantWords("by")
	return p.word("by") && p.kindAt(1) != ASSIGN
}

func (p *parser) count(start int) Op {
	o := &CountOp{}
	if p.acceptWord("as") {
		o.As = p.name("a name after 'as'")
	}
	o.pos = p.from(start)
	return o
}

func (p *parser) join(start int) Op   { return p.joinOf(start, false) }
func (p *parser) lookup(start int) Op { return p.joinOf(start, true) }

func (p *parser) joinOf(start int, lookup bool) Op {
	o := &JoinOp{Lookup: lookup, Hints: p.hints("kind", "flags", "__crossCluster")}
	if p.word("on") && p.nameAhead(1) > 0 && !p.wordAt(p.pos+1, "on") {
		p.expected("a table to join with")
	}
	p.wantTable()
	o.Right = p.postfix()
	switch {
	case p.acceptWord("on"):
		o.On = p.exprs((*parser).expr)
	case !lookup && p.acceptWord("where"):
		o.Where = true
		o.On = []Expr{p.expr()}
	case !lookup && (p.atEnd() || p.missingPipe() || p.startsLine() && p.is(IDENT)): // the binder tells
	default:
		p.expected("'on' and the columns to join by, such as on a or on $left.a == $right.b")
	}
	o.pos = p.from(start)
	return o
}

func (p *parser) union(start int) Op {
	o := &UnionOp{Hints: p.hints("kind", "withsource", "with_source", "isfuzzy", "__isFuzzy", "__noWithSource", "__crossDB", "__crossCluster", "__id", "__packedColumn", "__sourceColumnIndex")}
	if p.noOperands() {
		p.expected("a table after 'union'")
	}
	o.Tables = p.tables()
	o.pos = p.from(start)
	return o
}

func (p *parser) print(start int) Op {
	cols := p.exprs((*parser).named)
	return &PrintOp{p.from(start), cols}
}

func (p *parser) rng(start int) Op {
	o := &RangeOp{Name: p.name("the name of the column after 'range'")}
	p.expectWord("from", "and the first value")
	o.From = p.expr()
	p.expectWord("to", "and the last value")
	o.To = p.expr()
	p.expectWord("step", "and the distance of values")
	o.Step = p.expr()
	o.pos = p.from(start)
	return o
}
