package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"log/slog"
	"os/signal"
	"syscall"

	"picket/app"
)

// serve is "picket serve": run as a service until a signal.
func serve(ctx context.Context, args []string, stdio stdio) error {
	fs := flag.NewFlagSet("serve", flag.ContinueOnError)
	data := fs.String("data", "", "`folder` for the workspace, the state, rules, playbooks and the admin token (required)")
	config := fs.String("config", "", "configuration `file` (picket.yaml)")
	listen := fs.String("listen", "", "`address` of the HTTP APIs (default 127.0.0.1:8480)")
	listenTLS := fs.String("listen-tls", "", "`address` of the same over TLS, or off (default: the port after that of --listen)")
	syslog := fs.String("syslog", "", "`address` for syslog over UDP and TCP, or off (default 127.0.0.1:5514)")
	syslogTLS := fs.String("syslog-tls", "", "`address` for syslog over TLS, such as 0.0.0.0:6514, or off (default off)")
	clientCA := fs.String("syslog-client-ca", "", "PEM `file` of the authority that certificates of syslog senders must be of")
	socket := fs.String("syslog-socket", "", "`path` of a datagram socket for syslog of this host's programs")
	debug := fs.Bool("debug", false, "log more")
	var logs []app.LogConfig
	journal := fs.Bool("journald", false, "read the systemd journal")
	fs.Func("log", "follow this log `file`, or all that match a pattern; may be repeated", func(s string) error {
		logs = append(logs, app.LogConfig{Path: s})
		return nil
	})
	operands, err := parse(fs, args, stdio)
	if err != nil {
		return err
	}
	if len(operands) > 0 {
		return misuse("serve takes no operand, such as %q", operands[0])
	}
	if *data == "" {
		return misuse("serve: --data DIR is required")
	}
	c := app.DefaultConfig()
	if *config != "" {
		if c, err = app.LoadConfig(*config); err != nil {
			return err
		}
	}
	c.Data = *data
	c.Logs = append(c.Logs, logs...)
	c.Journald.On = c.Journald.On || *journal
	if *listen != "" {
		c.Listen = *listen
	}
	if *listenTLS != "" {
		c.ListenTLS = *listenTLS
	}
	if *syslog != "" {
		c.Syslog = *syslog
	}
	c.SyslogTLS, c.SyslogClientCA = cmp.Or(*syslogTLS, c.SyslogTLS), cmp.Or(*clientCA, c.SyslogClientCA)
	c.SyslogSocket = cmp.Or(*socket, c.SyslogSocket)
	level := slog.LevelInfo
	if *debug {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(stdio.err, &slog.HandlerOptions{Level: level}))
	// A write beyond RLIMIT_FSIZE shall be an error, and not the end.
	signal.Ignore(syscall.SIGXFSZ)
	err = app.Serve(ctx, c, app.Options{Logger: log, Version: version()}, func(a *app.App) {
		log.Info("Picket is up", "api", a.URL(), "tls", a.TLSURL(), "syslog", a.SyslogAddr(), "syslog_tls", a.SyslogTLSAddr(), "data", *data)
	})
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil // a signal while starting is a signal to stop
	}
	return err
}
