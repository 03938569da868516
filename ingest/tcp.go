package ingest

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
)

// accept serves TCP connections until the listener's deadline at the stop, and
// returns once all of them have ended.
func (s *Server) accept(ctx context.Context) {
	var open sync.WaitGroup
	defer open.Wait()
	defer s.tcp.Close()
	for pause := 5 * time.Millisecond; ; {
		c, err := s.tcp.AcceptTCP()
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
		if !s.enter(c) {
			s.refused.Add(1)
			c.Close()
			continue
		}
		open.Go(func() {
			defer s.leave(c)
			s.serve(ctx, c)
		})
	}
}

// enter registers a connection, unless there are too many.
func (s *Server) enter(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) >= s.opts.MaxConns {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) leave(c net.Conn) {
	c.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
}

// serve reads a connection to its end.
func (s *Server) serve(ctx context.Context, c net.Conn) {
	var peer netip.Addr
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		peer = a.AddrPort().Addr()
	}
	got := s.newBurst(s.origin(peer))
	defer got.hand(ctx)
	frames := NewFramer(&patientReader{ctx, s, c, got}, s.opts.MaxMessage)
	for {
		line, truncated, err := frames.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) {
				s.opts.Log.Info("syslog connection broke off", "peer", peer, "error", err)
			}
			return
		}
		got.take(ctx, line, truncated)
	}
}

// A patientReader reads from a connection and gives up when it is silent for
// too long, or at the Server's stop.
type patientReader struct {
	ctx context.Context
	s   *Server
	c   net.Conn
	got *burst // of what was read
}

func (r *patientReader) Read(p []byte) (n int, err error) {
	r.got.hand(r.ctx) // nothing waits for what may never come
	defer func() { r.got.at(r.s.opts.Now()) }()
	now := time.Now()
	r.s.deadline(r.c, now.Add(r.s.opts.Idle))
	// In this order: a stop after the look sets the deadline itself.
	r.s.mu.Lock()
	stopping := r.s.stopping
	r.s.mu.Unlock()
	if !stopping.IsZero() {
		if stopping.Sub(now) > lingerSilent {
			stopping = now.Add(lingerSilent)
		}
		r.s.deadline(r.c, stopping)
	}
	return r.c.Read(p)
}
