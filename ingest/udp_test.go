package ingest

import (
	"fmt"
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
	if n := server.packets.bytes.Load(); n != 0 {
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
	q := newPacketQueue()
	p := packet{line: make([]byte, 1<<20)}
	for i := range maxPacketBytes >> 20 {
		if !q.offer(p) {
			t.Fatalf("megabyte %d was refused", i+1)
		}
	}
	if q.offer(p) {
		t.Error("more bytes than the limit were taken")
	}
	q = newPacketQueue()
	for i := range maxPackets {
		if !q.offer(packet{line: []byte("x")}) {
			t.Fatalf("datagram %d was refused", i+1)
		}
	}
	if q.offer(packet{line: []byte("x")}) || q.bytes.Load() != maxPackets {
		t.Errorf("more datagrams than the limit were taken, or their bytes: %d", q.bytes.Load())
	}
}
