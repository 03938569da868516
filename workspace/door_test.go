package workspace

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"picket/kql"
)

// Nothing that a query can say reaches the file system, the network or DuckDB's
// own settings: neither the language lets it through, nor does DuckDB.
func TestDoors(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret.csv")
	if err := os.WriteFile(secret, []byte("a\ntopsecret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	db := open(t, "", Options{})
	sql := []string{
		"read_csv('%s')", "read_text('%s')", "read_blob('%s')", "read_json('%s')", "read_parquet('%s')", "glob('%s')", "sniff_csv('%s')", "parquet_metadata('%s')",
		"getenv('HOME')", "current_setting('home_directory')", "duckdb_settings()", "duckdb_secrets()", "pragma_version()", "query('SELECT 1')", "query_table('Syslog')",
	}
	for i, s := range sql {
		if strings.Contains(s, "%s") {
			sql[i] = fmt.Sprintf(s, secret)
		}
	}
	var list []string
	for _, s := range sql {
		list = append(list, s, "print "+s, "Syslog | union ("+s+")", "Syslog | extend x = "+s, "Syslog | invoke "+s, "let f = () { "+s+" }; f()")
	}
	for _, name := range []string{secret, "'" + secret + "'", "read_csv('" + secret + "')", `Syslog" UNION SELECT * FROM read_csv('` + secret + `') --`, "duckdb_settings", "$workspace", "$column", "$batch",
		"information_schema.tables", "sqlite_master", "pg_catalog.pg_class"} {
		q := strings.ReplaceAll(strings.ReplaceAll(name, `\`, `\\`), "'", `\'`)
		list = append(list, "['"+q+"']", "table('"+q+"')", "external_table('"+q+"')", "database('x').['"+q+"']", "Syslog | union ['"+q+"']",
			"Syslog | project ['"+q+"']", "find in (['"+q+"']) where true", "Syslog | evaluate ['"+q+"']()")
	}
	list = append(list, `externaldata(a:string)["`+secret+`"]`, `externaldata(a:string)["file://`+secret+`"]`, `externaldata(a:string)["http://127.0.0.1:1/x"]`,
		"Syslog | evaluate http_request('http://127.0.0.1:1/')", "Syslog | evaluate sql_request('x', 'SELECT 1')", "Syslog | evaluate python(typeof(*), 'x')",
		"; ATTACH '"+secret+"'", "COPY Syslog TO '"+secret+"'", "INSTALL httpfs", "LOAD httpfs", "PRAGMA version", "SET lock_configuration=false; Syslog", ".show tables", ".drop table Syslog",
		".ingest into table Syslog (h'"+secret+"')")
	for _, src := range list {
		res, err := db.Query(t.Context(), src, kql.Options{})
		if err != nil {
			continue
		}
		rows, err := res.Collect()
		if err != nil {
			continue
		}
		if src == "SET lock_configuration=false; Syslog" && len(rows) == 0 {
			continue // a property of the request: it never reaches DuckDB
		}
		t.Errorf("%s is answered with %v", src, rows)
	}
	// The wall behind the wall: SQL itself.
	for _, s := range []string{"SELECT * FROM read_csv('" + secret + "')", "SELECT * FROM '" + secret + "'", "SELECT * FROM glob('/*')", "ATTACH '" + secret + "' AS x", "COPY \"Syslog\" TO '" + secret + "'",
		"INSTALL httpfs", "LOAD httpfs", "SET enable_external_access = true", "SET lock_configuration = false", "RESET lock_configuration", "SET allowed_configs = ['temp_directory']",
		"SET temp_directory = '" + filepath.Dir(secret) + "'", "SET max_temp_directory_size = '1TB'", "SET allowed_paths = ['" + secret + "']", "SET threads = 64", "EXPORT DATABASE '" + filepath.Dir(secret) + "'", "SELECT * FROM read_text('/etc/passwd')"} {
		if _, err := db.pool.ExecContext(t.Context(), s); err == nil {
			t.Errorf("DuckDB does %s", s)
		}
	}
}
