package ingest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
)

// heap returns how much memory is in use, after what is not has been found.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// watchHeap returns a function that says by how much the heap in use has grown
// at most since the call, as seen every 20 ms.
func watchHeap(t *testing.T) (grown func() int64) {
	t.Helper()
	before := heap()
	stop, done := make(chan struct{}), make(chan int64)
	go func() {
		most := int64(0)
		for tick := time.Tick(20 * time.Millisecond); ; {
			select {
			case <-tick:
				most = max(most, heap()-before)
			case <-stop:
				done <- most
				return
			}
		}
	}()
	return sync.OnceValue(func() int64 { close(stop); return <-done })
}

// discard is a workspace that keeps nothing.
func discard(context.Context, picket.Batch) error { return nil }

// TestHostileStream sends 100 MB without an end, NULs, and bytes that are no
// text, and sees that memory does not grow, and that others are served.
func TestHostileStream(t *testing.T) {
	server, stop := startServerFunc(t, discard, Options{})
	grown := watchHeap(t)
	chunk := bytes.Repeat([]byte("\xff\xfe7"), 1<<18)
	endless := dial(t, "tcp", server)
	for sent := 0; sent < 100<<20; sent += len(chunk) {
		if _, err := endless.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	send(t, endless, "\n<13>Nov 23 03:12:59 h a: after it\n")
	nuls := dial(t, "tcp", server)
	for range 4 {
		if _, err := nuls.Write(make([]byte, 1<<20)); err != nil {
			t.Fatal(err)
		}
	}
	send(t, nuls, "<13>Nov 23 03:12:59 h a: after NULs\n")
	huge := dial(t, "tcp", server)
	send(t, huge, "999999999 <13>Nov 23 03:12:59 h a: a count that is too large\n<13>Nov 23 03:12:59 h a: after a count\n")
	awaitStats(t, server, "messages", func(got Stats) bool { return got.Committed == 5 })
	if err := stop(); err != nil {
		t.Error(err)
	}
	if n := grown(); n > 32<<20 {
		t.Errorf("the heap has grown by %d MB", n>>20)
	}
	if got := server.Stats(); got.Received != 5 || got.Truncated != 1 || got.Dropped != 0 {
		t.Errorf("stats: %+v", got)
	}
}

// TestHostileCut holds the configured size, whatever carries the message.
func TestHostileCut(t *testing.T) {
	s := newStore()
	server, stop := startServer(t, s, Options{MaxMessage: 2048})
	const head = "<13>Nov 23 03:12:59 h a: "
	long := head + strings.Repeat("é", 10_000)
	tcp, udp := dial(t, "tcp", server), dial(t, "udp", server)
	send(t, tcp, fmt.Sprintf("%s\n%d %s", long, len(long), long))
	send(t, udp, long)
	await(t, s, 3)
	if err := stop(); err != nil {
		t.Error(err)
	}
	want := strings.Repeat("é", (2048-len(head))/2) + CutMarker
	if diff := cmp.Diff([]any{want, want, want}, s.column("SyslogMessage")); diff != "" {
		t.Error("cut in another way: ", len(diff))
	}
	if got := server.Stats(); got.Truncated != 3 {
		t.Errorf("stats: %+v", got)
	}
}

// TestHostileConnections has one source open connections far beyond the limit,
// and drip bytes into them. Others are served.
func TestHostileConnections(t *testing.T) {
	s := newStore()
	const limit = 50
	server, stop := startServer(t, s, Options{MaxConns: limit})
	grown := watchHeap(t)
	dialFrom := func(from string) net.Conn {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		c, err := d.Dial("tcp", server.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	early := dialFrom("127.0.0.9")
	send(t, early, "<13>Nov 23 03:12:59 h a: early\n")
	await(t, s, 1)
	for range 10 * limit {
		_, _ = dialFrom("127.0.0.66").Write([]byte("<")) // it may be closed by now
	}
	awaitStats(t, server, "the limit", func(got Stats) bool { return got.Refused >= 9*limit && got.Connections >= limit })
	// A new one takes a place of the source that has most, and the early one has its own.
	for i := range 3 {
		c := dialFrom(fmt.Sprintf("127.0.1.%d", i+1))
		send(t, c, "<13>Nov 23 03:12:59 h a: new\n")
		await(t, s, i+2)
	}
	send(t, early, "<13>Nov 23 03:12:59 h a: still here\n")
	await(t, s, 5)
	if got := server.Stats(); got.Displaced != 3 || got.Connections > limit+leavingRoom {
		t.Errorf("stats: %+v", got)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if n := grown(); n > 32<<20 {
		t.Errorf("the heap has grown by %d MB", n>>20)
	}
	if n := slices.Index(s.column("SyslogMessage"), any("still here")); n < 0 {
		t.Error("the early sender was cut off")
	}
	server.mu.Lock()
	defer server.mu.Unlock()
	if len(server.conns.open)+len(server.conns.by) != 0 {
		t.Errorf("%d connections and %d sources are left", len(server.conns.open), len(server.conns.by))
	}
}

// TestConnTable holds who gives its place to whom.
func TestConnTable(t *testing.T) {
	table := newConnTable()
	open := func(address string, heard int64, reading bool) *conn {
		c := &conn{source: sourceOf(netip.MustParseAddr(address))}
		c.heard.Store(heard)
		c.reading.Store(reading)
		table.add(c)
		return c
	}
	source := func(address string) netip.Prefix { return sourceOf(netip.MustParseAddr(address)) }
	open("192.0.2.1", 1, true)
	open("2001:db8::1", 5, true)
	silent := open("2001:db8::2", 2, true)
	open("2001:db8::3", 1, false) // it waits for the workspace: closing it would free nothing
	if got := table.crowded(source("192.0.2.9")); got != silent {
		t.Errorf("a new source: %+v", got)
	}
	if got := table.crowded(source("192.0.2.1")); got != silent { // three against one
		t.Errorf("one that has one: %+v", got)
	}
	if got := table.crowded(source("2001:db8::4")); got != nil { // of the same /64
		t.Errorf("the source that has most: %+v", got)
	}
	table.release(silent)
	if got := table.crowded(source("192.0.2.1")); got != nil {
		t.Errorf("two against one: %+v", got)
	}
}

// TestHostileIdle closes who has no whole message in time, however many bytes come.
func TestHostileIdle(t *testing.T) {
	s := newStore()
	server, stop := startServer(t, s, Options{Idle: 300 * time.Millisecond})
	c := dial(t, "tcp", server)
	done := make(chan error, 1)
	go func() {
		for tick := time.Tick(20 * time.Millisecond); ; <-tick {
			if _, err := c.Write([]byte("x")); err != nil {
				done <- err
				return
			}
		}
	}()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Error("a connection that drips is kept for ever")
	}
	await(t, s, 1) // what it had sent
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestHostileClock sends times ten years off, in both directions.
func TestHostileClock(t *testing.T) {
	s := newStore()
	server, stop := startServer(t, s, Options{Now: func() time.Time { return testNow }})
	c := dial(t, "tcp", server)
	for _, when := range []string{"2016-11-23T03:12:59Z", "2036-11-23T03:12:59Z", "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"} {
		send(t, c, "<13>1 "+when+" h a - - - x\n")
	}
	await(t, s, 4)
	if err := stop(); err != nil {
		t.Error(err)
	}
	want := []any{testNow.AddDate(-10, 0, 0).Add(-17*time.Minute - time.Second), testNow.AddDate(10, 0, 0).Add(-17*time.Minute - time.Second), testNow, testNow}
	if diff := cmp.Diff(want, s.column("EventTime")); diff != "" {
		t.Error(diff)
	}
	for _, at := range s.column("TimeGenerated") {
		if at != testNow {
			t.Errorf("TimeGenerated %v: a sender must not choose it", at)
		}
	}
}

// TestHostileFlood sends datagrams from two sources faster than they are
// written: memory is bounded, the loss is counted for who caused it, and the
// other's arrive.
func TestHostileFlood(t *testing.T) {
	open := make(chan struct{})
	server, stop := startServerFunc(t, func(context.Context, picket.Batch) error { <-open; return nil }, Options{Batch: BatchOptions{MaxRows: 10}})
	grown := watchHeap(t)
	from := func(ip string) net.Conn {
		d := net.Dialer{LocalAddr: &net.UDPAddr{IP: net.ParseIP(ip)}}
		c, err := d.Dial("udp", server.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	flood, other := from("127.0.0.66"), from("127.0.0.9")
	attacker := netip.MustParseAddr("127.0.0.66")
	large := "<13>" + strings.Repeat("x", 60_000)
	for end := time.Now().Add(20 * time.Second); server.Drops()[attacker] < 100; {
		send(t, flood, large)
		if time.Now().After(end) {
			t.Fatalf("nothing is dropped: %v", server.Drops())
		}
	}
	// The kernel's buffer is empty before the other's come.
	awaitStats(t, server, "queue", func(Stats) bool {
		send(t, other, "<13>small")
		return server.shareOf(netip.MustParseAddr("127.0.0.9")) >= 20
	})
	close(open)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if n := grown(); n > 64<<20 {
		t.Errorf("the heap has grown by %d MB", n>>20)
	}
	got, drops := server.Stats(), server.Drops()
	if drops[netip.MustParseAddr("127.0.0.9")] != 0 {
		t.Errorf("the other lost datagrams: %v", drops)
	}
	sum := uint64(0)
	for _, n := range drops {
		sum += n
	}
	if got.Dropped != sum || got.Committed != got.Received {
		t.Errorf("drops %v, stats %+v", drops, got)
	}
}

// shareOf returns how many datagrams of a peer wait.
func (s *Server) shareOf(peer netip.Addr) int {
	s.packets.mu.Lock()
	defer s.packets.mu.Unlock()
	return s.packets.byPeer[peer].packets
}

// TestHostileGarbage has many connections send noise at once, TLS included.
func TestHostileGarbage(t *testing.T) {
	ca := newIssuer(t)
	server, stop := startServerFunc(t, discard, Options{TLSAddr: "127.0.0.1:0", TLS: ca.server(), MaxConns: 100})
	grown := watchHeap(t)
	noise := make([]byte, 64<<10)
	for i, seed := 0, uint32(1); i < len(noise); i++ {
		seed = seed*1664525 + 1013904223
		noise[i] = byte(seed >> 24)
	}
	var senders sync.WaitGroup
	for i := range 300 {
		senders.Go(func() {
			addr := server.Addr()
			if i%3 == 0 {
				addr = server.TLSAddr()
			}
			c, err := net.Dial("tcp", addr.String())
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			_, _ = c.Write(noise[i:]) // it may be refused
			_ = c.(*net.TCPConn).CloseWrite()
			_, _ = io.Copy(io.Discard, c)
		})
	}
	senders.Wait()
	good := dial(t, "tcp", server)
	before := server.Stats().Committed
	send(t, good, "<13>Nov 23 03:12:59 h a: after the noise\n")
	awaitStats(t, server, "a good sender", func(got Stats) bool { return got.Committed > before })
	// Those over TLS may all have been refused, for want of room: one comes when there is some.
	awaitStats(t, server, "room for another", func(got Stats) bool { return got.Connections <= 1 })
	late, err := net.Dial("tcp", server.TLSAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer late.Close()
	_, _ = late.Write(noise)
	awaitStats(t, server, "noise over TLS", func(got Stats) bool { return got.Insecure > 0 })
	if err := stop(); err != nil {
		t.Error(err)
	}
	if n := grown(); n > 128<<20 {
		t.Errorf("the heap has grown by %d MB", n>>20)
	}
	if got := server.Stats(); got.Received != got.Committed || got.Insecure == 0 {
		t.Errorf("stats: %+v", got)
	}
}
