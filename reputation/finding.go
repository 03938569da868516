package reputation

import (
	"time"
)

// A Verdict says what an address is, on the whole.
type Verdict string

// The verdicts, the worst first.
const (
	Malicious  Verdict = "malicious"
	Suspicious Verdict = "suspicious"
	Unknown    Verdict = "unknown" // nothing is known, or too little
	Benign     Verdict = "benign"
)

// Rank orders verdicts for lists: 0 for malicious up to 3 for benign, and 4 for
// anything else.
func (v Verdict) Rank() int {
	switch v {
	case Malicious:
		return 0
	case Suspicious:
		return 1
	case Unknown:
		return 2
	case Benign:
		return 3
	}
	return 4
}

// Valid says whether v is one of the verdicts.
func (v Verdict) Valid() bool { return v.Rank() < 4 }

// A State says how a source answered for an address.
type State string

// The states. Answers of the first three are kept, each for its own time;
// a refusal or an error never is: it would pass for "clean".
const (
	Hit      State = "hit"       // it knows the address, and says something of it
	Clean    State = "clean"     // it knows the address, and nothing bad of it
	NotFound State = "not_found" // it does not know the address
	Waiting  State = "waiting"   // not asked yet: over the limit or the budget until Until
	Refused  State = "refused"   // it does not serve this key: Reason says why
	Failed   State = "error"     // no answer, or one that is none
	Skipped  State = "skipped"   // not asked, and Reason says why
)

// Kept says whether an answer of this state may be kept.
func (s State) Kept() bool { return s == Hit || s == Clean || s == NotFound }

// The indicators of intelligence: what acts behind an address.
const (
	Human        = "human"
	Bot          = "bot"
	AIAgent      = "ai_agent"
	Undetermined = "undetermined"
)

// A Finding is what one source says of one address. Zero values say nothing.
type Finding struct {
	Source string `json:"source"` // the name of the provider, list or file
	Title  string `json:"title,omitempty"`
	State  State  `json:"state"`
	Reason string `json:"reason,omitempty"` // in a few words, for an analyst

	Verdict    Verdict `json:"verdict,omitempty"`
	Confidence int     `json:"confidence,omitempty"` // 1–100: how sure the source is of its verdict
	Score      string  `json:"score,omitempty"`      // on its own scale: "85/100", "5 of 94 engines"

	Labels     []string `json:"labels,omitempty"`     // Lupovis' labels of hostile acts: known-ssh-attack
	Techniques []string `json:"techniques,omitempty"` // ATT&CK ids: T1110.001
	Behaviours []string `json:"behaviours,omitempty"` // in the source's words: "SSH Bruteforce"
	Classes    []string `json:"classes,omitempty"`    // hosting, vpn, tor, cdn, scanner, resolver, proxy, mobile, residential
	Lists      []string `json:"lists,omitempty"`      // block lists that hold the address

	Indicator string `json:"indicator,omitempty"` // human, bot, ai_agent
	Evidence  string `json:"evidence,omitempty"`  // for Indicator
	// Aggressiveness is how often the address attacks, 1–5; it is no severity.
	Aggressiveness int `json:"aggressiveness,omitempty"`

	CountryCode string   `json:"country_code,omitempty"` // ISO 3166-1 alpha-2
	City        string   `json:"city,omitempty"`
	Latitude    float64  `json:"latitude,omitempty"` // degrees
	Longitude   float64  `json:"longitude,omitempty"`
	ASN         int64    `json:"asn,omitempty"`
	ASOrg       string   `json:"as_organization,omitempty"`
	Network     string   `json:"network,omitempty"` // CIDR
	ReverseDNS  string   `json:"reverse_dns,omitempty"`
	Ports       []int    `json:"ports,omitempty"`
	CVEs        []string `json:"cves,omitempty"`

	FirstSeen time.Time `json:"first_seen,omitzero"`
	LastSeen  time.Time `json:"last_seen,omitzero"`

	// Asserted says that somebody of the house stands for it: it does not lose weight
	// with age.
	Asserted bool `json:"asserted,omitempty"`

	Fetched time.Time `json:"fetched,omitzero"`   // when the source said so
	Expires time.Time `json:"expires,omitzero"`   // until when that is good
	Until   time.Time `json:"until,omitzero"`     // when a waiting one may be asked
	Stale   bool      `json:"stale,omitempty"`    // past Expires, served because nothing newer is to be had
	Cached  bool      `json:"cached,omitempty"`   // not asked for now
	CostUSD float64   `json:"cost_usd,omitempty"` // of asking now

	// Reliability is how far the source is to be believed, in the letters of the
	// Admiralty code: A (completely) to F (cannot be judged).
	Reliability string `json:"reliability,omitempty"`
}
