package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"picket/collection"
)

// TestQuota takes in data until the system lets no file grow any more, of which it
// told nothing before, as with a quota: DuckDB gives up the database then. Picket
// goes on in the same process when there is space, and has what it acknowledged.
func TestQuota(t *testing.T) {
	s := startService(t, t.TempDir())
	var tenant string
	s.until("there is a heartbeat", func() bool {
		rows := s.rows("Heartbeat | take 1 | project TenantId")
		if len(rows) > 0 {
			tenant = rows[0][0]
		}
		return tenant != ""
	})
	path := "/dataCollectionRules/" + collection.BuiltinID(tenant) + "/streams/Custom-ProwlEnrich_CL?api-version=2023-01-01"
	post := func() error {
		noise := make([]byte, 45<<10)
		_, _ = rand.Read(noise) // never fails
		text := base64.StdEncoding.EncodeToString(noise)
		records := make([]map[string]string, 15)
		for i := range records {
			records[i] = map[string]string{"IPAddress": "192.0.2.1", "Reason": fmt.Sprint(i, text)}
		}
		body, err := json.Marshal(records)
		if err != nil {
			t.Fatal(err)
		}
		return s.c.do(context.Background(), "POST", path, strings.NewReader(string(body)), nil)
	}
	limit := func(bytes uint64) {
		if err := unix.Prlimit(s.cmd.Process.Pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY}, nil); err != nil {
			t.Fatal(err)
		}
	}
	limit(48 << 20)
	const up, again = "Picket is up", "starts anew"
	acked := 0
	s.until("the database is given up", func() bool {
		for range 10 {
			if post() == nil {
				acked += 15
			}
		}
		return strings.Contains(s.log.String(), again)
	})
	limit(unix.RLIM_INFINITY)
	s.until("it goes on", func() bool {
		c, err := connect(s.data)
		if err == nil {
			s.c = c
			err = post()
		}
		return err == nil && strings.Count(s.log.String(), up) > 1
	})
	acked += 15
	var n int
	if fmt.Sscan(s.one("ProwlEnrich_CL | count"), &n); acked == 15 || n < acked {
		t.Errorf("%d rows, %d were acknowledged\n%s", n, acked, s.log)
	}
	if code := s.terminate(); code != 0 {
		t.Errorf("exit code %d\n%s", code, s.log)
	}
}
