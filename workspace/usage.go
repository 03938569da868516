package workspace

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"

	"picket/kql"
)

// createUsage makes the table of what was appended since the last full hour: one
// row for a table and a transaction, in that transaction.
const createUsage = `CREATE TABLE IF NOT EXISTS "$usage" (table_name VARCHAR, hour BIGINT, bytes BIGINT)`

// sizeOf is what a value counts in Usage: a text its bytes, others 8, nothing 0.
func sizeOf(v driver.Value) int64 {
	switch x := v.(type) {
	case nil:
		return 0
	case string:
		return int64(len(x))
	}
	return 8
}

// noteUsage records in the transaction under way what it appends to tables.
func (w *writer) noteUsage(bytes map[string]int64) error {
	if len(bytes) == 0 {
		return nil
	}
	hour := kql.TicksOf(w.db.now()) / ticksOfHour * ticksOfHour
	key := appenderKey{table: "$usage"}
	a, err := w.appender(key, nil)
	if err != nil {
		return err
	}
	for table, n := range bytes {
		if err := a.AppendRow(table, hour, n); err != nil {
			return fmt.Errorf("usage of %s: %w", table, err)
		}
	}
	return a.Flush()
}

// usageSolution and usageFree are what Usage says of tables: the solution they
// belong to, and those whose data costs nothing in Azure ("Azure Monitor Logs cost
// calculations and options", "Plan costs and understand Microsoft Sentinel pricing").
const (
	usageSolution = `CASE WHEN DataType LIKE 'Security%' OR DataType = 'SentinelHealth' THEN 'SecurityInsights' WHEN DataType = 'CommonSecurityLog' THEN 'Security' ELSE 'LogManagement' END`
	usageFree     = `DataType IN ('Heartbeat', 'Usage', 'Operation', 'AzureActivity', 'SecurityAlert', 'SecurityIncident', 'SentinelHealth')`
)

// WriteUsage writes the rows of Usage for the hours that are over, one for each
// table that had data, once whatever happens: what was appended is counted in the
// transaction that appends it, and taken over in one transaction.
func (db *DB) WriteUsage(ctx context.Context) error {
	now := kql.TicksOf(db.now())
	over := now / ticksOfHour * ticksOfHour
	var some bool
	if err := db.pool.QueryRowContext(ctx, `SELECT count(*) > 0 FROM "$usage" WHERE hour < ?`, over).Scan(&some); err != nil || !some {
		return err
	}
	return db.send(ctx, request{sql: []string{
		strings.NewReplacer("{now}", fmt.Sprint(now), "{hour}", fmt.Sprint(ticksOfHour), "{over}", fmt.Sprint(over), "{solution}", usageSolution, "{free}", usageFree, "{time}", quote(kql.IngestionTime)).Replace(
			`INSERT INTO "Usage" ({time}, TimeGenerated, StartTime, EndTime, DataType, Quantity, QuantityUnit, Solution, IsBillable)
			SELECT {now}, hour, hour, hour + {hour}, DataType, sum(bytes) / 1e6, 'MBytes', {solution}, NOT ({free})
			FROM (SELECT table_name AS DataType, hour, bytes FROM "$usage") WHERE hour < {over} GROUP BY DataType, hour ORDER BY hour, DataType`),
		fmt.Sprintf(`DELETE FROM "$usage" WHERE hour < %d`, over),
	}})
}
