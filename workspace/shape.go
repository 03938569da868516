package workspace

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"

	"picket/kql"
)

// freeText are the names of columns that hold a line as its program wrote it. A
// table keeps the shapes of the first of them that it has; see [kql.Shape].
var freeText = [...]string{"SyslogMessage", "Message", "RawData"}

// shaped returns the column of t that has shapes, or "".
func shaped(t kql.Table) string {
	for _, name := range freeText {
		if slices.Contains(t.Columns, kql.Column{Name: name, Type: kql.String}) {
			return name
		}
	}
	return ""
}

const createShapes = `CREATE TABLE IF NOT EXISTS "$shape" (table_name VARCHAR PRIMARY KEY, column_name VARCHAR)`

// loadShapes reads which tables have shapes, and adds the column to those that
// were made by a Picket that knew of none: their rows have no shape.
func (db *DB) loadShapes(ctx context.Context) error {
	rows, err := db.pool.QueryContext(ctx, `SELECT table_name, column_name FROM "$shape"`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var table, column string
		if err := rows.Scan(&table, &column); err != nil {
			return err
		}
		if t := db.tables[table]; t != nil {
			t.Shaped = column
			db.shapers[table] = newShaper()
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for name, t := range db.tables {
		if column := shaped(*t); column != "" && t.Hidden && t.Shaped == "" {
			if err := db.addShapes(ctx, t, column); err != nil {
				return fmt.Errorf("table %s: %w", name, err)
			}
		}
	}
	return nil
}

// addShapes gives a table that exists the column of shapes.
func (db *DB) addShapes(ctx context.Context, t *kql.Table, column string) error {
	tx, err := db.pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // after Commit it does nothing
	if _, err := tx.ExecContext(ctx, fmt.Sprintf(`ALTER TABLE %s ADD COLUMN %s VARCHAR DEFAULT ''`, quote(t.Name), quote(kql.Shape))); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO "$shape" VALUES (?, ?)`, t.Name, column); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	t.Shaped = column
	db.shapers[t.Name] = newShaper()
	return nil
}

// shaperOf returns what gives the rows of a table their shapes, nil where they
// have none.
func (db *DB) shaperOf(table string) *shaper {
	db.mu.RLock()
	defer db.mu.RUnlock()
	return db.shapers[table]
}

// shaper gives texts their shapes, as far as these recur: one that is not seen
// again would be a text that is stored twice.
type shaper struct {
	mu   sync.Mutex
	buf  []byte
	seed maphash.Seed
	// once are hashes of shapes seen once, each in its place until another comes.
	once *[4096]uint64
	// known are the shapes seen again, older those before there were too many.
	known, older map[string]string
}

// maxKnown is how many shapes a shaper keeps, twice over. With more of them
// DuckDB would not store them as a dictionary.
const maxKnown = 4096

func newShaper() *shaper { return &shaper{seed: maphash.MakeSeed()} }

// shapes returns the shapes of texts.
func (s *shaper) shapes(texts []string) column {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := newColumn(kql.String, len(texts))
	for _, t := range texts {
		c.texts = append(c.texts, s.shape(t))
	}
	return c
}

// shape returns the shape of text, or "" for one that has none or a new one.
func (s *shaper) shape(text string) string {
	var ok bool
	if s.buf, ok = kql.AppendShape(s.buf[:0], text); !ok {
		return ""
	}
	if v, ok := s.known[string(s.buf)]; ok {
		return v
	}
	v, ok := s.older[string(s.buf)]
	if !ok {
		h := maphash.Bytes(s.seed, s.buf)
		if s.once == nil {
			s.once = new([4096]uint64)
		}
		if seen := &s.once[h%uint64(len(s.once))]; *seen != h {
			*seen = h
			return ""
		}
		v = string(s.buf)
	}
	if len(s.known) >= maxKnown || s.known == nil {
		s.known, s.older = map[string]string{}, s.known
	}
	s.known[v] = v
	return v
}
