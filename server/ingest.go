package server

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"

	"picket"
	"picket/collection"
)

// maxIngest is the Logs Ingestion API's limit for one call, before and after
// decompression ("Azure Monitor service limits", Logs Ingestion API).
const maxIngest = 1 << 20

// maxRecords bounds the memory that a call takes: a record of two bytes becomes
// a row with every column of its table.
const maxRecords = 50_000

// upload is POST /dataCollectionRules/{rule}/streams/{stream} of the Logs
// Ingestion API. It answers 204 once the rows are committed. A call repeated
// with the same x-ms-client-request-id and body writes nothing new.
func (s *server) upload(w http.ResponseWriter, r *http.Request) error {
	body, leave, err := s.posted(w, r, maxIngest)
	if err != nil {
		return err
	}
	defer leave()
	records, err := recordsOf(body)
	if err != nil {
		return err
	}
	call := collection.Call{Records: records, Size: len(body), ID: collection.CallID(r.Header.Get("x-ms-client-request-id"), body)}
	if err := s.Intake.Upload(r.Context(), r.PathValue("rule"), r.PathValue("stream"), call); err != nil {
		return streamError(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// streamError gives an error about a stream the code that Azure has for it.
func streamError(err error) error {
	var stream *collection.StreamError
	if errors.As(err, &stream) {
		return &apiError{status: http.StatusBadRequest, code: "InvalidStream", message: stream.Error()}
	}
	return err
}

// recordsOf reads a body: an array of objects.
func recordsOf(body []byte) ([]collection.Record, error) {
	var records []collection.Record
	if err := json.Unmarshal(body, &records); err != nil {
		return nil, &apiError{status: http.StatusBadRequest, code: "InvalidJsonBody", message: "The body must be a JSON array of objects: " + jsonError(err).Error()}
	}
	if records == nil || slices.ContainsFunc(records, func(r collection.Record) bool { return r == nil }) {
		return nil, &apiError{status: http.StatusBadRequest, code: "InvalidJsonBody", message: "The body must be a JSON array of objects, without null"}
	}
	if len(records) > maxRecords {
		return nil, &apiError{status: http.StatusRequestEntityTooLarge, code: "ContentLengthLimitExceeded", message: fmt.Sprintf("The body has %d records; at most %d are taken in one call", len(records), maxRecords)}
	}
	return records, nil
}

// A RuleRow is a flow of a data collection rule, as Picket's own API lists it.
type RuleRow struct {
	Rule        string `json:"rule"`
	ImmutableID string `json:"immutableId"`
	Stream      string `json:"stream"`
	Table       string `json:"table"`
	Transform   string `json:"transformKql"`
	File        string `json:"file"`
}

// listRules is GET /v1/dataCollectionRules: the rules that are loaded, and the built-in one.
func (s *server) listRules(w http.ResponseWriter, _ *http.Request) error {
	list := []RuleRow{{Rule: "built-in", ImmutableID: collection.BuiltinID(s.Workspace.ID()), Stream: "Custom-…_CL", Table: "…_CL"}}
	for _, r := range s.Intake.Rules() {
		for _, name := range slices.Sorted(maps.Keys(r.Streams)) {
			for _, f := range r.Streams[name].Flows {
				list = append(list, RuleRow{r.Name, r.ID, name, f.Table, f.Transform, r.File})
			}
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"value": list})
	return nil
}

func tooLarge(limit int64) *apiError {
	return &apiError{status: http.StatusRequestEntityTooLarge, code: "ContentLengthLimitExceeded", message: fmt.Sprintf("Maximum allowed content length: %d bytes", limit)}
}

// posted returns the body of a call that brings data, decompressed, within the
// limit, if the workspace admits it. The caller calls leave when it is taken in.
func (s *server) posted(w http.ResponseWriter, r *http.Request, limit int64) (body []byte, leave func(), err error) {
	if leave, err = s.Workspace.Admit(); err != nil {
		return nil, nil, err
	}
	if body, err = readPosted(w, r, limit); err != nil {
		leave()
		return nil, nil, err
	}
	return body, leave, nil
}

// readPosted returns the body, decompressed, within the limit.
func readPosted(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	in := http.MaxBytesReader(w, r.Body, limit)
	switch enc := r.Header.Get("Content-Encoding"); enc {
	case "", "identity":
		return io.ReadAll(in)
	case "gzip":
		z, err := gzip.NewReader(in)
		var body []byte
		if err == nil {
			body, err = io.ReadAll(io.LimitReader(z, limit+1))
		}
		var tooBig *http.MaxBytesError
		if errors.As(err, &tooBig) {
			return nil, err
		}
		if err != nil {
			return nil, picket.Errorf(picket.Invalid, "The body is not gzip: %w", err)
		}
		if int64(len(body)) > limit {
			return nil, tooLarge(limit)
		}
		return body, nil
	default:
		return nil, picket.Errorf(picket.Invalid, "Content-Encoding %q is not supported: want gzip or none", enc)
	}
}
