package main

import (
	"cmp"
	"context"
	"encoding/json"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"picket/app"
	"picket/reputation"
	"picket/state"
)

// profile checks an answer of Picket's own API: every row says what its source
// knows, no source is missing, and the whole follows from the rows.
func (s *soak) profile(c *soakCaller, id string, ip netip.Addr, text []byte) {
	var p reputation.Profile
	if err := json.Unmarshal(text, &p); err != nil || p.IP != ip {
		s.t.Errorf("%s: %v %.300s", ip, err, text)
		return
	}
	if ip.IsPrivate() {
		if p.Status != reputation.StatusSkipped {
			s.t.Errorf("%s was looked up", ip)
		}
		s.mu.Lock()
		s.skipped++
		s.mu.Unlock()
		return
	}
	s.count(c, id, ip)
	truths := s.truths(ip)
	whole := true
	s.mu.Lock()
	s.answers++
	for _, f := range p.Sources {
		if f.Cached && !f.Stale {
			s.cached[f.Source]++
		}
		if f.Stale {
			s.stale++
		}
		whole = whole && f.State.Kept()
	}
	if p.Status == reputation.StatusPartial {
		s.partial++
	}
	s.mu.Unlock()
	if whole != (p.Status == reputation.StatusEnriched) {
		s.t.Errorf("%s: status %s", ip, p.Status)
	}
	if len(p.Sources) != len(truths) {
		s.t.Errorf("%s: %d sources, want %d: %s", ip, len(p.Sources), len(truths), text)
	}
	for _, f := range p.Sources {
		if want, ok := truths[f.Source]; !ok {
			s.t.Errorf("%s: a row of %s", ip, f.Source)
		} else if diff := gocmp.Diff(said(want), said(f)); f.State.Kept() && diff != "" {
			s.t.Errorf("%s: %s says something else: %s", ip, f.Source, diff)
		} else if !f.State.Kept() && (f.Verdict != "" || f.Reason == "") {
			s.t.Errorf("%s: %s: %+v", ip, f.Source, f)
		}
	}
	want := reputation.Merge(ip, p.Sources, nil, p.At)
	if diff := gocmp.Diff(whole1(want), whole1(p)); diff != "" {
		s.t.Errorf("%s: what its rows come to: %s", ip, diff)
	}
	if strings.Contains(string(text), soakKey) {
		s.t.Errorf("%s: the answer holds a key", ip)
	}
}

// said is a finding without what differs from one asking to the next.
func said(f reputation.Finding) reputation.Finding {
	f.Fetched, f.Expires, f.Until, f.CostUSD, f.Cached = time.Time{}, time.Time{}, time.Time{}, 0, false
	if f.Stale {
		f.Stale = false
	}
	f.Reason, f.Network = "", ""
	f.LastSeen, f.FirstSeen = f.LastSeen.UTC(), f.FirstSeen.UTC()
	return f
}

// whole1 is what a profile says on the whole.
func whole1(p reputation.Profile) []any {
	return []any{p.Verdict, p.Confidence, p.Reasons, p.Dissent, p.Labels, p.Techniques, p.CountryCode, p.ASN, p.ASOrg, p.Classes, p.Lists, p.Indicator}
}

// truths are the findings that the sources have for an address, by source.
func (s *soak) truths(ip netip.Addr) map[string]reputation.Finding {
	out := map[string]reputation.Finding{}
	for _, f := range s.fakes {
		if f.Asks(ip) {
			out[f.Name] = f.truth(ip)
		}
	}
	if inStore(ip) {
		out["picket"] = reputation.Finding{Source: "picket", Title: "soak", Reliability: "A", State: reputation.Hit, Asserted: true, Verdict: reputation.Malicious,
			Confidence: 95, Labels: []string{"known-ssh-attack"}, Behaviours: []string{"known-ssh-attack"}}
	}
	if onList(ip) {
		out["soak-list"] = reputation.Finding{Source: "soak-list", Title: "Soak list", Reliability: "C", State: reputation.Hit, Verdict: reputation.Suspicious, Confidence: 60, Lists: []string{"soak-list"}}
	}
	return out
}

// prowl is GET /GetIPReputation. Its answer does not say which of the sources have
// answered; so the verdict must be one that some of them come to, the local ones
// among them, and the labels must be those of a source.
func (s *soak) prowl(c *soakCaller, id string, ip netip.Addr) {
	status, text := s.send("GET", "/GetIPReputation?ip="+ip.String(), c.Text, id, "")
	if !s.answered(status, text) {
		return
	}
	var a struct {
		IP      netip.Addr
		Ttps    []string
		Verdict reputation.Verdict
	}
	if err := json.Unmarshal([]byte(text), &a); err != nil || a.IP != ip || a.Ttps == nil {
		s.t.Errorf("%s: %v %s", ip, err, text)
		return
	}
	if ip.IsPrivate() {
		if len(a.Ttps) > 0 || a.Verdict != "" {
			s.t.Errorf("%s: %s", ip, text)
		}
		s.mu.Lock()
		s.skipped++
		s.mu.Unlock()
		return
	}
	s.count(c, id, ip)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers++
	if v := cmp.Or(a.Verdict, reputation.Unknown); !s.verdicts(ip)[v] {
		s.t.Errorf("%s: %s; the sources may come to %v", ip, v, s.verdicts(ip))
	}
	var labels []string
	for _, f := range s.truths(ip) {
		labels = append(labels, f.Labels...)
	}
	for _, l := range a.Ttps {
		if !slices.Contains(labels, l) || a.Verdict != reputation.Malicious && a.Verdict != reputation.Suspicious {
			s.t.Errorf("%s: label %s: %s", ip, l, text)
		}
	}
}

// verdicts are what the local sources of an address and any of the others may come
// to. s.mu is held.
func (s *soak) verdicts(ip netip.Addr) map[reputation.Verdict]bool {
	if v, ok := s.possible[ip]; ok {
		return v
	}
	var local, others []reputation.Finding
	for name, f := range s.truths(ip) {
		switch {
		case name == "picket" || name == "soak-list":
			local = append(local, f)
		case f.Verdict != "":
			others = append(others, f)
		}
	}
	v := map[reputation.Verdict]bool{}
	for set := range 1 << len(others) {
		rows := slices.Clone(local)
		for i, f := range others {
			if set>>i&1 == 1 {
				rows = append(rows, f)
			}
		}
		v[reputation.Merge(ip, rows, nil, time.Now()).Verdict] = true
	}
	s.possible[ip] = v
	return v
}

// checkKeys holds what the keys' lookups were counted as against the answers.
func (s *soak) checkKeys() {
	db := s.books()
	defer db.Close(context.Background())
	days, err := db.Usage(context.Background(), "", "", "")
	if err != nil {
		s.t.Fatal(err)
	}
	counted, cost := map[string]int64{}, map[string]int64{}
	for _, d := range days {
		counted[d.KeyID] += d.Requests
		cost[d.KeyID] += d.CostMicroUSD
	}
	for _, k := range s.keys {
		s.t.Logf("key %s: %d lookups answered, %d counted, $%.2f", k.Name, k.counted, counted[k.ID], float64(cost[k.ID])/1e6)
		if counted[k.ID] != k.counted || cost[k.ID] != 20_000*k.counted {
			s.t.Errorf("the meter of key %s is off", k.Name)
		}
	}
}

// books opens the state that the server has left.
func (s *soak) books() *state.DB {
	db, err := state.Open(context.Background(), state.Options{Path: filepath.Join(s.data, app.StateFile)})
	if err != nil {
		s.t.Fatal(err)
	}
	return db
}

// checkProviders holds the ledger against what the providers were asked.
func (s *soak) checkProviders() {
	db := s.books()
	defer db.Close(context.Background())
	lines, err := db.ProviderUsageSince(context.Background(), "2000-01-01")
	if err != nil {
		s.t.Fatal(err)
	}
	ledger := map[string]state.ProviderUsage{}
	for _, l := range lines {
		u := ledger[l.Provider]
		u.Requests, u.Cached, u.Skipped, u.CostMicroUSD = u.Requests+l.Requests, u.Cached+l.Cached, u.Skipped+l.Skipped, u.CostMicroUSD+l.CostMicroUSD
		ledger[l.Provider] = u
	}
	for _, f := range s.fakes {
		f.mu.Lock()
		u := ledger[f.Name]
		s.t.Logf("%s: asked %d times, ledger %d requests, $%.2f, %d from the cache (seen in answers: %d), %d skipped; faults %v", f.Name, f.asked, u.Requests, float64(u.CostMicroUSD)/1e6,
			u.Cached, s.cached[f.Name], u.Skipped, f.faults)
		if f.asked != u.Requests {
			s.t.Errorf("%s was asked %d times, and the ledger has %d", f.Name, f.asked, u.Requests)
		}
		if want := int64(f.PriceUSD*1e6+0.5) * (f.asked - f.free); u.CostMicroUSD != want {
			s.t.Errorf("%s: the ledger has %d µUSD, want %d", f.Name, u.CostMicroUSD, want)
		}
		if u.Skipped != s.skipped || u.Cached < s.cached[f.Name] {
			s.t.Errorf("%s: the ledger has %d skipped and %d cached, want %d and at least %d", f.Name, u.Skipped, u.Cached, s.skipped, s.cached[f.Name])
		}
		if len(f.twice) > 0 || len(f.strange) > 0 {
			s.t.Errorf("%s was asked again while an answer was good for %v, and oddly for %v", f.Name, f.twice, f.strange)
		}
		f.mu.Unlock()
	}
}

// checkMemory compares the last quarter with the second: by then the caches are full.
func (s *soak) checkMemory() {
	n := len(s.memory)
	if n < 20 {
		s.t.Errorf("the server was measured %d times only", n)
		return
	}
	second, last := s.memory[n/4:n/2], s.memory[n*3/4:]
	mean := func(v []int64) (sum int64) {
		for _, x := range v {
			sum += x / int64(len(v))
		}
		return sum
	}
	files2, filesLast := slices.Max(s.files[n/4:n/2]), slices.Max(s.files[n*3/4:])
	s.t.Logf("resident memory: %d MiB in the second quarter, %d MiB in the last, %d MiB at most; open files %d and %d at most",
		mean(second)>>20, mean(last)>>20, slices.Max(s.memory)>>20, files2, filesLast)
	if s.length < 10*time.Minute {
		return // the caches are still filling
	}
	if mean(last) > mean(second)*5/4+16<<20 {
		s.t.Error("memory grows")
	}
	if filesLast > files2+32 {
		s.t.Error("open files grow")
	}
}
