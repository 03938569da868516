package reputation

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"picket/state"
)

// fieldNames returns the fields of an imported record: those of Prowl's answer
// and what ProwlEnrich_CL has room for.
func fieldNames() []string {
	return []string{"ip", "ttps", "techniques", "verdict", "confidence", "indicator_of_intelligence",
		"country_code", "asn", "as_organization", "first_seen", "last_seen", "sources"}
}

func isList(field string) bool {
	return field == "ttps" || field == "techniques" || field == "sources"
}

// A fieldValue is a field as the file has it: one text, or those of a list.
type fieldValue struct {
	name  string
	texts []string
}

// jsonField reads one member of a JSON record; null is an absent value.
func jsonField(name string, raw json.RawMessage) (fieldValue, error) {
	v := fieldValue{name: name}
	raw = bytes.TrimSpace(raw)
	if string(raw) == "null" {
		return v, nil
	}
	if isList(name) {
		if err := json.Unmarshal(raw, &v.texts); err != nil {
			return v, fmt.Errorf("want a list of texts, found %s", clip(string(raw)))
		}
		return v, nil
	}
	switch raw[0] {
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return v, fmt.Errorf("want a text, found %s", clip(string(raw)))
		}
		v.texts = []string{s}
	case '{', '[', 't', 'f':
		return v, fmt.Errorf("want a text or number, found %s", clip(string(raw)))
	default:
		v.texts = []string{string(raw)}
	}
	return v, nil
}

// csvField reads one cell; an empty one is an absent value. Lists are separated
// by blanks, semicolons or bars, sources by the latter two.
func csvField(name, cell string) fieldValue {
	v := fieldValue{name: name}
	cell = strings.TrimSpace(cell)
	switch {
	case cell == "":
	case isList(name):
		parts := strings.FieldsFunc(cell, func(r rune) bool {
			return r == ';' || r == '|' || (r == ' ' && name != "sources")
		})
		for _, part := range parts {
			if part = strings.TrimSpace(part); part != "" {
				v.texts = append(v.texts, part)
			}
		}
	default:
		v.texts = []string{cell}
	}
	return v
}

// set puts a value into its place in the profile, checked.
func (v fieldValue) set(p *state.Profile) (err error) {
	if len(v.texts) == 0 {
		return nil
	}
	text := strings.TrimSpace(v.texts[0])
	switch v.name {
	case "ip":
		p.IP, err = parseIP(text)
	case "ttps":
		for _, label := range v.texts {
			if problem := labelProblem(label); problem != "" {
				return fmt.Errorf("%s %s", clip(label), problem)
			}
		}
		p.Ttps = SortLabels(v.texts)
	case "techniques":
		for _, id := range v.texts {
			if id = strings.ToUpper(strings.TrimSpace(id)); !isTechnique(id) {
				return fmt.Errorf("want an ATT&CK technique such as T1110 or T1110.001, found %s", clip(id))
			} else if !slices.Contains(p.Techniques, id) {
				p.Techniques = append(p.Techniques, id)
			}
		}
	case "sources":
		for _, source := range v.texts {
			if source, err = plain(source, 100); err != nil {
				return err
			} else if !slices.Contains(p.Sources, source) {
				p.Sources = append(p.Sources, source)
			}
		}
	case "verdict":
		p.Verdict = strings.ToLower(text)
		switch p.Verdict {
		case "malicious", "suspicious", "benign", "unknown":
		default:
			err = fmt.Errorf("want malicious, suspicious, benign or unknown, found %s", clip(text))
		}
	case "confidence":
		if p.Confidence, err = strconv.Atoi(text); err != nil || p.Confidence < 0 || p.Confidence > 100 {
			err = fmt.Errorf("want a whole number from 0 (not stated) to 100, found %s", clip(text))
		}
	case "indicator_of_intelligence":
		p.IndicatorOfIntelligence = strings.ToLower(text)
		if text == "" || len(text) > 32 || strings.Trim(p.IndicatorOfIntelligence, "abcdefghijklmnopqrstuvwxyz-") != "" {
			err = fmt.Errorf("want a word such as human or bot, found %s", clip(text))
		}
	case "country_code":
		p.CountryCode = strings.ToUpper(text)
		if len(text) != 2 || strings.Trim(p.CountryCode, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			err = fmt.Errorf("want two letters such as DE (ISO 3166-1), found %s", clip(text))
		}
	case "asn":
		number, aerr := strconv.ParseUint(strings.TrimPrefix(strings.ToUpper(text), "AS"), 10, 32)
		if aerr != nil {
			err = fmt.Errorf("want a number up to 4294967295 such as 64496, found %s", clip(text))
		}
		p.Asn = int64(number)
	case "as_organization":
		p.AsOrganization, err = plain(text, 200)
	case "first_seen":
		p.FirstSeen, err = parseSeen(text)
	case "last_seen":
		p.LastSeen, err = parseSeen(text)
	}
	return err
}

func parseIP(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		if _, err := netip.ParsePrefix(text); err == nil {
			return netip.Addr{}, fmt.Errorf("want one address, found the network %s: write a record for each address", clip(text))
		}
		return netip.Addr{}, fmt.Errorf("want an IPv4 or IPv6 address without zone, port or leading zeros, found %s", clip(text))
	}
	return a.Unmap(), nil
}

// parseSeen reads RFC 3339, or a date with or without a time, which is UTC.
func parseSeen(text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateTime, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil && t.Year() >= 1990 && t.Year() < 10000 {
			return t.UTC().Truncate(time.Millisecond), nil
		}
	}
	return time.Time{}, fmt.Errorf("want a time since 1990 such as 2026-11-23T03:40:00Z or 2026-11-23, found %s", clip(text))
}

// plain checks a text that people read.
func plain(text string, limit int) (string, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return "", errors.New("want a text, found none")
	case len(text) > limit:
		return "", fmt.Errorf("want at most %d bytes, found %d", limit, len(text))
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl):
		return "", fmt.Errorf("want UTF-8 without control characters, found %s", clip(text))
	}
	return text, nil
}

// clip quotes a text for a message, shortened.
func clip(text string) string {
	if len(text) > 60 {
		return strconv.Quote(strings.ToValidUTF8(text[:60], "")) + "…"
	}
	return strconv.Quote(text)
}
