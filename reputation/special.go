package reputation

import (
	"cmp"
	"net/netip"
	"slices"
)

// A special is one row of IANA's special-purpose address registries, or of the
// few ranges beside them that are not public either.
type special struct {
	prefix string
	name   string // in words that an analyst knows
	rfc    string
	global bool // "Globally Reachable" is True
}

// specialV4 is the IANA IPv4 Special-Purpose Address Registry
// (iana.org/assignments/iana-ipv4-special-registry, RFC 6890 as updated by
// RFC 8190) as of October 2025, and multicast from the IPv4 Multicast Address
// Space Registry. A row within another decides for its own addresses. "N/A" in
// the column Globally Reachable counts as not reachable.
var specialV4 = [...]special{
	{"0.0.0.0/8", "this network", "RFC 791", false},
	{"0.0.0.0/32", "this host on this network", "RFC 1122", false},
	{"10.0.0.0/8", "private-use", "RFC 1918", false},
	{"100.64.0.0/10", "shared address space / CGNAT", "RFC 6598", false},
	{"127.0.0.0/8", "loopback", "RFC 1122", false},
	{"169.254.0.0/16", "link-local", "RFC 3927", false},
	{"172.16.0.0/12", "private-use", "RFC 1918", false},
	{"192.0.0.0/24", "IETF protocol assignments", "RFC 6890", false},
	{"192.0.0.0/29", "IPv4 service continuity prefix", "RFC 7335", false},
	{"192.0.0.8/32", "IPv4 dummy address", "RFC 7600", false},
	{"192.0.0.9/32", "Port Control Protocol anycast", "RFC 7723", true},
	{"192.0.0.10/32", "TURN anycast", "RFC 8155", true},
	{"192.0.0.170/32", "NAT64/DNS64 discovery", "RFC 8880", false},
	{"192.0.0.171/32", "NAT64/DNS64 discovery", "RFC 8880", false},
	{"192.0.2.0/24", "documentation", "RFC 5737", false},
	{"192.31.196.0/24", "AS112-v4", "RFC 7535", true},
	{"192.52.193.0/24", "AMT", "RFC 7450", true},
	{"192.88.99.0/24", "6to4 relay anycast, deprecated", "RFC 7526", false},
	{"192.88.99.2/32", "6a44 relay anycast", "RFC 6751", false},
	{"192.168.0.0/16", "private-use", "RFC 1918", false},
	{"192.175.48.0/24", "AS112 direct delegation", "RFC 7534", true},
	{"198.18.0.0/15", "benchmarking", "RFC 2544", false},
	{"198.51.100.0/24", "documentation", "RFC 5737", false},
	{"203.0.113.0/24", "documentation", "RFC 5737", false},
	{"224.0.0.0/4", "multicast", "RFC 5771", false},
	{"240.0.0.0/4", "reserved", "RFC 1112", false},
	{"255.255.255.255/32", "limited broadcast", "RFC 919", false},
}

// specialV6 is the IANA IPv6 Special-Purpose Address Registry
// (iana.org/assignments/iana-ipv6-special-registry) as of October 2025. Beside
// it: multicast, the retired site-local and IPv4-compatible ranges, and
// everything outside 2000::/3, of which IANA assigns no global unicast address
// (Internet Protocol Version 6 Address Space registry, RFC 4291 section 2.4).
// Rows that carry an IPv4 address are judged by it first, see [address.Embedded].
var specialV6 = [...]special{
	{"::/0", "not global unicast", "RFC 4291", false},
	{"2000::/3", "global unicast", "RFC 4291", true},
	{"::/96", "IPv4-compatible, deprecated", "RFC 4291", false},
	{"::/128", "unspecified", "RFC 4291", false},
	{"::1/128", "loopback", "RFC 4291", false},
	{"::ffff:0:0/96", "IPv4-mapped", "RFC 4291", true}, // never seen: unmapped, the IPv4 decides
	{"::ffff:0:0:0/96", "IPv4-translated", "RFC 2765", false},
	{"64:ff9b::/96", "NAT64", "RFC 6052", true},
	{"64:ff9b:1::/48", "local-use NAT64", "RFC 8215", false},
	{"100::/64", "discard-only", "RFC 6666", false},
	{"100:0:0:1::/64", "IPv6 dummy prefix", "RFC 9780", false},
	{"2001::/23", "IETF protocol assignments", "RFC 2928", false},
	{"2001::/32", "Teredo", "RFC 4380", true}, // N/A in the registry: the client's IPv4 decides
	{"2001:1::1/128", "Port Control Protocol anycast", "RFC 7723", true},
	{"2001:1::2/128", "TURN anycast", "RFC 8155", true},
	{"2001:1::3/128", "DNS-SD registration anycast", "RFC 9665", true},
	{"2001:2::/48", "benchmarking", "RFC 5180", false},
	{"2001:3::/32", "AMT", "RFC 7450", true},
	{"2001:4:112::/48", "AS112-v6", "RFC 7535", true},
	{"2001:10::/28", "ORCHID, deprecated", "RFC 4843", false},
	{"2001:20::/28", "ORCHIDv2", "RFC 7343", true},
	{"2001:30::/28", "drone remote identification", "RFC 9374", true},
	{"2001:db8::/32", "documentation", "RFC 3849", false},
	{"2002::/16", "6to4", "RFC 3056", true}, // likewise, the router's
	{"2620:4f:8000::/48", "AS112 direct delegation", "RFC 7534", true},
	{"3fff::/20", "documentation", "RFC 9637", false},
	{"5f00::/16", "segment routing identifiers", "RFC 9602", false},
	{"fc00::/7", "unique local", "RFC 4193", false},
	{"fe80::/10", "link-local", "RFC 4291", false},
	{"fec0::/10", "site-local, deprecated", "RFC 3879", false},
	{"ff00::/8", "multicast", "RFC 4291", false},
}

// reason is what [Skipper.Reason] says of an address of this row.
func (s special) reason() string {
	if s.global {
		return ""
	}
	return s.name + " (" + s.rfc + ")"
}

// ranges maps every address to the value of the longest prefix that holds it,
// by binary search over disjoint ranges: starts[i] up to, not including,
// starts[i+1] have values[i].
type ranges struct {
	starts []netip.Addr
	values []string
}

// rangeOf is a prefix with what is said of its addresses.
type rangeOf struct {
	prefix netip.Prefix
	value  string
}

// newRanges lays out prefixes of one address family, whose lowest address is
// zero. Addresses in no prefix have the value "".
func newRanges(zero netip.Addr, rows []rangeOf) ranges {
	rows = slices.SortedStableFunc(slices.Values(rows), func(a, b rangeOf) int {
		return cmp.Or(a.prefix.Addr().Compare(b.prefix.Addr()), cmp.Compare(a.prefix.Bits(), b.prefix.Bits()))
	})
	out := ranges{starts: []netip.Addr{zero}, values: []string{""}}
	from := func(a netip.Addr, value string) {
		if last := len(out.starts) - 1; out.starts[last] == a {
			out.values[last] = value
		} else if out.values[last] != value {
			out.starts, out.values = append(out.starts, a), append(out.values, value)
		}
	}
	// Prefixes nest and never cross: open holds those around the current
	// address, the innermost last.
	open := []rangeOf{{value: ""}}
	closeUntil := func(done func(last netip.Addr) bool) {
		for len(open) > 1 {
			last := lastOf(open[len(open)-1].prefix)
			if !done(last) {
				return
			}
			open = open[:len(open)-1]
			if after := last.Next(); after.IsValid() {
				from(after, open[len(open)-1].value)
			}
		}
	}
	for _, r := range rows {
		closeUntil(func(last netip.Addr) bool { return last.Less(r.prefix.Addr()) })
		open = append(open, r)
		from(r.prefix.Addr(), r.value)
	}
	closeUntil(func(netip.Addr) bool { return true })
	return out
}

// at returns the value for a, which must be of the family of the ranges.
func (r *ranges) at(a netip.Addr) string {
	low, high := 0, len(r.starts)
	for high-low > 1 {
		if mid := int(uint(low+high) / 2); r.starts[mid].Compare(a) <= 0 {
			low = mid
		} else {
			high = mid
		}
	}
	return r.values[low]
}

// lastOf returns the highest address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	raw := p.Masked().Addr().AsSlice()
	for bit := p.Bits(); bit < len(raw)*8; bit++ {
		raw[bit/8] |= 0x80 >> (bit % 8)
	}
	a, _ := netip.AddrFromSlice(raw)
	return a
}
