package workspace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"picket/kql"
)

// loadCatalog reads the tables' definitions, which DuckDB's own types cannot
// tell (a datetime is a BIGINT there), and the workspace's id.
func (db *DB) loadCatalog(ctx context.Context) error {
	for _, s := range []string{
		`CREATE TABLE IF NOT EXISTS "$column" (table_name VARCHAR, ordinal INTEGER, name VARCHAR, type VARCHAR)`,
		`ALTER TABLE "$column" ADD COLUMN IF NOT EXISTS stored BOOLEAN DEFAULT true`, // an older Picket stored all
		`CREATE TABLE IF NOT EXISTS "$batch" (table_name VARCHAR, id VARCHAR, seen BIGINT, PRIMARY KEY (table_name, id))`,
		fmt.Sprintf(`ALTER TABLE "$batch" ADD COLUMN IF NOT EXISTS seen BIGINT DEFAULT %d`, kql.TicksOf(db.now())), // one that an older Picket made
		createUsage,
		`CREATE TABLE IF NOT EXISTS "$workspace" (id VARCHAR)`,
		createShapes,
		`INSERT INTO "$workspace" SELECT '` + uuid.NewString() + `' WHERE NOT EXISTS (SELECT 1 FROM "$workspace")`,
	} {
		if _, err := db.pool.ExecContext(ctx, s); err != nil {
			return err
		}
	}
	if err := db.pool.QueryRowContext(ctx, `SELECT id FROM "$workspace"`).Scan(&db.id); err != nil {
		return err
	}
	rows, err := db.pool.QueryContext(ctx, `SELECT table_name, name, type, stored FROM "$column" ORDER BY table_name, ordinal`)
	if err != nil {
		return err
	}
	defer rows.Close()
	absent := map[string][]int{} // by table, which columns
	for rows.Next() {
		var table, name, typ string
		var stored bool
		if err := rows.Scan(&table, &name, &typ, &stored); err != nil {
			return err
		}
		in, side := db.tables, strings.HasPrefix(table, sidePrefix)
		if side {
			in = db.sides
		}
		t := in[table]
		if t == nil {
			t = &kql.Table{Name: table, Hidden: !side}
			in[table] = t
		}
		ct, ok := kql.ParseType(typ)
		if !ok {
			return fmt.Errorf("table %s: column %s has the unknown type %q; was it written by a newer Picket?", table, name, typ)
		}
		t.Columns = append(t.Columns, kql.Column{Name: name, Type: ct})
		if !stored {
			absent[table] = append(absent[table], len(t.Columns)-1)
		}
	}
	for table, columns := range absent {
		db.absent[table] = map[string]bool{}
		ids := kql.Identifiers(db.tables[table].Columns)
		for _, i := range columns {
			db.absent[table][ids[i]] = true
		}
	}
	return errors.Join(rows.Err(), db.upgrade(ctx))
}

// upgrade brings tables up to date that an older Picket made: one that wrote with
// every row what is a default now, or that looked for no addresses.
func (db *DB) upgrade(ctx context.Context) error {
	if len(db.tables) == 0 {
		return nil // DuckDB takes milliseconds to say so
	}
	defaults, err := db.defaults(ctx)
	if err != nil {
		return err
	}
	for name, t := range db.tables {
		for _, c := range addressColumns {
			if _, ok := defaults[[2]string{name, c.Name}]; ok || !t.Hidden {
				continue
			}
			if _, err := db.pool.ExecContext(ctx, fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", quote(name), quote(c.Name), c.Type.SQL())); err != nil {
				return fmt.Errorf("table %s: %w", name, err)
			}
		}
		t.Addressed = t.Hidden
		for i, id := range kql.Identifiers(t.Columns) {
			c := t.Columns[i]
			if !t.Hidden || db.absent[name][id] || c.Type != kql.String || c.Name != "TenantId" && c.Name != "Type" {
				continue
			}
			want := fmt.Sprintf("'%s'", db.blank(t, c))
			if defaults[[2]string{name, id}] == want {
				continue
			}
			if _, err := db.pool.ExecContext(ctx, fmt.Sprintf("ALTER TABLE %s ALTER COLUMN %s SET DEFAULT %s", quote(name), quote(id), want)); err != nil {
				return fmt.Errorf("table %s: default of %s: %w", name, c.Name, err)
			}
		}
	}
	return nil
}

// defaults returns the defaults that columns have, by table and column, and "" for
// columns of addresses. It asks once: DuckDB is slow to tell.
func (db *DB) defaults(ctx context.Context) (map[[2]string]string, error) {
	rows, err := db.pool.QueryContext(ctx, "SELECT table_name, column_name, coalesce(column_default, '') FROM duckdb_columns() WHERE column_default IS NOT NULL OR starts_with(column_name, '$address')")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	defaults := map[[2]string]string{}
	for rows.Next() {
		var table, column, text string
		if err := rows.Scan(&table, &column, &text); err != nil {
			return nil, err
		}
		defaults[[2]string{table, column}] = text
	}
	return defaults, rows.Err()
}

func (db *DB) createBuiltin(ctx context.Context) error {
	tables, err := builtinTables()
	if err != nil {
		return err
	}
	for _, t := range tables {
		// A file loaded under a built-in name stays as the file has it.
		if cur, ok := db.Table(t.Name); ok && !cur.Hidden {
			continue
		}
		if err := db.CreateTable(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// ID returns the workspace's id, a GUID: the TenantId of its rows.
func (db *DB) ID() string { return db.id }

// Table returns the table of that name.
func (db *DB) Table(name string) (*kql.Table, bool) {
	db.mu.RLock()
	defer db.mu.RUnlock()
	t, ok := db.tables[name]
	if also, has := db.also[name]; has && !ok {
		t, ok = db.tables[also]
	}
	if !ok {
		t, ok = db.sides[name]
	}
	return t, ok
}

// Tables returns the names of all tables, sorted.
func (db *DB) Tables() []string {
	db.mu.RLock()
	defer db.mu.RUnlock()
	names := make([]string, 0, len(db.tables))
	for n := range db.tables {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
