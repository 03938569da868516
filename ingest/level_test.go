package ingest

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestNames(t *testing.T) {
	var all []string
	for pri := 0; pri <= maxPRI; pri += 8 {
		all = append(all, Parse([]byte("<"+strconv.Itoa(pri)+">x"), testNow, time.UTC).Facility.String())
	}
	const want = "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit alert clock local0 local1 local2 local3 local4 local5 local6 local7"
	if got := strings.Join(all, " "); got != want {
		t.Errorf("facilities:\ngot  %s\nwant %s", got, want)
	}
	all = nil
	for pri := range 8 {
		all = append(all, Parse([]byte("<"+strconv.Itoa(pri)+">x"), testNow, time.UTC).Severity.String())
	}
	if got := strings.Join(all, " "); got != "emerg alert crit err warning notice info debug" {
		t.Errorf("severities: %s", got)
	}
}
