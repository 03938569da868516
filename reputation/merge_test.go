package reputation

import (
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestMergeVerdict(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	says := func(v Verdict, reliability string, confidence int) Finding {
		return Finding{Source: "s" + reliability, State: Hit, Verdict: v, Reliability: reliability, Confidence: confidence}
	}
	old := says(Malicious, "A", 100)
	old.LastSeen = now.Add(-90 * 24 * time.Hour)
	country := Finding{Source: "geo", State: Clean, Reliability: "A", CountryCode: "RU"}
	for name, tt := range map[string]struct {
		findings []Finding
		want     Verdict
	}{
		"nothing":                          {nil, Unknown},
		"a country":                        {[]Finding{country}, Unknown},
		"one completely reliable":          {[]Finding{says(Malicious, "A", 90)}, Malicious},
		"one of middling reliability":      {[]Finding{says(Malicious, "C", 100)}, Suspicious},
		"one fairly reliable":              {[]Finding{says(Malicious, "B", 100)}, Suspicious},
		"one noisy feed":                   {[]Finding{says(Malicious, "E", 100)}, Unknown},
		"many noisy feeds":                 {[]Finding{says(Malicious, "D", 100), says(Malicious, "D", 100), says(Malicious, "E", 100)}, Suspicious},
		"two of middling reliability":      {[]Finding{says(Malicious, "C", 90), says(Malicious, "C", 90)}, Malicious},
		"suspicions do not make malicious": {[]Finding{says(Suspicious, "A", 100), says(Suspicious, "A", 100)}, Suspicious},
		"long ago":                         {[]Finding{old}, Unknown},
		"benign and a noisy feed":          {[]Finding{says(Benign, "B", 90), says(Malicious, "D", 100)}, Benign},
		"benign":                           {[]Finding{says(Benign, "B", 90)}, Benign},
		"cannot be judged":                 {[]Finding{says(Malicious, "F", 100)}, Unknown},
		"refused":                          {[]Finding{{Source: "x", State: Refused, Verdict: Malicious, Reliability: "A"}}, Unknown},
	} {
		p := Merge(netip.MustParseAddr("192.0.2.1"), tt.findings, nil, now)
		if p.Verdict != tt.want {
			t.Errorf("%s: %s (%d %%), want %s", name, p.Verdict, p.Confidence, tt.want)
		}
		if (p.Verdict == Unknown) != (p.Confidence == 0) {
			t.Errorf("%s: %s with confidence %d", name, p.Verdict, p.Confidence)
		}
	}
}

func TestMergeFacts(t *testing.T) {
	seen := time.Date(2026, 11, 25, 0, 0, 0, 0, time.UTC)
	p := Merge(netip.MustParseAddr("64:ff9b::808:808"), []Finding{
		{Source: "bad", Title: "Bad", State: Hit, Verdict: Malicious, Reliability: "A", Confidence: 90, Labels: []string{"known-bot", "known-ssh-attack"},
			Techniques: []string{"T1110"}, CountryCode: "NL", Indicator: Bot, LastSeen: seen, Behaviours: []string{"SSH brute force"}},
		{Source: "geo", State: Clean, Reliability: "B", CountryCode: "US", City: "Amsterdam", ASN: 64496, ASOrg: "Example"},
		{Source: "good", State: Clean, Verdict: Benign, Reliability: "D", Confidence: 50, Labels: []string{"never"}},
		{Source: "later", State: Waiting, Reliability: "A", Until: time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)},
		{Source: "mute", State: Failed, Reliability: "A"},
		{Source: "dear", State: Skipped, Reliability: "A"},
	}, nil, seen)
	if p.Status != "partial" || p.Verdict != Malicious || strings.Join(p.Labels, " ") != "known-ssh-attack known-bot" {
		t.Errorf("%+v", p)
	}
	if p.CountryCode != "NL" || len(p.Countries) != 2 || p.City != "Amsterdam" || p.ASN != 64496 || p.Indicator != Bot || p.EmbeddedIPv4 != "8.8.8.8 (NAT64)" {
		t.Errorf("%+v", p)
	}
	if len(p.Dissent) != 1 || p.Reason != "Bad: malicious, SSH brute force; later waits until 2026-12-01T00:00:00Z; no answer of mute; not to be paid for: dear" {
		t.Errorf("%q, dissent %q", p.Reason, p.Dissent)
	}
}
