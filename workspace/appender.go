package workspace

import (
	"database/sql/driver"
	"fmt"
	"runtime"
	"slices"
	"unsafe"

	bindings "github.com/duckdb/duckdb-go-bindings"
)

// appender gives rows to a table. The driver's own takes them a value at a time,
// each in an interface of its own, and calls C for every text; this one writes
// into DuckDB's vectors and calls it for every 2,048 rows.
type appender struct {
	raw   bindings.Appender
	types []bindings.LogicalType
	kinds []bindings.Type
	chunk bindings.DataChunk
	data  []unsafe.Pointer // of the chunk's vectors
	rows  int              // of the chunk that are set

	// texts are those of the chunk that are longer than a vector's own 12 bytes.
	// It is pinned, since DuckDB's memory points to it until the chunk is appended.
	texts  []byte
	pinned runtime.Pinner
	moved  bool // texts was replaced by a larger one, and the old one is still pinned
}

const (
	// inlined is the length up to which a vector holds a text itself (duckdb_string_t).
	inlined = 12
	// keptTexts is the largest memory for texts that an appender keeps.
	keptTexts = 4 << 20
)

// newAppender returns an appender of rows with the given columns, or all of the
// table's.
func newAppender(conn driver.Conn, table string, columns []string) (*appender, error) {
	raw, err := rawConn(conn)
	if err != nil {
		return nil, err
	}
	a := &appender{}
	if bindings.AppenderCreateExt(raw, "", "", table, &a.raw) == bindings.StateError {
		defer a.close()
		return nil, duckError(bindings.AppenderError(a.raw))
	}
	for _, c := range columns {
		if bindings.AppenderAddColumn(a.raw, c) == bindings.StateError {
			defer a.close()
			return nil, fmt.Errorf("column %s: %w", c, duckError(bindings.AppenderError(a.raw)))
		}
	}
	for i := range bindings.AppenderColumnCount(a.raw) {
		t := bindings.AppenderColumnType(a.raw, i)
		switch bindings.GetTypeId(t) {
		case bindings.TypeBigInt, bindings.TypeDouble, bindings.TypeInteger, bindings.TypeUInteger, bindings.TypeBoolean, bindings.TypeVarchar:
		default: // DuckDB reads it from its text
			bindings.DestroyLogicalType(&t)
			t = bindings.CreateLogicalType(bindings.TypeVarchar)
		}
		a.types, a.kinds = append(a.types, t), append(a.kinds, bindings.GetTypeId(t))
	}
	a.chunk = bindings.CreateDataChunk(a.types)
	a.data = make([]unsafe.Pointer, len(a.types))
	a.reset()
	return a, nil
}

// reset empties the chunk.
func (a *appender) reset() {
	bindings.DataChunkReset(a.chunk)
	for i := range a.data {
		a.data[i] = bindings.VectorGetData(bindings.DataChunkGetVector(a.chunk, bindings.IdxT(i)))
	}
	a.rows, a.texts = 0, a.texts[:0]
	if a.moved || cap(a.texts) > keptTexts {
		a.pinned.Unpin()
		if a.moved = false; cap(a.texts) > keptTexts {
			a.texts = nil
		} else {
			a.pinned.Pin(unsafe.SliceData(a.texts))
		}
	}
}

// append adds the rows of b, whose columns are the appender's. They are in the
// table after flush.
func (a *appender) append(b *block) error {
	if len(b.columns) != len(a.kinds) {
		return fmt.Errorf("%d columns for the %d of the table", len(b.columns), len(a.kinds))
	}
	for from := 0; from < b.rows; {
		n := min(b.rows-from, stepRows-a.rows)
		for i := range b.columns {
			if err := a.put(i, &b.columns[i], from, n); err != nil {
				return err
			}
		}
		from, a.rows = from+n, a.rows+n
		if a.rows == stepRows {
			if err := a.hand(); err != nil {
				return err
			}
		}
	}
	return nil
}

// put writes n values of c, from the given row on, behind those of the chunk's column i.
func (a *appender) put(i int, c *column, from, n int) error {
	data := a.data[i]
	switch kind := a.kinds[i]; {
	case kind == bindings.TypeVarchar && c.texts != nil:
		a.putTexts(unsafe.Slice((*vectorText)(data), stepRows)[a.rows:], c.texts[from:from+n])
	case c.numbers == nil:
		return fmt.Errorf("column %d holds no values of its type", i+1)
	case kind == bindings.TypeBigInt, kind == bindings.TypeDouble:
		copy(unsafe.Slice((*int64)(data), stepRows)[a.rows:], c.numbers[from:from+n])
	case kind == bindings.TypeInteger, kind == bindings.TypeUInteger:
		to := unsafe.Slice((*int32)(data), stepRows)[a.rows:]
		for j, v := range c.numbers[from : from+n] {
			to[j] = int32(v)
		}
	case kind == bindings.TypeBoolean:
		to := unsafe.Slice((*bool)(data), stepRows)[a.rows:]
		for j, v := range c.numbers[from : from+n] {
			to[j] = v != 0
		}
	default:
		return fmt.Errorf("column %d has a type that Picket does not write", i+1)
	}
	first, _ := slices.BinarySearch(c.nulls, from)
	end, _ := slices.BinarySearch(c.nulls, from+n)
	if first < end {
		v := bindings.DataChunkGetVector(a.chunk, bindings.IdxT(i))
		bindings.VectorEnsureValidityWritable(v)
		valid := unsafe.Slice((*uint64)(bindings.VectorGetValidity(v)), stepRows/64)
		for _, row := range c.nulls[first:end] {
			row += a.rows - from
			valid[row/64] &^= 1 << (row % 64)
		}
	}
	return nil
}

// vectorText is a text in a vector (duckdb_string_t): its length in 4 bytes, then
// the text up to 12 bytes, or 4 bytes of it and a pointer to all.
type vectorText [2]uint64

func (a *appender) putTexts(to []vectorText, texts []string) {
	var last string
	for i, s := range texts {
		if i > 0 && len(s) == len(last) && unsafe.StringData(s) == unsafe.StringData(last) {
			to[i] = to[i-1]
			continue
		}
		last = s
		var t vectorText
		p := (*[16]byte)(unsafe.Pointer(&t))
		*(*uint32)(unsafe.Pointer(p)) = uint32(len(s))
		if copy(p[4:], s); len(s) > inlined {
			t[1] = uint64(a.keep(s))
		}
		to[i] = t
	}
}

// keep copies s to where it stays until the chunk is appended.
func (a *appender) keep(s string) uintptr {
	at := len(a.texts)
	if at+len(s) > cap(a.texts) {
		a.moved = a.moved || a.texts != nil
		a.texts, at = make([]byte, 0, max(2*cap(a.texts), len(s), 64<<10)), 0
		a.pinned.Pin(unsafe.SliceData(a.texts))
	}
	a.texts = append(a.texts, s...)
	return uintptr(unsafe.Pointer(&a.texts[at]))
}

// hand gives the chunk to DuckDB, which copies it.
func (a *appender) hand() error {
	if a.rows == 0 {
		return nil
	}
	bindings.DataChunkSetSize(a.chunk, bindings.IdxT(a.rows))
	if bindings.AppendDataChunk(a.raw, a.chunk) == bindings.StateError {
		return duckError(bindings.AppenderError(a.raw))
	}
	a.reset()
	return nil
}

// flush writes what was appended.
func (a *appender) flush() error {
	if err := a.hand(); err != nil {
		return err
	}
	if bindings.AppenderFlush(a.raw) == bindings.StateError {
		return duckError(bindings.AppenderError(a.raw))
	}
	return nil
}

// close ends the appender without what it was given since the last flush.
func (a *appender) close() {
	if a.raw.Ptr != nil {
		bindings.AppenderClear(a.raw) // else it is flushed
		bindings.AppenderDestroy(&a.raw)
	}
	bindings.DestroyDataChunk(&a.chunk)
	for i := range a.types {
		bindings.DestroyLogicalType(&a.types[i])
	}
	a.pinned.Unpin()
}

// appendTo adds rows to a table and flushes them.
func appendTo(conn driver.Conn, table string, b *block) error {
	a, err := newAppender(conn, table, b.names)
	if err != nil {
		return err
	}
	defer a.close()
	if err := a.append(b); err != nil {
		return err
	}
	return a.flush()
}
