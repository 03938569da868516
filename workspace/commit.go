package workspace

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"picket"
)

// commit writes the group in one transaction. When that fails each request is
// tried alone, so that one bad batch does not fail its neighbours.
func (w *writer) commit(group []request) {
	err := w.transaction(group)
	if err == nil || len(group) == 1 {
		for _, r := range group {
			r.done <- err
		}
		return
	}
	for _, r := range group {
		r.done <- w.transaction([]request{r})
	}
}

// An appender flushes by itself when it has 204,800 rows. Groups that are flushed
// without a transaction around them stay well below.
const (
	maxFlush      = maxGroup
	maxFlushBytes = 96 << 20
)

// whole reports whether one flush of one appender can commit the group: it is all
// of one table and the same columns, and no id is to be remembered with it.
//
// That is worth telling apart. Most of a commit's work is to compress the rows;
// under the statement COMMIT a thread of DuckDB's does it, and the one that waits
// for it is as busy with waiting. A flush does it itself.
func whole(group []request) bool {
	var rows int
	var bytes int64
	for _, r := range group {
		if r.id != "" && !r.ephemeral || r.table != group[0].table || !slices.Equal(r.rows.names, group[0].rows.names) {
			return false
		}
		rows += r.rows.rows
		bytes += r.bytes
	}
	return rows <= maxFlush && bytes <= maxFlushBytes
}

func (w *writer) transaction(group []request) (err error) {
	alone, begun := whole(group), false
	defer func() {
		if err != nil {
			err = w.abort(err, begun)
		}
	}()
	if len(w.appenders) > maxAppenders {
		w.dropAppenders()
	}
	for _, r := range group {
		if err := w.store(r.table, r.rows.names); err != nil {
			return err
		}
	}
	if !alone {
		if err := exec(w.conn, "BEGIN"); err != nil {
			return err
		}
		begun = true
	}
	touched := map[appenderKey]bool{}
	brief := map[string]bool{} // ephemeral ids of this group
	var written []request
	for _, r := range group {
		if fresh, err := w.fresh(r, brief); err != nil {
			return err
		} else if !fresh {
			continue
		}
		key := appenderKey{r.table, strings.Join(r.rows.names, "\x00")}
		if err := w.put(key, &r.rows); err != nil {
			return fmt.Errorf("table %s: %w", r.table, err)
		}
		touched[key] = true
		written = append(written, r)
	}
	for key := range touched {
		if err := w.appenders[key].flush(); err != nil {
			return fmt.Errorf("table %s: %w", key.table, err)
		}
	}
	if !alone {
		if err := exec(w.conn, "COMMIT"); err != nil {
			return err
		}
	}
	for id := range brief {
		w.recent.add(id)
	}
	w.count(written)
	return nil
}

// abort gives up what was appended since the last commit, and returns err for
// those who wait.
func (w *writer) abort(err error, begun bool) error {
	// An appender that failed still holds its rows: it must not flush them into the next transaction.
	w.dropAppenders()
	if w.db.lost(err) { // there is nothing to roll back
		return picket.Errorf(picket.Unavailable, "append: %w", err)
	}
	if noSpace(err) {
		err = fullError("its disk is full: %w", err)
	}
	err = fmt.Errorf("append: %w", err)
	if begun {
		err = errors.Join(err, exec(w.conn, "ROLLBACK"))
	}
	return err
}

// fresh reports whether a batch was not seen before, and notes its id: a lasting
// one in the transaction, an ephemeral one in brief.
func (w *writer) fresh(r request, brief map[string]bool) (bool, error) {
	switch key := r.table + " " + r.id; {
	case r.id == "":
		return true, nil
	case !r.ephemeral:
		return w.remember(r.table, r.id)
	case w.recent.seen[key] || brief[key]:
		return false, nil
	default:
		brief[key] = true
		return true, nil
	}
}

// put gives rows to their appender.
func (w *writer) put(key appenderKey, rows *block) error {
	a, err := w.appender(key, rows.names)
	if err != nil {
		return err
	}
	return a.append(rows)
}

// count notes what was committed.
func (w *writer) count(written []request) {
	for _, r := range written {
		w.usage.add(r.table, w.db.now(), r.bytes)
		w.db.metrics.rows.WithLabelValues(r.table).Add(float64(r.rows.rows))
		w.db.metrics.bytes.WithLabelValues(r.table).Add(float64(r.bytes))
	}
	if err := w.usage.due(w.flushUsage); err != nil {
		w.db.log.Warn("count what was taken in", "err", err)
	}
}
