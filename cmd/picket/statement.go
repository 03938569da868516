package main

import (
	"context"
	"encoding/json"
	"flag"
	"net/url"
	"time"

	"picket/reputation"
)

const statementHelp = `Usage: picket usage statement --data DIR --month 2026-11 [flags]

Says what each API key used in a month (UTC), by day, and what its owner owes:
requests, those that were free, the price of the others and the amount. A statement
is final when its month is over. It asks the running server, or reads the data
folder where none runs.

Flags:
`

// statementCommand is "picket usage statement".
func statementCommand(ctx context.Context, args []string, stdio stdio) error {
	fs := flag.NewFlagSet("usage statement", flag.ContinueOnError)
	data := fs.String("data", "", "data `folder` of the server on this machine")
	month := fs.String("month", "", "`month` (UTC), such as 2026-11 (default this one)")
	key := fs.String("key", "", "`id` of one key (default all that were used)")
	format := fs.String("format", "table", "`how` to print: table, json or csv")
	operands, err := parseWith(fs, statementHelp, args, stdio)
	if err != nil {
		return err
	}
	if len(operands) > 0 {
		return misuse("usage statement takes no operand, such as %q", operands[0])
	}
	if *month == "" {
		*month = time.Now().UTC().Format("2006-01")
	}
	if _, err := time.Parse("2006-01", *month); err != nil {
		return misuse("usage statement: --month %q is no month; want for example 2026-11", *month)
	}
	if *format != "table" && *format != "json" && *format != "csv" {
		return misuse("usage statement: --format %q is unknown; want table, json or csv", *format)
	}
	var a struct {
		Value []reputation.Statement `json:"value"`
	}
	err = either(ctx, *data, false, func(c *client) error {
		return c.do(ctx, "GET", "/v1/usage/statement?"+url.Values{"month": {*month}, "key": {*key}}.Encode(), nil, &a)
	}, func(s *reputation.Service) (err error) {
		a.Value, err = s.Statements(ctx, *month, *key)
		return err
	})
	if err != nil {
		return err
	}
	switch *format {
	case "csv":
		return reputation.WriteStatementsCSV(stdio.out, a.Value)
	case "json":
		out := json.NewEncoder(stdio.out)
		out.SetIndent("", "  ")
		return out.Encode(a.Value)
	}
	return statementTable(a.Value, stdio)
}

// statementTable prints a row for each day and price, and one for the sum of a key.
func statementTable(statements []reputation.Statement, stdio stdio) error {
	r := result{Columns: []column{{"key", "string"}, {"name", "string"}, {"day", "string"}, {"requests", "long"}, {"free", "long"}, {"priced", "long"},
		{"unit price (USD)", "real"}, {"amount (USD)", "real"}}}
	for _, s := range statements {
		for _, d := range s.Days {
			if err := r.add(s.KeyID, s.Name, d.Day, d.Requests, d.Free, d.Priced, d.UnitPrice, d.Amount); err != nil {
				return err
			}
		}
		if err := r.add(s.KeyID, s.Name, "all of "+s.Month, s.Requests, s.Free, s.Priced, nil, s.Amount); err != nil {
			return err
		}
	}
	return r.print(stdio.out, "table")
}
