package ingest

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
)

func TestServerUDP(t *testing.T) {
	s := newStore()
	server, stop := startServer(t, s, Options{MaxMessage: 100})
	c := dial(t, "udp", server)
	send(t, c, "<86>Nov 23 03:12:59 web1 sshd[1]: one")
	send(t, c, "<86>Nov 23 03:12:59 web1 sshd[2]: two\n")
	send(t, c, "<86>Nov 23 03:12:59 web1 sshd[3]: a\nb\x00")
	send(t, c, "\n")
	send(t, c, "garbage")
	send(t, c, "<13>"+strings.Repeat("x", 200))
	await(t, s, 5)
	if err := stop(); err != nil {
		t.Error(err)
	}
	if _, n := server.packets.waiting(); n != 0 {
		t.Errorf("%d bytes are still counted as waiting", n)
	}
	want := []any{"one", "two", "a\nb", "garbage", strings.Repeat("x", 96) + CutMarker}
	if diff := cmp.Diff(want, s.column("SyslogMessage")); diff != "" {
		t.Error(diff)
	}
	if got := server.Stats(); got != (Stats{Received: 5, Committed: 5, Odd: 2, Truncated: 1}) {
		t.Errorf("stats: %+v", got)
	}
}

// TestServerStopQueue stops with datagrams in the queue and a workspace that
// answers late.
func TestServerStopQueue(t *testing.T) {
	s := newStore()
	open := make(chan struct{})
	writing := make(chan struct{}, 100)
	s.before = func(picket.Batch) error { writing <- struct{}{}; <-open; return nil }
	server, stop := startServer(t, s, Options{Batch: BatchOptions{MaxRows: 5}})
	c := dial(t, "udp", server)
	for i := range 60 {
		send(t, c, fmt.Sprintf("<13>Nov 23 03:12:59 h a: %d", i))
	}
	<-writing
	time.AfterFunc(4*lingerSilent, func() { close(open) })
	if err := stop(); err != nil {
		t.Error(err)
	}
	if got := server.Stats(); got != (Stats{Received: 60, Committed: 60}) {
		t.Errorf("stats: %+v", got)
	}
}

func TestPacketQueue(t *testing.T) {
	flood := netip.MustParseAddr("192.0.2.1")
	other := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}) }
	fill := func(q *packetQueue, size int, from func(i int) netip.Addr) (n int) {
		for q.offer(packet{line: make([]byte, size), peer: from(n)}) {
			n++
		}
		return n
	}
	one := func(int) netip.Addr { return flood }
	// Bytes: half for one, the rest for others.
	q := newPacketQueue()
	if n := fill(q, 1<<20, one); n != maxPacketBytes>>21 {
		t.Errorf("one peer has %d MB", n)
	}
	if n := fill(q, 1<<20, other); n != maxPacketBytes>>21 {
		t.Errorf("the others have %d MB", n)
	}
	// Datagrams, in the same way.
	q = newPacketQueue()
	if n := fill(q, 1, one); n != maxPackets/2 {
		t.Errorf("one peer has %d datagrams", n)
	}
	if n := fill(q, 1, other); n != maxPackets/2 {
		t.Errorf("the others have %d datagrams", n)
	}
	// What comes out makes room, and is forgotten.
	if !q.offer(packet{line: []byte("x"), peer: flood}) {
		q.done(<-q.ch)
		if !q.offer(packet{line: []byte("x"), peer: flood}) {
			t.Error("there is no room after one came out")
		}
	}
	for range maxPackets {
		q.done(<-q.ch)
	}
	if n, bytes := q.waiting(); n != 0 || bytes != 0 || len(q.byPeer) != 0 {
		t.Errorf("%d datagrams, %d bytes, %d peers are left in an empty queue", n, bytes, len(q.byPeer))
	}
}

// TestDrops holds that forged senders cannot fill the memory.
func TestDrops(t *testing.T) {
	d := newDrops()
	now := testNow
	if report, n := d.add(netip.MustParseAddr("192.0.2.1"), 3, now); report != "192.0.2.1: 3" || n != 3 {
		t.Errorf("first report: %q, %d", report, n)
	}
	for i := range 3 * maxDropSources {
		if report, _ := d.add(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 1, now); report != "" {
			t.Fatalf("a second report within a minute: %q", report)
		}
	}
	if len(d.by) != maxDropSources+1 || d.by[netip.Addr{}] != 2*maxDropSources+1 {
		t.Errorf("%d senders, %d drops beyond them", len(d.by), d.by[netip.Addr{}])
	}
	report, n := d.add(netip.Addr{}, 1, now.Add(dropLogEvery))
	if want := "unknown: 2050, 10.0.0.0: 1, 10.0.0.1: 1, 10.0.0.2: 1, 10.0.0.3: 1, …"; report != want || n != 3*maxDropSources+1 {
		t.Errorf("second report: %q, %d; want %q", report, n, want)
	}
}
