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
	f, broken := d.shared(ctx, ip, c)
	if broken {
		return f
	}
	if !f.State.Kept() {
		// Asked for anew: while another's request was under way, nothing was kept.
		if kept, _ = d.kept(ctx, ip); !kept.Fetched.IsZero() {
			kept.Stale, kept.Reason, kept.CostUSD = true, d.staleReason(f), f.CostUSD
			return kept
		}
	}
	return f
}

// shared asks, together with all who ask for the address now. broken says that the
// caller has left.
func (d *desk) shared(ctx context.Context, ip netip.Addr, c Caller) (f Finding, broken bool) {
	for {
		mine := false
		arrived := d.flights.DoChan(ip.String(), func() (any, error) {
			mine = true
			// What is paid for is finished, also when who asked has left.
			return d.fly(context.WithoutCancel(ctx), ip, c), nil
		})
		select {
		case <-ctx.Done():
			return d.finding(Failed, "broken off"), true
		case r := <-arrived:
			f = r.Val.(Finding)
		}
		switch {
		case mine:
			return f, false
		case f.State == Waiting || f.State == Skipped:
			// It was not asked, which may be for want of the other caller's money,
			// patience or rights.
			continue
		case f.State.Kept(): // another caller pays for it
			f.Cached = true
			d.countCached(c)
		}
		f.CostUSD = 0
		return f, false
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

// open says whether the provider may be asked at all: it is not broken, and has not
// said that it would refuse.
func (d *desk) open() (Finding, bool) {
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
	return Finding{}, true
}

// turn waits for the provider's turn, as long as the caller's patience lasts.
func (d *desk) turn(ctx context.Context, c Caller) (Finding, bool) {
	if f, ok := d.open(); !ok {
		return f, false
	}
	now := d.now()
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
		return d.open() // which may have ended while it was waited
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
	u := d.usage(c)
	u.Day, u.Requests, u.CostMicroUSD = now.Format(time.DateOnly), 1, d.price
	a, err := d.db.StartRequest(ctx, u, ip, state.ProviderAnswer{Asked: now, Expires: now.Add(d.TTL.of(Hit))},
		func(kept state.ProviderAnswer, day, month int64) error {
			if now.Before(kept.Expires) && !c.Refresh {
				if err := d.asked(now, kept); err != nil {
					return err
				}
			}
			return d.budget(now, day, month, c.Analyst)
		})
	var over *errBudget
	switch {
	case errors.Is(err, errLanded):
		f, _ := d.kept(ctx, ip)
		d.countCached(c)
		return a, f, false
	case errors.As(err, &over):
		return a, d.wait(over.until, over.why), false
	case err != nil:
		d.log.ErrorContext(ctx, "a request cannot be written down, so it is not sent", "provider", d.Name, "err", err)
		return a, d.finding(Failed, "the ledger cannot be written"), false
	}
	return a, Finding{}, true
}

// errLanded is why a request is not started that another process has made just now.
var errLanded = errors.New("its answer is kept")

// asked refuses a request that was made already: kept is what there is of it.
func (d *desk) asked(now time.Time, kept state.ProviderAnswer) error {
	under := kept.Asked.Add(2 * d.timeout())
	switch at := kept.Asked.UTC().Format(time.RFC3339); {
	case len(kept.Finding) > 0:
		return errLanded
	case d.price == 0:
		return nil
	case now.Before(under):
		return &errBudget{under, fmt.Sprintf("it was asked at %s, which is paid for, and has not answered yet", at)}
	default:
		return &errBudget{kept.Expires, fmt.Sprintf("it was asked at %s, which is paid for, and the answer was lost", at)}
	}
}

// budget refuses a request that is over the quota of the day or month.
func (d *desk) budget(now time.Time, day, month int64, analyst bool) error {
	over := func(used, limit int64, of string, until time.Time) error {
		var reserve int64
		if !analyst {
			reserve = int64(math.Round(float64(limit) * d.Limits.Reserve))
		}
		if limit == 0 || used < limit-reserve {
			return nil
		}
		why := fmt.Sprintf("%d of its %d requests of the %s are used", used, limit, of)
		if used < limit {
			why += ", the others are reserved for analysts"
		}
		return &errBudget{until, why}
	}
	y, m, today := now.Date()
	if err := over(month, d.Limits.PerMonth, "month", time.Date(y, m+1, 1, 0, 0, 0, 0, time.UTC)); err != nil {
		return err
	}
	return over(day, d.Limits.PerDay, "day", time.Date(y, m, today+1, 0, 0, 0, 0, time.UTC))
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
	f.CostUSD = float64(d.costOf(f.State)) / 1e6
	switch {
	case f.State.Kept():
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
