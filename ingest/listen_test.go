package ingest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
)

// startServer runs a Server on loopback until the returned stop is called.
func startServer(t *testing.T, s *store, opts Options) (server *Server, stop func() error) {
	t.Helper()
	return startServerFunc(t, s.Append, opts)
}

// startServerFunc is startServer for another workspace.
func startServerFunc(t *testing.T, append Append, opts Options) (server *Server, stop func() error) {
	t.Helper()
	opts.Addr = "127.0.0.1:0"
	opts.Host = "collector"
	opts.Location = time.UTC
	if opts.Batch.MaxDelay == 0 {
		opts.Batch.MaxDelay = 10 * time.Millisecond
	}
	server, err := Listen(append, opts)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	return server, sync.OnceValue(func() error { cancel(); return <-done })
}

// dial opens a connection to the server that ends with the test.
func dial(t *testing.T, network string, s *Server) net.Conn {
	t.Helper()
	c, err := net.Dial(network, s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func send(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := c.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
}

// await returns when the store has n rows.
func await(t *testing.T, s *store, n int) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for len(s.column("TimeGenerated")) < n {
		select {
		case <-s.arrived:
		case <-timeout:
			t.Fatalf("%d rows arrived, want %d", len(s.column("TimeGenerated")), n)
		}
	}
}

func newStore() *store { return &store{arrived: make(chan struct{}, 10000)} }

func TestServerTCP(t *testing.T) {
	s := newStore()
	server, stop := startServer(t, s, Options{})
	c := dial(t, "tcp", server)
	// Framing mixed on one connection.
	send(t, c, "<86>Nov 23 03:12:59 web1 sshd[1]: one\n47 <86>1 2026-11-23T03:12:59Z web1 sshd 2 - - two\n")
	send(t, c, "<86>Nov 23 03:12:59 web1 sshd[3]: three\r\n\n<86>Nov 23 03:12:59 web1 sshd[4]: four")
	c.Close()
	await(t, s, 4)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]any{"one", "two", "three", "four"}, s.column("SyslogMessage")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]any{int32(1), int32(2), int32(3), int32(4)}, s.column("ProcessID")); diff != "" {
		t.Error(diff)
	}
	if got := server.Stats(); got != (Stats{Received: 4, Committed: 4}) {
		t.Errorf("stats: %+v", got)
	}
}

// TestServerStop holds that what a sender has handed over is committed when Run returns.
func TestServerStop(t *testing.T) {
	s := newStore()
	server, stop := startServer(t, s, Options{Batch: BatchOptions{MaxDelay: time.Hour, MaxRows: 700}})
	tcp, udp := dial(t, "tcp", server), dial(t, "udp", server)
	const n = 2000
	for i := range n {
		send(t, tcp, fmt.Sprintf("<13>Nov 23 03:12:59 h a: tcp %d\n", i))
	}
	for i := range 100 {
		send(t, udp, fmt.Sprintf("<13>Nov 23 03:12:59 h a: udp %d", i))
	}
	send(t, tcp, "<13>Nov 23 03:12:59 h a: unfinished")
	await(t, s, 1) // the connection was accepted
	if err := stop(); err != nil {
		t.Error(err)
	}
	if got := len(s.column("TimeGenerated")); got != n+101 {
		t.Errorf("%d rows, want %d", got, n+101)
	}
	if !slices.Contains(s.column("SyslogMessage"), any("unfinished")) {
		t.Error("the line without an end is lost")
	}
	if got := server.Stats(); got != (Stats{Received: n + 101, Committed: n + 101}) {
		t.Errorf("stats: %+v", got)
	}
	if _, err := net.Dial("tcp", server.Addr().String()); err == nil {
		t.Error("still listening")
	}
}

// TestServerPressure holds that a TCP sender is held back while the workspace
// does not answer, that datagrams are dropped and counted, and that nothing
// else is lost.
func TestServerPressure(t *testing.T) {
	s := newStore()
	open := make(chan struct{})
	s.before = func(picket.Batch) error { <-open; return nil }
	server, stop := startServer(t, s, Options{Batch: BatchOptions{MaxRows: 10}})

	tcp := dial(t, "tcp", server)
	line := "<13>Nov 23 03:12:59 h a: " + strings.Repeat("x", 4000) + "\n"
	sent := 0
	for {
		if err := tcp.SetWriteDeadline(time.Now().Add(300 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if n, err := tcp.Write([]byte(line)); err != nil {
			if n > 0 {
				sent++ // in part: it arrives cut short
			}
			break // the kernel's buffers are full, so the server does not read
		}
		sent++
		if sent > 100_000 {
			t.Fatal("the sender is never held back")
		}
	}
	if got := server.Stats().Received; got > 50 {
		t.Errorf("%d messages were read with room for two batches of 10", got)
	}

	udp := dial(t, "udp", server)
	large := "<13>" + strings.Repeat("x", 60000)
	timeout := time.Now().Add(20 * time.Second)
	datagrams := 0
	for server.Stats().Dropped == 0 && time.Now().Before(timeout) {
		send(t, udp, large)
		datagrams++
	}
	if server.Stats().Dropped == 0 {
		t.Fatalf("%d datagrams of 60 kB and none was dropped", datagrams)
	}

	close(open)
	tcp.Close()
	if err := stop(); err != nil {
		t.Error(err)
	}
	got := server.Stats()
	if got.Committed != got.Received || int(got.Received) < sent {
		t.Errorf("%d lines were sent; stats %+v", sent, got)
	}
	tcpRows := 0
	for _, h := range s.column("HostName") {
		if h == "h" {
			tcpRows++
		}
	}
	if tcpRows != sent {
		t.Errorf("%d rows over TCP, %d lines were sent", tcpRows, sent)
	}
}

func TestServerLimits(t *testing.T) {
	s := newStore()
	server, stop := startServer(t, s, Options{MaxConns: 1, Idle: time.Second, Batch: BatchOptions{MaxDelay: time.Millisecond}})
	first := dial(t, "tcp", server)
	send(t, first, "<13>Nov 23 03:12:59 h a: one\n")
	await(t, s, 1)
	if got := server.Stats().Connections; got != 1 {
		t.Errorf("%d connections", got)
	}
	// One too many is closed.
	expectEnd(t, dial(t, "tcp", server))
	// The silent one, too, and what it had begun is kept.
	send(t, first, "<13>Nov 23 03:12:59 h a: half")
	expectEnd(t, first)
	await(t, s, 2)
	for timeout := time.Now().Add(20 * time.Second); server.Stats().Connections != 0 && time.Now().Before(timeout); {
		runtime.Gosched() // the sender sees the end before the server has counted it
	}
	if got := server.Stats(); got.Refused != 1 || got.Connections != 0 {
		t.Errorf("stats: %+v", got)
	}
	// There is room again.
	send(t, dial(t, "tcp", server), "<13>Nov 23 03:12:59 h a: three\n")
	await(t, s, 3)
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// expectEnd returns when the other side has closed the connection.
func expectEnd(t *testing.T, c net.Conn) {
	t.Helper()
	if err := c.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if _, err := c.Read(make([]byte, 1)); err == nil || errors.As(err, &timeout) && timeout.Timeout() {
		t.Errorf("the connection is still open: %v", err)
	}
}

// TestServerStopDown holds that the stop ends without a workspace, and says
// what was lost.
func TestServerStopDown(t *testing.T) {
	s := newStore()
	tried := make(chan struct{}, 1000)
	s.before = func(picket.Batch) error { tried <- struct{}{}; return errors.New("down") }
	server, stop := startServer(t, s, Options{Drain: 400 * time.Millisecond, Batch: BatchOptions{MaxRows: 5}})
	c := dial(t, "tcp", server)
	send(t, c, strings.Repeat("<13>Nov 23 03:12:59 h a: x\n", 20))
	<-tried
	if err := stop(); err == nil || !strings.Contains(err.Error(), "down") {
		t.Errorf("stop: %v", err)
	}
	if got := server.Stats(); got.Dropped != got.Received || got.Committed != 0 {
		t.Errorf("stats: %+v", got)
	}
}

func TestListenFailure(t *testing.T) {
	s := newStore()
	server, stop := startServer(t, s, Options{})
	if _, err := Listen(s.Append, Options{Addr: server.Addr().String()}); err == nil || !strings.Contains(err.Error(), server.Addr().String()) {
		t.Errorf("two servers on one address: %v", err)
	}
	if _, err := Listen(s.Append, Options{Addr: "nonsense"}); err == nil {
		t.Error("an address without a port was taken")
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	unused, err := Listen(s.Append, Options{Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := unused.Close(); err != nil {
		t.Error(err)
	}
}

func BenchmarkServerTCP(b *testing.B) {
	server, err := Listen(func(context.Context, picket.Batch) error { return nil }, Options{Addr: "127.0.0.1:0"})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- server.Run(ctx) }()
	c, err := net.Dial("tcp", server.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	chunk := []byte(strings.Repeat("<86>Nov 23 03:12:59 web1 sshd[4242]: Failed password for invalid user admin from 203.0.113.7 port 51022 ssh2\n", 1000))
	b.SetBytes(int64(len(chunk)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(chunk); err != nil {
			b.Fatal(err)
		}
	}
	c.Close()
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}
