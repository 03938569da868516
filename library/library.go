// Package library is what queries may use beside the workspace's tables: saved
// functions, watchlists, and external data of configured locations. It knows
// nothing of who asks the queries.
package library

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"picket"
	"picket/state"
	"picket/workspace"
)

// Options configure [New].
type Options struct {
	// External are the locations that externaldata may read; none by default.
	External []Location
	// Workspaces are names under which queries may call this workspace:
	// workspace("name"), database("name"), ….
	Workspaces []string

	Now    func() time.Time // nil means time.Now
	Logger *slog.Logger     // nil discards
}

// Library answers for functions, watchlists and external data. It implements
// kql.Functions.
type Library struct {
	ws         *workspace.DB
	st         *state.DB
	log        *slog.Logger
	now        func() time.Time
	workspaces map[string]bool // lower case
	external   *external

	change  sync.Mutex // one change at a time: what is checked still holds when it is stored
	retired string     // the side table of the watchlist that changed last, as it was

	mu         sync.RWMutex
	saved      map[string]state.SavedSearch // by ID
	files      map[string]Function          // by name
	watchlists map[string]state.Watchlist   // by alias in lower case
}

// New returns the library that is in st, and gives it to the queries of ws.
func New(ctx context.Context, ws *workspace.DB, st *state.DB, o Options) (*Library, error) {
	l := &Library{ws: ws, st: st, log: o.Logger, now: o.Now, workspaces: map[string]bool{},
		saved: map[string]state.SavedSearch{}, files: map[string]Function{}, watchlists: map[string]state.Watchlist{}}
	if l.log == nil {
		l.log = slog.New(slog.DiscardHandler)
	}
	if l.now == nil {
		l.now = time.Now
	}
	for _, name := range append([]string{"default", ws.ID()}, o.Workspaces...) {
		l.workspaces[strings.ToLower(name)] = true
	}
	l.external = newExternal(ws, o.External, l.now)
	saved, err := st.SavedSearches(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range saved {
		l.saved[s.ID] = s
	}
	lists, err := st.Watchlists(ctx)
	if err != nil {
		return nil, err
	}
	var used []string
	for _, w := range lists {
		l.watchlists[strings.ToLower(w.Alias)] = w
		used = append(used, w.Side)
	}
	// What nothing refers to was left by a stop in the middle, or is external
	// data of an earlier run.
	for _, name := range ws.Sides() {
		if !slices.Contains(used, name) {
			if err := ws.DropSide(ctx, name); err != nil {
				return nil, fmt.Errorf("library: %w", err)
			}
		}
	}
	ws.SetExtras(workspace.Extras{Functions: l, External: l.external.table, Elsewhere: l.elsewhere})
	return l, nil
}

// elsewhere refuses names of other workspaces.
func (l *Library) elsewhere(kind, name string) error {
	if l.workspaces[strings.ToLower(name)] {
		return nil
	}
	if name == "" {
		return fmt.Errorf("%s(…) needs a name that is known before the query runs", kind)
	}
	return fmt.Errorf("%s(%q) is not here: this Picket is one workspace; if its own tables are meant, write \"workspaces: {%s: default}\" into picket.yaml", kind, name, name)
}

// Function implements kql.Functions.
func (l *Library) Function(name string, consts []string) (string, bool, error) {
	switch name {
	case "_GetWatchlist":
		return l.getWatchlist(consts)
	case "_GetWatchlistAlias":
		return l.getAliases()
	}
	if f, ok := l.find(name); ok {
		return f.definition(), true, nil
	}
	return "", false, nil
}

// find returns the function of that name. Files come first: their owner sees them.
func (l *Library) find(name string) (Function, bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if f, ok := l.files[name]; ok {
		return f, true
	}
	for _, s := range l.saved {
		if s.FunctionAlias == name {
			return functionOf(s), true
		}
	}
	return Function{}, false
}

func notFound(what, name string) error {
	return picket.Errorf(picket.NotFound, "there is no %s %q", what, name)
}
