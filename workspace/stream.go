package workspace

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unsafe"

	bindings "github.com/duckdb/duckdb-go-bindings"
	"github.com/duckdb/duckdb-go/v2"

	"picket/kql"
)

// stream is a running query whose rows are fetched while they are made. The
// driver's own rows are all in memory before the first is read, outside of
// DuckDB's memory limit; here DuckDB waits when about 1 MB is not yet read.
type stream struct {
	conn *sql.Conn // of this query alone until close
	raw  bindings.Connection
	stmt bindings.PreparedStatement
	res  bindings.Result

	forget func() // ends what the guards of steps know of it; nil before the start

	chunk bindings.DataChunk
	cols  []vector // of chunk
	size  int      // rows of chunk
	next  int      // the row of chunk to read next
}

// startStream plans query and runs it up to its first rows. When ctx ends,
// DuckDB is interrupted in whatever it is doing.
func startStream(ctx context.Context, pool *sql.DB, steps *steps, query string) (*stream, error) {
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, err
	}
	s := &stream{conn: conn}
	if err := conn.Raw(func(c any) error { s.raw, err = rawConn(c); return err }); err != nil {
		return nil, errors.Join(err, s.close())
	}
	id, err := duckdb.ConnId(conn)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	steps.queries.Store(id, ctx)
	s.forget = func() { steps.queries.Delete(id) }
	if err := s.start(ctx, query); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// rawConn returns DuckDB's own handle of a connection, which the driver keeps to
// itself and which streaming needs.
func rawConn(c any) (bindings.Connection, error) {
	if _, ok := c.(*duckdb.Conn); !ok {
		return bindings.Connection{}, fmt.Errorf("a connection is a %T, not DuckDB's", c)
	}
	f := reflect.ValueOf(c).Elem().FieldByName("conn")
	if f.Type() != reflect.TypeFor[bindings.Connection]() {
		return bindings.Connection{}, errors.New("this version of DuckDB's driver keeps its handle elsewhere: see rawConn")
	}
	return bindings.Connection{Ptr: f.FieldByName("Ptr").UnsafePointer()}, nil
}

func (s *stream) start(ctx context.Context, query string) (err error) {
	s.interruptible(ctx, func() {
		if bindings.Prepare(s.raw, query, &s.stmt) == bindings.StateError {
			err = duckError(bindings.PrepareError(s.stmt))
			return
		}
		var pending bindings.PendingResult
		defer bindings.DestroyPending(&pending)
		if bindings.PendingPreparedStreaming(s.stmt, &pending) == bindings.StateError {
			err = duckError(bindings.PendingError(pending))
			return
		}
		if ctx.Err() == nil && bindings.ExecutePending(pending, &s.res) == bindings.StateError {
			err = duckError(bindings.ResultError(&s.res))
		}
	})
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// interruptEvery is how often DuckDB is interrupted until it has stopped: an
// interrupt that comes between two phases is lost.
const interruptEvery = 20 * time.Millisecond

// interruptible calls f, and interrupts what DuckDB does on the connection from
// the end of ctx until f returns.
func (s *stream) interruptible(ctx context.Context, f func()) {
	returned, quiet := make(chan struct{}), make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(quiet)
		tick := time.NewTicker(interruptEvery)
		defer tick.Stop()
		for {
			select {
			case <-returned:
				return
			default:
				bindings.Interrupt(s.raw)
			}
			select {
			case <-returned:
				return
			case <-tick.C:
			}
		}
	})
	f()
	close(returned)
	if !stop() {
		<-quiet // it must not hit the connection's next query
	}
}

// fetch makes the next rows available, or reports that there are none.
func (s *stream) fetch(ctx context.Context) (more bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	bindings.DestroyDataChunk(&s.chunk)
	s.interruptible(ctx, func() { s.chunk = bindings.FetchChunk(s.res) })
	s.next, s.size = 0, 0
	if s.chunk.Ptr == nil {
		if msg := bindings.ResultError(&s.res); msg != "" {
			return false, duckError(msg)
		}
		return false, nil
	}
	s.size = int(bindings.DataChunkGetSize(s.chunk))
	s.cols = s.cols[:0]
	for i := range bindings.DataChunkGetColumnCount(s.chunk) {
		v := bindings.DataChunkGetVector(s.chunk, i)
		typ := bindings.VectorGetColumnType(v)
		s.cols = append(s.cols, vector{bindings.GetTypeId(typ), bindings.VectorGetData(v), (*uint64)(bindings.VectorGetValidity(v))})
		bindings.DestroyLogicalType(&typ)
	}
	return s.size > 0, nil
}

// close stops the query and gives the connection back.
func (s *stream) close() error {
	if s.conn == nil {
		return nil
	}
	if s.raw.Ptr != nil {
		bindings.Interrupt(s.raw)
	}
	bindings.DestroyDataChunk(&s.chunk)
	bindings.DestroyResult(&s.res)
	bindings.DestroyPrepare(&s.stmt)
	if s.forget != nil {
		s.forget()
	}
	err := s.conn.Close()
	s.conn = nil
	return err
}

// vector is one column of a chunk: DuckDB's memory, valid until the next fetch.
type vector struct {
	typ   bindings.Type
	data  unsafe.Pointer
	valid *uint64 // a bit for each row; nil: none is NULL
}

func (v vector) null(row int) bool {
	return v.valid != nil && *(*uint64)(unsafe.Add(unsafe.Pointer(v.valid), row/64*8))&(1<<(row%64)) == 0
}

func at[T any](v vector, row int) T {
	var t T
	return *(*T)(unsafe.Add(v.data, uintptr(row)*unsafe.Sizeof(t)))
}

// text is the string at row, in DuckDB's memory: its length in 4 bytes, then
// up to 12 bytes of it, or 4 and a pointer to all (duckdb_string_t).
func (v vector) text(row int) string {
	p := unsafe.Add(v.data, uintptr(row)*16)
	n := *(*uint32)(p)
	if n <= 12 {
		return unsafe.String((*byte)(unsafe.Add(p, 4)), n)
	}
	return unsafe.String(*(**byte)(unsafe.Add(p, 8)), n)
}

// value returns the value at row in the Go type that [Result.Rows] promises; a
// string is DuckDB's still.
func (v vector) value(row int) (any, error) {
	if v.null(row) {
		return nil, nil
	}
	switch v.typ {
	case bindings.TypeVarchar:
		return v.text(row), nil
	case bindings.TypeBigInt:
		return at[int64](v, row), nil
	case bindings.TypeInteger:
		return int64(at[int32](v, row)), nil
	case bindings.TypeDouble:
		return at[float64](v, row), nil
	case bindings.TypeBoolean:
		return at[bool](v, row), nil
	case bindings.TypeSmallInt:
		return int64(at[int16](v, row)), nil
	case bindings.TypeTinyInt:
		return int64(at[int8](v, row)), nil
	case bindings.TypeUInteger:
		return int64(at[uint32](v, row)), nil
	case bindings.TypeFloat:
		return float64(at[float32](v, row)), nil
	}
	return nil, fmt.Errorf("its type in DuckDB has the number %d, which no KQL type has", v.typ)
}

// row reads the next row of the chunk and says how large it is as text, roughly.
// Rows that are larger than max are not copied.
func (s *stream) row(columns []kql.Column, max int64) (row []any, size int64, err error) {
	row = make([]any, len(s.cols))
	size = int64(len(row)) * 8
	for i, c := range s.cols {
		if row[i], err = c.value(s.next); err != nil {
			return nil, 0, fmt.Errorf("read result: column %s: %w", columns[i].Name, err)
		}
		if t, ok := row[i].(string); ok {
			size += int64(len(t))
		}
	}
	s.next++
	if size > max {
		return nil, size, nil
	}
	for i, v := range row {
		if t, ok := v.(string); ok {
			row[i] = strings.Clone(t)
		}
	}
	return row, size, nil
}

// duckError is DuckDB's error of that text, as the driver makes them.
func duckError(msg string) error {
	kind := duckdb.ErrorTypeInvalid
	switch prefix, _, _ := strings.Cut(msg, " Error: "); prefix {
	case "Out of Memory":
		kind = duckdb.ErrorTypeOutOfMemory
	case "IO":
		kind = duckdb.ErrorTypeIO
	case "INTERNAL":
		kind = duckdb.ErrorTypeInternal
	case "FATAL":
		kind = duckdb.ErrorTypeFatal
	case "INTERRUPT":
		kind = duckdb.ErrorTypeInterrupt
	}
	return &duckdb.Error{Type: kind, Msg: msg}
}
