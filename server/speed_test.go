package server

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"picket"
	"picket/reputation"
)

// BenchmarkLookupHTTP is the lookup of an address that was looked up before, over
// loopback and through all of the server: key, limits of the key, metering, entity
// tag, the ledger of ten providers. It is compared with a handler of net/http that
// writes the same body and does nothing else; both are asked in turns by the same
// callers, in this process. "%-of-bare" is of lookups in the same time, and
// "%-of-bare-cpu" of lookups for the same processor time, which other work on the
// machine does not change.
func BenchmarkLookupHTTP(b *testing.B) {
	p := newProwlTest(b, "", nil)
	log := slog.New(slog.DiscardHandler)
	engine := tenProviders(b, p)
	srv := httptest.NewServer(New(Options{
		Reputation: p.service, Engine: engine, Prowl: Prowl(ProwlOptions{Reputation: p.service, Engine: engine, Logger: log}), Admin: "boss", Logger: log,
		Verify: func(ctx context.Context, key picket.Secret, scope string) (string, error) {
			k, err := p.service.VerifyKey(ctx, key, scope)
			return k.ID, err
		},
	}))
	defer srv.Close()
	limited, _ := p.newKey(reputation.NewKey{Name: "limited", Scopes: []string{reputation.ScopeLookup}, PerDay: 1e9, PerSecond: 1e6})
	for _, bench := range []struct {
		name, path string
		key        picket.Secret
	}{
		{"prowl", "/GetIPReputation?ip=45.9.20.1", p.key},
		{"prowl, limited key", "/GetIPReputation?ip=45.9.20.1", limited},
		{"profile", "/v1/ip/45.9.20.1", p.key},
		{"profile, limited key", "/v1/ip/45.9.20.1", limited},
	} {
		b.Run(bench.name, func(b *testing.B) { compareLookup(b, srv.Listener.Addr().String(), bench.path, bench.key) })
	}
}

// tenProviders returns an engine that asks every shipped provider, each of which has
// the first answer that its documentation shows.
func tenProviders(b *testing.B, p *prowlTest) *reputation.Engine {
	list, err := reputation.LoadProviders(reputation.Shipped, "providers")
	if err != nil {
		b.Fatal(err)
	}
	keys := map[string]picket.Secret{}
	for _, q := range list {
		fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(q.Tests[0].Body)) }))
		b.Cleanup(fake.Close)
		if err := q.Change(fake.URL+"/{ip}", nil, new(reputation.Limits)); err != nil {
			b.Fatal(err)
		}
		keys[q.Name] = "key"
	}
	return reputation.NewEngine(p.db, reputation.EngineOptions{Locals: []reputation.Local{reputation.Store{DB: p.db, Logger: slog.New(slog.DiscardHandler)}}, Providers: list, Keys: keys})
}

// compareLookup measures one route against the bare handler.
func compareLookup(b *testing.B, addr, path string, key picket.Secret) {
	lookup := newLoad(b, addr, path, key)
	body, kind, length := lookup.body, lookup.kind, strconv.Itoa(len(lookup.body))
	bare := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.Header().Set("Content-Length", length)
		_, _ = w.Write(body)
	}))
	defer bare.Close()
	other := newLoad(b, bare.Listener.Addr().String(), path, key)
	if !bytes.Equal(other.body, lookup.body) {
		b.Fatal("the two differ")
	}
	const turn = 400 // requests
	var wall, cpu, bareWall, bareCPU time.Duration
	n := 0
	for b.Loop() {
		w, c := other.asFast(turn)
		bareWall, bareCPU = bareWall+w, bareCPU+c
		w, c = lookup.asFast(turn)
		wall, cpu = wall+w, cpu+c
		n += turn
	}
	perSecond := float64(n) / wall.Seconds()
	b.ReportMetric(perSecond, "lookups/s")
	b.ReportMetric(float64(n)/bareWall.Seconds(), "bare/s")
	b.ReportMetric(100*bareWall.Seconds()/wall.Seconds(), "%-of-bare")
	b.ReportMetric(100*bareCPU.Seconds()/cpu.Seconds(), "%-of-bare-cpu")
	b.ReportMetric(lookup.p99(int(perSecond), perSecond/2).Seconds()*1e3, "p99-ms-at-half")
	b.ReportMetric(other.p99(int(perSecond), perSecond/2).Seconds()*1e3, "bare-p99-ms-there")
	b.ReportMetric(0, "ns/op") // of nothing in particular
}

// BenchmarkBulkHTTP is POST /v1/ips of many different addresses, which only Picket's
// own store is asked about: what the route costs beside the lookups of
// reputation.BenchmarkBulk. The caller's share is in it.
func BenchmarkBulkHTTP(b *testing.B) {
	p := newProwlTest(b, "", nil)
	key, _ := p.newKey(reputation.NewKey{Name: "bulk", Scopes: []string{reputation.ScopeBulk}})
	srv := httptest.NewServer(New(Options{
		Reputation: p.service, Engine: p.engine, Prowl: http.NotFoundHandler(), Admin: "boss", Logger: slog.New(slog.DiscardHandler),
		Verify: func(ctx context.Context, key picket.Secret, scope string) (string, error) {
			k, err := p.service.VerifyKey(ctx, key, scope)
			return k.ID, err
		},
	}))
	defer srv.Close()
	const many = 100_000
	var body []byte
	for i := range many {
		body = fmt.Appendf(body, "45.%d.%d.%d\n", 1+i>>16, i>>8&255, i&255)
	}
	before := processorTime(b)
	n := 0
	for b.Loop() {
		req, err := http.NewRequest("POST", srv.URL+"/v1/ips", bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		req.Header.Set("x-api-key", key.Reveal())
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		if lines := bytes.Count(readBody(b, res.Body), []byte("\n")); lines != many {
			b.Fatalf("%d answers", lines)
		}
		res.Body.Close()
		n += many
	}
	b.ReportMetric(float64(n)/(processorTime(b)-before).Seconds(), "addresses/s")
	b.ReportMetric(0, "ns/op") // of nothing in particular
}

// A load is callers who ask the same again and again, each on a connection of its own.
type load struct {
	testing.TB
	conns   []*bufio.ReadWriter
	request []byte
	body    []byte // of the answer
	kind    string // its content type
}

func newLoad(t testing.TB, addr, path string, key picket.Secret) *load {
	l := &load{TB: t, request: fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: picket\r\nx-api-key: %s\r\nUser-Agent: load\r\nAccept: application/json\r\n\r\n", path, key.Reveal())}
	for range 8 {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		l.conns = append(l.conns, bufio.NewReadWriter(bufio.NewReader(c), bufio.NewWriter(c)))
	}
	for range 3 { // the last is of what is in memory
		_, err := l.conns[0].Write(l.request)
		if err == nil {
			err = l.conns[0].Flush()
		}
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.ReadResponse(l.conns[0].Reader, nil)
		if err != nil {
			t.Fatal(err)
		}
		l.body, l.kind = readBody(t, res.Body), res.Header.Get("Content-Type")
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", res.StatusCode, l.body)
		}
	}
	return l
}

// ask makes one request. It reads no more of the answer than it must, to leave the
// time to the server.
func (l *load) ask(c *bufio.ReadWriter) {
	_, err := c.Write(l.request)
	if err == nil {
		err = c.Flush()
	}
	length := 0
	for first := true; err == nil; first = false {
		var line []byte
		if line, err = c.ReadSlice('\n'); len(line) <= 2 {
			break
		}
		if first && !bytes.HasPrefix(line, []byte("HTTP/1.1 200 ")) {
			l.Errorf("%s", line)
		}
		if n, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			for _, d := range bytes.TrimSpace(n) {
				length = 10*length + int(d-'0')
			}
		}
	}
	if err == nil {
		_, err = c.Discard(length)
	}
	if err != nil || length != len(l.body) {
		l.Errorf("%v, a body of %d bytes", err, length)
	}
}

// asFast makes n requests as fast as it goes, and returns the time and the processor
// time that it took.
func (l *load) asFast(n int) (wall, cpu time.Duration) {
	start, used := time.Now(), processorTime(l)
	var wg sync.WaitGroup
	for _, c := range l.conns {
		wg.Go(func() {
			for range n / len(l.conns) {
				l.ask(c)
			}
		})
	}
	wg.Wait()
	return time.Since(start), processorTime(l) - used
}

// processorTime is what this process has used.
func processorTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// p99 makes n requests at a rate a second, and returns what 99 % of them stay below,
// from when each was due.
func (l *load) p99(n int, rate float64) time.Duration {
	took := make([]time.Duration, n)
	var next atomic.Int64
	start := time.Now()
	var wg sync.WaitGroup
	for _, c := range l.conns {
		wg.Go(func() {
			for i := int(next.Add(1) - 1); i < n; i = int(next.Add(1) - 1) {
				due := start.Add(time.Duration(float64(i) / rate * 1e9))
				time.Sleep(time.Until(due))
				l.ask(c)
				took[i] = time.Since(due)
			}
		})
	}
	wg.Wait()
	slices.Sort(took)
	return took[n*99/100]
}
