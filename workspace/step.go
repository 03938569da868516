package workspace

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2"

	"picket"
	"picket/kql"
)

// DuckDB cannot be interrupted within a step over up to 2,048 rows. The guards
// that compiled queries call there (kql.GuardFits and the others) bound what one
// step takes.

const (
	// maxStepBytes is what the texts that a step makes in one column may have.
	maxStepBytes = 64 << 20
	// A unit of work is one state of a regular expression at one character of a
	// text, at worst 20 ns; of one that goes back, 20 characters.
	lightWork = 6_000_000     // an eighth of a second
	maxWork   = 1_000_000_000 // 20 seconds, over one text
	// stepRows is DuckDB's standard vector size.
	stepRows = 2048
)

// errMemory is the error of a query that is stopped because memory ran out.
var errMemory = picket.Errorf(picket.Unavailable, "the query was stopped because memory ran out; narrow its time range or its rows")

// steps is what the guards know of the queries that run.
type steps struct {
	full    atomic.Bool // memory has run out
	queries sync.Map    // from DuckDB's id of a connection to the context.Context of its query
}

// alive returns why the query on the connection is to end, or nil.
func (s *steps) alive(connection uint64) error {
	if ctx, ok := s.queries.Load(connection); ok {
		return context.Cause(ctx.(context.Context))
	}
	return nil
}

// regexWork is the most that a regular expression of so many states can do over
// a text of n bytes; square says that it may go over the text once for each of
// its characters.
func regexWork(n int, states, square int64) float64 {
	x := float64(n)
	return x*float64(states) + x*x*float64(square)/20
}

// register defines the guards.
func (s *steps) register(conn *sql.Conn) error {
	for _, g := range []struct {
		name   string
		args   []duckdb.Type
		result duckdb.Type
		run    func(*duckdb.ChunkIteratorState) error
	}{
		{kql.GuardFits, []duckdb.Type{duckdb.TYPE_DOUBLE}, duckdb.TYPE_BOOLEAN, s.fits},
		{kql.GuardLight, []duckdb.Type{duckdb.TYPE_VARCHAR, duckdb.TYPE_BIGINT, duckdb.TYPE_BIGINT}, duckdb.TYPE_BOOLEAN, light},
		{kql.GuardPieces, []duckdb.Type{duckdb.TYPE_VARCHAR, duckdb.TYPE_BIGINT, duckdb.TYPE_BIGINT}, duckdb.TYPE_LIST, pieces},
		{kql.GuardAlive, []duckdb.Type{duckdb.TYPE_VARCHAR, duckdb.TYPE_UBIGINT}, duckdb.TYPE_BOOLEAN, s.check},
	} {
		config := duckdb.ScalarFuncConfig{}
		for _, t := range g.args {
			info, err := duckdb.NewTypeInfo(t)
			if err != nil {
				return err
			}
			config.InputTypeInfos = append(config.InputTypeInfos, info)
		}
		var err error
		if g.result == duckdb.TYPE_LIST {
			config.ResultTypeInfo, err = duckdb.NewListInfo(config.InputTypeInfos[0])
		} else {
			config.ResultTypeInfo, err = duckdb.NewTypeInfo(g.result)
		}
		if err != nil {
			return err
		}
		if err := duckdb.RegisterScalarUDF(conn, g.name, stepGuard{config, g.run}); err != nil {
			return fmt.Errorf("register function %s: %w", g.name, err)
		}
	}
	return nil
}

// stepGuard is a guard as DuckDB wants a function.
type stepGuard struct {
	config duckdb.ScalarFuncConfig
	run    func(*duckdb.ChunkIteratorState) error
}

// Config returns its types.
func (g stepGuard) Config() duckdb.ScalarFuncConfig { return g.config }

// Executor calls it for all rows of a step at once.
func (g stepGuard) Executor() duckdb.ScalarFuncExecutor {
	return duckdb.ScalarFuncExecutor{ChunkContextExecutor: func(_ context.Context, chunk *duckdb.ChunkIteratorState) error { return g.run(chunk) }}
}

// fits is kql.GuardFits.
func (s *steps) fits(chunk *duckdb.ChunkIteratorState) error {
	if s.full.Load() {
		return errMemory
	}
	in := chunk.GetInputChunk()
	var sum float64
	for i := range in.GetSize() {
		v, err := in.GetValue(0, i)
		if err != nil {
			return err
		}
		if n, ok := v.(float64); ok {
			sum += n
		}
	}
	if sum > maxStepBytes {
		return fmt.Errorf("texts of %.0f MB would be made at once, of at most %d: make them shorter, or take fewer rows", sum/(1<<20), maxStepBytes>>20)
	}
	return answer(chunk, true)
}

// light is kql.GuardLight.
func light(chunk *duckdb.ChunkIteratorState) error {
	texts, states, square, err := regexArgs(chunk)
	if err != nil {
		return err
	}
	var sum float64
	for i := range texts.Len() {
		text, _, err := texts.GetValueBorrowed(i)
		if err != nil {
			return err
		}
		sum += regexWork(len(text), states, square)
	}
	return answer(chunk, sum <= lightWork)
}

// pieces is kql.GuardPieces.
func pieces(chunk *duckdb.ChunkIteratorState) error {
	_, states, square, err := regexArgs(chunk)
	if err != nil {
		return err
	}
	for row, err := range chunk.Rows() {
		if err != nil {
			return err
		}
		text, ok := (*row.GetValuePtr(0)).(string)
		if !ok {
			return errors.New("a piece is no text")
		}
		work := regexWork(len(text), states, square)
		if work > maxWork {
			return fmt.Errorf("a regular expression would take too long over a text of %d bytes: make it simpler, or the text shorter", len(text))
		}
		list := make([]any, max(1, int(stepRows*min(1, work/lightWork))))
		list[0] = text
		if err := row.SetResult(list); err != nil {
			return err
		}
	}
	return nil
}

// check is kql.GuardAlive.
func (s *steps) check(chunk *duckdb.ChunkIteratorState) error {
	in := chunk.GetInputChunk()
	for i := range in.GetSize() {
		v, err := in.GetValue(1, i)
		if err != nil {
			return err
		}
		if id, ok := v.(uint64); ok { // the same in all rows
			if err := s.alive(id); err != nil {
				return err
			}
			break
		}
	}
	return answer(chunk, true)
}

// regexArgs are the arguments of light and pieces; all but the texts are the same
// in all rows.
func regexArgs(chunk *duckdb.ChunkIteratorState) (texts duckdb.VectorView[string], states, square int64, err error) {
	in := chunk.GetInputChunk()
	if in.GetSize() == 0 {
		return texts, 0, 0, nil
	}
	vector, err := in.GetVector(0)
	if err != nil {
		return texts, 0, 0, err
	}
	if texts, err = duckdb.GetVectorView[string](vector); err != nil {
		return texts, 0, 0, err
	}
	for i, to := range []*int64{&states, &square} {
		v, err := in.GetValue(i+1, 0)
		if err != nil {
			return texts, 0, 0, err
		}
		n, ok := v.(int64)
		if !ok {
			return texts, 0, 0, fmt.Errorf("argument %d of a guard is a %T", i+2, v)
		}
		*to = n
	}
	return texts, states, square, nil
}

// answer makes the result of every row v.
func answer(chunk *duckdb.ChunkIteratorState, v bool) error {
	out, err := boolsOf(chunk.GetResultVector(), chunk.GetInputChunk().GetSize())
	for i := range out {
		out[i] = v
	}
	return err
}

// boolsOf returns the booleans of a vector, which the driver lets one write only
// as values of any type, at ten times the cost.
func boolsOf(v duckdb.Vector, n int) ([]bool, error) {
	f := reflect.ValueOf(v).FieldByName("v")
	if f.Kind() != reflect.Pointer || f.IsNil() || f.Elem().FieldByName("dataPtr").Kind() != reflect.UnsafePointer {
		return nil, errors.New("this version of DuckDB's driver keeps its vectors elsewhere: see boolsOf")
	}
	return unsafe.Slice((*bool)(f.Elem().FieldByName("dataPtr").UnsafePointer()), n), nil
}
