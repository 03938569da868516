package main

import (
	"bufio"
	"encoding/json"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"picket/reputation"
)

// stixNamespace makes the identifiers of STIX cyber-observable objects (STIX 2.1
// section 2.9): an address has the same everywhere.
var stixNamespace = uuid.MustParse("00abedb4-aa42-466c-9c01-fed23315a9b7")

// stixObject is any object of STIX 2.1; the standard says which fields which has.
type stixObject struct {
	Type        string          `json:"type"`
	SpecVersion string          `json:"spec_version,omitempty"`
	ID          string          `json:"id"`
	Value       string          `json:"value,omitempty"`
	Number      int64           `json:"number,omitempty"`
	BelongsTo   []string        `json:"belongs_to_refs,omitempty"`
	Created     string          `json:"created,omitempty"`
	Modified    string          `json:"modified,omitempty"`
	Name        string          `json:"name,omitempty"`
	Description string          `json:"description,omitempty"`
	Types       []string        `json:"indicator_types,omitempty"`
	Pattern     string          `json:"pattern,omitempty"`
	PatternType string          `json:"pattern_type,omitempty"`
	ValidFrom   string          `json:"valid_from,omitempty"`
	Confidence  int             `json:"confidence,omitempty"`
	Labels      []string        `json:"labels,omitempty"`
	References  []stixReference `json:"external_references,omitempty"`
	Relation    string          `json:"relationship_type,omitempty"`
	Source      string          `json:"source_ref,omitempty"`
	Target      string          `json:"target_ref,omitempty"`
}

type stixReference struct {
	SourceName string `json:"source_name"`
	ExternalID string `json:"external_id,omitempty"`
	URL        string `json:"url,omitempty"`
}

// writeSTIX prints a bundle of STIX 2.1: the addresses that were looked up, who
// owns their networks, and an indicator for each that is malicious or suspicious.
func writeSTIX(out *bufio.Writer, rows []enrichedRow) error {
	now := stixTime(time.Now())
	var objects []stixObject
	seen := map[string]bool{}
	for _, r := range rows {
		if r.Status == reputation.StatusSkipped {
			continue
		}
		addr := stixAddress(r.IP)
		if r.ASN != 0 {
			as := stixObject{Type: "autonomous-system", SpecVersion: "2.1", ID: stixID("autonomous-system", map[string]any{"number": r.ASN}), Number: r.ASN, Name: r.ASOrg}
			addr.BelongsTo = []string{as.ID}
			if !seen[as.ID] {
				seen[as.ID] = true
				objects = append(objects, as)
			}
		}
		objects = append(objects, addr)
		if r.Verdict == reputation.Malicious || r.Verdict == reputation.Suspicious {
			ind := stixIndicator(r, addr, now)
			objects = append(objects, ind, stixObject{Type: "relationship", SpecVersion: "2.1", ID: "relationship--" + uuid.NewString(),
				Created: now, Modified: now, Relation: "based-on", Source: ind.ID, Target: addr.ID})
		}
	}
	bundle := struct {
		Type    string       `json:"type"`
		ID      string       `json:"id"`
		Objects []stixObject `json:"objects,omitempty"` // STIX has no empty lists
	}{"bundle", "bundle--" + uuid.NewString(), objects}
	text, err := json.MarshalIndent(bundle, "", "  ")
	if err != nil {
		return err
	}
	_, err = out.Write(append(text, '\n'))
	return err
}

func stixIndicator(r enrichedRow, addr stixObject, now string) stixObject {
	kind := "malicious-activity"
	if r.Verdict == reputation.Suspicious {
		kind = "anomalous-activity"
	}
	from := now
	if !r.FirstSeen.IsZero() {
		from = stixTime(r.FirstSeen)
	}
	ind := stixObject{Type: "indicator", SpecVersion: "2.1", ID: "indicator--" + uuid.NewString(), Created: now, Modified: now,
		Name: r.IPAddress, Description: strings.Join(r.Reasons, "\n"), Types: []string{kind}, Labels: slices.Clone(r.Labels),
		Pattern: "[" + addr.Type + ":value = '" + addr.Value + "']", PatternType: "stix", ValidFrom: from, Confidence: r.Confidence}
	for _, t := range r.Techniques {
		ind.References = append(ind.References, stixReference{"mitre-attack", t, "https://attack.mitre.org/techniques/" + strings.Replace(t, ".", "/", 1)})
	}
	return ind
}

func stixAddress(ip netip.Addr) stixObject {
	kind := "ipv6-addr"
	if ip.Is4() {
		kind = "ipv4-addr"
	}
	return stixObject{Type: kind, SpecVersion: "2.1", ID: stixID(kind, map[string]any{"value": ip.String()}), Value: ip.String()}
}

// stixID is the deterministic identifier of an observable: a UUIDv5 over the
// canonical JSON (RFC 8785) of what identifies it.
func stixID(kind string, properties map[string]any) string {
	text, err := json.Marshal(properties) // one property of plain text or a number: that is canonical
	if err != nil {
		panic(err)
	}
	return kind + "--" + uuid.NewSHA1(stixNamespace, text).String()
}

// stixTime is a timestamp as STIX 2.1 section 3.2 has it.
func stixTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// stamp is a time for people and spreadsheets, or "".
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
