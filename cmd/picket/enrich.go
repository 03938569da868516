package main

import (
	"bufio"
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"picket/address"
	"picket/app"
	"picket/reputation"
	"picket/state"
)

const enrichHelp = `Usage: picket enrich [flags] FILE…|-

Finds the addresses in files, or in standard input, and says of each who it is and
what it wants. Works without a server. Files may be gzip or zstd.

Flags:
`

// enrichFlags are what "picket enrich" is told.
type enrichFlags struct {
	sources  sourceFlags
	format   string
	only     bool
	annotate bool
	defanged bool
	maxCost  float64
}

// sourceFlags are those of commands that ask the sources without a server.
type sourceFlags struct {
	data, config string
	local, dns   bool
}

func (f *sourceFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&f.data, "data", "", "`folder` of fetched data sets, kept answers and the ledger; may be a server's (default ~/.local/share/picket)")
	fs.StringVar(&f.config, "config", "", "picket.yaml with the keys of providers; by default DATA/picket.yaml where it is")
	fs.BoolVar(&f.dns, "dns", false, "ask this host's resolver for the names of addresses, too")
	fs.BoolVar(&f.local, "local", false, "ask nobody: answer from local data alone")
}

// open opens the sources. The caller calls closed when done.
func (f *sourceFlags) open(ctx context.Context, stdio stdio) (s *app.Sources, closed func(), err error) {
	cfg := app.DefaultConfig()
	data, err := f.folder()
	if err != nil {
		return nil, nil, err
	}
	path := f.config
	if path == "" {
		if beside := filepath.Join(data, "picket.yaml"); exists(beside) {
			path = beside
		}
	}
	if path != "" {
		if cfg, err = app.LoadConfig(path); err != nil {
			return nil, nil, err
		}
	}
	cfg.Data = data
	log := slog.New(slog.NewTextHandler(stdio.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	db, err := state.Open(ctx, state.Options{Path: filepath.Join(data, app.StateFile), Logger: log})
	if err != nil {
		return nil, nil, err
	}
	closed = func() { _ = db.Close(context.WithoutCancel(ctx)) }
	cfg.NoProviders = f.local
	cfg.ReverseDNS = cfg.ReverseDNS || f.dns
	if s, err = app.OpenSources(cfg, db, nil, log); err == nil {
		err = s.Engine.LoadOverrides(ctx)
	}
	if err != nil {
		closed()
		return nil, nil, err
	}
	closed = func() {
		last := context.WithoutCancel(ctx)
		if err := s.Engine.Flush(last); err != nil {
			log.Error("the ledger is not written", "err", err)
		}
		_ = db.Close(last)
	}
	return s, closed, nil
}

// folder is where everything is kept.
func (f *sourceFlags) folder() (string, error) {
	if f.data != "" {
		return f.data, nil
	}
	if base := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "picket"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", misuse("there is no home folder: say --data FOLDER")
	}
	return filepath.Join(home, ".local", "share", "picket"), nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// enrich is "picket enrich".
func enrich(ctx context.Context, args []string, stdio stdio) error {
	fs := flag.NewFlagSet("enrich", flag.ContinueOnError)
	var f enrichFlags
	f.sources.register(fs)
	fs.StringVar(&f.format, "format", "table", "`how` to print: table, json (one array), ndjson, csv, or stix (a STIX 2.1 bundle)")
	fs.BoolVar(&f.only, "extract-only", false, "print each address as it stands in the text, one a line, and ask nothing")
	fs.BoolVar(&f.annotate, "annotate", false, "write each line back, with the verdicts of its addresses at its end")
	fs.BoolVar(&f.defanged, "defanged", false, "find defanged addresses, too: 192[.]0[.]2[.]1")
	fs.Float64Var(&f.maxCost, "max-cost", 1, "spend no more than so many `USD` on lookups")
	operands, err := parseWith(fs, enrichHelp, args, stdio)
	switch {
	case err != nil:
		return err
	case len(operands) == 0:
		return misuse("enrich: which FILE? - is standard input")
	case f.only && f.annotate:
		return misuse("enrich: --extract-only and --annotate do not go together")
	case !slices.Contains([]string{"table", "json", "ndjson", "csv", "stix"}, f.format):
		return misuse("enrich: unknown format %q; want table, json, ndjson, csv or stix", f.format)
	case !(f.maxCost >= 0 && f.maxCost <= 1e9): // written so that NaN is refused
		return misuse("enrich: --max-cost is %v; want 0 to 1000000000 USD", f.maxCost)
	}
	if f.only {
		return extract(ctx, operands, f.options(), stdio)
	}
	sources, closed, err := f.sources.open(ctx, stdio)
	if err != nil {
		return err
	}
	defer closed()
	e := &enrichment{Engine: sources.Engine, caller: reputation.Caller{Analyst: true, Many: true, Patience: time.Minute, Purse: reputation.NewPurse(f.maxCost)},
		profiles: map[netip.Addr]*reputation.Answer{}}
	if f.annotate {
		return e.annotate(ctx, operands, f.options(), stdio)
	}
	return e.report(ctx, operands, f, stdio)
}

func (f *enrichFlags) options() address.Options { return address.Options{Defanged: f.defanged} }

// eachFile calls f for pieces of every file.
func eachFile(ctx context.Context, paths []string, stdio stdio, o address.Options, f func(text []byte, found []address.Match) error) error {
	for _, path := range paths {
		if err := eachIn(ctx, path, stdio, o, f); err != nil {
			return err
		}
	}
	return nil
}

func eachIn(ctx context.Context, path string, stdio stdio, o address.Options, f func(text []byte, found []address.Match) error) error {
	in := io.Reader(interruptible{ctx, stdio.in})
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		in = file
	}
	r, err := reputation.Decompressed(in)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := address.Each(r, o, f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// interruptible is an input on which nothing more may come: reading it ends with ctx.
type interruptible struct {
	ctx context.Context
	io.Reader
}

// Read implements [io.Reader]. When ctx has ended, p may still be written to.
func (r interruptible) Read(p []byte) (int, error) {
	type result struct {
		n   int
		err error
	}
	done := make(chan result, 1)
	go func() {
		n, err := r.Reader.Read(p)
		done <- result{n, err}
	}()
	select {
	case got := <-done:
		return got.n, got.err
	case <-r.ctx.Done():
		return 0, r.ctx.Err()
	}
}

// extract prints every occurrence, as grep -o would.
func extract(ctx context.Context, paths []string, o address.Options, stdio stdio) error {
	var out []byte
	return eachFile(ctx, paths, stdio, o, func(text []byte, found []address.Match) error {
		out = out[:0]
		for _, m := range found {
			out = append(append(out, m.Text(text)...), '\n')
		}
		_, err := stdio.out.Write(out)
		return err
	})
}

// An enrichment is one run over files.
type enrichment struct {
	*reputation.Engine
	caller reputation.Caller

	mu       sync.Mutex
	profiles map[netip.Addr]*reputation.Answer
	cost     float64
}

const (
	// workers is how many addresses are looked up at a time: most of the time is
	// spent waiting for providers.
	workers = 16
	// batch is how many addresses a worker takes at a time of those that nobody has
	// to be waited for.
	batch = 256
)

// lookup looks up addresses that are not looked up yet.
func (e *enrichment) lookup(ctx context.Context, ips []netip.Addr, done func(n int)) error {
	work := make(chan []netip.Addr)
	var wg sync.WaitGroup
	for range min(workers, len(ips)) {
		wg.Go(func() {
			found := make([]*reputation.Answer, 0, batch)
			for some := range work {
				found = found[:0]
				for _, ip := range some {
					found = append(found, e.Answer(ctx, ip, e.caller))
				}
				e.mu.Lock()
				for i, a := range found {
					e.profiles[some[i]] = a
					e.cost += a.CostUSD
				}
				e.mu.Unlock()
				done(len(some))
			}
		})
	}
	for len(ips) > 0 && ctx.Err() == nil {
		n := 1
		for n < min(batch, len(ips)) && e.Instant(ips[n-1]) {
			n++
		}
		select {
		case work <- ips[:n]:
		case <-ctx.Done():
		}
		ips = ips[n:]
	}
	close(work)
	wg.Wait()
	return ctx.Err()
}

// counted are the addresses and networks of files, and how often each occurs.
type counted struct {
	addrs    []netip.Addr // in the order they came
	networks []netip.Prefix
	hits     map[netip.Addr]int
	netHits  map[netip.Prefix]int
}

func (c *counted) add(m address.Match) {
	if isNetwork(m) {
		p := m.Prefix().Masked()
		if c.netHits[p]++; c.netHits[p] == 1 {
			c.networks = append(c.networks, p)
		}
		return
	}
	if c.hits[m.Addr]++; c.hits[m.Addr] == 1 {
		c.addrs = append(c.addrs, m.Addr)
	}
}

// isNetwork tells a network from an address.
func isNetwork(m address.Match) bool { return m.Bits >= 0 && m.Bits < int16(m.Addr.BitLen()) }

const notAnAddress = "a network, not an address"

// report prints a row for every address, what matters most first.
func (e *enrichment) report(ctx context.Context, paths []string, f enrichFlags, stdio stdio) error {
	c := counted{hits: map[netip.Addr]int{}, netHits: map[netip.Prefix]int{}}
	err := eachFile(ctx, paths, stdio, f.options(), func(_ []byte, found []address.Match) error {
		for _, m := range found {
			c.add(m)
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	bar := newProgress(stdio.err, len(c.addrs), e)
	err = e.lookup(ctx, c.addrs, bar.step)
	bar.end()
	if err != nil {
		return err
	}
	rows := make([]enrichedRow, 0, len(c.addrs)+len(c.networks))
	for _, ip := range c.addrs {
		p := e.profiles[ip].Profile
		rows = append(rows, enrichedRow{IPAddress: ip.String(), Hits: c.hits[ip], Status: p.Status, Reason: p.Reason, Profile: p})
	}
	for _, n := range c.networks {
		rows = append(rows, enrichedRow{IPAddress: n.String(), Hits: c.netHits[n], Status: reputation.StatusSkipped, Reason: notAnAddress,
			Profile: reputation.Profile{Verdict: reputation.Unknown, Indicator: reputation.Undetermined, Labels: []string{}}})
	}
	slices.SortStableFunc(rows, byMatter)
	out := bufio.NewWriter(stdio.out)
	if err := writeRows(out, f.format, rows); err != nil {
		return err
	}
	return out.Flush()
}

// byMatter puts first what an analyst wants to see first: the worst verdicts, the
// surest, and those that occur most; then what was skipped.
func byMatter(a, b enrichedRow) int {
	skipped := func(r enrichedRow) int {
		if r.Status == reputation.StatusSkipped {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(skipped(a), skipped(b)), cmp.Compare(a.Verdict.Rank(), b.Verdict.Rank()), cmp.Compare(b.Confidence, a.Confidence), cmp.Compare(b.Hits, a.Hits))
}
