package server

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"picket"
	"picket/kql"
	"picket/workspace"
)

const (
	maxWait    = 10 * time.Minute // of the Log Analytics query API ("Timeouts")
	maxTimeout = time.Hour        // of Kusto ("Query limits")
)

// setting applies one request property to the limits of its query: an option of
// a Kusto request or a set statement, which mean the same (Microsoft page
// "Request properties"). Properties that have no meaning here are passed over:
// such as how a cluster shares the work.
func setting(l *workspace.Limits, name, value string) error {
	bad := func(want string) error {
		return picket.Errorf(picket.Invalid, "The request property %s is %q; want %s", name, value, want)
	}
	on := value == "" || value == "1" || strings.EqualFold(value, "true")
	count := func(n *int) error {
		v, err := strconv.ParseInt(value, 10, 64)
		if err != nil || v < 1 {
			return bad("a number above 0")
		}
		*n = int(min(v, math.MaxInt32))
		return nil
	}
	switch strings.ToLower(name) {
	case "servertimeout":
		t, err := kql.ParseTimeSpan(value)
		d := time.Duration(min(t, int64(maxTimeout/100))) * 100
		if err != nil || t <= 0 {
			return bad("a timespan such as 00:04:00")
		}
		l.Time = d
	case "norequesttimeout":
		if on {
			l.Time = maxTimeout
		}
	case "notruncation":
		if on {
			l.Rows, l.Bytes = math.MaxInt32, math.MaxInt64
		}
	case "truncationmaxrecords":
		return count(&l.Rows)
	case "truncationmaxsize":
		var n int
		if err := count(&n); err != nil {
			return err
		}
		l.Bytes = int64(n)
	case "query_take_max_records":
		return count(&l.Take)
	}
	return nil
}

// settings applies the set statements of a query.
func settings(l *workspace.Limits, list []kql.Prop) error {
	for _, p := range list {
		if err := setting(l, p.Name, p.Value); err != nil {
			return err
		}
	}
	return nil
}

// optionText is the value of a JSON option as a set statement would have it.
func optionText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return fmt.Sprint(v)
}
