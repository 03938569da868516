package ingest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestServerRow holds every column of a row, with the sender's clock a year off.
func TestServerRow(t *testing.T) {
	s := newStore()
	server, stop := startServer(t, s, Options{Now: func() time.Time { return testNow }})
	c := dial(t, "udp", server)
	send(t, c, "<86>1 2025-11-23T03:12:59Z web1 sshd 4242 - - Failed password for root from 203.0.113.7 port 51022 ssh2")
	send(t, c, "sudo: no header")
	await(t, s, 2)
	if err := stop(); err != nil {
		t.Error(err)
	}
	f := func(row int, want map[string]any) {
		t.Helper()
		got := map[string]any{}
		for _, c := range s.columns {
			got[c] = s.column(c)[row]
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	f(0, map[string]any{
		"TimeGenerated": testNow, "EventTime": time.Date(2025, 11, 23, 3, 12, 59, 0, time.UTC), "Computer": "web1", "HostName": "web1",
		"HostIP": "127.0.0.1", "Facility": "authpriv", "SeverityLevel": "info", "ProcessName": "sshd", "ProcessID": int32(4242),
		"SyslogMessage":     "Failed password for root from 203.0.113.7 port 51022 ssh2",
		"CollectorHostName": "collector", "SourceSystem": "Linux",
	})
	f(1, map[string]any{
		"TimeGenerated": testNow, "EventTime": testNow, "Computer": "127.0.0.1", "HostName": "127.0.0.1",
		"HostIP": "127.0.0.1", "Facility": "user", "SeverityLevel": "notice", "ProcessName": "", "ProcessID": nil,
		"SyslogMessage": "sudo: no header", "CollectorHostName": "collector", "SourceSystem": "Linux",
	})
}

func TestRowBody(t *testing.T) {
	f := func(line, want string) {
		t.Helper()
		m := Parse([]byte(line), testNow, time.UTC)
		if got := m.body(); got != want {
			t.Errorf("%s:\ngot  %q\nwant %q", line, got, want)
		}
	}
	f("<13>1 - h a - - - text", "text")
	f("<13>1 - h a - ID47 - text", "text")
	f("<13>1 - h a - ID47 - ", "ID47")
	f(`<13>1 - h a - - [timeQuality tzKnown="1"] text`, "text")
	f(`<13>1 - h a - - [timeQuality tzKnown="1"]`, `[timeQuality tzKnown="1"]`)
	f(`<13>1 - h a - FLOW [junos@2636 src="203.0.113.7"]`, `FLOW [junos@2636 src="203.0.113.7"]`)
	f(`<13>1 - h a - - [timeQuality tzKnown="1"][x@1 a="b]"][origin ip="192.0.2.1"][y@1] text`, `text [x@1 a="b]"] [y@1]`)
	f("<13>", "")
}
