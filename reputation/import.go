package reputation

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"picket"
	"picket/state"
)

const maxProblems = 20 // told of one file

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
	w, err := s.db.WriteProfiles()
	if err != nil {
		return Imported{}, fmt.Errorf("import %s: %w", name, err)
	}
	defer w.Discard()
	im := importer{skip: s.skip, put: w.Put, labels: map[string]bool{}}
	if err := im.read(&interruptible{ctx, r}); err != nil {
		return Imported{}, fmt.Errorf("read %s: %w", name, err)
	}
	w.Twice(func(ip netip.Addr, first, again int) {
		im.problem(again, "ip", "%s is on line %d already: keep one of them", ip, first)
	})
	if len(im.problems) > 0 {
		return Imported{}, im.error(name)
	}
	added, err := w.Commit(ctx)
	if err != nil {
		return Imported{}, fmt.Errorf("import %s: %w", name, err)
	}
	if s.changed != nil {
		s.changed()
	}
	return Imported{Records: im.records, Added: added, Replaced: im.records - added, Warnings: im.warnings, MoreWarnings: im.moreWarnings}, nil
}

// interruptible is a reader that ends with a context.
type interruptible struct {
	ctx context.Context
	r   io.Reader
}

func (r *interruptible) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// An importer reads the records of a file and collects what is wrong with them.
type importer struct {
	skip    *Skipper
	put     func(p *state.Profile, line int) error
	records int
	labels  map[string]bool // unknown ones, warned of once
	failed  error           // to read the file, or to put a record

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
	slices.SortStableFunc(im.problems, func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) })
	fmt.Fprintf(&b, "nothing was imported, %s has %d wrong", name, len(im.problems)+im.moreProblems)
	for _, p := range im.problems {
		fmt.Fprintf(&b, "\n  %s", p)
	}
	if im.moreProblems > 0 {
		fmt.Fprintf(&b, "\n  and %d more", im.moreProblems)
	}
	return picket.Errorf(picket.Invalid, "%s", b.String())
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
	im.records++
	if len(im.problems) == 0 { // otherwise nothing will be stored
		im.failed = im.put(&p, line)
	}
}
