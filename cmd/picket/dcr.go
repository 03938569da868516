package main

import (
	"context"
	"flag"

	"picket/server"
)

// dcrCommand is "picket dcr list": the data collection rules that are loaded,
// one row for each flow.
func dcrCommand(ctx context.Context, args []string, stdio stdio) error {
	if group(args, stdio) {
		return nil
	}
	if len(args) == 0 || args[0] != "list" {
		return misuse("dcr: want list")
	}
	fs := flag.NewFlagSet("dcr list", flag.ContinueOnError)
	data := fs.String("data", "", "data `folder` of the server on this machine")
	format := fs.String("format", "table", "`how` to print: table, csv, json or markdown")
	operands, err := parse(fs, args[1:], stdio)
	if err != nil {
		return err
	}
	if len(operands) > 0 {
		return misuse("dcr list: takes no operands, not %d", len(operands))
	}
	c, err := connect(*data)
	if err != nil {
		return err
	}
	var a struct{ Value []server.RuleRow }
	if err := c.do(ctx, "GET", "/v1/dataCollectionRules", nil, &a); err != nil {
		return err
	}
	r := result{Columns: []column{{"rule", "string"}, {"immutable id", "string"}, {"stream", "string"}, {"table", "string"}, {"transformation", "string"}}}
	for _, x := range a.Value {
		if err := r.add(x.Rule, x.ImmutableID, x.Stream, x.Table, x.Transform); err != nil {
			return err
		}
	}
	return r.print(stdio.out, *format)
}
