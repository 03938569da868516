package reputation

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"strings"

	"picket/state"
)

// storeName is the name of Picket's own store among the sources.
const storeName = "picket"

// Store is the local source of what was imported into Picket's own store.
// Whoever imports it stands for it: it does not lose weight with age.
type Store struct {
	DB     *state.DB
	Logger *slog.Logger
}

// Look implements [Local].
func (s Store) Look(dst []Finding, ip netip.Addr) []Finding {
	p, ok, err := s.DB.Profile(context.Background(), ip)
	if err != nil {
		s.Logger.Error("the store of reputation cannot be read", "err", err)
		return append(dst, Finding{Source: storeName, Title: "Picket", State: Failed, Reason: "the store cannot be read", Reliability: "A"})
	}
	if !ok {
		return dst
	}
	dst = append(dst, Finding{
		Source: storeName, Title: cmp.Or(strings.Join(p.Sources, ", "), "Picket"), Reliability: "A", State: Clean, Asserted: true,
		Verdict: Verdict(p.Verdict), Confidence: p.Confidence, Labels: p.Ttps, Behaviours: p.Ttps, Techniques: p.Techniques,
		Indicator:   p.IndicatorOfIntelligence,
		CountryCode: p.CountryCode, ASN: p.Asn, ASOrg: p.AsOrganization, FirstSeen: p.FirstSeen, LastSeen: p.LastSeen,
	})
	switch f := &dst[len(dst)-1]; f.Verdict {
	case Malicious, Suspicious:
		f.State = Hit
	case Unknown:
		f.Verdict = ""
	}
	return dst
}
