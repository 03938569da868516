package main

import (
	"context"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"picket/reputation"
)

const verdictHelp = `Usage: picket verdict set [flags] IP|NETWORK malicious|suspicious|unknown|benign
       picket verdict drop [flags] IP|NETWORK
       picket verdict list [flags]

set decides for an address or a network: that wins over every source until it
expires, and over verdicts of larger networks. drop takes it back. A running
server takes both over within half a minute.

Flags:
`

// verdictCommand is "picket verdict set|list|drop".
func verdictCommand(ctx context.Context, args []string, stdio stdio) error {
	if groupHelp(args, verdictHelp, stdio) {
		return nil
	}
	operandsOf := map[string]int{"set": 2, "drop": 1, "list": 0}
	verb := ""
	if len(args) > 0 {
		verb = args[0]
	}
	want, ok := operandsOf[verb]
	if !ok {
		return misuse("verdict: want set, list or drop")
	}
	fs := flag.NewFlagSet("verdict "+verb, flag.ContinueOnError)
	from := sourceFlags{local: true}
	fs.StringVar(&from.data, "data", "", "`folder` where verdicts are kept; may be a server's (default ~/.local/share/picket)")
	author := fs.String("author", os.Getenv("USER"), "`who` decides")
	note := fs.String("note", "", "why")
	expires := fs.String("expires", "", "`when` it ends: in a time such as 90d or 12h, or on a day (UTC) such as 2027-01-31 (default never)")
	format := fs.String("format", "table", "`how` to print: "+formats)
	operands, err := parseWith(fs, verdictHelp, args[1:], stdio)
	if err != nil {
		return err
	}
	if len(operands) != want {
		return misuse("verdict %s: takes %d operand%s, not %d", verb, want, plural(want), len(operands))
	}
	if err := knownFormat(*format); err != nil {
		return err
	}
	var network netip.Prefix
	if want > 0 {
		if network, err = networkOf(operands[0]); err != nil {
			return err
		}
	}
	until, err := expiryOf(*expires, time.Now())
	if err != nil {
		return misuse("verdict %s: --expires %v", verb, err)
	}
	sources, closed, err := from.open(ctx, stdio)
	if err != nil {
		return err
	}
	defer closed()
	switch verb {
	case "set":
		return sources.Engine.SetVerdict(ctx, network, reputation.Override{Verdict: reputation.Verdict(operands[1]), Author: *author, Note: *note, Expires: until})
	case "drop":
		return sources.Engine.DropVerdict(ctx, network)
	}
	r := result{Columns: []column{{"network", "string"}, {"verdict", "string"}, {"author", "string"}, {"set", "datetime"}, {"expires", "datetime"}, {"note", "string"}}}
	for _, o := range sources.Engine.Verdicts() {
		if err := r.add(o.Network, o.Verdict, o.Author, moment(o.At), moment(o.Expires), o.Note); err != nil {
			return err
		}
	}
	return r.print(stdio.out, *format)
}

// networkOf reads an address or a network, and refuses bits behind its prefix,
// which would be a slip.
func networkOf(text string) (netip.Prefix, error) {
	if ip, err := reputation.ParseIP(text); err == nil {
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, misuse("%q is neither an address nor a network; want for example 203.0.113.7 or 203.0.113.0/24", text)
	}
	if p.Masked() != p {
		return p, misuse("%s is an address within a network; want %s for the network, or %s for the address", text, p.Masked(), p.Addr())
	}
	return p, nil
}

// expiryOf reads when something ends: in a time from now, or on a day. "" is never.
func expiryOf(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day, nil
	}
	if digits, ok := strings.CutSuffix(text, "d"); ok {
		if n, err := strconv.ParseUint(digits, 10, 16); err == nil {
			return now.AddDate(0, 0, int(n)), nil
		}
	}
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(d), nil
	}
	return time.Time{}, fmt.Errorf("%q is no time; want for example 90d, 12h or 2027-01-31", text)
}
