package kql

import "fmt"

// expr is a bound and lowered scalar expression.
type expr struct {
	sql string // a complete SQL expression, in parentheses where it needs them
	typ Type
	lit any  // the Go value when it is a constant: bool, int64, float64, string, Ticks (int64), a Type for typeof(t); nil otherwise
	dyn Type // for Dynamic, the element type when known from the value's making, else Unknown
}

// A function is a scalar function of KQL. Only what stands in the table can be
// called: nothing a query names reaches SQL unless an entry here writes it.
type function struct {
	name   string
	window bool  // needs its input's row order: the SQL is a window function over orderMark
	sigs   []sig // tried in order; the first that the arguments fit is taken
	// nullIn, when set, says that a NULL argument is handled by the template; otherwise too SQL's own rule holds.
	doc string // the title of Microsoft's page where it differs from "name()"
}

// sig is one signature of a function or aggregate.
type sig struct {
	args     []Type // Unknown accepts any type; numeric literals and dynamic convert as KQL does
	min      int    // how many arguments must be given; 0 means all of args
	variadic bool   // the last of args repeats
	result   Type   // Unknown means resultOf tells
	resultOf func(args []expr) Type
	sql      string                        // template with $1 … $9, each an argument's SQL
	lower    func(c *call) (string, error) // used where a template is not enough
}

// call is one use of a function while it is lowered.
type call struct {
	name string
	args []expr // converted to the signature's types
	now  Ticks  // the query's now()

	names   []string          // the column name each argument implies, "" for none
	columns []Column          // the input's columns, for pack_all(); nil where there is no input
	column  func(Column) expr // the expression that reads a column of the input
}

// constString returns the string constant that argument i must be.
func (c *call) constString(i int) (string, error) {
	if i < len(c.args) {
		if s, ok := c.args[i].lit.(string); ok {
			return s, nil
		}
	}
	return "", fmt.Errorf("%s(): argument %d must be a string constant", c.name, i+1)
}
