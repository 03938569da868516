package reputation

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"picket"
	"picket/state"
)

const (
	maxImport   = 512 << 20 // bytes of one file
	maxProblems = 20        // told of one file
)

// Imported says what [Service.Import] did.
type Imported struct {
	Records  int `json:"records"`
	Added    int `json:"added"`    // of addresses of which nothing was known
	Replaced int `json:"replaced"` // the others

	Warnings     []Problem `json:"warnings,omitempty"` // at most 20
	MoreWarnings int       `json:"more_warnings,omitempty"`
}

// A Problem is one thing about one record of an imported file.
type Problem struct {
	Line  int    `json:"line"`
	Field string `json:"field,omitempty"`
	Msg   string `json:"msg"`
}

// String is "line 3: ip: want …".
func (p Problem) String() string {
	if p.Field == "" {
		return fmt.Sprintf("line %d: %s", p.Line, p.Msg)
	}
	return fmt.Sprintf("line %d: %s: %s", p.Line, p.Field, p.Msg)
}

// Import reads profiles of addresses and puts them in the place of what was
// known of those addresses. The file has one JSON object a line, or a JSON
// array of objects, or CSV with a header (which, shows its first character);
// the fields are those of a Prowl answer and more: ip, ttps, techniques, verdict,
// confidence, indicator_of_intelligence, country_code, asn, as_organization,
// first_seen, last_seen, sources. Only ip is required. Without a verdict, an
// address with labels is malicious and one without unknown; a confidence is
// never made up.
//
// It is all or nothing: when any record is wrong nothing is imported, and the
// error, with the code [picket.Invalid], lists the first 20 problems with their
// lines. name is what messages call the file.
func (s *Service) Import(ctx context.Context, r io.Reader, name string) (Imported, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxImport+1))
	if err != nil {
		return Imported{}, fmt.Errorf("read %s: %w", name, err)
	}
	if len(data) > maxImport {
		return Imported{}, picket.Errorf(picket.Invalid, "%s is larger than %d MiB: split it", name, maxImport>>20)
	}
	im := importer{skip: s.skip, lines: map[netip.Addr]int{}, labels: map[string]bool{}}
	im.read(data)
	if len(im.problems) > 0 {
		return Imported{}, im.error(name)
	}
	added, err := s.db.PutProfiles(ctx, im.profiles)
	if err != nil {
		return Imported{}, fmt.Errorf("import %s: %w", name, err)
	}
	if s.changed != nil {
		s.changed()
	}
	n := len(im.profiles)
	return Imported{Records: n, Added: added, Replaced: n - added, Warnings: im.warnings, MoreWarnings: im.moreWarnings}, nil
}

// An importer collects the records of a file and what is wrong with them.
type importer struct {
	skip     *Skipper
	profiles []state.Profile
	lines    map[netip.Addr]int // where an address was
	labels   map[string]bool    // unknown ones, warned of once

	problems, warnings         []Problem
	moreProblems, moreWarnings int
}

func (im *importer) problem(line int, field, format string, args ...any) {
	if len(im.problems) == maxProblems {
		im.moreProblems++
		return
	}
	im.problems = append(im.problems, Problem{line, field, fmt.Sprintf(format, args...)})
}

func (im *importer) warn(line int, field, format string, args ...any) {
	if len(im.warnings) == maxProblems {
		im.moreWarnings++
		return
	}
	im.warnings = append(im.warnings, Problem{line, field, fmt.Sprintf(format, args...)})
}

func (im *importer) error(name string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "nothing was imported, %s has %d wrong", name, len(im.problems)+im.moreProblems)
	for _, p := range im.problems {
		fmt.Fprintf(&b, "\n  %s", p)
	}
	if im.moreProblems > 0 {
		fmt.Fprintf(&b, "\n  and %d more", im.moreProblems)
	}
	return picket.Errorf(picket.Invalid, "%s", b.String())
}

func (im *importer) read(data []byte) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	records := im.csv
	switch rest := bytes.TrimLeft(data, " \t\r\n"); {
	case len(rest) == 0:
		im.problem(1, "", "the file is empty: want JSON objects, one a line, a JSON array, or CSV with a header")
		return
	case rest[0] == '{':
		records = im.ndjson
	case rest[0] == '[':
		records = im.array
	}
	for line, fields := range records(data) {
		im.add(line, fields)
	}
}

// add checks a record as a whole.
func (im *importer) add(line int, fields []fieldValue) {
	var p state.Profile
	before := len(im.problems) + im.moreProblems
	for _, v := range fields {
		if err := v.set(&p); err != nil {
			im.problem(line, v.name, "%v", err)
		}
	}
	if len(im.problems)+im.moreProblems > before {
		return
	}
	if !p.IP.IsValid() {
		im.problem(line, "ip", "is missing")
		return
	}
	if other, ok := im.lines[p.IP]; ok {
		im.problem(line, "ip", "%s is on line %d already: keep one of them", p.IP, other)
		return
	}
	if len(p.Ttps) > 0 && (p.Verdict == "benign" || p.Verdict == "unknown") {
		im.problem(line, "verdict", "%s contradicts ttps: clients block an address for any label", p.Verdict)
		return
	}
	if !p.LastSeen.IsZero() && p.FirstSeen.After(p.LastSeen) {
		im.problem(line, "first_seen", "is after last_seen")
		return
	}
	switch {
	case p.Verdict != "":
	case len(p.Ttps) > 0:
		p.Verdict = "malicious"
	default:
		p.Verdict = "unknown"
	}
	for _, label := range p.Ttps {
		if _, known := labelRank(label); !known && !im.labels[label] {
			im.labels[label] = true
			im.warn(line, "ttps", "%q is not one of Prowl's labels: some clients block all traffic for a label they do not know", label)
		}
	}
	if why := im.skip.Reason(p.IP); why != "" {
		im.warn(line, "ip", "%s is never looked up: %s", p.IP, why)
	}
	im.lines[p.IP] = line
	im.profiles = append(im.profiles, p)
}

// ndjson yields the records of a file with one JSON object a line.
func (im *importer) ndjson(data []byte) iter.Seq2[int, []fieldValue] {
	return func(yield func(int, []fieldValue) bool) {
		for n := 1; len(data) > 0; n++ {
			var line []byte
			line, data, _ = bytes.Cut(data, []byte("\n"))
			if line = bytes.TrimSpace(line); len(line) == 0 {
				continue
			}
			if fields, ok := im.object(n, line); ok && !yield(n, fields) {
				return
			}
		}
	}
}

// array yields the records of a JSON array.
func (im *importer) array(data []byte) iter.Seq2[int, []fieldValue] {
	return func(yield func(int, []fieldValue) bool) {
		dec := json.NewDecoder(bytes.NewReader(data))
		_, _ = dec.Token() // the [ that led here
		line, counted := 1, 0
		at := func(offset int) int {
			line += bytes.Count(data[counted:offset], []byte("\n"))
			counted = offset
			return line
		}
		for dec.More() {
			start := int(dec.InputOffset())
			start += len(data[start:]) - len(bytes.TrimLeft(data[start:], ", \t\r\n"))
			n := at(start)
			var raw json.RawMessage
			if err := dec.Decode(&raw); err != nil {
				im.problem(n, "", "not JSON, the rest was not read: %v", err)
				return
			}
			if fields, ok := im.object(n, raw); ok && !yield(n, fields) {
				return
			}
		}
		if _, err := dec.Token(); err != nil {
			im.problem(at(int(dec.InputOffset())), "", "the array is not closed by ]")
		} else if rest := bytes.TrimSpace(data[dec.InputOffset():]); len(rest) > 0 {
			im.problem(at(int(dec.InputOffset())), "", "want nothing after the array, found %s", clip(string(rest)))
		}
	}
}

// object reads one JSON record.
func (im *importer) object(line int, raw []byte) ([]fieldValue, bool) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(raw, &members); err != nil || members == nil {
		im.problem(line, "", "want one whole JSON object a line, or one array of objects, found %s", clip(string(raw)))
		return nil, false
	}
	ok := true
	var fields []fieldValue
	for _, name := range fieldNames() {
		raw, there := members[name]
		if !there {
			continue
		}
		delete(members, name)
		v, err := jsonField(name, raw)
		if err != nil {
			im.problem(line, name, "%v", err)
			ok = false
		}
		fields = append(fields, v)
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		im.unknownField(line, name)
		ok = false
	}
	return fields, ok
}

func (im *importer) unknownField(line int, name string) {
	im.problem(line, "", "no field is called %s: want some of %s", clip(name), strings.Join(fieldNames(), ", "))
}

// csv yields the records of a CSV file with a header.
func (im *importer) csv(data []byte) iter.Seq2[int, []fieldValue] {
	return func(yield func(int, []fieldValue) bool) {
		r := csv.NewReader(bytes.NewReader(data))
		header, ok := im.csvHeader(r)
		if !ok {
			return
		}
		for {
			cells, err := r.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil && !errors.Is(err, csv.ErrFieldCount) {
				im.csvProblem(err)
				return
			}
			line, _ := r.FieldPos(0)
			if err != nil {
				im.problem(line, "", "want %d cells, as the header has, found %d", len(header), len(cells))
				continue
			}
			var fields []fieldValue
			for i, cell := range cells {
				fields = append(fields, csvField(header[i], cell))
			}
			if !yield(line, fields) {
				return
			}
		}
	}
}

func (im *importer) csvHeader(r *csv.Reader) ([]string, bool) {
	header, err := r.Read()
	if err != nil {
		im.csvProblem(err)
		return nil, false
	}
	for i, name := range header {
		header[i] = strings.ToLower(strings.TrimSpace(name))
		if !slices.Contains(fieldNames(), header[i]) {
			im.unknownField(1, name)
			return nil, false
		}
		if slices.Contains(header[:i], header[i]) {
			im.problem(1, header[i], "the header has this column twice")
			return nil, false
		}
	}
	if !slices.Contains(header, "ip") {
		im.problem(1, "ip", "the header has no such column")
		return nil, false
	}
	return header, true
}

func (im *importer) csvProblem(err error) {
	line := 1
	if e, ok := errors.AsType[*csv.ParseError](err); ok {
		line, err = e.Line, e.Err
	}
	im.problem(line, "", "not CSV, the rest was not read: %v", err)
}
