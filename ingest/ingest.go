// Package ingest brings log lines into the workspace: it receives them over the
// network or follows a file, frames and parses them, and appends the rows in
// batches. It also writes this host's heartbeat.
//
//	Server     syslog (RFC 3164, 5424) on UDP, TCP, TLS and a unix socket → Syslog,
//	           and events in the Common Event Format within it → CommonSecurityLog
//	Follower   log files by pattern, each with a Tail, over rotation and restarts → the table of their Format
//	Journal    the systemd journal, through journalctl → Syslog
//	Heartbeat  one row a minute for this host                      → Heartbeat
//
// A line is never refused for being odd: what the parser does not understand
// stays in SyslogMessage, and a counter says so.
package ingest

import (
	"context"
	"log/slog"
	"time"

	"picket"
)

// Append writes a batch to the workspace and returns once it is committed. A
// batch whose ID was seen before is accepted and writes nothing. Errors with
// code invalid, denied, not found or conflict are final; others are retried.
type Append func(ctx context.Context, b picket.Batch) error

// Stats counts what an input did since it was made.
type Stats struct {
	Received  uint64 // messages read from the network or lines read from the file; empty ones not counted
	Committed uint64 // rows the workspace has confirmed
	Odd       uint64 // messages that were not understood in full: the rest stayed in SyslogMessage
	Truncated uint64 // messages cut at the size limit or by the end of their connection
	Dropped   uint64 // messages lost: no room for a datagram, refused by the workspace, or not written before the stop

	// Of files only: bytes that are there and not read yet. What is compressed is not counted.
	Lag uint64

	// Of a Server only.
	Connections uint64 // open now, TCP and TLS
	Refused     uint64 // connections closed at once because of the limit
	Displaced   uint64 // connections whose place was given to another source
	Insecure    uint64 // connections without the TLS that they should have had, or with it where it is not taken
}

// plus returns the sums of what two inputs did.
func (s Stats) plus(o Stats) Stats {
	s.Received += o.Received
	s.Committed += o.Committed
	s.Odd += o.Odd
	s.Truncated += o.Truncated
	s.Dropped += o.Dropped
	s.Lag += o.Lag
	s.Connections += o.Connections
	s.Refused += o.Refused
	return s
}

const (
	defaultMaxMessage = 64 << 10
	syslogTable       = "Syslog"
)

// orDiscard returns log, or a logger that writes nothing for nil.
func orDiscard(log *slog.Logger) *slog.Logger {
	if log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return log
}

// wait returns after d, or with ctx's error as soon as ctx ends.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

const (
	retryFirst = 100 * time.Millisecond
	retryMost  = 10 * time.Second
)

// retry calls do until it succeeds, fails for good or ctx ends, with pauses
// that double from 0.1 s to 10 s. It returns do's last error.
func retry(ctx context.Context, log *slog.Logger, what string, do func() error) error {
	for pause := retryFirst; ; pause = min(2*pause, retryMost) {
		err := do()
		if err == nil || final(err) || ctx.Err() != nil {
			return err
		}
		log.Warn("will try again", "what", what, "in", pause, "error", err)
		if wait(ctx, pause) != nil {
			return err
		}
	}
}

// final reports whether trying again cannot help.
func final(err error) bool {
	switch picket.CodeOf(err) {
	case picket.Invalid, picket.Denied, picket.NotFound, picket.Conflict:
		return true
	}
	return false
}
