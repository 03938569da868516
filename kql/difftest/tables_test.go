package difftest

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"picket"
	"picket/kql"
	"picket/workspace"
)

// pools are the values of columns: few, so that keys meet, and nasty.
var pools = map[kql.Type][]any{
	kql.Bool: {true, false, nil},
	kql.Int:  {int64(0), int64(1), int64(-1), int64(2), int64(7), int64(math.MaxInt32), int64(math.MinInt32), nil},
	kql.Long: {int64(0), int64(1), int64(2), int64(3), int64(-1), int64(-7), int64(10), int64(math.MaxInt64), int64(math.MinInt64), int64(1<<53 + 1), nil},
	kql.Real: {0.0, 0.5, -1.25, 2.0, 1e10, math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1), nil},
	kql.String: {"", "a", "A", "ab", "AB", "a_b", "b a", "ab1", "1", "-5", "true", "é", "É", "日本", "abc def", "x,y,z", "a-b", " a ", `{"a":1}`, "[1,2]", "%", "a\nb", "😀", `q"'\`,
		"2024-02-29T23:59:59.9999999Z", "01:02:03", "a.b.c", "_"},
	kql.DateTime: {int64(1), int64(maxTime), dayNumber(2024, 3, 1)*day - 1, dayNumber(2024, 1, 1) * day, dayNumber(1970, 1, 1) * day, dayNumber(1970, 1, 1)*day - 1,
		dayNumber(2023, 12, 31)*day + 12*hour + 30*minute + 15*second, dayNumber(2024, 1, 7)*day + 1, nil},
	kql.TimeSpan: {int64(0), int64(1), int64(-1), int64(day), int64(-day), int64(36 * hour), int64(hour + 2*minute + 34567891), nil},
	kql.Dynamic: {nil, []any{}, []any{int64(1), int64(2), int64(3)}, []any{"a", "b", "a"}, bag{"a": int64(1)}, bag{"a": "x", "b": []any{int64(1), int64(2)}}, bag{}, "a", int64(5), true, 1.5,
		[]any{nil, int64(1)}, []any{[]any{int64(1)}, []any{int64(2)}}, bag{"a": bag{"b": "c"}}, []any{"B", "a"}, []any{int64(3), int64(1)}},
	kql.Guid: {"74be27de-1e4e-49d9-b579-fe0b331d3642", "00000000-0000-0000-0000-000000000001", nil},
}

// layouts are the columns of the three tables. TabC has names of the others with
// other types, and some are words that SQL might use for itself.
var layouts = [][]kql.Column{
	{{Name: "b", Type: kql.Bool}, {Name: "i", Type: kql.Int}, {Name: "l", Type: kql.Long}, {Name: "k", Type: kql.Long}, {Name: "r", Type: kql.Real}, {Name: "s", Type: kql.String}, {Name: "u", Type: kql.String},
		{Name: "t", Type: kql.DateTime}, {Name: "p", Type: kql.TimeSpan}, {Name: "d", Type: kql.Dynamic}, {Name: "g", Type: kql.Guid}},
	{{Name: "l", Type: kql.Long}, {Name: "s", Type: kql.String}, {Name: "t", Type: kql.DateTime}, {Name: "e", Type: kql.Dynamic}, {Name: "S", Type: kql.String},
		{Name: "v", Type: kql.String}, {Name: "n", Type: kql.Long}},
	{{Name: "s", Type: kql.String}, {Name: "l", Type: kql.Real}, {Name: "i", Type: kql.Int}, {Name: "t1", Type: kql.DateTime}, {Name: "k", Type: kql.Long},
		{Name: "lo", Type: kql.Long}, {Name: "w", Type: kql.Dynamic}, {Name: "count", Type: kql.Int}},
}

// randomTables makes the rows of the tables.
func (g *generator) randomTables() []*relation {
	var out []*relation
	for _, cols := range layouts {
		r := &relation{cols: cols, limit: -1}
		// A column has few values of its pool.
		few := make([][]any, len(cols))
		for i, c := range cols {
			for range 2 + g.r.IntN(5) {
				few[i] = append(few[i], pick(g, pools[c.Type]...))
			}
		}
		for range g.r.IntN(9) {
			row := make([]any, len(cols))
			for i := range row {
				row[i] = pick(g, few[i]...)
			}
			r.rows = append(r.rows, row)
		}
		out = append(out, r)
	}
	return out
}

// tableName is the name of table i in a query as it is generated.
func tableName(i int) string { return "Tab" + string(rune('A'+i)) }

// encode is v as JSON.
func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// engine is the workspace in which queries run. Tables cannot be dropped, so a
// set of them has names of its own, and the database is opened anew at times.
type engine struct {
	t    testing.TB
	db   *workspace.DB
	sets int
}

// store makes tables of the workspace and returns the names that TabA, TabB, … have there.
func (e *engine) store(tables []*relation) *strings.Replacer {
	if e.db == nil || e.sets%100 == 99 {
		e.close()
		db, err := workspace.Open("", workspace.Options{Limits: workspace.Limits{Time: 20 * time.Second}})
		if err != nil {
			e.t.Fatal(err)
		}
		e.db = db
	}
	e.sets++
	var names []string
	ctx := context.Background()
	for i, r := range tables {
		name := fmt.Sprintf("Set%d%s", e.sets, tableName(i))
		names = append(names, tableName(i), name)
		if err := e.db.CreateTable(ctx, kql.Table{Name: name, Columns: r.cols}); err != nil {
			e.t.Fatal(err)
		}
		b := picket.Batch{Table: name}
		for _, c := range r.cols {
			b.Columns = append(b.Columns, c.Name)
		}
		for _, row := range r.rows {
			b.Rows = append(b.Rows, stored(row, r.cols))
		}
		if err := e.db.Append(ctx, b); err != nil {
			e.t.Fatal(err)
		}
	}
	return strings.NewReplacer(names...)
}

func (e *engine) close() {
	if e.db != nil {
		e.db.Close()
		e.db = nil
	}
}

// stored is a row as Append takes it.
func stored(row []any, cols []kql.Column) []any {
	out := make([]any, len(row))
	for i, v := range row {
		out[i] = v
		if v == nil {
			continue
		}
		switch cols[i].Type {
		case kql.DateTime:
			out[i] = clock(v.(int64))
		case kql.TimeSpan:
			out[i] = time.Duration(v.(int64) * 100)
		case kql.Dynamic:
			out[i] = json.RawMessage(encode(v))
		}
	}
	return out
}
