package workspace

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"picket"
	"picket/kql"
)

// sidePrefix begins the names of side tables, which no table of KQL can have.
const sidePrefix = "$side_"

// AddSide makes a side table and returns its name. It is a table of its rows
// alone, written once: what a watchlist holds, or external data. Queries find it
// by its name, but [DB.Tables] does not list it. Values are as [Result.Rows] has
// them. It is there when AddSide returns, all of it or, after an error, nothing.
func (db *DB) AddSide(ctx context.Context, columns []kql.Column, rows [][]any) (name string, err error) {
	if len(columns) == 0 {
		return "", picket.Errorf(picket.Invalid, "a table needs a column")
	}
	t := &kql.Table{Name: sidePrefix + strings.ReplaceAll(uuid.NewString(), "-", ""), Columns: columns}
	b := block{names: kql.Identifiers(columns), rows: len(rows)}
	for _, c := range columns {
		b.columns = append(b.columns, newColumn(c.Type, len(rows)))
	}
	for i, row := range rows {
		if len(row) != len(columns) {
			return "", picket.Errorf(picket.Invalid, "row %d has %d values for %d columns", i+1, len(row), len(columns))
		}
		for j, v := range row {
			if v, err = sideValue(v, columns[j].Type); err != nil {
				return "", picket.Errorf(picket.Invalid, "row %d, column %s: %w", i+1, columns[j].Name, err)
			}
			b.columns[j].add(v)
		}
	}
	if err := db.send(ctx, request{side: t, rows: b}); err != nil {
		return "", err
	}
	return t.Name, nil
}

// sideValue turns a value of a result into what DuckDB holds for type t.
func sideValue(v any, t kql.Type) (driver.Value, error) {
	switch x := v.(type) {
	case nil:
		if t == kql.String {
			return "", nil
		}
		return nil, nil
	case int64:
		switch t {
		case kql.Int, kql.Long, kql.DateTime, kql.TimeSpan:
			return x, nil
		case kql.Real:
			return float64(x), nil
		}
	case float64:
		if t == kql.Real {
			return x, nil
		}
	case bool:
		if t == kql.Bool {
			return x, nil
		}
	case string:
		switch t {
		case kql.String, kql.Guid, kql.Decimal:
			return cleanText(x), nil
		case kql.Dynamic:
			return dynamic(json.RawMessage(x))
		}
	}
	return nil, fmt.Errorf("a %T does not fit type %s", v, t)
}

// DropSide removes a side table. One that is not there is no error.
func (db *DB) DropSide(ctx context.Context, name string) error {
	if _, ok := db.Table(name); !ok || !strings.HasPrefix(name, sidePrefix) {
		return nil
	}
	return db.send(ctx, request{drop: name})
}

// Sides returns the names of all side tables.
func (db *DB) Sides() []string {
	db.mu.RLock()
	defer db.mu.RUnlock()
	var names []string
	for n := range db.sides {
		names = append(names, n)
	}
	return names
}

// addSide makes and fills a side table in one transaction.
func (w *writer) addSide(t kql.Table, rows *block) (err error) {
	if err := exec(w.conn, "BEGIN"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("make a table: %w", err), exec(w.conn, "ROLLBACK"))
		}
	}()
	defs := make([]string, len(rows.names))
	var args []driver.NamedValue
	for i, c := range t.Columns {
		defs[i] = quote(rows.names[i]) + " " + c.Type.SQL()
		for _, v := range []any{t.Name, int64(i), c.Name, c.Type.String()} {
			args = append(args, driver.NamedValue{Ordinal: len(args) + 1, Value: v})
		}
	}
	if err := exec(w.conn, "CREATE TABLE "+quote(t.Name)+" ("+strings.Join(defs, ", ")+")"); err != nil {
		return err
	}
	places := strings.TrimSuffix(strings.Repeat("(?, ?, ?, ?), ", len(t.Columns)), ", ")
	if err := exec(w.conn, `INSERT INTO "$column" (table_name, ordinal, name, type) VALUES `+places, args...); err != nil {
		return err
	}
	if err := appendTo(w.conn, t.Name, rows); err != nil {
		return err
	}
	if err := exec(w.conn, "COMMIT"); err != nil {
		return err
	}
	w.db.mu.Lock()
	defer w.db.mu.Unlock()
	w.db.sides[t.Name] = &t
	return nil
}

// dropSide removes a side table.
func (w *writer) dropSide(name string) (err error) {
	w.db.mu.Lock()
	delete(w.db.sides, name)
	w.db.mu.Unlock()
	if err := exec(w.conn, "BEGIN"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("drop a table: %w", err), exec(w.conn, "ROLLBACK"))
		}
	}()
	if err := exec(w.conn, "DROP TABLE IF EXISTS "+quote(name)); err != nil {
		return err
	}
	if err := exec(w.conn, `DELETE FROM "$column" WHERE table_name = ?`, driver.NamedValue{Ordinal: 1, Value: name}); err != nil {
		return err
	}
	return exec(w.conn, "COMMIT")
}
