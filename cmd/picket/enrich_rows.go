package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"picket/reputation"
)

// enrichedRow is what is told of one address of a file.
type enrichedRow struct {
	IPAddress string
	Hits      int // how often it occurs
	Status    string
	Reason    string
	reputation.Profile
}

// writeRows prints rows in a format.
func writeRows(out *bufio.Writer, format string, rows []enrichedRow) error {
	switch format {
	case "json":
		return writeJSON(out, rows)
	case "ndjson":
		var line []byte
		for i := range rows {
			line = append(rows[i].appendJSON(line[:0]), '\n')
			if _, err := out.Write(line); err != nil {
				return err
			}
		}
		return nil
	case "csv":
		return writeCSV(out, rows)
	case "stix":
		return writeSTIX(out, rows)
	}
	return tableOf(rows).print(out, "table")
}

// appendJSON appends the row as a JSON object.
func (r *enrichedRow) appendJSON(b []byte) []byte {
	member := func(name, text string) {
		b = append(append(b, name...), raw(text)...)
	}
	member(`{"IPAddress":`, r.IPAddress)
	b = strconv.AppendInt(append(b, `,"Hits":`...), int64(r.Hits), 10)
	member(`,"Status":`, r.Status)
	member(`,"Reason":`, r.Reason)
	return append(r.AppendFacts(b), '}')
}

// writeJSON prints one array, indented.
func writeJSON(out *bufio.Writer, rows []enrichedRow) error {
	var line []byte
	var text bytes.Buffer
	text.WriteByte('[')
	for i := range rows {
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteString("\n  ")
		line = rows[i].appendJSON(line[:0])
		if err := json.Indent(&text, line, "  ", "  "); err != nil {
			return err
		}
		if _, err := text.WriteTo(out); err != nil {
			return err
		}
	}
	if len(rows) > 0 {
		text.WriteByte('\n')
	}
	text.WriteString("]\n")
	_, err := text.WriteTo(out)
	return err
}

// tableOf is what an analyst reads first.
func tableOf(rows []enrichedRow) result {
	t := result{Columns: []column{{"IPAddress", "string"}, {"Verdict", "string"}, {"Sure", "string"}, {"Hits", "long"}, {"Country", "string"}, {"AS", "string"}, {"Why", "string"}}}
	for _, r := range rows {
		verdict, sure := string(r.Verdict), ""
		if r.Status == reputation.StatusSkipped {
			verdict = "skipped"
		}
		if r.Confidence > 0 {
			sure = strconv.Itoa(r.Confidence) + " %"
		}
		as := r.ASOrg
		if r.ASN != 0 {
			as = strings.TrimSpace(fmt.Sprintf("AS%d %s", r.ASN, r.ASOrg))
		}
		t.Rows = append(t.Rows, []json.RawMessage{raw(r.IPAddress), raw(verdict), raw(sure), raw(r.Hits), raw(country(r.Profile)), raw(as), raw(r.Reason)})
	}
	return t
}

// country shows where sources differ.
func country(p reputation.Profile) string {
	if len(p.Countries) < 2 {
		return p.CountryCode
	}
	var codes []string
	for _, c := range p.Countries {
		codes = append(codes, c.Value)
	}
	return strings.Join(codes, " or ")
}

func raw(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // texts and numbers always encode
	}
	return text
}

func writeCSV(out *bufio.Writer, rows []enrichedRow) error {
	w := csv.NewWriter(out)
	w.UseCRLF = false
	head := []string{"IPAddress", "Hits", "Status", "Reason", "Verdict", "Confidence", "Ttps", "Techniques", "IndicatorOfIntelligence",
		"CountryCode", "City", "Asn", "AsOrganization", "ReverseDns", "Classes", "Lists", "FirstSeen", "LastSeen", "CostUsd"}
	if err := w.Write(head); err != nil {
		return err
	}
	for _, r := range rows {
		asn := ""
		if r.ASN != 0 {
			asn = strconv.FormatInt(r.ASN, 10)
		}
		err := w.Write([]string{r.IPAddress, strconv.Itoa(r.Hits), r.Status, r.Reason, string(r.Verdict), strconv.Itoa(r.Confidence),
			strings.Join(r.Labels, " "), strings.Join(r.Techniques, " "), cmp.Or(r.Indicator, reputation.Undetermined), r.CountryCode, r.City, asn, r.ASOrg, r.ReverseDNS,
			strings.Join(r.Classes, " "), strings.Join(r.Lists, " "), stamp(r.FirstSeen), stamp(r.LastSeen), strconv.FormatFloat(r.CostUSD, 'f', -1, 64)})
		if err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}
