package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// terminal is picket kql on a terminal of its own.
type terminal struct {
	t    *testing.T
	cmd  *exec.Cmd
	tty  *os.File
	out  *logBuffer
	read chan struct{} // a value for each read; closed at the end
	seen int           // how much of out was waited for
}

var escapes = regexp.MustCompile("\x1b(\\[[0-9;?]*[ ]?[A-Za-z]|\\][^\a]*\a|[=>78])")

func startTerminal(t *testing.T, state string, args ...string) *terminal {
	t.Helper()
	c := &terminal{t: t, cmd: command(t, append([]string{"kql"}, args...)...), out: &logBuffer{}, read: make(chan struct{}, 1<<16)}
	c.cmd.Env = append(c.cmd.Env, "XDG_STATE_HOME="+state, "INPUTRC=/dev/null", "TERM=xterm", "NO_COLOR=1")
	tty, err := pty.StartWithSize(c.cmd, &pty.Winsize{Rows: 40, Cols: 100})
	if err != nil {
		t.Fatal(err)
	}
	c.tty = tty
	go func() {
		defer close(c.read)
		b := make([]byte, 4096)
		for {
			n, err := tty.Read(b)
			if err != nil {
				return
			}
			c.out.Write(b[:n])
			c.read <- struct{}{}
		}
	}()
	t.Cleanup(func() {
		_ = c.cmd.Process.Kill()
		tty.Close()
	})
	return c
}

func (c *terminal) screen() string { return escapes.ReplaceAllString(c.out.String(), "") }

// until waits for text to be written, after what was waited for before.
func (c *terminal) until(want string) {
	c.t.Helper()
	deadline := time.After(time.Minute)
	for {
		if s := c.screen(); c.seen <= len(s) {
			if i := strings.Index(s[c.seen:], want); i >= 0 {
				c.seen += i + len(want)
				return
			}
		}
		select {
		case _, ok := <-c.read:
			if !ok && !strings.Contains(c.screen()[min(c.seen, len(c.screen())):], want) {
				c.t.Fatalf("it ended without %q:\n%s", want, c.screen())
			}
		case <-deadline:
			c.t.Fatalf("waited in vain for %q:\n%s", want, c.screen())
		}
	}
}

// send types keys, when the prompt is there.
func (c *terminal) send(keys string) {
	c.t.Helper()
	if _, err := c.tty.WriteString(keys); err != nil {
		c.t.Fatal(err)
	}
}

func (c *terminal) ask(keys, want string) {
	c.t.Helper()
	c.send(keys)
	c.until(want)
	c.until("kql> ")
}

func TestShell(t *testing.T) {
	dir := put(t, map[string]string{"access.csv": "ip,status\n192.0.2.1,200\n192.0.2.2,404\n", "more.csv": "x\n1\n"})
	state := t.TempDir()
	c := startTerminal(t, state, filepath.Join(dir, "access.csv"))
	c.until("access  ip, status")
	c.until("kql> ")
	// A query has several lines, and ends with a semicolon or an empty line.
	c.ask("access\r| where status == 404\r\r", "192.0.2.2     404\r\n1 row")
	c.ask("let n = 7;\rprint seven = n * 100;\r", "700")
	// Tab completes names.
	c.ask("access | summarize c = count() by stat\t| where c == 1 | count;\r", "2\r\n1 row")
	c.ask("acc\t| project i\t| take 1;\r", "192.0.2.1\r\n1 row")
	// Every problem is told, with its place.
	c.ask("access | where a == 1 | project b;\r", "1:16: ")
	c.ask(".schema access\r", "status  long")
	c.ask(".show tables\r", "access  ip, status")
	c.ask(".load "+filepath.Join(dir, "more.csv")+" as Other\r", "x       long")
	c.ask("union (access | count), (Other | count) | summarize total = sum(Count);\r", "3\r\n1 row")
	c.ask(".load "+filepath.Join(dir, "none.csv")+"\r", "none.csv: no such file or directory")
	c.ask(".format ndjson\r", "")
	c.ask("Other;\r", `{"x": 1}`)
	c.ask(".explain\r", "explain is on")
	c.ask("Other;\r", `FROM "Other"`)
	c.ask(".explain\r", "explain is off")
	c.ask(".time\r", "time is on")
	c.ask("Other;\r", "ms in all, 1 row")
	c.ask(".nonsense\r", "unknown command .nonsense")
	// Ctrl-C ends the line that is typed, and a query that runs, and not the shell.
	c.send("Other | where")
	c.until("where")
	c.ask("\x03", "")
	c.send("let R = range x from 1 to 100000 step 1 | extend k = 1;\rR | join kind=inner R on k | summarize sum(x * x1);")
	c.until("sum(x * x1);")
	c.send("\r")
	c.untilCooked() // the query runs
	c.ask("\x03", "interrupted")
	c.ask("print after = 1;\r", `{"after": 1}`)
	c.send(".quit\r")
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("it ends with %v", err)
	}
	history := filepath.Join(state, "picket", "kql_history")
	if info, err := os.Stat(history); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the history: %v, %v", info, err)
	}
	// What was asked is there the next time: up, and Enter.
	c = startTerminal(t, state, filepath.Join(dir, "access.csv"))
	c.until("kql> ")
	c.ask("\x1b[A\x1b[A\r", "after")
	c.send("\x04")
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("Ctrl-D: it ends with %v", err)
	}
}

// untilCooked waits until Ctrl-C on the terminal is a signal, as it is when no
// line is being typed.
func (c *terminal) untilCooked() {
	c.t.Helper()
	conn, err := c.tty.SyscallConn() // Fd would make reading block
	if err != nil {
		c.t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		cooked := false
		_ = conn.Control(func(fd uintptr) {
			state, err := unix.IoctlGetTermios(int(fd), unix.TCGETS)
			cooked = err == nil && state.Lflag&unix.ISIG != 0
		})
		if cooked {
			return
		}
	}
	c.t.Fatalf("the terminal stays raw:\n%s", c.screen())
}
