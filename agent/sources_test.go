package agent

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"picket/collection"
)

// syncBuffer is a log that is read when who writes it has ended.
type syncBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// The system's log is the journal where it can be read, else the files of the
// syslog daemon, and where there is neither, that is told.
func TestSystemLog(t *testing.T) {
	program := filepath.Join(t.TempDir(), "journalctl")
	// It has one entry, and waits for more.
	script := `#!/bin/sh
echo '{"__CURSOR":"s=1","__REALTIME_TIMESTAMP":"1795600000000000","SYSLOG_FACILITY":"10","PRIORITY":"6","SYSLOG_IDENTIFIER":"sshd","MESSAGE":"from the journal"}'
exec sleep 60
`
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	missing := filepath.Join(t.TempDir(), "missing")
	const line = "Nov 25 03:12:59 h sshd[1]: from a file\n"
	for name, c := range map[string]struct {
		systemd, journalctl string
		file                string // in the folder of logs
		want                string // in what is collected
		log                 string
	}{
		"journal":               {t.TempDir(), program, "", "from the journal", "collecting the journal"},
		"journal and files":     {t.TempDir(), program, "auth.log", "from the journal", "collecting the journal"},
		"no journalctl":         {t.TempDir(), missing, "auth.log", "from a file", "its journal cannot be read"},
		"no systemd":            {missing, program, "auth.log", "from a file", "files of the syslog daemon"},
		"no systemd, Red Hat's": {"", "", "secure", "from a file", "files of the syslog daemon"},
		"nothing":               {"", "", "", "from a file", "there is no system log to collect"},
	} {
		t.Run(name, func(t *testing.T) {
			var log syncBuffer
			sp, err := openSpool(t.TempDir(), 1<<20, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Fatal(err)
			}
			pos, err := openPositions(filepath.Join(t.TempDir(), "positions.json"))
			if err != nil {
				t.Fatal(err)
			}
			logs := t.TempDir()
			write := func(name string) {
				if err := os.WriteFile(filepath.Join(logs, name), []byte(line), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if c.file != "" {
				write(c.file)
			}
			a := &agent{host: "h", spool: sp, positions: pos,
				opts: Options{LogDir: logs, systemd: c.systemd, journalctl: c.journalctl, Log: slog.New(slog.NewTextHandler(&log, nil))}}
			run := a.syslog(collection.SyslogSource{Name: "auth", Streams: []string{"Microsoft-Syslog"}, Facilities: []string{"auth", "authpriv"}})
			if name == "nothing" { // it comes later
				write("auth.log")
			}
			ctx, stop := context.WithCancel(t.Context())
			done := make(chan error, 1)
			go func() { done <- run(ctx) }()
			b, err := sp.next(t.Context())
			stop()
			if ended := <-done; ended != nil {
				t.Error(ended)
			}
			if err != nil || b == nil || b.Stream != "Microsoft-Syslog" || !strings.Contains(string(b.body), c.want) {
				t.Fatalf("collected %+v, %v; want %q\n%s", b, err, c.want, log.String())
			}
			if !strings.Contains(log.String(), c.log) {
				t.Errorf("the log says %s", log.String())
			}
		})
	}
}
