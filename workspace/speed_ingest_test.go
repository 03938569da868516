package workspace

import (
	"bufio"
	"cmp"
	"context"
	"database/sql/driver"
	"fmt"
	"io"
	"net"
	"os"
	osexec "os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/duckdb/duckdb-go/v2"

	"picket/ingest"
	"picket/kql"
)

// BenchmarkIngest sends syslog lines over TCP to Picket, and to VictoriaLogs, and
// measures until a query finds all of them. With Picket they are on disk then,
// too, for which VictoriaLogs takes some seconds more. It compares that
// also with rows that are at hand and appended to DuckDB by hand, in one goroutine
// and nothing else. Each is a process of its own, fed in turns. CPU is that of the
// process that stores, all of its threads. Run it with -benchtime 3x.
func BenchmarkIngest(b *testing.B) {
	n := benchNumber(b, "PICKET_BENCH_LINES", 1_000_000)
	lines := syslogLines(n)
	report := &ingestReport{lines: n}
	for b.Loop() {
		report.picket = append(report.picket, feed(b, startIngest(b, "ingest"), lines, n))
		report.bare = append(report.bare, startIngest(b, "bare").appendBare(b, n))
		peer, err := startVictoriaLogs(b, "-syslog.streamFields.tcp=[\"hostname\",\"app_name\"]")
		if err != nil {
			b.Logf("VictoriaLogs is not measured: %v", err)
			continue
		}
		report.peer = append(report.peer, feed(b, peer, lines, n))
		peer.stop()
	}
	report.print(b)
}

// BenchmarkSteady sends 20,000 lines a second for PICKET_BENCH_SECONDS to a
// workspace with the default options, and measures the most memory that the process
// has had at any moment of the run, what it has at its end, and the time from a
// line's sending to its being found by a query.
func BenchmarkSteady(b *testing.B) {
	const rate, every = 20_000, 10 * time.Millisecond
	seconds := benchNumber(b, "PICKET_BENCH_SECONDS", 60)
	c := newCorpus(seconds * rate)
	p := startIngest(b, "ingest")
	conn, err := net.Dial("tcp", p.syslog)
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	for b.Loop() {
		type mark struct {
			at  time.Time
			sum int
		}
		marks := make(chan mark, seconds*int(time.Second/every))
		go func() {
			defer close(marks)
			tick := time.NewTicker(every)
			defer tick.Stop()
			sum, start := p.count(b), time.Now()
			for end := sum + seconds*rate; sum < end; {
				var text []byte
				for due := min(end, int(time.Since(start)*rate/time.Second)); sum < due; sum++ {
					l := c.next()
					text = l.appendSyslog(text)
				}
				if _, err := conn.Write(text); err != nil {
					b.Error(err)
					return
				}
				marks <- mark{time.Now(), sum}
				<-tick.C
			}
		}()
		var took []time.Duration
		var found int
		for m := range marks {
			for found < m.sum {
				found = p.count(b)
			}
			took = append(took, time.Since(m.at))
		}
		slices.Sort(took)
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(float64(p.memory(b, "VmHWM")), "MB-resident-max")
		b.ReportMetric(float64(p.memory(b, "VmRSS")), "MB-resident-end")
		b.ReportMetric(took[len(took)/2].Seconds(), "s-p50")
		b.ReportMetric(took[len(took)*99/100].Seconds(), "s-p99")
		b.ReportMetric(took[len(took)-1].Seconds(), "s-max")
	}
}

func benchNumber(b *testing.B, name string, standard int) int {
	b.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv(name), strconv.Itoa(standard)))
	if err != nil || n < 1 {
		b.Fatalf("%s is %q: want a number", name, os.Getenv(name))
	}
	return n
}

// appendSyslog writes the line as hosts send it by default (RFC 3164).
func (l *logLine) appendSyslog(text []byte) []byte {
	pri := map[string]int{"auth": 4, "local7": 23, "kern": 0}[l.Facility]*8 + map[string]int{"info": 6, "warning": 4}[l.Severity]
	text = fmt.Appendf(text, "<%d>%s %s %s", pri, kql.TimeOf(l.Time).UTC().Format(time.Stamp), l.Host, l.Program)
	if l.PID > 0 {
		text = fmt.Appendf(text, "[%d]", l.PID)
	}
	return append(append(append(text, ": "...), l.Message...), '\n')
}

// syslogLines returns n lines in pieces, as a sender writes them.
func syslogLines(n int) (pieces [][]byte) {
	c := newCorpus(n)
	piece := make([]byte, 0, 70<<10)
	for range n {
		l := c.next()
		if piece = l.appendSyslog(piece); len(piece) >= 64<<10 {
			pieces = append(pieces, piece)
			piece = make([]byte, 0, 70<<10)
		}
	}
	return append(pieces, piece)
}

// A store takes syslog over TCP and counts what a query finds.
type store interface {
	addr() string
	pid() int
	count(b *testing.B) int
}

// measured is what storing took.
type measured struct{ wall, cpu time.Duration }

// feed sends the lines and waits until a query finds all n.
func feed(b *testing.B, s store, lines [][]byte, n int) measured {
	b.Helper()
	conn, err := net.Dial("tcp", s.addr())
	if err != nil {
		b.Fatal(err)
	}
	defer conn.Close()
	cpu, start := cpuTime(b, s.pid()), time.Now()
	for _, p := range lines {
		if _, err := conn.Write(p); err != nil {
			b.Fatal(err)
		}
	}
	for s.count(b) < n {
		if time.Since(start) > 5*time.Minute {
			b.Fatalf("%d of %d lines are there after 5 minutes", s.count(b), n)
		}
		time.Sleep(20 * time.Millisecond)
	}
	return measured{time.Since(start), cpuTime(b, s.pid()) - cpu}
}

// cpuTime is what the process has used, from proc_pid_stat(5).
func cpuTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		b.Skip(err)
	}
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	user, err1 := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	if err1 != nil || err2 != nil {
		b.Fatalf("/proc/%d/stat: %q", pid, text)
	}
	return time.Duration(user+system) * 10 * time.Millisecond
}

// ingestProcess is Picket's syslog server and workspace in a process of its own.
type ingestProcess struct {
	cmd    *osexec.Cmd
	in     io.WriteCloser
	out    *bufio.Scanner
	syslog string
}

// startIngest starts this test program anew; see ingestChild and bareChild.
func startIngest(b *testing.B, what string) *ingestProcess {
	b.Helper()
	cmd := osexec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "WORKSPACE_TEST_CHILD="+filepath.Join(b.TempDir(), "workspace.duckdb"), "WORKSPACE_TEST_START="+what)
	cmd.Stderr = os.Stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := cmp.Or(err1, err2); err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	p := &ingestProcess{cmd: cmd, in: in, out: bufio.NewScanner(out)}
	b.Cleanup(p.stop)
	p.syslog = p.next(b)
	return p
}

func (p *ingestProcess) stop() {
	p.in.Close()
	_ = p.cmd.Wait()
}

func (p *ingestProcess) addr() string { return p.syslog }
func (p *ingestProcess) pid() int     { return p.cmd.Process.Pid }

func (p *ingestProcess) next(b *testing.B) string {
	b.Helper()
	if !p.out.Scan() {
		b.Fatalf("the process ended: %v", p.out.Err())
	}
	return p.out.Text()
}

func (p *ingestProcess) count(b *testing.B) int {
	b.Helper()
	fmt.Fprintln(p.in, "count")
	n, err := strconv.Atoi(p.next(b))
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// appendBare has the process append rows by hand.
func (p *ingestProcess) appendBare(b *testing.B, n int) measured {
	b.Helper()
	fmt.Fprintln(p.in, n)
	p.next(b) // the rows are made
	cpu, start := cpuTime(b, p.pid()), time.Now()
	fmt.Fprintln(p.in, "go")
	p.next(b)
	m := measured{time.Since(start), cpuTime(b, p.pid()) - cpu}
	p.stop()
	return m
}

// memory returns a size in MB from proc_pid_status(5).
func (p *ingestProcess) memory(b *testing.B, field string) int {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid()))
	if err != nil {
		b.Skip(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kb, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kb >> 10
		}
	}
	return 0
}

// ingestChild receives syslog into db, says where, and answers each line of
// standard input with how many rows a query finds.
func ingestChild(db *DB) error {
	s, err := ingest.Listen(db.Append, ingest.Options{Addr: "127.0.0.1:0", Host: "collector", Location: time.UTC})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(background)
	defer stop()
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	fmt.Println(s.Addr())
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		r, err := db.Query(ctx, "Syslog | count", kql.Options{})
		if err != nil {
			return err
		}
		rows, err := r.Collect()
		if err != nil {
			return err
		}
		fmt.Println(rows[0][0])
	}
	stop()
	return <-done
}

// bareChild appends rows of Syslog to DuckDB as the driver's documentation shows
// it, in the transactions that suit DuckDB best.
func bareChild(path string) error {
	in := bufio.NewScanner(os.Stdin)
	connector, err := duckdb.NewConnector(path, nil)
	if err != nil {
		return err
	}
	conn, err := connector.Connect(background)
	if err != nil {
		return err
	}
	if err := exec(conn, `CREATE TABLE Syslog (Ingested BIGINT, TenantId VARCHAR, SourceSystem VARCHAR, TimeGenerated BIGINT, Computer VARCHAR, EventTime BIGINT, Facility VARCHAR,
		HostName VARCHAR, SeverityLevel VARCHAR, SyslogMessage VARCHAR, ProcessID INTEGER, HostIP VARCHAR, ProcessName VARCHAR, CollectorHostName VARCHAR, Type VARCHAR,
		_IsBillable VARCHAR, _BilledSize DOUBLE, _ResourceId VARCHAR, _SubscriptionId VARCHAR)`); err != nil {
		return err
	}
	a, err := duckdb.NewAppenderFromConn(conn, "", "Syslog")
	if err != nil {
		return err
	}
	fmt.Println("ready")
	in.Scan()
	n, err := strconv.Atoi(in.Text())
	if err != nil {
		return err
	}
	rows, c := make([][]driver.Value, n), newCorpus(n)
	for i := range rows {
		l := c.next()
		rows[i] = []driver.Value{l.Time, "4b0a9e3e-35a5-4f1e-9d0f-0d4a6f2b9a11", "Linux", l.Time, l.Host, l.Time, l.Facility, l.Host, l.Severity, l.Message, int32(l.PID),
			"127.0.0.1", l.Program, "collector", "Syslog", "", nil, "", ""}
	}
	fmt.Println("made")
	in.Scan()
	for group := range slices.Chunk(rows, maxGroup) {
		if err := exec(conn, "BEGIN"); err != nil {
			return err
		}
		for _, row := range group {
			if err := a.AppendRow(row...); err != nil {
				return err
			}
		}
		if err := a.Flush(); err != nil {
			return err
		}
		if err := exec(conn, "COMMIT"); err != nil {
			return err
		}
	}
	fmt.Println("done")
	in.Scan()
	return nil
}

// ingestReport collects what was measured, to be printed as a table.
type ingestReport struct {
	lines              int
	picket, bare, peer []measured
}

func (r *ingestReport) print(b *testing.B) {
	median := func(list []measured, of func(measured) time.Duration) float64 {
		list = slices.SortedFunc(slices.Values(list), func(x, y measured) int { return cmp.Compare(of(x), of(y)) })
		return of(list[len(list)/2]).Seconds()
	}
	wall := func(list []measured) float64 {
		return float64(r.lines) / median(list, func(m measured) time.Duration { return m.wall })
	}
	cpu := func(list []measured) float64 {
		return float64(r.lines) / median(list, func(m measured) time.Duration { return m.cpu })
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "\n\tevents/s\tevents per CPU-second\tPicket's ratio of events/s\tof events per CPU-second\t\n")
	line := func(name string, list []measured) {
		if len(list) == 0 {
			fmt.Fprintf(w, "%s\tnot measured\t\t\t\t\n", name)
			return
		}
		fmt.Fprintf(w, "%s\t%.0f\t%.0f\t%.2f\t%.2f\t\n", name, wall(list), cpu(list), wall(r.picket)/wall(list), cpu(r.picket)/cpu(list))
	}
	line("Picket, syslog over TCP", r.picket)
	line("VictoriaLogs "+victoriaLogsVersion+", syslog over TCP", r.peer)
	line("rows appended to DuckDB by hand", r.bare)
	w.Flush()
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(wall(r.picket), "events/s")
	b.ReportMetric(cpu(r.picket), "events/CPU-s")
}
