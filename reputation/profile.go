package reputation

import (
	"net/netip"
	"slices"
	"time"

	"picket"
)

// The statuses of a profile.
const (
	StatusEnriched = "enriched"
	StatusPartial  = "partial" // some source did not answer, or not yet
	StatusSkipped  = "skipped" // no source was asked: Reason says why
)

// StatusStale is the status of Picket's answer in Prowl's form when all sources have
// answered, one of them with an old answer; see [Profile.Stale].
const StatusStale = "stale"

// A Profile is what is known of one address, from all sources together.
type Profile struct {
	IP netip.Addr `json:"ip"`
	// Status is one of those below.
	Status string `json:"status"`
	Reason string `json:"reason,omitempty"` // in one sentence, for an analyst

	Verdict    Verdict   `json:"verdict"`
	Confidence int       `json:"confidence"`        // 0–100: how sure, apart from the verdict
	Reasons    []string  `json:"reasons,omitempty"` // what led to it, the weightiest first
	Dissent    []string  `json:"dissent,omitempty"` // sources that say otherwise
	Override   *Override `json:"override,omitempty"`

	Labels         []string `json:"ttps"`
	Techniques     []string `json:"techniques,omitempty"`     // ATT&CK v19
	TechniquesV18  []string `json:"techniques_v18,omitempty"` // the same as v18 had them, where that differs
	Behaviours     []string `json:"behaviours,omitempty"`
	Indicator      string   `json:"indicator_of_intelligence"`
	Evidence       []string `json:"indicator_evidence,omitempty"`
	Aggressiveness int      `json:"aggressiveness,omitempty"` // 1–5

	FirstSeen time.Time `json:"first_seen,omitzero"`
	LastSeen  time.Time `json:"last_seen,omitzero"`

	CountryCode  string   `json:"country_code,omitempty"`
	Countries    []Said   `json:"countries,omitempty"` // when the sources differ
	City         string   `json:"city,omitempty"`
	Latitude     float64  `json:"latitude,omitempty"`
	Longitude    float64  `json:"longitude,omitempty"`
	ASN          int64    `json:"asn,omitempty"`
	ASOrg        string   `json:"as_organization,omitempty"`
	Network      string   `json:"network,omitempty"`
	ReverseDNS   string   `json:"reverse_dns,omitempty"`
	Classes      []string `json:"classes,omitempty"`
	Lists        []string `json:"lists,omitempty"`
	Ports        []int    `json:"ports,omitempty"`
	CVEs         []string `json:"cves,omitempty"`
	EmbeddedIPv4 string   `json:"embedded_ipv4,omitempty"` // "192.0.2.1 (NAT64)"

	Sources []Finding `json:"sources,omitempty"`
	CostUSD float64   `json:"cost_usd"` // of this lookup
	At      time.Time `json:"at,omitzero"`
}

// Said is what some sources say where others say otherwise.
type Said struct {
	Value   string   `json:"value"`
	Sources []string `json:"sources"`
}

// An Override is a verdict that a person has set; it wins over every source
// until it expires.
type Override struct {
	Verdict Verdict   `json:"verdict"`
	Author  string    `json:"author"`
	Note    string    `json:"note,omitempty"`
	Set     time.Time `json:"set"`
	Expires time.Time `json:"expires,omitzero"` // zero: never
}

// WaitsUntil is when the first of the sources that are still to be asked may be, or
// the zero time when there is none.
func (p *Profile) WaitsUntil() (first time.Time) {
	for i := range p.Sources {
		if f := &p.Sources[i]; f.State == Waiting && (first.IsZero() || f.Until.Before(first)) {
			first = f.Until
		}
	}
	return first
}

// Stale says that a source's answer is an old one.
func (p *Profile) Stale() bool {
	return slices.ContainsFunc(p.Sources, func(f Finding) bool { return f.Stale })
}

// Err is why a profile must not be taken for an answer: Picket's own store failed,
// and what it knows may be all there is.
func (p *Profile) Err() error {
	for _, f := range p.Sources {
		if f.Source == storeName && f.State == Failed {
			return picket.Errorf(picket.Unavailable, "look up %s: %s", p.IP, f.Reason)
		}
	}
	return nil
}
