package ingest

import (
	"cmp"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// maxDropSources bounds for how many senders drops are counted singly: whoever
// forges addresses must not fill the memory.
const maxDropSources = 1024

// dropLogEvery is how often drops are told in the log.
const dropLogEvery = time.Minute

// drops counts datagrams that were dropped, by sender.
type drops struct {
	mu     sync.Mutex
	by     map[netip.Addr]uint64 // the zero Addr is the kernel's, and senders beyond the bound
	since  map[netip.Addr]uint64 // the same since the last report
	logged time.Time
}

func newDrops() *drops {
	return &drops{by: map[netip.Addr]uint64{}, since: map[netip.Addr]uint64{}}
}

// add counts n drops and returns the words for a report, if it is time for one.
func (d *drops) add(from netip.Addr, n uint64, now time.Time) (report string, total uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.by[from]; !known && len(d.by) >= maxDropSources {
		from = netip.Addr{}
	}
	d.by[from] += n
	d.since[from] += n
	if now.Sub(d.logged) < dropLogEvery {
		return "", 0
	}
	d.logged = now
	report, total = describe(d.since)
	clear(d.since)
	return report, total
}

// describe lists those that lost most.
func describe(by map[netip.Addr]uint64) (text string, total uint64) {
	const shown = 5
	var list []string
	for i, a := range slices.SortedFunc(maps.Keys(by), func(a, b netip.Addr) int { return cmp.Or(cmp.Compare(by[b], by[a]), a.Compare(b)) }) {
		total += by[a]
		switch name := "unknown"; {
		case i > shown:
		case i == shown:
			list = append(list, "…")
		default:
			if a.IsValid() {
				name = a.String()
			}
			list = append(list, name+": "+strconv.FormatUint(by[a], 10))
		}
	}
	return strings.Join(list, ", "), total
}

// drop counts datagrams that were lost. The zero Addr is for those of which the
// kernel does not say who sent them.
func (s *Server) drop(from netip.Addr, n uint64) {
	if from.IsValid() {
		s.overflowed.Add(n)
	} else {
		s.kernelDropped.Add(n)
	}
	if report, total := s.drops.add(from, n, time.Now()); total > 0 {
		s.opts.Log.Warn("datagrams dropped: they came faster than they can be written; senders over TCP would wait", "datagrams", total, "senders", report)
	}
}

// Drops returns how many datagrams of each sender were dropped, for at most
// 1,024 senders. Under the zero Addr is what further ones lost, and what the
// kernel dropped, which does not say whose it was.
func (s *Server) Drops() map[netip.Addr]uint64 {
	s.drops.mu.Lock()
	defer s.drops.mu.Unlock()
	return maps.Clone(s.drops.by)
}
