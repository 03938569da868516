package syntax

// MakeGraphOp is make-graph Source --> Target [with …] [partitioned-by P (ops)].
// It makes a graph of a table of edges.
type MakeGraphOp struct {
	pos
	Hints          []*Hint
	Source, Target *Name
	Undirected     bool          // written with -- instead of -->
	Nodes          []*GraphNodes // tables of nodes
	NodeID         *Name         // with_node_id=Name, else nil
	PartitionBy    *Name         // nil when not given
	Ops            []Op          // of partitioned-by: what is done with each graph
}

// GraphNodes is Table on Key, a table of nodes of make-graph.
type GraphNodes struct {
	pos
	Table Expr
	Key   *Name
}

// GraphMatchOp is graph-match, and graph-shortest-paths when Shortest is set:
// [cycles=…] [output=…] pattern, … [where Pred] [project Cols].
type GraphMatchOp struct {
	pos
	Shortest bool
	Hints    []*Hint
	Patterns []*GraphPattern
	Pred     Expr   // nil when not given
	Project  []Expr // nil when not given
}

// GraphPattern is a sequence of nodes with an edge between each two of them:
// (a)-[e]->(b). There is one edge fewer than there are nodes.
type GraphPattern struct {
	pos
	Nodes []*GraphNode
	Edges []*GraphEdge
}

// GraphNode is (Name) in a pattern.
type GraphNode struct {
	pos
	Name *Name // nil for ()
}

// EdgeDir is the direction of an edge in a pattern.
type EdgeDir int

// Directions: -[e]->, <-[e]- and -[e]-.
const (
	EdgeRight EdgeDir = iota
	EdgeLeft
	EdgeAny
)

// GraphEdge is -[Name*Min..Max]-> in a pattern.
type GraphEdge struct {
	pos
	Name     *Name // nil when not given
	Dir      EdgeDir
	Min, Max Expr // nil for a single edge
}

// GraphToTableOp is graph-to-table nodes …, edges ….
type GraphToTableOp struct {
	pos
	Outputs []*GraphOutput
}

// GraphOutput is nodes|edges [as Name] [with_…_id=Column …].
type GraphOutput struct {
	pos
	Edges bool
	As    *Name // nil when not given
	Hints []*Hint
}

// GraphMarkOp is graph-mark-components [kind=weak|strong] [with_component_id=Name].
type GraphMarkOp struct {
	pos
	Hints []*Hint
}

func (*MakeGraphOp) op()    {}
func (*GraphMatchOp) op()   {}
func (*GraphToTableOp) op() {}
func (*GraphMarkOp) op()    {}
