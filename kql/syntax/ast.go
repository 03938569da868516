// Package syntax holds the grammar of the Kusto Query Language (KQL): tokens,
// lexer, syntax tree, parser, printer and diagnostics. It knows no table and
// no function; names and types are the business of package kql.
package syntax

// A Span is a half-open range of byte offsets in the query text.
// The zero Span stands for "no place".
type Span struct{ Start, End int }

// Node is implemented by every element of the syntax tree.
type Node interface{ Span() Span }

// pos is embedded by every node and gives it its place.
type pos struct{ S Span }

// Span returns the node's place in the query text.
func (p pos) Span() Span { return p.S }

// Query is a whole query text: statements separated by semicolons, of which
// the last is normally an [ExprStmt] that yields the result.
type Query struct {
	pos
	Stmts []Stmt
}

// Stmt is a statement: [LetStmt], [SetStmt], [DeclareStmt], [PatternStmt],
// [AliasStmt], [RestrictStmt] or [ExprStmt].
type Stmt interface {
	Node
	stmt()
}

// LetStmt binds a name to a scalar, a tabular expression or a function:
// let Name = Value.
type LetStmt struct {
	pos
	Name  *Name
	Value Expr // *Lambda for functions
}

// SetStmt sets a request property: set Name [= Value].
type SetStmt struct {
	pos
	Name  *Name
	Value Expr // nil when absent
}

// DeclareStmt is declare query_parameters(a:type = default, …).
type DeclareStmt struct {
	pos
	Params []*Param
}

// PatternStmt is declare pattern Name = (params)[path] { rules }. It prints as
// it was written. Without rules it only announces the name.
type PatternStmt struct {
	pos
	Text   string
	Name   *Name
	Params []*Param
	Rules  []*PatternRule
}

// PatternRule is one rule of a pattern: (args).[path] = { body }.
type PatternRule struct {
	pos
	Args []Expr
	Path Expr // nil when the pattern has no path
	Body []Stmt
}

// AliasStmt is alias database Name = Value.
type AliasStmt struct {
	pos
	Name  *Name
	Value Expr
}

// RestrictStmt is restrict access to (a, b).
type RestrictStmt struct {
	pos
	Items []Expr
}

// ExprStmt is an expression, tabular or scalar, that stands as a statement.
type ExprStmt struct {
	pos
	X Expr
}

func (*LetStmt) stmt()      {}
func (*SetStmt) stmt()      {}
func (*DeclareStmt) stmt()  {}
func (*PatternStmt) stmt()  {}
func (*AliasStmt) stmt()    {}
func (*RestrictStmt) stmt() {}
func (*ExprStmt) stmt()     {}

// Expr is an expression. Tabular and scalar expressions share one grammar
// (as in KQL itself); the binder tells them apart.
type Expr interface {
	Node
	expr()
}

// Name is an identifier or a bracketed name: Foo, ['a b'], ["a b"].
// Text is the name without brackets and quotes.
type Name struct {
	pos
	Text   string
	Quoted bool // written ['…'] or ["…"]
}

// Wildcard is a name with * in it (project-away a*, union T*), or * alone.
type Wildcard struct {
	pos
	Pattern string
}

// LitKind says which type of literal a [Literal] is.
type LitKind int

// The kinds of literals. Null literals such as int(null) keep their kind and set Null.
const (
	LitBool LitKind = iota
	LitInt
	LitLong
	LitReal
	LitDecimal
	LitString
	LitDateTime
	LitTimeSpan
	LitGuid
)

// Literal is a constant of any type but dynamic. Text holds the normalised
// source: strings are unescaped; typed literals (datetime(…), guid(…), 1d) hold
// what stands between the parentheses, or the number with its unit, trimmed.
type Literal struct {
	pos
	Kind LitKind
	Text string
	Null bool

	Hidden bool // an obfuscated string, h"…", which must not be shown
}

// Dynamic is a dynamic(…) literal. Value is a tree of *Literal, *DynArray,
// *DynObject, or nil for dynamic(null).
type Dynamic struct {
	pos
	Value Expr
}

// DynArray is an array inside a dynamic literal.
type DynArray struct {
	pos
	Items []Expr // nil items are JSON null
}

// DynObject is a property bag inside a dynamic literal. Keys keep their order.
type DynObject struct {
	pos
	Keys   []string
	Values []Expr // nil values are JSON null
}

// Unary is -X or +X.
type Unary struct {
	pos
	Op Kind // SUB, ADD
	X  Expr
}

// Binary is X Op Y. Op is the token kind of the operator; KQL's word operators
// (has, !startswith_cs, matches regex, …) have kinds of their own.
type Binary struct {
	pos
	Op    Kind
	OpPos Span
	X, Y  Expr
}

// In is X in (a, b, …), and its variants in~, !in, !in~, has_any, has_all.
// A list with one tabular or dynamic element is for the binder to recognise.
type In struct {
	pos
	Op    Kind
	OpPos Span
	X     Expr
	List  []Expr
}

// Between is X between (Lo .. Hi), or !between when Not is set.
type Between struct {
	pos
	Not       bool
	OpPos     Span
	X, Lo, Hi Expr
}

// Call is Func(args…). Count() in an aggregate position is a Call too.
type Call struct {
	pos
	Func *Name
	Args []Expr // NamedExpr for named arguments, Wildcard for *
}

// Path is X.Name: member access on a dynamic value, or $left.Name, or
// database("x").Table.
type Path struct {
	pos
	X    Expr
	Name Expr // *Name, *Call (cluster("c").database("d")) or *Wildcard
}

// Index is X[Index].
type Index struct {
	pos
	X     Expr
	Index Expr
}

// Paren is (X). It is kept because it can hold a whole tabular expression.
type Paren struct {
	pos
	X Expr
}

// NamedExpr is Name = X, or (A, B) = X with several names.
type NamedExpr struct {
	pos
	Names []*Name
	X     Expr
}

// TypedName is Name:Type, as in schemas, parse patterns and mv-expand's to typeof.
type TypedName struct {
	pos
	Name *Name
	Type *Name
}

// Param is a parameter of a lambda or of declare query_parameters.
type Param struct {
	pos
	Name    *Name
	Type    *Name        // nil for tabular parameters
	Schema  []*TypedName // columns of a tabular parameter
	AnyCols bool         // T:(*)
	Default Expr         // nil when absent
}

// Tabular reports whether the parameter is a table: T:(…).
func (p *Param) Tabular() bool { return p.Type == nil }

// Lambda is [view] (params) { statements; expression }.
type Lambda struct {
	pos
	View   bool
	Params []*Param
	Body   []Stmt
}

// DataTable is datatable(a:string, b:long)[v, v, …].
type DataTable struct {
	pos
	Hints  []*Hint
	Schema []*TypedName
	Values []Expr
}

// ExternalData is externaldata(schema)[uris] with (properties).
type ExternalData struct {
	pos
	Schema []*TypedName
	URIs   []Expr
	Props  []*NamedExpr
}

// Materialize is not a node: materialize(…), toscalar(…) and view() are plain
// calls with one tabular argument.

// Pipe is Source | Op | Op …, flattened.
type Pipe struct {
	pos
	Source Expr // a *Name, *Call, *Paren, *DataTable, or a *SourceOp
	Ops    []Op
}

// SourceOp is an operator that begins a pipeline: print, range, union, search,
// find, datatable's siblings. Op is the operator itself.
type SourceOp struct {
	pos
	Op Op
}

// Bad stands where the parser found nothing it could understand. Everything
// in its span was skipped; a diagnostic says why.
type Bad struct{ pos }

func (*Name) expr()         {}
func (*Wildcard) expr()     {}
func (*Literal) expr()      {}
func (*Dynamic) expr()      {}
func (*DynArray) expr()     {}
func (*DynObject) expr()    {}
func (*Unary) expr()        {}
func (*Binary) expr()       {}
func (*In) expr()           {}
func (*Between) expr()      {}
func (*Call) expr()         {}
func (*Path) expr()         {}
func (*Index) expr()        {}
func (*Paren) expr()        {}
func (*NamedExpr) expr()    {}
func (*TypedName) expr()    {}
func (*Lambda) expr()       {}
func (*DataTable) expr()    {}
func (*ExternalData) expr() {}
func (*Pipe) expr()         {}
func (*SourceOp) expr()     {}
func (*Bad) expr()          {}
