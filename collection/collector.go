package collection

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"

	"picket"
	"picket/kql"
)

// A Post is a call of the HTTP Data Collector API.
type Post struct {
	Call
	LogType    string // the table without _CL
	TimeField  string // property that is the time; "" for none
	ResourceID string // _ResourceId of the rows; "" for none
}

// logType is how a Log-Type is written ("Request headers").
var logType = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]{0,99}$`)

// ValidLogType reports whether a Log-Type names a table.
func ValidLogType(name string) bool { return logType.MatchString(name) && len(name) <= 60 }

// oldestTime is how old a record's time may be; an older one is that of the
// receipt ("time-generated-field").
const oldestTime = 48 * time.Hour

// Post takes the records of a call. When it returns nil their rows are committed.
func (in *Intake) Post(ctx context.Context, p Post) error {
	if err := in.loads.add("of the HTTP Data Collector API", p.Size); err != nil {
		return err
	}
	for i, rec := range p.Records {
		for _, name := range []string{"tenant", "TimeGenerated", "RawData"} {
			if _, ok := rec[name]; ok {
				return picket.Errorf(picket.Invalid, "record %d: the property %s is reserved; give it another name, and name a time with the header time-generated-field", i+1, name)
			}
		}
	}
	b, err := in.shape(ctx, p.LogType+"_CL", p.Records, &p)
	if err != nil {
		return err
	}
	if p.ID != "" {
		b.ID = "post:" + p.ID
	}
	return in.ws.Append(ctx, b)
}

// stamp gives the rows of a post the columns that all of them have.
func (s *shape) stamp(p *Post, now time.Time) error {
	at := s.index["TimeGenerated"]
	for i, row := range s.rows {
		row[at] = postTime(s.records[i][p.TimeField], now)
	}
	if err := s.constant("SourceSystem", "RestAPI"); err != nil || p.ResourceID == "" {
		return err
	}
	return s.constant("_ResourceId", strings.ToLower(p.ResourceID))
}

// constant gives all rows one text in a column.
func (s *shape) constant(column, text string) error {
	at, err := s.column(column, kql.String)
	for i, row := range s.rows {
		row = append(row, make([]any, len(s.table.Columns)-len(row))...)
		row[at] = text
		s.rows[i] = row
	}
	return err
}

// postTime is the time of a record: that of its field, unless it is none, too old
// or a day ahead.
func postTime(raw json.RawMessage, now time.Time) time.Time {
	v, ok := valueOf(raw, kql.DateTime)
	at, isTime := v.(time.Time)
	if !ok || !isTime || at.Before(now.Add(-oldestTime)) || at.After(now.Add(24*time.Hour)) {
		return now
	}
	return at
}

// Signature is what the header Authorization of a post has after the workspace's
// id: the HMAC-SHA256 of the request's facts under the workspace's key, which is
// given decoded ("Authorization").
func Signature(key []byte, length int64, contentType, date string) string {
	m := hmac.New(sha256.New, key)
	fmt.Fprintf(m, "POST\n%d\n%s\nx-ms-date:%s\n/api/logs", length, contentType, date)
	return base64.StdEncoding.EncodeToString(m.Sum(nil))
}

// SignedType is the content type that a post is signed with: without parameters.
func SignedType(contentType string) string {
	t, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(t))
}
