package kql

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sharedCases is where the corpora of cases lie, beside the repository.
const sharedCases = "../../shared/kql/"

// confCase is a case of a corpus.
type confCase struct {
	ID      string     `json:"id"`
	Query   string     `json:"query"`
	Mode    string     `json:"mode"`
	Columns []string   `json:"columns"`
	Types   []string   `json:"types"`
	Rows    [][]string `json:"rows"`
	Skip    any        `json:"skip"`
}

func readCorpus(t *testing.T, name string) []confCase {
	t.Helper()
	f, err := os.Open(sharedCases + name)
	if err != nil {
		t.Skipf("the cases are not here: %v", err)
	}
	defer f.Close()
	var out []confCase
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 8<<20)
	for sc.Scan() {
		var c confCase
		if err := json.Unmarshal(sc.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	if err := sc.Err(); err != nil {
		t.Fatal(err)
	}
	return out
}

// TestConformance runs cases with printed results and fails when fewer pass
// than did before. It compares more strictly than the scorer beside the cases.
func TestConformance(t *testing.T) {
	db := openDuckDB(t)
	for _, c := range []struct {
		file  string
		floor int
	}{{"semantics_cases_dev.jsonl", 88}, {"docs_cases_dev.jsonl", 260}, {"loco_cases_dev.jsonl", 98}} {
		pass, n := 0, 0
		for _, k := range readCorpus(t, c.file) {
			if k.Skip != nil || (k.Mode != "" && k.Mode != "table") {
				continue
			}
			n++
			if err := runCase(db, k); err == nil {
				pass++
			} else if testing.Verbose() {
				t.Logf("%s: %v", k.ID, err)
			}
		}
		t.Logf("%s: %d of %d", c.file, pass, n)
		if pass < c.floor {
			t.Errorf("%s: %d of %d pass, want at least %d (run with -v for the others)", c.file, pass, n, c.floor)
		}
	}
}

func runCase(db *sql.DB, k confCase) error {
	q, err := Compile(k.Query, noTables{}, Options{Now: TicksOf(time.Now()), Probe: probeOf(db)})
	if err != nil {
		return err
	}
	var names []string
	for _, c := range q.Columns {
		names = append(names, c.Name)
	}
	if !slices.Equal(names, k.Columns) {
		return fmt.Errorf("columns %v, want %v", names, k.Columns)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	rows, err := db.QueryContext(ctx, q.SQL)
	if err != nil {
		return err
	}
	defer rows.Close()
	var got [][]any
	for rows.Next() {
		v, p := make([]any, len(names)), make([]any, len(names))
		for i := range v {
			p[i] = &v[i]
		}
		if err := rows.Scan(p...); err != nil {
			return err
		}
		got = append(got, v)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if len(got) != len(k.Rows) {
		return fmt.Errorf("%d rows, want %d", len(got), len(k.Rows))
	}
	// Each row must be found once; order is checked by testdata/ops.
	left := slices.Clone(k.Rows)
	for _, g := range got {
		i := slices.IndexFunc(left, func(want []string) bool {
			for j := range g {
				if !sameCell(g[j], q.Columns[j].Type, want[j]) {
					return false
				}
			}
			return true
		})
		if i < 0 {
			return fmt.Errorf("row %v is not among %v", g, left)
		}
		left = slices.Delete(left, i, i+1)
	}
	return nil
}

// sameCell compares a value with its printed form.
func sameCell(v any, t Type, want string) bool {
	w := strings.TrimSpace(want)
	if v == nil || v == "" {
		return w == "" || w == "null" || w == "(null)"
	}
	switch t {
	case Bool:
		return strings.EqualFold(w, fmt.Sprint(v)) || (w == "1") == (v == true) && (w == "0" || w == "1")
	case Int, Long, Real, Decimal:
		x, err1 := strconv.ParseFloat(strings.ReplaceAll(w, ",", ""), 64)
		y, err2 := strconv.ParseFloat(fmt.Sprint(v), 64)
		return err1 == nil && err2 == nil && (x == y || math.Abs(x-y) <= 1e-6*max(math.Abs(x), math.Abs(y)) || math.IsNaN(x) && math.IsNaN(y))
	case DateTime:
		x, err := ParseDateTime(w)
		return err == nil && x == v.(int64)
	case TimeSpan:
		x, err := ParseTimeSpan(w)
		return err == nil && x == v.(int64)
	case Dynamic:
		var x, y any
		if json.Unmarshal([]byte(v.(string)), &y) != nil {
			return false
		}
		if json.Unmarshal([]byte(w), &x) != nil {
			x = w
		}
		return reflect.DeepEqual(x, y) || fmt.Sprint(y) == w
	}
	return fmt.Sprint(v) == want || strings.Join(strings.Fields(fmt.Sprint(v)), " ") == strings.Join(strings.Fields(w), " ")
}

// schemaCatalog reads the tables that the schema cases are about.
func schemaCatalog(t *testing.T) testCatalog {
	t.Helper()
	data, err := os.ReadFile(sharedCases + "schemas.json")
	if err != nil {
		t.Skipf("the schemas are not here: %v", err)
	}
	var in map[string][][2]string
	if err := json.Unmarshal(data, &in); err != nil {
		t.Fatal(err)
	}
	cat := testCatalog{}
	for name, cols := range in {
		tab := &Table{Name: name, Hidden: true}
		for _, c := range cols {
			typ, _ := ParseType(c[1])
			tab.Columns = append(tab.Columns, Column{c[0], typ})
		}
		cat[name] = tab
	}
	return cat
}

// TestSchemas compares the columns of real-world queries with what Microsoft's
// binder says they are.
func TestSchemas(t *testing.T) {
	cat := schemaCatalog(t)
	pass, n := 0, 0
	for _, k := range readCorpus(t, "schema_cases_dev.jsonl") {
		n++
		q, err := Compile(k.Query, cat, Options{Now: testNow})
		if err != nil {
			if testing.Verbose() {
				t.Logf("%s: %v", k.ID, err)
			}
			continue
		}
		same := len(q.Columns) == len(k.Columns)
		for i := 0; same && i < len(q.Columns); i++ {
			same = q.Columns[i].Name == k.Columns[i] && (q.Columns[i].Type == Unknown || q.Columns[i].Type.String() == k.Types[i])
		}
		if same {
			pass++
		} else if testing.Verbose() {
			t.Logf("%s: columns %v", k.ID, q.Columns)
		}
	}
	const floor = 1426
	t.Logf("%d of %d", pass, n)
	if pass < floor {
		t.Errorf("%d of %d pass, want at least %d", pass, n, floor)
	}
}
