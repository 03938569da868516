package workspace

import (
	"database/sql/driver"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"picket/kql"
)

// TestAppender writes values of every type, NULL and texts of all lengths among them,
// in blocks that end anywhere in DuckDB's vectors, and reads them again.
func TestAppender(t *testing.T) {
	db := open(t, filepath.Join(t.TempDir(), "w.duckdb"), Options{})
	conn, err := db.pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "CREATE TABLE x (n BIGINT, i INTEGER, u UINTEGER, b BOOLEAN, r DOUBLE, s VARCHAR, j JSON, m DECIMAL(38, 16), d VARCHAR DEFAULT 'standard')"); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	types := []kql.Type{kql.Long, kql.Int, kql.Long, kql.Bool, kql.Real, kql.String, kql.Dynamic, kql.Decimal}
	value := func(i int) driver.Value {
		if rng.IntN(4) == 0 {
			return nil
		}
		switch i {
		case 0:
			return rng.Int64() - rng.Int64()
		case 1:
			return int32(rng.Uint32())
		case 2:
			return int64(rng.Uint32())
		case 3:
			return rng.IntN(2) == 0
		case 4:
			return rng.NormFloat64()
		case 5:
			return strings.Repeat("é"[:2*rng.IntN(2)]+"x", rng.IntN(30))
		case 6:
			return `{"k":"` + strings.Repeat("v<", rng.IntN(20)) + `"}`
		}
		return "1.2500000000000000"
	}
	var want [][]driver.Value
	err = conn.Raw(func(c any) error {
		a, err := newAppender(c.(driver.Conn), "x", []string{"n", "i", "u", "b", "r", "s", "j", "m"})
		if err != nil {
			return err
		}
		defer a.close()
		for _, rows := range []int{1, 2047, 1, 0, 3000, 2048, 4097, 10} {
			b := block{rows: rows}
			for _, typ := range types {
				b.columns = append(b.columns, newColumn(typ, rows))
			}
			for range rows {
				var row []driver.Value
				for i := range types {
					row = append(row, value(i))
					b.columns[i].add(row[i])
				}
				want = append(want, row)
			}
			long := strings.Repeat("long ", 1+rng.IntN(300_000)) // makes the memory for texts grow
			if rows > 0 {
				b.columns[5].texts[0] = long
				want[len(want)-rows][5] = long
				b.columns[5].nulls = without(b.columns[5].nulls, 0)
			}
			if err := a.append(&b); err != nil {
				return err
			}
			if rows%2 == 0 {
				if err := a.flush(); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := conn.QueryContext(t.Context(), "SELECT n, i, u, b, r, s, j::VARCHAR, m::VARCHAR, d FROM x ORDER BY rowid")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	n := 0
	for ; rows.Next(); n++ {
		got := make([]any, len(types)+1)
		to := make([]any, len(got))
		for i := range got {
			to[i] = &got[i]
		}
		if err := rows.Scan(to...); err != nil {
			t.Fatal(err)
		}
		if u, ok := got[2].(uint32); ok {
			got[2] = int64(u)
		}
		for i, v := range append(want[n], "standard") {
			if got[i] != v {
				t.Fatalf("row %d, column %d: %.100v, want %.100v", n, i, got[i], v)
			}
		}
	}
	if err := rows.Err(); err != nil || n != len(want) {
		t.Errorf("%d rows, want %d; %v", n, len(want), err)
	}
}

// without returns a list that begins with v, if it does, without it.
func without(list []int, v int) []int {
	if len(list) > 0 && list[0] == v {
		return list[1:]
	}
	return list
}

func TestAppenderRefuses(t *testing.T) {
	db := open(t, "", Options{})
	conn, err := db.pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "CREATE TABLE x (s VARCHAR)"); err != nil {
		t.Fatal(err)
	}
	err = conn.Raw(func(c any) error {
		for table, columns := range map[string][]string{"Nowhere": nil, "x": {"s", "Nothing"}} {
			if _, err := newAppender(c.(driver.Conn), table, columns); err == nil || !strings.Contains(err.Error(), "Noth") && !strings.Contains(err.Error(), "Nowhere") {
				t.Errorf("%s %v: %v", table, columns, err)
			}
		}
		if err := appendTo(c.(driver.Conn), "x", &block{names: []string{"s"}, columns: []column{newColumn(kql.Long, 1)}, rows: 1}); err == nil {
			t.Error("numbers are taken for texts")
		}
		if err := appendTo(c.(driver.Conn), "x", &block{names: []string{"s"}, rows: 1}); err == nil {
			t.Error("a column may be missing")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
