package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"

	"picket"
	"picket/agent"
)

// agentCommand is "picket agent": what runs on an enrolled host.
func agentCommand(ctx context.Context, args []string, stdio stdio) error {
	fs := flag.NewFlagSet("agent", flag.ContinueOnError)
	var o agent.Options
	fs.StringVar(&o.Server, "server", os.Getenv("PICKET_URL"), "`URL` of the server's HTTPS APIs (or PICKET_URL)")
	token := fs.String("token", os.Getenv("PICKET_TOKEN"), "`token` to enrol with, the first time (or PICKET_TOKEN)")
	fs.StringVar(&o.Rule, "rule", "", "`name` of the data collection rule to enrol with; default: the authentication log")
	fs.StringVar(&o.CA, "ca", "", "`file` with the certificate of the server's authority")
	fs.StringVar(&o.Dir, "data", "/var/lib/picket-agent", "`folder` for the identity, the positions and what is not sent yet")
	fs.StringVar(&o.Host, "name", "", "`name` to enrol with; default: this host's")
	fs.StringVar(&o.LogDir, "logs", "", "`folder` of the system's log files, where systemd does not run; default /var/log")
	spool := fs.Int64("spool-mb", 1024, "what is kept while the server is away, in `megabytes`; when it is full the oldest is dropped")
	again := fs.Bool("re-enrol", false, "forget the enrolment there is")
	operands, err := parse(fs, args, stdio)
	if err != nil {
		return err
	}
	switch {
	case len(operands) > 0:
		return misuse("agent: takes no operands, not %d", len(operands))
	case o.Server == "":
		return misuse("agent: --server URL is required")
	case *spool < 1:
		return misuse("agent: --spool-mb is %d; want 1 or more", *spool)
	case *again && *token == "":
		return misuse("agent: --re-enrol needs --token")
	}
	if *again {
		if err := agent.Forget(o.Dir); err != nil {
			return err
		}
	}
	o.Token, o.Version, o.SpoolBytes = picket.Secret(*token), version(), *spool<<20
	o.Log = slog.New(slog.NewTextHandler(stdio.err, nil))
	err = agent.Run(ctx, o)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("agent: %w", err)
	}
	return nil
}
