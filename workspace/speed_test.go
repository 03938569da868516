package workspace

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"picket"
	"picket/kql"
)

// speedCase is a query of Picket and the same question asked otherwise.
type speedCase struct{ name, kql, other string }

// BenchmarkDetections compares typical detections with the SQL that one would
// write by hand over the same tables: the ratio is what counts. Run it with
// -benchtime 5x, which is five turns of each, one after the other.
func BenchmarkDetections(b *testing.B) {
	db := speedWorkspace(b)
	report := newSpeedReport("hand-written SQL", os.Getpid())
	for _, c := range detectionCases(newCorpus(speedRows(b)).addrs) {
		b.Run(c.name, func(b *testing.B) {
			report.compare(b, c.name, func() []string { return askKQL(b, db, c.kql) }, func() []string { return askSQL(b, db, c.other) })
		})
	}
	report.print()
}

// BenchmarkSearch compares searches in the text of messages with VictoriaLogs,
// which gets the same lines in the same run.
func BenchmarkSearch(b *testing.B) {
	db := speedWorkspace(b)
	n := speedRows(b)
	peer, err := startVictoriaLogs(b)
	if err == nil {
		err = peer.load(newCorpus(n), n)
	}
	report := newSpeedReport("VictoriaLogs "+victoriaLogsVersion, peer.pid())
	for _, c := range searchCases(newCorpus(n).addrs) {
		b.Run(c.name, func(b *testing.B) {
			other := func() []string { return peer.ask(b, c.other) }
			if err != nil {
				b.Logf("VictoriaLogs is not measured: %v", err)
				other = nil
			}
			report.compare(b, c.name, func() []string { return askKQL(b, db, c.kql) }, other)
		})
	}
	report.print()
}

// speedRows is how many rows of Syslog the comparisons run over.
func speedRows(b *testing.B) int {
	b.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv("PICKET_BENCH_ROWS"), "10000000"))
	if err != nil || n < 1000 {
		b.Fatalf("PICKET_BENCH_ROWS is %q: want a number of rows, at least 1000", os.Getenv("PICKET_BENCH_ROWS"))
	}
	return n
}

// speedWorkspace makes a workspace in a file, writes the corpus by the way all
// rows come in, and opens it anew, so that all of it is in its compressed form.
func speedWorkspace(b *testing.B) *DB {
	b.Helper()
	path := filepath.Join(b.TempDir(), "workspace.duckdb")
	db, err := Open(path, Options{})
	if err != nil {
		b.Fatal(err)
	}
	n := speedRows(b)
	start := time.Now()
	writeCorpus(b, db, newCorpus(n), n)
	took := time.Since(start)
	if err := db.Close(); err != nil {
		b.Fatal(err)
	}
	st, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	fmt.Printf("wrote %d rows of Syslog, %.0f a second, %.0f bytes each on disk\n", n, float64(n)/took.Seconds(), float64(st.Size())/float64(n))
	if db, err = Open(path, Options{}); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	writeOtherTables(b, db)
	return db
}

func writeCorpus(b *testing.B, db *DB, c *corpus, n int) {
	b.Helper()
	for n > 0 {
		size := min(n, 20_000)
		n -= size
		batch := picket.Batch{Table: "Syslog", Columns: []string{"TimeGenerated", "EventTime", "Computer", "HostName", "Facility", "SeverityLevel", "ProcessName", "ProcessID", "SyslogMessage"}}
		for range size {
			l := c.next()
			t := kql.TimeOf(l.Time)
			batch.Rows = append(batch.Rows, []any{t, t.Truncate(time.Second), l.Host, l.Host, l.Facility, l.Severity, l.Program, l.PID, l.Message})
		}
		if err := db.Append(background, batch); err != nil {
			b.Fatal(err)
		}
	}
}

// writeOtherTables fills Heartbeat, a minute's from each host, and a firewall's
// CommonSecurityLog.
func writeOtherTables(b *testing.B, db *DB) {
	b.Helper()
	if err := db.CreateTable(background, kql.Table{Name: "CommonSecurityLog", Columns: []kql.Column{{Name: "TimeGenerated", Type: kql.DateTime},
		{Name: "DeviceAction", Type: kql.String}, {Name: "SourceIP", Type: kql.String}, {Name: "DestinationIP", Type: kql.String}, {Name: "DestinationPort", Type: kql.Int}}}); err != nil {
		b.Fatal(err)
	}
	c := newCorpus(1_000_000)
	start := kql.TimeOf(corpusStart)
	for i := range 50 {
		beats := picket.Batch{Table: "Heartbeat", Columns: []string{"TimeGenerated", "Computer", "OSType"}}
		flows := picket.Batch{Table: "CommonSecurityLog", Columns: []string{"TimeGenerated", "DeviceAction", "SourceIP", "DestinationIP", "DestinationPort"}}
		for j := range 8_000 {
			minute := (i*8_000 + j) / 40
			beats.Rows = append(beats.Rows, []any{start.Add(time.Duration(minute) * time.Minute), "host" + strconv.Itoa(j%40), "Linux"})
		}
		for range 20_000 {
			c.now += c.r.Int64N(2 * c.step)
			flows.Rows = append(flows.Rows, []any{kql.TimeOf(c.now), pick(c.r, []string{"deny", "deny", "allow"}), c.addrs[c.zipf.Uint64()],
				"192.0.2." + strconv.Itoa(c.r.IntN(200)), int64(pick(c.r, corpusPorts))})
		}
		for _, batch := range []picket.Batch{beats, flows} {
			if err := db.Append(background, batch); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// askKQL runs KQL to its last row and returns the rows as text.
func askKQL(b *testing.B, db *DB, src string) []string {
	b.Helper()
	r, err := db.Query(background, src, kql.Options{Now: corpusStart + corpusDays*864_000_000_000})
	if err != nil {
		b.Fatalf("%s: %v", src, err)
	}
	var out []string
	for row, err := range r.Rows() {
		if err != nil {
			b.Fatalf("%s: %v", src, err)
		}
		out = append(out, strings.TrimSuffix(fmt.Sprintln(row...), "\n"))
	}
	return out
}

// askSQL runs SQL as a query's SQL is run.
func askSQL(b *testing.B, db *DB, query string) []string {
	b.Helper()
	rows, err := db.pool.Query(query)
	if err != nil {
		b.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	cols, err := rows.Columns()
	if err != nil {
		b.Fatal(err)
	}
	row, ptr := make([]any, len(cols)), make([]any, len(cols))
	for i := range row {
		ptr[i] = &row[i]
	}
	var out []string
	for rows.Next() {
		if err := rows.Scan(ptr...); err != nil {
			b.Fatal(err)
		}
		out = append(out, strings.TrimSuffix(fmt.Sprintln(row...), "\n"))
	}
	if err := rows.Err(); err != nil {
		b.Fatal(err)
	}
	return out
}

// speedReport collects what was measured, to be printed as a table.
type speedReport struct {
	than  string
	pid   int // of the process that answers the other's queries
	lines []string
}

func newSpeedReport(than string, pid int) *speedReport { return &speedReport{than: than, pid: pid} }

// compare runs ours and other in turns, holds their answers against each other,
// and notes the median times and what they took of the processors, which tells
// more on a machine that has other work. other is nil when there is nobody to
// compare with.
func (r *speedReport) compare(b *testing.B, name string, ours, other func() []string) {
	b.Helper()
	var x, y []time.Duration
	var xCPU, yCPU time.Duration
	var got, want []string
	for b.Loop() {
		start, before := time.Now(), processorTime(os.Getpid())
		got = ours()
		x, xCPU = append(x, time.Since(start)), xCPU+processorTime(os.Getpid())-before
		if other != nil {
			start, before = time.Now(), processorTime(r.pid)
			want = other()
			y, yCPU = append(y, time.Since(start)), yCPU+processorTime(r.pid)-before
		}
	}
	ms := func(list []time.Duration) float64 {
		slices.Sort(list)
		return float64(list[len(list)/2].Microseconds()) / 1e3
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(ms(x), "ms")
	if other == nil {
		r.lines = append(r.lines, fmt.Sprintf("%s\t%.1f\tnot measured\t", name, ms(x)))
		return
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		b.Fatalf("answers differ: %d rows and %d rows, such as\n%.200q\n%.200q", len(got), len(want), got, want)
	}
	b.ReportMetric(ms(x)/ms(y), "ratio")
	turn := func(total time.Duration) float64 { return float64(total.Microseconds()) / 1e3 / float64(len(x)) }
	r.lines = append(r.lines, fmt.Sprintf("%s\t%.1f\t%.1f\t%.2f\t%.0f\t%.0f\t%.2f", name, ms(x), ms(y), ms(x)/ms(y), turn(xCPU), turn(yCPU), turn(xCPU)/turn(yCPU)))
}

// processorTime is what a process and its threads took of the processors, to 10
// ms; 0 where the system does not tell as Linux does.
func processorTime(pid int) time.Duration {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // the third field of proc(5) and on
	user, _ := strconv.Atoi(f[14-3])
	system, _ := strconv.Atoi(f[15-3])
	return time.Duration(user+system) * 10 * time.Millisecond
}

func (r *speedReport) print() {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "\nquery\tPicket ms\t%s ms\tratio\tPicket CPU ms\tits CPU ms\tratio\n%s\n", r.than, strings.Join(r.lines, "\n"))
	w.Flush()
}
