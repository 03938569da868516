package syntax

// Placeholder is {Name}: a value that a workbook or another client fills in
// before it sends the query. It parses, and cannot run.
type Placeholder struct {
	pos
	Name string
}

// List is a list of names as the value of one property: ycolumns = a, b.
type List struct {
	pos
	Items []Expr
}

func (*Placeholder) expr() {}
func (*List) expr()        {}

// FacetOp is facet by a, b [with (ops)].
type FacetOp struct {
	pos
	Cols []Expr
	Ops  []Op
}

// ForkOp is fork (ops) (ops) ….
type ForkOp struct {
	pos
	Names    []*Name // nil entries for unnamed branches
	Branches [][]Op
}

// ReduceOp is reduce by X [with threshold=…].
type ReduceOp struct {
	pos
	Hints []*Hint
	By    Expr
	Props []*NamedExpr
}

// UnsupportedOp is an operator of the language that is recognised by name but
// not parsed any further (graph-where-nodes, macro-expand, …).
type UnsupportedOp struct {
	pos
	Name string
	Text string // the operator as written, its name included
}

// BadOp stands for an operator that could not be parsed.
type BadOp struct{ pos }

func (*FacetOp) op()       {}
func (*ForkOp) op()        {}
func (*ReduceOp) op()      {}
func (*UnsupportedOp) op() {}
func (*BadOp) op()         {}
