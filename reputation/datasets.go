package reputation

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Datasets holds the data sets of this machine in memory, and answers from
// them. Files that change are read again.
type Datasets struct {
	dir  string // where fetched files are, a folder for each set
	sets []*Dataset
	now  func() time.Time
	log  *slog.Logger

	// Changed, when not nil, is called after sets were read.
	Changed func()

	reloading sync.Mutex
	loaded    atomic.Pointer[[]*loadedSet]
}

// A loadedSet is a data set in memory.
type loadedSet struct {
	*Dataset
	files []os.FileInfo // as they were read
	paths []string
	at    time.Time // of the oldest file
	table *table    // of the formats with rows
	mmdbs []*mmdb
}

// NewDatasets returns Datasets of the sets, whose fetched files are in dir. Load
// reads them.
func NewDatasets(dir string, sets []*Dataset, now func() time.Time, log *slog.Logger) *Datasets {
	if now == nil {
		now = time.Now
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	l := &Datasets{dir: dir, sets: sets, now: now, log: log}
	l.loaded.Store(&[]*loadedSet{})
	return l
}

// paths returns where the files of a set are: those that the description names,
// and the newest that were fetched.
func (l *Datasets) paths(d *Dataset) []string {
	paths := slices.Clone(d.Files)
	if newest := l.newest(d); newest != "" {
		fetched, _ := filepath.Glob(filepath.Join(newest, "*"))
		for _, f := range fetched {
			if filepath.Base(f) != metaFile {
				paths = append(paths, f)
			}
		}
	}
	return paths
}

// newest returns the folder of the files that were fetched last, or "". Each
// fetch has a folder of its own, named by its time, so that files of two are
// never mixed.
func (l *Datasets) newest(d *Dataset) string {
	if l.dir == "" {
		return ""
	}
	folders, _ := filepath.Glob(filepath.Join(l.dir, d.Name, "[0-9]*"))
	if len(folders) == 0 {
		return ""
	}
	return slices.Max(folders)
}

// Load reads the sets that have changed since. A set that cannot be read keeps
// what it had, and the error says why; one without a file is not there.
func (l *Datasets) Load() error {
	l.reloading.Lock()
	defer l.reloading.Unlock()
	var errs []error
	var next []*loadedSet
	before := map[string]*loadedSet{}
	for _, s := range *l.loaded.Load() {
		before[s.Name] = s
	}
	for _, d := range l.sets {
		old := before[d.Name]
		s, err := l.load(d, old)
		if err != nil {
			errs = append(errs, fmt.Errorf("data set %s: %w", d.Name, err))
			s = old
		}
		if s != nil {
			next = append(next, s)
		}
	}
	changed := !slices.Equal(next, *l.loaded.Load())
	l.loaded.Store(&next)
	if changed && l.Changed != nil {
		l.Changed()
	}
	return errors.Join(errs...)
}

// load reads a set, unless its files are those of old. It is nil without files.
func (l *Datasets) load(d *Dataset, old *loadedSet) (*loadedSet, error) {
	s := &loadedSet{Dataset: d, paths: l.paths(d)}
	for _, p := range s.paths {
		info, err := os.Stat(p)
		if err != nil {
			return nil, err
		}
		s.files = append(s.files, info)
		if s.at.IsZero() || info.ModTime().Before(s.at) {
			s.at = info.ModTime()
		}
	}
	switch {
	case len(s.paths) == 0:
		return nil, nil
	case old != nil && sameFiles(old, s):
		return old, nil
	case d.Format == "mmdb":
		for _, p := range s.paths {
			m, err := openMMDB(p)
			if err != nil {
				return nil, err
			}
			s.mmdbs = append(s.mmdbs, m)
		}
		return s, nil
	}
	s.table = newTable()
	for _, p := range s.paths {
		if err := d.readTable(p, s.table); err != nil {
			return nil, err
		}
	}
	s.table.index = nil
	if s.table.bad > 0 {
		l.log.Warn("rows of a data set are left out", "set", d.Name, "rows", s.table.bad, "first", s.table.firstBad)
	}
	return s, nil
}

func sameFiles(a, b *loadedSet) bool {
	return slices.Equal(a.paths, b.paths) && slices.EqualFunc(a.files, b.files, func(x, y os.FileInfo) bool {
		return x.Size() == y.Size() && x.ModTime().Equal(y.ModTime()) && os.SameFile(x, y)
	})
}

// Look implements [Local].
func (l *Datasets) Look(dst []Finding, ip netip.Addr) []Finding {
	now := l.now()
	for _, s := range *l.loaded.Load() {
		if s.outdated(now) {
			continue
		}
		switch {
		case s.table == nil:
			for _, m := range s.mmdbs {
				if place, network, ok := m.look(ip); ok {
					dst = s.place(dst, &place.entry, network)
					f := &dst[len(dst)-1]
					f.Latitude, f.Longitude = place.latitude, place.longitude
					break
				}
			}
		case s.Kind == "geo" || s.Kind == "asn":
			if network, i, ok := s.table.networks.LookupPrefixLPM(netip.PrefixFrom(ip, ip.BitLen())); ok {
				dst = s.place(dst, &s.table.entries[i], network)
			}
		case s.table.networks.Contains(ip): // mostly it does not, and that is fast to tell
			dst = s.lists(dst, ip, now)
		}
	}
	return dst
}

// finding appends a finding of the set, and returns where it is: one is too large to
// be copied often.
func (s *loadedSet) finding(dst []Finding) ([]Finding, *Finding) {
	dst = append(dst, Finding{Source: s.Name, Title: s.Title, Reliability: s.Reliability, State: Clean, Fetched: s.at})
	return dst, &dst[len(dst)-1]
}

// place says who owns a network, and where it is.
func (s *loadedSet) place(dst []Finding, e *entry, network netip.Prefix) []Finding {
	dst, f := s.finding(dst)
	f.CountryCode, f.City, f.ASN, f.ASOrg, f.Network = e.country, e.city, e.asn, e.org, network.String()
	return dst
}

// lists says that an address is on a block list or an allow-list.
func (s *loadedSet) lists(dst []Finding, ip netip.Addr, now time.Time) []Finding {
	for network, i := range s.table.networks.Supernets(netip.PrefixFrom(ip, ip.BitLen())) {
		e := s.table.entries[i]
		if e.expires > 0 && now.Unix() >= e.expires {
			continue
		}
		dst, f := s.finding(dst)
		f.Network = network.String()
		if e.expires > 0 {
			f.Expires = time.Unix(e.expires, 0).UTC()
		}
		if s.Kind == "block" {
			s.block(f, e)
		} else {
			s.allow(f, e)
		}
		return dst // the most specific network says it all
	}
	return dst
}

// block is what it means to be on a block list.
func (s *loadedSet) block(f *Finding, e entry) {
	says := s.Says
	f.State, f.Verdict, f.Confidence = says.State, says.Verdict, says.Confidence
	f.Labels, f.Techniques, f.Behaviours, f.Classes, f.Indicator = says.Labels, says.Techniques, says.Behaviours, says.Classes, says.Indicator
	f.Lists = []string{s.Name}
	f.Reason = cmp.Or(says.Reason, "on the list")
	if about := strings.TrimSpace(e.name + " " + e.category); about != "" {
		f.Reason += " (" + about + ")"
	}
}

// allow is what it means to be on an allow-list.
func (s *loadedSet) allow(f *Finding, e entry) {
	f.Reason = cmp.Or(e.name, s.Title)
	switch s.Tier {
	case TierBenign:
		f.Verdict, f.Confidence, f.Classes = Benign, cmp.Or(s.Says.Confidence, 70), s.Says.Classes
	case TierScanner:
		f.Classes = append([]string{"scanner"}, s.Says.Classes...)
	default:
		f.Classes = s.Says.Classes
	}
}

// Skip says why an address must not be asked about, by the allow-lists of the
// first tier, or "".
func (l *Datasets) Skip(ip netip.Addr) string {
	for _, s := range *l.loaded.Load() {
		if s.Kind == "allow" && s.Tier == TierSkip && s.table != nil && s.table.networks.Contains(ip) {
			return "on the allow-list " + s.Title
		}
	}
	return ""
}

// A SetInfo says of a data set whether it is here and how old it is.
type SetInfo struct {
	*Dataset
	At       time.Time // zero when it is not here
	Networks int       // 0 for the format mmdb
	Outdated bool      // too old to say anything
}

// List returns every data set, those that are not here included.
func (l *Datasets) List() []SetInfo {
	out := make([]SetInfo, len(l.sets))
	for i, d := range l.sets {
		out[i].Dataset = d
		for _, s := range *l.loaded.Load() {
			if s.Name != d.Name {
				continue
			}
			out[i].At = s.at
			out[i].Outdated = s.outdated(l.now())
			if s.table != nil {
				out[i].Networks = s.table.networks.Size()
			}
		}
	}
	return out
}

// outdated says whether the set is too old to say anything.
func (s *loadedSet) outdated(now time.Time) bool {
	return s.Old > 0 && now.Sub(s.at) > time.Duration(s.Old)
}
