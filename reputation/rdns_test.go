package reputation

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"picket/state"
)

// nameServer answers on loopback from a table of names: PTR to names, A to addresses.
func nameServer(t *testing.T, zone map[string]string, asked *atomic.Int64) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			asked.Add(1)
			var m dnsmessage.Message
			if m.Unpack(buf[:n]) != nil || len(m.Questions) != 1 {
				continue
			}
			q := m.Questions[0]
			m.Header = dnsmessage.Header{ID: m.ID, Response: true, RecursionAvailable: true}
			m.Additionals = nil
			value, ok := zone[strings.TrimSuffix(q.Name.String(), ".")]
			head := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 60}
			switch {
			case !ok:
				m.RCode = dnsmessage.RCodeNameError
			case value == "fail":
				m.RCode = dnsmessage.RCodeServerFailure
			case q.Type == dnsmessage.TypePTR:
				m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.PTRResource{PTR: dnsmessage.MustNewName(value + ".")}}}
			case q.Type == dnsmessage.TypeA:
				m.Answers = []dnsmessage.Resource{{Header: head, Body: &dnsmessage.AResource{A: netip.MustParseAddr(value).As4()}}}
			}
			if out, err := m.Pack(); err == nil {
				_, _ = conn.WriteTo(out, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func TestReverseDNS(t *testing.T) {
	db, err := state.Open(t.Context(), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	var asked atomic.Int64
	resolver := nameServer(t, map[string]string{
		"1.64.83.45.in-addr.arpa": "scan.example.com", "scan.example.com": "45.83.64.1",
		"2.64.83.45.in-addr.arpa": "crawl.googlebot.com", "crawl.googlebot.com": "66.249.66.1", // a lie
		"4.64.83.45.in-addr.arpa": "fail",
	}, &asked)
	e := NewEngine(db, EngineOptions{Resolver: resolver})
	for ip, want := range map[string]Finding{
		"45.83.64.1": {State: Clean, ReverseDNS: "scan.example.com"},
		"45.83.64.2": {State: NotFound, Reason: "its name is not confirmed by an address of that name"},
		"45.83.64.3": {State: NotFound},
		"45.83.64.4": {State: Failed, Reason: "the resolver does not answer"},
	} {
		p := e.Lookup(t.Context(), netip.MustParseAddr(ip), Caller{Patience: time.Second})
		f := p.Sources[0]
		if f.State != want.State || f.ReverseDNS != want.ReverseDNS || f.Reason != want.Reason || p.ReverseDNS != want.ReverseDNS {
			t.Errorf("%s: %+v", ip, f)
		}
	}
	before := asked.Load()
	if p := e.Lookup(t.Context(), netip.MustParseAddr("45.83.64.1"), Caller{}); p.ReverseDNS != "scan.example.com" || !p.Sources[0].Cached || asked.Load() != before {
		t.Errorf("%+v, %d more questions", p.Sources, asked.Load()-before)
	}
}

// TestReverseDNSRate: who may not wait for a turn does not put off the others'.
func TestReverseDNSRate(t *testing.T) {
	db, err := state.Open(t.Context(), state.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(context.Background()) })
	var asked atomic.Int64
	resolver := nameServer(t, map[string]string{"1.64.83.45.in-addr.arpa": "scan.example.com", "scan.example.com": "45.83.64.1"}, &asked)
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	r := newReverseDNS(resolver, db, EngineOptions{Now: func() time.Time { return now }})
	r.limit.ReserveN(now, rdnsPerSecond) // others have taken this second's
	for range 3 {
		if f := r.look(t.Context(), someone, Caller{}); f.State != Waiting || !f.Until.Equal(now.Add(time.Second/rdnsPerSecond)) || !f.Expires.IsZero() {
			t.Errorf("%+v", f)
		}
	}
	if asked.Load() != 0 {
		t.Errorf("%d questions", asked.Load())
	}
	if f := r.look(t.Context(), someone, Caller{Patience: time.Minute}); f.ReverseDNS != "scan.example.com" {
		t.Errorf("who waits for its turn gets %+v", f)
	}
}
