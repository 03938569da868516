package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net/netip"
	"testing"

	"picket/reputation"
)

// A row has its own members first, then the profile's without those that it has
// itself, under the names of Picket's tables.
func TestRowsJSON(t *testing.T) {
	rows := []enrichedRow{
		{IPAddress: "45.9.20.1", Hits: 3, Status: "enriched", Reason: "a <b> \"c\"\n\u2028", Profile: reputation.Profile{IP: netip.MustParseAddr("45.9.20.1"), Status: "x", Reason: "y",
			Verdict: reputation.Malicious, Labels: []string{"known-bot"}, Sources: []reputation.Finding{{Source: "a"}}}},
		{IPAddress: "10.0.0.0/8", Status: "skipped", Profile: reputation.Profile{Labels: []string{}}},
	}
	const want = `{"IPAddress":"45.9.20.1","Hits":3,"Status":"enriched","Reason":"a \u003cb\u003e \"c\"\n\u2028","verdict":"malicious","confidence":0,"ttps":["known-bot"],` +
		`"indicator_of_intelligence":"","sources":[{"source":"a","state":""}],"cost_usd":0}` + "\n" +
		`{"IPAddress":"10.0.0.0/8","Hits":0,"Status":"skipped","Reason":"","verdict":"","confidence":0,"ttps":[],"indicator_of_intelligence":"","cost_usd":0}` + "\n"
	print := func(format string, rows []enrichedRow) string {
		var out bytes.Buffer
		w := bufio.NewWriter(&out)
		if err := writeRows(w, format, rows); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	if got := print("ndjson", rows); got != want {
		t.Errorf("ndjson:\n got %s\nwant %s", got, want)
	}
	// The array is the same, as encoding/json indents it.
	var list []json.RawMessage
	for line := range bytes.Lines([]byte(want)) {
		list = append(list, line)
	}
	for _, n := range []int{0, 1, 2} {
		text, err := json.MarshalIndent(append([]json.RawMessage{}, list[:n]...), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		if got := print("json", rows[:n]); got != string(text)+"\n" {
			t.Errorf("json:\n got %s\nwant %s", got, text)
		}
	}
}
