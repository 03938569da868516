package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"time"

	"picket"
	"picket/server"
)

func (a *App) wireServer() error {
	admin, err := secretOf(a.cfg.Data, tokenFile, "pka_")
	if err != nil {
		return fmt.Errorf("admin token: %w", err)
	}
	shared, err := sharedKey(a.cfg.Data)
	if err != nil {
		return fmt.Errorf("shared key: %w", err)
	}
	handler := server.New(server.Options{
		Intake: a.Intake, Hosts: a.hosts(), SharedKey: shared,
		Workspace: a.Workspace, Incidents: a.Incidents, Reputation: a.Reputation, Library: a.Library, Engine: a.sources.Engine,
		Prowl: server.Prowl(server.ProwlOptions{Reputation: a.Reputation, Engine: a.sources.Engine, Cause: a.cause, Logger: a.component("prowl")}),
		Cause: a.cause,
		Admin: admin,
		Verify: func(ctx context.Context, key picket.Secret, scope string) (string, error) {
			k, err := a.Reputation.VerifyKey(ctx, key, scope)
			return k.ID, err
		},
		Token:   a.Reputation.IssueToken,
		Metrics: a.metricsHandler(), OpenMetrics: a.cfg.Metrics == metricsOpen,
		Version: a.opts.Version,
		Logger:  a.component("server"),
	})
	a.http = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       2 * time.Minute,
		WriteTimeout:      5 * time.Minute, // long answers extend it while they are read
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ConnState:         a.silent.track,
		ErrorLog:          slog.NewLogLogger(a.component("http").Handler(), slog.LevelDebug),
	}
	if a.secure != nil {
		a.http.TLSConfig, err = tlsConfig(a.cfg)
	}
	return err
}

// URL is where the HTTP APIs are, as this host reaches them.
func (a *App) URL() string { return "http://" + a.host() }

// host is the host and port of URL.
func (a *App) host() string { return local(a.listen) }

// TLSURL is where the HTTP APIs are over TLS, or "" when that is off.
func (a *App) TLSURL() string {
	if a.secure == nil {
		return ""
	}
	return "https://" + local(a.secure)
}

// local is the host and port at which this host reaches a listener.
func local(l net.Listener) string {
	at, err := netip.ParseAddrPort(l.Addr().String())
	if err != nil {
		return l.Addr().String()
	}
	// Every address is no address to send a key to: a proxy might take it. Go
	// listens on all of IPv4 for the one of IPv6, too.
	if at.Addr().IsUnspecified() {
		at = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port())
	}
	return at.String()
}

// serve serves HTTP until ctx ends, then lets requests under way finish.
func (a *App) serve(ctx context.Context) error {
	failed := make(chan error, 2)
	go func() { failed <- a.http.Serve(a.listen) }()
	if a.secure != nil {
		go func() { failed <- a.http.ServeTLS(a.secure, "", "") }()
	}
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	a.silent.closeAll()
	wait, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := a.http.Shutdown(wait)
	if errors.Is(err, context.DeadlineExceeded) {
		// Nobody but the callers is to blame for that: it is no failure.
		a.log.Warn("requests under way are cut off")
		return a.http.Close()
	}
	return err
}
