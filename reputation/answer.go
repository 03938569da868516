package reputation

import (
	"context"
	"net/netip"
	"sync/atomic"
	"time"
)

// An Answer is a profile that may be given to many: nothing of it is to be changed.
type Answer struct {
	Profile
	forms [maxForms]atomic.Pointer[Form]

	own      bool      // it was given to one caller only
	findings []Finding // room for Sources, of an answer that is used again
}

// Release gives an Answer back that its caller does not use any more, nor anything of
// it, so that the next lookup need not make one: an answer is large. Releasing none is
// no fault, and one that others may have, too, is left alone.
func (e *Engine) Release(a *Answer) {
	if a.own {
		*a = Answer{findings: a.findings[:0]}
		e.released.Put(a)
	}
}

// maxForms is how many forms of an answer can be kept with it.
const maxForms = 2

// A Form is an answer as it is sent.
type Form struct {
	Body []byte
	Tag  string    // the entity tag
	Good time.Time // until when the same would be said; zero is not at all
}

// Form returns form n of the answer, 0 or 1, as make makes it. It is kept as long as
// the answer answers again, so make is mostly called once; it must always make the same.
func (a *Answer) Form(n int, make func(*Profile) Form) *Form {
	if f := a.forms[n].Load(); f != nil {
		return f
	}
	f := make(&a.Profile)
	a.forms[n].Store(&f)
	return &f
}

// A recent answer answers the same question asked again, while every source would
// say the same.
type recent struct {
	*Answer
	until      time.Time
	generation uint64
}

// Answer is [Engine.Lookup] for those who send the profile on: asked again, it is the
// same Answer while every source would say the same.
func (e *Engine) Answer(ctx context.Context, ip netip.Addr, c Caller) *Answer {
	a := e.answer(ctx, ip.WithZone("").Unmap(), c)
	e.metrics.lookup(a.Status).Inc()
	return a
}

func (e *Engine) answer(ctx context.Context, ip netip.Addr, c Caller) *Answer {
	now := e.now()
	if why := e.skip.Reason(ip); why != "" {
		e.countSkipped(c)
		return &Answer{Profile: Profile{IP: ip, Status: StatusSkipped, Reason: why, Verdict: Unknown, Indicator: Undetermined, Labels: []string{}, At: now}}
	}
	generation := e.generation.Load()
	if r, ok := e.recent.GetIfPresent(ip); ok && !c.Refresh && r.generation == generation && now.Before(r.until) {
		e.countRecent(ip, c, now)
		return r.Answer
	}
	if c.Many && len(e.remote) == 0 { // which it would be in vain to remember
		a, ok := e.released.Get().(*Answer)
		if !ok {
			a = new(Answer)
		}
		a.own, a.findings = true, e.local(a.findings, ip)
		a.Profile = Merge(ip, a.findings, e.overrides.of(ip), now)
		return a
	}
	p := e.ask(ctx, ip, c, now)
	if r, ok := recentOf(p, now); ok {
		r.generation = generation
		e.recent.Set(ip, r)
	}
	return &Answer{Profile: p}
}

// A recentLine is what is counted together of lookups that were answered from
// memory: the ledger has a line for each provider then.
type recentLine struct {
	day                int64 // since 1970, UTC
	playbook, incident string
	ipv4               bool
}

// countRecent counts what was not asked for a recent answer.
func (e *Engine) countRecent(ip netip.Addr, c Caller, now time.Time) {
	if len(e.desks) == 0 {
		return
	}
	line := recentLine{now.Unix() / 86400, c.Playbook, c.Incident, ip.Is4()}
	e.recentMu.Lock()
	e.recentCounts[line]++
	e.recentMu.Unlock()
	for _, d := range e.desks {
		if d.Asks(ip) {
			d.metrics.countCached(d.price)
		}
	}
}

// settleRecent moves what was counted of recent answers to the ledger.
func (e *Engine) settleRecent() {
	e.recentMu.Lock()
	counts := e.recentCounts
	e.recentCounts = map[recentLine]int64{}
	e.recentMu.Unlock()
	for line, n := range counts {
		ip := netip.IPv6Unspecified()
		if line.ipv4 {
			ip = netip.IPv4Unspecified()
		}
		day := time.Unix(line.day*86400, 0).UTC().Format(time.DateOnly)
		for _, d := range e.desks {
			if d.Asks(ip) {
				e.books.add(ledgerLine{day, d.Name, d.keyID, line.playbook, line.incident}, ledgerCount{cached: n, saved: n * d.price})
			}
		}
	}
}

// Instant says whether an address will be answered for without asking anybody over a
// network. It is not, when a recent answer expires just then.
func (e *Engine) Instant(ip netip.Addr) bool {
	if len(e.remote) == 0 || e.Skips(ip) {
		return true
	}
	r, ok := e.recent.GetIfPresent(ip)
	return ok && r.generation == e.generation.Load() && e.now().Before(r.until)
}
