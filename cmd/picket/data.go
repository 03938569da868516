package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"slices"
	"time"

	"picket/app"
	"picket/reputation"
)

const dataHelp = `Usage: picket data update [flags] [NAME…]
       picket data import [flags] NAME FILE…
       picket data list [flags]

update fetches the freely licensed data sets that answers come from without asking
anybody: owners of networks, places, block lists, allow-lists. import takes the
files of one from this machine, where there is no Internet. list says which there
are, and how old each is.

Flags:
`

// dataCommand is "picket data update|import|list".
func dataCommand(ctx context.Context, args []string, stdio stdio) error {
	if groupHelp(args, dataHelp, stdio) {
		return nil
	}
	verb := ""
	if len(args) > 0 {
		verb = args[0]
	}
	if !slices.Contains([]string{"update", "import", "list"}, verb) {
		return misuse("data: want update, import or list")
	}
	fs := flag.NewFlagSet("data "+verb, flag.ContinueOnError)
	var from sourceFlags
	from.register(fs)
	operands, err := parseWith(fs, dataHelp, args[1:], stdio)
	if err != nil {
		return err
	}
	folder, err := from.folder()
	if err != nil {
		return err
	}
	datasets, sets, err := app.OpenDatasets(folder)
	if err != nil {
		fmt.Fprintln(stdio.err, "picket:", err)
	}
	if verb == "list" {
		return dataList(datasets, stdio)
	}
	chosen, err := choose(sets, operands, verb)
	if err != nil {
		return err
	}
	if verb == "import" {
		return datasets.Import(chosen[0], operands[1:]...)
	}
	failed := 0
	for _, d := range chosen {
		if err := dataUpdate(ctx, datasets, d, stdio); err != nil {
			failed++
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d data sets could not be fetched", failed, len(chosen))
	}
	return nil
}

// choose finds the data sets that were named; update means all when none is.
func choose(sets []*reputation.Dataset, names []string, verb string) ([]*reputation.Dataset, error) {
	if verb == "import" {
		if len(names) < 2 {
			return nil, misuse("data import: want NAME FILE…")
		}
		names = names[:1]
	}
	var out []*reputation.Dataset
	for _, d := range sets {
		if len(names) == 0 && len(d.URLs) > 0 || slices.Contains(names, d.Name) {
			out = append(out, d)
		}
	}
	for _, n := range names {
		if !slices.ContainsFunc(out, func(d *reputation.Dataset) bool { return d.Name == n }) {
			return nil, misuse("data %s: there is no data set %q; see picket data list", verb, n)
		}
	}
	return out, nil
}

// dataUpdate fetches one, and says what came of it.
func dataUpdate(ctx context.Context, datasets *reputation.Datasets, d *reputation.Dataset, stdio stdio) error {
	show := newFetchBar(stdio.err, d.Name)
	changed, err := datasets.Update(ctx, reputation.NewFetcher(), d, show.step)
	show.end()
	switch {
	case err != nil:
		fmt.Fprintf(stdio.err, "%-28s %v\n", d.Name, err)
		return err
	case changed:
		fmt.Fprintf(stdio.out, "%-28s fetched\n", d.Name)
	default:
		fmt.Fprintf(stdio.out, "%-28s has not changed\n", d.Name)
	}
	return nil
}

// dataList prints what there is and how old it is.
func dataList(datasets *reputation.Datasets, stdio stdio) error {
	t := result{Columns: []column{{"Name", "string"}, {"Kind", "string"}, {"Age", "string"}, {"Networks", "string"}, {"Licence", "string"}, {"Title", "string"}}}
	for _, s := range datasets.List() {
		age, n := "not fetched", ""
		if !s.At.IsZero() {
			age = ago(time.Since(s.At))
			if s.Outdated {
				age += ", too old: says nothing"
			}
		}
		if s.Networks > 0 {
			n = fmt.Sprint(s.Networks)
		}
		kind := s.Kind
		if s.Tier != "" {
			kind += ", " + string(s.Tier)
		}
		t.Rows = append(t.Rows, []json.RawMessage{raw(s.Name), raw(kind), raw(age), raw(n), raw(s.Licence), raw(s.Title)})
	}
	return t.print(stdio.out, "table")
}

// ago is a time in the largest unit that fits.
func ago(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return "just now"
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
