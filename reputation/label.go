package reputation

import (
	"slices"
	"strings"
)

// labelRank orders the labels of hostile acts that Lupovis Prowl gives in
// "ttps": a service that was attacked says more than a way of attacking, and
// clients that show one label show the first. ok is false for a label that is
// not one of the eight; such a label is legal and ranks before the two that say
// the least.
func labelRank(label string) (rank int, ok bool) {
	switch label {
	case "known-ssh-attack":
		return 0, true
	case "known-voip-attack":
		return 1, true
	case "known-imap-attack":
		return 2, true
	case "known-email-attack":
		return 3, true
	case "known-apache-attack":
		return 4, true
	case "web-brute-force":
		return 5, true
	case "known-brute-force-attack":
		return 7, true
	case "known-bot":
		return 8, true
	}
	return 6, false
}

// SortLabels returns labels without repeats, the most telling first. Labels of
// one rank keep their order.
func SortLabels(labels []string) []string {
	var out []string
	for _, l := range labels {
		if !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	slices.SortStableFunc(out, func(a, b string) int {
		ra, _ := labelRank(a)
		rb, _ := labelRank(b)
		return ra - rb
	})
	return out
}

// labelProblem says why a text must not be a label, with what to do instead, or
// "". Clients block an address for any label at all, so a label can say nothing
// good or neutral.
func labelProblem(label string) string {
	if isTechnique(strings.ToUpper(label)) {
		return "is an ATT&CK technique: put it in techniques (clients block every address with a label they do not know)"
	}
	switch strings.TrimPrefix(strings.ToLower(label), "known-") {
	case "benign", "clean", "safe", "good", "none", "unknown", "suspicious", "malicious":
		return "is a verdict, not a hostile act: put it in verdict"
	case "bot":
		if label != "known-bot" {
			return "is not a label: write known-bot if it attacks, or put bot in indicator_of_intelligence"
		}
	case "human":
		return "is not a hostile act: put it in indicator_of_intelligence"
	case "scanner", "research-scanner", "crawler", "search-engine", "whitelisted", "allowlisted",
		"tor", "tor-exit", "vpn", "proxy", "cdn", "cloud", "hosting", "residential", "mobile":
		return "is not a hostile act: leave it out, because clients block an address for any label"
	}
	if label == "" || len(label) > 64 || strings.ContainsFunc(label, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("-_.:", r))
	}) {
		return "is not a label: one has 1 to 64 letters, digits and -_.:, for example known-ssh-attack"
	}
	return ""
}

// isTechnique reports whether s is an ATT&CK technique id: T1110 or T1110.001.
func isTechnique(s string) bool {
	digits := func(s string, n int) bool {
		return len(s) == n && strings.Trim(s, "0123456789") == ""
	}
	id, sub, dotted := strings.Cut(s, ".")
	return strings.HasPrefix(id, "T") && digits(id[1:], 4) && (!dotted || digits(sub, 3))
}
