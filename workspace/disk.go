package workspace

import (
	"cmp"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"picket"
)

// A disk that runs full in the middle of a checkpoint ends DuckDB for this
// process. So new data is refused while less than a reserve is free: enough for
// what is under way and for a checkpoint.

// maxReserve is the reserve on large file systems; small ones keep a quarter free.
const maxReserve = 256 << 20

// fullRetry is when senders are told to try again after a refusal.
const fullRetry = 10 * time.Second

// disk is the file system that the workspace is on.
type disk struct {
	path    string // of the database; "" in memory
	reserve uint64 // 0: by the size of the file system
}

// free returns the bytes that are free, and those that must stay so. Both are 0
// where nobody can tell.
func (d disk) free() (free, reserve uint64) {
	var fs syscall.Statfs_t
	if d.path == "" || syscall.Statfs(d.path, &fs) != nil {
		return 0, 0
	}
	block := uint64(fs.Bsize)
	return fs.Bavail * block, cmp.Or(d.reserve, min(maxReserve, fs.Blocks*block/4))
}

// room returns an error while the disk is too full for new data.
func (d disk) room() error {
	free, reserve := d.free()
	if free >= reserve {
		return nil
	}
	return fullError("%d MB are free on its disk and %d MB must stay so; make room, or shorten the retention", free>>20, reserve>>20)
}

// fullError is what appends get for want of space.
func fullError(format string, args ...any) error {
	return &Throttled{picket.Errorf(picket.Unavailable, "the workspace takes no new data: "+format, args...), fullRetry}
}

// size returns the bytes of the database and its log.
func (d disk) size() int64 { return fileSize(d.path) + d.logSize() }

// logSize returns the bytes of the write-ahead log.
func (d disk) logSize() int64 { return fileSize(d.path + ".wal") }

// fileSize is 0 for a file that is not there.
func fileSize(path string) int64 {
	st, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return st.Size()
}

// noSpace reports whether a write failed for want of space, of which DuckDB has
// the system's words only.
func noSpace(err error) bool {
	if err == nil {
		return false
	}
	text := strings.ToLower(err.Error())
	return slices.ContainsFunc([]syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG}, func(e syscall.Errno) bool { return strings.Contains(text, e.Error()) })
}

// maxCalls is how many calls are taken in at once. Each holds its records in
// memory until they are committed.
const maxCalls = 32

// intake counts the calls that are being taken in.
type intake struct{ calls atomic.Int32 }

// Admit is asked before the data of a call is read from the network. It refuses
// with a [Throttled] when so many calls are under way that more would have to wait
// in memory, or the disk is nearly full. Otherwise the caller calls leave in the end.
func (db *DB) Admit() (leave func(), err error) {
	if err := db.disk.room(); err != nil {
		return nil, err
	}
	if db.intake.calls.Add(1) > maxCalls {
		db.intake.calls.Add(-1)
		return nil, throttled(time.Second, "%d calls are being taken in already; try again", maxCalls)
	}
	return func() { db.intake.calls.Add(-1) }, nil
}
