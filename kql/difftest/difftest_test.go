// Package difftest checks the compiler of package kql against a second, slow
// answer. A generator writes random, well-typed queries over small random
// tables; each runs on DuckDB through a workspace, and an evaluator written
// row by row from Microsoft's reference answers it too. Columns, types and rows
// must agree.
//
// The evaluator shares the parser with the compiler and nothing else. Where the
// reference does not say what comes out, it declines (function silent, with the
// reason), and the query is left out; where several answers are right, a value
// is open (oneOf, unordered) and any of them agrees.
package difftest

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"picket/kql"
	"picket/kql/syntax"
)

var (
	queries = flag.Int("queries", queriesWanted(), "how many queries TestDifferential compares; by default $DIFFTEST_QUERIES or 2,000")
	seed    = flag.Uint64("seed", 1, "where the random queries of TestDifferential begin")
	failing = flag.Int("failures", 5, "how many differences TestDifferential reports before it ends")
)

func queriesWanted() int {
	if n, err := strconv.Atoi(os.Getenv("DIFFTEST_QUERIES")); err == nil {
		return n
	}
	return 2_000
}

// openError says that the reference leaves a query's answer open.
type openError string

func (e openError) Error() string { return string(e) }

// safely evaluates q; a panic of the evaluator becomes an error.
func (e *evaluator) safely(q *syntax.Query) (r *relation, err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case unspecified:
			err = openError(v)
		default:
			err = fmt.Errorf("evaluator: %v at %s", v, origin())
		}
	}()
	return e.run(q), nil
}

// origin is where in the evaluator the panic under way arose.
func origin() string {
	for skip := 3; ; skip++ {
		_, file, line, ok := runtime.Caller(skip)
		if !ok || strings.Contains(file, "difftest") {
			return fmt.Sprintf("%s:%d", filepath.Base(file), line)
		}
	}
}

// now is what now() is: 2024-03-01T12:00:00Z.
var now = dayNumber(2024, 3, 1)*day + 12*hour

// trial is a query with its tables.
type trial struct {
	src    string
	tables []*relation
}

// verdict is how a trial went: a difference and its kind, or open.
type verdict struct {
	kind   string // "", "compile", "run", "columns", "rows", "evaluator"
	detail string
	open   string // why the evaluator declined
}

// judge runs a query on DuckDB and in the evaluator.
func judge(db *engine, names *strings.Replacer, t trial) (v verdict) {
	src := names.Replace(t.src)
	q, diags := syntax.Parse(src)
	if len(diags) > 0 {
		return verdict{kind: "parse", detail: diags.Render(src)}
	}
	e := &evaluator{tables: map[string]*relation{}, now: now}
	for i, r := range t.tables {
		e.tables[names.Replace(tableName(i))] = r
	}
	want, evalErr := e.safely(q)
	var open openError
	if evalErr != nil && !errors.As(evalErr, &open) {
		return verdict{kind: "evaluator", detail: evalErr.Error()}
	}
	v.open = string(open)
	ctx := context.Background()
	res, err := db.db.Query(ctx, src, kql.Options{Now: now})
	var d syntax.Diagnostics
	switch {
	case errors.As(err, &d):
		return verdict{kind: "compile", detail: d.Render(src)}
	case err != nil:
		return verdict{kind: "run", detail: err.Error()}
	}
	cols := res.Columns
	rows, err := res.Collect()
	switch {
	case err != nil:
		return verdict{kind: "run", detail: err.Error()}
	case open != "":
		return v
	}
	return compared(want, cols, rows)
}

func compared(want *relation, cols []kql.Column, rows [][]any) (v verdict) {
	defer func() {
		if u, ok := recover().(unspecified); ok {
			v = verdict{open: string(u)}
		}
	}()
	if d := difference(want, cols, rows); strings.HasPrefix(d, "column") {
		return verdict{kind: "columns", detail: d}
	} else if d != "" {
		return verdict{kind: "rows", detail: d}
	}
	return v
}

// perSet is how many queries run over one set of tables.
const perSet = 50

// TestDifferential compares -queries random queries. A failure is printed as a
// query of its own, made as small as it gets.
func TestDifferential(t *testing.T) {
	db := &engine{t: t}
	defer db.close()
	open := map[string]int{}
	done, declined, failures := 0, 0, 0
	for set := *seed; done < *queries; set++ {
		g := &generator{r: rand.New(rand.NewPCG(set, 0))}
		tables := g.randomTables()
		g.empty = &evaluator{tables: map[string]*relation{}, now: now}
		for i, r := range tables {
			g.empty.tables[tableName(i)] = &relation{cols: r.cols, limit: -1}
		}
		names := db.store(tables)
		for n := 0; n < perSet && done < *queries; {
			src := g.query()
			if src == "" {
				continue
			}
			n++
			done++
			tr := trial{src, tables}
			v := judge(db, names, tr)
			if v.open != "" {
				declined++
				open[v.open]++
			}
			if v.kind == "" {
				continue
			}
			small, sv := shrink(db, tr, v)
			names = db.store(tables) // the shrinking may have opened a new database
			t.Errorf("seed %d, query %d: %s\n%s\n%s", set, n, sv.kind, small, sv.detail)
			if failures++; failures >= *failing {
				t.Fatalf("%d differences after %d queries", failures, done)
			}
		}
	}
	t.Logf("%d queries, of which %d have an answer that the reference leaves open", done, declined)
	if testing.Verbose() {
		for why, n := range open {
			t.Logf("  %6d %s", n, why)
		}
	}
	if declined*3 > done {
		t.Errorf("%d of %d queries prove nothing: narrow the generator", declined, done)
	}
}
