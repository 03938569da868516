package workspace

import (
	"database/sql/driver"
	"math"

	"picket/kql"
)

// block is rows, column by column, as an appender takes them.
type block struct {
	names   []string // of the columns, as SQL has them; nil: all of the table
	columns []column
	rows    int
}

// column is the values of a block in one column: texts, which are valid UTF-8, or
// numbers. The other is nil.
type column struct {
	texts   []string
	numbers []int64 // a bool is 0 or 1, a double its bits (IEEE 754)
	nulls   []int   // the rows that have NULL, ascending; a zero stands in their place
}

// newColumn returns an empty column of that type with room for n values.
func newColumn(t kql.Type, n int) column {
	switch t {
	case kql.String, kql.Dynamic, kql.Guid, kql.Decimal:
		return column{texts: make([]string, 0, n)}
	}
	return column{numbers: make([]int64, 0, n)}
}

// add puts v, which is of the column's type, behind the others; nil is NULL.
func (c *column) add(v driver.Value) {
	switch x := v.(type) {
	case string:
		c.texts = append(c.texts, x)
	case int64:
		c.numbers = append(c.numbers, x)
	case int32:
		c.numbers = append(c.numbers, int64(x))
	case float64:
		c.numbers = append(c.numbers, int64(math.Float64bits(x)))
	case bool:
		var n int64
		if x {
			n = 1
		}
		c.numbers = append(c.numbers, n)
	case nil:
		if c.nulls = append(c.nulls, len(c.texts)+len(c.numbers)); c.texts != nil {
			c.texts = append(c.texts, "")
		} else {
			c.numbers = append(c.numbers, 0)
		}
	}
}

// add puts a column behind the others.
func (b *block) add(name string, c column) {
	b.names = append(b.names, name)
	b.columns = append(b.columns, c)
}
