package kql

import (
	"encoding/json"
	"slices"
	"testing"
)

// FuzzNatives calls every native function with any texts: none may panic, and
// what claims to be JSON must be.
func FuzzNatives(f *testing.F) {
	for _, seed := range [][4]string{
		{"<a b='1'>x<c/></a>", "", "", ""}, {"series_fit_2lines", "[[1,2,3,4,5]]", "", ""}, {"series_periods_detect", "[[1,2,1,2],2,9,99999999999]", "", ""},
		{"series_outliers", "[[1,2,3],\"x\",0,-5,500]", "", ""}, {"series_decompose", "[[1,null,3],-7,\"linefit\",99]", "", ""}, {"beta_inv", "0.5", "1e308", "1e-308"},
		{"1.1.1.1", "255.255.255.255", "", ""}, {"acadmie-franaise-npb1a", "", "", ""}, {"99999999-99999999", "", "", ""}, {"[{\"a\":[1,{\"b\":[]}]}]", "", "", ""},
		{"Mozilla/5.0 (iPhone; CPU iPhone OS 15_4 like Mac OS X)", "[\"os\",\"browser\",\"device\"]", "", ""}, {"eJwLSS0uUSguKcrMS1cwNDIGACxqBQ4=", "", "", ""},
		{`"a b\" c\\"d e"""f g\`, "", "", ""}, {"a,\"b\"\"c\"\r\n\"", "", "", ""},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	list := Natives(nil)
	asJSON := []string{"kql_parse_xml", "kql_cidr_list", "kql_user_agent", "kql_buildschema", "kql_series", "kql_csv", "kql_command_line"}
	f.Fuzz(func(t *testing.T, a, b, c, d string) {
		for _, n := range list {
			if n.Name == "kql_scan" { // its program is the compiler's alone to write
				continue
			}
			out, ok, err := n.Func([]string{a, b, c, d}[:n.Args])
			if err != nil && n.Name != "kql_geo_info" {
				t.Errorf("%s(%q, %q, %q, %q): %v", n.Name, a, b, c, d, err)
			}
			if ok && slices.Contains(asJSON, n.Name) && !json.Valid([]byte(out)) {
				t.Errorf("%s(%q, %q) is no JSON: %s", n.Name, a, b, out)
			}
		}
	})
}

// TestPunycodeRoundTrip encodes and decodes texts of all kinds.
func TestPunycodeRoundTrip(t *testing.T) {
	for _, s := range []string{"", "abc", "bücher", "他们为什么不说中文", "3年B組金八先生", "\U0001F600a-b"} {
		enc, ok := punycodeEncode(s)
		dec, ok2 := punycodeDecode(enc)
		if !ok || !ok2 || dec != s {
			t.Errorf("%q: encoded %q, decoded %q", s, enc, dec)
		}
	}
}

// TestGeoWithoutDatabase is an error, not a null that looks like an answer.
func TestGeoWithoutDatabase(t *testing.T) {
	for _, n := range Natives(nil) {
		if n.Name != "kql_geo_info" {
			continue
		}
		if _, _, err := n.Func([]string{"1.1.1.1"}); err == nil {
			t.Error("want an error that says no database is set up")
		}
		return
	}
	t.Error("kql_geo_info is missing")
}
