package reputation

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

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
	Client   *http.Client     // nil is one of [NewClient]
	Now      func() time.Time // nil is time.Now
	Logger   *slog.Logger     // nil discards
}

// A remote source is asked over a network, and keeps its answers.
type remote interface {
	Asks(ip netip.Addr) bool
	look(ctx context.Context, ip netip.Addr, c Caller) Finding
}

// An Engine says who an address is and what it wants, from every source there
// is, within their limits and the user's money.
type Engine struct {
	db     *state.DB
	skip   *Skipper
	locals []Local
	desks  []*desk  // the providers
	remote []remote // they and others that are asked over a network
	now    func() time.Time
	log    *slog.Logger

	overrides overrides
}

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
	e := &Engine{db: db, skip: o.Skip, locals: o.Locals, now: o.Now, log: o.Logger}
	for _, p := range o.Providers {
		if key := o.Keys[p.Name]; key != "" || p.Key != "required" {
			d := newDesk(p, key, db, o)
			e.desks = append(e.desks, d)
			e.remote = append(e.remote, d)
		}
	}
	if o.Resolver != nil {
		e.remote = append(e.remote, newReverseDNS(o.Resolver, db, o))
	}
	return e
}

// Lookup returns the profile of an address. It has no error: what a source could
// not say stands in its row. An address that must not be asked about is
// skipped, with the reason, and shown to nobody.
func (e *Engine) Lookup(ctx context.Context, ip netip.Addr, c Caller) Profile {
	ip = ip.WithZone("").Unmap()
	now := e.now()
	if why := e.skip.Reason(ip); why != "" {
		e.countSkipped(ctx, c)
		return Profile{IP: ip, Status: StatusSkipped, Reason: why, Verdict: Unknown, Indicator: Undetermined, Labels: []string{}, At: now}
	}
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
	if len(e.desks) > 0 {
		e.remember(ctx, p)
	}
	return p
}

// Local returns what the local sources say of an address.
func (e *Engine) Local(ip netip.Addr) []Finding {
	var out []Finding
	for _, l := range e.locals {
		out = l.Look(out, ip)
	}
	return out
}

// remember writes a verdict that has changed into the history.
func (e *Engine) remember(ctx context.Context, p Profile) {
	_, err := e.db.AddVerdict(ctx, state.VerdictChange{IP: p.IP, At: p.At, Verdict: string(p.Verdict), Confidence: p.Confidence, Reason: p.Reason})
	if err != nil && ctx.Err() == nil {
		e.log.ErrorContext(ctx, "the history is not written", "ip", p.IP, "err", err)
	}
}

// countSkipped writes into the ledger what not asking has saved.
func (e *Engine) countSkipped(ctx context.Context, c Caller) {
	lines := make([]state.ProviderUsage, 0, len(e.desks))
	for _, d := range e.desks {
		lines = append(lines, d.usage(c, state.ProviderUsage{Skipped: 1, SavedMicroUSD: d.price}))
	}
	if err := e.db.AddProviderUsage(ctx, lines...); err != nil && ctx.Err() == nil {
		e.log.ErrorContext(ctx, "the ledger is not written", "err", err)
	}
}

// History returns how the verdict of an address has changed, the newest first.
func (e *Engine) History(ctx context.Context, ip netip.Addr) ([]state.VerdictChange, error) {
	return e.db.VerdictHistory(ctx, ip.WithZone("").Unmap(), 1000)
}
