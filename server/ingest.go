package server

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"picket"
	"picket/kql"
)

// maxIngest is the Logs Ingestion API's limit for one call, before and after
// decompression ("Azure Monitor service limits", Logs Ingestion API).
const maxIngest = 1 << 20

// maxRecords bounds the memory that a call takes: a record of two bytes becomes
// a row with every column of its table.
const maxRecords = 50_000

// RuleID returns the immutable id of a workspace's built-in data collection
// rule, which takes every Custom-…_CL stream whose table exists.
func RuleID(workspaceID string) string {
	return "dcr-" + strings.ReplaceAll(workspaceID, "-", "")
}

// ingest is POST /dataCollectionRules/{rule}/streams/{stream} of the Logs
// Ingestion API. It answers 204 once the rows are committed. A call repeated
// with the same x-ms-client-request-id and body writes nothing new.
func (s *server) ingest(w http.ResponseWriter, r *http.Request) error {
	if id := r.PathValue("rule"); id != RuleID(s.Workspace.ID()) {
		return picket.Errorf(picket.NotFound, "Data collection rule with immutable Id '%s' not found.", id)
	}
	stream := r.PathValue("stream")
	name, ok := strings.CutPrefix(stream, "Custom-")
	table, exists := s.Workspace.Table(name)
	if !ok || !strings.HasSuffix(name, "_CL") || !exists {
		return &apiError{status: http.StatusBadRequest, code: "InvalidStream", message: fmt.Sprintf("Stream '%s' is not one of the rule's streams: want Custom- and a table whose name ends in _CL", stream)}
	}
	body, err := readIngest(w, r)
	if err != nil {
		return err
	}
	var records []map[string]json.RawMessage
	if err := json.Unmarshal(body, &records); err != nil {
		return &apiError{status: http.StatusBadRequest, code: "InvalidJsonBody", message: "The body must be a JSON array of objects: " + jsonError(err).Error()}
	}
	if records == nil || slices.ContainsFunc(records, func(r map[string]json.RawMessage) bool { return r == nil }) {
		return &apiError{status: http.StatusBadRequest, code: "InvalidJsonBody", message: "The body must be a JSON array of objects, without null"}
	}
	if len(records) > maxRecords {
		return &apiError{status: http.StatusRequestEntityTooLarge, code: "ContentLengthLimitExceeded", message: fmt.Sprintf("The body has %d records; at most %d are taken in one call", len(records), maxRecords)}
	}
	b := batchOf(table, records, s.Now())
	if id := r.Header.Get("x-ms-client-request-id"); id != "" {
		sum := sha256.Sum256(body)
		b.ID = "dcr:" + id + ":" + hex.EncodeToString(sum[:8])
	}
	if err := s.Workspace.Append(r.Context(), b); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func tooLarge(limit int64) *apiError {
	return &apiError{status: http.StatusRequestEntityTooLarge, code: "ContentLengthLimitExceeded", message: fmt.Sprintf("Maximum allowed content length: %d bytes", limit)}
}

// readIngest returns the body, decompressed, within the limit.
func readIngest(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	in := http.MaxBytesReader(w, r.Body, maxIngest)
	switch enc := r.Header.Get("Content-Encoding"); enc {
	case "", "identity":
		return io.ReadAll(in)
	case "gzip":
		z, err := gzip.NewReader(in)
		var body []byte
		if err == nil {
			body, err = io.ReadAll(io.LimitReader(z, maxIngest+1))
		}
		var tooBig *http.MaxBytesError
		if errors.As(err, &tooBig) {
			return nil, err
		}
		if err != nil {
			return nil, picket.Errorf(picket.Invalid, "The body is not gzip: %w", err)
		}
		if len(body) > maxIngest {
			return nil, tooLarge(maxIngest)
		}
		return body, nil
	default:
		return nil, picket.Errorf(picket.Invalid, "Content-Encoding %q is not supported: want gzip or none", enc)
	}
}

// batchOf makes rows of records. Properties that are no column of the table
// are dropped, as the API documents; a value its column cannot hold is left empty.
func batchOf(t *kql.Table, records []map[string]json.RawMessage, now time.Time) picket.Batch {
	var cols []kql.Column
	for _, c := range t.Columns {
		if c.Name != "TenantId" && c.Name != "Type" { // the workspace's own
			cols = append(cols, c)
		}
	}
	b := picket.Batch{Table: t.Name}
	for _, c := range cols {
		b.Columns = append(b.Columns, c.Name)
	}
	timeCol := slices.IndexFunc(cols, func(c kql.Column) bool { return c.Name == "TimeGenerated" })
	for _, rec := range records {
		row := make([]any, len(cols))
		for i, c := range cols {
			row[i] = valueOf(rec[c.Name], c.Type)
		}
		if timeCol >= 0 && row[timeCol] == nil {
			row[timeCol] = now
		}
		b.Rows = append(b.Rows, row)
	}
	return b
}

// valueOf turns a JSON value into one that fits the type, or nil.
func valueOf(raw json.RawMessage, t kql.Type) any {
	raw = bytes.TrimSpace(raw)
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	if t == kql.Dynamic {
		return json.RawMessage(raw)
	}
	text := string(raw)
	if raw[0] == '"' {
		if err := json.Unmarshal(raw, &text); err != nil {
			return nil
		}
	}
	switch t {
	case kql.String, kql.Guid:
		return text
	case kql.Int:
		if n, err := strconv.ParseInt(whole(text), 10, 32); err == nil {
			return n
		}
	case kql.Long:
		if n, err := strconv.ParseInt(whole(text), 10, 64); err == nil {
			return n
		}
	case kql.Real:
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return f
		}
	case kql.Bool:
		if b, err := strconv.ParseBool(text); err == nil {
			return b
		}
	case kql.DateTime:
		if at, err := parseInstant(text); err == nil {
			return at
		}
	}
	return nil
}

// whole writes a number such as 3.0 or 1e3 as a whole one; what is none stays.
func whole(text string) string {
	if !strings.ContainsAny(text, ".eE") {
		return text
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return strconv.FormatInt(int64(f), 10)
	}
	return text
}
