package ingest

import (
	"cmp"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"picket"
)

// heartbeatColumns are the columns of the Heartbeat table that rows fill
// ("Azure Monitor Logs reference: Heartbeat").
var heartbeatColumns = []string{
	"TimeGenerated", "Computer", "ComputerIP", "ComputerPrivateIPs", "Category", "OSType", "OSName", "OSMajorVersion",
	"OSMinorVersion", "Version", "ComputerEnvironment", "ResourceProvider", "VMUUID", "SourceSystem", "Type",
}

// HeartbeatOptions configures a [Heartbeat]. Zero values mean the defaults.
type HeartbeatOptions struct {
	Host     string        // this host's name: Computer
	Version  string        // of the program
	Interval time.Duration // default 1 min
	Now      func() time.Time
	Log      *slog.Logger
}

// A Heartbeat writes a row for this host at regular times, so that queries see
// which hosts are enrolled and alive. Category is "Picket": it is no agent of
// Azure Monitor's and does not say it is.
type Heartbeat struct {
	append Append
	opts   HeartbeatOptions
}

// NewHeartbeat returns a Heartbeat that appends to the Heartbeat table once it Runs.
func NewHeartbeat(append Append, opts HeartbeatOptions) *Heartbeat {
	opts.Interval = cmp.Or(max(0, opts.Interval), time.Minute)
	if opts.Now == nil {
		opts.Now = time.Now
	}
	opts.Log = orDiscard(opts.Log)
	return &Heartbeat{append, opts}
}

// Run writes a row at once and then every interval, until ctx ends; it returns
// nil then. A row that cannot be written is tried again until the next is due.
func (h *Heartbeat) Run(ctx context.Context) error {
	ticker := time.NewTicker(h.opts.Interval)
	defer ticker.Stop()
	sys := readSystem("/")
	for {
		h.beat(ctx, sys)
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func (h *Heartbeat) beat(ctx context.Context, sys system) {
	ctx, cancel := context.WithTimeout(ctx, h.opts.Interval)
	defer cancel()
	addresses, err := Addresses()
	if err != nil {
		h.opts.Log.Warn("heartbeat without addresses", "error", err)
	}
	b := picket.Batch{
		Table:   "Heartbeat",
		Columns: heartbeatColumns,
		Rows:    [][]any{h.row(h.opts.Now(), sys, addresses)},
	}
	err = retry(ctx, h.opts.Log, "write heartbeat", func() error { return h.append(ctx, b) })
	if err != nil && ctx.Err() == nil {
		h.opts.Log.Error("write heartbeat", "error", err)
	}
}

func (h *Heartbeat) row(now time.Time, sys system, addresses []netip.Addr) []any {
	private := []string{} // not nil, which would be JSON's null
	for _, a := range addresses {
		if a.IsPrivate() {
			private = append(private, a.String())
		}
	}
	return []any{
		now, h.opts.Host, primary(addresses).String(), private, "Picket", "Linux", sys.name, sys.major,
		sys.minor, h.opts.Version, "Non-Azure", "", sys.uuid, "Linux", "Heartbeat",
	}
}

// Addresses returns the addresses of this host's interfaces, loopback and
// link-local ones included, without zones and repeats, in the kernel's order.
func Addresses() ([]netip.Addr, error) {
	nets, err := net.InterfaceAddrs()
	if err != nil {
		return nil, err
	}
	var addresses []netip.Addr
	seen := make(map[netip.Addr]bool)
	for _, n := range nets {
		ipNet, ok := n.(*net.IPNet)
		if !ok {
			continue
		}
		a, ok := netip.AddrFromSlice(ipNet.IP)
		if a = a.Unmap().WithZone(""); ok && !seen[a] {
			seen[a] = true
			addresses = append(addresses, a)
		}
	}
	return addresses, nil
}

// primary picks the address that a host is known by: its first IPv4 address
// that is good beyond its link, else IPv6, else 127.0.0.1. The kernel lists
// interfaces in the order they came up in, bridges of containers late.
func primary(addresses []netip.Addr) netip.Addr {
	var v6 netip.Addr
	for _, a := range addresses {
		switch {
		case !a.IsGlobalUnicast():
		case a.Is4():
			return a
		case !v6.IsValid():
			v6 = a
		}
	}
	if v6.IsValid() {
		return v6
	}
	return netip.AddrFrom4([4]byte{127, 0, 0, 1})
}
