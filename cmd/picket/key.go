package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"picket/app"
	"picket/reputation"
	"picket/state"
)

// key is "picket key create|list|rotate|revoke|shared".
func key(ctx context.Context, args []string, stdio stdio) error {
	if group(args, stdio) {
		return nil
	}
	if len(args) == 0 {
		return misuse("key: want create, list, rotate, revoke or shared")
	}
	verb := args[0]
	if verb != "create" && verb != "list" && verb != "rotate" && verb != "revoke" && verb != "shared" {
		return misuse("key: unknown %q; want create, list, rotate, revoke or shared", verb)
	}
	fs := flag.NewFlagSet("key "+verb, flag.ContinueOnError)
	data := fs.String("data", "", "data `folder` of the server on this machine")
	name := fs.String("name", "key", "what the key is for")
	scope := fs.String("scope", reputation.ScopeLookup, "what it may do: "+strings.Join(reputation.Scopes(), ", ")+"; several with commas")
	expires := fs.String("expires", "", "`when` a new key ends: in a time such as 90d, or on a day (UTC) such as 2027-01-31 (default never)")
	perDay := fs.Int("per-day", 0, "how many `lookups` a day (UTC) a new key may make (default no limit)")
	perSecond := fs.Float64("per-second", 0, "how many `lookups` a second a new key may make (default no limit)")
	aws := fs.String("aws-account", "", "AWS `account` of a buyer on AWS Marketplace, whom it bills for a new key (12 digits)")
	grace := fs.Duration("grace", 24*time.Hour, "how `long` the old key goes on working when it is rotated")
	operands, err := parse(fs, args[1:], stdio)
	if err != nil {
		return err
	}
	until, err := expiryOf(*expires, time.Now())
	if err != nil {
		return misuse("key %s: --expires %v", verb, err)
	}
	want := 0
	if verb == "revoke" || verb == "rotate" {
		want = 1
	}
	if len(operands) != want {
		return misuse("key %s: takes %d operand%s, not %d", verb, want, plural(want), len(operands))
	}
	switch verb {
	case "create":
		return keyCreate(ctx, *data, reputation.NewKey{Name: *name, Scopes: strings.Split(*scope, ","), PerDay: *perDay, PerSecond: *perSecond, Expires: until, AWSAccount: *aws}, stdio)
	case "rotate":
		return keyRotate(ctx, *data, operands[0], *grace, stdio)
	case "list":
		return keyList(ctx, *data, stdio)
	case "shared":
		return keyShared(ctx, *data, stdio)
	}
	return keyRevoke(ctx, *data, operands[0])
}

// keyCreate prints the new key alone on standard output, for scripts.
func keyCreate(ctx context.Context, data string, k reputation.NewKey, stdio stdio) error {
	var text, id string
	err := either(ctx, data, true, func(c *client) error {
		body, err := json.Marshal(map[string]any{"name": k.Name, "scopes": k.Scopes, "per_day": k.PerDay, "per_second": k.PerSecond, "expires": k.Expires, "aws_account": k.AWSAccount})
		if err != nil {
			return err
		}
		var a struct{ ID, Key string }
		err = c.do(ctx, "POST", "/v1/keys", bytes.NewReader(body), &a)
		text, id = a.Key, a.ID
		return err
	}, func(s *reputation.Service) error {
		made, secret, err := s.CreateKey(ctx, k)
		text, id = secret.Reveal(), made.ID
		return err
	})
	if err != nil {
		return err
	}
	return showKey(stdio, text, id, "its scope: "+strings.Join(k.Scopes, ", "))
}

// showKey prints a new key's text alone on standard output, and what is to be known
// of it beside.
func showKey(stdio stdio, text, id, more string) error {
	if _, err := fmt.Fprintln(stdio.out, text); err != nil {
		return fmt.Errorf("the key could not be shown and is lost; revoke %s: %w", id, err)
	}
	fmt.Fprintf(stdio.err, "This is the only time the key is shown. Its id is %s; %s.\n", id, more)
	return nil
}

// keyShared prints what senders of the HTTP Data Collector API need.
func keyShared(ctx context.Context, data string, stdio stdio) error {
	c, err := connect(data)
	if err != nil {
		return err
	}
	var a struct{ CustomerID, PrimarySharedKey string }
	if err := c.do(ctx, "POST", sharedKeysPath, nil, &a); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdio.out, "workspace  %s\nkey        %s\n", a.CustomerID, a.PrimarySharedKey)
	return err
}

func keyRotate(ctx context.Context, data, old string, grace time.Duration, stdio stdio) error {
	var text, id string
	err := either(ctx, data, false, func(c *client) error {
		var a struct{ ID, Key string }
		err := c.do(ctx, "POST", "/v1/keys/"+url.PathEscape(old)+"/rotate?grace="+url.QueryEscape(grace.String()), nil, &a)
		text, id = a.Key, a.ID
		return err
	}, func(s *reputation.Service) error {
		made, secret, err := s.RotateKey(ctx, old, grace)
		text, id = secret.Reveal(), made.ID
		return err
	})
	if err != nil {
		return err
	}
	return showKey(stdio, text, id, fmt.Sprintf("%s works for %s yet", old, grace))
}

func keyList(ctx context.Context, data string, stdio stdio) error {
	type row struct {
		state.Key
		Requests int64
		CostUSD  float64 `json:"cost_usd"`
	}
	var a struct{ Value []row }
	err := either(ctx, data, false, func(c *client) error {
		return c.do(ctx, "GET", "/v1/keys", nil, &a)
	}, func(s *reputation.Service) error {
		keys, err := s.ListKeys(ctx)
		if err != nil {
			return err
		}
		usage, err := s.Usage(ctx)
		if err != nil {
			return err
		}
		for _, k := range keys {
			r := row{Key: k}
			for _, u := range usage {
				if u.KeyID == k.ID {
					r.Requests += u.Requests
					r.CostUSD += u.CostUSD
				}
			}
			a.Value = append(a.Value, r)
		}
		return nil
	})
	if err != nil {
		return err
	}
	r := result{Columns: []column{{"id", "string"}, {"name", "string"}, {"scopes", "string"}, {"limits", "string"}, {"created", "datetime"}, {"last used", "datetime"}, {"requests", "long"}, {"cost (USD)", "real"}, {"state", "string"}}}
	for _, k := range a.Value {
		status := "valid"
		switch {
		case !k.Revoked.IsZero():
			status = "revoked"
		case !k.Expires.IsZero() && !time.Now().Before(k.Expires):
			status = "expired"
		case !k.Expires.IsZero():
			status = "valid until " + moment(k.Expires)
		}
		if err := r.add(k.ID, k.Name, strings.Join(k.Scopes, ","), limitsOf(k.Key), moment(k.Created), moment(k.LastUsed), k.Requests, fmt.Sprintf("%.2f", k.CostUSD), status); err != nil {
			return err
		}
	}
	return r.print(stdio.out, "table")
}

// limitsOf says how often a key may be used: 100/day, 5/s; nothing is no limit.
func limitsOf(k state.Key) string {
	var out []string
	if k.PerDay > 0 {
		out = append(out, strconv.Itoa(k.PerDay)+"/day")
	}
	if k.PerSecond > 0 {
		out = append(out, strconv.FormatFloat(k.PerSecond, 'f', -1, 64)+"/s")
	}
	return strings.Join(out, ", ")
}

// moment is a time as lists show it; no time is nothing.
func moment(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04")
}

// add adds a row of Go values.
func (r *result) add(values ...any) error {
	row := make([]json.RawMessage, len(values))
	for i, v := range values {
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		row[i] = b
	}
	r.Rows = append(r.Rows, row)
	return nil
}

func keyRevoke(ctx context.Context, data, id string) error {
	return either(ctx, data, false, func(c *client) error {
		return c.do(ctx, "DELETE", "/v1/keys/"+url.PathEscape(id), nil, nil)
	}, func(s *reputation.Service) error {
		return s.RevokeKey(ctx, id)
	})
}

// either does a thing through the running server, or, when a data folder is
// named and no server runs on it, in the folder's state itself. With create it
// makes a folder that is not there yet.
func either(ctx context.Context, data string, create bool, online func(*client) error, offline func(*reputation.Service) error) error {
	c, err := connect(data)
	if err == nil {
		err = online(c)
	}
	if !errors.Is(err, errNoServer) || data == "" {
		return err
	}
	path := filepath.Join(data, app.StateFile)
	if _, missing := os.Stat(path); missing != nil && !create {
		return err
	}
	db, err := state.Open(ctx, state.Options{Path: path})
	if err != nil {
		return err
	}
	return errors.Join(offline(reputation.New(db, reputation.Options{})), db.Close(ctx))
}

// reputationCommand is "picket reputation import FILE".
func reputationCommand(ctx context.Context, args []string, stdio stdio) error {
	if group(args, stdio) {
		return nil
	}
	if len(args) == 0 || args[0] != "import" {
		return misuse("reputation: want import")
	}
	fs := flag.NewFlagSet("reputation import", flag.ContinueOnError)
	data := fs.String("data", "", "data `folder` of the server on this machine")
	operands, err := parse(fs, args[1:], stdio)
	if err != nil {
		return err
	}
	if len(operands) != 1 {
		return misuse("reputation import: takes one file")
	}
	path := operands[0]
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var done reputation.Imported
	err = either(ctx, *data, true, func(c *client) error {
		return c.do(ctx, "POST", "/v1/reputation?name="+url.QueryEscape(path), f, &done)
	}, func(s *reputation.Service) error {
		if _, err := f.Seek(0, 0); err != nil {
			return err
		}
		var err error
		done, err = s.Import(ctx, f, path)
		return err
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(stdio.out, "%d address%s imported: %d new, %d replaced\n", done.Records, es(int64(done.Records)), done.Added, done.Replaced)
	for _, w := range done.Warnings {
		fmt.Fprintln(stdio.err, "warning:", w)
	}
	if done.MoreWarnings > 0 {
		fmt.Fprintf(stdio.err, "… and %d more warnings\n", done.MoreWarnings)
	}
	return nil
}
