package server

import (
	"bytes"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"picket"
	"picket/collection"
)

// maxPost is the HTTP Data Collector API's limit for one call ("Data limits").
const maxPost = 30 << 20

// maxSkew is how far a post's date may be from now: an older one could be a
// repeat of somebody else's.
const maxSkew = 15 * time.Minute

// collect is POST /api/logs of the HTTP Data Collector API (Microsoft page "Send
// log data to Azure Monitor by using the HTTP Data Collector API"), which Azure
// has retired and many playbooks and scripts still speak. It answers 200 once the
// rows are committed.
func (s *server) collect(w http.ResponseWriter, r *http.Request) {
	err := s.takePost(w, r)
	if err == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	api := postErrorOf(err)
	s.note(w, r, api.status, err)
	writeJSON(w, api.status, map[string]string{"Error": api.code, "Message": api.message})
}

// postErrorOf is what the sender of a post is told of err, in the API's own codes
// ("Return codes").
func postErrorOf(err error) *apiError {
	api := apiErrorOf(err)
	code := api.code
	switch {
	case api.status == http.StatusRequestEntityTooLarge:
	case errors.As(err, new(*apiError)):
		return api
	case api.status == http.StatusBadRequest, api.status == http.StatusConflict:
		return &apiError{status: http.StatusBadRequest, code: "InvalidDataFormat", message: api.message}
	case api.status == http.StatusTooManyRequests:
		code = "TooManyRequests"
	case api.status == http.StatusServiceUnavailable:
		code = "ServiceUnavailable"
	case api.status == http.StatusInternalServerError:
		code = "UnspecifiedError"
	}
	return &apiError{status: api.status, code: code, message: api.message}
}

func badPost(code, message string) *apiError {
	return &apiError{status: http.StatusBadRequest, code: code, message: message}
}

func (s *server) takePost(w http.ResponseWriter, r *http.Request) error {
	if err := checkPost(r); err != nil {
		return err
	}
	if err := s.authorizePost(r); err != nil {
		return err
	}
	body, leave, err := s.posted(w, r, maxPost)
	if err != nil {
		return err
	}
	defer leave()
	records, err := postedRecords(body)
	if err != nil {
		return err
	}
	return s.Intake.Post(r.Context(), collection.Post{
		Call:    collection.Call{Records: records, Size: len(body), ID: collection.CallID(r.Header.Get("x-ms-client-request-id"), body)},
		LogType: r.Header.Get("Log-Type"), TimeField: r.Header.Get("time-generated-field"), ResourceID: r.Header.Get("x-ms-AzureResourceId"),
	})
}

// checkPost checks what a post is before its sender is known.
func checkPost(r *http.Request) error {
	version, name, kind := r.URL.Query().Get("api-version"), r.Header.Get("Log-Type"), r.Header.Get("Content-Type")
	switch {
	case version == "":
		return badPost("MissingApiVersion", "The API version was not specified: want api-version=2016-04-01")
	case version != "2016-04-01":
		return badPost("InvalidApiVersion", "The specified API version was not valid: want 2016-04-01")
	case name == "":
		return badPost("MissingLogType", "The header Log-Type was not specified")
	case !collection.ValidLogType(name):
		return badPost("InvalidLogType", "The specified log type was not valid: want a letter, then letters, digits and _, at most 60")
	case kind == "":
		return badPost("MissingContentType", "The content type was not specified: want application/json")
	case collection.SignedType(kind) != "application/json":
		return badPost("UnsupportedContentType", "The content type was not application/json")
	}
	return nil
}

// authorizePost checks the signature of a post, SharedKey WORKSPACE:SIGNATURE, or
// takes an API key that may ingest.
func (s *server) authorizePost(r *http.Request) error {
	denied := func(message string) error {
		return &apiError{status: http.StatusForbidden, code: "InvalidAuthorization", message: message}
	}
	scheme, credentials, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "SharedKey") {
		if _, err := s.authorize(r, scopeIngest); err != nil {
			return denied("The service failed to authenticate the request: want Authorization: SharedKey WORKSPACE:SIGNATURE")
		}
		return nil
	}
	id, signature, _ := strings.Cut(credentials, ":")
	if !strings.EqualFold(id, s.Workspace.ID()) {
		return badPost("InvalidCustomerId", "The specified workspace ID is not that of this workspace")
	}
	date := r.Header.Get("x-ms-date")
	at, err := http.ParseTime(date)
	if err != nil {
		return denied("The header x-ms-date is no date: want for example Mon, 04 Apr 2016 08:00:00 GMT")
	}
	if skew := s.Now().Sub(at).Abs(); skew > maxSkew {
		return denied("The header x-ms-date is more than 15 minutes from the server's clock")
	}
	key, err := base64.StdEncoding.DecodeString(s.SharedKey.Reveal())
	if err != nil || len(key) == 0 {
		return picket.Errorf(picket.Unavailable, "the workspace has no shared key")
	}
	// Content-Length is signed, so a body of unknown length cannot be.
	want := collection.Signature(key, r.ContentLength, collection.SignedType(r.Header.Get("Content-Type")), date)
	if subtle.ConstantTimeCompare([]byte(want), []byte(strings.TrimSpace(signature))) != 1 {
		return denied("The signature is wrong: check the workspace's key, and that length, content type and x-ms-date are signed as they are sent")
	}
	return nil
}

// sharedKeys is POST …/workspaces/{workspace}/sharedKeys ("Shared Keys - Get
// Shared Keys"): the workspace's id, and the key that signs posts.
func (s *server) sharedKeys(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Cache-Control", "no-store")
	writeJSON(w, http.StatusOK, map[string]string{"customerId": s.Workspace.ID(), "primarySharedKey": s.SharedKey.Reveal()})
	return nil
}

// postedRecords reads the body: an object or an array of them.
func postedRecords(body []byte) ([]collection.Record, error) {
	body = bytes.TrimPrefix(bytes.TrimSpace(body), []byte("\xef\xbb\xbf"))
	var records []collection.Record
	var err error
	if len(body) > 0 && body[0] == '{' {
		records = make([]collection.Record, 1)
		err = json.Unmarshal(body, &records[0])
	} else {
		err = json.Unmarshal(body, &records)
	}
	if err != nil {
		return nil, badPost("InvalidDataFormat", "The body must be a JSON object or an array of objects: "+jsonError(err).Error())
	}
	if len(records) > maxRecords {
		return nil, badPost("InvalidDataFormat", "There are more than 50,000 records in the body; send them in several calls")
	}
	for _, r := range records {
		if r == nil {
			return nil, badPost("InvalidDataFormat", "The body must be a JSON object or an array of objects, without null")
		}
	}
	return records, nil
}
