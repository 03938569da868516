package reputation

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/prometheus/client_golang/prometheus"

	"picket"
	"picket/state"
)

// A Local source knows addresses without asking anybody: database files, block
// lists, Picket's own decoys. Look appends what it says of an address, a finding
// for each list or file that holds it. It costs nothing, does not wait, and may be
// called from several goroutines.
type Local interface {
	Look(dst []Finding, ip netip.Addr) []Finding
}

// EngineOptions configure [NewEngine].
type EngineOptions struct {
	Skip      *Skipper // nil skips what is not public
	Locals    []Local
	Providers []*Provider
	// Keys are those of the providers, by name. A provider that needs one and has
	// none is not asked.
	Keys map[string]picket.Secret
	// Resolver, when not nil, is asked for the names of addresses.
	Resolver *net.Resolver
	Client   *http.Client          // nil is one of [NewClient]
	Metrics  prometheus.Registerer // gets the counters; nil leaves them unread
	Now      func() time.Time      // nil is time.Now
	Logger   *slog.Logger          // nil discards
}

// A remote source is asked over a network, and keeps its answers.
type remote interface {
	Asks(ip netip.Addr) bool
	look(ctx context.Context, ip netip.Addr, c Caller) Finding
}

// An Engine says who an address is and what it wants, from every source there
// is, within their limits and the user's money.
type Engine struct {
	db      *state.DB
	books   *ledger
	skip    *Skipper
	locals  []Local
	desks   []*desk  // the providers
	remote  []remote // they and others that are asked over a network
	now     func() time.Time
	log     *slog.Logger
	metrics engineMetrics

	overrides overrides

	recent     *otter.Cache[netip.Addr, recent]
	generation atomic.Uint64 // of what is known locally

	released sync.Pool // of *Answer

	recentMu     sync.Mutex
	recentCounts map[recentLine]int64 // of lookups that recent answered
}

const (
	maxRecent = 20_000 // profiles, of some kilobytes each
	// recentFor is how long a profile answers again at the most: with age, what was
	// seen weighs less, and data sets say nothing any more.
	recentFor = 10 * time.Minute
)

// NewEngine returns an engine that keeps its books in the state database.
func NewEngine(db *state.DB, o EngineOptions) *Engine {
	if o.Skip == nil {
		o.Skip = NewSkipper(SkipOptions{})
	}
	if o.Client == nil {
		o.Client = NewClient(nil)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	e := &Engine{recentCounts: map[recentLine]int64{}, recent: otter.Must(&otter.Options[netip.Addr, recent]{MaximumSize: maxRecent}), db: db, books: newLedger(db), skip: o.Skip, locals: o.Locals, now: o.Now, log: o.Logger, metrics: newEngineMetrics(o.Metrics)}
	for _, p := range o.Providers {
		if key := o.Keys[p.Name]; key != "" || p.Key != "required" {
			d := newDesk(p, key, db, e.books, o, e.metrics.of(p.Name))
			e.desks = append(e.desks, d)
			e.remote = append(e.remote, d)
		}
	}
	if o.Resolver != nil {
		e.remote = append(e.remote, newReverseDNS(o.Resolver, db, o))
	}
	return e
}

// Lookup returns the profile of an address, which is not to be changed. It has no error: what a source could
// not say stands in its row. An address that must not be asked about is
// skipped, with the reason, and shown to nobody.
func (e *Engine) Lookup(ctx context.Context, ip netip.Addr, c Caller) Profile {
	return e.Answer(ctx, ip, c).Profile
}

// ask asks every source, and makes a profile of what they say.
func (e *Engine) ask(ctx context.Context, ip netip.Addr, c Caller, now time.Time) Profile {
	findings := e.Local(ip)
	asked := make([]Finding, len(e.remote))
	var wg sync.WaitGroup
	for i, r := range e.remote {
		if r.Asks(ip) {
			wg.Go(func() { asked[i] = r.look(ctx, ip, c) })
		}
	}
	wg.Wait()
	for _, f := range asked {
		if f.State != "" {
			findings = append(findings, f)
		}
	}
	p := Merge(ip, findings, e.overrides.of(ip), now)
	if len(e.desks) > 0 || !c.Many {
		e.remember(ctx, p)
	}
	return p
}

// Skips says whether an address is one that must not be asked about.
func (e *Engine) Skips(ip netip.Addr) bool { return e.skip.Reason(ip.WithZone("").Unmap()) != "" }

// recentOf makes a profile one that may answer again, if every source has
// answered, and answers that are good for a while.
func recentOf(p Profile, now time.Time) (recent, bool) {
	r := recent{Answer: &Answer{Profile: p}, until: now.Add(recentFor)}
	if p.Status != StatusEnriched {
		return r, false
	}
	r.CostUSD, r.Sources = 0, slices.Clone(p.Sources)
	for i := range r.Sources {
		f := &r.Sources[i]
		if f.Stale {
			return r, false
		}
		f.Cached, f.CostUSD = true, 0
		if !f.Expires.IsZero() && f.Expires.Before(r.until) {
			r.until = f.Expires
		}
	}
	if o := p.Override; o != nil && !o.Expires.IsZero() && o.Expires.Before(r.until) {
		r.until = o.Expires
	}
	return r, true
}

// Changed says that what local sources know has changed.
func (e *Engine) Changed() { e.generation.Add(1) }

// Local returns what the local sources say of an address.
func (e *Engine) Local(ip netip.Addr) []Finding {
	return e.local(nil, ip)
}

func (e *Engine) local(dst []Finding, ip netip.Addr) []Finding {
	for _, l := range e.locals {
		dst = l.Look(dst, ip)
	}
	return dst
}

// remember writes a verdict that has changed into the history. Without providers, that
// nothing is known of an address is no news until something was; and what is unknown
// because sources have not answered is no change.
func (e *Engine) remember(ctx context.Context, p Profile) {
	last, err := e.db.VerdictHistory(ctx, p.IP, 1) // mostly it is the same, and nothing is to be written
	switch {
	case err != nil:
	case len(last) > 0 && (last[0].Verdict == string(p.Verdict) || p.Verdict == Unknown && p.Status == StatusPartial),
		len(last) == 0 && p.Verdict == Unknown && len(e.desks) == 0:
		return
	}
	_, err = e.db.AddVerdict(ctx, state.VerdictChange{IP: p.IP, At: p.At, Verdict: string(p.Verdict), Confidence: p.Confidence, Reason: p.Reason})
	if err != nil && ctx.Err() == nil {
		e.log.ErrorContext(ctx, "the history is not written", "ip", p.IP, "err", err)
	}
}

// Saved counts a lookup that a cache before the engine has answered, or that was
// not made since the address is skipped, as the engine would have counted it.
func (e *Engine) Saved(ip netip.Addr, c Caller, how Answered) {
	switch how {
	case AnsweredSkipped:
		e.countSkipped(c)
	case AnsweredCached:
		for _, d := range e.desks {
			if d.Asks(ip) {
				d.countCached(c)
			}
		}
	}
}

// countSkipped counts what not asking has saved.
func (e *Engine) countSkipped(c Caller) {
	for _, d := range e.desks {
		d.countSkipped(c)
	}
}

// keepStale is for how long an expired answer may still be served as a stale one.
const keepStale = 30 * 24 * time.Hour

// Run writes the books every so often, and forgets answers that are too old to be
// served, until ctx ends. Without it the books are written by Flush alone.
func (e *Engine) Run(ctx context.Context) error {
	flush := time.NewTicker(flushEvery)
	defer flush.Stop()
	forget := time.NewTicker(time.Hour)
	defer forget.Stop()
	for {
		select {
		case <-ctx.Done():
			return e.Flush(context.WithoutCancel(ctx))
		case <-flush.C:
			if err := e.Flush(ctx); err != nil && ctx.Err() == nil {
				e.log.Error("the ledger of providers is not written for now", "err", err)
			}
		case <-forget.C:
			if err := e.forget(ctx); err != nil && ctx.Err() == nil {
				e.log.Warn("old answers of providers stay for now", "err", err)
			}
		}
	}
}

func (e *Engine) forget(ctx context.Context) error {
	_, err := e.db.ForgetAnswers(ctx, e.now().Add(-keepStale), 10_000)
	return err
}

// Flush writes the books.
func (e *Engine) Flush(ctx context.Context) error {
	e.settleRecent()
	return e.books.flush(ctx)
}

// History returns how the verdict of an address has changed, the newest first.
func (e *Engine) History(ctx context.Context, ip netip.Addr) ([]state.VerdictChange, error) {
	return e.db.VerdictHistory(ctx, ip.WithZone("").Unmap(), 1000)
}
