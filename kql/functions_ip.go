package kql

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
)

// ipFunctions are the functions over IP addresses written as text, with or
// without /prefix. What is no address gives null.
func ipFunctions() []function {
	return []function{
		fn("parse_ipv4", tpl(Long, bindIPv4("$1", maskIPv4(`"$r".n`, `"$r".p`)), String)),
		fn("parse_ipv4_mask", tpl(Long, bindIPv4("$1", "CASE WHEN $2 BETWEEN 0 AND 32 THEN "+maskIPv4(`"$r".n`, `least("$r".p, $2)`)+" END"), String, Long)),
		fn("ipv4_is_private", tpl(Bool, "CASE WHEN regexp_full_match($1, "+ipv4Pattern+`) THEN regexp_matches($1, '^\s*(10[.]|192[.]168[.]|172[.](1[6-9]|2[0-9]|3[01])[.])') END`, String)),
		fn("ipv4_netmask_suffix", tpl(Long, bindIPv4("$1", `"$r".p`)+"::BIGINT", String)),
		fn("ipv4_compare", compareIPv4("sign(%s - %s)::BIGINT", Long)),
		fn("ipv4_is_match", compareIPv4("(%s = %s)", Bool)),
		fn("ipv4_is_in_range", low(Bool, lowerIPv4InAny, String, String)),
		fn("ipv4_is_in_any_range", low(Bool, lowerIPv4InAny, String, Dynamic), low(Bool, lowerIPv4InAny, String, String).more(2)),
		fn("format_ipv4", formatIPv4Sigs("")...),
		fn("format_ipv4_mask", formatIPv4Sigs(` || '/' || least("$r".p, $2)`)...),
		fn("has_ipv4", hasIPv4(false, false)...),
		fn("ip_addresses", tpl(Dynamic, "kql_addresses($1)::JSON", String), tpl(Dynamic, "kql_addresses($1::VARCHAR)::JSON", Dynamic)),
		fn("has_any_ipv4", hasIPv4(false, true)...),
		fn("has_ipv4_prefix", hasIPv4(true, false)...),
		fn("has_any_ipv4_prefix", hasIPv4(true, true)...),
		fn("parse_ipv6", tpl(String, "coalesce("+bindIPv6("$1", groupsIPv6(maskIPv6(`"$r".h`, `"$r".p`)))+", '')", String)),
		fn("parse_ipv6_mask", tpl(String, "coalesce("+bindIPv6("$1", "CASE WHEN $2 BETWEEN 0 AND 128 THEN "+groupsIPv6(maskIPv6(`"$r".h`, `least("$r".p, $2)`))+" END")+", '')", String, Long)),
		fn("ipv6_compare", compareIPv6("CASE WHEN %[1]s < %[2]s THEN -1 WHEN %[1]s > %[2]s THEN 1 WHEN %[1]s = %[2]s THEN 0 END::BIGINT", Long)),
		fn("ipv6_is_match", compareIPv6("(%s = %s)", Bool)),
		fn("ipv6_is_in_range", low(Bool, lowerIPv6InAny, String, String)),
		fn("ipv6_is_in_any_range", low(Bool, lowerIPv6InAny, String, Dynamic), low(Bool, lowerIPv6InAny, String, String).more(2)),
	}
}

// ipv4Pattern matches an IPv4 address with an optional prefix length.
const ipv4Pattern = `'\s*(?:(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?:[.](?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3})(?:/(?:3[0-2]|[12]?[0-9]))?\s*'`

// ipv4Of is the SQL of an address as a struct of its number n and prefix
// length p; NULL when text is none.
func ipv4Of(text string) string {
	return fmt.Sprintf(`CASE WHEN regexp_full_match(%s, %s) THEN list_transform([string_split(split_part(trim(%[1]s), '/', 1), '.')], lambda "$o":
{n: "$o"[1]::BIGINT * 16777216 + "$o"[2]::BIGINT * 65536 + "$o"[3]::BIGINT * 256 + "$o"[4]::BIGINT, p: coalesce(TRY_CAST(split_part(trim(%[1]s), '/', 2) AS BIGINT), 32)})[1] END`, text, ipv4Pattern)
}

// bindIPv4 computes body with "$r" standing for the address in text.
func bindIPv4(text, body string) string {
	return `(list_transform([` + ipv4Of(text) + `], lambda "$r": ` + body + `)[1])`
}

// maskIPv4 is number n with all but its first p bits cleared.
func maskIPv4(n, p string) string {
	return fmt.Sprintf("(%s // (1::BIGINT << (32 - %s)::INTEGER) * (1::BIGINT << (32 - %[2]s)::INTEGER))", n, p)
}

// dottedIPv4 writes a number as an address.
func dottedIPv4(n string) string {
	return fmt.Sprintf("format('{}.{}.{}.{}', %s // 16777216, %[1]s // 65536 %% 256, %[1]s // 256 %% 256, %[1]s %% 256)", n)
}

// compareIPv4 compares two addresses by the bits that both prefixes, and the
// third argument, leave; form takes the two numbers.
func compareIPv4(form string, result Type) sig {
	// Both bounds, since least() passes over the NULL of what is no address.
	p := `greatest(least("$r".a.p, "$r".b.p, coalesce($3, 32), 32), 0)`
	return tpl(result, `(list_transform([{a: `+ipv4Of("$1")+`, b: `+ipv4Of("$2")+`}], lambda "$r": `+
		fmt.Sprintf(form, maskIPv4(`"$r".a.n`, p), maskIPv4(`"$r".b.n`, p))+`)[1])`, String, String, Long).from(2)
}

// constTexts returns the texts of args when all are constants: strings, or
// arrays of them.
func constTexts(args []expr) ([]string, bool) {
	var out []string
	for _, a := range args {
		if s, ok := a.lit.(string); ok && a.typ == String {
			out = append(out, s)
			continue
		}
		j, ok := a.constJSON()
		if !ok {
			return nil, false
		}
		var list []any
		if json.Unmarshal(j, &list) != nil {
			return nil, false
		}
		for _, v := range list {
			if s, ok := v.(string); ok {
				out = append(out, s)
			}
		}
	}
	return out, true
}

// textsOf is the SQL list of the texts of args.
func textsOf(args []expr) string {
	parts := make([]string, len(args))
	for i, a := range args {
		if a.typ == Dynamic {
			parts[i] = "coalesce(json_extract_string(" + a.sql + ", '$[*]'), [" + dynText(a) + "])"
		} else {
			parts[i] = "[" + a.sql + "]"
		}
	}
	return "flatten([" + strings.Join(parts, ", ") + "])"
}

// prefixOf reads an address or a prefix; a lone address is a prefix of all bits.
func prefixOf(s string) (netip.Prefix, bool) {
	s = strings.TrimSpace(s)
	if p, err := netip.ParsePrefix(s); err == nil {
		return p.Masked(), true
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	return netip.PrefixFrom(a.WithZone(""), a.BitLen()), true
}

// lowerIPv4InAny tells whether an address lies in any of the ranges. Constant
// ranges become comparisons of numbers.
func lowerIPv4InAny(c *call) (string, error) {
	consts, ok := constTexts(c.args[1:])
	if !ok {
		return fmt.Sprintf(`(list_transform([{a: %s, l: %s}], lambda "$q": CASE WHEN "$q".a IS NOT NULL THEN len(list_filter(list_transform("$q".l, lambda "$e": %s), lambda "$x": %s = %s)) > 0 END)[1])`,
			ipv4Of(c.args[0].sql), textsOf(c.args[1:]), ipv4Of(`"$e"`), maskIPv4(`"$q".a.n`, `least("$x".p, "$q".a.p)`), maskIPv4(`"$x".n`, `least("$x".p, "$q".a.p)`)), nil
	}
	var conds []string
	for _, s := range consts {
		p, ok := prefixOf(s)
		if !ok || !p.Addr().Is4() {
			continue
		}
		b := p.Addr().As4()
		lo := int64(b[0])<<24 | int64(b[1])<<16 | int64(b[2])<<8 | int64(b[3])
		conds = append(conds, fmt.Sprintf(`"$n" BETWEEN %d AND %d`, lo, lo+1<<(32-p.Bits())-1))
	}
	if conds == nil {
		if len(consts) == 1 {
			return "NULL::BOOLEAN", nil
		}
		conds = []string{`("$n" IS NULL AND NULL)`}
	}
	return `(list_transform([` + expand(bindIPv4("$1", maskIPv4(`"$r".n`, `"$r".p`)), c.args[:1]) + `], lambda "$n": ` + strings.Join(conds, " OR ") + `)[1])`, nil
}

// formatIPv4Sigs are the signatures of format_ipv4(address or number[, prefix]).
func formatIPv4Sigs(tail string) []sig {
	form := func(ip string) string {
		sql := "coalesce(CASE WHEN $2 BETWEEN 0 AND 32 THEN (list_transform([" + ip + `], lambda "$r": list_transform([` + maskIPv4(`"$r".n`, `least("$r".p, $2)`) +
			`], lambda "$n": ` + dottedIPv4(`"$n"`) + tail + `)[1])[1]) END, '')`
		return sql
	}
	whole := func(ip string, t Type) []sig {
		return []sig{
			tpl(String, form(ip), t, Long).ofText(),
			tpl(String, strings.ReplaceAll(form(ip), "$2", "32"), t).ofText(),
		}
	}
	number := "CASE WHEN $1 BETWEEN 0 AND 4294967295 THEN {n: $1, p: 32} END"
	return append(whole(number, Long), whole(ipv4Of("$1"), String)...)
}

// ipv4Octet matches a part of an IPv4 address.
const ipv4Octet = `(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])`

// hasIPv4 are the signatures of has_ipv4() and its kin: an address that letters
// and digits do not touch. A prefix ends in a dot, and what follows it in the
// text must make it a whole address.
func hasIPv4(prefix, many bool) []sig {
	lower := func(c *call) (string, error) {
		const edge = `[^0-9A-Za-z]`
		if texts, ok := constTexts(c.args[1:]); ok {
			var alts []string
			for _, s := range texts {
				if p, ok := ipv4Search(strings.TrimSpace(s), prefix); ok {
					alts = append(alts, p)
				}
			}
			if alts == nil {
				return "false", nil
			}
			return "regexp_matches(" + c.args[0].sql + ", '(?:^|" + edge + ")(?:" + strings.Join(alts, "|") + ")(?:$|" + edge + ")')", nil
		}
		valid, rest := ipv4Octet+"(?:[.]"+ipv4Octet+"){3}", "''"
		if prefix {
			valid += "|(?:" + ipv4Octet + "[.]){1,3}"
			rest = `CASE WHEN ends_with("$e", '.') THEN '` + ipv4Octet + `' || repeat('[.]` + ipv4Octet + `', 3 - len(regexp_extract_all("$e", '[.]'))) ELSE '' END`
		}
		return expand(`len(list_filter($2, lambda "$e": regexp_full_match("$e", '`+valid+`') AND regexp_matches($1, '(?:^|`+edge+`)' || replace("$e", '.', '[.]') || `+rest+` || '(?:$|`+edge+`)'))) > 0`,
			[]expr{c.args[0], {sql: `list_transform(` + textsOf(c.args[1:]) + `, lambda "$e": trim("$e"))`}}), nil
	}
	if !many {
		return []sig{low(Bool, lower, String, String)}
	}
	return []sig{low(Bool, lower, String, Dynamic), low(Bool, lower, String, String).more(2)}
}

// ipv4Search is the pattern that finds an address or, if wanted, the addresses
// with a prefix.
func ipv4Search(s string, prefix bool) (pattern string, ok bool) {
	whole, rest := s, ""
	if dots := strings.Count(s, "."); prefix && strings.HasSuffix(s, ".") && dots <= 3 {
		whole += strings.Repeat("0.", 3-dots) + "0"
		rest = ipv4Octet + strings.Repeat("[.]"+ipv4Octet, 3-dots)
	}
	if a, err := netip.ParseAddr(whole); err != nil || !a.Is4() {
		return "", false
	}
	return strings.ReplaceAll(s, ".", "[.]") + rest, true
}
