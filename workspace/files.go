package workspace

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"picket/kql"
)

// File is a data file to load as a table: CSV, TSV, JSON, NDJSON or Parquet,
// also compressed with gzip (.csv.gz, …).
type File struct {
	Table string
	Path  string
}

// loadFiles makes a table of each file, before the file system is closed.
// Column types are DuckDB's guess, mapped to KQL's.
func (db *DB) loadFiles(ctx context.Context, files []File) error {
	for _, f := range files {
		if !tableName.MatchString(f.Table) {
			return fmt.Errorf("load %s: %q is no table name", f.Path, f.Table)
		}
		if err := db.loadFile(ctx, f); err != nil {
			return fmt.Errorf("load table %s from %s: %w", f.Table, f.Path, err)
		}
	}
	return nil
}

func (db *DB) loadFile(ctx context.Context, f File) error {
	if _, err := os.Stat(f.Path); err != nil {
		return err
	}
	read, err := reader(f.Path)
	if err != nil {
		return err
	}
	source := read + "('" + literalPath.Replace(f.Path) + "')"
	rows, err := db.pool.QueryContext(ctx, "DESCRIBE SELECT * FROM "+source)
	if err != nil {
		return err
	}
	defer rows.Close()
	t := &kql.Table{Name: f.Table}
	var cols []string
	for rows.Next() {
		var name, typ string
		var null, key, def, extra any
		if err := rows.Scan(&name, &typ, &null, &key, &def, &extra); err != nil {
			return err
		}
		kt, expr := fromDuckDB(quote(name), typ)
		t.Columns = append(t.Columns, kql.Column{Name: name, Type: kt})
		cols = append(cols, expr+" AS "+quote(name))
	}
	if err := rows.Err(); err != nil {
		return err
	}
	_, err = db.pool.ExecContext(ctx, "CREATE TABLE "+quote(f.Table)+" AS SELECT "+strings.Join(cols, ", ")+" FROM "+source)
	if err != nil {
		return err
	}
	db.tables[f.Table] = t
	return nil
}

// literalPath makes a path that DuckDB takes for this very file: it would read
// these as a pattern, and a quote as the end.
var literalPath = strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]", "'", "''")

// reader picks DuckDB's reader by the file's name.
func reader(path string) (string, error) {
	name := strings.TrimSuffix(strings.ToLower(filepath.Base(path)), ".gz")
	switch filepath.Ext(name) {
	case ".csv", ".tsv", ".txt":
		return "read_csv", nil
	case ".json", ".ndjson", ".jsonl":
		return "read_json_auto", nil
	case ".parquet":
		return "read_parquet", nil
	}
	return "", fmt.Errorf("unknown kind of file: want .csv, .tsv, .json, .ndjson, .jsonl or .parquet, with or without .gz")
}

// fromDuckDB maps a DuckDB type to KQL's and gives the expression that
// converts a column of it.
func fromDuckDB(col, typ string) (kql.Type, string) {
	ticks := func(micros string) string {
		return "(" + micros + " * 10 + 621355968000000000)"
	}
	switch {
	case typ == "BOOLEAN":
		return kql.Bool, col
	case typ == "TINYINT", typ == "SMALLINT", typ == "INTEGER", typ == "UTINYINT", typ == "USMALLINT":
		return kql.Int, col + "::INTEGER"
	case typ == "BIGINT", typ == "UINTEGER":
		return kql.Long, col + "::BIGINT"
	case typ == "FLOAT", typ == "DOUBLE", typ == "HUGEINT", typ == "UBIGINT":
		return kql.Real, col + "::DOUBLE"
	case strings.HasPrefix(typ, "DECIMAL"):
		return kql.Decimal, col + "::" + kql.Decimal.SQL()
	case typ == "TIMESTAMP WITH TIME ZONE":
		return kql.DateTime, ticks("epoch_us(" + col + ")")
	case typ == "DATE", strings.HasPrefix(typ, "TIMESTAMP"): // without a zone: UTC
		return kql.DateTime, ticks("epoch_us(" + col + "::TIMESTAMP)")
	case typ == "TIME", typ == "INTERVAL":
		return kql.TimeSpan, "(epoch_us(" + col + ") * 10)"
	case typ == "UUID":
		return kql.Guid, col + "::VARCHAR"
	case typ == "JSON", strings.HasSuffix(typ, "]"), strings.HasPrefix(typ, "STRUCT"), strings.HasPrefix(typ, "MAP"):
		return kql.Dynamic, "nullif(to_json(" + col + ")::VARCHAR, 'null')::JSON"
	}
	return kql.String, "coalesce(" + col + "::VARCHAR, '')"
}
