package reputation

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"picket/address"
)

// weightOf is the weight of a letter of reliability. A source that cannot be judged
// (F) adds facts and no weight.
func weightOf(letter string) float64 {
	switch letter {
	case "A":
		return 1
	case "B":
		return 0.8
	case "C":
		return 0.6
	case "D":
		return 0.4
	case "E":
		return 0.2
	}
	return 0
}

// halfLife is the time in which what a source saw last loses half of its weight:
// addresses change hands. A block list or a verdict without a date keeps it.
const halfLife = 30 * 24 * time.Hour

// Merge makes one profile of what the sources say of an address. No single
// source of middling reliability decides: see [verdictOf]. A country alone never
// weighs.
func Merge(ip netip.Addr, findings []Finding, override *Override, now time.Time) Profile {
	p := Profile{IP: ip, Status: StatusEnriched, Labels: []string{}, Sources: findings, At: now}
	if v4, kind, ok := address.Embedded(ip); ok {
		p.EmbeddedIPv4 = fmt.Sprintf("%s (%s)", v4, kind)
	}
	p.verdictOf(findings, now)
	p.facts(findings)
	for i := range findings {
		f := &findings[i]
		p.CostUSD += f.CostUSD
		if f.State == Waiting || f.State == Failed || f.State == Refused || f.State == Skipped {
			p.Status = StatusPartial
		}
	}
	if override != nil && (override.Expires.IsZero() || now.Before(override.Expires)) {
		p.override(override)
	}
	if p.Verdict != Malicious && p.Verdict != Suspicious {
		p.Labels = []string{} // a client blocks an address for any label
	}
	p.Reason = p.sentence()
	return p
}

// override lets a person's verdict win. What the sources say stays visible.
func (p *Profile) override(o *Override) {
	reason := fmt.Sprintf("%s set this to %s", o.Author, o.Verdict)
	if o.Note != "" {
		reason += ": " + o.Note
	}
	if p.Verdict != o.Verdict && p.Verdict != Unknown {
		p.Dissent = append([]string{fmt.Sprintf("the sources say %s (%d %%)", p.Verdict, p.Confidence)}, p.Dissent...)
	}
	p.Verdict, p.Confidence, p.Override = o.Verdict, 100, o
	p.Reasons = append([]string{reason}, p.Reasons...)
}

// A vote is what one source's verdict weighs.
type vote struct {
	*Finding
	weight float64 // towards malicious or benign
	full   float64 // towards being anything bad
}

// verdictOf weighs the verdicts. Each source votes with its reliability times
// its confidence, less with age. Bad votes are combined as independent evidence,
// 1 − ∏(1 − weight), malicious ones in full and suspicious ones by half:
//
//	malicious   from 0.6 on, when a source of reliability A says so, or two that are at the least C do
//	suspicious  from 0.25 on
//	benign      when the good weighs more than the bad, and 0.25 at the least
//
// Votes of one noisy feed (D or E) stay below the first two bounds however sure it is.
func (p *Profile) verdictOf(findings []Finding, now time.Time) {
	var bad, good []vote
	for i := range findings {
		f := &findings[i]
		w := weightOf(f.Reliability) * float64(cmp.Or(f.Confidence, usual(f))) / 100
		if f.State != Hit && f.State != Clean || w == 0 {
			continue
		}
		if !f.LastSeen.IsZero() && now.After(f.LastSeen) && !f.Asserted {
			w *= math.Exp2(-float64(now.Sub(f.LastSeen)) / float64(halfLife))
		}
		switch f.Verdict {
		case Malicious:
			bad = append(bad, vote{f, w, w})
		case Suspicious:
			bad = append(bad, vote{f, w / 2, w})
		case Benign:
			good = append(good, vote{f, w, w})
		}
	}
	badWeight, goodWeight := together(bad), together(good)
	p.Verdict = Unknown
	switch {
	case badWeight >= 0.6 && badWeight > goodWeight && enough(bad):
		p.Verdict, p.Confidence = Malicious, percent(badWeight*(1-goodWeight/2))
	case goodWeight >= badWeight && goodWeight >= 0.25:
		p.Verdict, p.Confidence = Benign, percent(goodWeight*(1-badWeight/2))
	case badWeight >= 0.25:
		rest := 1.0
		for _, v := range bad {
			rest *= 1 - v.full
		}
		p.Verdict, p.Confidence = Suspicious, percent((1-rest)*(1-goodWeight/2))
	}
	for _, v := range byWeight(bad) {
		p.take(v, p.Verdict == Malicious || p.Verdict == Suspicious)
	}
	for _, v := range byWeight(good) {
		p.take(v, p.Verdict == Benign)
	}
}

// usual is how sure a source is that does not say.
func usual(f *Finding) int {
	if f.Asserted {
		return 90
	}
	return 50
}

// take makes a vote a reason or a dissent.
func (p *Profile) take(v vote, agrees bool) {
	text := cmp.Or(v.Title, v.Source) + ": " + string(v.Verdict)
	if v.Score != "" {
		text += " (" + v.Score + ")"
	}
	if what := cmp.Or(v.Reason, strings.Join(v.Behaviours, ", ")); what != "" {
		text += ", " + what
	}
	if agrees {
		p.Reasons = append(p.Reasons, text)
	} else {
		p.Dissent = append(p.Dissent, text)
	}
}

// enough says whether the sources that say malicious may decide together.
func enough(bad []vote) bool {
	n := 0
	for _, v := range bad {
		if v.Verdict != Malicious {
			continue
		}
		if v.Reliability == "A" {
			return true
		}
		if v.Reliability == "B" || v.Reliability == "C" {
			n++
		}
	}
	return n >= 2
}

// together is the weight of independent votes.
func together(votes []vote) float64 {
	rest := 1.0
	for _, v := range votes {
		rest *= 1 - v.weight
	}
	return 1 - rest
}

func byWeight(votes []vote) []vote {
	slices.SortStableFunc(votes, func(a, b vote) int { return cmp.Compare(b.weight, a.weight) })
	return votes
}

func percent(w float64) int { return int(math.Round(100 * min(max(w, 0), 1))) }

// facts collects what is no verdict. Of a fact that can have one value only the
// most reliable source's is taken.
func (p *Profile) facts(findings []Finding) {
	var space [16]int
	var indicators map[string]float64
	for _, i := range byReliability(space[:0], findings) {
		f := &findings[i]
		if f.State != Hit && f.State != Clean {
			continue
		}
		if f.Verdict == Malicious || f.Verdict == Suspicious {
			p.Labels = append(p.Labels, f.Labels...)
			for _, id := range f.Techniques {
				p.Techniques = union(p.Techniques, []string{v19Of(id)})
			}
		}
		p.Behaviours = union(p.Behaviours, f.Behaviours)
		p.Classes, p.Lists, p.CVEs, p.Ports = union(p.Classes, f.Classes), union(p.Lists, f.Lists), union(p.CVEs, f.CVEs), union(p.Ports, f.Ports)
		p.Aggressiveness = max(p.Aggressiveness, f.Aggressiveness)
		p.CountryCode = cmp.Or(p.CountryCode, f.CountryCode)
		if p.City == "" && f.City != "" {
			p.City, p.Latitude, p.Longitude = f.City, f.Latitude, f.Longitude
		}
		if p.ASN == 0 && f.ASN != 0 {
			p.ASN, p.ASOrg = f.ASN, f.ASOrg
		} else if p.ASN == f.ASN {
			p.ASOrg = cmp.Or(p.ASOrg, f.ASOrg)
		}
		p.Network, p.ReverseDNS = cmp.Or(p.Network, f.Network), cmp.Or(p.ReverseDNS, f.ReverseDNS)
		if f.Indicator != "" && f.Indicator != Undetermined {
			if indicators == nil {
				indicators = map[string]float64{}
			}
			indicators[f.Indicator] += weightOf(f.Reliability)
			p.Evidence = append(p.Evidence, cmp.Or(f.Title, f.Source)+": "+cmp.Or(f.Evidence, f.Indicator))
		}
		if !f.FirstSeen.IsZero() && (p.FirstSeen.IsZero() || f.FirstSeen.Before(p.FirstSeen)) {
			p.FirstSeen = f.FirstSeen
		}
		if f.LastSeen.After(p.LastSeen) {
			p.LastSeen = f.LastSeen
		}
	}
	p.Labels = append([]string{}, SortLabels(p.Labels)...)
	slices.Sort(p.Techniques)
	p.TechniquesV18 = v18Techniques(p.Techniques)
	slices.Sort(p.Ports)
	p.Indicator = indicatorOf(indicators)
	p.Countries = differing(space[:0], findings)
}

// byReliability appends the numbers of the findings, the most reliable first.
func byReliability(order []int, findings []Finding) []int {
	for i := range findings {
		order = append(order, i)
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(weightOf(findings[b].Reliability), weightOf(findings[a].Reliability))
	})
	return order
}

// differing is who says which country, when not all of them say the same.
func differing(space []int, findings []Finding) (out []Said) {
	says := func(f *Finding) bool { return f.CountryCode != "" && (f.State == Hit || f.State == Clean) }
	country, differ := "", false
	for i := range findings {
		if f := &findings[i]; says(f) {
			country = cmp.Or(country, f.CountryCode)
			differ = differ || f.CountryCode != country
		}
	}
	if !differ {
		return nil
	}
	countries := map[string][]string{}
	for _, i := range byReliability(space, findings) {
		if f := &findings[i]; says(f) {
			countries[f.CountryCode] = append(countries[f.CountryCode], f.Source)
		}
	}
	for _, c := range slices.Sorted(maps.Keys(countries)) {
		out = append(out, Said{c, countries[c]})
	}
	return out
}

// indicatorOf is the indicator with the most weight, and undetermined when two
// have as much.
func indicatorOf(weight map[string]float64) string {
	if len(weight) == 0 {
		return Undetermined
	}
	best, most := Undetermined, 0.0
	for _, k := range slices.Sorted(maps.Keys(weight)) {
		switch w := weight[k]; {
		case w > most:
			best, most = k, w
		case w == most:
			best = Undetermined
		}
	}
	return best
}

// union appends what is not there yet.
func union[T comparable](to, from []T) []T {
	for _, v := range from {
		if !slices.Contains(to, v) {
			to = append(to, v)
		}
	}
	return to
}

// sentence says in one line what matters most, and what is missing.
func (p *Profile) sentence() string {
	s := p.known()
	if missing := p.missing(); missing != "" {
		s += "; " + missing
	}
	return s
}

// missing says which sources have not answered, and when those that wait may be asked.
func (p *Profile) missing() string {
	var waiting, failed, unpaid []string
	for i := range p.Sources {
		f := &p.Sources[i]
		switch name := cmp.Or(f.Title, f.Source); f.State {
		case Waiting:
			waiting = append(waiting, name)
		case Failed, Refused:
			failed = append(failed, name)
		case Skipped:
			unpaid = append(unpaid, name)
		}
	}
	var parts []string
	if len(waiting) > 0 {
		verb := " waits until "
		if len(waiting) > 1 {
			verb = " wait, the first until "
		}
		parts = append(parts, strings.Join(waiting, ", ")+verb+p.WaitsUntil().UTC().Format(time.RFC3339))
	}
	if len(failed) > 0 {
		parts = append(parts, "no answer of "+strings.Join(failed, ", "))
	}
	if len(unpaid) > 0 {
		parts = append(parts, "not to be paid for: "+strings.Join(unpaid, ", "))
	}
	return strings.Join(parts, "; ")
}

// known says in one line what the sources have said.
func (p *Profile) known() string {
	if len(p.Reasons) > 0 && p.Verdict != Unknown {
		s := p.Reasons[0]
		if n := len(p.Reasons) - 1; n > 0 {
			s += fmt.Sprintf("; and %d more", n)
		}
		return s
	}
	asked, known := 0, 0
	for i := range p.Sources {
		f := &p.Sources[i]
		if f.State.Kept() {
			asked++
		}
		if f.State == Hit || f.State == Clean {
			known++
		}
	}
	switch {
	case asked == 0:
		return "no source has answered"
	case known == 0:
		return "not known to " + strconv.Itoa(asked) + " sources"
	}
	return "nothing bad is known to " + strconv.Itoa(asked) + " sources"
}
