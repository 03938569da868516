package app

import (
	"context"
	"math"
	"net/http"
	"net/netip"
	"time"

	"picket"
	"picket/reputation"
	"picket/state"
)

// cause says for which playbook and incident a run asks.
func (a *App) cause(ctx context.Context, runID string) (playbook, incident string) {
	run, err := a.State.PlaybookRun(ctx, runID)
	if err != nil {
		if picket.CodeOf(err) != picket.NotFound && ctx.Err() == nil {
			a.log.Error("what a playbook costs is not known to be its own", "run", runID, "err", err)
		}
		return "", ""
	}
	return run.Playbook, run.Incident
}

// bookCall enters what a playbook's call of the Prowl contract came to in the ledger.
func (a *App) bookCall(r *http.Request, ip netip.Addr, how reputation.Answered) {
	a.bookRun(r.Header.Get("x-ms-workflow-run-id"), r.URL.Host == a.host(), ip, how)
}

// prowlIsOurs says that playbooks ask this server.
func (a *App) prowlIsOurs() bool { return a.cfg.Prowl.URL == "" }

// bookRun enters a lookup of a run. Of this server's own API only what did not
// reach it is entered here: the rest is, where it asks its providers.
func (a *App) bookRun(runID string, ours bool, ip netip.Addr, how reputation.Answered) {
	ctx := context.Background()
	c := reputation.Caller{}
	c.Playbook, c.Incident = a.cause(ctx, runID)
	if ours {
		a.sources.Engine.Saved(ip, c, how)
		return
	}
	price := int64(math.Round(reputation.DefaultPriceUSD * 1e6))
	if p := a.cfg.Prowl.PriceUSD; p != nil {
		price = int64(math.Round(*p * 1e6))
	}
	u := state.ProviderUsage{Day: time.Now().UTC().Format(time.DateOnly), Provider: "prowl", Key: keyFile, Playbook: c.Playbook, Incident: c.Incident}
	switch how {
	case reputation.AnsweredSkipped:
		u.Skipped, u.SavedMicroUSD = 1, price
	case reputation.AnsweredCached:
		u.Cached, u.SavedMicroUSD = 1, price
	case reputation.AnsweredFree:
		u.Requests = 1
	default:
		u.Requests, u.CostMicroUSD = 1, price
	}
	if err := a.State.AddProviderUsage(ctx, u); err != nil {
		a.log.Error("a lookup of a playbook is missing in the ledger", "run", runID, "err", err)
	}
}
