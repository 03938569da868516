package ingest

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A collector tells Prometheus what a Server's counters say when it asks: on the
// way of a message nothing is counted twice.
type collector struct {
	s *Server

	received, odd, truncated, committed, dropped, refused, connections, waiting, lag *prometheus.Desc
}

func newCollector(s *Server) *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("picket_syslog_"+name, help, labels, nil)
	}
	return &collector{
		s:           s,
		received:    desc("received_total", "Messages received, by transport.", "transport"),
		odd:         desc("odd_total", "Messages that were not understood in full."),
		truncated:   desc("truncated_total", "Messages cut at the size limit or by the end of their connection."),
		committed:   desc("committed_total", "Rows that the workspace has confirmed, by table.", "table"),
		dropped:     desc("dropped_total", "Messages lost: queue, no room for a datagram; kernel, the socket's buffer was full; refused, by the workspace for good; stopped, not written before the stop.", "reason"),
		refused:     desc("refused_connections_total", "Connections refused: limit, there were too many; displaced, the place was given to another source; tls, without the TLS they should have had or with it where it is not taken.", "reason"),
		connections: desc("connections", "Connections that are open."),
		waiting:     desc("queue_datagrams", "Datagrams that wait to be parsed."),
		lag:         desc("lag_seconds", "How long the oldest row waits to be committed."),
	}
}

// Describe is of [prometheus.Collector].
func (c *collector) Describe(to chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, to) }

// Collect is of [prometheus.Collector].
func (c *collector) Collect(to chan<- prometheus.Metric) {
	count := func(d *prometheus.Desc, n uint64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), labels...)
	}
	gauge := func(d *prometheus.Desc, x float64) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, x)
	}
	s := c.s
	for t := range transports {
		count(c.received, s.received[t].Load(), transports[t])
	}
	stats := s.Stats()
	count(c.odd, stats.Odd)
	count(c.truncated, stats.Truncated)
	lag := time.Duration(0)
	refused := uint64(0)
	for _, b := range []*Batcher{s.syslog, s.cef} {
		count(c.committed, b.Committed(), b.table)
		refused += b.Failed()
		if since := b.Waiting(); !since.IsZero() {
			lag = max(lag, time.Since(since))
		}
	}
	count(c.dropped, s.overflowed.Load(), "queue")
	count(c.dropped, s.kernelDropped.Load(), "kernel")
	count(c.dropped, refused, "refused")
	count(c.dropped, s.unwritten.Load(), "stopped")
	count(c.refused, stats.Refused, "limit")
	count(c.refused, stats.Displaced, "displaced")
	count(c.refused, stats.Insecure, "tls")
	gauge(c.connections, float64(stats.Connections))
	packets, _ := s.packets.waiting()
	gauge(c.waiting, float64(packets))
	gauge(c.lag, lag.Seconds())
}
