// Package state keeps what changes: incidents, keys, usage, schedules and the
// durable work that must survive a crash. It is one SQLite database, which DBOS
// Transact shares for its workflows, so a change and the work it causes can be
// committed in one transaction. It knows nothing of log rows.
package state

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/dbos-inc/dbos-transact-golang/dbos"
	_ "github.com/dbos-inc/dbos-transact-golang/dbos/driver/sqlite" // registers SQLite with DBOS and database/sql
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed schema/*.sql
var schema embed.FS

// workVersion is the DBOS application version. It is a constant, not the hash
// of the binary, so that a newer Picket goes on with the work an older one left.
const workVersion = "1"

// shutdownTimeout bounds how long Close waits for steps that are running.
const shutdownTimeout = 10 * time.Second

// Options configure [Open].
type Options struct {
	// Path is the database file; its folder is made when missing. Empty means a
	// temporary file that Close removes.
	Path   string
	Logger *slog.Logger // nil discards
}

// DB is the state database and the durable work that lives in it.
type DB struct {
	sql  *sql.DB
	work dbos.Context
	log  *slog.Logger
	temp string // folder to remove on Close, or ""

	workSQL *sql.DB // of work alone, which closes it

	profiles *profiles

	write    sync.Mutex // one writer at a time in this process: no busy loops among ourselves
	launched bool
	stopped  bool
}

// Open opens or creates the database and applies the migrations it lacks.
// Register workflows on Work before calling Launch.
func Open(ctx context.Context, o Options) (*DB, error) {
	db := &DB{log: o.Logger}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	path := o.Path
	if path == "" {
		dir, err := os.MkdirTemp("", "picket-state-")
		if err != nil {
			return nil, fmt.Errorf("open state: %w", err)
		}
		db.temp = dir
		path = filepath.Join(dir, "state.db")
	}
	if err := db.open(ctx, path); err != nil {
		_ = db.Close(ctx)
		return nil, fmt.Errorf("open state %s: %w", path, err)
	}
	return db, nil
}

func (db *DB) open(ctx context.Context, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	// The file holds key hashes and incidents: nobody else's business.
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	f.Close()

	if db.sql, err = connect(path, "FULL"); err != nil {
		return err
	}
	if err := db.migrate(ctx); err != nil {
		return err
	}
	if db.profiles, err = openProfiles(filepath.Join(filepath.Dir(path), "profiles")); err != nil {
		return err
	}
	if err := db.moveProfiles(ctx); err != nil {
		return fmt.Errorf("move reputation out of the database: %w", err)
	}
	// DBOS closes the handle it is given when it shuts down, and the counts and
	// changes of those it served are still to be written then: it gets its own.
	// A step that a power cut takes back is repeated, which does no harm.
	if db.workSQL, err = connect(path, "NORMAL"); err != nil {
		return err
	}
	db.work, err = dbos.NewContext(context.WithoutCancel(ctx), dbos.Config{
		AppName:            "picket",
		SQLiteSystemDB:     db.workSQL,
		ApplicationVersion: workVersion,
		ExecutorID:         "local",
		// DBOS tells of every start and stop; what matters of it is a warning.
		// What a stop breaks off is none.
		Logger: slog.New(minLevel{db.log.With("component", "work").Handler(), slog.LevelWarn}),
	})
	if err != nil {
		return fmt.Errorf("durable work: %w", err)
	}
	return nil
}

// connect returns a pool of connections to the database file. With synchronous
// FULL a commit survives a power cut, with NORMAL the death of the process only.
func connect(path, synchronous string) (*sql.DB, error) {
	// SQLite reads the name as a URI: # and ? would end it.
	name := url.URL{Path: path}
	pool, err := sql.Open("sqlite", "file:"+name.EscapedPath()+"?_txlock=immediate"+
		"&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous("+synchronous+")&_pragma=foreign_keys(ON)")
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(8)
	pool.SetMaxIdleConns(8)
	return pool, nil
}

// migrate applies the embedded files of schema that are not recorded yet, in
// the order of their names, each in a transaction of its own.
func (db *DB) migrate(ctx context.Context) error {
	names, err := fs.Glob(schema, "schema/*.sql")
	if err != nil {
		return err
	}
	_, err = db.sql.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS migration (name TEXT PRIMARY KEY, applied_at TEXT NOT NULL) STRICT`)
	if err != nil {
		return err
	}
	if err := db.known(ctx, names); err != nil {
		return err
	}
	for _, name := range names {
		err := db.Tx(ctx, func(tx *sql.Tx) error {
			var n int
			if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM migration WHERE name = ?`, name).Scan(&n); err != nil || n > 0 {
				return err
			}
			text, err := schema.ReadFile(name)
			if err != nil {
				return err
			}
			if _, err := tx.ExecContext(ctx, string(text)); err != nil {
				return err
			}
			_, err = tx.ExecContext(ctx, `INSERT INTO migration (name, applied_at) VALUES (?, ?)`, name, time.Now().UTC().Format(time.RFC3339))
			return err
		})
		if err != nil {
			return fmt.Errorf("migration %s: %w", name, err)
		}
	}
	return nil
}

// known refuses a database that a newer Picket has changed.
func (db *DB) known(ctx context.Context, names []string) error {
	rows, err := db.sql.QueryContext(ctx, `SELECT name FROM migration`)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return err
		}
		if !slices.Contains(names, name) {
			return fmt.Errorf("it was changed by a newer Picket (%s): use that one", name)
		}
	}
	return rows.Err()
}

// SQL returns the database for reading. Writes go through Tx.
func (db *DB) SQL() *sql.DB { return db.sql }

// Work returns the durable work context: register workflows and queues on it before Launch.
func (db *DB) Work() dbos.Context { return db.work }

// Launch starts durable work; what an earlier process left unfinished goes on.
// Every workflow must be registered by now.
func (db *DB) Launch() error {
	if err := dbos.Launch(db.work); err != nil {
		return fmt.Errorf("start durable work: %w", err)
	}
	db.launched = true
	return nil
}

// Tx runs f in one write transaction: committed when f returns nil, rolled
// back otherwise. It is tried again when another writer holds the database, so
// f must be safe to repeat.
func (db *DB) Tx(ctx context.Context, f func(tx *sql.Tx) error) error {
	db.write.Lock()
	defer db.write.Unlock()
	for try := 0; ; try++ {
		err := db.try(ctx, f)
		if !busy(err) || try == 10 {
			return err
		}
		// Durable work writes from connections of its own.
		t := time.NewTimer(time.Duration(5+rand.IntN(10<<min(try, 5))) * time.Millisecond)
		select {
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		case <-t.C:
		}
	}
}

func (db *DB) try(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := db.sql.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := f(tx); err != nil {
		return errors.Join(err, rollback(tx))
	}
	return tx.Commit()
}

// rollback ends tx; that it was over already is no news.
func rollback(tx *sql.Tx) error {
	if err := tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return nil
}

func busy(err error) bool {
	var e *sqlite.Error
	return errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_BUSY || e.Code()&0xff == sqlite3.SQLITE_LOCKED)
}

// StopWork stops durable work, waiting a bounded time for the steps that are
// running: they are repeated at the next start if it was not enough.
func (db *DB) StopWork(ctx context.Context) error {
	if db.work == nil || db.stopped {
		return nil
	}
	db.stopped = true
	wait := shutdownTimeout
	if d, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(d))
	}
	if err := dbos.Shutdown(db.work, wait); err != nil && db.launched {
		return fmt.Errorf("stop durable work: %w", err)
	}
	return nil
}

// Close stops durable work, if that was not done yet, and closes the database.
func (db *DB) Close(ctx context.Context) error {
	errs := []error{db.StopWork(ctx)}
	if db.profiles != nil {
		db.profiles.close()
	}
	for _, pool := range []*sql.DB{db.workSQL, db.sql} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	if db.temp != "" {
		errs = append(errs, os.RemoveAll(db.temp))
	}
	return errors.Join(errs...)
}

// minLevel passes on only records of at least its level.
type minLevel struct {
	slog.Handler
	level slog.Level
}

func (h minLevel) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= h.level && h.Handler.Enabled(ctx, l)
}

// Handle leaves out that something was broken off, which is how stopping goes.
func (h minLevel) Handle(ctx context.Context, r slog.Record) error {
	broken := false
	r.Attrs(func(a slog.Attr) bool {
		err, ok := a.Value.Any().(error)
		broken = broken || ok && (errors.Is(err, context.Canceled) || strings.HasSuffix(err.Error(), context.Canceled.Error()))
		return true
	})
	if broken {
		return nil
	}
	return h.Handler.Handle(ctx, r)
}

func (h minLevel) WithAttrs(a []slog.Attr) slog.Handler {
	return minLevel{h.Handler.WithAttrs(a), h.level}
}

func (h minLevel) WithGroup(name string) slog.Handler {
	return minLevel{h.Handler.WithGroup(name), h.level}
}

// each calls f for every row of a query, until it returns an error.
func (db *DB) each(ctx context.Context, f func(*sql.Rows) error, query string, args ...any) error {
	rows, err := db.sql.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
