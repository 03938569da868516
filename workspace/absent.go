package workspace

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"

	"picket/kql"
)

// Tables of Sentinel have up to some hundred columns, of which a source fills a few.
// DuckDB would write the others row by row all the same: for Syslog a tenth of the
// work of taking in, for CommonSecurityLog most of it. So a column is absent until a
// row has something in it: DuckDB computes it when it is asked, and stores nothing.

// absentSQL is an absent column's type and what it holds.
func (db *DB) absentSQL(t kql.Table, c kql.Column) string {
	typ := c.Type.SQL()
	if c.Type != kql.String {
		return typ + " GENERATED ALWAYS AS (NULL::" + typ + ")"
	}
	return fmt.Sprintf("%s GENERATED ALWAYS AS ('%s')", typ, db.blank(&t, c))
}

// mayBeAbsent reports whether rows can be without a value in c. A dynamic column is
// always stored: DuckDB 1.5 cannot replay its log where a table with a generated
// column of type JSON was altered ("no default database set").
func mayBeAbsent(c kql.Column) bool { return c.Name != "TimeGenerated" && c.Type != kql.Dynamic }

// absentOf returns the columns of a table that are absent, as SQL has them.
func (db *DB) absentOf(table string) map[string]bool {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.absent[table]
}

// store has a table store the columns that are absent among those named in SQL.
func (w *writer) store(table string, names []string) (err error) {
	absent := w.db.absentOf(table)
	var list []string
	for _, id := range names {
		if absent[id] {
			list = append(list, id)
		}
	}
	t, ok := w.db.Table(table)
	if len(list) == 0 || !ok {
		return nil
	}
	columns := map[string]kql.Column{}
	for i, id := range kql.Identifiers(t.Columns) {
		columns[id] = t.Columns[i]
	}
	w.dropAppenders() // those of this table know the old columns only
	if err := exec(w.conn, "BEGIN"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("table %s: %w", table, err), exec(w.conn, "ROLLBACK"))
		}
	}()
	left := maps.Clone(absent)
	for _, id := range list {
		delete(left, id)
		for _, s := range []string{"DROP COLUMN " + quote(id), "ADD COLUMN " + quote(id) + " " + w.db.columnSQL(*t, columns[id])} {
			if err := exec(w.conn, "ALTER TABLE "+quote(table)+" "+s); err != nil {
				return err
			}
		}
		if err := exec(w.conn, `UPDATE "$column" SET stored = true WHERE table_name = ? AND name = ?`,
			driver.NamedValue{Ordinal: 1, Value: table}, driver.NamedValue{Ordinal: 2, Value: columns[id].Name}); err != nil {
			return err
		}
	}
	if err := exec(w.conn, "COMMIT"); err != nil {
		return err
	}
	w.db.setAbsent(table, left)
	return nil
}

func (db *DB) setAbsent(table string, columns map[string]bool) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.absent[table] = columns
}
