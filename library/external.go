package library

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"picket/kql"
	"picket/workspace"
)

// Location is a place that externaldata may read: all that begins with URL or
// lies in Path.
type Location struct {
	// URL is a prefix such as https://host/feeds/; scheme and host are compared
	// whole, the path by its parts.
	URL string
	// Path is a file, or a folder with all below it.
	Path string
	// Refresh is how long what was read is taken for current. 0 means an hour.
	Refresh time.Duration
}

const (
	// maxExternal is how much one location may hold, unpacked, by the page
	// "externaldata operator".
	maxExternal    = 100 << 20
	fetchTimeout   = time.Minute
	defaultRefresh = time.Hour
	maxCached      = 100 // results of externaldata that are kept
)

// external reads external data into side tables and keeps them for a while.
type external struct {
	ws        *workspace.DB
	locations []Location
	now       func() time.Time
	client    *http.Client

	mu     sync.Mutex // one fetch at a time: a query asked ten times at once reads once
	tables map[string]cached
}

// cached is external data as a side table.
type cached struct {
	table string
	until time.Time
}

func newExternal(ws *workspace.DB, locations []Location, now func() time.Time) *external {
	e := &external{ws: ws, locations: locations, now: now, tables: map[string]cached{}}
	e.client = &http.Client{Timeout: fetchTimeout, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if len(via) > 5 {
			return errors.New("it redirects more than 5 times")
		}
		if _, ok := e.find(r.URL.String()); !ok {
			return fmt.Errorf("it redirects to %s, which is not configured", shown(r.URL.String()))
		}
		return nil
	}}
	return e
}

// table returns a side table with what the locations hold.
func (e *external) table(ctx context.Context, d kql.ExternalData) (string, error) {
	refresh := time.Duration(0)
	for _, u := range d.URIs {
		loc, ok := e.find(u)
		if !ok {
			return "", fmt.Errorf("%s is not among the locations that may be read: add \"external: [{%s}]\" to picket.yaml, or import the data as a watchlist", shown(u), entry(u))
		}
		if loc.Refresh == 0 {
			loc.Refresh = defaultRefresh
		}
		if refresh == 0 || loc.Refresh < refresh {
			refresh = loc.Refresh
		}
	}
	f, err := formatOf(d)
	if err != nil {
		return "", err
	}
	key := fmt.Sprint(d.URIs, d.Columns, d.Props)
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	if c, ok := e.tables[key]; ok && now.Before(c.until) {
		return c.table, nil
	}
	rows := [][]any{}
	for _, u := range d.URIs {
		data, err := e.read(ctx, u)
		if err == nil {
			rows, err = f.parse(ctx, data, u, rows)
		}
		if err != nil {
			return "", fmt.Errorf("%s: %w", shown(u), err)
		}
	}
	name, err := e.ws.AddSide(ctx, d.Columns, rows)
	if err != nil {
		return "", err
	}
	e.sweep(ctx, now)
	e.tables[key] = cached{name, now.Add(refresh)}
	return name, nil
}

// sweep drops tables that have been out of date for longer than any query runs,
// and when there are too many, the oldest.
func (e *external) sweep(ctx context.Context, now time.Time) {
	for key, c := range e.tables {
		if now.Sub(c.until) > fetchTimeout*15 || len(e.tables) > maxCached {
			_ = e.ws.DropSide(ctx, c.table) // it is dropped at the next start then
			delete(e.tables, key)
		}
	}
}

// find returns the location that u belongs to.
func (e *external) find(u string) (Location, bool) {
	for _, l := range e.locations {
		if l.URL != "" && underURL(u, l.URL) || l.Path != "" && underPath(u, l.Path) {
			return l, true
		}
	}
	return Location{}, false
}

// underURL reports whether u begins with the prefix, by whole parts of its path.
func underURL(u, prefix string) bool {
	a, err := url.Parse(u)
	if err != nil {
		return false
	}
	b, err := url.Parse(prefix)
	if err != nil || a.Scheme != b.Scheme || !strings.EqualFold(a.Host, b.Host) || a.User != nil || a.Scheme != "https" && a.Scheme != "http" {
		return false
	}
	return within(path.Clean("/"+a.Path), path.Clean("/"+b.Path)) && (b.RawQuery == "" || a.RawQuery == b.RawQuery)
}

// underPath reports whether u names the file, or one below the folder, also
// where links lead.
func underPath(u, prefix string) bool {
	name, ok := localPath(u)
	if !ok {
		return false
	}
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		real = name // it is not there, which is told when it is read
	}
	if p, err := filepath.EvalSymlinks(prefix); err == nil {
		prefix = p
	}
	return within(real, filepath.Clean(prefix))
}

func within(name, prefix string) bool {
	return name == prefix || strings.HasPrefix(name, strings.TrimSuffix(prefix, "/")+"/")
}

// localPath returns the path of a file:// URL or an absolute path.
func localPath(u string) (string, bool) {
	if p, ok := strings.CutPrefix(u, "file://"); ok {
		u = p
	}
	if !filepath.IsAbs(u) {
		return "", false
	}
	return filepath.Clean(u), true
}

// shown is a location as messages have it: what follows a question mark may be
// a key, as in a shared access signature.
func shown(u string) string {
	u, _, _ = strings.Cut(u, "?")
	if p, err := url.Parse(u); err == nil && p.User != nil {
		p.User = nil
		return p.String()
	}
	return u
}

// entry is what allows u, in picket.yaml.
func entry(u string) string {
	if _, ok := localPath(u); ok {
		return "path: " + shown(u)
	}
	return "url: " + shown(u)
}

// read returns what lies at u.
func (e *external) read(ctx context.Context, u string) ([]byte, error) {
	in, err := e.open(ctx, u)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	return limited(in)
}

// limited reads all of in, within the limit.
func limited(in io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxExternal+1))
	if err != nil {
		return nil, hideURL(err)
	}
	if len(data) > maxExternal {
		return nil, fmt.Errorf("it has more than %d MB", maxExternal>>20)
	}
	return data, nil
}

func (e *external) open(ctx context.Context, u string) (io.ReadCloser, error) {
	if name, ok := localPath(u); ok {
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
			return nil, errors.Join(errors.New("it is no file"), err, f.Close())
		}
		return f, nil
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u, nil)
	if err != nil {
		return nil, errors.New("it is no URL")
	}
	res, err := e.client.Do(req)
	if err != nil {
		return nil, hideURL(err)
	}
	if res.StatusCode != http.StatusOK {
		return nil, errors.Join(fmt.Errorf("the server answered %s", res.Status), res.Body.Close())
	}
	return res.Body, nil
}

// hideURL leaves out the URL that errors of net/http hold, key and all.
func hideURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
