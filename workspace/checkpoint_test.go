package workspace

import (
	"crypto/rand"
	"encoding/hex"
	"path/filepath"
	"testing"

	"picket/kql"
)

// The log is moved to its place before it is long, and no row is lost by that.
func TestCheckpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "w.duckdb")
	db := open(t, path, Options{})
	noise := make([]byte, 256<<10)
	_, _ = rand.Read(noise) // never fails
	text := hex.EncodeToString(noise)
	const batch, batches = 16, 12 // 8 MiB each
	var most, last int64
	shrunk := false
	for range batches {
		lines := make([]string, batch)
		for i := range lines {
			lines[i] = text
		}
		if err := db.Append(t.Context(), syslog("", lines...)); err != nil {
			t.Fatal(err)
		}
		// The writer looks at the log after its answer, and does nothing else
		// before it has: one more request waits for that.
		if err := db.CreateTable(t.Context(), kql.Table{Name: "Probe_CL", Columns: []kql.Column{{Name: "TimeGenerated", Type: kql.DateTime}}}); err != nil {
			t.Fatal(err)
		}
		size := db.disk.logSize()
		most, shrunk, last = max(most, size), shrunk || size < last, size
	}
	if !shrunk || most >= checkpointEvery {
		t.Errorf("the log had up to %d bytes, and shrank: %t", most, shrunk)
	}
	if n := query(t, db, "Syslog | count", kql.Options{})[0][0]; n != int64(batch*batches) {
		t.Errorf("%v rows, want %d", n, batch*batches)
	}
}
