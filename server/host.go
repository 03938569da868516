package server

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"time"

	"picket"
	"picket/collection"
	"picket/state"
)

// Hosts keeps the hosts that have enrolled.
type Hosts interface {
	Hosts(ctx context.Context) ([]state.Host, error)
	Host(ctx context.Context, id string) (state.Host, bool, error)
	HostSeen(ctx context.Context, id string, at time.Time, from string, private []string, version string) (moved bool, err error)
}

// maxHostBatch bounds a batch of an enrolled host: a megabyte of lines as records.
const maxHostBatch = 16 << 20

// enrolHost is POST /v1/hosts of an agent, with a key that may enrol:
// {"computer":…,"vm_uuid":…,"version":…,"rule":…} → the host with its own key,
// shown this once.
func (s *server) enrolHost(w http.ResponseWriter, r *http.Request) error {
	var h state.Host
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&h); err != nil {
		return picket.Errorf(picket.Invalid, `The body must be JSON such as {"computer":"web1","version":"1.0"}: %w`, jsonError(err))
	}
	if _, ok := s.Intake.Rule(h.Rule); !ok && h.Rule != "" {
		return picket.Errorf(picket.NotFound, "there is no data collection rule %s: see picket dcr list on the server", shown(h.Rule))
	}
	h, key, err := s.Reputation.EnrolHost(r.Context(), state.Host{Computer: h.Computer, VMUUID: h.VMUUID, Version: h.Version, Rule: h.Rule})
	if err != nil {
		return err
	}
	s.Logger.Info("host enrolled", "computer", h.Computer, "id", h.ID, "rule", h.Rule, "from", r.RemoteAddr)
	writeJSON(w, http.StatusCreated, struct {
		state.Host
		Key string `json:"key"`
	}{h, key.Reveal()})
	return nil
}

// listHosts is GET /v1/hosts.
func (s *server) listHosts(w http.ResponseWriter, r *http.Request) error {
	list, err := s.Hosts.Hosts(r.Context())
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, map[string]any{"value": append([]state.Host{}, list...)})
	return nil
}

// revokeHost is DELETE /v1/hosts/{id}: the host's key ends, and what it has not
// sent yet stays with it.
func (s *server) revokeHost(w http.ResponseWriter, r *http.Request) error {
	h, ok, err := s.Hosts.Host(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if !ok {
		return picket.Errorf(picket.NotFound, "no host has the id %s: picket host list shows them", shown(r.PathValue("id")))
	}
	if err := s.Reputation.RevokeKey(r.Context(), h.ID); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// host returns the host that a request is of.
func (s *server) host(r *http.Request) (state.Host, error) {
	h, ok, err := s.Hosts.Host(r.Context(), callerOf(r.Context()).Name)
	if err == nil && !ok {
		err = picket.Errorf(picket.Denied, "this key is not a host's")
	}
	return h, err
}

// hostSources is GET /v1/host/sources: what the agent of the calling host
// collects.
func (s *server) hostSources(w http.ResponseWriter, r *http.Request) error {
	h, err := s.host(r)
	if err != nil {
		return err
	}
	sources := collection.DefaultSources()
	if h.Rule != "" {
		rule, ok := s.Intake.Rule(h.Rule)
		if !ok {
			return picket.Errorf(picket.NotFound, "the data collection rule %s, which this host enrolled with, is not loaded", h.Rule)
		}
		sources = rule.Sources
	}
	writeJSON(w, http.StatusOK, sources)
	return nil
}

// takeFromHost is POST /v1/host/streams/{stream}: records as the Logs Ingestion
// API has them. The batch's id in x-ms-client-request-id alone says whether it
// was taken before, since an agent that starts anew reads the same lines at
// another time.
func (s *server) takeFromHost(w http.ResponseWriter, r *http.Request) error {
	h, err := s.host(r)
	if err != nil {
		return err
	}
	body, leave, err := s.posted(w, r, maxHostBatch)
	if err != nil {
		return err
	}
	defer leave()
	records, err := recordsOf(body)
	if err != nil {
		return err
	}
	stream := r.PathValue("stream")
	call := collection.Call{Records: records, Size: len(body)}
	if id := r.Header.Get("x-ms-client-request-id"); id != "" {
		call.ID = h.ID + ":" + id
	}
	if stream == collection.HeartbeatStream {
		if err := s.hostSeen(r, h, records); err != nil {
			return err
		}
	}
	if err := s.Intake.FromHost(r.Context(), h.Rule, stream, call); err != nil {
		return streamError(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// hostSeen makes heartbeats say what the server knows better: which host it is,
// from where it was seen, and when.
func (s *server) hostSeen(r *http.Request, h state.Host, records []collection.Record) error {
	from := h.Address
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		from = host
	}
	now := s.Now()
	for _, rec := range records {
		var private []string
		var version string
		_ = json.Unmarshal(rec["ComputerPrivateIPs"], &private) // what is none is left out
		_ = json.Unmarshal(rec["Version"], &version)
		for name, v := range map[string]any{"Computer": h.Computer, "ComputerIP": from, "TimeGenerated": now, "VMUUID": h.VMUUID} {
			text, err := json.Marshal(v)
			if err != nil {
				return err
			}
			rec[name] = text
		}
		if _, err := s.Hosts.HostSeen(r.Context(), h.ID, now, from, private, version); err != nil {
			return err
		}
	}
	return nil
}
