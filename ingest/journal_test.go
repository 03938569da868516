package ingest

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
)

// journal returns a Journal in the state that the last one on b left.
func (b *bench) journal(o JournalOptions) *Journal {
	b.t.Helper()
	o.Host, o.MaxDelay = "here", 20*time.Millisecond
	o.Now = func() time.Time { return testNow }
	o.Log = slog.New(slog.NewTextHandler(&b.log, nil))
	j, err := NewJournal(b.store.Append, b.kept(), o)
	if err != nil {
		b.t.Fatal(err)
	}
	return j
}

// read runs a Journal until there are n rows.
func (b *bench) read(o JournalOptions, n int) Stats {
	b.t.Helper()
	j := b.journal(o)
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan error, 1)
	b.store.arrived = make(chan struct{}, 10000)
	go func() { done <- j.Run(ctx) }()
	await(b.t, &b.store, n)
	cancel()
	if err := <-done; err != nil {
		b.t.Errorf("Run: %v", err)
	}
	return j.Stats()
}

// fake writes a journalctl that is a shell script. It finds its arguments in
// args and a folder for itself in $DIR.
func (b *bench) fake(script string) (command, args string) {
	b.t.Helper()
	dir := b.t.TempDir()
	command, args = filepath.Join(dir, "journalctl"), filepath.Join(dir, "args")
	text := "#!/bin/sh\nDIR=" + dir + "\necho \"$@\" >> $DIR/args\n" + script
	if err := os.WriteFile(command, []byte(text), 0o700); err != nil {
		b.t.Fatal(err)
	}
	return command, args
}

func TestJournalEntry(t *testing.T) {
	f := func(text string, want ...any) {
		t.Helper()
		e, err := newEntryReader(strings.NewReader(text), 40).next()
		if err != nil {
			t.Errorf("%s: %v", text, err)
			return
		}
		m := e.message
		got := []any{m.Text, m.Facility.String(), m.Severity.String(), m.HostName, m.ProcessName, m.ProcessID, m.HasPID, m.Time, e.cut}
		if diff := cmp.Diff(want, got); diff != "" || e.cursor != "s=1;i=1" {
			t.Errorf("%s: cursor %q\n%s", text, e.cursor, diff)
		}
	}
	when := time.Date(2026, 11, 25, 12, 44, 24, 5000, time.UTC)
	head := `{"__CURSOR":"s=1;i=1","__REALTIME_TIMESTAMP":"1795610664000005",`
	f(head+`"MESSAGE":"hello","PRIORITY":"3","SYSLOG_FACILITY":"10","SYSLOG_IDENTIFIER":"sshd","_COMM":"sshd-x","_PID":"12","SYSLOG_PID":"13","_HOSTNAME":"web1"}`,
		"hello", "authpriv", "err", "web1", "sshd", int32(12), true, when, false)
	f(head+`"MESSAGE":[104,195,40,0,105],"_COMM":"x"}`, `h\xc3(\x00i`, "daemon", "info", "", "x", int32(0), false, when, false)
	f(head+`"MESSAGE":"usb 1-1: new","_TRANSPORT":"kernel","PRIORITY":"9","SYSLOG_PID":"7"}`, "usb 1-1: new", "kern", "info", "", "kernel", int32(7), true, when, false)
	f(head+`"MESSAGE":["one",[116,119,111]],"SYSLOG_IDENTIFIER":"su"}`, "one\ntwo", "authpriv", "info", "", "su", int32(0), false, when, false)
	f(head+`"MESSAGE":null,"_PID":"x","_SOURCE_REALTIME_TIMESTAMP":"1795610664000006"}`, "", "daemon", "info", "", "", int32(0), false, when.Add(time.Microsecond), false)
	long := strings.Repeat("ä", 5000)
	f(head+`"MESSAGE":"`+long+`"}`, strings.Repeat("ä", 20)+CutMarker, "daemon", "info", "", "", int32(0), false, when, true)
	f(head+`"MESSAGE":"`+strings.Repeat(`\u00e4`, 5000)+`"}`, strings.Repeat("ä", 20)+CutMarker, "daemon", "info", "", "", int32(0), false, when, true)
	f(head+`"MESSAGE":[`+strings.Repeat("120,", 5000)+"1]}", strings.Repeat("x", 40)+CutMarker, "daemon", "info", "", "", int32(0), false, when, true)
	f(head+`"_HOSTNAME":{"a":["}",{"b":1}]},"MESSAGE":"x"}`, "x", "daemon", "info", `{"a":["}",{"b":1}]}`, "", int32(0), false, when, false)

	for _, text := range []string{"x", "[]", "{", `{"MESSAGE":"x"}`, `{"__CURSOR":"`, `{"__CURSOR":"x"`, `{"a":]}`, `{"a" 1}`, `{"__CURSOR":""}`} {
		if e, err := newEntryReader(strings.NewReader(text), 40).next(); err == nil {
			t.Errorf("%s: %+v", text, e)
		}
	}
}

func FuzzJournalEntry(f *testing.F) {
	for _, s := range []string{
		`{"__CURSOR":"s=1","MESSAGE":"a\"b","PRIORITY":"3"}`, `{"__CURSOR":"s=1","MESSAGE":[1,2,300],"x":{"y":["]"]}}`,
		`{"__CURSOR":"s=1","MESSAGE":["a",[98],null]}` + "\n" + `{"__CURSOR":"s=2"}`, `{"__CURSOR":"s=1","MESSAGE":"` + strings.Repeat(`\u00e4`, 50) + `"}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r := newEntryReader(bytes.NewReader(text), 20)
		for {
			e, err := r.next()
			if err != nil {
				return
			}
			if e.cursor == "" || len(e.message.Text) > 4*20+len(CutMarker) || strings.ContainsRune(e.message.Text, 0) {
				t.Fatalf("%+v", e)
			}
		}
	})
}

func TestJournalOptions(t *testing.T) {
	for _, o := range []JournalOptions{{Units: []string{"-x"}}, {Units: []string{""}}, {Units: []string{"a b"}}, {Matches: []string{"--file=/etc/passwd"}}, {Matches: []string{"message=x"}}} {
		if _, err := NewJournal(nil, Offsets{}, o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
	j, err := NewJournal(nil, Offsets{}, JournalOptions{Units: []string{"sshd.service", "nginx*"}, Matches: []string{"_UID=0"}, Since: "-1h", Directory: "/j"})
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(j.arguments("--follow"), " ")
	if want := "--directory=/j --unit=sshd.service --unit=nginx* --since=-1h _UID=0"; !strings.HasPrefix(got, "--follow --all") || !strings.HasSuffix(got, want) {
		t.Error(got)
	}
}

// remote makes a journal file of entries, each a message, with the tool that
// systemd has for it.
func remote(t *testing.T, dir string, from int, messages ...string) {
	t.Helper()
	tool := "/lib/systemd/systemd-journal-remote"
	if _, err := os.Stat(tool); err != nil {
		t.Skip("systemd-journal-remote is not installed: make setup")
	}
	var export bytes.Buffer
	for i, m := range messages {
		i += from
		fmt.Fprintf(&export, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%032d\nPRIORITY=6\nSYSLOG_IDENTIFIER=sshd\n_PID=%d\n_HOSTNAME=web1\nSYSLOG_FACILITY=10\nMESSAGE\n",
			1795610664000000+i, 1+i, 1, 100+i)
		_ = binary.Write(&export, binary.LittleEndian, uint64(len(m))) // to memory
		export.WriteString(m + "\n\n")
	}
	path := filepath.Join(dir, fmt.Sprintf("part-%d.journal", from))
	cmd := exec.Command(tool, "-o", path, "-")
	cmd.Stdin = &export
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// TestJournalReal reads real journal files with the real journalctl.
func TestJournalReal(t *testing.T) {
	if _, err := exec.LookPath("journalctl"); err != nil {
		t.Skip("journalctl is not installed: make setup")
	}
	b := newBench(t)
	dir := t.TempDir()
	var messages []string
	for i := range 2500 {
		messages = append(messages, fmt.Sprintf("line %d", i))
	}
	messages[7] = "two\nlines"
	messages[8] = "bytes \x00\xff\x1b end"
	messages[9] = strings.Repeat("x", 200_000)
	remote(t, dir, 0, messages...)
	stats := b.read(JournalOptions{Directory: dir}, len(messages))
	want := make([]any, len(messages))
	for i, m := range messages {
		want[i] = m
	}
	want[8] = `bytes \x00\xff` + "\x1b end"
	want[9] = strings.Repeat("x", defaultMaxMessage) + CutMarker
	if diff := cmp.Diff(want, b.store.column("SyslogMessage")); diff != "" {
		t.Errorf("%.2000s", diff)
	}
	if stats.Received != 2500 || stats.Committed != 2500 || stats.Truncated != 1 {
		t.Errorf("%+v", stats)
	}
	row := map[string]any{}
	for _, c := range b.store.columns {
		row[c] = b.store.column(c)[3]
	}
	if diff := cmp.Diff(map[string]any{
		"TimeGenerated": testNow, "EventTime": time.UnixMicro(1795610664000003).UTC(), "Computer": "web1", "HostName": "web1", "HostIP": "",
		"Facility": "authpriv", "SeverityLevel": "info", "SyslogMessage": "line 3", "ProcessName": "sshd", "ProcessID": int32(103),
		"CollectorHostName": "here", "SourceSystem": "Linux",
	}, row); diff != "" {
		t.Error(diff)
	}
	// A second run goes on where the first one was: the last batch is known.
	remote(t, dir, 5000, "later")
	b.read(JournalOptions{Directory: dir}, len(messages)+1)
	if got := b.store.column("SyslogMessage"); len(got) != 2501 || got[2500] != "later" {
		t.Errorf("%d rows, the last %v", len(got), got[len(got)-1])
	}
}

// fakeJournal prints its entries from the cursor on, which is a number, and dies
// after some of them if it follows.
const fakeJournal = `
after=0; follow=
for a; do case $a in --after-cursor=*) after=${a#--after-cursor=};; --follow) follow=1;; esac; done
n=0
while [ $after -lt 40 ]; do
  after=$((after+1)); n=$((n+1))
  echo "{\"__CURSOR\":\"$after\",\"MESSAGE\":\"line $after\"}"
  if [ -n "$follow" ] && [ $n = 7 ]; then printf '{"__CURS'; echo "no more" >&2; exit 1; fi
done
[ -n "$follow" ] && exec sleep 1000
exit 0
`

// TestJournalRestart has a journalctl that dies in the middle of an entry.
func TestJournalRestart(t *testing.T) {
	b := newBench(t)
	command, args := b.fake(strings.ReplaceAll(fakeJournal, "= 7 ]", "= 20 ]"))
	b.read(JournalOptions{Command: command, MaxRows: 6}, 40)
	var want []any
	for i := range 40 {
		want = append(want, fmt.Sprintf("line %d", i+1))
	}
	if diff := cmp.Diff(want, b.store.column("SyslogMessage")); diff != "" {
		t.Error(diff)
	}
	if text := b.log.String(); !strings.Contains(text, "no more") {
		t.Errorf("its last words are not in the log: %s", text)
	}
	if text, err := os.ReadFile(args); err != nil || !strings.Contains(string(text), "--after-cursor=20\n") {
		t.Errorf("%v: %s", err, text)
	}
}

// TestJournalCrashes kills the Journal at every step, and again while it recovers.
func TestJournalCrashes(t *testing.T) {
	script := strings.ReplaceAll(fakeJournal, "= 7 ]", "= 700 ]")
	for first := 1; first <= 16; first++ {
		b := newBench(t)
		command, _ := b.fake(script)
		o := JournalOptions{Command: command, MaxRows: 9}
		for _, life := range []int{first, 1, 2, 3} {
			crossings := 0
			ctx, cancel := context.WithCancel(t.Context())
			b.step = func() error {
				if crossings++; crossings >= life {
					cancel()
					return errCrash
				}
				return nil
			}
			if err := b.journal(o).Run(ctx); err != nil {
				t.Fatal(err)
			}
			cancel()
		}
		b.step = nil
		b.read(o, 40)
		got := b.store.column("SyslogMessage")
		for i := range got {
			if got[i] != fmt.Sprintf("line %d", i+1) || len(got) != 40 {
				t.Fatalf("died at %d: %v", first, got)
			}
		}
	}
}

// TestJournalGone has entries of the last intent that are not there any more.
func TestJournalGone(t *testing.T) {
	b := newBench(t)
	b.offsets["journal:"] = []byte(`{"after":"5","end":"9","count":3}`)
	command, _ := b.fake(strings.ReplaceAll(fakeJournal, "= 7 ]", "= 700 ]"))
	b.read(JournalOptions{Command: command}, 35)
	if got := b.store.column("SyslogMessage"); got[0] != "line 6" || len(got) != 35 || !strings.Contains(b.log.String(), "other entries") {
		t.Errorf("%v, log %s", got, b.log.String())
	}
}

func TestJournalFailure(t *testing.T) {
	b := newBench(t)
	f := func(o JournalOptions, want string) {
		t.Helper()
		j := b.journal(o)
		if err := j.follow(t.Context()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
	f(JournalOptions{Command: "no-such-journalctl"}, "install systemd")
	command, _ := b.fake("echo 'Failed to seek' >&2; exit 1")
	f(JournalOptions{Command: command}, "Failed to seek")
	command, _ = b.fake("echo 'not JSON'; exec sleep 1000")
	f(JournalOptions{Command: command}, "no journal entry")
	command, _ = b.fake("exit 0")
	f(JournalOptions{Command: command}, "ended by itself")

	b.offsets["journal:"] = []byte(`{"count":3}`)
	if err := b.journal(JournalOptions{}).follow(t.Context()); err == nil || !strings.Contains(err.Error(), "delete it") {
		t.Errorf("error %v", err)
	}
	b.offsets = map[string][]byte{}
	b.store.before = func(picket.Batch) error { return picket.Errorf(picket.Invalid, "refused") }
	command, _ = b.fake(fakeJournal)
	if err := b.journal(JournalOptions{Command: command}).follow(t.Context()); picket.CodeOf(err) != picket.Invalid {
		t.Errorf("error %v", err)
	}
	if !slices.Contains(journalFields, "MESSAGE") {
		t.Error("no message is asked for")
	}
}
