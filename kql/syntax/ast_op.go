package syntax

// Op is a query operator, the part behind a pipe sign.
type Op interface {
	Node
	op()
}

// Hint is a parameter of an operator written name=value before its operands:
// kind=leftouter, isfuzzy=true, hint.strategy=broadcast. Kept in source order.
type Hint struct {
	pos
	Name  string // as written, "hint.strategy" included
	Value Expr   // a *Name for words
}

// WhereOp is where/filter Pred.
type WhereOp struct {
	pos
	Pred Expr
}

// ExtendOp is extend [Name =] X, ….
type ExtendOp struct {
	pos
	Cols []Expr // NamedExpr or plain expressions
}

// ProjectKind tells the members of the project family apart.
type ProjectKind int

// The project family. Away, Keep and Reorder take wildcards; Rename takes only Name = Name.
const (
	Project ProjectKind = iota
	ProjectAway
	ProjectKeep
	ProjectRename
	ProjectReorder
	ProjectByNames
	ProjectSmart
)

// ProjectOp is project, project-away, project-keep, project-rename or project-reorder.
type ProjectOp struct {
	pos
	Kind ProjectKind
	Cols []Expr     // for Reorder see Order
	Dirs []OrderDir // only for Reorder: one per column, DirNone when not given
}

// OrderDir is the direction of an ordering.
type OrderDir int

// Directions. GrannyAsc and GrannyDesc are project-reorder's natural orders.
const (
	DirNone OrderDir = iota
	Asc
	Desc
	GrannyAsc
	GrannyDesc
)

// NullsOrder says where nulls sort.
type NullsOrder int

// Null positions; NullsDefault is first for asc and last for desc.
const (
	NullsDefault NullsOrder = iota
	NullsFirst
	NullsLast
)

// Ordered is one key of sort or top: X [asc|desc] [nulls first|last].
type Ordered struct {
	pos
	X     Expr // may be a NamedExpr
	Dir   OrderDir
	Nulls NullsOrder
}

// SortOp is sort by / order by.
type SortOp struct {
	pos
	Keys  []*Ordered
	Hints []*Hint
}

// TakeOp is take N / limit N.
type TakeOp struct {
	pos
	N     Expr
	Hints []*Hint
}

// TopOp is top N by Keys.
type TopOp struct {
	pos
	N     Expr
	Keys  []*Ordered
	Hints []*Hint
}

// DistinctOp is distinct a, b or distinct *.
type DistinctOp struct {
	pos
	Hints []*Hint
	Cols  []Expr
}

// SummarizeOp is summarize Aggs by Groups.
type SummarizeOp struct {
	pos
	Hints  []*Hint
	Aggs   []Expr
	Groups []Expr
	HasBy  bool
}

// CountOp is count [as Name].
type CountOp struct {
	pos
	As *Name // nil when not given
}

// JoinOp is join [kind=…] (Right) on Keys, and lookup when Lookup is set.
type JoinOp struct {
	pos
	Lookup bool
	Hints  []*Hint // kind and hint.*
	Right  Expr
	On     []Expr // names, or $left.a == $right.b; empty with a diagnostic
	Where  bool   // join … where (rare)
}

// UnionOp is union [kind=…] [withsource=…] [isfuzzy=…] T, (U), V*.
type UnionOp struct {
	pos
	Hints  []*Hint
	Tables []Expr
}

// PrintOp is print [Name =] X, ….
type PrintOp struct {
	pos
	Cols []Expr
}

// RangeOp is range Name from A to B step C.
type RangeOp struct {
	pos
	Name           *Name
	From, To, Step Expr
}

// MvExpandOp is mv-expand [kind=…] [with_itemindex=N] a [to typeof(t)], … [limit n].
type MvExpandOp struct {
	pos
	Hints  []*Hint // bagexpansion, kind, with_itemindex
	Items  []*MvItem
	Limit  Expr // nil when absent
	Legacy bool // spelt mvexpand, which has a limit of 128 when none is given
}

// MvItem is one operand of mv-expand or mv-apply: [Name =] X [to typeof(Type)].
type MvItem struct {
	pos
	Name *Name // nil when not given
	X    Expr
	Type *Name // nil when not given
}

// MvApplyOp is mv-apply items [limit n] on (subquery).
type MvApplyOp struct {
	pos
	Hints []*Hint
	Items []*MvItem
	Limit Expr
	On    []Op // operators of the subquery, applied to the expanded rows
	OnX   Expr // the subquery as written: a *Pipe whose Source is nil
}

// ParseOp is parse / parse-where [kind=…] X with pattern.
type ParseOp struct {
	pos
	WhereOnly bool
	Hints     []*Hint
	X         Expr
	Pattern   []Expr // *Literal strings, *Wildcard *, *Name or *TypedName columns
}

// ParseKvOp is parse-kv X as (schema) with (props).
type ParseKvOp struct {
	pos
	X      Expr
	Schema []*TypedName
	Props  []*NamedExpr
}

// SampleOp is sample N, or sample-distinct N of X.
type SampleOp struct {
	pos
	Hints []*Hint
	N     Expr
	Of    Expr // nil for sample
}

// TopHittersOp is top-hitters N of X by Y.
type TopHittersOp struct {
	pos
	N, Of, By Expr // By is nil when not given
}

// TopNestedOp is top-nested N of X with others=… by Agg, …, one clause a level.
type TopNestedOp struct {
	pos
	Levels []*TopNestedLevel
}

// TopNestedLevel is one level of top-nested.
type TopNestedLevel struct {
	pos
	N      Expr // nil when absent
	Of     Expr
	Others Expr
	By     Expr
	Dir    OrderDir
}

// MakeSeriesOp is make-series aggs on X from A to B step C by groups.
type MakeSeriesOp struct {
	pos
	Hints          []*Hint
	Aggs           []*SeriesAgg
	On             Expr
	From, To, Step Expr
	InRange        bool // the older in range(a, b, c) form
	Groups         []Expr
}

// SeriesAgg is one aggregate of make-series with its default.
type SeriesAgg struct {
	pos
	X       Expr // may be a NamedExpr
	Default Expr
}

// EvaluateOp is evaluate plugin(args) [: schema].
type EvaluateOp struct {
	pos
	Hints   []*Hint
	Call    *Call
	Schema  []*TypedName
	AnyCols bool // schema begins with *
	HasSchm bool
}

// InvokeOp is invoke f(args): the input is the function's first argument.
type InvokeOp struct {
	pos
	Call Expr // *Call, or *Path to one
}

// AsOp is as [hint.materialized=true] Name.
type AsOp struct {
	pos
	Hints []*Hint
	Name  *Name
}

// SearchOp is search [kind=…] [in (tables)] Pred.
type SearchOp struct {
	pos
	Hints  []*Hint
	Tables []Expr
	Pred   Expr
}

// FindOp is find [withsource=…] [in (tables)] where Pred [project cols].
type FindOp struct {
	pos
	Hints    []*Hint
	Tables   []Expr
	Pred     Expr
	Project  []Expr // names, typed names, calls of pack_all()
	Away     []Expr
	Smart    bool // project-smart
	PackRest bool // project …, pack(*)
}

// PartitionOp is partition [hint] by X (subquery) or { query }.
type PartitionOp struct {
	pos
	Hints []*Hint
	By    Expr
	Ops   []Op
	Query Expr // set for the { query } form
}

// ScanOp is scan … with (steps).
type ScanOp struct {
	pos
	Hints        []*Hint
	OrderBy      []*Ordered
	PartitionBy  []Expr
	Declarations []*Param
	Steps        []*ScanStep
}

// ScanStep is one step of scan.
type ScanStep struct {
	pos
	Name     *Name
	Optional bool
	Output   string // all, last, none, or ""
	Cond     Expr
	Assigns  []*NamedExpr // Name may be written step.column
}

// SerializeOp is serialize [Name = X, …].
type SerializeOp struct {
	pos
	Hints []*Hint
	Cols  []Expr
}

// RenderOp is render kind [with (props)]. It does not change rows.
type RenderOp struct {
	pos
	Kind  *Name
	Props []*NamedExpr
}

// GetSchemaOp is getschema.
type GetSchemaOp struct{ pos }

// ConsumeOp is consume.
type ConsumeOp struct {
	pos
	Hints []*Hint
}

func (*WhereOp) op()      {}
func (*ExtendOp) op()     {}
func (*ProjectOp) op()    {}
func (*SortOp) op()       {}
func (*TakeOp) op()       {}
func (*TopOp) op()        {}
func (*DistinctOp) op()   {}
func (*SummarizeOp) op()  {}
func (*CountOp) op()      {}
func (*JoinOp) op()       {}
func (*UnionOp) op()      {}
func (*PrintOp) op()      {}
func (*RangeOp) op()      {}
func (*MvExpandOp) op()   {}
func (*MvApplyOp) op()    {}
func (*ParseOp) op()      {}
func (*ParseKvOp) op()    {}
func (*SampleOp) op()     {}
func (*TopHittersOp) op() {}
func (*TopNestedOp) op()  {}
func (*MakeSeriesOp) op() {}
func (*EvaluateOp) op()   {}
func (*InvokeOp) op()     {}
func (*AsOp) op()         {}
func (*SearchOp) op()     {}
func (*FindOp) op()       {}
func (*PartitionOp) op()  {}
func (*ScanOp) op()       {}
func (*SerializeOp) op()  {}
func (*RenderOp) op()     {}
func (*GetSchemaOp) op()  {}
func (*ConsumeOp) op()    {}
