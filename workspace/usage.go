package workspace

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"
	"time"

	"picket/kql"
)

// createUsage makes the table of what was appended since the last full hour, in
// as many rows as it was written in.
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

// usage is what was appended and is not yet in the table $usage: at the most that
// of a second, unless nothing more comes. A kill -9 forgets it.
type usage struct {
	bytes   map[usageKey]int64
	flushed time.Time
}

type usageKey struct {
	table string
	hour  int64 // ticks
}

func (u *usage) add(table string, now time.Time, bytes int64) {
	if u.bytes == nil {
		u.bytes = map[usageKey]int64{}
	}
	u.bytes[usageKey{table, kql.TicksOf(now) / ticksOfHour * ticksOfHour}] += bytes
}

// due flushes what waits for a second.
func (u *usage) due(flush func() error) error {
	if time.Since(u.flushed) < time.Second {
		return nil
	}
	u.flushed = time.Now()
	return flush()
}

// flushUsage writes what was counted.
func (w *writer) flushUsage() error {
	if len(w.usage.bytes) == 0 {
		return nil
	}
	a, err := w.appender(appenderKey{table: "$usage"}, nil)
	if err != nil {
		return err
	}
	for key, n := range w.usage.bytes {
		if err := a.AppendRow(key.table, key.hour, n); err != nil {
			return w.abort(err, false)
		}
	}
	if err := a.Flush(); err != nil {
		return w.abort(err, false)
	}
	clear(w.usage.bytes)
	return nil
}

// usageSolution and usageFree are what Usage says of tables: the solution they
// belong to, and those whose data costs nothing in Azure ("Azure Monitor Logs cost
// calculations and options", "Plan costs and understand Microsoft Sentinel pricing").
const (
	usageSolution = `CASE WHEN DataType LIKE 'Security%' OR DataType = 'SentinelHealth' THEN 'SecurityInsights' WHEN DataType = 'CommonSecurityLog' THEN 'Security' ELSE 'LogManagement' END`
	usageFree     = `DataType IN ('Heartbeat', 'Usage', 'Operation', 'AzureActivity', 'SecurityAlert', 'SecurityIncident', 'SentinelHealth')`
)

// WriteUsage writes the rows of Usage for the hours that are over, one for each
// table that had data, once whatever happens.
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
