package app

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"time"

	"picket/analytics"
	"picket/kql"
	"picket/library"
	"picket/workspace"
)

// LocationConfig is a location that externaldata may read: a URL or a path.
type LocationConfig struct {
	URL     string `yaml:"url"`
	Path    string `yaml:"path"`
	Refresh string `yaml:"refresh"` // a duration; default 1h
}

// wireLibrary opens what queries may use beside the tables, with the functions
// of the data folder.
func (a *App) wireLibrary(ctx context.Context) (err error) {
	o := library.Options{Workspaces: slices.Sorted(maps.Keys(a.cfg.Workspaces)), Logger: a.component("library")}
	for _, c := range a.cfg.External {
		loc, err := c.location()
		if err != nil {
			return err
		}
		o.External = append(o.External, loc)
	}
	if a.Library, err = library.New(ctx, a.Workspace, a.State, o); err != nil {
		return err
	}
	list, err := library.LoadDir(os.DirFS(a.cfg.Data), "functions")
	a.report("function", err)
	warnings, err := a.Library.SetFiles(ctx, list)
	a.report("function", err)
	a.remark("function", warnings)
	return nil
}

// location reads the entry of picket.yaml.
func (c LocationConfig) location() (library.Location, error) {
	l := library.Location{URL: c.URL, Path: c.Path}
	if (c.URL == "") == (c.Path == "") {
		return l, fmt.Errorf("external: want url or path, one of them")
	}
	if u, err := url.Parse(c.URL); c.URL != "" && (err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		return l, fmt.Errorf("external: an url is no URL; want for example https://feeds.example/lists/")
	}
	if c.Path != "" && !filepath.IsAbs(c.Path) {
		return l, fmt.Errorf("external: path %s: want an absolute one", c.Path)
	}
	if c.Refresh != "" {
		d, err := time.ParseDuration(c.Refresh)
		if err != nil || d <= 0 {
			return l, fmt.Errorf("external: refresh %q is no duration; want for example 1h", c.Refresh)
		}
		l.Refresh = d
	}
	return l, nil
}

// compiles checks rules' queries with all that queries may use.
func (a *App) compiles(ctx context.Context) analytics.Check {
	return analytics.Compiles(func(query string, o kql.Options) (*kql.Query, error) {
		return a.Workspace.Compile(ctx, workspace.Caller{}, query, o)
	})
}
