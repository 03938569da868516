package reputation

import (
	"encoding/json"
	"math"
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"
)

// AppendJSON appends the profile as encoding/json would write it without escaping
// for HTML. It is written by hand because a profile is encoded for each of the
// hundreds of thousands of addresses that are looked up in a second.
func (p *Profile) AppendJSON(b []byte) []byte {
	b = appendAddr(append(b, `{"ip":`...), p.IP)
	b = appendText(append(b, `,"status":`...), p.Status)
	b = optional(b, `,"reason":`, p.Reason)
	return append(p.AppendFacts(b), '}')
}

// AppendFacts appends the members of the JSON object that follow status and reason,
// each with a comma before it.
func (p *Profile) AppendFacts(b []byte) []byte {
	b = appendText(append(b, `,"verdict":`...), string(p.Verdict))
	b = strconv.AppendInt(append(b, `,"confidence":`...), int64(p.Confidence), 10)
	b = texts(b, `,"reasons":`, p.Reasons)
	b = texts(b, `,"dissent":`, p.Dissent)
	if o := p.Override; o != nil {
		b = o.appendJSON(append(b, `,"override":`...))
	}
	if b = append(b, `,"ttps":`...); p.Labels == nil {
		b = append(b, "null"...)
	} else {
		b = appendTexts(b, p.Labels)
	}
	b = texts(b, `,"techniques":`, p.Techniques)
	b = texts(b, `,"techniques_v18":`, p.TechniquesV18)
	b = texts(b, `,"behaviours":`, p.Behaviours)
	b = appendText(append(b, `,"indicator_of_intelligence":`...), p.Indicator)
	b = texts(b, `,"indicator_evidence":`, p.Evidence)
	b = whole(b, `,"aggressiveness":`, int64(p.Aggressiveness))
	b = moment(b, `,"first_seen":`, p.FirstSeen)
	b = moment(b, `,"last_seen":`, p.LastSeen)
	b = optional(b, `,"country_code":`, p.CountryCode)
	for i, s := range p.Countries {
		b = next(b, `,"countries":[`, i)
		b = appendText(append(b, `{"value":`...), s.Value)
		if b = append(b, `,"sources":`...); s.Sources == nil {
			b = append(b, "null"...)
		} else {
			b = appendTexts(b, s.Sources)
		}
		b = append(b, '}')
	}
	if len(p.Countries) > 0 {
		b = append(b, ']')
	}
	b = optional(b, `,"city":`, p.City)
	b = number64(b, `,"latitude":`, p.Latitude)
	b = number64(b, `,"longitude":`, p.Longitude)
	b = whole(b, `,"asn":`, p.ASN)
	b = optional(b, `,"as_organization":`, p.ASOrg)
	b = optional(b, `,"network":`, p.Network)
	b = optional(b, `,"reverse_dns":`, p.ReverseDNS)
	b = texts(b, `,"classes":`, p.Classes)
	b = texts(b, `,"lists":`, p.Lists)
	b = wholes(b, `,"ports":[`, p.Ports)
	b = texts(b, `,"cves":`, p.CVEs)
	b = optional(b, `,"embedded_ipv4":`, p.EmbeddedIPv4)
	for i := range p.Sources {
		b = next(b, `,"sources":[`, i)
		b = p.Sources[i].appendJSON(b)
	}
	if len(p.Sources) > 0 {
		b = append(b, ']')
	}
	b = appendFloat(append(b, `,"cost_usd":`...), p.CostUSD)
	return moment(b, `,"at":`, p.At)
}

func (o *Override) appendJSON(b []byte) []byte {
	b = appendText(append(b, `{"verdict":`...), string(o.Verdict))
	b = appendText(append(b, `,"author":`...), o.Author)
	b = optional(b, `,"note":`, o.Note)
	b = appendTime(append(b, `,"set":`...), o.Set)
	return append(moment(b, `,"expires":`, o.Expires), '}')
}

func (f *Finding) appendJSON(b []byte) []byte {
	b = appendText(append(b, `{"source":`...), f.Source)
	b = optional(b, `,"title":`, f.Title)
	b = appendText(append(b, `,"state":`...), string(f.State))
	b = optional(b, `,"reason":`, f.Reason)
	b = optional(b, `,"verdict":`, string(f.Verdict))
	b = whole(b, `,"confidence":`, int64(f.Confidence))
	b = optional(b, `,"score":`, f.Score)
	b = texts(b, `,"labels":`, f.Labels)
	b = texts(b, `,"techniques":`, f.Techniques)
	b = texts(b, `,"behaviours":`, f.Behaviours)
	b = texts(b, `,"classes":`, f.Classes)
	b = texts(b, `,"lists":`, f.Lists)
	b = optional(b, `,"indicator":`, f.Indicator)
	b = optional(b, `,"evidence":`, f.Evidence)
	b = whole(b, `,"aggressiveness":`, int64(f.Aggressiveness))
	b = optional(b, `,"country_code":`, f.CountryCode)
	b = optional(b, `,"city":`, f.City)
	b = number64(b, `,"latitude":`, f.Latitude)
	b = number64(b, `,"longitude":`, f.Longitude)
	b = whole(b, `,"asn":`, f.ASN)
	b = optional(b, `,"as_organization":`, f.ASOrg)
	b = optional(b, `,"network":`, f.Network)
	b = optional(b, `,"reverse_dns":`, f.ReverseDNS)
	b = wholes(b, `,"ports":[`, f.Ports)
	b = texts(b, `,"cves":`, f.CVEs)
	b = moment(b, `,"first_seen":`, f.FirstSeen)
	b = moment(b, `,"last_seen":`, f.LastSeen)
	if f.Asserted {
		b = append(b, `,"asserted":true`...)
	}
	b = moment(b, `,"fetched":`, f.Fetched)
	b = moment(b, `,"expires":`, f.Expires)
	b = moment(b, `,"until":`, f.Until)
	if f.Stale {
		b = append(b, `,"stale":true`...)
	}
	if f.Cached {
		b = append(b, `,"cached":true`...)
	}
	b = number64(b, `,"cost_usd":`, f.CostUSD)
	return append(optional(b, `,"reliability":`, f.Reliability), '}')
}

// optional, texts, whole, wholes, moment and number64 append a member that is left
// out when it says nothing.
func optional(b []byte, member, s string) []byte {
	if s == "" {
		return b
	}
	return appendText(append(b, member...), s)
}

func texts(b []byte, member string, list []string) []byte {
	if len(list) == 0 {
		return b
	}
	return appendTexts(append(b, member...), list)
}

func whole(b []byte, member string, n int64) []byte {
	if n == 0 {
		return b
	}
	return strconv.AppendInt(append(b, member...), n, 10)
}

func wholes(b []byte, member string, list []int) []byte {
	for i, n := range list {
		b = strconv.AppendInt(next(b, member, i), int64(n), 10)
	}
	if len(list) > 0 {
		b = append(b, ']')
	}
	return b
}

// next appends what stands before element i of a list that is a member.
func next(b []byte, member string, i int) []byte {
	if i > 0 {
		return append(b, ',')
	}
	return append(b, member...)
}

func moment(b []byte, member string, t time.Time) []byte {
	if t.IsZero() {
		return b
	}
	return appendTime(append(b, member...), t)
}

func number64(b []byte, member string, f float64) []byte {
	if f == 0 {
		return b
	}
	return appendFloat(append(b, member...), f)
}

func appendTexts(b []byte, list []string) []byte {
	b = append(b, '[')
	for i, s := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, s)
	}
	return append(b, ']')
}

// appendAddr appends an address. Only a zone may hold what has to be escaped.
func appendAddr(b []byte, a netip.Addr) []byte {
	if a.Zone() != "" {
		return appendText(b, a.String())
	}
	b = append(b, '"')
	if a.IsValid() {
		b = a.AppendTo(b)
	}
	return append(b, '"')
}

// appendTime appends a time as RFC 3339 has it. What that cannot write is null.
func appendTime(b []byte, t time.Time) []byte {
	text, err := t.AppendText(append(b, '"'))
	if err != nil {
		return append(b, "null"...)
	}
	return append(text, '"')
}

// appendFloat appends a number in the shortest form that reads as the same. What
// JSON has no number for is null.
func appendFloat(b []byte, f float64) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(b, "null"...)
	}
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		text, _ := json.Marshal(f) // a finite number always encodes
		return append(b, text...)
	}
	return strconv.AppendFloat(b, f, 'f', -1, 64)
}

// appendText appends a JSON string.
func appendText(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' && c < utf8.RuneSelf {
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			r, size := utf8.DecodeRuneInString(s[i:])
			switch {
			case r == utf8.RuneError && size == 1:
				b = append(append(b, s[from:i]...), `\ufffd`...)
				from = i + size
			case r == '\u2028' || r == '\u2029': // the ends of a line in JavaScript
				b = append(append(b, s[from:i]...), `\u202`...)
				b = append(b, hex[r&0xf])
				from = i + size
			}
			i += size
			continue
		}
		b = append(b, s[from:i]...)
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, `\b`...)
		case '\f':
			b = append(b, `\f`...)
		case '\n':
			b = append(b, `\n`...)
		case '\r':
			b = append(b, `\r`...)
		case '\t':
			b = append(b, `\t`...)
		default:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
		}
		i++
		from = i
	}
	return append(append(b, s[from:]...), '"')
}
