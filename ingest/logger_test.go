package ingest

import (
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestLogger receives from the system's own sender in all its formats.
func TestLogger(t *testing.T) {
	logger, err := exec.LookPath("logger")
	if err != nil {
		t.Skip("no logger(1) here:", err)
	}
	const text = "Failed password for invalid user admin from 203.0.113.7 port 51022 ssh2"
	for _, args := range [][]string{
		{"--udp", "--rfc3164"}, {"--udp", "--rfc5424"}, {"--tcp", "--rfc3164"}, {"--tcp", "--rfc5424"},
		{"--tcp", "--rfc3164", "--octet-count"}, {"--tcp", "--rfc5424", "--octet-count"}, {"--udp", "--rfc5424=notq,nohost,notime"},
		{"--tcp", "--rfc5424", "--msgid", "ID47", "--sd-id", "x@1", "--sd-param", `a="b"`},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			s := newStore()
			server, stop := startServer(t, s, Options{})
			all := slices.Concat([]string{"--server", "127.0.0.1", "--port", strconv.Itoa(int(server.Addr().Port())),
				"--tag", "sshd", "--id=4242", "--priority", "authpriv.warning"}, args, []string{"--", text})
			if out, err := exec.Command(logger, all...).CombinedOutput(); err != nil {
				t.Fatalf("logger: %v: %s", err, out)
			}
			await(t, s, 1)
			if err := stop(); err != nil {
				t.Error(err)
			}
			got := []any{s.column("Facility")[0], s.column("SeverityLevel")[0], s.column("ProcessName")[0], s.column("ProcessID")[0]}
			if diff := cmp.Diff([]any{"authpriv", "warning", "sshd", int32(4242)}, got); diff != "" {
				t.Error(diff)
			}
			if got := s.column("SyslogMessage")[0]; got != text && got != text+` [x@1 a="b"]` {
				t.Errorf("message %q", got)
			}
			if got := server.Stats(); got.Odd != 0 || got.Truncated != 0 {
				t.Errorf("stats: %+v", got)
			}
		})
	}
}
