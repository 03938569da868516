package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"picket/reputation"
	"picket/server"
)

const lookupHelp = `Usage: picket lookup [flags] IP…

Says of an address who it is and what it wants, and why. Works without a server.

Flags:
`

// lookup is "picket lookup".
func lookup(ctx context.Context, args []string, stdio stdio) error {
	fs := flag.NewFlagSet("lookup", flag.ContinueOnError)
	var from sourceFlags
	from.register(fs)
	asJSON := fs.Bool("json", false, "print the profiles as JSON, an object a line")
	refresh := fs.Bool("refresh", false, "ask again although a kept answer is still good; that may cost")
	operands, err := parseWith(fs, lookupHelp, args, stdio)
	if err != nil {
		return err
	}
	if len(operands) == 0 {
		return misuse("lookup: which IP?")
	}
	ips := make([]netip.Addr, len(operands))
	for i, s := range operands {
		if ips[i], err = netip.ParseAddr(strings.Trim(s, "[]")); err != nil {
			return misuse("lookup: %q is no address; want for example 203.0.113.7 or 2001:db8::1", s)
		}
	}
	sources, closed, err := from.open(ctx, stdio)
	if err != nil {
		return err
	}
	defer closed()
	caller := reputation.Caller{Analyst: true, Refresh: *refresh, Patience: 10 * time.Second}
	for i, ip := range ips {
		p := sources.Engine.Lookup(ctx, ip, caller)
		if err := ctx.Err(); err != nil {
			return err
		}
		if *asJSON {
			err = json.NewEncoder(stdio.out).Encode(p)
		} else {
			if i > 0 {
				fmt.Fprintln(stdio.out)
			}
			err = showProfile(stdio.out, p)
			if err == nil {
				err = showExposure(ctx, from.data, ip, stdio.out)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// showProfile prints a profile on one screen.
func showProfile(w io.Writer, p reputation.Profile) error {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "  %-11s %s\n", name, printable(value, false))
		}
	}
	list := func(name string, values []string) {
		for i, v := range values {
			if i > 0 {
				name = ""
			}
			line(name, v)
		}
	}
	head := strings.ToUpper(string(p.Verdict))
	if p.Status == reputation.StatusSkipped {
		head = "SKIPPED"
	}
	if p.Confidence > 0 {
		head += fmt.Sprintf("  %d %% sure", p.Confidence)
	}
	fmt.Fprintf(&b, "%s  %s\n  %s\n\n", p.IP, head, printable(p.Reason, false))
	list("why", p.Reasons)
	list("but", p.Dissent)
	line("does", strings.Join(p.Behaviours, ", "))
	line("labels", strings.Join(p.Labels, ", "))
	line("ATT&CK", strings.Join(p.Techniques, ", "))
	if p.Status != "skipped" {
		line("behind it", strings.TrimSpace(p.Indicator+"  "+strings.Join(p.Evidence, "; ")))
	}
	line("seen", seen(p))
	line("where", place(p))
	if p.ASN != 0 || p.ASOrg != "" {
		line("network", strings.TrimSpace(fmt.Sprintf("AS%d %s  %s", p.ASN, p.ASOrg, p.Network)))
	} else {
		line("network", p.Network)
	}
	line("name", p.ReverseDNS)
	line("carries", p.EmbeddedIPv4)
	line("class", strings.Join(p.Classes, ", "))
	line("lists", strings.Join(p.Lists, ", "))
	if len(p.Sources) > 0 {
		b.WriteString("\n")
	}
	for _, f := range p.Sources {
		fmt.Fprintf(&b, "  %-22s %-9s %-10s %s\n", printable(f.Title, false), f.State, f.Verdict, printable(sourceNote(f), false))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// showExposure prints what the house itself has seen of an address, when a server
// runs that can tell.
func showExposure(ctx context.Context, data string, ip netip.Addr, w io.Writer) error {
	if data == "" && os.Getenv("PICKET_URL") == "" {
		return nil
	}
	c, err := connect(data)
	if errors.Is(err, errNoServer) {
		return nil
	}
	var x server.Exposure
	if err == nil {
		err = c.do(ctx, "GET", "/v1/ip/"+url.PathEscape(ip.String())+"/exposure", nil, &x)
	}
	if errors.Is(err, errNoServer) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("what the server has seen of %s: %w", ip, err)
	}
	var b strings.Builder
	b.WriteString("\n")
	if len(x.Tables) == 0 && len(x.Incidents) == 0 {
		b.WriteString("  here        never seen in 30 days\n")
	}
	for i, in := range x.Incidents {
		name := "incidents"
		if i > 0 {
			name = ""
		}
		fmt.Fprintf(&b, "  %-11s #%d  %s  %s  %s  %s\n", name, in.Number, stamp(in.Last), in.Severity, in.Status, printable(in.Title, false))
	}
	if x.Events > 0 {
		fmt.Fprintf(&b, "  %-11s %d, first %s, last %s\n", "log lines", x.Events, stamp(x.First), stamp(x.Last))
	}
	for i, t := range x.Tables {
		name := "tables"
		if i > 0 {
			name = ""
		}
		fmt.Fprintf(&b, "  %-11s %s %d, first %s, last %s\n", name, t.Table, t.Events, stamp(t.First), stamp(t.Last))
	}
	for _, l := range []struct {
		name string
		list []string
	}{{"hosts", x.Hosts}, {"accounts", x.Accounts}} {
		if len(l.list) > 0 {
			fmt.Fprintf(&b, "  %-11s %s\n", l.name, printable(strings.Join(l.list, ", "), false))
		}
	}
	_, err = io.WriteString(w, b.String())
	return err
}

func seen(p reputation.Profile) string {
	if p.LastSeen.IsZero() && p.FirstSeen.IsZero() {
		return ""
	}
	return strings.TrimSpace("first " + stamp(p.FirstSeen) + ", last " + stamp(p.LastSeen))
}

func place(p reputation.Profile) string {
	s := p.CountryCode
	if p.City != "" {
		s += ", " + p.City
	}
	if len(p.Countries) > 1 {
		var said []string
		for _, c := range p.Countries {
			said = append(said, c.Value+" says "+strings.Join(c.Sources, ", "))
		}
		s += " (sources differ: " + strings.Join(said, "; ") + ")"
	}
	return s
}

// sourceNote is what a source's row says beside its verdict.
func sourceNote(f reputation.Finding) string {
	var out []string
	for _, s := range []string{f.Score, f.Reason} {
		if s != "" {
			out = append(out, s)
		}
	}
	if f.CountryCode != "" && len(out) == 0 {
		out = append(out, strings.TrimSpace(f.CountryCode+" "+f.City))
	}
	if f.ASOrg != "" && f.Score == "" && f.Reason == "" {
		out = append(out, f.ASOrg)
	}
	switch {
	case !f.Until.IsZero():
		out = append(out, "until "+stamp(f.Until))
	case f.CostUSD > 0:
		out = append(out, fmt.Sprintf("cost $%.4f", f.CostUSD))
	case !f.Fetched.IsZero():
		out = append(out, "of "+f.Fetched.UTC().Format("2006-01-02 15:04"))
	}
	return strings.Join(out, ", ")
}
