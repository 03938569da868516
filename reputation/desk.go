package reputation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"picket"
	"picket/state"
)

// A Caller says who asks for an address, and how much that may cost.
type Caller struct {
	Playbook, Incident string // for the ledger

	// Analyst says that a person asks: the reserve of a quota is for them.
	Analyst bool
	// Refresh asks again although a kept answer is still good.
	Refresh bool
	// Many says that many different addresses are asked about.
	Many bool
	// Patience is how long to wait for a provider's turn. What takes longer is
	// [Waiting], with the time.
	Patience time.Duration
	// Purse, when not nil, is what may be spent.
	Purse *Purse
}

// A Purse is an amount of money for lookups. It is safe for concurrent use.
type Purse struct {
	mu       sync.Mutex
	microUSD int64
}

// NewPurse returns a purse that holds an amount.
func NewPurse(usd float64) *Purse { return &Purse{microUSD: int64(math.Round(usd * 1e6))} }

// take takes a price out, if there is as much.
func (p *Purse) take(microUSD int64) bool {
	if p == nil || microUSD == 0 {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.microUSD < microUSD {
		return false
	}
	p.microUSD -= microUSD
	return true
}

func (p *Purse) giveBack(microUSD int64) {
	if p != nil {
		p.mu.Lock()
		p.microUSD += microUSD
		p.mu.Unlock()
	}
}

// A desk asks one provider: within its limits and budget, once for an address at
// a time, and not again while an answer is good.
type desk struct {
	*Provider
	key     picket.Secret
	keyID   string // names the key in the ledger
	price   int64  // of a request, in millionths of a US dollar
	db      *state.DB
	books   *ledger
	client  *http.Client
	now     func() time.Time
	log     *slog.Logger
	metrics deskMetrics

	buckets []*rate.Limiter
	breaker circuitbreaker.CircuitBreaker[any]
	flights singleflight.Group

	mu     sync.Mutex
	paused time.Time // until when it said it would refuse
}

func newDesk(p *Provider, key picket.Secret, db *state.DB, books *ledger, o EngineOptions, m deskMetrics) *desk {
	d := &desk{Provider: p, key: key, price: int64(math.Round(p.PriceUSD * 1e6)), db: db, books: books, client: o.Client, now: o.Now, log: o.Logger, metrics: m}
	sum := sha256.Sum256([]byte(key.Reveal()))
	if d.keyID = "none"; key != "" {
		d.keyID = hex.EncodeToString(sum[:4])
	}
	burst := max(p.Limits.Burst, 1)
	if l := p.Limits.PerSecond; l > 0 {
		d.buckets = append(d.buckets, rate.NewLimiter(rate.Limit(l), burst))
	}
	if l := p.Limits.PerMinute; l > 0 {
		d.buckets = append(d.buckets, rate.NewLimiter(rate.Limit(l/60), max(burst, int(l))))
	}
	d.breaker = circuitbreaker.NewBuilder[any]().WithFailureThreshold(5).WithSuccessThreshold(1).WithDelay(30 * time.Second).Build()
	return d
}

// look returns the kept answer for an address, or asks.
func (d *desk) look(ctx context.Context, ip netip.Addr, c Caller) Finding {
	kept, good := d.kept(ctx, ip)
	if good && !c.Refresh {
		d.countCached(c)
		return kept
	}
	mine := false
	arrived := d.flights.DoChan(ip.String(), func() (any, error) {
		mine = true
		// What is paid for is finished, also when who asked has left.
		return d.fly(context.WithoutCancel(ctx), ip, c), nil
	})
	select {
	case <-ctx.Done():
		return d.finding(Failed, "broken off")
	case r := <-arrived:
		f := r.Val.(Finding)
		if !f.State.Kept() && !kept.Fetched.IsZero() {
			kept.Stale, kept.Reason = true, d.staleReason(f)
			return kept
		}
		if !mine && f.State.Kept() { // another caller pays for it
			f.Cached, f.CostUSD = true, 0
			d.countCached(c)
		}
		return f
	}
}

// staleReason says why an old answer is served.
func (d *desk) staleReason(f Finding) string {
	if f.State == Waiting {
		return fmt.Sprintf("old: it can be asked again at %s", f.Until.UTC().Format(time.RFC3339))
	}
	return "old: " + f.Reason
}

// finding makes a finding that is not the provider's own.
func (d *desk) finding(s State, reason string, args ...any) Finding {
	return Finding{Source: d.Name, Title: d.Title, Reliability: d.Reliability, State: s, Reason: fmt.Sprintf(reason, args...)}
}

func (d *desk) wait(until time.Time, reason string) Finding {
	f := d.finding(Waiting, "%s", reason)
	f.Until = until
	return f
}

// kept returns the answer that is kept for an address, and whether it is still
// good. It is the zero Finding when there is none.
func (d *desk) kept(ctx context.Context, ip netip.Addr) (f Finding, good bool) {
	a, ok, err := d.db.ProviderAnswer(ctx, d.Name, ip)
	if err != nil {
		d.log.ErrorContext(ctx, "kept answers cannot be read", "provider", d.Name, "err", err)
		return Finding{}, false
	}
	if !ok || len(a.Finding) == 0 || json.Unmarshal(a.Finding, &f) != nil {
		return Finding{}, false
	}
	f.Cached, f.CostUSD = true, 0
	return f, d.now().Before(a.Expires)
}

// fly asks the provider, unless something speaks against it now.
func (d *desk) fly(ctx context.Context, ip netip.Addr, c Caller) Finding {
	if !c.Refresh { // an earlier flight may have landed since
		if f, good := d.kept(ctx, ip); good {
			d.countCached(c)
			return f
		}
	}
	if f, ok := d.turn(ctx, c); !ok {
		return f
	}
	if !c.Purse.take(d.price) {
		return d.finding(Skipped, "it costs $%.4f a request, and no more is to be spent", d.PriceUSD)
	}
	before, f, ok := d.start(ctx, ip, c)
	if !ok {
		c.Purse.giveBack(d.price)
		return f
	}
	if !d.breaker.TryAcquirePermit() { // one that was let through for a trial is under way
		return d.unsent(ctx, ip, c, before)
	}
	sent := d.now()
	f = d.ask(ctx, d.client, d.key, ip, d.now)
	d.learn(f)
	d.metrics.answered(f.State, d.now().Sub(sent), d.costOf(f.State))
	return d.land(ctx, ip, c, before, f)
}

const (
	brokenReason = "it failed several times in a row"
	trialTime    = 10 * time.Second
)

// turn waits for the provider's turn, as long as the caller's patience lasts.
func (d *desk) turn(ctx context.Context, c Caller) (Finding, bool) {
	now := d.now()
	d.mu.Lock()
	paused := d.paused
	d.mu.Unlock()
	if now.Before(paused) {
		return d.wait(paused, "its limit is reached"), false
	}
	if rest := d.breaker.RemainingDelay(); rest > 0 {
		return d.wait(now.Add(rest), brokenReason), false
	}
	var longest time.Duration
	var taken []*rate.Reservation
	for _, b := range d.buckets {
		r := b.ReserveN(now, 1)
		taken = append(taken, r)
		longest = max(longest, r.DelayFrom(now))
	}
	if longest <= c.Patience {
		if longest > 0 {
			timer := time.NewTimer(longest)
			defer timer.Stop()
			select {
			case <-timer.C:
			case <-ctx.Done():
			}
		}
		return Finding{}, true
	}
	for _, r := range taken {
		r.CancelAt(now)
	}
	return d.wait(now.Add(longest), "it may be asked only so often"), false
}

// errBudget is why a request is not started; until says when it may be.
type errBudget struct {
	until time.Time
	why   string
}

func (e *errBudget) Error() string { return e.why }

// start writes down that a request is under way and what it costs, so that a
// crash forgets neither, if the budget allows it. It returns what was kept of the
// address before.
func (d *desk) start(ctx context.Context, ip netip.Addr, c Caller) (a state.ProviderAnswer, f Finding, ok bool) {
	now := d.now().UTC()
	a, ok, err := d.db.ProviderAnswer(ctx, d.Name, ip)
	if err == nil && ok && len(a.Finding) == 0 && d.price > 0 && now.Before(a.Expires) && !c.Refresh {
		return a, d.wait(a.Expires, fmt.Sprintf("it was asked at %s, which is paid for, and the answer was lost", a.Asked.UTC().Format(time.RFC3339))), false
	}
	if err == nil {
		u := d.usage(c)
		u.Day, u.Requests, u.CostMicroUSD = now.Format(time.DateOnly), 1, d.price
		err = d.db.StartRequest(ctx, u, ip, state.ProviderAnswer{Asked: now, Expires: now.Add(d.TTL.of(Hit))},
			func(day, month int64) error { return d.budget(now, day, month, c.Analyst) })
	}
	var over *errBudget
	switch {
	case errors.As(err, &over):
		return a, d.wait(over.until, over.why), false
	case err != nil:
		d.log.ErrorContext(ctx, "a request cannot be written down, so it is not sent", "provider", d.Name, "err", err)
		return a, d.finding(Failed, "the ledger cannot be written"), false
	}
	return a, Finding{}, true
}

// budget refuses a request that is over the quota of the day or month.
func (d *desk) budget(now time.Time, day, month int64, analyst bool) error {
	share := 1.0
	if !analyst {
		share -= d.Limits.Reserve
	}
	allowed := func(limit int64) int64 { return int64(float64(limit) * share) }
	y, m, today := now.Date()
	switch l := d.Limits; {
	case l.PerMonth > 0 && month >= allowed(l.PerMonth):
		return &errBudget{time.Date(y, m+1, 1, 0, 0, 0, 0, time.UTC), fmt.Sprintf("%d of its %d requests of the month are used", month, l.PerMonth)}
	case l.PerDay > 0 && day >= allowed(l.PerDay):
		return &errBudget{time.Date(y, m, today+1, 0, 0, 0, 0, time.UTC), fmt.Sprintf("%d of its %d requests of the day are used", day, l.PerDay)}
	}
	return nil
}

// learn takes from an answer how the provider is.
func (d *desk) learn(f Finding) {
	switch f.State {
	case Waiting:
		d.mu.Lock()
		d.paused = f.Until
		d.mu.Unlock()
		d.breaker.RecordSuccess() // it works
	case Failed:
		d.breaker.RecordFailure()
	default:
		d.breaker.RecordSuccess()
	}
}

// land keeps an answer. After a request that brought none, what was kept before is
// so again: it may be served as an old one. A refusal costs nothing.
func (d *desk) land(ctx context.Context, ip netip.Addr, c Caller, before state.ProviderAnswer, f Finding) Finding {
	var err error
	switch {
	case f.State.Kept():
		f.CostUSD = d.PriceUSD
		var text []byte
		if text, err = json.Marshal(f); err == nil {
			err = d.db.PutProviderAnswer(ctx, d.Name, ip, state.ProviderAnswer{Finding: text, Asked: f.Fetched, Expires: f.Expires})
		}
	default:
		err = d.putBack(ctx, ip, before)
		if d.costOf(f.State) == 0 {
			c.Purse.giveBack(d.price)
			u := d.usage(c)
			u.CostMicroUSD = -d.price
			err = errors.Join(err, d.db.AddProviderUsage(ctx, u))
		}
	}
	if err != nil { // the answer is good, and paid for
		d.log.ErrorContext(ctx, "an answer is not kept", "provider", d.Name, "ip", ip, "err", err)
	}
	return f
}

// unsent takes back what was written down of a request that is not sent after all.
func (d *desk) unsent(ctx context.Context, ip netip.Addr, c Caller, before state.ProviderAnswer) Finding {
	c.Purse.giveBack(d.price)
	u := d.usage(c)
	u.Requests, u.CostMicroUSD = -1, -d.price
	if err := errors.Join(d.putBack(ctx, ip, before), d.db.AddProviderUsage(ctx, u)); err != nil {
		d.log.ErrorContext(ctx, "a request that was not sent stays in the ledger", "provider", d.Name, "ip", ip, "err", err)
	}
	return d.wait(d.now().Add(trialTime), brokenReason)
}

// putBack keeps of an address what was kept of it before a request.
func (d *desk) putBack(ctx context.Context, ip netip.Addr, before state.ProviderAnswer) error {
	if len(before.Finding) == 0 {
		return d.db.DropProviderAnswer(ctx, d.Name, ip)
	}
	return d.db.PutProviderAnswer(ctx, d.Name, ip, before)
}

// costOf is what a request costs that came to this, in millionths of a US dollar:
// one that is refused, nothing.
func (d *desk) costOf(s State) int64 {
	if s == Waiting || s == Refused {
		return 0
	}
	return d.price
}

// countCached and countSkipped count what not asking has saved.
func (d *desk) countCached(c Caller) {
	d.books.add(d.line(c), ledgerCount{cached: 1, saved: d.price})
	d.metrics.countCached(d.price)
}

func (d *desk) countSkipped(c Caller) {
	d.books.add(d.line(c), ledgerCount{skipped: 1, saved: d.price})
	d.metrics.skipped.Inc()
	d.metrics.savedBySkippingUSD.Add(float64(d.price) / 1e6)
}

// line is where a caller's lookups are counted now.
func (d *desk) line(c Caller) ledgerLine {
	return ledgerLine{d.now().UTC().Format(time.DateOnly), d.Name, d.keyID, c.Playbook, c.Incident}
}

func (d *desk) usage(c Caller) state.ProviderUsage {
	l := d.line(c)
	return state.ProviderUsage{Day: l.day, Provider: l.provider, Key: l.key, Playbook: l.playbook, Incident: l.incident}
}
