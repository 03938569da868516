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
