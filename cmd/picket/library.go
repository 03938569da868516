package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"picket/server"
	"picket/state"
)

// The paths of the one workspace, as Azure Resource Manager has them.
const (
	searchesPath   = "/subscriptions/default/resourceGroups/default/providers/Microsoft.OperationalInsights/workspaces/default/savedSearches"
	sharedKeysPath = "/subscriptions/default/resourceGroups/default/providers/Microsoft.OperationalInsights/workspaces/default/sharedKeys"
	watchlistsPath = "/subscriptions/default/resourceGroups/default/providers/Microsoft.OperationalInsights/workspaces/default/providers/Microsoft.SecurityInsights/watchlists"
)

// verbs parses "NOUN create|list|show|delete" and returns the verb and the name
// that stands behind it.
func verbs(fs *flag.FlagSet, noun string, args []string, stdio stdio) (verb, name string, err error) {
	if len(args) == 0 || !strings.Contains(" create list show delete ", " "+args[0]+" ") {
		return "", "", misuse("%s: want create, list, show or delete", noun)
	}
	operands, err := parse(fs, args[1:], stdio)
	if err != nil {
		return "", "", err
	}
	want := 1
	if args[0] == "list" {
		want = 0
	}
	if len(operands) != want {
		return "", "", misuse("%s %s: takes %d name%s, not %d", noun, args[0], want, plural(want), len(operands))
	}
	return args[0], strings.Join(operands, ""), nil
}

// putResource sends properties as a resource and returns the answer's warnings.
func putResource(ctx context.Context, c *client, path string, properties any) ([]string, error) {
	body, err := json.Marshal(map[string]any{"properties": properties})
	if err != nil {
		return nil, err
	}
	var a struct{ Warnings []string }
	err = c.do(ctx, "PUT", path, bytes.NewReader(body), &a)
	return a.Warnings, err
}

// functionCommand is "picket function create|list|show|delete".
func functionCommand(ctx context.Context, args []string, stdio stdio) error {
	if group(args, stdio) {
		return nil
	}
	fs := flag.NewFlagSet("function", flag.ContinueOnError)
	data := fs.String("data", "", "data `folder` of the server on this machine")
	file := fs.String("file", "", "`file` with the function's KQL")
	params := fs.String("parameters", "", "its parameters, such as 'ip:string, days:long=7'")
	category := fs.String("category", "Function", "its category")
	verb, name, err := verbs(fs, "function", args, stdio)
	if err != nil {
		return err
	}
	if verb == "create" && *file == "" {
		return misuse("function create: --file FILE is required")
	}
	c, err := connect(*data)
	if err != nil {
		return err
	}
	path := searchesPath + "/" + url.PathEscape(name)
	switch verb {
	case "create":
		text, err := os.ReadFile(*file)
		if err != nil {
			return err
		}
		warnings, err := putResource(ctx, c, path, state.SavedSearch{Category: *category, DisplayName: name, FunctionAlias: name, FunctionParameters: *params, Query: string(text)})
		for _, w := range warnings {
			fmt.Fprintln(stdio.err, "warning:", w)
		}
		return err
	case "delete":
		return c.do(ctx, "DELETE", path, nil, nil)
	}
	var a struct{ Value []server.FunctionRow }
	if err := c.do(ctx, "GET", "/v1/functions", nil, &a); err != nil {
		return err
	}
	if verb == "list" {
		r := result{Columns: []column{{"name", "string"}, {"parameters", "string"}, {"category", "string"}, {"title", "string"}, {"file", "string"}}}
		for _, f := range a.Value {
			if err := r.add(f.Name, f.Parameters, f.Category, f.Title, f.File); err != nil {
				return err
			}
		}
		return r.print(stdio.out, "table")
	}
	for _, f := range a.Value {
		if f.Name == name {
			_, err := fmt.Fprintf(stdio.out, "// %s(%s)\n%s\n", f.Name, f.Parameters, strings.TrimRight(f.Query, "\n"))
			return err
		}
	}
	return fmt.Errorf("there is no function %s", name)
}

// watchlistCommand is "picket watchlist create|list|show|delete".
func watchlistCommand(ctx context.Context, args []string, stdio stdio) error {
	if group(args, stdio) {
		return nil
	}
	fs := flag.NewFlagSet("watchlist", flag.ContinueOnError)
	data := fs.String("data", "", "data `folder` of the server on this machine")
	file := fs.String("file", "", "CSV `file` whose first line has the columns' names")
	key := fs.String("key", "", "the `column` that items are looked up by")
	title := fs.String("title", "", "what people read instead of the alias")
	verb, name, err := verbs(fs, "watchlist", args, stdio)
	if err != nil {
		return err
	}
	if verb == "create" && (*file == "" || *key == "") {
		return misuse("watchlist create: --file FILE and --key COLUMN are required")
	}
	c, err := connect(*data)
	if err != nil {
		return err
	}
	path := watchlistsPath + "/" + url.PathEscape(name)
	switch verb {
	case "create":
		text, err := os.ReadFile(*file)
		if err != nil {
			return err
		}
		_, err = putResource(ctx, c, path, map[string]any{"displayName": *title, "provider": "Custom", "source": filepath.Base(*file), "sourceType": "Local",
			"itemsSearchKey": *key, "contentType": "text/csv", "rawContent": string(text)})
		return err
	case "delete":
		return c.do(ctx, "DELETE", path, nil, nil)
	case "show":
		name, err := json.Marshal(name) // a string of JSON is one of KQL
		if err != nil {
			return err
		}
		r, err := c.query(ctx, "_GetWatchlist("+string(name)+")")
		if err != nil {
			return err
		}
		return r.print(stdio.out, "table")
	}
	var a struct {
		Value []struct{ Properties state.Watchlist }
	}
	if err := c.do(ctx, "GET", watchlistsPath, nil, &a); err != nil {
		return err
	}
	r := result{Columns: []column{{"alias", "string"}, {"title", "string"}, {"search key", "string"}, {"items", "long"}, {"updated", "datetime"}}}
	for _, w := range a.Value {
		p := w.Properties
		if err := r.add(p.Alias, p.DisplayName, p.SearchKey, p.Items, moment(p.Updated)); err != nil {
			return err
		}
	}
	return r.print(stdio.out, "table")
}
