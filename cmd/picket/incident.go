package main

import (
	"context"
	"flag"

	"picket/server"
)

// incidentCommand is "picket incident list".
func incidentCommand(ctx context.Context, args []string, stdio stdio) error {
	if group(args, stdio) {
		return nil
	}
	if len(args) == 0 || args[0] != "list" {
		return misuse("incident: want list")
	}
	fs := flag.NewFlagSet("incident list", flag.ContinueOnError)
	data := fs.String("data", "", "data `folder` of the server on this machine")
	format := fs.String("format", "table", "table, json or csv")
	operands, err := parse(fs, args[1:], stdio)
	if err != nil {
		return err
	}
	if len(operands) > 0 {
		return misuse("incident list takes no operand, such as %q", operands[0])
	}
	if err := knownFormat(*format); err != nil {
		return err
	}
	c, err := connect(*data)
	if err != nil {
		return err
	}
	var a struct{ Value []server.IncidentRow }
	if err := c.do(ctx, "GET", "/v1/incidents", nil, &a); err != nil {
		return err
	}
	r := result{Columns: []column{{"number", "long"}, {"severity", "string"}, {"status", "string"}, {"title", "string"}, {"addresses", "long"}, {"alerts", "long"}, {"comments", "long"}, {"created", "datetime"}, {"modified", "datetime"}, {"modified by", "string"}}}
	for _, in := range a.Value {
		if err := r.add(in.Number, in.Severity, in.Status, in.Title, in.Addresses, in.Alerts, in.Comments, moment(in.Created), moment(in.Modified), in.By); err != nil {
			return err
		}
	}
	return r.print(stdio.out, *format)
}
