package ingest

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"
)

// handshakeTime is how long a sender may take to agree on TLS.
const handshakeTime = 10 * time.Second

// accept serves the connections of a listener until its deadline at the stop,
// and returns once all of them have ended. secure is nil for plain TCP.
func (s *Server) accept(ctx context.Context, l *net.TCPListener, secure *tls.Config) {
	var open sync.WaitGroup
	defer open.Wait()
	defer l.Close()
	for pause := 5 * time.Millisecond; ; {
		raw, err := l.AcceptTCP()
		switch {
		case errors.Is(err, net.ErrClosed), errors.Is(err, os.ErrDeadlineExceeded):
			return
		case err != nil: // out of file descriptors, most likely: some will be free again
			s.opts.Log.Warn("accept syslog connection", "error", err, "again in", pause)
			if wait(ctx, pause) != nil {
				return
			}
			pause = min(2*pause, time.Second)
			continue
		}
		pause = 5 * time.Millisecond
		c := &conn{Conn: raw, raw: raw}
		if a, ok := raw.RemoteAddr().(*net.TCPAddr); ok {
			c.peer = a.AddrPort().Addr().Unmap()
			c.source = sourceOf(c.peer)
		}
		if secure != nil {
			c.Conn = tls.Server(raw, secure)
		}
		if !s.enter(c) {
			s.refused.Add(1)
			raw.Close()
			continue
		}
		open.Go(func() {
			defer s.leave(c)
			if s.handshake(ctx, c) {
				s.serve(ctx, c)
			}
		})
	}
}

// handshake agrees on TLS with the sender, if it is to be, and reports whether
// there is a connection to read from.
func (s *Server) handshake(ctx context.Context, c *conn) bool {
	t, ok := c.Conn.(*tls.Conn)
	if !ok {
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	s.limit(c)
	c.reading.Store(true)
	err := t.HandshakeContext(ctx)
	c.reading.Store(false)
	if err == nil {
		return true
	}
	s.insecure.Add(1)
	hint := "does the sender trust the server's certificate, and, with syslog_client_ca, has it one of its own?"
	var plain tls.RecordHeaderError
	if errors.As(err, &plain) {
		hint = "is TLS switched on in the sender? Plain TCP is taken at the address of syslog"
	}
	s.noise.log(s.opts.Log, slog.LevelWarn, "no TLS with a syslog sender", "peer", c.peer, "error", err, "hint", hint)
	return false
}

// serve reads a connection to its end.
func (s *Server) serve(ctx context.Context, c *conn) {
	by := overTCP
	if _, ok := c.Conn.(*tls.Conn); ok {
		by = overTLS
	}
	got := s.newBurst(by, s.origin(c.peer))
	defer got.hand(ctx)
	frames := NewFramer(&patientReader{ctx, s, c, got}, s.opts.MaxMessage)
	for first := true; ; first = false {
		line, truncated, err := frames.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) {
				s.noise.log(s.opts.Log, slog.LevelInfo, "syslog connection broke off", "peer", c.peer, "error", err)
			}
			return
		}
		if first && by == overTCP && isTLS(line) {
			s.insecure.Add(1)
			s.noise.log(s.opts.Log, slog.LevelWarn, "a sender speaks TLS where plain syslog is taken", "peer", c.peer,
				"hint", "send to the address of syslog_tls, or switch TLS off in the sender")
			return
		}
		c.spoke = true
		got.take(ctx, line, truncated)
	}
}

// isTLS reports whether a first line is the head of a TLS record with a
// ClientHello (RFC 8446 §5.1), which no syslog begins with.
func isTLS(line []byte) bool {
	return len(line) >= 3 && line[0] == 22 && line[1] == 3 && line[2] <= 4
}

// A patientReader reads from a connection and gives up when it has had no
// whole message for too long, or at the Server's stop.
type patientReader struct {
	ctx context.Context
	s   *Server
	c   *conn
	got *burst // of what was read
}

func (r *patientReader) Read(p []byte) (int, error) {
	r.got.hand(r.ctx) // nothing waits for what may never come
	r.s.limit(r.c)
	r.c.reading.Store(true)
	defer r.c.reading.Store(false)
	n, err := r.c.Read(p)
	r.got.at(r.s.opts.Now())
	return n, err
}
