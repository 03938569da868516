package app

import (
	"context"
	"net/netip"
	"time"

	"picket/reputation"
	"picket/state"
)

// hosts keeps the enrolled hosts in the state, and their addresses among those of
// the house, which no reputation service is asked about.
type hosts struct {
	*state.DB
	skip *reputation.Skipper
}

func (a *App) hosts() hosts { return hosts{a.State, a.sources.Skip} }

// HostSeen notes a heartbeat.
func (h hosts) HostSeen(ctx context.Context, id string, at time.Time, from string, private []string, version string) (moved bool, err error) {
	moved, err = h.DB.HostSeen(ctx, id, at, from, private, version)
	if err != nil || !moved {
		return moved, err
	}
	return moved, h.own(ctx)
}

// own tells the addresses of all hosts that are not revoked.
func (h hosts) own(ctx context.Context) error {
	list, err := h.Hosts(ctx)
	if err != nil {
		return err
	}
	own := map[netip.Addr]string{}
	for _, x := range list {
		if !x.Revoked.IsZero() {
			continue
		}
		for _, text := range append([]string{x.Address}, x.Private...) {
			if a, err := netip.ParseAddr(text); err == nil {
				own[a.WithZone("").Unmap()] = x.Computer
			}
		}
	}
	h.skip.SetHosts(own)
	return nil
}
