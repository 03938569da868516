package kql

// aggColumn is one result column of an aggregate.
type aggColumn struct {
	name   string // as KQL names it when the query does not
	typ    Type
	sql    string // an expression over DuckDB aggregates of the input's columns
	scaled bool   // see keepsScale
}

// aggregate lowers a call of the aggregate f. The arguments may still be of
// other types than f's signatures ask for; names are what each of them implies
// as a column name, "" for none.
func (f *function) aggregate(args []expr, names []string, now Ticks) ([]aggColumn, error) {
	s, conv, err := f.match(args)
	if err != nil {
		return nil, err
	}
	c := &call{name: f.name, args: conv, names: names, now: now}
	if f.columns != nil {
		return f.columns(c)
	}
	e, err := s.lowered(c)
	if err != nil {
		return nil, err
	}
	return []aggColumn{{name: f.autoName(c), typ: e.typ, sql: e.sql}}, nil
}

// autoName returns the name KQL gives to the (first) result column of f.
func (f *function) autoName(c *call) string {
	n := c.argName(0)
	if f.keep && (n != "" || f.columns == nil) {
		return n
	}
	if f.auto != "" {
		return f.auto + "_" + n
	}
	return f.name + "_" + n
}

// argName returns the column name that argument i implies, or "".
func (c *call) argName(i int) string {
	if i < len(c.names) {
		return c.names[i]
	}
	return ""
}

// lowered returns a call of an aggregate by signature s. An aggregate's argument
// is not bound by a lambda, inside of which no aggregate can stand.
func (s *sig) lowered(c *call) (expr, error) {
	e := expr{typ: s.result}
	if s.result == Unknown && s.resultOf != nil {
		e.typ = s.resultOf(c.args)
	}
	if s.lower == nil {
		sql := make([]string, len(c.args))
		for i, a := range c.args {
			sql[i] = a.sql
		}
		e.sql = substitute(s.sql, sql)
		return e, nil
	}
	var err error
	e.sql, err = s.lower(c)
	return e, err
}
