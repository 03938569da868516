package reputation

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"picket/state"
)

const (
	rdnsName    = "rdns"
	rdnsTimeout = 3 * time.Second
	rdnsTTL     = 24 * time.Hour
	// rdnsPerSecond is how many names are asked for: resolvers are shared.
	rdnsPerSecond = 50
)

// reverseDNS asks for the names of addresses (RFC 1035 section 3.5), and takes a
// name only when the address is among its own: anybody may write any name into
// the reverse zone of their network.
type reverseDNS struct {
	resolver *net.Resolver
	db       *state.DB
	now      func() time.Time
	log      *slog.Logger
	limit    *rate.Limiter
	flights  singleflight.Group
}

func newReverseDNS(resolver *net.Resolver, db *state.DB, o EngineOptions) *reverseDNS {
	return &reverseDNS{resolver: resolver, db: db, now: o.Now, log: o.Logger, limit: rate.NewLimiter(rdnsPerSecond, rdnsPerSecond)}
}

// Asks says that every address may have a name.
func (r *reverseDNS) Asks(netip.Addr) bool { return true }

// look returns the kept name of an address, or asks for it.
func (r *reverseDNS) look(ctx context.Context, ip netip.Addr, c Caller) Finding {
	if a, ok, err := r.db.ProviderAnswer(ctx, rdnsName, ip); err == nil && ok && !c.Refresh && r.now().Before(a.Expires) {
		var f Finding
		if json.Unmarshal(a.Finding, &f) == nil {
			f.Cached = true
			return f
		}
	}
	now := r.now()
	turn := r.limit.ReserveN(now, 1)
	if wait := turn.DelayFrom(now); wait > c.Patience {
		turn.CancelAt(now)
		f := r.finding(Waiting, "its turn has not come")
		f.Until = now.Add(wait)
		return f
	} else if wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return r.finding(Failed, "broken off")
		}
	}
	got := r.flights.DoChan(ip.String(), func() (any, error) { return r.ask(context.WithoutCancel(ctx), ip), nil })
	select {
	case f := <-got:
		return f.Val.(Finding)
	case <-ctx.Done():
		return r.finding(Failed, "broken off")
	}
}

// finding is one of a state. Only what is kept expires.
func (r *reverseDNS) finding(s State, reason string) Finding {
	f := Finding{Source: rdnsName, Title: "reverse DNS", Reliability: "B", State: s, Reason: reason}
	if s.Kept() {
		f.Fetched = r.now()
		f.Expires = f.Fetched.Add(rdnsTTL)
	}
	return f
}

// ask asks the resolver, and keeps what it says.
func (r *reverseDNS) ask(ctx context.Context, ip netip.Addr) Finding {
	ctx, cancel := context.WithTimeout(ctx, rdnsTimeout)
	defer cancel()
	names, err := r.resolver.LookupAddr(ctx, ip.String())
	var none *net.DNSError
	switch {
	case errors.As(err, &none) && none.IsNotFound:
		return r.keep(ctx, ip, r.finding(NotFound, ""))
	case err != nil:
		return r.finding(Failed, "the resolver does not answer")
	}
	for _, name := range names[:min(len(names), 3)] {
		addrs, err := r.resolver.LookupNetIP(ctx, "ip", name)
		if err != nil {
			continue
		}
		for _, a := range addrs {
			if a.Unmap() == ip {
				f := r.finding(Clean, "")
				f.ReverseDNS = strings.TrimSuffix(name, ".")
				return r.keep(ctx, ip, f)
			}
		}
	}
	if ctx.Err() != nil {
		return r.finding(Failed, "the resolver does not answer")
	}
	return r.keep(ctx, ip, r.finding(NotFound, "its name is not confirmed by an address of that name"))
}

func (r *reverseDNS) keep(ctx context.Context, ip netip.Addr, f Finding) Finding {
	text, err := json.Marshal(f)
	if err == nil {
		err = r.db.PutProviderAnswer(context.WithoutCancel(ctx), rdnsName, ip, state.ProviderAnswer{Finding: text, Asked: f.Fetched, Expires: f.Expires})
	}
	if err != nil {
		r.log.Error("a name is not kept", "ip", ip, "err", err)
	}
	return f
}
