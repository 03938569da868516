package library

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/google/uuid"

	"picket"
	"picket/kql"
	"picket/state"
	"picket/workspace"
)

// Limits of watchlists, by the page "Microsoft Sentinel service limits", but
// that a file may be larger here.
const (
	maxItem      = 10 << 10 // bytes of one item
	maxItems     = 1_000_000
	maxWatchlist = 100 << 20 // bytes of a file
)

// The columns that items have before their own; see the page "Build queries or
// detection rules with watchlists".
var itemColumns = []kql.Column{{Name: "_DTItemId", Type: kql.String}, {Name: "LastUpdatedTimeUTC", Type: kql.DateTime}, {Name: "SearchKey", Type: kql.String}}

var watchlistName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{1,62}[A-Za-z0-9]$`)

// PutWatchlist makes a watchlist of a CSV file whose first line, after skip
// lines, has the columns' names, in place of the one with the alias. Queries see
// the old items until they see all of the new ones. The description's columns,
// numbers and times are filled in.
func (l *Library) PutWatchlist(ctx context.Context, w state.Watchlist, file io.Reader, skip int) (state.Watchlist, error) {
	columns, rows, err := readItems(file, skip)
	if err != nil {
		return w, picket.Errorf(picket.Invalid, "watchlist %s: %w", w.Alias, err)
	}
	w.Columns = columns
	if err := checkWatchlist(w); err != nil {
		return w, err
	}
	l.change.Lock()
	defer l.change.Unlock()
	items := make([]item, len(rows))
	for i, r := range rows {
		items[i] = item{uuid.NewString(), kql.TicksOf(l.now()), r}
	}
	return l.store(ctx, w, items)
}

// item is one item of a watchlist: its values in the order of the columns.
type item struct {
	id      string
	updated kql.Ticks
	values  []string
}

// checkWatchlist reports what is wrong with a description.
func checkWatchlist(w state.Watchlist) error {
	if !watchlistName.MatchString(w.Alias) {
		return picket.Errorf(picket.Invalid, "watchlist %q: want an alias of 3 to 64 letters, digits, - and _, that begins and ends with a letter or digit", w.Alias)
	}
	if !slices.Contains(w.Columns, w.SearchKey) {
		return picket.Errorf(picket.Invalid, "watchlist %s: its search key %q is no column of it; want one of %s", w.Alias, w.SearchKey, strings.Join(w.Columns, ", "))
	}
	return nil
}

// store writes all items anew and then the description that points to them.
// l.change is held.
func (l *Library) store(ctx context.Context, w state.Watchlist, items []item) (state.Watchlist, error) {
	key := slices.Index(w.Columns, w.SearchKey)
	columns := slices.Clone(itemColumns)
	for _, c := range w.Columns {
		columns = append(columns, kql.Column{Name: c, Type: kql.String})
	}
	rows := make([][]any, len(items))
	for i, it := range items {
		row := []any{it.id, int64(it.updated), it.values[key]}
		for _, v := range it.values {
			row = append(row, v)
		}
		rows[i] = row
	}
	l.mu.RLock()
	old, exists := l.watchlists[strings.ToLower(w.Alias)]
	l.mu.RUnlock()
	now := l.now().UTC()
	w.ID, w.Created = uuid.NewString(), now
	if exists {
		w.Alias, w.ID, w.Created = old.Alias, old.ID, old.Created
	}
	w.Updated, w.Items = now, len(items)
	if w.Provider == "" {
		w.Provider = "Custom"
	}
	if w.DisplayName == "" {
		w.DisplayName = w.Alias
	}
	var err error
	if w.Side, err = l.ws.AddSide(ctx, columns, rows); err != nil {
		return w, err
	}
	if err := l.st.PutWatchlist(ctx, w); err != nil {
		return w, errors.Join(err, l.ws.DropSide(context.WithoutCancel(ctx), w.Side))
	}
	l.mu.Lock()
	l.watchlists[strings.ToLower(w.Alias)] = w
	l.mu.Unlock()
	if exists {
		l.retire(ctx, old)
	}
	return w, nil
}

// retire drops the items of a description that no longer holds, at the change
// after this: a query that was compiled before may just be about to read them.
// l.change is held.
func (l *Library) retire(ctx context.Context, w state.Watchlist) {
	if l.retired != "" {
		if err := l.ws.DropSide(context.WithoutCancel(ctx), l.retired); err != nil {
			l.log.Warn("old items of a watchlist stay until the next start", "err", err)
		}
	}
	l.retired = w.Side
}

// readItems reads a CSV file: its columns and its rows.
func readItems(file io.Reader, skip int) (columns []string, rows [][]string, err error) {
	in := &io.LimitedReader{R: file, N: maxWatchlist + 1}
	r := csv.NewReader(in)
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	for n := 1; ; n++ {
		rec, err := r.Read()
		if in.N <= 0 {
			return nil, nil, fmt.Errorf("the file has more than %d MB", maxWatchlist>>20)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, fmt.Errorf("not CSV: %w", err)
		}
		line, _ := r.FieldPos(0)
		switch {
		case n <= skip:
		case columns == nil:
			rec[0] = strings.TrimPrefix(rec[0], "\ufeff")
			if columns, err = headers(rec); err != nil {
				return nil, nil, fmt.Errorf("line %d: %w", line, err)
			}
		case len(rec) != len(columns):
			return nil, nil, fmt.Errorf("line %d: %d values for %d columns", line, len(rec), len(columns))
		case size(rec) > maxItem:
			return nil, nil, fmt.Errorf("line %d: an item may have %d bytes, this one has %d", line, maxItem, size(rec))
		case len(rows) == maxItems:
			return nil, nil, fmt.Errorf("line %d: more than %d items", line, maxItems)
		default:
			rows = append(rows, rec)
		}
	}
	if columns == nil {
		return nil, nil, errors.New("it has no line with the columns' names")
	}
	return columns, rows, nil
}

func size(rec []string) int {
	n := 0
	for _, s := range rec {
		n += len(s)
	}
	return n
}

// headers checks the names of the columns.
func headers(rec []string) ([]string, error) {
	out := make([]string, len(rec))
	for i, s := range rec {
		s = strings.TrimSpace(s)
		if s == "" || len(s) > 128 {
			return nil, fmt.Errorf("column %d has no name of 1 to 128 bytes", i+1)
		}
		if slices.Contains(out, s) || slices.ContainsFunc(itemColumns, func(c kql.Column) bool { return c.Name == s }) {
			return nil, fmt.Errorf("there is a column %s already", s)
		}
		out[i] = s
	}
	return out, nil
}

// Watchlist returns a description.
func (l *Library) Watchlist(alias string) (state.Watchlist, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	w, ok := l.watchlists[strings.ToLower(alias)]
	if !ok {
		return w, notFound("watchlist", alias)
	}
	return w, nil
}

// Watchlists lists the descriptions by alias.
func (l *Library) Watchlists() []state.Watchlist {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return slices.SortedFunc(maps.Values(l.watchlists), func(a, b state.Watchlist) int { return strings.Compare(a.Alias, b.Alias) })
}

// DeleteWatchlist removes a watchlist with its items.
func (l *Library) DeleteWatchlist(ctx context.Context, alias string) error {
	l.change.Lock()
	defer l.change.Unlock()
	w, err := l.Watchlist(alias)
	if err != nil {
		return err
	}
	if _, err := l.st.DeleteWatchlist(ctx, w.Alias); err != nil {
		return err
	}
	l.mu.Lock()
	delete(l.watchlists, strings.ToLower(alias))
	l.mu.Unlock()
	l.retire(ctx, w)
	return nil
}

// Item is one item of a watchlist.
type Item struct {
	ID      string            // a GUID
	Updated kql.Ticks         // when it last changed
	Values  map[string]string // by column
}

// Items returns the items of a watchlist in their order.
func (l *Library) Items(ctx context.Context, alias string) ([]Item, error) {
	w, err := l.Watchlist(alias)
	if err != nil {
		return nil, err
	}
	r, err := l.ws.QueryAs(ctx, workspace.Caller{Limits: workspace.Limits{Rows: maxItems, Bytes: 10 * maxWatchlist}}, "['"+w.Side+"']", kql.Options{})
	if err != nil {
		return nil, err
	}
	var list []Item
	for row, err := range r.Rows() {
		if err != nil {
			return nil, err
		}
		it := Item{Values: make(map[string]string, len(w.Columns))}
		it.ID, _ = row[0].(string)
		at, _ := row[1].(int64)
		it.Updated = kql.Ticks(at)
		for i, c := range w.Columns {
			it.Values[c], _ = row[len(itemColumns)+i].(string)
		}
		list = append(list, it)
	}
	return list, nil
}

// PutItem adds an item, or changes the one with the ID. Values of columns that
// are not there are left out of it.
func (l *Library) PutItem(ctx context.Context, alias, id string, values map[string]string) (Item, error) {
	at := kql.TicksOf(l.now())
	put := Item{id, at, values}
	err := l.edit(ctx, alias, func(w state.Watchlist, items []Item) ([]Item, error) {
		for k := range values {
			if !slices.Contains(w.Columns, k) {
				return nil, picket.Errorf(picket.Invalid, "watchlist %s has no column %q; want one of %s", w.Alias, k, strings.Join(w.Columns, ", "))
			}
		}
		if i := slices.IndexFunc(items, func(it Item) bool { return strings.EqualFold(it.ID, id) }); i >= 0 {
			items[i] = put
			return items, nil
		}
		return append(items, put), nil
	})
	return put, err
}

// DeleteItem removes an item.
func (l *Library) DeleteItem(ctx context.Context, alias, id string) error {
	return l.edit(ctx, alias, func(_ state.Watchlist, items []Item) ([]Item, error) {
		n := len(items)
		items = slices.DeleteFunc(items, func(it Item) bool { return strings.EqualFold(it.ID, id) })
		if len(items) == n {
			return nil, notFound("item", id)
		}
		return items, nil
	})
}

// edit changes the items of a watchlist, all anew: lists are small, and a change
// by hand is rare.
func (l *Library) edit(ctx context.Context, alias string, change func(state.Watchlist, []Item) ([]Item, error)) error {
	l.change.Lock()
	defer l.change.Unlock()
	w, err := l.Watchlist(alias)
	if err != nil {
		return err
	}
	list, err := l.Items(ctx, alias)
	if err != nil {
		return err
	}
	if list, err = change(w, list); err != nil {
		return err
	}
	items := make([]item, len(list))
	for i, it := range list {
		values := make([]string, len(w.Columns))
		for j, c := range w.Columns {
			values[j] = it.Values[c]
		}
		items[i] = item{it.ID, it.Updated, values}
	}
	_, err = l.store(ctx, w, items)
	return err
}

// getWatchlist defines _GetWatchlist: the items of the list named by its first
// argument, of those whose search key is among the second.
func (l *Library) getWatchlist(consts []string) (string, bool, error) {
	if len(consts) == 0 || consts[0] == "" {
		return "", true, errors.New("it needs a watchlist's alias that is known before the query runs: _GetWatchlist('alias')")
	}
	w, err := l.Watchlist(consts[0])
	if err != nil {
		names := []string{}
		for _, w := range l.Watchlists() {
			names = append(names, w.Alias)
		}
		return "", true, fmt.Errorf("%w; there are: %s", err, strings.Join(append(names, "")[:max(len(names), 1)], ", "))
	}
	body := "['" + w.Side + "']"
	if len(consts) > 1 {
		body += " | where array_length(keys) == 0 or SearchKey in (keys)"
	}
	return "(watchlistAlias:string, keys:dynamic=dynamic([])) { " + body + " }", true, nil
}

// getAliases defines _GetWatchlistAlias: the aliases of all lists.
func (l *Library) getAliases() (string, bool, error) {
	var b strings.Builder
	b.WriteString("datatable(WatchlistAlias:string)[")
	for i, w := range l.Watchlists() {
		if i > 0 {
			b.WriteByte(',')
		}
		alias, err := json.Marshal(w.Alias)
		if err != nil {
			return "", true, err
		}
		b.Write(alias)
	}
	b.WriteByte(']')
	return "() { " + b.String() + " }", true, nil
}
