package reputation

import (
	"fmt"
	"net/netip"
	"sync/atomic"

	"picket/address"
)

// SkipOptions says which addresses are never asked about, beyond those that
// are not public.
type SkipOptions struct {
	Own []netip.Prefix // networks of the house
	// Host is the addresses of this machine. Loopback and link-local ones are
	// left to the registries, so that a lab on this machine can force them to
	// count as public.
	Host        []netip.Addr
	Never       []netip.Prefix // others that must not be asked about
	ForcePublic []netip.Prefix // public in spite of the registries: for labs and tests
	// Listed, when not nil, says why an address is not asked about for a list it
	// is on, or "".
	Listed func(netip.Addr) string
}

// A Skipper knows which addresses must never be sent to a reputation service:
// asking would tell it about the inside of the house, or cost money for an
// answer that cannot be. It is safe for concurrent use.
type Skipper struct {
	own4, own6       ranges // own and never
	force4, force6   ranges
	public4, public6 ranges // the registries; "" is public
	listed           func(netip.Addr) string
	hosts            atomic.Pointer[map[netip.Addr]string]
}

// SetHosts gives the addresses of the hosts that have enrolled, with the names of
// these. They are of the house, like SkipOptions.Own.
func (s *Skipper) SetHosts(hosts map[netip.Addr]string) { s.hosts.Store(&hosts) }

// NewSkipper returns a Skipper. Prefixes may be given in IPv4-mapped form;
// invalid ones are ignored.
func NewSkipper(o SkipOptions) *Skipper {
	var own, force, public []rangeOf
	for _, p := range o.Never {
		own = append(own, rangeOf{p, fmt.Sprintf("never asked (%s)", p.Masked())})
	}
	for _, p := range o.Own {
		own = append(own, rangeOf{p, fmt.Sprintf("own network (%s)", p.Masked())})
	}
	for _, a := range o.Host {
		a = a.WithZone("").Unmap()
		if !a.IsLoopback() && !a.IsLinkLocalUnicast() {
			own = append(own, rangeOf{netip.PrefixFrom(a, a.BitLen()), "own address"})
		}
	}
	for _, p := range o.ForcePublic {
		force = append(force, rangeOf{p, "public"})
	}
	for _, s := range specialV4 {
		public = append(public, rangeOf{netip.MustParsePrefix(s.prefix), s.reason()})
	}
	for _, s := range specialV6 {
		public = append(public, rangeOf{netip.MustParsePrefix(s.prefix), s.reason()})
	}
	s := &Skipper{listed: o.Listed}
	s.own4, s.own6 = byFamily(own)
	s.force4, s.force6 = byFamily(force)
	s.public4, s.public6 = byFamily(public)
	return s
}

// byFamily lays out the IPv4 and the IPv6 prefixes of rows. A prefix within
// ::ffff:0:0/96 counts for both, because addresses are unmapped before they
// are looked up.
func byFamily(rows []rangeOf) (v4, v6 ranges) {
	var rows4, rows6 []rangeOf
	for _, r := range rows {
		p := r.prefix.Masked()
		r.prefix = p
		switch {
		case !p.IsValid():
		case p.Addr().Is4():
			rows4 = append(rows4, r)
		case p.Addr().Is4In6() && p.Bits() >= 96:
			r.prefix = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
			rows4 = append(rows4, r)
		default:
			rows6 = append(rows6, r)
		}
	}
	return newRanges(netip.IPv4Unspecified(), rows4), newRanges(netip.IPv6Unspecified(), rows6)
}

// Reason returns "" for an address that may be asked about, or else why not,
// in words for an analyst: "private-use (RFC 1918)", "own address".
//
// The order is: own and never-asked ranges, the most specific one first; then
// the force-public list, which overrules the registries and nothing else; then
// IANA's registries, then the enrolled hosts, then the lists. A zone is ignored. An address that carries an IPv4 address
// (IPv4-mapped, NAT64, 6to4, Teredo) is refused when that one is.
func (s *Skipper) Reason(a netip.Addr) string {
	if !a.IsValid() {
		return "not an address"
	}
	a = a.WithZone("").Unmap()
	why := s.special(a)
	if hosts := s.hosts.Load(); why == "" && hosts != nil {
		if name, ok := (*hosts)[a]; ok {
			why = "address of the enrolled host " + name
		}
	}
	if why == "" && s.listed != nil {
		why = s.listed(a)
	}
	return why
}

// special is Reason without the lists.
func (s *Skipper) special(a netip.Addr) string {
	if a.Is4() {
		return s.reason4(a)
	}
	if why := s.own6.at(a); why != "" {
		return why
	}
	if v4, kind, ok := address.Embedded(a); ok {
		if why := s.reason4(v4); why != "" && (s.force6.at(a) == "" || s.own4.at(v4) != "") {
			return fmt.Sprintf("%s of %s: %s", kind, v4, why)
		}
	}
	if s.force6.at(a) != "" {
		return ""
	}
	return s.public6.at(a)
}

func (s *Skipper) reason4(a netip.Addr) string {
	if why := s.own4.at(a); why != "" {
		return why
	}
	if s.force4.at(a) != "" {
		return ""
	}
	return s.public4.at(a)
}
