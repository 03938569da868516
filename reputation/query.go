package reputation

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
)

// errNoAddress is what [ParseIPQuery] and [ParseIP] answer for anything but one address.
var errNoAddress = errors.New("want one IP address such as 203.0.113.7 or 2001:db8::1")

// ParseIPQuery finds the address in the raw query of a Prowl call, ip=ADDRESS,
// and returns it unmapped and without its zone. Clients do not encode the
// address, so that a zone may arrive as a bare %eth0; blanks around the address
// and brackets around an IPv6 one are forgiven. Refused are leading zeros
// (which some read as octal), ports, networks, and more than one ip.
func ParseIPQuery(rawQuery string) (netip.Addr, error) {
	var value string
	found := false
	for pair := range strings.SplitSeq(rawQuery, "&") {
		name, v, _ := strings.Cut(pair, "=")
		if n, err := url.QueryUnescape(name); err == nil {
			name = n
		}
		if name != "ip" {
			continue
		}
		if found {
			return netip.Addr{}, errNoAddress
		}
		value, found = v, true
	}
	if len(value) > 256 {
		return netip.Addr{}, errNoAddress
	}
	if decoded, err := url.QueryUnescape(value); err == nil {
		if a, err := ParseIP(decoded); err == nil {
			return a, nil
		}
	}
	return ParseIP(value)
}

// ParseIP reads one address, forgiving blanks around it and brackets around an IPv6
// one, and returns it unmapped and without its zone.
func ParseIP(text string) (netip.Addr, error) {
	text = strings.TrimSpace(text)
	bracketed := strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]")
	if bracketed {
		text = text[1 : len(text)-1]
	}
	a, err := netip.ParseAddr(text)
	if err != nil || bracketed && !a.Is6() {
		return netip.Addr{}, errNoAddress
	}
	return a.WithZone("").Unmap(), nil
}
