package syntax

// Walk calls f for n and, as long as f returns true, for everything below it,
// in the order of the query text as far as the fields allow. Nil nodes are
// left out.
func Walk(n Node, f func(Node) bool) { walker(f).node(n) }

type walker func(Node) bool

// node visits one node; n may be nil, but not an interface around a nil pointer.
func (w walker) node(n Node) {
	if n == nil || !w(n) {
		return
	}
	switch n := n.(type) {
	case *Query:
		each(w, n.Stmts)
	case Stmt:
		w.stmt(n)
	case Expr:
		w.expr(n)
	case Op:
		w.op(n)
	case *Param:
		opt(w, n.Name)
		opt(w, n.Type)
		each(w, n.Schema)
		w.node(n.Default)
	case *Hint:
		w.node(n.Value)
	case *Ordered:
		w.node(n.X)
	case *MvItem:
		opt(w, n.Name)
		w.node(n.X)
		opt(w, n.Type)
	case *SeriesAgg:
		w.node(n.X)
		w.node(n.Default)
	case *TopNestedLevel:
		w.nodes(n.N, n.Of, n.Others, n.By)
	case *PatternRule:
		w.nodes(n.Args...)
		w.node(n.Path)
		each(w, n.Body)
	case *ScanStep:
		opt(w, n.Name)
		w.node(n.Cond)
		each(w, n.Assigns)
	case *GraphNodes:
		w.node(n.Table)
		opt(w, n.Key)
	case *GraphPattern:
		for i, node := range n.Nodes {
			if i > 0 {
				w.node(n.Edges[i-1])
			}
			w.node(node)
		}
	case *GraphNode:
		opt(w, n.Name)
	case *GraphEdge:
		opt(w, n.Name)
		w.nodes(n.Min, n.Max)
	case *GraphOutput:
		opt(w, n.As)
		each(w, n.Hints)
	}
}

func (w walker) nodes(list ...Expr) {
	for _, n := range list {
		w.node(n)
	}
}

// each visits the elements of a list.
func each[N Node](w walker, list []N) {
	for _, n := range list {
		w.node(n)
	}
}

// opt visits a node whose pointer may be nil.
func opt[T any, N interface {
	*T
	Node
}](w walker, n N) {
	if n != nil {
		w.node(n)
	}
}

func (w walker) stmt(n Stmt) {
	switch n := n.(type) {
	case *LetStmt:
		opt(w, n.Name)
		w.node(n.Value)
	case *SetStmt:
		opt(w, n.Name)
		w.node(n.Value)
	case *PatternStmt:
		opt(w, n.Name)
		each(w, n.Params)
		each(w, n.Rules)
	case *DeclareStmt:
		each(w, n.Params)
	case *AliasStmt:
		opt(w, n.Name)
		w.node(n.Value)
	case *RestrictStmt:
		each(w, n.Items)
	case *ExprStmt:
		w.node(n.X)
	}
}

func (w walker) expr(n Expr) {
	switch n := n.(type) {
	case *Dynamic:
		w.node(n.Value)
	case *DynArray:
		each(w, n.Items)
	case *DynObject:
		each(w, n.Values)
	case *Unary:
		w.node(n.X)
	case *Binary:
		w.nodes(n.X, n.Y)
	case *In:
		w.node(n.X)
		each(w, n.List)
	case *Between:
		w.nodes(n.X, n.Lo, n.Hi)
	case *Call:
		opt(w, n.Func)
		each(w, n.Args)
	case *Path:
		w.nodes(n.X, n.Name)
	case *Index:
		w.nodes(n.X, n.Index)
	case *Paren:
		w.node(n.X)
	case *NamedExpr:
		each(w, n.Names)
		w.node(n.X)
	case *TypedName:
		opt(w, n.Name)
		opt(w, n.Type)
	case *Lambda:
		each(w, n.Params)
		each(w, n.Body)
	case *DataTable:
		each(w, n.Hints)
		each(w, n.Schema)
		each(w, n.Values)
	case *ExternalData:
		each(w, n.Schema)
		each(w, n.URIs)
		each(w, n.Props)
	case *List:
		each(w, n.Items)
	case *Pipe:
		w.node(n.Source)
		each(w, n.Ops)
	case *SourceOp:
		w.node(n.Op)
	}
}

func (w walker) op(n Op) {
	switch n := n.(type) {
	case *WhereOp:
		w.node(n.Pred)
	case *ExtendOp:
		each(w, n.Cols)
	case *ProjectOp:
		each(w, n.Cols)
	case *SortOp:
		each(w, n.Hints)
		each(w, n.Keys)
	case *TakeOp:
		each(w, n.Hints)
		w.node(n.N)
	case *TopOp:
		each(w, n.Hints)
		w.node(n.N)
		each(w, n.Keys)
	case *DistinctOp:
		each(w, n.Hints)
		each(w, n.Cols)
	case *SummarizeOp:
		each(w, n.Hints)
		each(w, n.Aggs)
		each(w, n.Groups)
	case *CountOp:
		opt(w, n.As)
	case *JoinOp:
		each(w, n.Hints)
		w.node(n.Right)
		each(w, n.On)
	case *UnionOp:
		each(w, n.Hints)
		each(w, n.Tables)
	case *PrintOp:
		each(w, n.Cols)
	case *RangeOp:
		opt(w, n.Name)
		w.nodes(n.From, n.To, n.Step)
	case *MvExpandOp:
		each(w, n.Hints)
		each(w, n.Items)
		w.node(n.Limit)
	case *MvApplyOp: // OnX holds the same operators as On
		each(w, n.Hints)
		each(w, n.Items)
		w.node(n.Limit)
		each(w, n.On)
	case *ParseOp:
		each(w, n.Hints)
		w.node(n.X)
		each(w, n.Pattern)
	case *ParseKvOp:
		w.node(n.X)
		each(w, n.Schema)
		each(w, n.Props)
	case *SearchOp:
		each(w, n.Hints)
		each(w, n.Tables)
		w.node(n.Pred)
	case *FindOp:
		each(w, n.Hints)
		each(w, n.Tables)
		w.node(n.Pred)
		each(w, n.Project)
		each(w, n.Away)
	default:
		w.rareOp(n)
	}
}

func (w walker) rareOp(n Op) {
	switch n := n.(type) {
	case *SampleOp:
		each(w, n.Hints)
		w.nodes(n.N, n.Of)
	case *TopHittersOp:
		w.nodes(n.N, n.Of, n.By)
	case *TopNestedOp:
		each(w, n.Levels)
	case *MakeSeriesOp:
		each(w, n.Hints)
		each(w, n.Aggs)
		w.nodes(n.On, n.From, n.To, n.Step)
		each(w, n.Groups)
	case *EvaluateOp:
		each(w, n.Hints)
		opt(w, n.Call)
		each(w, n.Schema)
	case *InvokeOp:
		w.node(n.Call)
	case *AsOp:
		each(w, n.Hints)
		opt(w, n.Name)
	case *PartitionOp:
		each(w, n.Hints)
		w.node(n.By)
		each(w, n.Ops)
		w.node(n.Query)
	case *ScanOp:
		each(w, n.Hints)
		each(w, n.OrderBy)
		each(w, n.PartitionBy)
		each(w, n.Declarations)
		each(w, n.Steps)
	case *SerializeOp:
		each(w, n.Hints)
		each(w, n.Cols)
	case *RenderOp:
		opt(w, n.Kind)
		each(w, n.Props)
	case *ConsumeOp:
		each(w, n.Hints)
	case *FacetOp:
		each(w, n.Cols)
		each(w, n.Ops)
	case *ForkOp:
		for i, b := range n.Branches {
			opt(w, n.Names[i])
			each(w, b)
		}
	case *ReduceOp:
		each(w, n.Hints)
		w.node(n.By)
		each(w, n.Props)
	case *MakeGraphOp:
		each(w, n.Hints)
		opt(w, n.Source)
		opt(w, n.Target)
		opt(w, n.NodeID)
		each(w, n.Nodes)
		opt(w, n.PartitionBy)
		each(w, n.Ops)
	case *GraphMatchOp:
		each(w, n.Hints)
		each(w, n.Patterns)
		w.node(n.Pred)
		each(w, n.Project)
	case *GraphToTableOp:
		each(w, n.Outputs)
	case *GraphMarkOp:
		each(w, n.Hints)
	}
}
