package workspace

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"picket/kql"
)

// File is data to read as a table: CSV, TSV, JSON, NDJSON or Parquet, the first
// four also compressed with gzip (.gz) or Zstandard (.zst).
//
// The first record of CSV and TSV has the columns' names. A column is of the
// type that every one of its values has, in all of the file: bool, long, real,
// datetime (ISO 8601; without a zone it is UTC), timespan, dynamic (JSON objects
// and arrays), else string. Whole numbers with leading zeros, or too large for
// a long, are strings: nothing of them is lost.
type File struct {
	Table string // the table's name: letters, digits and _, no digit first

	// Paths are the files, one table together. What one of them lacks of the
	// others' columns is null there. All are of one format.
	Paths []string

	Format string // csv, tsv, json, ndjson or parquet; "" tells it by the name
}

// scanSize is the default of Options.ScanSize.
const scanSize = 256 << 20

// Formats are the values of [File.Format].
func Formats() []string { return []string{"csv", "tsv", "json", "ndjson", "parquet"} }

// FormatOf tells a file's format by its name, "" when the name does not tell.
// The compression's ending is left out of account.
func FormatOf(path string) string {
	switch ext := strings.ToLower(filepath.Ext(Uncompressed(path))); ext {
	case ".csv", ".tsv", ".json", ".ndjson", ".parquet":
		return ext[1:]
	case ".jsonl":
		return "ndjson"
	case ".tab":
		return "tsv"
	}
	return ""
}

// Uncompressed is the path without the ending of a compression that is read.
func Uncompressed(path string) string {
	switch ext := filepath.Ext(path); strings.ToLower(ext) {
	case ".gz", ".zst":
		return strings.TrimSuffix(path, ext)
	}
	return path
}

// loader makes tables of files, on one connection: what DuckDB rejects it keeps
// in a table of the connection.
type loader struct {
	db      *DB
	conn    *sql.Conn
	skipBad bool
	size    int64    // that a table of files may have to be loaded
	scanned []string // files that queries will read
}

// loadFiles makes a table of each file, before the file system is closed. It
// returns the files that stay open to queries.
func (db *DB) loadFiles(ctx context.Context, o Options) (scanned []string, err error) {
	if len(o.Files) == 0 {
		return nil, nil
	}
	conn, err := db.pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	l := &loader{db: db, conn: conn, skipBad: o.SkipBad, size: cmp.Or(o.ScanSize, scanSize)}
	for _, f := range o.Files {
		if !tableName.MatchString(f.Table) {
			return nil, fmt.Errorf("load %s: %q is no table name: want a letter, then letters, digits and _, at most 63", strings.Join(f.Paths, ", "), f.Table)
		}
		for name := range db.tables {
			if strings.EqualFold(name, f.Table) {
				return nil, fmt.Errorf("load table %s: there is a table %s already; give one of them another name", f.Table, name)
			}
		}
		if err := l.load(ctx, f); err != nil {
			return nil, fmt.Errorf("load table %s: %w", f.Table, err)
		}
	}
	return l.scanned, nil
}

// source is a table's data as SQL can read it: untyped columns, and how each
// becomes one of a KQL type.
type source struct {
	sql     string // what to select from
	columns []kql.Column
	exprs   []string // of the columns, over sql
}

func (l *loader) load(ctx context.Context, f File) error {
	var size int64
	for i, path := range f.Paths {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if info.IsDir() {
			return fmt.Errorf("%s is a folder; name the files in it, for example with %s", path, filepath.Join(path, "*.csv"))
		}
		size += info.Size()
		if Uncompressed(path) != path {
			size += info.Size() * 9 // as logs compress
		}
		if f.Paths[i], err = filepath.Abs(path); err != nil { // as allowed_paths compares them
			return err
		}
		if f.Format == "" {
			f.Format = FormatOf(path)
		}
	}
	src, err := l.source(ctx, f)
	if err != nil {
		return err
	}
	if len(src.columns) == 0 {
		return fmt.Errorf("%s: has no columns", strings.Join(f.Paths, ", "))
	}
	ids := kql.Identifiers(src.columns)
	exprs := slices.Clone(src.exprs)
	for i := range exprs {
		exprs[i] += " AS " + quote(ids[i])
	}
	kind := "TABLE"
	if size > l.size || f.Format == "parquet" {
		kind = "VIEW"
		l.scanned = append(l.scanned, f.Paths...)
	}
	if _, err := l.conn.ExecContext(ctx, "CREATE "+kind+" "+quote(f.Table)+" AS SELECT "+strings.Join(exprs, ", ")+" FROM "+src.sql); err != nil {
		return readError(err)
	}
	l.db.tables[f.Table] = &kql.Table{Name: f.Table, Columns: src.columns}
	return nil
}

func (l *loader) source(ctx context.Context, f File) (*source, error) {
	switch f.Format {
	case "csv", "tsv":
		return l.csvSource(ctx, f)
	case "json", "ndjson":
		return l.jsonSource(ctx, f)
	case "parquet":
		return l.parquetSource(ctx, f)
	case "":
		return nil, fmt.Errorf("%s: the name does not tell the format: want .csv, .tsv, .json, .ndjson, .jsonl or .parquet, with or without .gz or .zst", f.Paths[0])
	}
	return nil, fmt.Errorf("unknown format %q: want one of %s", f.Format, strings.Join(Formats(), ", "))
}

// sqlPath is a path as DuckDB takes it for this very file: it would read these
// as a pattern, and a quote as the end.
func sqlPath(path string) string { return "'" + literalPath.Replace(path) + "'" }

var literalPath = strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]", "'", "''")

// sqlPaths is a list of paths for DuckDB.
func sqlPaths(paths []string) string {
	list := make([]string, len(paths))
	for i, p := range paths {
		list[i] = sqlPath(p)
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// parquetSource reads Parquet, whose columns have types.
func (l *loader) parquetSource(ctx context.Context, f File) (*source, error) {
	src := &source{sql: "read_parquet(" + sqlPaths(f.Paths) + ", union_by_name=true)"}
	rows, err := l.conn.QueryContext(ctx, "DESCRIBE SELECT * FROM "+src.sql)
	if err != nil {
		return nil, readError(err)
	}
	defer rows.Close()
	for rows.Next() {
		var name, typ string
		var null, key, def, extra any
		if err := rows.Scan(&name, &typ, &null, &key, &def, &extra); err != nil {
			return nil, err
		}
		t, expr := fromDuckDB(quote(name), typ)
		src.columns = append(src.columns, kql.Column{Name: name, Type: t})
		src.exprs = append(src.exprs, expr)
	}
	return src, rows.Err()
}

// fromDuckDB maps a DuckDB type to KQL's and gives the expression that
// converts a column of it.
func fromDuckDB(col, typ string) (kql.Type, string) {
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
	case typ == "TIMESTAMP_NS":
		return kql.DateTime, "(epoch_ns(" + col + ") // 100 + " + unixEpoch + ")"
	case typ == "TIMESTAMP WITH TIME ZONE":
		return kql.DateTime, "(epoch_us(" + col + ") * 10 + " + unixEpoch + ")"
	case typ == "DATE", strings.HasPrefix(typ, "TIMESTAMP"): // without a zone: UTC
		return kql.DateTime, "(epoch_us(" + col + "::TIMESTAMP) * 10 + " + unixEpoch + ")"
	case typ == "TIME", typ == "INTERVAL":
		return kql.TimeSpan, "(epoch_us(" + col + ") * 10)"
	case typ == "UUID":
		return kql.Guid, col + "::VARCHAR"
	case typ == "JSON", strings.HasSuffix(typ, "]"), strings.HasPrefix(typ, "STRUCT"), strings.HasPrefix(typ, "MAP"):
		return kql.Dynamic, "nullif(to_json(" + col + ")::VARCHAR, 'null')::JSON"
	}
	return kql.String, "coalesce(" + col + "::VARCHAR, '')"
}

// unixEpoch is 1970-01-01 in ticks.
const unixEpoch = "621355968000000000"

// closeFileSystem ends SQL's access to files, but for reading those that
// tables are scanned from, and to DuckDB's settings, but for the limit of memory,
// which is what makes DuckDB give back its cache (see cache).
func (db *DB) closeFileSystem(ctx context.Context, scanned []string) error {
	set := func(name, value string) error {
		if _, err := db.pool.ExecContext(ctx, "SET "+name+" = "+value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
		return nil
	}
	if len(scanned) > 0 {
		list := make([]string, len(scanned))
		for i, p := range scanned {
			list[i] = "'" + strings.ReplaceAll(p, "'", "''") + "'"
		}
		if err := set("allowed_paths", "["+strings.Join(list, ", ")+"]"); err != nil {
			return err
		}
	}
	return errors.Join(set("enable_external_access", "false"), set("allowed_configs", "['memory_limit']"), set("lock_configuration", "true"))
}
