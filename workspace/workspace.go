// Package workspace keeps log tables in DuckDB and answers KQL over them. One
// goroutine writes, a pool of connections reads; SQL that runs here can reach
// neither files nor the network. It knows nothing of rules and incidents.
package workspace

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/duckdb/duckdb-go/v2"
	"github.com/prometheus/client_golang/prometheus"

	"picket"
	"picket/kql"
)

// Options configure [Open]. The zero value is good.
type Options struct {
	Logger *slog.Logger     // nil discards
	Now    func() time.Time // nil means time.Now

	// Files are loaded as tables when the workspace opens, before the file
	// system is closed to SQL.
	Files []File

	// ScanSize is how many bytes of files a table may have to be loaded; default
	// 256 MiB. A larger one is read anew by every query, so that it need not fit
	// into memory, and so is Parquet, whose columns are read on their own.
	ScanSize int64

	// SkipBad leaves records out that are none, instead of failing: [DB.Skipped]
	// tells how many.
	SkipBad bool

	// Also are second names of tables, which find them where no table has that
	// name; they are not among [DB.Tables].
	Also map[string]string

	// NoBuiltin leaves out the tables that every workspace has.
	NoBuiltin bool

	Retention Retention
	Metrics   prometheus.Registerer // nil: nobody reads them
	// MinFree is how many bytes of the file system stay free: new data is refused
	// while there are fewer. 0 is 256 MiB, or a quarter of a file system for which
	// that is less.
	MinFree uint64

	Limits      Limits
	Concurrency Concurrency
	// Memory bounds what all queries together take, in bytes. 0 means 60 % of the
	// memory there is.
	Memory int64
}

// DB is a workspace. It is a [kql.Catalog] of its tables.
type DB struct {
	pool   *sql.DB
	log    *slog.Logger
	now    func() time.Time
	limits Limits
	turns  *turns
	// compiles are the turns of the compiler, which a query needs before it runs
	// and during which it may ask the data, so they are no turns to run.
	compiles *turns
	guard    *guard
	steps    *steps
	id       string // of the workspace: TenantId of every row

	mu      sync.RWMutex
	tables  map[string]*kql.Table
	shapers map[string]*shaper         // of the tables that have shapes
	absent  map[string]map[string]bool // by table, the columns that are not stored; see absent.go

	also    map[string]string
	sides   map[string]*kql.Table
	skipped []Skipped
	extras  Extras

	retention Retention
	disk      disk
	metrics   *metrics
	intake    intake

	requests chan request
	closing  chan struct{} // closed by Close: no more requests
	stopped  chan struct{} // closed when the writer is done
	close    sync.Once
	failed   chan error // holds why the database is lost to this process, if it is
}

// Open opens or creates the workspace in the DuckDB file at path; an empty path
// means in memory. A file can be open in one process at a time.
func Open(path string, o Options) (*DB, error) {
	db := &DB{
		log:       o.Logger,
		now:       o.Now,
		limits:    o.Limits,
		tables:    map[string]*kql.Table{},
		shapers:   map[string]*shaper{},
		absent:    map[string]map[string]bool{},
		also:      o.Also,
		sides:     map[string]*kql.Table{},
		retention: o.Retention,
		requests:  make(chan request, 64),
		closing:   make(chan struct{}),
		stopped:   make(chan struct{}),
		failed:    make(chan error, 1),
	}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	if db.now == nil {
		db.now = time.Now
	}
	db.limits = db.limits.or(defaultLimits())
	db.disk = disk{path, o.MinFree}
	db.metrics = db.newMetrics(o.Metrics)
	db.turns = newTurns(o.Concurrency.withDefaults())
	db.steps = &steps{}
	db.compiles = newTurns(o.Concurrency.compiling())
	if err := db.open(path, o); err != nil {
		if db.pool != nil {
			db.pool.Close()
		}
		if path == "" {
			return nil, err
		}
		if noSpace(err) {
			err = fmt.Errorf("%w when there is space: %w", ErrReopen, err)
		}
		return nil, fmt.Errorf("open workspace %s: %w", path, err)
	}
	return db, nil
}

func (db *DB) open(path string, o Options) error {
	if path != "" {
		// Absolute: the driver takes a relative path with a colon for a URL.
		abs, err := filepath.Abs(path)
		if err != nil {
			return err
		}
		if path = abs; strings.ContainsAny(path, "?%") {
			return errors.New("DuckDB's driver takes no ? and no % in a path; use another folder")
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
	}
	connector, err := duckdb.NewConnector(path, nil)
	if err != nil {
		return openError(err)
	}
	db.pool = sql.OpenDB(connector)
	// How many queries run is for turns to say, not for the pool.
	db.pool.SetMaxIdleConns(db.turns.limits.Running + db.turns.limits.Reserved)
	if path != "" {
		// Logs hold what people typed: for the owner's eyes only.
		if err := os.Chmod(path, 0o600); err != nil {
			return err
		}
	}
	ctx := context.Background()
	if err := db.registerNatives(ctx); err != nil {
		return err
	}
	set := func(name, value string) error {
		if _, err := db.pool.ExecContext(ctx, "SET "+name+" = "+value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
		return nil
	}
	if err := errors.Join(set("autoinstall_known_extensions", "false"), set("autoload_known_extensions", "false"),
		set("GLOBAL TimeZone", "'UTC'"),
		// What a checkpoint has freed goes back to the system, instead of up to 128 MB staying.
		set("GLOBAL allocator_flush_threshold", "'16MB'"),
		set("GLOBAL wal_autocheckpoint", fmt.Sprintf("'%dB'", checkpointLate)),
		set("GLOBAL disabled_optimizers", "'"+wrongOptimizers+"'")); err != nil {
		return err
	}
	if db.guard, err = db.limitMemory(ctx, o.Memory, path == ""); err != nil {
		return err
	}
	scanned, err := db.loadFiles(ctx, o)
	if err != nil {
		return err
	}
	// From here on SQL can touch nothing but this database, and cannot turn that back.
	if err := db.closeFileSystem(ctx, scanned); err != nil {
		return err
	}
	if err := db.loadCatalog(ctx); err != nil {
		return err
	}
	if err := db.loadShapes(ctx); err != nil {
		return err
	}
	conn, err := connector.Connect(ctx)
	if err != nil {
		return err
	}
	w := &writer{db: db, conn: conn, appenders: map[appenderKey]*appender{}, recent: recent{seen: map[string]bool{}}}
	go w.run()
	if o.NoBuiltin {
		return nil
	}
	return db.createBuiltin(ctx)
}

// wrongOptimizers are those of DuckDB 1.5 that change results. To the first, the
// first of a partition by x DESC NULLS LAST is another row where the first one
// read has no x (TestTopOfPartition). The second asks a join's condition before
// the top rows are taken, where the join's other side is ready by then
// (TestJoinOfTop; mended in DuckDB by pull request 22963).
const wrongOptimizers = "top_n_window_elimination,join_filter_pushdown"

// openError says what DuckDB's error means for the most likely mistake: another
// process has the file.
func openError(err error) error {
	if m := lockHolder.FindStringSubmatch(err.Error()); m != nil {
		return fmt.Errorf("process %s has it open, and only one Picket can: stop that one first, or use another data folder", m[1])
	}
	return err
}

var lockHolder = regexp.MustCompile(`Could not set lock on file .*\(PID (\d+)\)`)

// CreateTable creates the table, or adds the columns that an existing one
// lacks. A column that exists with another type is a picket.Conflict.
func (db *DB) CreateTable(ctx context.Context, t kql.Table) error {
	if err := checkTable(t); err != nil {
		return picket.Errorf(picket.Invalid, "create table: %w", err)
	}
	return db.send(ctx, request{create: &t})
}

// Append adds the rows of b. On return they are committed and a query sees
// them. An unknown table or column, or a value its column cannot hold, is a
// picket.Invalid and nothing of b is written. While the disk is nearly full the
// error is a [Throttled] of code picket.Unavailable.
func (db *DB) Append(ctx context.Context, b picket.Batch) error {
	if len(b.Rows) == 0 {
		return nil
	}
	began := time.Now()
	err := db.append(ctx, b)
	db.metrics.observe(&b, began, err)
	return err
}

func (db *DB) append(ctx context.Context, b picket.Batch) error {
	if err := db.disk.room(); err != nil {
		return err
	}
	r, err := db.convert(b)
	if err != nil {
		return err
	}
	return db.send(ctx, r)
}

// ErrReopen is in errors after which only opening the workspace anew helps.
var ErrReopen = errors.New("the workspace must be opened anew")

// Watch waits until ctx ends, or returns an error with [ErrReopen] when DuckDB has
// given up the database, as it does when the disk is full at a checkpoint: nothing
// can be read or written then. What was acknowledged is in the file and its log.
// It is for one caller.
func (db *DB) Watch(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-db.failed:
		return fmt.Errorf("%w: %w", ErrReopen, err)
	}
}

// lost makes Watch return when err says that DuckDB has given up, and reports
// whether it says so.
func (db *DB) lost(err error) bool {
	var e *duckdb.Error
	fatal := errors.As(err, &e) && e.Type == duckdb.ErrorTypeFatal || err != nil && strings.Contains(err.Error(), "database has been invalidated")
	if fatal {
		select {
		case db.failed <- err:
		default: // it is known
		}
	}
	return fatal
}

func (db *DB) isClosed() bool {
	select {
	case <-db.closing:
		return true
	default:
		return false
	}
}

// Close writes what was handed over, and closes the file.
func (db *DB) Close() error {
	db.close.Do(func() { close(db.closing) })
	<-db.stopped
	return db.pool.Close()
}
