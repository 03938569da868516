package state

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"picket"
)

// PlaybookRun is one run of a playbook.
type PlaybookRun struct {
	ID         string
	Playbook   string
	Definition string // hash of the definition it runs
	Incident   string // name (GUID) of the incident, or ""
	Body       string // of the trigger, JSON; lists leave it out
	Nonce      string // of the placeholders in stored results; lists leave it out

	Status  string // Waiting, Running, Succeeded, Failed or Cancelled
	Code    string
	Message string // why it failed; no secret in it

	Created, Started, Ended time.Time // zero while not there yet
}

// PlaybookAction is what one action of a run came to, in one iteration.
type PlaybookAction struct {
	Run       string
	Path      string // names of the actions around it and its own, joined with /
	Iteration string // of the loops around it, from the outermost: "", "3", "3.0"
	Type      string
	Status    string
	Code      string
	Message   string
	Inputs    string // JSON, cut, without secrets
	Outputs   string

	Started, Ended time.Time
}

// playbookTime has a fixed width, so that text order is time order.
const playbookTime = "2006-01-02T15:04:05.000000Z"

func formatPlaybookTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(playbookTime)
}

func parsePlaybookTime(s string) time.Time {
	t, _ := time.Parse(playbookTime, s) // "" is the zero time; we wrote all others
	return t
}

// AddPlaybookRun adds a run and, when it is new, the definition it runs. A run
// that exists is left as it is; added tells.
func AddPlaybookRun(ctx context.Context, tx *sql.Tx, r PlaybookRun, file string, source []byte) (added bool, err error) {
	_, err = tx.ExecContext(ctx, `INSERT INTO playbook_definition (hash, file, source) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, r.Definition, file, source)
	if err != nil {
		return false, fmt.Errorf("keep playbook definition %s: %w", file, err)
	}
	res, err := tx.ExecContext(ctx, `INSERT INTO playbook_run (id, playbook, definition, incident, body, nonce, status, created)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`,
		r.ID, r.Playbook, r.Definition, r.Incident, r.Body, r.Nonce, r.Status, formatPlaybookTime(r.Created))
	if err != nil {
		return false, fmt.Errorf("add playbook run %s: %w", r.ID, err)
	}
	n, err := res.RowsAffected()
	return n > 0, err
}

// PlaybookDefinition returns the file name and content of a definition by its hash.
func (db *DB) PlaybookDefinition(ctx context.Context, hash string) (file string, source []byte, err error) {
	err = db.sql.QueryRowContext(ctx, `SELECT file, source FROM playbook_definition WHERE hash = $1`, hash).Scan(&file, &source)
	if err != nil {
		return "", nil, fmt.Errorf("read playbook definition %s: %w", hash, err)
	}
	return file, source, nil
}

// StartPlaybookRun marks a run as running. The time of its first start stays.
func (db *DB) StartPlaybookRun(ctx context.Context, id string, at time.Time) error {
	return db.playbookExec(ctx, "start playbook run "+id,
		`UPDATE playbook_run SET status = 'Running', started = CASE started WHEN '' THEN $2 ELSE started END WHERE id = $1`, id, formatPlaybookTime(at))
}

// EndPlaybookRun keeps what a run came to.
func (db *DB) EndPlaybookRun(ctx context.Context, id, status, code, message string, at time.Time) error {
	return db.playbookExec(ctx, "end playbook run "+id,
		`UPDATE playbook_run SET status = $2, code = $3, message = $4, ended = $5 WHERE id = $1`, id, status, code, message, formatPlaybookTime(at))
}

// PutPlaybookAction keeps what an action came to; a repeated one replaces it.
func (db *DB) PutPlaybookAction(ctx context.Context, a PlaybookAction) error {
	return db.playbookExec(ctx, "keep playbook action "+a.Path,
		`INSERT INTO playbook_action (run, path, iteration, type, status, code, message, inputs, outputs, started, ended)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
		ON CONFLICT (run, path, iteration) DO UPDATE SET type = excluded.type, status = excluded.status, code = excluded.code, message = excluded.message,
			inputs = excluded.inputs, outputs = excluded.outputs, started = excluded.started, ended = excluded.ended`,
		a.Run, a.Path, a.Iteration, a.Type, a.Status, a.Code, a.Message, a.Inputs, a.Outputs, formatPlaybookTime(a.Started), formatPlaybookTime(a.Ended))
}

func (db *DB) playbookExec(ctx context.Context, what, query string, args ...any) error {
	err := db.Tx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, query, args...)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

// PlaybookRun returns a run with its trigger body; [picket.NotFound] when there is none.
func (db *DB) PlaybookRun(ctx context.Context, id string) (PlaybookRun, error) {
	runs, err := db.playbookRuns(ctx, `, body, nonce FROM playbook_run WHERE id = $1`, true, id)
	if err != nil {
		return PlaybookRun{}, fmt.Errorf("read playbook run %s: %w", id, err)
	}
	if len(runs) == 0 {
		return PlaybookRun{}, picket.Errorf(picket.NotFound, "there is no playbook run %s", id)
	}
	return runs[0], nil
}

// PlaybookRunFilter narrows a list of runs; empty fields do not.
type PlaybookRunFilter struct {
	Playbook string
	Incident string
	Status   string
	Limit    int // 0: 100
}

// PlaybookRuns lists runs, the newest first, without trigger bodies.
func (db *DB) PlaybookRuns(ctx context.Context, f PlaybookRunFilter) ([]PlaybookRun, error) {
	if f.Limit <= 0 {
		f.Limit = 100
	}
	var where strings.Builder
	args := []any{f.Limit}
	for _, c := range []struct{ column, value string }{{"playbook", f.Playbook}, {"incident", f.Incident}, {"status", f.Status}} {
		if c.value == "" {
			continue
		}
		args = append(args, c.value)
		fmt.Fprintf(&where, " AND %s = $%d", c.column, len(args))
	}
	runs, err := db.playbookRuns(ctx, ` FROM playbook_run WHERE TRUE`+where.String()+` ORDER BY created DESC, id LIMIT $1`, false, args...)
	if err != nil {
		return nil, fmt.Errorf("list playbook runs: %w", err)
	}
	return runs, nil
}

func (db *DB) playbookRuns(ctx context.Context, rest string, body bool, args ...any) (runs []PlaybookRun, err error) {
	rows, err := db.sql.QueryContext(ctx, `SELECT id, playbook, definition, incident, status, code, message, created, started, ended`+rest, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var r PlaybookRun
		var created, started, ended string
		to := []any{&r.ID, &r.Playbook, &r.Definition, &r.Incident, &r.Status, &r.Code, &r.Message, &created, &started, &ended}
		if body {
			to = append(to, &r.Body, &r.Nonce)
		}
		if err := rows.Scan(to...); err != nil {
			return nil, err
		}
		r.Created, r.Started, r.Ended = parsePlaybookTime(created), parsePlaybookTime(started), parsePlaybookTime(ended)
		runs = append(runs, r)
	}
	return runs, rows.Err()
}

// PlaybookActions lists what the actions of a run came to, in the order they began.
func (db *DB) PlaybookActions(ctx context.Context, run string) (actions []PlaybookAction, err error) {
	rows, err := db.sql.QueryContext(ctx, `SELECT run, path, iteration, type, status, code, message, inputs, outputs, started, ended
		FROM playbook_action WHERE run = $1 ORDER BY started, path, iteration`, run)
	if err != nil {
		return nil, fmt.Errorf("list actions of playbook run %s: %w", run, err)
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var a PlaybookAction
		var started, ended string
		if err := rows.Scan(&a.Run, &a.Path, &a.Iteration, &a.Type, &a.Status, &a.Code, &a.Message, &a.Inputs, &a.Outputs, &started, &ended); err != nil {
			return nil, fmt.Errorf("list actions of playbook run %s: %w", run, err)
		}
		a.Started, a.Ended = parsePlaybookTime(started), parsePlaybookTime(ended)
		actions = append(actions, a)
	}
	return actions, rows.Err()
}

// maxPrune is how many runs PrunePlaybookRuns deletes in one go.
const maxPrune = 1000

// PrunePlaybookRuns deletes runs that ended before a time, the oldest first and
// at most 1000, with their actions and the definitions no run needs. It
// returns their IDs.
func (db *DB) PrunePlaybookRuns(ctx context.Context, before time.Time) ([]string, error) {
	var ids []string
	err := db.Tx(ctx, func(tx *sql.Tx) (err error) {
		ids, err = playbookIDs(ctx, tx, `SELECT id FROM playbook_run WHERE ended <> '' AND ended < $1 ORDER BY ended LIMIT $2`, formatPlaybookTime(before), maxPrune)
		if err != nil {
			return err
		}
		for _, id := range ids {
			if _, err := tx.ExecContext(ctx, `DELETE FROM playbook_run WHERE id = $1`, id); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM playbook_definition WHERE hash NOT IN (SELECT definition FROM playbook_run)`)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("prune playbook runs: %w", err)
	}
	return ids, nil
}

func playbookIDs(ctx context.Context, tx *sql.Tx, query string, args ...any) (ids []string, err error) {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}
