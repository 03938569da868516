package server

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"picket"
	"picket/kql"
	"picket/library"
	"picket/state"
)

// maxLibraryBody bounds a request that brings a function or a watchlist.
const maxLibraryBody = 128 << 20

// libraryRoutes adds saved searches and watchlists in the shapes of Azure
// Resource Manager ("Saved Searches", "Watchlists", "Watchlist Items"). Whatever
// subscription, group and workspace the path names, there is one here.
func (s *server) libraryRoutes() {
	const base = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.OperationalInsights/workspaces/{workspace}"
	const searches, lists = base + "/savedSearches", base + "/providers/Microsoft.SecurityInsights/watchlists"
	s.handle("GET "+searches, scopeQuery, s.listSearches)
	s.handle("GET "+searches+"/{id}", scopeQuery, s.getSearch)
	s.handle("PUT "+searches+"/{id}", scopeAdmin, s.putSearch)
	s.handle("DELETE "+searches+"/{id}", scopeAdmin, s.deleteSearch)
	s.handle("GET "+lists, scopeQuery, s.listWatchlists)
	s.handle("GET "+lists+"/{alias}", scopeQuery, s.getWatchlist)
	s.handle("PUT "+lists+"/{alias}", scopeAdmin, s.putWatchlist)
	s.handle("DELETE "+lists+"/{alias}", scopeAdmin, s.deleteWatchlist)
	s.handle("GET "+lists+"/{alias}/watchlistItems", scopeQuery, s.listItems)
	s.handle("GET "+lists+"/{alias}/watchlistItems/{id}", scopeQuery, s.getItem)
	s.handle("PUT "+lists+"/{alias}/watchlistItems/{id}", scopeAdmin, s.putItem)
	s.handle("DELETE "+lists+"/{alias}/watchlistItems/{id}", scopeAdmin, s.deleteItem)
	// Functions of files are in no saved search.
	s.handle("GET /v1/functions", scopeQuery, s.listFunctions)
}

// resource is a resource of Azure Resource Manager.
type resource struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Type       string `json:"type"`
	Etag       string `json:"etag,omitempty"`
	Properties any    `json:"properties"`
	// Warnings are Picket's own: what the function names that is not there yet.
	Warnings []string `json:"warnings,omitempty"`
}

// resourceAt is the resource of a kind at the request's path, or below it.
func resourceAt(r *http.Request, kind, name string, properties any) resource {
	id := strings.TrimSuffix(r.URL.Path, "/")
	if !strings.HasSuffix(strings.ToLower(id), "/"+strings.ToLower(name)) {
		id += "/" + name
	}
	return resource{ID: id, Name: name, Type: kind, Properties: properties}
}

// decodeProperties reads a body {"properties":{…}}.
func decodeProperties(w http.ResponseWriter, r *http.Request, into any) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxLibraryBody))
	if err != nil {
		return err
	}
	req := struct {
		Properties any `json:"properties"`
	}{into}
	if err := json.Unmarshal(body, &req); err != nil {
		return picket.Errorf(picket.Invalid, `The body must be JSON such as {"properties":{…}}: %w`, jsonError(err))
	}
	return nil
}

const searchKind = "Microsoft.OperationalInsights/savedSearches"

func (s *server) listSearches(w http.ResponseWriter, r *http.Request) error {
	list := []resource{}
	for _, x := range s.Library.Searches() {
		list = append(list, resourceAt(r, searchKind, x.ID, x))
	}
	writeJSON(w, http.StatusOK, map[string]any{"value": list})
	return nil
}

func (s *server) getSearch(w http.ResponseWriter, r *http.Request) error {
	x, err := s.Library.Search(r.PathValue("id"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, resourceAt(r, searchKind, x.ID, x))
	return nil
}

func (s *server) putSearch(w http.ResponseWriter, r *http.Request) error {
	var x state.SavedSearch
	if err := decodeProperties(w, r, &x); err != nil {
		return err
	}
	x.ID = r.PathValue("id")
	warnings, err := s.Library.PutSearch(r.Context(), x)
	if err != nil {
		return err
	}
	res := resourceAt(r, searchKind, x.ID, x)
	res.Warnings = warnings
	writeJSON(w, http.StatusOK, res)
	return nil
}

func (s *server) deleteSearch(w http.ResponseWriter, r *http.Request) error {
	if err := s.Library.DeleteSearch(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// FunctionRow is a function as a list shows it.
type FunctionRow struct {
	Name       string `json:"name"`
	Parameters string `json:"parameters"`
	Category   string `json:"category"`
	Title      string `json:"title"`
	File       string `json:"file"` // "" when it is a saved search
	Query      string `json:"query"`
}

func (s *server) listFunctions(w http.ResponseWriter, _ *http.Request) error {
	list := []FunctionRow{}
	for _, f := range s.Library.Functions() {
		list = append(list, FunctionRow{f.Name, f.Parameters, f.Category, f.Title, f.File, f.Query})
	}
	writeJSON(w, http.StatusOK, map[string]any{"value": list})
	return nil
}

const watchlistKind = "Microsoft.SecurityInsights/Watchlists"

// watchlistProperties are a watchlist's properties as the API has them.
func (s *server) watchlistProperties(x state.Watchlist) any {
	return struct {
		state.Watchlist
		Type      string `json:"watchlistType"`
		Tenant    string `json:"tenantId"`
		IsDeleted bool   `json:"isDeleted"`
	}{x, "watchlist", s.Workspace.ID(), false}
}

func (s *server) listWatchlists(w http.ResponseWriter, r *http.Request) error {
	list := []resource{}
	for _, x := range s.Library.Watchlists() {
		list = append(list, resourceAt(r, watchlistKind, x.Alias, s.watchlistProperties(x)))
	}
	writeJSON(w, http.StatusOK, map[string]any{"value": list})
	return nil
}

func (s *server) getWatchlist(w http.ResponseWriter, r *http.Request) error {
	x, err := s.Library.Watchlist(r.PathValue("alias"))
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, resourceAt(r, watchlistKind, x.Alias, s.watchlistProperties(x)))
	return nil
}

func (s *server) putWatchlist(w http.ResponseWriter, r *http.Request) error {
	var p struct {
		state.Watchlist
		Skip int    `json:"numberOfLinesToSkip"`
		Raw  string `json:"rawContent"`
	}
	if err := decodeProperties(w, r, &p); err != nil {
		return err
	}
	p.Alias = r.PathValue("alias")
	x, err := s.Library.PutWatchlist(r.Context(), p.Watchlist, strings.NewReader(p.Raw), p.Skip)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, resourceAt(r, watchlistKind, x.Alias, s.watchlistProperties(x)))
	return nil
}

func (s *server) deleteWatchlist(w http.ResponseWriter, r *http.Request) error {
	if err := s.Library.DeleteWatchlist(r.Context(), r.PathValue("alias")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}

// itemResource is an item of a watchlist as the API has it.
func (s *server) itemResource(r *http.Request, it library.Item) resource {
	return resourceAt(r, "Microsoft.SecurityInsights/Watchlists/WatchlistItems", it.ID, map[string]any{
		"watchlistItemType": "watchlist-item", "watchlistItemId": it.ID, "tenantId": s.Workspace.ID(), "isDeleted": false,
		"updated": kql.FormatDateTime(it.Updated), "itemsKeyValue": it.Values, "entityMapping": map[string]any{},
	})
}

func (s *server) listItems(w http.ResponseWriter, r *http.Request) error {
	items, err := s.Library.Items(r.Context(), r.PathValue("alias"))
	if err != nil {
		return err
	}
	list := make([]resource, len(items))
	for i, it := range items {
		list[i] = s.itemResource(r, it)
	}
	writeJSON(w, http.StatusOK, map[string]any{"value": list})
	return nil
}

func (s *server) getItem(w http.ResponseWriter, r *http.Request) error {
	items, err := s.Library.Items(r.Context(), r.PathValue("alias"))
	if err != nil {
		return err
	}
	for _, it := range items {
		if strings.EqualFold(it.ID, r.PathValue("id")) {
			writeJSON(w, http.StatusOK, s.itemResource(r, it))
			return nil
		}
	}
	return picket.Errorf(picket.NotFound, "there is no item %q", r.PathValue("id"))
}

func (s *server) putItem(w http.ResponseWriter, r *http.Request) error {
	var p struct {
		Values map[string]string `json:"itemsKeyValue"`
	}
	if err := decodeProperties(w, r, &p); err != nil {
		return err
	}
	id, err := uuid.Parse(r.PathValue("id"))
	if err != nil {
		return picket.Errorf(picket.Invalid, "item %q: want a GUID", r.PathValue("id"))
	}
	it, err := s.Library.PutItem(r.Context(), r.PathValue("alias"), id.String(), p.Values)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, s.itemResource(r, it))
	return nil
}

func (s *server) deleteItem(w http.ResponseWriter, r *http.Request) error {
	if err := s.Library.DeleteItem(r.Context(), r.PathValue("alias"), r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusOK)
	return nil
}
