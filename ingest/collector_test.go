package ingest

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestServerMetrics(t *testing.T) {
	ca := newIssuer(t)
	registry := prometheus.NewPedanticRegistry()
	s := newStore()
	server, stop := startTLS(t, s, Options{TLS: ca.server(), MaxMessage: 60, Metrics: registry})
	tcp, udp := dial(t, "tcp", server), dial(t, "udp", server)
	send(t, tcp, "<13>Nov 23 03:12:59 h a: text\n<13>odd\n<13>Nov 23 03:12:59 h a: "+strings.Repeat("x", 100)+"\n")
	send(t, udp, "<134>CEF:0|V|P|1|100|n|5|")
	await(t, s, 4)
	if err := stop(); err != nil {
		t.Error(err)
	}
	server.drop(server.Addr().Addr(), 3)
	want := `
# HELP picket_syslog_committed_total Rows that the workspace has confirmed, by table.
# TYPE picket_syslog_committed_total counter
picket_syslog_committed_total{table="CommonSecurityLog"} 1
picket_syslog_committed_total{table="Syslog"} 3
# HELP picket_syslog_connections Connections that are open.
# TYPE picket_syslog_connections gauge
picket_syslog_connections 0
# HELP picket_syslog_lag_seconds How long the oldest row waits to be committed.
# TYPE picket_syslog_lag_seconds gauge
picket_syslog_lag_seconds 0
# HELP picket_syslog_odd_total Messages that were not understood in full.
# TYPE picket_syslog_odd_total counter
picket_syslog_odd_total 1
# HELP picket_syslog_queue_datagrams Datagrams that wait to be parsed.
# TYPE picket_syslog_queue_datagrams gauge
picket_syslog_queue_datagrams 0
# HELP picket_syslog_received_total Messages received, by transport.
# TYPE picket_syslog_received_total counter
picket_syslog_received_total{transport="tcp"} 3
picket_syslog_received_total{transport="tls"} 0
picket_syslog_received_total{transport="udp"} 1
picket_syslog_received_total{transport="unix"} 0
# HELP picket_syslog_truncated_total Messages cut at the size limit or by the end of their connection.
# TYPE picket_syslog_truncated_total counter
picket_syslog_truncated_total 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "picket_syslog_committed_total", "picket_syslog_connections", "picket_syslog_lag_seconds",
		"picket_syslog_odd_total", "picket_syslog_queue_datagrams", "picket_syslog_received_total", "picket_syslog_truncated_total"); err != nil {
		t.Error(err)
	}
	if n, err := testutil.GatherAndCount(registry); err != nil || n != 18 {
		t.Errorf("%d metrics, %v", n, err)
	}
	if got := server.Stats().Dropped; got != 3 {
		t.Errorf("%d dropped", got)
	}
	problems, err := testutil.GatherAndLint(registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}
