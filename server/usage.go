package server

import (
	"net/http"
	"slices"

	"picket"
	"picket/reputation"
)

// usageStatement is GET /v1/usage/statement?month=2026-11[&key=ID][&format=csv]:
// what a key owes for a month. An admin may ask for every key, others for their own.
func (s *server) usageStatement(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	key := query.Get("key")
	if own, _ := r.Context().Value(callerKey{}).(string); own != "" && key != own {
		k, err := s.Reputation.KeyByID(r.Context(), own)
		if err != nil {
			return err
		}
		if !slices.Contains(k.Scopes, reputation.ScopeAdmin) {
			if key != "" {
				return picket.Errorf(picket.Denied, "the statement of another key than %s needs a key with the scope admin", own)
			}
			key = own
		}
	}
	format := query.Get("format")
	if format != "" && format != "json" && format != "csv" {
		return picket.Errorf(picket.Invalid, "format is %s; want json or csv", shown(format))
	}
	statements, err := s.Reputation.Statements(r.Context(), query.Get("month"), key)
	if err != nil {
		return err
	}
	if format == "csv" {
		w.Header().Set("Content-Type", "text/csv; charset=utf-8; header=present")
		return reputation.WriteStatementsCSV(w, statements)
	}
	writeJSON(w, http.StatusOK, map[string]any{"value": statements})
	return nil
}
