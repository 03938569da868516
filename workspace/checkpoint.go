package workspace

import "time"

// checkpointEvery is how many bytes DuckDB's write-ahead log may have. A checkpoint
// writes the last 122,880 rows of a table anew: with DuckDB's 16 MB, less than half
// of that many rows of Syslog, each is compressed more than three times over. 64 MB
// take no less of a processor than 32, and keep rows waiting for twice as long. A
// crash leaves no more than this to be read at the next start.
const checkpointEvery = 32 << 20

// checkpointLate is the size of the log at which DuckDB makes a checkpoint by
// itself, within the commit: only one statement that writes so much meets it.
const checkpointLate = 8 * checkpointEvery

// checkpoint moves what is in the log to its place in the file, when that is
// much. It takes half a second or so, and comes after the answer to those who wait for
// a commit, so that rows are acknowledged, and found, before it. What was written
// need not stay in memory.
func (w *writer) checkpoint() {
	if w.db.disk.path == "" {
		return
	}
	if w.db.disk.logSize() >= checkpointEvery {
		w.checkpointNow()
	}
	w.db.guard.tidy(time.Now())
}

// checkpointNow does so at once. What fails leaves the rows where they were: in
// the log.
func (w *writer) checkpointNow() {
	if err := exec(w.conn, "CHECKPOINT"); err != nil && !w.db.lost(err) {
		w.db.log.Warn("checkpoint", "err", err)
	}
}
