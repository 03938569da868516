package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// leftovers lists what a demo left in its temporary folder's parent.
func leftovers(t *testing.T, tmp string) []os.DirEntry {
	t.Helper()
	left, err := os.ReadDir(tmp)
	if err != nil {
		t.Fatal(err)
	}
	return left
}

// A demo that is stopped before its job is done leaves nothing behind, prints
// no answer and says by its exit code that there is none.
func TestDemoInterrupted(t *testing.T) {
	log := filepath.Join(t.TempDir(), "auth.log")
	var lines strings.Builder
	for range 20000 {
		lines.WriteString("Nov 23 01:02:03 web1 sshd[1]: Failed password for root from 8.8.8.8 port 1 ssh2\n")
	}
	if err := os.WriteFile(log, []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, after := range []string{"Picket demo", "Enrolled"} {
		tmp := t.TempDir()
		cmd := command(t, "demo", "--log", log, "--once", "--format", "json")
		cmd.Env = append(cmd.Env, "TMPDIR="+tmp)
		var out bytes.Buffer
		var errs logBuffer
		cmd.Stdout, cmd.Stderr = &out, &errs
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for began := time.Now(); !strings.Contains(errs.String(), after) && time.Since(began) < time.Minute; {
			time.Sleep(time.Millisecond) // another process's progress: there is no other way to know
		}
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if code := cmd.ProcessState.ExitCode(); code != 1 || out.Len() > 0 || !strings.Contains(errs.String(), "before the job was done") {
			t.Errorf("after %q: exit code %d, stdout %.100q, stderr:\n%s", after, code, out.String(), errs.String())
		}
		if left := leftovers(t, tmp); len(left) > 0 {
			t.Errorf("after %q: %v is left", after, left)
		}
	}
}

// A reader that goes away, as in "picket demo | head -1", ends the demo, and
// its folder with the log's lines goes, too.
func TestDemoReaderGone(t *testing.T) {
	tmp := t.TempDir()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := command(t, "demo")
	cmd.Env = append(cmd.Env, "TMPDIR="+tmp)
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
	_ = r.Close()
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 1 {
		t.Errorf("exit code %d, want 1 and no signal", code)
	}
	if left := leftovers(t, tmp); len(left) > 0 {
		t.Errorf("%v is left", left)
	}
}

// What is no log file is refused at once, also one that would never be opened.
func TestDemoFIFO(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Skip(err)
	}
	out, errs, code := runPicket(t, "", "demo", "--log", fifo, "--once", "--format", "json")
	if code != 1 || out != "" || !strings.Contains(errs, "not a regular file") {
		t.Errorf("exit code %d, stdout %q, stderr %s", code, out, errs)
	}
}

// Others on the host read nothing in the data folder, whatever the umask.
func TestFileModes(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	s := startService(t, data)
	s.until("there is a row", func() bool { return s.one("Heartbeat | count") != "0" })
	err := filepath.WalkDir(data, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err == nil && path != data && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if code := s.terminate(); code != 0 {
		t.Errorf("exit code %d\n%s", code, s.log)
	}
}
