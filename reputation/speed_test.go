package reputation

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"picket/state"
)

// BenchmarkBulk is the lookup of many different addresses in local sources alone:
// the store, who owns which network, an allow-list, and block lists that hold one
// address of a hundred. Each is encoded, too. "addresses/s" is a second of one core's
// time, which other work on the machine does not change.
func BenchmarkBulk(b *testing.B) {
	rnd := rand.New(rand.NewPCG(1, 2))
	db := bulkState(b)
	locals := []Local{Store{DB: db, Logger: slog.New(slog.DiscardHandler)}, bulkSets(b, rnd)}
	e := NewEngine(db, EngineOptions{Locals: locals})
	ips := make([]netip.Addr, 1<<20)
	for i := range ips {
		ips[i] = randomAddr(rnd)
	}
	bench := func(name string) {
		b.Run(name, func(b *testing.B) {
			var out []byte
			b.ReportAllocs()
			before := processorTime(b)
			for i := 0; b.Loop(); i++ {
				a := e.Answer(b.Context(), ips[i%len(ips)], Caller{Many: true})
				out = a.AppendJSON(out[:0])
				e.Release(a)
			}
			b.ReportMetric(float64(b.N)/(processorTime(b)-before).Seconds(), "addresses/s")
			b.ReportMetric(float64(len(out)), "bytes")
		})
	}
	bench("networks")
	w, err := db.WriteProfiles()
	if err != nil {
		b.Fatal(err)
	}
	for i, ip := range ips {
		p := state.Profile{IP: ip, Verdict: "malicious", Confidence: 90, Ttps: []string{"known-ssh-attack"}, Sources: []string{"decoys"}, CountryCode: "DE", Asn: int64(i % 70_000)}
		if err := w.Put(&p, i); err != nil {
			b.Fatal(err)
		}
	}
	if _, err := w.Commit(b.Context()); err != nil {
		b.Fatal(err)
	}
	bench("profiles") // each of the addresses has one
}

func randomAddr(rnd *rand.Rand) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(1 + rnd.IntN(9)), byte(rnd.IntN(256)), byte(rnd.IntN(256)), byte(rnd.IntN(256))})
}

// bulkState is a state of its own.
func bulkState(b *testing.B) *state.DB {
	db, err := state.Open(b.Context(), state.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = db.Close(context.Background()) })
	return db
}

// bulkSets are data sets as large as the real ones.
func bulkSets(b *testing.B, rnd *rand.Rand) *Datasets {
	dir := b.TempDir()
	var sets []*Dataset
	add := func(description, text string) {
		name := fmt.Sprint("set", len(sets))
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			b.Fatal(err)
		}
		d, err := ParseDataset(name, []byte(fmt.Sprintf("name: %s\nfiles: [%s]\n%s", name, filepath.Join(dir, name), description)))
		if err != nil {
			b.Fatal(err)
		}
		sets = append(sets, d)
	}
	var text strings.Builder
	for i := range 9 << 16 { // a /24 each
		fmt.Fprintf(&text, "%[1]d.%[2]d.%[3]d.0\t%[1]d.%[2]d.%[3]d.255\t%[4]d\tDE\tORG-%[4]d\n", 1+i>>16, i>>8&255, i&255, 1000+i/7)
	}
	add("kind: asn\nformat: tsv\ncolumns: [start, end, asn, country, org]\nreliability: B\n", text.String())
	for range 4 {
		text.Reset()
		for range 20_000 {
			fmt.Fprintf(&text, "%s/27\n", randomAddr(rnd))
		}
		add("title: Bad Hosts\nkind: block\nformat: cidr\nreliability: C\nsays: {verdict: malicious, confidence: 80, labels: [known-ssh-attack]}\n", text.String())
	}
	add("title: Resolvers\nkind: allow\ntier: benign\nformat: cidr\nreliability: B\n", "1.1.1.0/24\n8.8.8.0/24\n")
	l := NewDatasets("", sets, nil, nil)
	if err := l.Load(); err != nil {
		b.Fatal(err)
	}
	return l
}

// processorTime is what this process has used.
func processorTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
