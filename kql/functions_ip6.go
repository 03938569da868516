package kql

import (
	"encoding/hex"
	"fmt"
	"strings"
)

// ipv6Of is the SQL of an address as a struct of its 32 hexadecimal digits h
// and prefix length p; NULL when text is none. An IPv4 address is taken as
// ::ffff:a.b.c.d, its prefix counted from there.
func ipv6Of(text string) string {
	// The dotted end of an address becomes two groups.
	v4 := func(t string) string {
		return fmt.Sprintf(`list_transform([string_split(regexp_extract(%s, '([0-9]+[.][0-9]+[.][0-9]+[.][0-9]+)$', 1), '.')], lambda "$o":
CASE WHEN greatest("$o"[1]::INTEGER, "$o"[2]::INTEGER, "$o"[3]::INTEGER, "$o"[4]::INTEGER) < 256 THEN format('{:02x}{:02x}:{:02x}{:02x}', "$o"[1]::INTEGER, "$o"[2]::INTEGER, "$o"[3]::INTEGER, "$o"[4]::INTEGER) END)[1]`, t)
	}
	groups := func(half string) string {
		return fmt.Sprintf(`CASE WHEN coalesce(%s, '') = '' THEN []::VARCHAR[] ELSE string_split(%[1]s, ':') END`, half)
	}
	return fmt.Sprintf(`list_transform([{t: regexp_replace(split_part(trim(%s), '/', 1), '^::([0-9]+[.][0-9.]+)$', '\1'), p: split_part(trim(%[1]s), '/', 2)}], lambda "$i":
list_transform([{h: string_split(CASE WHEN regexp_full_match("$i".t, '[0-9]{1,3}([.][0-9]{1,3}){3}') THEN '::ffff:' || %[2]s
WHEN regexp_matches("$i".t, ':[0-9]{1,3}([.][0-9]{1,3}){3}$') THEN regexp_replace("$i".t, '[0-9.]+$', '') || %[2]s ELSE "$i".t END, '::'),
p: CASE WHEN "$i".p = '' THEN 128 WHEN contains("$i".t, ':') THEN TRY_CAST("$i".p AS BIGINT) ELSE TRY_CAST("$i".p AS BIGINT) + 96 END}], lambda "$g":
list_transform([{l: %[3]s, r: %[4]s, p: "$g".p, n: len("$g".h)}], lambda "$w":
CASE WHEN "$w".p BETWEEN 0 AND 128 AND ("$w".n = 1 AND len("$w".l) = 8 OR "$w".n = 2 AND len("$w".l) + len("$w".r) < 8)
AND regexp_full_match(array_to_string(list_concat("$w".l, "$w".r), ':') || ':', '([0-9a-fA-F]{1,4}:)*:?') THEN
{h: lower(array_to_string(list_transform(list_concat("$w".l, list_transform(range(8 - len("$w".l) - len("$w".r)), lambda "$z": '0'), "$w".r), lambda "$e": lpad("$e", 4, '0')), '')), p: "$w".p} END)[1])[1])[1]`,
		text, v4(`"$i".t`), groups(`"$g".h[1]`), groups(`"$g".h[2]`))
}

// bindIPv6 computes body with "$r" standing for the address in text.
func bindIPv6(text, body string) string {
	return `(list_transform([` + ipv6Of(text) + `], lambda "$r": ` + body + `)[1])`
}

// maskIPv6 is the digits h with all but their first p bits cleared.
func maskIPv6(h, p string) string {
	digit := fmt.Sprintf("substr('0123456789abcdef', ((strpos('0123456789abcdef', substr(%s, (%s // 4 + 1)::BIGINT, 1)) - 1) // (1 << (4 - %[2]s %% 4)::INTEGER) * (1 << (4 - %[2]s %% 4)::INTEGER) + 1)::BIGINT, 1)", h, p)
	return fmt.Sprintf("rpad(left(%s, %s // 4) || CASE WHEN %[2]s %% 4 > 0 THEN %s ELSE '' END, 32, '0')", h, p, digit)
}

// groupsIPv6 writes 32 digits as eight groups.
func groupsIPv6(h string) string {
	return "left(regexp_replace(" + h + ", '(....)', '\\1:', 'g'), 39)"
}

// compareIPv6 compares two addresses by the bits that both prefixes, and the
// third argument, leave; form takes the digits of both.
func compareIPv6(form string, result Type) sig {
	// The third argument counts the bits of an IPv4 address where both are one.
	third := `coalesce($3, 128) + CASE WHEN contains($1, ':') OR contains($2, ':') THEN 0 ELSE 96 END`
	p := `least("$r".a.p, "$r".b.p, ` + third + `)`
	return tpl(result, `(list_transform([{a: `+ipv6Of("$1")+`, b: `+ipv6Of("$2")+`}], lambda "$r": list_transform([{a: `+maskIPv6(`"$r".a.h`, p)+`, b: `+maskIPv6(`"$r".b.h`, p)+`}], lambda "$m": `+
		fmt.Sprintf(form, `"$m".a`, `"$m".b`)+`)[1])[1])`, String, String, Long).from(2)
}

// lowerIPv6InAny tells whether an address lies in any of the ranges.
func lowerIPv6InAny(c *call) (string, error) {
	consts, ok := constTexts(c.args[1:])
	if !ok {
		p := `least("$x".p, "$q".a.p)`
		return fmt.Sprintf(`(list_transform([{a: %s, l: %s}], lambda "$q": CASE WHEN "$q".a IS NOT NULL THEN len(list_filter(list_transform("$q".l, lambda "$e": %s), lambda "$x": %s = %s)) > 0 END)[1])`,
			ipv6Of(c.args[0].sql), textsOf(c.args[1:]), ipv6Of(`"$e"`), maskIPv6(`"$q".a.h`, p), maskIPv6(`"$x".h`, p)), nil
	}
	var conds []string
	for _, s := range consts {
		p, ok := prefixOf(s)
		if !ok {
			continue
		}
		b, bits := p.Addr().As16(), p.Bits()
		if p.Addr().Is4() {
			bits += 96
		}
		conds = append(conds, maskIPv6(`"$n"`, fmt.Sprint(bits))+" = '"+hex.EncodeToString(b[:])+"'")
	}
	if conds == nil {
		return "NULL::BOOLEAN", nil
	}
	return `(list_transform([` + expand(bindIPv6("$1", maskIPv6(`"$r".h`, `"$r".p`)), c.args[:1]) + `], lambda "$n": ` + strings.Join(conds, " OR ") + `)[1])`, nil
}
