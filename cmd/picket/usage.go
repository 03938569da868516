package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"picket/app"
	"picket/state"
)

const usageHelp = `Usage: picket usage [flags]

Says what asking providers has cost, and what was saved: by answers that were kept,
and by not asking about addresses that are not public. It reads the ledger of the
data folder, with or without a running server, whose last second may be missing.
What the owners of API keys owe says "picket usage statement --help".

Flags:
`

// usageCommand is "picket usage".
func usageCommand(ctx context.Context, args []string, stdio stdio) error {
	if len(args) > 0 && args[0] == "statement" {
		return statementCommand(ctx, args[1:], stdio)
	}
	fs := flag.NewFlagSet("usage", flag.ContinueOnError)
	var from sourceFlags
	fs.StringVar(&from.data, "data", "", "`folder` of the ledger; may be a server's (default ~/.local/share/picket)")
	since := fs.String("since", "", "first `day` (UTC) to count, such as 2026-11-01 (default all)")
	by := fs.String("by", "provider", "`what` a row is: provider, playbook or incident")
	format := fs.String("format", "table", "`how` to print: "+formats)
	operands, err := parseWith(fs, usageHelp, args, stdio)
	if err != nil {
		return err
	}
	if len(operands) > 0 {
		return misuse("usage takes no operand, such as %q", operands[0])
	}
	if err := knownFormat(*format); err != nil {
		return err
	}
	name, ok := usageKeys()[*by]
	if !ok {
		return misuse("usage: --by %q is unknown; want provider, playbook or incident", *by)
	}
	if *since != "" {
		if _, err := time.Parse(time.DateOnly, *since); err != nil {
			return misuse("usage: --since %q is no day; want for example 2026-11-01", *since)
		}
	}
	folder, err := from.folder()
	if err != nil {
		return err
	}
	path := filepath.Join(folder, app.StateFile)
	if !exists(path) {
		return fmt.Errorf("there is no ledger at %s: nothing was looked up there yet, or --data names another folder", path)
	}
	db, err := state.Open(ctx, state.Options{Path: path})
	if err != nil {
		return err
	}
	defer func() { _ = db.Close(context.WithoutCancel(ctx)) }()
	lines, err := db.ProviderUsageSince(ctx, *since)
	if err != nil {
		return err
	}
	numbers, err := db.UsageIncidents(ctx)
	if err != nil {
		return err
	}
	for i := range lines {
		if n, ok := numbers[lines[i].Incident]; ok {
			lines[i].Incident = strconv.FormatInt(n, 10)
		}
	}
	r, err := usageTable(lines, *by, name)
	if err != nil {
		return err
	}
	return r.print(stdio.out, *format)
}

// usageKeys are how lines of the ledger may be put together.
func usageKeys() map[string]func(state.ProviderUsage) string {
	return map[string]func(state.ProviderUsage) string{
		"provider": func(u state.ProviderUsage) string { return u.Provider },
		"playbook": func(u state.ProviderUsage) string { return u.Playbook },
		"incident": func(u state.ProviderUsage) string { return u.Incident },
	}
}

// usageTable adds lines of the ledger up by name, the dearest first.
func usageTable(lines []state.ProviderUsage, title string, name func(state.ProviderUsage) string) (result, error) {
	// The ledger has one amount for what was saved in both ways. Within a line each
	// of them saved the same price, unless it changed during the day.
	sums := map[string]*state.ProviderUsage{}
	cache, skip := map[string]float64{}, map[string]float64{}
	for _, u := range lines {
		key := name(u)
		if sums[key] == nil {
			sums[key] = new(state.ProviderUsage)
		}
		s := sums[key]
		s.Requests, s.Cached, s.Skipped, s.CostMicroUSD = s.Requests+u.Requests, s.Cached+u.Cached, s.Skipped+u.Skipped, s.CostMicroUSD+u.CostMicroUSD
		if n := u.Cached + u.Skipped; n > 0 {
			each := float64(u.SavedMicroUSD) / float64(n)
			cache[key] += each * float64(u.Cached)
			skip[key] += each * float64(u.Skipped)
		}
	}
	keys := slices.SortedFunc(maps.Keys(sums), func(a, b string) int {
		return cmp.Or(cmp.Compare(sums[b].CostMicroUSD, sums[a].CostMicroUSD), cmp.Compare(sums[b].Requests, sums[a].Requests), cmp.Compare(a, b))
	})
	r := result{Columns: []column{{title, "string"}, {"requests", "long"}, {"cost_usd", "real"}, {"cached", "long"}, {"saved_by_cache_usd", "real"},
		{"skipped", "long"}, {"saved_by_skipping_usd", "real"}}}
	for _, key := range keys {
		s := sums[key]
		err := r.add(key, s.Requests, usd(float64(s.CostMicroUSD)), s.Cached, usd(cache[key]), s.Skipped, usd(skip[key]))
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

// usd is an amount of millionths of a US dollar, in dollars.
func usd(micro float64) float64 { return float64(int64(micro+0.5)) / 1e6 }
