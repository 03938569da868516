package ingest

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"picket"
)

func TestHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(store)
		h := NewHeartbeat(s.Append, HeartbeatOptions{Host: "web1", Version: "1.2.3"})
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Second)
		defer cancel()
		start := time.Now()
		if err := h.Run(ctx); err != nil {
			t.Error(err)
		}
		want := []any{start, start.Add(time.Minute), start.Add(2 * time.Minute)}
		if diff := cmp.Diff(want, s.column("TimeGenerated")); diff != "" {
			t.Error(diff)
		}
		for column, want := range map[string]any{
			"Computer": "web1", "Category": "Picket", "OSType": "Linux", "Version": "1.2.3",
			"ComputerEnvironment": "Non-Azure", "ResourceProvider": "", "SourceSystem": "Linux", "Type": "Heartbeat",
		} {
			if got := s.column(column); got[0] != want {
				t.Errorf("%s is %v, want %v", column, got[0], want)
			}
		}
		if _, err := netip.ParseAddr(s.column("ComputerIP")[0].(string)); err != nil {
			t.Errorf("ComputerIP: %v", err)
		}
		if text, err := json.Marshal(s.column("ComputerPrivateIPs")[0]); err != nil || text[0] != '[' {
			t.Errorf("ComputerPrivateIPs: %s, %v", text, err)
		}
	})
}

// TestHeartbeatTrouble holds that a heartbeat is late rather than lost, and
// that none is made up afterwards.
func TestHeartbeatTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s := &store{before: func(picket.Batch) error {
			if d := time.Since(start); d < time.Second || d > 30*time.Second && d < 200*time.Second {
				return errors.New("down")
			}
			return nil
		}}
		ctx, cancel := context.WithTimeout(t.Context(), 250*time.Second)
		defer cancel()
		if err := NewHeartbeat(s.Append, HeartbeatOptions{}).Run(ctx); err != nil {
			t.Error(err)
		}
		n := 0
		for i, at := range s.times {
			if d := at.Sub(start); i == 0 && d > 3*time.Second || i == 1 && d < 200*time.Second {
				t.Errorf("row %d was written after %s", i, d)
			}
			n++
		}
		if n != 3 { // at 1 s late; of the fourth minute, late; of the fifth
			t.Errorf("%d rows: %v", n, s.times)
		}
	})
}

func TestHeartbeatRow(t *testing.T) {
	h := NewHeartbeat(nil, HeartbeatOptions{Host: "web1"})
	addresses := []netip.Addr{
		netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1"), netip.MustParseAddr("fe80::1"), netip.MustParseAddr("2001:db8::5"),
		netip.MustParseAddr("10.0.0.5"), netip.MustParseAddr("fd00::5"), netip.MustParseAddr("203.0.113.5"),
	}
	row := h.row(testNow, system{}, addresses)
	if diff := cmp.Diff("10.0.0.5", row[slices.Index(heartbeatColumns, "ComputerIP")]); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"10.0.0.5", "fd00::5"}, row[slices.Index(heartbeatColumns, "ComputerPrivateIPs")]); diff != "" {
		t.Error(diff)
	}
	row = h.row(testNow, system{}, nil)
	if text, err := json.Marshal(row[slices.Index(heartbeatColumns, "ComputerPrivateIPs")]); string(text) != "[]" || err != nil {
		t.Errorf("no addresses: %s, %v", text, err)
	}
}

func TestPrimary(t *testing.T) {
	f := func(want string, addresses ...string) {
		t.Helper()
		var all []netip.Addr
		for _, a := range addresses {
			all = append(all, netip.MustParseAddr(a))
		}
		if got := primary(all).String(); got != want {
			t.Errorf("of %v: %s, want %s", addresses, got, want)
		}
	}
	f("127.0.0.1")
	f("127.0.0.1", "127.0.0.1", "::1", "fe80::1", "169.254.1.1")
	f("192.0.2.5", "127.0.0.1", "192.0.2.5", "172.17.0.1")
	f("2001:db8::5", "::1", "fe80::1", "2001:db8::5")
	f("192.0.2.5", "2001:db8::5", "192.0.2.5")
}

func TestAddresses(t *testing.T) {
	all, err := Addresses()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(all, netip.MustParseAddr("127.0.0.1")) {
		t.Errorf("no loopback address in %v", all)
	}
	for i, a := range all {
		if a.Zone() != "" || a.Is4In6() || slices.Contains(all[:i], a) {
			t.Errorf("%s in %v", a, all)
		}
	}
}

func TestSystem(t *testing.T) {
	f := func(files map[string]string, want system) {
		t.Helper()
		root := t.TempDir()
		for name, text := range files {
			path := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, readSystem(root), cmp.AllowUnexported(system{})); diff != "" {
			t.Error(diff)
		}
	}
	const id = "0123456789abcdef0123456789abcdef"
	f(nil, system{name: "Linux"})
	f(map[string]string{"etc/os-release": "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nID=debian\n"},
		system{name: "Debian GNU/Linux", major: "12"})
	f(map[string]string{"usr/lib/os-release": "NAME='Ubuntu'\nVERSION_ID=22.04\n"}, system{name: "Ubuntu", major: "22", minor: "04"})
	f(map[string]string{"etc/os-release": "garbage\n\n=\nNAME\n", "etc/machine-id": "uninitialized\n"}, system{name: "Linux"})
	f(map[string]string{"sys/class/dmi/id/product_uuid": "4C4C4544-0042-3510-8057-B8C04F433732\n", "etc/machine-id": id},
		system{name: "Linux", uuid: "4c4c4544-0042-3510-8057-b8c04f433732"})
	f(map[string]string{"sys/class/dmi/id/product_uuid": "Not Settable\n", "etc/machine-id": id + "\n"},
		system{name: "Linux", uuid: machineUUIDOf(t, id)})
}

// machineUUIDOf holds what matters of a derived UUID: always the same, of
// version 8, and not the machine id.
func machineUUIDOf(t *testing.T, id string) string {
	t.Helper()
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "etc"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "etc/machine-id"), []byte(id), 0o600); err != nil {
		t.Fatal(err)
	}
	got := machineUUID(root)
	if len(got) != 36 || got[14] != '8' || got[:8] == id[:8] {
		t.Errorf("UUID %q of the machine id %q", got, id)
	}
	return got
}
