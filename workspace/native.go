package workspace

import (
	"context"
	"database/sql/driver"
	"fmt"
	"slices"

	"github.com/duckdb/duckdb-go/v2"

	"picket/kql"
)

// registerNatives gives DuckDB the functions that compiled queries call and
// that are written in Go.
func (db *DB) registerNatives(ctx context.Context) error {
	conn, err := db.pool.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	text, err := duckdb.NewTypeInfo(duckdb.TYPE_VARCHAR)
	if err != nil {
		return err
	}
	for _, n := range kql.Natives(nil) {
		if err := duckdb.RegisterScalarUDF(conn, n.Name, native{n, text}); err != nil {
			return fmt.Errorf("register function %s: %w", n.Name, err)
		}
	}
	return db.steps.register(conn)
}

// native is a kql.Native as DuckDB wants a function.
type native struct {
	fn   kql.Native
	text duckdb.TypeInfo
}

// Config says that arguments and result are text.
func (n native) Config() duckdb.ScalarFuncConfig {
	return duckdb.ScalarFuncConfig{InputTypeInfos: slices.Repeat([]duckdb.TypeInfo{n.text}, n.fn.Args), ResultTypeInfo: n.text}
}

// Executor calls the function for each row.
func (n native) Executor() duckdb.ScalarFuncExecutor {
	return duckdb.ScalarFuncExecutor{RowExecutor: func(values []driver.Value) (any, error) {
		args := make([]string, len(values))
		for i, v := range values {
			s, ok := v.(string)
			if !ok {
				return nil, fmt.Errorf("%s: argument %d is a %T", n.fn.Name, i+1, v)
			}
			args[i] = s
		}
		s, ok, err := n.fn.Func(args)
		if err != nil || !ok {
			return nil, err
		}
		return s, nil
	}}
}
