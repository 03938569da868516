package workspace

import (
	"context"
	"fmt"
	"strings"
	"time"

	"picket/kql"
)

// createUsage makes the table of what was appended since the last full hour, in
// as many rows as it was written in.
const createUsage = `CREATE TABLE IF NOT EXISTS "$usage" (table_name VARCHAR, hour BIGINT, bytes BIGINT)`

// size is what the values count in Usage: a text its bytes, others 8, nothing 0.
func (c *column) size() (n int64) {
	for _, s := range c.texts {
		n += int64(len(s))
	}
	if c.texts == nil {
		n = 8 * int64(len(c.numbers)-len(c.nulls))
	}
	return n
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
	b := block{columns: []column{newColumn(kql.String, 0), newColumn(kql.Long, 0), newColumn(kql.Long, 0)}, rows: len(w.usage.bytes)}
	for key, n := range w.usage.bytes {
		b.columns[0].add(key.table)
		b.columns[1].add(key.hour)
		b.columns[2].add(n)
	}
	key := appenderKey{table: "$usage"}
	if err := w.put(key, &b); err != nil {
		return w.abort(err, false)
	}
	if err := w.appenders[key].flush(); err != nil {
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
	writes := []string{"TimeGenerated", "StartTime", "EndTime", "DataType", "Quantity", "QuantityUnit", "Solution", "IsBillable"}
	return db.send(ctx, request{table: "Usage", writes: writes, sql: []string{
		strings.NewReplacer("{now}", fmt.Sprint(now), "{hour}", fmt.Sprint(ticksOfHour), "{over}", fmt.Sprint(over), "{solution}", usageSolution, "{free}", usageFree, "{time}", quote(kql.IngestionTime), "{writes}", strings.Join(writes, ", ")).Replace(
			`INSERT INTO "Usage" ({time}, {writes})
			SELECT {now}, hour, hour, hour + {hour}, DataType, sum(bytes) / 1e6, 'MBytes', {solution}, NOT ({free})
			FROM (SELECT table_name AS DataType, hour, bytes FROM "$usage") WHERE hour < {over} GROUP BY DataType, hour ORDER BY hour, DataType`),
		fmt.Sprintf(`DELETE FROM "$usage" WHERE hour < %d`, over),
	}})
}
