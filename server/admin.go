package server

import (
	"encoding/json"
	"net/http"
	"time"

	"picket"
	"picket/reputation"
	"picket/state"
)

// createKey is POST /v1/keys: {"name":…,"scopes":[…]} → the key, shown this once.
func (s *server) createKey(w http.ResponseWriter, r *http.Request) error {
	var req struct {
		Name       string    `json:"name"`
		Scopes     []string  `json:"scopes"`
		PerDay     int       `json:"per_day"`
		PerSecond  float64   `json:"per_second"`
		Expires    time.Time `json:"expires"`
		AWSAccount string    `json:"aws_account"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&req); err != nil {
		return picket.Errorf(picket.Invalid, `The body must be JSON such as {"name":"siem","scopes":["lookup"]}: %w`, err)
	}
	key, text, err := s.Reputation.CreateKey(r.Context(), reputation.NewKey{Name: req.Name, Scopes: req.Scopes, PerDay: req.PerDay, PerSecond: req.PerSecond, Expires: req.Expires, AWSAccount: req.AWSAccount})
	if err != nil {
		return err
	}
	writeKey(w, key, text)
	return nil
}

// writeKey answers with a new key and its text.
func writeKey(w http.ResponseWriter, key state.Key, text picket.Secret) {
	writeJSON(w, http.StatusCreated, struct {
		state.Key
		Text string `json:"key"`
	}{key, text.Reveal()})
}

// rotateKey is POST /v1/keys/{id}/rotate?grace=24h: a new key in the place of an old
// one, which works for the grace time yet.
func (s *server) rotateKey(w http.ResponseWriter, r *http.Request) error {
	var grace time.Duration
	if text := r.URL.Query().Get("grace"); text != "" {
		var err error
		if grace, err = time.ParseDuration(text); err != nil {
			return picket.Errorf(picket.Invalid, "grace is %s; want a time such as 24h", shown(text))
		}
	}
	key, text, err := s.Reputation.RotateKey(r.Context(), r.PathValue("id"), grace)
	if err != nil {
		return err
	}
	writeKey(w, key, text)
	return nil
}

// listKeys is GET /v1/keys: every key, with what it was used for, without the key itself.
func (s *server) listKeys(w http.ResponseWriter, r *http.Request) error {
	keys, err := s.Reputation.ListKeys(r.Context())
	if err != nil {
		return err
	}
	usage, err := s.Reputation.Usage(r.Context())
	if err != nil {
		return err
	}
	type row struct {
		state.Key
		Requests int64   `json:"requests"`
		CostUSD  float64 `json:"cost_usd"`
	}
	rows := make([]row, len(keys))
	for i, k := range keys {
		rows[i].Key = k
		for _, u := range usage {
			if u.KeyID == k.ID {
				rows[i].Requests += u.Requests
				rows[i].CostUSD += u.CostUSD
			}
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"value": rows})
	return nil
}

// revokeKey is DELETE /v1/keys/{id}.
func (s *server) revokeKey(w http.ResponseWriter, r *http.Request) error {
	if err := s.Reputation.RevokeKey(r.Context(), r.PathValue("id")); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// importReputation is POST /v1/reputation?name=FILE: the file as the body. It may
// take minutes, as long as something comes.
func (s *server) importReputation(w http.ResponseWriter, r *http.Request) error {
	name := r.URL.Query().Get("name")
	if name == "" {
		name = "the file"
	}
	control := http.NewResponseController(w)
	done, err := s.Reputation.Import(r.Context(), idleReader{r.Body, control}, name)
	_ = control.SetWriteDeadline(time.Now().Add(bulkIdle)) // where there is none to set, none is over
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, done)
	return nil
}

// IncidentRow is an incident as a list shows it.
type IncidentRow struct {
	ID        string          `json:"id"`
	Number    int64           `json:"number"`
	Severity  picket.Severity `json:"severity"`
	Status    string          `json:"status"`
	Title     string          `json:"title"`
	Addresses int             `json:"addresses"`
	Alerts    int             `json:"alerts"`
	Comments  int             `json:"comments"`
	Created   time.Time       `json:"created"`
	Modified  time.Time       `json:"modified"`
	By        string          `json:"modified_by"`
}

// listIncidents is GET /v1/incidents: the newest incidents first.
func (s *server) listIncidents(w http.ResponseWriter, r *http.Request) error {
	list, err := s.Incidents.List(r.Context(), state.IncidentFilter{})
	if err != nil {
		return err
	}
	rows := make([]IncidentRow, len(list))
	for i, in := range list {
		rows[i] = IncidentRow{in.ID, in.Number, in.Severity, in.Status, in.Title, 0, len(in.Alerts), len(in.Comments), in.Created, in.Modified, in.ModifiedBy}
		for _, e := range in.Entities {
			if e.Kind == "IP" {
				rows[i].Addresses++
			}
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"value": rows})
	return nil
}
