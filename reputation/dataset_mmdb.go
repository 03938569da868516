package reputation

import (
	"fmt"
	"net/netip"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/oschwald/maxminddb-golang/v2"
)

// An mmdb is a file in the MaxMind DB format. Makers differ in their fields:
// MaxMind nests them (country.iso_code), others do not (country_code), and some
// have text where others have numbers.
type mmdb struct {
	reader *maxminddb.Reader
	nested bool
	v4Only bool
	// places are records that were decoded, by where they are in the file: many
	// networks have the same.
	places [1 << placeBits]atomic.Pointer[mmdbPlace]
}

const placeBits = 14

// mmdbPlace is a decoded record.
type mmdbPlace struct {
	offset              uintptr // in the file
	entry               entry
	latitude, longitude float64
}

// mmdbNested is a record of MaxMind's GeoIP2 and GeoLite2, and of DB-IP's.
type mmdbNested struct {
	Country struct {
		ISOCode string `maxminddb:"iso_code"`
	} `maxminddb:"country"`
	City struct {
		Names struct {
			English string `maxminddb:"en"`
		} `maxminddb:"names"`
	} `maxminddb:"city"`
	Location struct {
		Latitude  float64 `maxminddb:"latitude"`
		Longitude float64 `maxminddb:"longitude"`
	} `maxminddb:"location"`
	Traits struct {
		ASN   uint64 `maxminddb:"autonomous_system_number"`
		ASOrg string `maxminddb:"autonomous_system_organization"`
	} `maxminddb:"traits"`
	ASN   uint64 `maxminddb:"autonomous_system_number"`
	ASOrg string `maxminddb:"autonomous_system_organization"`
}

// openMMDB opens a file, and looks how its records are made.
func openMMDB(file string) (*mmdb, error) {
	r, err := maxminddb.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	m := &mmdb{reader: r, v4Only: r.Metadata.IPVersion == 4}
	seen := 0
	for result := range r.Networks() {
		var record map[string]any
		if err := result.Decode(&record); err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		_, country := record["country"].(map[string]any)
		_, number := record["autonomous_system_number"].(uint64)
		_, traits := record["traits"].(map[string]any)
		if m.nested = country || number || traits; m.nested || seen == 100 {
			break
		}
		seen++
	}
	return m, nil
}

// look tells what the file says of an address.
func (m *mmdb) look(ip netip.Addr) (place *mmdbPlace, network netip.Prefix, ok bool) {
	defer runtime.KeepAlive(m.reader)
	if ip.Is6() && m.v4Only {
		return nil, netip.Prefix{}, false
	}
	result := m.reader.Lookup(ip)
	if result.Err() != nil || !result.Found() {
		return nil, netip.Prefix{}, false
	}
	offset := result.Offset()
	slot := &m.places[(uint64(offset)*0x9e3779b97f4a7c15)>>(64-placeBits)] // Fibonacci hashing
	if place = slot.Load(); place == nil || place.offset != offset {
		if place, ok = m.decode(result); !ok {
			return nil, netip.Prefix{}, false
		}
		place.offset = offset
		slot.Store(place)
	}
	return place, result.Prefix(), true
}

// decode reads a record.
func (m *mmdb) decode(result maxminddb.Result) (*mmdbPlace, bool) {
	if m.nested {
		var r mmdbNested
		if err := result.Decode(&r); err != nil {
			return nil, false
		}
		e := entry{asn: int64(max(r.ASN, r.Traits.ASN)), org: r.ASOrg + r.Traits.ASOrg, country: r.Country.ISOCode, city: r.City.Names.English}
		return &mmdbPlace{entry: e, latitude: r.Location.Latitude, longitude: r.Location.Longitude}, true
	}
	var r map[string]any
	if err := result.Decode(&r); err != nil {
		return nil, false
	}
	e := entry{asn: number(r, "asn", "as_number"), org: text(r, "as_name", "as_organization", "as_org", "name"), country: text(r, "country_code", "country"), city: text(r, "city")}
	if len(e.country) != 2 {
		e.country = ""
	}
	return &mmdbPlace{entry: e, latitude: degrees(r["latitude"]), longitude: degrees(r["longitude"])}, true
}

// text is the first of the fields that is text.
func text(r map[string]any, fields ...string) string {
	for _, f := range fields {
		if s, ok := r[f].(string); ok && s != "" {
			return s
		}
	}
	return ""
}

// number is the first of the fields that is a number of an autonomous system.
func number(r map[string]any, fields ...string) int64 {
	for _, f := range fields {
		switch v := r[f].(type) {
		case uint64:
			return int64(v)
		case string:
			if n, err := strconv.ParseInt(strings.TrimPrefix(v, "AS"), 10, 64); err == nil {
				return n
			}
		}
	}
	return 0
}

// degrees is a coordinate, a number or text.
func degrees(v any) float64 {
	switch v := v.(type) {
	case float64:
		return v
	case float32:
		return float64(v)
	case string:
		f, err := strconv.ParseFloat(v, 64)
		if err == nil {
			return f
		}
	}
	return 0
}
