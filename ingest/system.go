package ingest

import (
	"crypto/hmac"
	"crypto/sha256"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

// system is what a heartbeat says of the operating system.
type system struct {
	name, major, minor string // os-release(5): NAME, and VERSION_ID in two
	uuid               string // VMUUID
}

// readSystem reads the files under root. What is not there stays empty.
func readSystem(root string) system {
	var s system
	release, err := os.ReadFile(filepath.Join(root, "etc/os-release"))
	if err != nil {
		release, _ = os.ReadFile(filepath.Join(root, "usr/lib/os-release")) // os-release(5) has both
	}
	s.name, s.major, s.minor = osRelease(string(release))
	s.uuid = machineUUID(root)
	return s
}

// osRelease reads the assignments of os-release(5).
func osRelease(text string) (name, major, minor string) {
	name = "Linux"
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok {
			continue
		}
		if u, err := strconv.Unquote(value); err == nil {
			value = u
		} else {
			value = strings.Trim(value, `'`)
		}
		switch key {
		case "NAME":
			name = value
		case "VERSION_ID":
			major, minor, _ = strings.Cut(value, ".")
		}
	}
	return name, major, minor
}

// machineUUID returns the firmware's UUID, which Azure knows a machine by and
// only root may read, or one that is derived from the machine id. The machine
// id itself must not be shown (machine-id(5)).
func machineUUID(root string) string {
	if b, err := os.ReadFile(filepath.Join(root, "sys/class/dmi/id/product_uuid")); err == nil {
		if id, err := uuid.ParseBytes([]byte(strings.TrimSpace(string(b)))); err == nil && id != uuid.Nil {
			return id.String()
		}
	}
	b, err := os.ReadFile(filepath.Join(root, "etc/machine-id"))
	secret := strings.TrimSpace(string(b))
	if err != nil || len(secret) != 32 { // "uninitialized", or empty in images
		return ""
	}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("picket VMUUID"))
	id, err := uuid.FromBytes(mac.Sum(nil)[:16])
	if err != nil {
		return ""
	}
	id[6] = id[6]&0x0f | 0x80 // version 8: of one's own making (RFC 9562 §5.8)
	id[8] = id[8]&0x3f | 0x80
	return id.String()
}

// MachineUUID returns what this machine is known by: VMUUID of its heartbeats,
// "" when there is nothing to know it by.
func MachineUUID() string { return machineUUID("/") }
