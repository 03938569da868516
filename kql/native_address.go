package kql

import (
	"encoding/json"

	"picket/address"
)

// addressesIn is ip_addresses(): the addresses in a text, each once, in the order
// in which they come, as JSON. It is Picket's own, no function of Microsoft's: over
// pack_all() it yields the addresses of a whole row.
func addressesIn(text string) string {
	list := []string{}
	seen := map[string]bool{}
	for _, m := range address.Append(nil, []byte(text), address.Options{}) {
		s := m.Addr.String()
		if m.Bits >= 0 && int(m.Bits) < m.Addr.BitLen() {
			s = m.Prefix().String()
		}
		if !seen[s] {
			seen[s] = true
			list = append(list, s)
		}
	}
	b, err := json.Marshal(list)
	if err != nil { // texts always encode
		return "[]"
	}
	return string(b)
}
