package main

import (
	"cmp"
	"context"
	"flag"
	"io"
	"os"

	"golang.org/x/term"
)

// query is "picket query 'KQL'": ask a running server.
func query(ctx context.Context, args []string, stdio stdio) error {
	fs := flag.NewFlagSet("query", flag.ContinueOnError)
	data := fs.String("data", "", "data `folder` of the server on this machine")
	var o outputFlags
	o.register(fs, "table")
	operands, err := parse(fs, args, stdio)
	if err != nil {
		return err
	}
	if err := o.check(); err != nil {
		return err
	}
	var text string
	switch {
	case len(operands) == 1:
		text = operands[0]
	case len(operands) > 1:
		return misuse("query takes one query; quote it")
	case isTerminal(stdio.in):
		return misuse("query takes the KQL as its operand or on standard input")
	default:
		b, err := io.ReadAll(stdio.in)
		if err != nil {
			return err
		}
		text = string(b)
	}
	c, err := connect(*data)
	if err != nil {
		return err
	}
	r, err := c.query(ctx, text)
	if err != nil && r.Columns == nil {
		return err
	}
	if perr := r.printTo(newPrinter(stdio.out, cmp.Or(o.format, "table"), o.limit)); perr != nil {
		return perr
	}
	return err // that the result is not whole
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
