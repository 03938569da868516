package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/url"
	"strings"
	"time"

	"picket/reputation"
	"picket/state"
)

// hostCommand is "picket host token|list|revoke".
func hostCommand(ctx context.Context, args []string, stdio stdio) error {
	if group(args, stdio) {
		return nil
	}
	if len(args) == 0 || !strings.Contains(" token list revoke ", " "+args[0]+" ") {
		return misuse("host: want token, list or revoke")
	}
	verb := args[0]
	fs := flag.NewFlagSet("host "+verb, flag.ContinueOnError)
	data := fs.String("data", "", "data `folder` of the server on this machine")
	expires := fs.String("expires", "1d", "`when` a token ends: in a time such as 12h or 7d, or on a day (UTC)")
	format := fs.String("format", "table", "`how` list prints: table, csv, json or markdown")
	operands, err := parse(fs, args[1:], stdio)
	if err != nil {
		return err
	}
	want := 0
	if verb == "revoke" {
		want = 1
	}
	if len(operands) != want {
		return misuse("host %s: takes %d operand%s, not %d", verb, want, plural(want), len(operands))
	}
	c, err := connect(*data)
	if err != nil {
		return err
	}
	switch verb {
	case "token":
		return hostToken(ctx, c, *expires, stdio)
	case "list":
		return hostList(ctx, c, *format, stdio)
	}
	return hostRevoke(ctx, c, operands[0])
}

// hostToken makes a key that enrols hosts and prints it alone on standard output.
func hostToken(ctx context.Context, c *client, expires string, stdio stdio) error {
	until, err := expiryOf(expires, time.Now())
	if err != nil {
		return misuse("host token: --expires %v", err)
	}
	body, err := json.Marshal(map[string]any{"name": "enrolment", "scopes": []string{reputation.ScopeEnrol}, "expires": until})
	if err != nil {
		return err
	}
	var a struct{ ID, Key string }
	if err := c.do(ctx, "POST", "/v1/keys", bytes.NewReader(body), &a); err != nil {
		return err
	}
	return showKey(stdio, a.Key, a.ID, "until "+moment(until)+" it enrols hosts: picket agent --server URL --token TOKEN --ca FILE")
}

func hosts(ctx context.Context, c *client) ([]state.Host, error) {
	var a struct{ Value []state.Host }
	err := c.do(ctx, "GET", "/v1/hosts", nil, &a)
	return a.Value, err
}

// silentAfter is how long a host may be without a heartbeat before the list says
// that it is silent, as Microsoft's heartbeat queries have it.
const silentAfter = 5 * time.Minute

func hostList(ctx context.Context, c *client, format string, stdio stdio) error {
	list, err := hosts(ctx, c)
	if err != nil {
		return err
	}
	r := result{Columns: []column{{"computer", "string"}, {"id", "string"}, {"rule", "string"}, {"address", "string"}, {"version", "string"}, {"enrolled", "datetime"}, {"last seen", "datetime"}, {"state", "string"}}}
	for _, h := range list {
		status := "beating"
		switch {
		case !h.Revoked.IsZero():
			status = "revoked"
		case h.LastSeen.IsZero():
			status = "never seen"
		case time.Since(h.LastSeen) > silentAfter:
			status = "silent"
		}
		if err := r.add(h.Computer, h.ID, h.Rule, h.Address, h.Version, moment(h.Enrolled), moment(h.LastSeen), status); err != nil {
			return err
		}
	}
	return r.print(stdio.out, format)
}

// hostRevoke ends the key of a host, named by its id or, when there is one of
// that name only, by its name.
func hostRevoke(ctx context.Context, c *client, name string) error {
	list, err := hosts(ctx, c)
	if err != nil {
		return err
	}
	var ids []string
	for _, h := range list {
		if h.ID == name || h.Computer == name && h.Revoked.IsZero() {
			ids = append(ids, h.ID)
		}
	}
	switch len(ids) {
	case 0:
		return fmt.Errorf("there is no host %s: picket host list shows them", name)
	case 1:
		return c.do(ctx, "DELETE", "/v1/hosts/"+url.PathEscape(ids[0]), nil, nil)
	}
	return fmt.Errorf("several hosts are called %s; name one by its id: %s", name, strings.Join(ids, ", "))
}
