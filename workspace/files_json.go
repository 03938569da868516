package workspace

import (
	"context"
	"fmt"
	"strings"

	"picket/kql"
)

// jsonSource reads JSON objects: one after the other, one a line, or in one
// array. Every key that occurs is a column. What is nested stays as it is, as
// dynamic, and so does a column whose values are of different kinds.
func (l *loader) jsonSource(ctx context.Context, f File) (*source, error) {
	options := ""
	if f.Format == "ndjson" {
		options = ", format='newline_delimited'"
	}
	if l.skipBad {
		options = ", format='newline_delimited', ignore_errors=true"
	}
	objects := "read_json_objects(" + sqlPaths(f.Paths) + options + ")"
	if err := l.checkObjects(ctx, f, objects); err != nil {
		return nil, err
	}
	cols, names, err := l.jsonColumns(ctx, objects)
	if err != nil {
		return nil, err
	}
	// One look into each object takes all values out of it. A JSON pointer (RFC
	// 6901) can name any key.
	pointers := make([]string, len(names))
	for i, n := range names {
		pointers[i] = "'" + pointer(n) + "'"
		cols[i].index = i + 1
	}
	src := &source{sql: "(SELECT json_extract(json, [" + strings.Join(pointers, ", ") + "]) AS v FROM " + objects + " WHERE json IS NOT NULL)"}
	for i, c := range cols {
		src.columns = append(src.columns, kql.Column{Name: names[i], Type: c.kind})
		src.exprs = append(src.exprs, c.expr())
	}
	return src, nil
}

// pointer is the JSON pointer of a key, as SQL text.
func pointer(key string) string {
	return "/" + strings.NewReplacer("~", "~0", "/", "~1", "'", "''").Replace(key)
}

// checkObjects refuses what is JSON but no object, and notes what was skipped.
func (l *loader) checkObjects(ctx context.Context, f File, objects string) error {
	var odd string
	var bad int64
	err := l.conn.QueryRowContext(ctx, `SELECT coalesce(any_value(json_type(json)) FILTER (json_type(json) <> 'OBJECT'), ''), count(*) FILTER (json IS NULL) FROM `+objects).Scan(&odd, &bad)
	if err != nil {
		return readError(err)
	}
	if odd != "" {
		return fmt.Errorf("%s: there is a JSON %s where an object was expected, as in {\"ip\":\"192.0.2.1\"}", strings.Join(f.Paths, ", "), strings.ToLower(odd))
	}
	if bad > 0 {
		l.db.skipped = append(l.db.skipped, Skipped{Table: f.Table, Records: bad, Why: "no JSON"})
	}
	return nil
}

// jsonColumn is a key of the objects, and the type of its values.
type jsonColumn struct {
	kind  kql.Type
	index int
	conv  string // of a text type; else ""
}

// expr is the SQL that takes the value out of v, the list of all values.
func (c *jsonColumn) expr() string {
	value := fmt.Sprintf("v[%d]", c.index)
	text := "(" + value + "->>'$')"
	switch {
	case c.conv != "":
		return strings.ReplaceAll(c.conv, "$1", text)
	case c.kind == kql.String:
		return "coalesce(" + text + ", '')"
	case c.kind == kql.Dynamic:
		return "nullif(" + value + "::VARCHAR, 'null')::JSON"
	}
	return text + "::" + c.kind.SQL()
}

// jsonColumns finds the keys, in the order in which they first occur, and their
// types. A number is a number only where JSON says so; text is looked at for
// datetimes and timespans.
func (l *loader) jsonColumns(ctx context.Context, objects string) (cols []*jsonColumn, names []string, err error) {
	var texts []textType
	tests := []string{
		"bool_and(type = 'BOOLEAN')",
		"bool_and(type IN ('BIGINT', 'UBIGINT') AND TRY_CAST(text AS BIGINT) IS NOT NULL)",
		"bool_and(type IN ('BIGINT', 'UBIGINT', 'DOUBLE'))",
		"bool_and(type = 'VARCHAR')",
	}
	for _, t := range textTypes() {
		if t.kind == kql.DateTime || t.kind == kql.TimeSpan {
			texts = append(texts, t)
			tests = append(tests, "bool_and(type = 'VARCHAR' AND coalesce("+strings.ReplaceAll(t.test, "$1", "text")+", false))")
		}
	}
	for i := range tests {
		tests[i] = "coalesce(" + tests[i] + " FILTER (type <> 'NULL'), false)"
	}
	rows, err := l.conn.QueryContext(ctx, `SELECT key, `+strings.Join(tests, ", ")+` FROM (
		SELECT n, e.id, e.key, e.type, e.atom->>'$' AS text FROM (SELECT json, row_number() OVER () AS n FROM `+objects+`) o, json_each(o.json) e)
		GROUP BY key ORDER BY min(n), min(id)`)
	if err != nil {
		return nil, nil, readError(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		is := make([]bool, len(tests))
		dest := []any{&name}
		for i := range is {
			dest = append(dest, &is[i])
		}
		if err := rows.Scan(dest...); err != nil {
			return nil, nil, err
		}
		c := &jsonColumn{kind: kql.Dynamic}
		switch {
		case is[0]:
			c.kind = kql.Bool
		case is[1]:
			c.kind = kql.Long
		case is[2]:
			c.kind = kql.Real
		case is[3]:
			c.kind = kql.String
		}
		for i, t := range texts {
			if is[4+i] && c.kind == kql.String {
				c.kind, c.conv = t.kind, t.conv
			}
		}
		cols, names = append(cols, c), append(names, name)
	}
	return cols, names, rows.Err()
}
