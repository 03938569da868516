package workspace

import (
	"context"
	"errors"
	"fmt"
	"time"

	"picket/kql"
)

// Retention says for how long rows stay: days since they were taken in. It is not
// their TimeGenerated that counts, so that a sender's wrong clock neither keeps
// rows for ever nor has them deleted at once.
type Retention struct {
	Days   int            // of tables that are not named; 0 is for ever
	Tables map[string]int // days by table; 0 is for ever
}

func (r Retention) of(table string) int {
	if days, ok := r.Tables[table]; ok {
		return days
	}
	return r.Days
}

const (
	// sliceRows is how many rows at the most are deleted in one transaction: while
	// it lasts nothing is written.
	sliceRows = 2 * maxGroup
	// idDays is how long the ids of batches are remembered.
	idDays = 7

	ticksOfHour = 36_000_000_000
	ticksOfDay  = 24 * ticksOfHour
)

// Maintain writes the Usage of each hour that is over and, once an hour, deletes
// what has been kept long enough, until ctx ends. What fails is tried again.
func (db *DB) Maintain(ctx context.Context) error {
	tick := time.NewTicker(time.Minute)
	defer tick.Stop()
	for minute := 1; ; minute++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		err := db.WriteUsage(ctx)
		if minute%60 == 0 {
			err = errors.Join(err, db.Retain(ctx))
		}
		if err != nil && ctx.Err() == nil {
			db.log.Error("maintenance of the workspace", "err", err)
		}
	}
}

// Retain deletes the rows of all tables that are older than the [Retention], and
// the ids of batches older than a week. It goes slice by slice, oldest first, so
// that appends wait for a slice at the most. DuckDB uses the space again for new
// rows; the file does not become smaller.
func (db *DB) Retain(ctx context.Context) error {
	now := kql.TicksOf(db.now())
	var errs []error
	for _, name := range db.Tables() {
		t, ok := db.Table(name)
		days := db.retention.of(name)
		if !ok || !t.Hidden || days <= 0 {
			continue
		}
		n, err := db.deleteBefore(ctx, name, now-int64(days)*ticksOfDay)
		if err != nil {
			errs = append(errs, fmt.Errorf("retention of table %s: %w", name, err))
		}
		if n > 0 {
			db.log.Info("rows deleted after their time", "table", name, "rows", n, "days", days)
		}
	}
	forget := fmt.Sprintf(`DELETE FROM "$batch" WHERE seen < %d`, now-idDays*ticksOfDay)
	return errors.Join(append(errs, db.send(ctx, request{sql: []string{forget}}))...)
}

// deleteBefore deletes the rows of a table that were taken in before that time.
func (db *DB) deleteBefore(ctx context.Context, table string, before int64) (deleted int64, err error) {
	for ctx.Err() == nil {
		to, n, err := db.oldest(ctx, table, before)
		if err != nil || n == 0 {
			return deleted, err
		}
		sql := fmt.Sprintf("DELETE FROM %s WHERE %s < %d", quote(table), quote(kql.IngestionTime), to)
		if err := db.send(ctx, request{sql: []string{sql}}); err != nil {
			return deleted, err
		}
		deleted += n
	}
	return deleted, ctx.Err()
}

// oldest returns how many rows were taken in before the time to, which is before
// if they are few, and else so early that they are.
func (db *DB) oldest(ctx context.Context, table string, before int64) (to, n int64, err error) {
	query := fmt.Sprintf("SELECT count(*), coalesce(min(%[1]s), 0) FROM %[2]s WHERE %[1]s < ?", quote(kql.IngestionTime), quote(table))
	var first int64
	for to = before; ; to = first + (to-first)/2 {
		if err := db.pool.QueryRowContext(ctx, query, to).Scan(&n, &first); err != nil {
			return 0, 0, err
		}
		if n <= sliceRows || to-first <= 1 { // one batch has one time
			return to, n, nil
		}
	}
}
