package reputation

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"picket"
)

// A Dataset is a file of addresses that is kept here and asked without a
// network: who owns a network and where it is, a block list, an allow-list. One
// file describes it; see the folder datasets.
type Dataset struct {
	Name  string `yaml:"name"` // in lower case: letters, digits and hyphens
	Title string `yaml:"title"`
	Doc   string `yaml:"doc"`

	// Kind is what it tells: geo (countries, cities), asn (owners of networks), block
	// (addresses that do harm) or allow (addresses that do not).
	Kind string `yaml:"kind"`
	// Format is how its files are written: see [formats].
	Format string `yaml:"format"`
	// Columns name the fields of a row of the formats csv and tsv: start and end, or
	// network; asn, country, org, city, name, category, expires; "" for one
	// that is left out.
	Columns []string `yaml:"columns"`

	// Files are where it lies on this machine, and URLs where it is fetched from.
	Files []string `yaml:"files"`
	URLs  []string `yaml:"urls"`
	// Every is how often it is fetched; 24h when empty.
	Every duration `yaml:"every"`
	// Old is the age from which it says nothing any more; 0 is never.
	Old duration `yaml:"old"`

	Licence string `yaml:"licence"`
	Credit  string `yaml:"credit"` // what its licence wants to be shown

	Reliability string `yaml:"reliability"`
	// Says is what it means that an address is on a block list.
	Says Finding `yaml:"-"`
	// Tier is what an allow-list is for: see [Tier].
	Tier Tier `yaml:"tier"`
}

// A Tier is what it means that an address is on an allow-list. None but the first
// lowers a verdict by itself: much harm comes from good houses.
type Tier string

// The tiers.
const (
	TierSkip    Tier = "skip"    // never asked about, like a private address
	TierBenign  Tier = "benign"  // benign by name, and still shown: resolvers, search engines
	TierScanner Tier = "scanner" // scans for research
	TierContext Tier = "context" // shared by many: clouds, CDNs, VPNs; says nothing good
)

// formats are the formats of files: plain text with a network or address a line,
// comma- and tab-separated rows, MaxMind DB, Spamhaus' NDJSON, the Tor project's
// exit-addresses, and MISP's warninglists.
var formats = []string{"cidr", "csv", "tsv", "mmdb", "spamhaus", "tor", "misp"}

// datasetFile is a description as it is written.
type datasetFile struct {
	Dataset `yaml:",inline"`
	Says    struct {
		Verdict    Verdict  `yaml:"verdict"`
		Confidence int      `yaml:"confidence"`
		Reason     string   `yaml:"reason"`
		Labels     []string `yaml:"labels"`
		Techniques []string `yaml:"techniques"`
		Behaviours []string `yaml:"behaviours"`
		Classes    []string `yaml:"classes"`
		Indicator  string   `yaml:"indicator"`
	} `yaml:"says"`
}

// ParseDataset reads the description of a data set. An error is a
// [picket.Problems] that names file and line.
func ParseDataset(file string, text []byte) (*Dataset, error) {
	var f datasetFile
	if err := picket.ReadYAML(file, text, &f); err != nil {
		return nil, err
	}
	d, says := f.Dataset, f.Says
	d.Says = Finding{State: Clean, Verdict: says.Verdict, Confidence: says.Confidence, Reason: says.Reason, Labels: says.Labels, Techniques: says.Techniques,
		Behaviours: says.Behaviours, Classes: says.Classes, Indicator: says.Indicator}
	if says.Verdict == Malicious || says.Verdict == Suspicious {
		d.Says.State = Hit
	}
	c := fileCheck{file: file, text: text}
	d.check(&c)
	if len(c.problems) > 0 {
		return nil, c.problems
	}
	return &d, nil
}

func (d *Dataset) check(c *fileCheck) {
	c.name(d.Name)
	d.Title = cmp.Or(d.Title, d.Name)
	c.oneOf("kind", d.Kind, "geo", "asn", "block", "allow")
	c.oneOf("format", d.Format, formats...)
	c.reliability(d.Reliability)
	if d.Kind == "allow" {
		c.oneOf("tier", string(d.Tier), string(TierSkip), string(TierBenign), string(TierScanner), string(TierContext))
	}
	if d.Kind == "block" && (!d.Says.Verdict.Valid() || d.Says.Confidence < 1 || d.Says.Confidence > 100) {
		c.bad("says", "want what it means to be on the list: a verdict, and a confidence from 1 to 100")
	}
	for _, l := range d.Says.Labels {
		if why := labelProblem(l); why != "" {
			c.bad("says.labels", "%q %s", l, why)
		}
	}
	columns := slices.DeleteFunc(slices.Clone(d.Columns), func(s string) bool { return s == "" })
	for _, name := range columns {
		if !slices.Contains([]string{"start", "end", "network", "asn", "country", "org", "city", "name", "category", "expires"}, name) {
			c.bad("columns", "there is no column %q", name)
		}
	}
	rows := d.Format == "csv" || d.Format == "tsv"
	if rows && !slices.Contains(columns, "network") && (!slices.Contains(columns, "start") || !slices.Contains(columns, "end")) {
		c.bad("columns", "want network, or start and end, among the columns")
	}
	if len(d.Files) == 0 && len(d.URLs) == 0 {
		c.bad("urls", "want where it is fetched from, or files")
	}
	d.Every = cmp.Or(d.Every, duration(24*time.Hour))
}

// LoadDatasets reads the descriptions in a folder. A file that is no good is told
// of in the error and left out.
func LoadDatasets(fsys fs.FS, dir string) ([]*Dataset, error) {
	return loadFiles(fsys, dir, ParseDataset, func(d *Dataset) string { return d.Name })
}

// loadFiles reads the YAML files of a folder, each of which has a name of its own.
func loadFiles[T any](fsys fs.FS, dir string, parse func(file string, text []byte) (T, error), name func(T) string) ([]T, error) {
	files, err := fs.Glob(fsys, path.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	var (
		out  []T
		errs []error
		from = map[string]string{}
	)
	for _, f := range files {
		text, err := fs.ReadFile(fsys, f)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		v, err := parse(f, text)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if other, taken := from[name(v)]; taken {
			errs = append(errs, picket.Problems{{File: f, Line: 1, Column: 1, Msg: fmt.Sprintf("name: %s is that of %s already", name(v), other)}})
			continue
		}
		from[name(v)] = f
		out = append(out, v)
	}
	return out, errors.Join(errs...)
}

// fileCheck collects what is wrong in a description.
type fileCheck struct {
	file     string
	text     []byte
	problems picket.Problems
}

// bad adds a problem at the field of that path.
func (c *fileCheck) bad(field, format string, args ...any) {
	p := picket.Problem{File: c.file, Line: 1, Column: 1, Msg: field + ": " + fmt.Sprintf(format, args...)}
	if at, err := yaml.PathString("$." + field); err == nil {
		if n, err := at.ReadNode(bytes.NewReader(c.text)); err == nil && n.GetToken() != nil {
			p.Line, p.Column = n.GetToken().Position.Line, n.GetToken().Position.Column
		}
	}
	c.problems = append(c.problems, p)
}

func (c *fileCheck) name(name string) {
	if name == "" || strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		c.bad("name", "want letters in lower case, digits and hyphens, not %q", name)
	}
}

func (c *fileCheck) reliability(letter string) {
	if len(letter) != 1 || !strings.Contains("ABCDEF", letter) {
		c.bad("reliability", "want a letter from A (completely reliable) to F (cannot be judged), not %q", letter)
	}
}

func (c *fileCheck) oneOf(field, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		c.bad(field, "want one of %s, not %q", strings.Join(allowed, ", "), value)
	}
}
