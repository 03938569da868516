package workspace

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"picket/kql"
)

// File is a data file to load as a table: CSV, TSV, JSON, NDJSON or Parquet,
// also compressed with gzip (.csv.gz, …). The first line of CSV and TSV has the
// columns' names; a column whose every value is a number, a time, … is of that type.
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
	source, err := reader(f.Path)
	if err != nil {
		return err
	}
	rows, err := db.pool.QueryContext(ctx, "DESCRIBE SELECT * FROM "+source)
	if err != nil {
		return readError(err, f.Path)
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
		return readError(err, f.Path)
	}
	db.tables[f.Table] = t
	return nil
}

// literalPath makes a path that DuckDB takes for this very file: it would read
// these as a pattern, and a quote as the end.
var literalPath = strings.NewReplacer("*", "[*]", "?", "[?]", "[", "[[]", "'", "''")

// reader returns the DuckDB expression that reads the file, by its name.
func reader(path string) (string, error) {
	name := strings.TrimSuffix(strings.ToLower(filepath.Base(path)), ".gz")
	literal := "'" + literalPath.Replace(path) + "'"
	switch filepath.Ext(name) {
	case ".csv", ".tsv", ".txt":
		delim, err := delimiter(path, filepath.Ext(name) == ".tsv")
		// DuckDB guesses types well, from all rows, and the rest badly: a file of
		// log lines would lose its header to a delimiter that they all contain.
		return "read_csv(" + literal + ", header=true, skip=0, comment='', delim='" + delim + `', quote='"', escape='"',` +
			" dateformat='%Y-%m-%d', sample_size=-1)", err
	case ".json", ".ndjson", ".jsonl":
		return "read_json_auto(" + literal + ", sample_size=-1)", nil
	case ".parquet":
		return "read_parquet(" + literal + ")", nil
	}
	return "", fmt.Errorf("unknown kind of file: want .csv, .tsv, .json, .ndjson, .jsonl or .parquet, with or without .gz")
}

// maxHeader is how much of a file may be its line of column names.
const maxHeader = 1 << 20

// delimiter returns what the line of column names is divided by: a comma (RFC
// 4180) where there is one, else a tab or the semicolon of some spreadsheets.
func delimiter(path string, tabs bool) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var in io.Reader = f
	if strings.HasSuffix(strings.ToLower(path), ".gz") {
		if in, err = gzip.NewReader(f); err != nil {
			return "", err
		}
	}
	line, err := bufio.NewReader(io.LimitReader(in, maxHeader)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	if strings.TrimSpace(strings.TrimPrefix(line, "\ufeff")) == "" {
		return "", fmt.Errorf("the first line is empty: want the names of the columns")
	}
	unquoted := quoted.ReplaceAllString(line, "")
	for _, d := range []string{",", "\t", ";"} {
		if !tabs && strings.Contains(unquoted, d) {
			return d, nil
		}
	}
	if tabs {
		return "\t", nil
	}
	return ",", nil
}

var quoted = regexp.MustCompile(`"[^"]*"`)

// readError says where a CSV file is not one, which DuckDB hides in pages of
// advice about its options, or the first line of its error.
func readError(err error, path string) error {
	f, oerr := os.Open(path)
	ext := strings.ToLower(filepath.Ext(path))
	if oerr == nil && (ext == ".csv" || ext == ".tsv" || ext == ".txt") {
		defer f.Close()
		r := csv.NewReader(f)
		r.ReuseRecord = true
		if d, derr := delimiter(path, ext == ".tsv"); derr == nil {
			r.Comma = rune(d[0])
		}
		for {
			if _, rerr := r.Read(); rerr == io.EOF {
				break
			} else if rerr != nil {
				return rerr
			}
		}
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return fmt.Errorf("%s", first)
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
