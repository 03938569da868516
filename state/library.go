package state

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"
)

// A SavedSearch is a query under a name, in the terms of the page "Saved
// Searches - Create Or Update". With a FunctionAlias queries may call it.
type SavedSearch struct {
	ID string `json:"-"` // the resource's name

	Category           string `json:"category"`
	DisplayName        string `json:"displayName"`
	Query              string `json:"query"`
	FunctionAlias      string `json:"functionAlias,omitempty"`
	FunctionParameters string `json:"functionParameters,omitempty"` // "a:string, b:long=5"
	Version            int64  `json:"version,omitempty"`
	Tags               []Tag  `json:"tags,omitempty"`

	Changed time.Time `json:"-"`
}

// Tag is a name and a value that a saved search has for its owner.
type Tag struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// A Watchlist is the description of a list whose items are in the workspace, in
// the terms of the page "Watchlists - Create Or Update".
type Watchlist struct {
	Alias string `json:"watchlistAlias"`

	ID          string    `json:"watchlistId"` // a GUID
	DisplayName string    `json:"displayName"`
	Description string    `json:"description,omitempty"`
	Provider    string    `json:"provider"`
	Source      string    `json:"source,omitempty"` // the file's name
	SourceType  string    `json:"sourceType,omitempty"`
	SearchKey   string    `json:"itemsSearchKey"`
	Labels      []string  `json:"labels,omitempty"`
	Columns     []string  `json:"columns"` // of the items, in order
	Items       int       `json:"items"`
	Created     time.Time `json:"created"`
	Updated     time.Time `json:"updated"`
	Side        string    `json:"-"` // the workspace's table that holds the items
}

// PutSavedSearch stores a saved search in place of the one with its ID.
func (db *DB) PutSavedSearch(ctx context.Context, s SavedSearch) error {
	props, err := json.Marshal(s)
	if err == nil {
		err = db.Tx(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO saved_search (id, function_alias, properties, changed) VALUES (?, ?, ?, ?)
				ON CONFLICT (id) DO UPDATE SET function_alias = excluded.function_alias, properties = excluded.properties, changed = excluded.changed`,
				s.ID, s.FunctionAlias, string(props), millis(s.Changed))
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("store saved search %s: %w", s.ID, err)
	}
	return nil
}

// SavedSearches lists all saved searches by ID.
func (db *DB) SavedSearches(ctx context.Context) ([]SavedSearch, error) {
	var list []SavedSearch
	err := db.each(ctx, func(rows *sql.Rows) error {
		var id, props string
		var changed int64
		if err := rows.Scan(&id, &props, &changed); err != nil {
			return err
		}
		var s SavedSearch
		if err := json.Unmarshal([]byte(props), &s); err != nil {
			return fmt.Errorf("%s: %w", id, err)
		}
		s.ID, s.Changed = id, fromMillis(changed)
		list = append(list, s)
		return nil
	}, `SELECT id, properties, changed FROM saved_search ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("list saved searches: %w", err)
	}
	return list, nil
}

// DeleteSavedSearch removes a saved search and reports whether there was one.
func (db *DB) DeleteSavedSearch(ctx context.Context, id string) (found bool, err error) {
	return db.deleteOne(ctx, `DELETE FROM saved_search WHERE id = ?`, id)
}

// PutWatchlist stores a watchlist in place of the one with its alias.
func (db *DB) PutWatchlist(ctx context.Context, w Watchlist) error {
	props, err := json.Marshal(w)
	if err == nil {
		err = db.Tx(ctx, func(tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, `INSERT INTO watchlist (alias, properties, side) VALUES (?, ?, ?)
				ON CONFLICT (alias) DO UPDATE SET properties = excluded.properties, side = excluded.side`, w.Alias, string(props), w.Side)
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("store watchlist %s: %w", w.Alias, err)
	}
	return nil
}

// Watchlists lists all watchlists by alias.
func (db *DB) Watchlists(ctx context.Context) ([]Watchlist, error) {
	var list []Watchlist
	err := db.each(ctx, func(rows *sql.Rows) error {
		var alias, props, side string
		if err := rows.Scan(&alias, &props, &side); err != nil {
			return err
		}
		var w Watchlist
		if err := json.Unmarshal([]byte(props), &w); err != nil {
			return fmt.Errorf("%s: %w", alias, err)
		}
		w.Alias, w.Side = alias, side
		list = append(list, w)
		return nil
	}, `SELECT alias, properties, side FROM watchlist ORDER BY alias`)
	if err != nil {
		return nil, fmt.Errorf("list watchlists: %w", err)
	}
	return list, nil
}

// DeleteWatchlist removes a watchlist and reports whether there was one.
func (db *DB) DeleteWatchlist(ctx context.Context, alias string) (found bool, err error) {
	return db.deleteOne(ctx, `DELETE FROM watchlist WHERE alias = ?`, alias)
}

// deleteOne runs a DELETE of one row and reports whether there was one.
func (db *DB) deleteOne(ctx context.Context, statement, key string) (found bool, err error) {
	err = db.Tx(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, statement, key)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		found = n > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("delete %s: %w", key, err)
	}
	return found, nil
}
