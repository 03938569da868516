package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// numbered is a profile that tells its number, of one of 5000 addresses.
func numbered(address, number int) Profile {
	ip := netip.AddrFrom4([4]byte{9, 8, byte(address >> 8), byte(address)})
	if address%3 == 0 {
		ip = netip.AddrFrom16([16]byte{0x2a, 1, 14: byte(address >> 8), 15: byte(address)})
	}
	return Profile{IP: ip, Verdict: "malicious", Asn: int64(number), Ttps: []string{"known-bot"}, Sources: []string{fmt.Sprint("source ", number%7)}}
}

// Random imports are what a map says, however they were merged, also for who opens
// the folder later or has had it open since before.
func TestProfilesAgainstMap(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db := open(t, path)
	defer db.Close(t.Context())
	other := open(t, path)
	defer other.Close(t.Context())
	want := map[netip.Addr]Profile{}
	rnd := rand.New(rand.NewPCG(1, 1))
	for round := range 30 {
		var list []Profile
		seen := map[int]bool{}
		added := 0
		for range 1 + rnd.IntN(1200>>(round%6)) {
			address := rnd.IntN(5000)
			if seen[address] {
				continue
			}
			seen[address] = true
			p := numbered(address, rnd.IntN(1e6))
			if _, known := want[p.IP]; !known {
				added++
			}
			want[p.IP] = p
			list = append(list, p)
		}
		if got, err := putProfiles(t, db, list...); err != nil || got != added {
			t.Fatalf("round %d: %d added, %v; want %d", round, got, err, added)
		}
	}
	other.profiles.checked.Store(0) // as a second later
	last := open(t, path)
	defer last.Close(t.Context())
	for name, db := range map[string]*DB{"this": db, "another": other, "a later one": last} {
		for address := range 5000 {
			p := numbered(address, 0)
			got, ok, err := db.Profile(t.Context(), p.IP)
			if expect, known := want[p.IP]; err != nil || ok != known || !reflect.DeepEqual(got, expect) {
				t.Fatalf("%s: %s: %v %v %s", name, p.IP, ok, err, cmp.Diff(expect, got, compareAddr))
			}
		}
	}
	files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "profiles", "*.profiles"))
	if err != nil || len(files) > 6 {
		t.Errorf("%d files, %v", len(files), err)
	}
}

// Lookups go on while files are merged and removed.
func TestProfilesConcurrently(t *testing.T) {
	db := open(t, "")
	defer db.Close(t.Context())
	if _, err := putProfiles(t, db, numbered(1, 0)); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for last := int64(0); ; {
				select {
				case <-done:
					return
				default:
				}
				p, ok, err := db.Profile(t.Context(), numbered(1, 0).IP)
				if !ok || err != nil || p.Asn < last {
					t.Errorf("%v %v, number %d after %d", ok, err, p.Asn, last)
					return
				}
				last = p.Asn
			}
		})
	}
	for i := range 40 {
		list := []Profile{numbered(1, i)}
		for j := range 10 * (i % 5) {
			list = append(list, numbered(100+j, i))
		}
		if _, err := putProfiles(t, db, list...); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	wg.Wait()
}

func TestProfilesTwice(t *testing.T) {
	db := open(t, "")
	defer db.Close(t.Context())
	w, err := db.WriteProfiles()
	if err != nil {
		t.Fatal(err)
	}
	for line, address := range []int{4, 5, 4, 6, 4} {
		p := numbered(address, line)
		if err := w.Put(&p, line); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	w.Twice(func(ip netip.Addr, first, again int) { got = append(got, fmt.Sprint(ip, first, again)) })
	if want := []string{"9.8.0.4 0 2", "9.8.0.4 0 4"}; !reflect.DeepEqual(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if added, err := w.Commit(t.Context()); added != 3 || err != nil {
		t.Error(added, err)
	}
	if p, _, err := db.Profile(t.Context(), numbered(4, 0).IP); p.Asn != 4 || err != nil {
		t.Errorf("%+v %v; want the last", p, err)
	}
}

// What was stored in the database by an older Picket is where it belongs now.
func TestProfilesMoved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db := open(t, path)
	_, err := db.SQL().Exec(`INSERT INTO reputation VALUES ('8.8.8.8', '["known-bot"]', 'null', '["a","b"]', 'malicious', 85, 'bot', 'US', 15169, 'Google', 1767225600000, 0)`)
	if err = errors.Join(err, db.Close(t.Context())); err != nil {
		t.Fatal(err)
	}
	want := Profile{IP: netip.MustParseAddr("8.8.8.8"), Ttps: []string{"known-bot"}, Sources: []string{"a", "b"}, Verdict: "malicious", Confidence: 85,
		IndicatorOfIntelligence: "bot", CountryCode: "US", Asn: 15169, AsOrganization: "Google", FirstSeen: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	for range 2 {
		db = open(t, path)
		got, ok, err := db.Profile(t.Context(), want.IP)
		if err != nil || !ok || !reflect.DeepEqual(got, want) {
			t.Error(err, cmp.Diff(want, got, compareAddr))
		}
		var rows int
		if err := db.SQL().QueryRow(`SELECT count(*) FROM reputation`).Scan(&rows); err != nil || rows != 0 {
			t.Errorf("%d rows are left, %v", rows, err)
		}
		db.Close(t.Context())
	}
}

// writerEnv names the state of the process that TestProfilesKilled kills.
const writerEnv = "PICKET_TEST_WRITE_PROFILES"

// TestWriteProfiles is that process: it imports 2000 profiles again and again, each
// time with the next number. As a test it does nothing.
func TestWriteProfiles(t *testing.T) {
	path := os.Getenv(writerEnv)
	if path == "" {
		t.Skip("only for the process that TestProfilesKilled starts")
	}
	db := open(t, path)
	for number := 1; ; number++ {
		list := make([]Profile, 2000)
		for i := range list {
			list[i] = numbered(i, number)
		}
		if _, err := putProfiles(t, db, list...); err != nil {
			t.Fatal(err)
		}
	}
}

// However an import ends, all of it counts or nothing, and nothing is left over.
func TestProfilesKilled(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	open(t, path).Close(t.Context())
	for round := range 4 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestWriteProfiles$")
		cmd.Env = append(os.Environ(), writerEnv+"="+path)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		db := open(t, path)
		for i := 0; i <= 3*round; i++ { // until that many imports have been seen
			from, _, err := db.Profile(t.Context(), numbered(0, 0).IP)
			for p := from; err == nil && p.Asn == from.Asn; {
				db.profiles.checked.Store(0)
				p, _, err = db.Profile(t.Context(), numbered(0, 0).IP)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		db.Close(t.Context())

		db = open(t, path)
		first, ok, err := db.Profile(t.Context(), numbered(0, 0).IP)
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
		for i := range 2000 {
			if p, ok, err := db.Profile(t.Context(), numbered(i, 0).IP); !ok || err != nil || p.Asn != first.Asn {
				t.Fatalf("%v %v: number %d beside %d", ok, err, p.Asn, first.Asn)
			}
		}
		w, err := db.WriteProfiles()
		if err != nil {
			t.Fatal(err)
		}
		w.Discard()
		left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "profiles", "new-*"))
		if err != nil || len(left) > 0 {
			t.Errorf("left over: %q %v", left, err)
		}
		db.Close(t.Context())
	}
}

// FuzzProfileFile: a damaged file makes no lookup panic.
func FuzzProfileFile(f *testing.F) {
	dir := f.TempDir()
	s, err := openProfiles(filepath.Join(dir, "profiles"))
	if err != nil {
		f.Fatal(err)
	}
	w, err := s.writer()
	if err != nil {
		f.Fatal(err)
	}
	for i := range 20 {
		p := numbered(i, i)
		p.AsOrganization = strings.Repeat("x", i*20)
		if err := w.Put(&p, i); err != nil {
			f.Fatal(err)
		}
	}
	if _, err := w.Commit(context.Background()); err != nil {
		f.Fatal(err)
	}
	name := (*s.files.Load())[0].name
	data, err := os.ReadFile(name)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint(0), byte(0), uint(0))
	f.Add(uint(3), byte(255), uint(0))
	f.Add(uint(len(data)-footSize-5), byte(255), uint(0))
	f.Add(uint(0), byte(0), uint(40))
	f.Fuzz(func(t *testing.T, at uint, flip byte, cut uint) {
		damaged := append([]byte(nil), data[:len(data)-int(cut%uint(len(data)))]...)
		damaged[at%uint(len(damaged))] ^= flip
		file := filepath.Join(t.TempDir(), "x")
		if err := os.WriteFile(file, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := openProfileFile(file)
		if err != nil {
			return
		}
		for i := range 21 {
			ip := numbered(i, 0).IP
			if offset, ok := p.find(ip.As16()); ok {
				_, _ = p.profile(ip, offset)
			}
		}
	})
}

func TestProfilesDamaged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	db := open(t, path)
	if _, err := putProfiles(t, db, numbered(1, 1)); err != nil {
		t.Fatal(err)
	}
	db.Close(t.Context())
	files, err := filepath.Glob(filepath.Join(filepath.Dir(path), "profiles", "*.profiles"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	if err := os.Truncate(files[0], 10); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{Path: path}); err == nil || !strings.Contains(err.Error(), files[0]+": it is damaged") {
		t.Error(err)
	}
	if err := os.Remove(files[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Options{Path: path}); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// BenchmarkProfiles stores ten million profiles and looks up some that are there and
// some that are not. "resident-MB" is this process's memory after that: the pages of
// the mapped file, which the kernel may drop, are in it.
func BenchmarkProfiles(b *testing.B) {
	for _, n := range []int{10_000, 10_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			db, err := Open(b.Context(), Options{Path: filepath.Join(b.TempDir(), "state.db")})
			if err != nil {
				b.Fatal(err)
			}
			defer db.Close(context.Background())
			ip := func(i int) netip.Addr { // every second address from 1.0.0.0
				return netip.AddrFrom4([4]byte{byte(1 + i>>23), byte(i >> 15), byte(i >> 7), byte(i << 1)})
			}
			start := time.Now()
			w, err := db.WriteProfiles()
			if err != nil {
				b.Fatal(err)
			}
			for i := range n {
				p := Profile{IP: ip(i), Verdict: "malicious", Confidence: 50 + i%50, Ttps: []string{"known-ssh-attack", "known-bot"}[:1+i%2], Sources: []string{"decoys"},
					CountryCode: "DE", Asn: int64(i % 70_000), AsOrganization: fmt.Sprint("Organization ", i%70_000), FirstSeen: time.UnixMilli(1.7e12 + int64(i)), LastSeen: time.UnixMilli(1.8e12 + int64(i))}
				if err := w.Put(&p, i); err != nil {
					b.Fatal(err)
				}
			}
			if _, err := w.Commit(b.Context()); err != nil {
				b.Fatal(err)
			}
			stored := time.Since(start)
			peak := memory(b, "VmHWM")
			debug.FreeOSMemory()
			rnd := rand.New(rand.NewPCG(1, uint64(n)))
			before := processorTime(b)
			looked := 0
			for b.Loop() {
				a := ip(rnd.IntN(n))
				if looked++; looked%2 == 0 {
					a = a.Next() // is not there
				}
				if _, ok, err := db.Profile(b.Context(), a); err != nil || ok != (looked%2 == 1) {
					b.Fatal(a, ok, err)
				}
			}
			b.ReportMetric(float64(looked)/(processorTime(b)-before).Seconds(), "lookups/s")
			b.ReportMetric(stored.Seconds(), "s-to-store")
			b.ReportMetric(peak, "peak-MB-to-store")
			b.ReportMetric(memory(b, "VmRSS"), "resident-MB")
			b.ReportMetric(memory(b, "RssFile"), "of-it-mapped-MB")
		})
	}
}

// processorTime is what this process has used.
func processorTime(t testing.TB) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// memory is a field of this process's status (proc_pid_status(5)), in MB.
func memory(t testing.TB, name string) (mb float64) {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip(err)
	}
	_, rest, _ := strings.Cut(string(text), name+":")
	if _, err := fmt.Sscan(rest, &mb); err != nil {
		t.Fatal(err)
	}
	return mb * 1024 / 1e6
}
