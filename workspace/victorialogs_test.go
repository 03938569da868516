package workspace

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"picket/kql"
)

// victoriaLogsVersion is the release that searches are compared with. It is
// built for the benchmark alone and is no dependency.
const victoriaLogsVersion = "v1.52.1"

// victoriaLogs is a running VictoriaLogs on the loopback.
type victoriaLogs struct {
	cmd    *osexec.Cmd
	http   string // address of its HTTP
	syslog string // and of syslog over TCP
}

// startVictoriaLogs builds and starts it, with further flags. An error says why
// it cannot be had.
func startVictoriaLogs(b *testing.B, flags ...string) (*victoriaLogs, error) {
	b.Helper()
	dir := b.TempDir()
	build := osexec.Command("go", "install", "github.com/VictoriaMetrics/VictoriaLogs/app/victoria-logs@"+victoriaLogsVersion)
	build.Env = append(os.Environ(), "GOBIN="+dir)
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build it: %w: %s", err, out)
	}
	v := &victoriaLogs{}
	for _, addr := range []*string{&v.http, &v.syslog} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		*addr = l.Addr().String()
		l.Close()
	}
	v.cmd = osexec.Command(filepath.Join(dir, "victoria-logs"), append(flags, "-storageDataPath="+filepath.Join(dir, "data"), "-httpListenAddr="+v.http,
		"-syslog.listenAddr.tcp="+v.syslog, "-syslog.timezone=UTC", "-retentionPeriod=100y", "-search.maxQueryDuration=2m", "-loggerLevel=ERROR")...)
	if err := v.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start it: %w", err)
	}
	b.Cleanup(v.stop)
	for range 100 {
		if resp, err := http.Get("http://" + v.http + "/health"); err == nil {
			resp.Body.Close()
			return v, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil, fmt.Errorf("it does not answer at %s", v.http)
}

func (v *victoriaLogs) stop() {
	_ = v.cmd.Process.Signal(os.Interrupt)
	_ = v.cmd.Wait()
}

func (v *victoriaLogs) addr() string { return v.syslog }

// pid is its process, 0 when it does not run.
func (v *victoriaLogs) pid() int {
	if v == nil {
		return 0
	}
	return v.cmd.Process.Pid
}

// count returns how many lines a query finds.
func (v *victoriaLogs) count(b *testing.B) int {
	b.Helper()
	n, err := strconv.Atoi(v.ask(b, "* | stats count() n")[0])
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// load sends the lines, and waits until they are searchable and merged. Host
// and program make a stream, as its documentation advises.
func (v *victoriaLogs) load(c *corpus, n int) error {
	pr, pw := io.Pipe()
	go func() {
		w := bufio.NewWriterSize(pw, 1<<20)
		e := json.NewEncoder(w)
		for range n {
			l := c.next()
			_ = e.Encode(map[string]any{"_time": kql.TimeOf(l.Time).Format(time.RFC3339Nano), "_msg": l.Message, "host": l.Host, "app": l.Program,
				"facility": l.Facility, "severity": l.Severity, "pid": l.PID})
		}
		w.Flush()
		pw.Close()
	}()
	resp, err := http.Post("http://"+v.http+"/insert/jsonline?_stream_fields=host,app", "application/stream+json", pr)
	if err != nil {
		return fmt.Errorf("load: %w", err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("load: %s", resp.Status)
	}
	for _, path := range []string{"/internal/force_flush", "/internal/force_merge"} {
		resp, err := http.Get("http://" + v.http + path)
		if err != nil {
			return err
		}
		resp.Body.Close()
	}
	return nil
}

// ask runs a LogsQL query and returns n of each row.
func (v *victoriaLogs) ask(b *testing.B, query string) []string {
	b.Helper()
	resp, err := http.PostForm("http://"+v.http+"/select/logsql/query", url.Values{"query": {query}})
	if err != nil {
		b.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		b.Fatalf("%s: %s %v %s", query, resp.Status, err, body)
	}
	var out []string
	for line := range bytes.Lines(body) {
		var row struct{ N string }
		if err := json.Unmarshal(line, &row); err != nil {
			b.Fatalf("%s: %v in %s", query, err, line)
		}
		out = append(out, row.N)
	}
	return out
}
