package kql

import "fmt"

// An aggregate is an aggregate function of KQL. Like [function] it is data: the
// binder finds it by name, takes the first signature the arguments fit, and asks
// result for the columns it yields.
type aggregate struct {
	name string
	sigs []sig // templates hold one DuckDB aggregate, with what stands around it
	// prefix names the result column where the query does not: prefix, "_" and
	// the name the first argument implies ("" when it implies none).
	prefix string
	// keep says that the result column is called like the first argument itself
	// (arg_max, take_any), which prefix then only does when that implies no name.
	keep bool
	// star says that * may stand as the last argument, for all columns of the
	// input that are neither grouped on nor arguments already.
	star bool
	// columns replaces the template where an aggregate yields several columns
	// or names them in its own way.
	columns func(c *call) ([]aggColumn, error)
}

// aggColumn is one result column of an aggregate.
type aggColumn struct {
	name string // as KQL names it when the query does not
	typ  Type
	sql  string // an expression over DuckDB aggregates of the input's columns
}

// orderMark stands in the templates of aggregates whose result has an order
// (make_list): summarize replaces it by an ORDER BY over its input's row order,
// or by nothing when the input has none.
const orderMark = "$order"

// result returns the columns that a yields for c, whose arguments fit s and
// were converted to its types.
func (a *aggregate) result(s *sig, c *call) ([]aggColumn, error) {
	if a.columns != nil {
		return a.columns(c)
	}
	q, typ, err := s.lowered(c)
	if err != nil {
		return nil, err
	}
	return []aggColumn{{a.columnName(c), typ, q}}, nil
}

// columnName returns the name KQL gives to the (first) column of a.
func (a *aggregate) columnName(c *call) string {
	n := c.argName(0)
	if a.keep && n != "" {
		return n
	}
	return a.prefix + "_" + n
}

// argName returns the column name that argument i implies, or "".
func (c *call) argName(i int) string {
	if i < len(c.names) {
		return c.names[i]
	}
	return ""
}

// lowered returns the SQL of c and its type by signature s.
func (s *sig) lowered(c *call) (string, Type, error) {
	typ := s.result
	if s.resultOf != nil {
		typ = s.resultOf(c.args)
	}
	if s.lower != nil {
		q, err := s.lower(c)
		if err != nil {
			return "", typ, fmt.Errorf("%s(): %w", c.name, err)
		}
		return q, typ, nil
	}
	return expand(s.sql, c.args), typ, nil
}
