package workspace

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/duckdb/duckdb-go/v2"
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
	values := make([][]driver.Value, len(rows))
	for i, row := range rows {
		if values[i], err = sideRow(columns, row); err != nil {
			return "", picket.Errorf(picket.Invalid, "row %d: %w", i+1, err)
		}
	}
	if err := db.send(ctx, request{side: t, rows: values}); err != nil {
		return "", err
	}
	return t.Name, nil
}

// sideRow turns a row into what DuckDB holds.
func sideRow(columns []kql.Column, row []any) ([]driver.Value, error) {
	if len(row) != len(columns) {
		return nil, fmt.Errorf("it has %d values for %d columns", len(row), len(columns))
	}
	out := make([]driver.Value, len(row))
	for i, v := range row {
		var err error
		switch x := v.(type) {
		case nil:
			if columns[i].Type == kql.String {
				out[i] = ""
			}
			continue
		case int64:
			if out[i] = x; columns[i].Type == kql.Int {
				out[i] = int32(x)
			}
		case string:
			if out[i] = cleanText(x); columns[i].Type == kql.Dynamic {
				out[i], err = dynamic(json.RawMessage(x))
			}
		default:
			out[i] = x
		}
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", columns[i].Name, err)
		}
	}
	return out, nil
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
func (w *writer) addSide(t kql.Table, rows [][]driver.Value) (err error) {
	if err := exec(w.conn, "BEGIN"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("make a table: %w", err), exec(w.conn, "ROLLBACK"))
		}
	}()
	ids := kql.Identifiers(t.Columns)
	defs := make([]string, len(ids))
	var args []driver.NamedValue
	for i, c := range t.Columns {
		defs[i] = quote(ids[i]) + " " + c.Type.SQL()
		for _, v := range []any{t.Name, int64(i), c.Name, c.Type.String()} {
			args = append(args, driver.NamedValue{Ordinal: len(args) + 1, Value: v})
		}
	}
	if err := exec(w.conn, "CREATE TABLE "+quote(t.Name)+" ("+strings.Join(defs, ", ")+")"); err != nil {
		return err
	}
	places := strings.TrimSuffix(strings.Repeat("(?, ?, ?, ?), ", len(t.Columns)), ", ")
	if err := exec(w.conn, `INSERT INTO "$column" VALUES `+places, args...); err != nil {
		return err
	}
	if err := w.fill(t, rows); err != nil {
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

// fill appends rows to a new table.
func (w *writer) fill(t kql.Table, rows [][]driver.Value) error {
	columns := slices.Clone(t.Columns)
	for i, id := range kql.Identifiers(t.Columns) {
		columns[i].Name = id
	}
	a, err := textAppender(w.conn, t.Name, columns)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if err := a.AppendRow(row...); err != nil {
			return errors.Join(err, a.Clear(), a.Close())
		}
	}
	return a.Close()
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

// textAppender returns an appender that gives DuckDB text for the columns whose
// types the driver would encode anew. The columns have their names in SQL.
func textAppender(conn driver.Conn, table string, columns []kql.Column) (*duckdb.Appender, error) {
	kinds := map[kql.Type]duckdb.Type{kql.Bool: duckdb.TYPE_BOOLEAN, kql.Int: duckdb.TYPE_INTEGER, kql.Long: duckdb.TYPE_BIGINT,
		kql.Real: duckdb.TYPE_DOUBLE, kql.DateTime: duckdb.TYPE_BIGINT, kql.TimeSpan: duckdb.TYPE_BIGINT}
	var types []duckdb.TypeInfo
	var names []string
	for _, c := range columns {
		names = append(names, quote(c.Name))
		kind, ok := kinds[c.Type]
		if !ok {
			kind = duckdb.TYPE_VARCHAR
		}
		info, err := duckdb.NewTypeInfo(kind)
		if err != nil {
			return nil, err
		}
		types = append(types, info)
	}
	return duckdb.NewQueryAppender(conn, "INSERT INTO "+quote(table)+" ("+strings.Join(names, ", ")+") SELECT * FROM appended_data", "", types, nil)
}
