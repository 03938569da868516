package kql

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math/bits"
	"net/netip"
	"strconv"
	"strings"
)

// Native is a function that compiled queries call and SQL cannot express. Who
// runs the SQL of a [Query] must first register every one of [Natives] with
// DuckDB: as a scalar function of that name over Args VARCHARs that yields a
// VARCHAR, depends on nothing but its arguments, and is NULL for NULL.
type Native struct {
	Name string
	Args int
	// Func computes the result; false means NULL. It never panics and may be
	// called from several goroutines. An error ends the query.
	Func func(args []string) (result string, ok bool, err error)
}

// Place is where an address is, as geo_info_from_ip_address() tells it. Empty
// fields are not known.
type Place struct {
	Country, State, City string
	Latitude, Longitude  *float64 // degrees
}

// Natives returns the functions that must be registered before a compiled
// query is run. geo finds the place of an address for
// geo_info_from_ip_address(); with nil a query that calls it ends in an error.
func Natives(geo func(netip.Addr) (Place, bool)) []Native {
	list := pureNatives()
	return append(list, Native{"kql_geo_info", 1, func(a []string) (string, bool, error) {
		if geo == nil {
			return "", false, errors.New("geo_info_from_ip_address(): no geographic database is set up")
		}
		p, err := netip.ParseAddr(strings.TrimSpace(a[0]))
		if err != nil {
			return "", false, nil
		}
		place, ok := geo(p.Unmap())
		if !ok {
			return "", false, nil
		}
		return place.json(), true, nil
	}})
}

// json writes the place as the page "geo_info_from_ip_address()" shows it.
func (p Place) json() string {
	m := map[string]any{"country": p.Country, "state": p.State, "city": p.City, "latitude": "", "longitude": ""}
	if p.Latitude != nil && p.Longitude != nil {
		m["latitude"], m["longitude"] = *p.Latitude, *p.Longitude
	}
	b, err := json.Marshal(m)
	if err != nil { // a latitude that is no number
		return "{}"
	}
	return string(b)
}

// pureNatives are the natives that depend on nothing but their arguments.
func pureNatives() []Native {
	agents := &agentParser{}
	var list []Native
	for _, n := range []struct {
		name string
		args int
		f    func(a []string) (string, bool)
	}{
		{"kql_parse_xml", 1, func(a []string) (string, bool) { return parseXML(a[0]) }},
		{"kql_datetime", 1, func(a []string) (string, bool) {
			t, err := ParseDateTime(a[0])
			return strconv.FormatInt(t, 10), err == nil
		}},
		{"kql_canonical_json", 1, func(a []string) (string, bool) { return canonicalJSON(a[0]) }},
		{"kql_xxhash64", 2, func(a []string) (string, bool) { return hashOf(a[0], a[1]) }},
		{"kql_unzlib", 1, func(a []string) (string, bool) {
			return decompress(a[0], func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) })
		}},
		{"kql_ungzip", 1, func(a []string) (string, bool) {
			return decompress(a[0], func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) })
		}},
		{"kql_zlib", 1, func(a []string) (string, bool) { return zlibOf(a[0]) }},
		{"kql_gzip", 1, func(a []string) (string, bool) { return gzipOf(a[0]) }},
		{"kql_addresses", 1, func(a []string) (string, bool) { return addressesIn(a[0]), true }},
		{"kql_cidr_list", 2, func(a []string) (string, bool) { return cidrList(a[0], a[1]) }},
		{"kql_user_agent", 2, func(a []string) (string, bool) { return agents.parse(a[0], a[1]) }},
		{"kql_buildschema", 1, func(a []string) (string, bool) { return buildSchema(a[0]) }},
		{"kql_punycode", 1, func(a []string) (string, bool) { return punycodeEncode(a[0]) }},
		{"kql_unpunycode", 1, func(a []string) (string, bool) { return punycodeDecode(a[0]) }},
		{"kql_punydomain", 1, func(a []string) (string, bool) { return punycodeDomain(a[0], encodeLabel) }},
		{"kql_unpunydomain", 1, func(a []string) (string, bool) { return punycodeDomain(a[0], decodeLabel) }},
		{"kql_csv", 1, func(a []string) (string, bool) { return jsonTexts(csvRecord(a[0])), true }},
		{"kql_command_line", 1, func(a []string) (string, bool) { return jsonTexts(commandLine(a[0])), true }},
		{"kql_special", 4, func(a []string) (string, bool) { return special(a[0], a[1:]) }},
		{"kql_series", 2, seriesNative()},
		{"kql_treepath", 1, func(a []string) (string, bool) { return treePath(a[0]) }},
		{"kql_patterns", 4, func(a []string) (string, bool) { return findPatterns(a[0], a[1], a[2], a[3]) }},
		{"kql_reduce", 4, func(a []string) (string, bool) { return reduceTexts(a[0], a[1], a[2], a[3]) }},
		{"kql_components", 3, func(a []string) (string, bool) { return components(a[0], a[1], a[2]) }},
	} {
		list = append(list, Native{n.name, n.args, func(a []string) (string, bool, error) {
			r, ok := n.f(a)
			return r, ok, nil
		}})
	}
	return append(list, Native{"kql_geo", 4, geoNative()}, Native{"kql_scan", 3, scanNative()})
}

// nativeCall is the SQL of a call of a native function.
func nativeCall(name string, args ...string) string {
	return name + "(" + strings.Join(args, ", ") + ")"
}

// nativeFunctions are the functions that are wholly native.
func nativeFunctions() []function {
	hash := func(c *call) (string, error) {
		kind := "'n'"
		if t := c.args[0].typ; t == String || t == Dynamic || t == Guid {
			kind = "'s'"
		}
		text := textOf(c.args[0]).sql
		if isTicks(c.args[0].typ) {
			text = "(" + c.args[0].sql + ")::VARCHAR"
		}
		h := nativeCall("kql_xxhash64", text, kind) + "::BIGINT"
		if len(c.args) == 2 {
			return expand("(("+h+" % $2 + $2) % $2)", c.args), nil
		}
		return h, nil
	}
	return []function{
		fn("parse_xml", tpl(Dynamic, "kql_parse_xml($1)::JSON", String)),
		fn("parse_user_agent", low(Dynamic, lowerParseUserAgent, String, Unknown).from(1)),
		fn("erf", tpl(Real, "kql_special('erf', $1::VARCHAR, '', '')::DOUBLE", Real)),
		fn("erfc", tpl(Real, "kql_special('erfc', $1::VARCHAR, '', '')::DOUBLE", Real)),
		fn("beta_pdf", tpl(Real, "kql_special('beta_pdf', $1::VARCHAR, $2::VARCHAR, $3::VARCHAR)::DOUBLE", Real, Real, Real)),
		fn("beta_cdf", tpl(Real, "kql_special('beta_cdf', $1::VARCHAR, $2::VARCHAR, $3::VARCHAR)::DOUBLE", Real, Real, Real)),
		fn("beta_inv", tpl(Real, "kql_special('beta_inv', $1::VARCHAR, $2::VARCHAR, $3::VARCHAR)::DOUBLE", Real, Real, Real)),
		fn("welch_test", tpl(Real, welchTest, Real, Real, Real, Real, Real, Real)),
		fn("hash", low(Long, hash, Unknown, Long).from(1)),
		fn("hash_xxhash64", low(Long, hash, Unknown, Long).from(1)),
		fn("punycode_from_string", tpl(String, "coalesce(kql_punycode($1), '')", String)),
		fn("punycode_to_string", tpl(String, "coalesce(kql_unpunycode($1), '')", String)),
		// By the pages, "from" decodes a domain and "to" encodes it: the other way round than for a text.
		fn("punycode_domain_from_string", tpl(String, "coalesce(kql_unpunydomain($1), '')", String)),
		fn("punycode_domain_to_string", tpl(String, "coalesce(kql_punydomain($1), '')", String)),
		fn("zlib_decompress_from_base64_string", tpl(String, "coalesce(kql_unzlib($1), '')", String)),
		fn("gzip_decompress_from_base64_string", tpl(String, "coalesce(kql_ungzip($1), '')", String)),
		fn("zlib_compress_to_base64_string", tpl(String, "coalesce(kql_zlib($1), '')", String)),
		fn("gzip_compress_to_base64_string", tpl(String, "coalesce(kql_gzip($1), '')", String)),
		fn("ipv4_range_to_cidr_list", tpl(Dynamic, "kql_cidr_list($1, $2)::JSON", String, String)),
	}
}

// welchTest is the probability that two samples of these means, variances and
// counts come from populations of the same mean: Student's t of both sides with
// Welch's degrees of freedom, by way of the incomplete beta function.
const welchTest = `list_transform([{d: pow($1 - $4, 2), a: $2 / $3, b: $5 / $6, m: $3 - 1, n: $6 - 1}], lambda "$w":
list_transform([{t: "$w".d / ("$w".a + "$w".b), f: pow("$w".a + "$w".b, 2) / (pow("$w".a, 2) / "$w".m + pow("$w".b, 2) / "$w".n)}], lambda "$t":
kql_special('beta_cdf', ("$t".f / ("$t".f + "$t".t))::VARCHAR, ("$t".f / 2)::VARCHAR, '0.5')::DOUBLE)[1])[1]`

// jsonString writes s as JSON without escaping what HTML alone minds.
func jsonString(s string) json.RawMessage {
	text, err := encodeJSON(strings.ToValidUTF8(s, "\uFFFD"))
	if err != nil {
		return json.RawMessage(`""`)
	}
	return text
}

// encodeJSON is json.Marshal, without escaping what HTML alone minds.
func encodeJSON(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// hashOf is the XXH64 of a text, or of a number as its eight bytes.
func hashOf(text, kind string) (string, bool) {
	b := []byte(text)
	if kind == "n" {
		v, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return strconv.FormatInt(int64(xxhash64([]byte(text))), 10), true
		}
		b = binary.LittleEndian.AppendUint64(nil, uint64(v))
	}
	return strconv.FormatInt(int64(xxhash64(b)), 10), true
}

// xxhash64 is XXH64 with seed 0, by the specification of the xxHash project.
func xxhash64(b []byte) uint64 {
	const (
		p1 = 11400714785074694791
		p2 = 14029467366897019727
		p3 = 1609587929392839161
		p4 = 9650029242287828579
		p5 = 2870177450012600261
	)
	round := func(acc, in uint64) uint64 { return bits.RotateLeft64(acc+in*p2, 31) * p1 }
	h, n := uint64(p5), uint64(len(b))
	if len(b) >= 32 {
		var one uint64 = p1
		v := [4]uint64{one + p2, p2, 0, -one}
		for ; len(b) >= 32; b = b[32:] {
			for i := range v {
				v[i] = round(v[i], binary.LittleEndian.Uint64(b[8*i:]))
			}
		}
		h = bits.RotateLeft64(v[0], 1) + bits.RotateLeft64(v[1], 7) + bits.RotateLeft64(v[2], 12) + bits.RotateLeft64(v[3], 18)
		for _, x := range v {
			h = (h^round(0, x))*p1 + p4
		}
	}
	h += n
	for ; len(b) >= 8; b = b[8:] {
		h = bits.RotateLeft64(h^round(0, binary.LittleEndian.Uint64(b)), 27)*p1 + p4
	}
	if len(b) >= 4 {
		h = bits.RotateLeft64(h^uint64(binary.LittleEndian.Uint32(b))*p1, 23)*p2 + p3
		b = b[4:]
	}
	for _, c := range b {
		h = bits.RotateLeft64(h^uint64(c)*p5, 11) * p1
	}
	h = (h ^ h>>33) * p2
	h = (h ^ h>>29) * p3
	return h ^ h>>32
}

// cidrList writes the range between two IPv4 addresses as prefixes.
func cidrList(first, last string) (string, bool) {
	var ends [2]uint64
	for i, s := range [2]string{first, last} {
		a, err := netip.ParseAddr(strings.TrimSpace(s))
		if err != nil || !a.Is4() {
			return "", false
		}
		b := a.As4()
		ends[i] = uint64(binary.BigEndian.Uint32(b[:]))
	}
	list := []string{}
	for lo, hi := ends[0], ends[1]; lo <= hi; {
		n := 32 // the longest block that begins at lo and ends by hi
		for n > 0 && lo%(1<<(33-n)) == 0 && lo+1<<(33-n)-1 <= hi {
			n--
		}
		var b [4]byte
		binary.BigEndian.PutUint32(b[:], uint32(lo))
		list = append(list, netip.PrefixFrom(netip.AddrFrom4(b), n).String())
		lo += 1 << (32 - n)
	}
	b, err := json.Marshal(list)
	return string(b), err == nil
}
