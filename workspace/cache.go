package workspace

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/duckdb/duckdb-go/v2"
)

const (
	// cacheKept is how many bytes of blocks DuckDB may keep in memory while no query
	// runs. It keeps what it has written and read up to its limit of memory, and needs
	// none of it: a block that was given back comes from the system's page cache, for
	// some 0.3 ms a megabyte (a search through the texts of 5 million rows of Syslog,
	// 240 MB: 0.4 s with all of them kept, 0.5 s with none).
	cacheKept = 64 << 20
	// cacheStep is how much of it is given back at once while no query runs: 256 MB
	// take 30 ms, in which no query can start.
	cacheStep = 256 << 20
	// cacheEvery is how often that is looked at.
	cacheEvery = time.Second
)

// cache is the blocks that DuckDB keeps in memory without using them.
type cache struct {
	pool  *sql.DB
	limit int64 // of DuckDB's memory
}

// trim gives back what DuckDB caches beyond keep of it, least recently used blocks
// first, and returns what it caches then.
//
// DuckDB has no statement for that. But when its limit of memory is lowered it first
// makes itself fit, while the old limit still holds; if it cannot, the old limit
// stays. Only then, until the second statement below, does the lower one hold, and
// what others take in this moment has the room of what is kept: DuckDB gives that
// back for them. So keep should not be little.
func (c *cache) trim(ctx context.Context, keep func(cached int64) int64) (left int64, err error) {
	conn, err := c.pool.Conn(ctx)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	cached, other, err := cacheSize(ctx, conn)
	if err != nil {
		return 0, err
	}
	n := max(keep(cached), cacheKept)
	if cached <= n || other+n >= c.limit {
		return cached, nil
	}
	set := func(limit int64) error {
		_, err := conn.ExecContext(ctx, fmt.Sprintf("SET memory_limit = '%dB'", limit))
		return err
	}
	lower := set(other + n)
	// Also after a failure: DuckDB 1.5 shows, and computes with, the limit that it refused.
	if err := errors.Join(notFull(lower), set(c.limit)); err != nil {
		return 0, err
	}
	left, _, err = cacheSize(ctx, conn)
	return left, err
}

// cacheSize returns the bytes of the blocks that DuckDB has in memory though they
// are in a file, and of all else that it has.
func cacheSize(ctx context.Context, conn *sql.Conn) (cached, other int64, err error) {
	err = conn.QueryRowContext(ctx, `SELECT coalesce(sum(memory_usage_bytes) FILTER (tag IN ('BASE_TABLE', 'EXTERNAL_FILE_CACHE')), 0)::BIGINT,
		coalesce(sum(memory_usage_bytes) FILTER (tag NOT IN ('BASE_TABLE', 'EXTERNAL_FILE_CACHE')), 0)::BIGINT FROM duckdb_memory()`).Scan(&cached, &other)
	return cached, other, err
}

// notFull is err, unless it says that DuckDB could not give back so much: others
// have taken it meanwhile.
func notFull(err error) error {
	var e *duckdb.Error
	if errors.As(err, &e) && e.Type == duckdb.ErrorTypeOutOfMemory {
		return nil
	}
	return err
}

// half keeps half of what is cached: so much room others have while it is given back.
func half(cached int64) int64 { return cached / 2 }

// step keeps all but cacheStep of it.
func step(cached int64) int64 { return cached - cacheStep }

// giveBack is trim for the guard. What fails gives nothing back.
func (db *DB) giveBack(c *cache) func(keep func(int64) int64) int64 {
	return func(keep func(int64) int64) int64 {
		left, err := c.trim(context.Background(), keep)
		if err != nil && !db.isClosed() && !db.lost(err) {
			db.log.Warn("give back what DuckDB caches", "err", err)
		}
		return left
	}
}
