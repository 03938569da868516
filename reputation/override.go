package reputation

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/gaissmai/bart"

	"picket"
	"picket/state"
)

// overrides are the verdicts that people have set, by network.
type overrides struct {
	mu    sync.RWMutex
	table *bart.Table[*Override]
	list  []state.Override // what the table is made of
}

// of returns the override for an address, of the most specific network, or nil.
func (o *overrides) of(ip netip.Addr) *Override {
	o.mu.RLock()
	defer o.mu.RUnlock()
	if o.table == nil {
		return nil
	}
	v, _ := o.table.Lookup(ip)
	return v
}

// LoadOverrides reads the verdicts that people have set. Call it once before
// lookups, and again when another process may have changed them.
func (e *Engine) LoadOverrides(ctx context.Context) error {
	list, err := e.db.Overrides(ctx)
	if err != nil {
		return err
	}
	now := e.now()
	list = slices.DeleteFunc(list, func(o state.Override) bool { return !o.Expires.IsZero() && !now.Before(o.Expires) })
	table := new(bart.Table[*Override])
	for _, o := range list {
		table.Insert(o.Network, &Override{Verdict: Verdict(o.Verdict), Author: o.Author, Note: o.Note, Set: o.At, Expires: o.Expires})
	}
	e.overrides.mu.Lock()
	changed := !slices.Equal(list, e.overrides.list)
	e.overrides.table, e.overrides.list = table, list
	e.overrides.mu.Unlock()
	if changed { // otherwise every profile in memory is still right
		e.Changed()
	}
	return nil
}

// Verdicts returns the verdicts that people have set and that have not expired.
func (e *Engine) Verdicts() []state.Override {
	e.overrides.mu.RLock()
	defer e.overrides.mu.RUnlock()
	return slices.Clone(e.overrides.list)
}

// SetVerdict lets a person decide for an address or network: their verdict wins
// over every source until it expires. It needs an author.
func (e *Engine) SetVerdict(ctx context.Context, network netip.Prefix, o Override) error {
	o.Author = strings.TrimSpace(o.Author)
	switch {
	case !network.IsValid():
		return picket.Errorf(picket.Invalid, "want an address or a network such as 192.0.2.0/24")
	case !o.Verdict.Valid():
		return picket.Errorf(picket.Invalid, "the verdict is %q; want malicious, suspicious, unknown or benign", o.Verdict)
	case o.Author == "":
		return picket.Errorf(picket.Invalid, "a verdict needs an author")
	case !o.Expires.IsZero() && !e.now().Before(o.Expires):
		return picket.Errorf(picket.Invalid, "a verdict must expire later than now, not at %s", o.Expires)
	}
	err := e.db.PutOverride(ctx, state.Override{Network: network, Verdict: string(o.Verdict), Author: o.Author, Note: o.Note, At: e.now(), Expires: o.Expires})
	if err != nil {
		return err
	}
	return e.LoadOverrides(ctx)
}

// DropVerdict takes a person's verdict back.
func (e *Engine) DropVerdict(ctx context.Context, network netip.Prefix) error {
	found, err := e.db.DropOverride(ctx, network)
	if err != nil {
		return err
	}
	if !found {
		return picket.Errorf(picket.NotFound, "no verdict was set for %s", network.Masked())
	}
	return e.LoadOverrides(ctx)
}
