package workspace

import (
	"database/sql/driver"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"picket"
)

// An appender flushes nothing by itself of what a group may have that is committed
// by one flush: else a part of a batch could be there without the rest.
func TestAppenderHoldsAGroup(t *testing.T) {
	db := open(t, "", Options{})
	if _, err := db.pool.Exec("CREATE TABLE x (s VARCHAR)"); err != nil {
		t.Fatal(err)
	}
	conn, err := db.pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = conn.Raw(func(c any) error {
		a, err := newAppender(c.(driver.Conn), "x", nil)
		if err != nil {
			return err
		}
		defer a.close()
		rows := block{columns: []column{{texts: slices.Repeat([]string{strings.Repeat("x", maxFlushBytes/maxFlush)}, maxFlush)}}, rows: maxFlush}
		if err := a.append(&rows); err != nil {
			return err
		}
		if n := scalar[int64](t, db, "SELECT count(*) FROM x"); n != 0 {
			t.Errorf("%v rows are there before the flush", n)
		}
		if err := a.flush(); err != nil {
			return err
		}
		if n := scalar[int64](t, db, "SELECT count(*) FROM x"); n != maxFlush {
			t.Errorf("%v rows are there after the flush, want %d", n, maxFlush)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWhole(t *testing.T) {
	syslog := func(r request) request { r.table, r.rows.names = "Syslog", []string{"a", "b"}; return r }
	one := syslog(request{})
	for name, c := range map[string]struct {
		group []request
		want  bool
	}{
		"one":               {[]request{one}, true},
		"two of a kind":     {[]request{one, syslog(request{id: "1", ephemeral: true})}, true},
		"an id":             {[]request{one, syslog(request{id: "1"})}, false},
		"another table":     {[]request{one, {table: "Heartbeat", rows: one.rows}}, false},
		"other columns":     {[]request{one, {table: "Syslog", rows: block{names: []string{"a"}}}}, false},
		"too many bytes":    {[]request{one, syslog(request{bytes: maxFlushBytes + 1})}, false},
		"too many together": {[]request{syslog(request{bytes: maxFlushBytes}), syslog(request{bytes: 1})}, false},
	} {
		if got := whole(c.group); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestWorkspaceMetrics(t *testing.T) {
	r := prometheus.NewRegistry()
	db := open(t, "", Options{Metrics: r})
	for range 2 {
		if err := db.Append(t.Context(), syslog("", "12345")); err != nil {
			t.Fatal(err)
		}
	}
	b := syslog("", "x", "y", "z")
	b.Columns = []string{"NoSuchColumn"}
	if err := db.Append(t.Context(), b); picket.CodeOf(err) != picket.Invalid {
		t.Fatal(err)
	}
	want := `
# HELP picket_workspace_committed_bytes_total Bytes of the values committed to tables, as the table Usage counts them.
# TYPE picket_workspace_committed_bytes_total counter
picket_workspace_committed_bytes_total{table="Syslog"} 26
# HELP picket_workspace_rows_committed_total Rows committed to tables.
# TYPE picket_workspace_rows_committed_total counter
picket_workspace_rows_committed_total{table="Syslog"} 2
# HELP picket_workspace_rows_refused_total Rows that were not taken: invalid, full (the disk), or failed, of which senders may have tried again.
# TYPE picket_workspace_rows_refused_total counter
picket_workspace_rows_refused_total{reason="failed"} 0
picket_workspace_rows_refused_total{reason="full"} 0
picket_workspace_rows_refused_total{reason="invalid"} 3
`
	if err := testutil.GatherAndCompare(r, strings.NewReader(want), "picket_workspace_committed_bytes_total", "picket_workspace_rows_committed_total", "picket_workspace_rows_refused_total"); err != nil {
		t.Error(err)
	}
}

// Calls beyond a number are told to come again, and are taken when others have left.
func TestAdmit(t *testing.T) {
	db := open(t, "", Options{})
	var leave []func()
	for range maxCalls {
		l, err := db.Admit()
		if err != nil {
			t.Fatal(err)
		}
		leave = append(leave, l)
	}
	if _, err := db.Admit(); picket.CodeOf(err) != picket.Busy {
		t.Errorf("one more: %v", err)
	}
	leave[0]()
	if _, err := db.Admit(); err != nil {
		t.Errorf("after one has left: %v", err)
	}
}
