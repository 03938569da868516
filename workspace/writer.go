package workspace

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"

	"picket"
	"picket/kql"
)

// maxGroup is how many rows at the most are committed together when several
// batches wait. It is DuckDB's row group: so many rows at once are compressed
// and written to their place in the file; fewer go through the log and are
// compressed at a checkpoint, together with the rows before them.
const maxGroup = 122_880

// maxAppenders is how many appenders are kept: each holds a vector of 2,048 values
// for every column.
const maxAppenders = 32

// writer is the one goroutine that writes. DuckDB's appenders must not flush
// concurrently, and one suffices: the columns are written at memory speed.
type writer struct {
	db        *DB
	conn      driver.Conn
	appenders map[appenderKey]*appender
	recent    recent
	usage     usage
}

// appenderKey tells appenders apart: the columns are those of the rows.
type appenderKey struct{ table, columns string }

// recent is the ephemeral batch ids of the last commits.
type recent struct {
	seen map[string]bool
	ring [1024]string
	next int
}

func (r *recent) add(id string) {
	delete(r.seen, r.ring[r.next])
	r.ring[r.next] = id
	r.seen[id] = true
	r.next = (r.next + 1) % len(r.ring)
}

func (w *writer) run() {
	defer close(w.db.stopped)
	defer w.stop()
	for {
		select {
		case r := <-w.db.requests:
			w.serve(r)
		case <-w.db.closing:
			for {
				select {
				case r := <-w.db.requests:
					w.serve(r)
				default:
					return
				}
			}
		}
	}
}

// serve does r, together with the appends that wait behind it.
func (w *writer) serve(r request) {
	for {
		if !r.append() {
			r.done <- w.change(r)
			w.checkpoint()
			return
		}
		group, next := w.gather(r)
		w.commit(group)
		w.checkpoint()
		if next == nil {
			return
		}
		r = *next
	}
}

// gather collects waiting appends without waiting for more. A request of
// another kind ends the group and is returned as next.
func (w *writer) gather(r request) (group []request, next *request) {
	group = []request{r}
	for n := r.rows.rows; n < maxGroup; {
		select {
		case q := <-w.db.requests:
			if !q.append() {
				return group, &q
			}
			group = append(group, q)
			n += q.rows.rows
		default:
			return group, nil
		}
	}
	return group, nil
}

// remember records a batch id in the current transaction and reports whether it is new.
func (w *writer) remember(table, id string) (bool, error) {
	e := w.conn.(driver.ExecerContext)
	args := []driver.NamedValue{{Ordinal: 1, Value: table}, {Ordinal: 2, Value: id}, {Ordinal: 3, Value: kql.TicksOf(w.db.now())}}
	res, err := e.ExecContext(background, `INSERT INTO "$batch" VALUES (?, ?, ?) ON CONFLICT DO NOTHING`, args)
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 1, err
}

func (w *writer) appender(key appenderKey, columns []string) (*appender, error) {
	if a := w.appenders[key]; a != nil {
		return a, nil
	}
	a, err := newAppender(w.conn, key.table, columns)
	if err != nil {
		return nil, fmt.Errorf("table %s: %w", key.table, err)
	}
	w.appenders[key] = a
	return a, nil
}

func (w *writer) dropAppenders() {
	for name, a := range w.appenders {
		a.close()
		delete(w.appenders, name)
	}
}

// change does a request that is no append.
func (w *writer) change(r request) error {
	switch {
	case r.create != nil:
		return w.create(*r.create)
	case r.side != nil:
		return w.addSide(*r.side, &r.rows)
	case r.sql != nil:
		return errors.Join(w.flushUsage(), w.together(r))
	}
	return w.dropSide(r.drop)
}

// together runs the statements of r in one transaction.
func (w *writer) together(r request) (err error) {
	if err := w.store(r.table, r.writes); err != nil {
		return err
	}
	if err := exec(w.conn, "BEGIN"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, exec(w.conn, "ROLLBACK"))
		}
	}()
	for _, s := range r.sql {
		if err := exec(w.conn, s); err != nil {
			return err
		}
	}
	return exec(w.conn, "COMMIT")
}

// create makes the table or adds the columns it lacks.
func (w *writer) create(t kql.Table) error {
	cur, exists := w.db.Table(t.Name)
	add := t.Columns
	next := kql.Table{Name: t.Name, Hidden: true, Addressed: !exists || cur.Addressed}
	if exists {
		var err error
		if add, err = missing(cur, t.Columns); err != nil {
			return err
		}
		if len(add) == 0 {
			return nil
		}
		next.Columns, next.Shaped = slices.Clone(cur.Columns), cur.Shaped
	}
	next.Columns = append(next.Columns, add...)
	if !exists {
		next.Shaped = shaped(next)
	}
	w.dropAppenders() // those of this table know the old columns only
	if err := w.createSQL(next, exists, len(next.Columns)-len(add)); err != nil {
		return fmt.Errorf("create table %s: %w", t.Name, err)
	}
	absent := map[string]bool{}
	if !exists {
		for i, id := range kql.Identifiers(next.Columns) {
			if mayBeAbsent(next.Columns[i]) {
				absent[id] = true
			}
		}
		w.db.setAbsent(t.Name, absent)
	}
	w.db.mu.Lock()
	w.db.tables[t.Name] = &next
	if next.Shaped != "" && !exists {
		w.db.shapers[t.Name] = newShaper()
	}
	w.db.mu.Unlock()
	return nil
}

// createSQL makes the table t, or when it exists adds its columns from the
// given one on.
func (w *writer) createSQL(t kql.Table, exists bool, from int) (err error) {
	if err := exec(w.conn, "BEGIN"); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, exec(w.conn, "ROLLBACK"))
		}
	}()
	ids := kql.Identifiers(t.Columns)
	if !exists {
		var b strings.Builder
		fmt.Fprintf(&b, "CREATE TABLE %s (%s BIGINT", quote(t.Name), quote(kql.IngestionTime))
		for i, c := range t.Columns {
			def := w.db.columnSQL(t, c)
			if mayBeAbsent(c) {
				def = w.db.absentSQL(t, c)
			}
			fmt.Fprintf(&b, ", %s %s", quote(ids[i]), def)
		}
		for _, c := range addressColumns {
			fmt.Fprintf(&b, ", %s %s", quote(c.Name), c.Type.SQL())
		}
		if t.Shaped != "" {
			fmt.Fprintf(&b, ", %s VARCHAR DEFAULT ''", quote(kql.Shape))
		}
		if err := exec(w.conn, b.String()+")"); err != nil {
			return err
		}
		if t.Shaped != "" {
			if err := exec(w.conn, fmt.Sprintf(`INSERT INTO "$shape" VALUES ('%s', '%s')`, t.Name, t.Shaped)); err != nil {
				return err
			}
		}
	}
	added := block{names: []string{"table_name", "ordinal", "name", "type", "stored"},
		columns: []column{newColumn(kql.String, 0), newColumn(kql.Int, 0), newColumn(kql.String, 0), newColumn(kql.String, 0), newColumn(kql.Bool, 0)}}
	for i, c := range t.Columns[from:] {
		if exists {
			if err := exec(w.conn, fmt.Sprintf("ALTER TABLE %s ADD COLUMN %s %s", quote(t.Name), quote(ids[from+i]), w.db.columnSQL(t, c))); err != nil {
				return err
			}
		}
		for j, v := range []driver.Value{t.Name, int64(from + i), c.Name, c.Type.String(), exists || !mayBeAbsent(c)} {
			added.columns[j].add(v)
		}
		added.rows++
	}
	if err := appendTo(w.conn, "$column", &added); err != nil {
		return err
	}
	return exec(w.conn, "COMMIT")
}

// columnSQL is a column's SQL type and what it holds when nothing is given; old
// rows of an added column have that, too: a string is never NULL.
func (db *DB) columnSQL(t kql.Table, c kql.Column) string {
	if c.Type != kql.String {
		return c.Type.SQL()
	}
	return fmt.Sprintf("%s DEFAULT '%s'", c.Type.SQL(), db.blank(&t, c))
}

// missing returns the columns of want that t lacks.
func missing(t *kql.Table, want []kql.Column) ([]kql.Column, error) {
	var add []kql.Column
	for _, c := range want {
		i := slices.IndexFunc(t.Columns, func(h kql.Column) bool { return h.Name == c.Name })
		if i < 0 {
			add = append(add, c)
		} else if t.Columns[i].Type != c.Type {
			return nil, picket.Errorf(picket.Conflict, "table %s: column %s is %s there, not %s", t.Name, c.Name, t.Columns[i].Type, c.Type)
		}
	}
	return add, nil
}

// stop flushes to the file and lets it go.
func (w *writer) stop() {
	if err := w.flushUsage(); err != nil {
		w.db.log.Warn("count what was taken in", "err", err)
	}
	w.dropAppenders()
	w.checkpointNow()
	if err := w.conn.Close(); err != nil {
		w.db.log.Warn("close the writer's connection", "err", err)
	}
}

// exec runs SQL on the writer's own connection.
func exec(conn driver.Conn, query string, args ...driver.NamedValue) error {
	e, ok := conn.(driver.ExecerContext)
	if !ok {
		return errors.New("the driver cannot execute SQL")
	}
	_, err := e.ExecContext(context.Background(), query, args)
	return err
}
