package workspace

import (
	"context"
	"strings"

	"picket/kql"
)

// Plan returns DuckDB's plan for a compiled query, as a drawing in text.
func (db *DB) Plan(ctx context.Context, q *kql.Query) (string, error) {
	rows, err := db.pool.QueryContext(ctx, "EXPLAIN "+q.SQL)
	if err != nil {
		return "", db.runError(ctx, err)
	}
	defer rows.Close()
	var b strings.Builder
	for rows.Next() {
		var kind, plan string
		if err := rows.Scan(&kind, &plan); err != nil {
			return "", db.runError(ctx, err)
		}
		b.WriteString(plan)
	}
	return b.String(), rows.Err()
}
