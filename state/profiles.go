package state

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"picket"
)

// profiles keeps what was imported of addresses, in files beside the database: one
// for each import, the newest of which decides, until several are merged. The file
// "list" names those that count, the newest first; it is replaced at once, so that an
// import counts as a whole or not at all.
type profiles struct {
	dir     string
	checked atomic.Int64 // Unix seconds: when the list was looked at

	mu     sync.Mutex // held while the list is read again
	listed fs.FileInfo
	files  atomic.Pointer[[]*profileFile] // nil when closed
}

func openProfiles(dir string) (*profiles, error) {
	s := &profiles{dir: dir}
	s.files.Store(&[]*profileFile{})
	return s, s.reload()
}

func (s *profiles) close() { s.files.Store(nil) }

// reload takes over what another process has imported.
func (s *profiles) reload() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for try := 0; ; try++ {
		err := s.read()
		if try == 3 || !errors.Is(err, fs.ErrNotExist) {
			return err
		} // a file was merged after the list was read
	}
}

func (s *profiles) read() error {
	info, err := os.Stat(filepath.Join(s.dir, "list"))
	open := s.files.Load()
	switch {
	case open == nil:
		return errors.New("the database is closed")
	case errors.Is(err, fs.ErrNotExist):
		return nil // nothing was imported yet
	case err != nil:
		return err
	case s.listed != nil && os.SameFile(info, s.listed) && info.ModTime().Equal(s.listed.ModTime()):
		return nil
	}
	names, err := s.names()
	if err != nil {
		return err
	}
	next := make([]*profileFile, len(names))
	for i, name := range names {
		path := filepath.Join(s.dir, name)
		if at := slices.IndexFunc(*open, func(f *profileFile) bool { return f.name == path }); at >= 0 {
			next[i] = (*open)[at]
		} else if next[i], err = openProfileFile(path); err != nil {
			return err
		}
	}
	s.listed = info
	s.files.Store(&next)
	return nil
}

// names reads the list.
func (s *profiles) names() ([]string, error) {
	text, err := os.ReadFile(filepath.Join(s.dir, "list"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return strings.Fields(string(text)), err
}

func (s *profiles) get(ip netip.Addr) (Profile, bool, error) {
	if now := time.Now().Unix(); s.checked.Swap(now) != now {
		if err := s.reload(); err != nil {
			return Profile{}, false, err
		}
	}
	files := s.files.Load()
	if files == nil {
		return Profile{}, false, errors.New("the database is closed")
	}
	key := ip.As16()
	for _, f := range *files {
		if offset, ok := f.find(key); ok {
			p, err := f.profile(ip, offset)
			return p, err == nil, err
		}
	}
	return Profile{}, false, nil
}

// A ProfileWriter takes profiles of addresses and stores them all or none. Either
// Commit or Discard ends it.
type ProfileWriter struct {
	store   *profiles
	lock    *os.File
	file    *os.File
	out     *bufio.Writer
	codec   *profileCodec
	offset  int64
	entries []profileEntry   // sorted, of all that was put before
	pieces  [][]profileEntry // in the order they came: one growing slice would be copied, and twice as large
}

// pieceSize is how many entries a piece has.
const pieceSize = 1 << 15

// WriteProfiles begins to store profiles. Another process that does has to wait.
func (db *DB) WriteProfiles() (*ProfileWriter, error) {
	w, err := db.profiles.writer()
	if err != nil {
		return nil, fmt.Errorf("store reputation: %w", err)
	}
	return w, nil
}

func (s *profiles) writer() (*ProfileWriter, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(filepath.Join(s.dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	w := &ProfileWriter{store: s, lock: lock, codec: newProfileCodec()}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		w.Discard()
		return nil, fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	if err := s.tidy(); err != nil {
		w.Discard()
		return nil, err
	}
	if w.file, err = os.CreateTemp(s.dir, "new-*"); err != nil {
		w.Discard()
		return nil, err
	}
	w.out = bufio.NewWriterSize(w.file, 1<<18)
	return w, nil
}

// tidy removes what an import that was killed has left. The lock is held.
func (s *profiles) tidy() error {
	names, err := s.names()
	if err != nil {
		return err
	}
	files, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if name := f.Name(); name != "list" && name != "lock" && !slices.Contains(names, name) {
			if err := os.Remove(filepath.Join(s.dir, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// Put adds the profile of an address. line is where it comes from, for [ProfileWriter.Twice].
func (w *ProfileWriter) Put(p *Profile, line int) error {
	b, err := w.codec.encode(p)
	if err != nil {
		return err
	}
	last := len(w.pieces) - 1
	if last < 0 || len(w.pieces[last]) == pieceSize {
		w.pieces = append(w.pieces, make([]profileEntry, 0, pieceSize))
		last++
	}
	w.pieces[last] = append(w.pieces[last], profileEntry{ip: p.IP.As16(), offset: w.offset, line: uint32(line)})
	var length [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(length[:], uint64(len(b)))
	if _, err = w.out.Write(length[:n]); err == nil {
		_, err = w.out.Write(b)
	}
	w.offset += int64(n + len(b))
	return err
}

// sort brings all entries into the order of the index.
func (w *ProfileWriter) sort() {
	if len(w.pieces) == 0 {
		return
	}
	last := len(w.pieces) - 1
	all := make([]profileEntry, 0, len(w.entries)+last*pieceSize+len(w.pieces[last]))
	all = append(all, w.entries...)
	for i := range w.pieces {
		all = append(all, w.pieces[i]...)
		w.pieces[i] = nil
	}
	w.entries, w.pieces = all, nil
	slices.SortFunc(w.entries, profileEntry.compare)
}

// Twice calls f for every address that was put more than once, with the line where it
// was first and another.
func (w *ProfileWriter) Twice(f func(ip netip.Addr, first, again int)) {
	w.sort()
	for i := 1; i < len(w.entries); i++ {
		if e := w.entries[i]; e.ip == w.entries[i-1].ip {
			first := i - 1
			for first > 0 && w.entries[first-1].ip == e.ip {
				first--
			}
			f(netip.AddrFrom16(e.ip).Unmap(), int(w.entries[first].line), int(e.line))
		}
	}
}

// Discard ends the writer and stores nothing.
func (w *ProfileWriter) Discard() {
	if w.file != nil {
		_ = w.file.Close()
		_ = os.Remove(w.file.Name()) // left, it is removed by the next import
	}
	if w.lock != nil {
		_ = w.lock.Close()
	}
	w.file, w.lock = nil, nil
}

// Commit stores what was put, in the place of what was known of its addresses; of
// added of them nothing was. Of an address that was put twice, the last counts.
func (w *ProfileWriter) Commit(ctx context.Context) (added int, err error) {
	defer w.Discard()
	if added, err = w.commit(ctx); err != nil {
		return 0, fmt.Errorf("store reputation: %w", err)
	}
	return added, nil
}

func (w *ProfileWriter) commit(ctx context.Context) (added int, err error) {
	s := w.store
	if err := s.reload(); err != nil {
		return 0, err
	}
	w.sort()
	w.entries = lastOfEach(w.entries)
	known := *s.files.Load()
	for i, e := range w.entries {
		if i%10_000 == 0 && ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if !slices.ContainsFunc(known, func(f *profileFile) bool { _, ok := f.find(e.ip); return ok }) {
			added++
		}
	}
	if len(w.entries) == 0 {
		return 0, nil
	}
	rest, err := w.merge(ctx, known)
	if err != nil {
		return 0, err
	}
	name, err := w.finish()
	if err != nil {
		return 0, err
	}
	list := name + "\n"
	for _, f := range rest {
		list += filepath.Base(f.name) + "\n"
	}
	if err := picket.WriteFile(filepath.Join(s.dir, "list"), []byte(list), 0o600); err != nil {
		return 0, err
	}
	if err := s.reload(); err != nil {
		return 0, err
	}
	_ = s.tidy() // what cannot be removed now, the next import tells of
	return added, nil
}

// lastOfEach keeps the last of entries with the same address.
func lastOfEach(sorted []profileEntry) []profileEntry {
	out := sorted[:0]
	for i, e := range sorted {
		if i+1 == len(sorted) || sorted[i+1].ip != e.ip {
			out = append(out, e)
		}
	}
	return out
}

// merge takes in the files that are not much larger than what is written, so that
// there are few files, and none is copied often. It returns the others.
func (w *ProfileWriter) merge(ctx context.Context, known []*profileFile) ([]*profileFile, error) {
	for ; len(known) > 0 && known[0].count <= 2*len(w.entries); known = known[1:] {
		f, own := known[0], w.entries
		for i := range f.count {
			if i%10_000 == 0 && ctx.Err() != nil {
				return nil, ctx.Err()
			}
			e, err := f.entry(i)
			if err != nil {
				return nil, err
			}
			ip := [16]byte(e[:16])
			if _, newer := slices.BinarySearchFunc(own, ip, func(e profileEntry, ip [16]byte) int { return bytes.Compare(e.ip[:], ip[:]) }); newer {
				continue
			}
			p, err := f.profile(netip.AddrFrom16(ip), int64(binary.BigEndian.Uint64(e[16:])))
			if err == nil {
				err = w.Put(&p, 0)
			}
			if err != nil {
				return nil, err
			}
		}
		w.sort()
	}
	return known, nil
}

// finish writes the rest of the file, and gives it its name.
func (w *ProfileWriter) finish() (string, error) {
	texts, lists := w.codec.shared()
	for _, b := range [][]byte{texts, lists} {
		if _, err := w.out.Write(b); err != nil {
			return "", err
		}
	}
	var b []byte
	for _, e := range w.entries {
		b = binary.BigEndian.AppendUint64(append(b[:0], e.ip[:]...), uint64(e.offset))
		if _, err := w.out.Write(b); err != nil {
			return "", err
		}
	}
	b = b[:0]
	for _, v := range []int64{w.offset, w.offset + int64(len(texts)), w.offset + int64(len(texts)+len(lists)), int64(len(w.entries))} {
		b = binary.BigEndian.AppendUint64(b, uint64(v))
	}
	b = append(binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b)), profileMagic...)
	if _, err := w.out.Write(b); err != nil {
		return "", err
	}
	if err := errors.Join(w.out.Flush(), w.file.Sync()); err != nil {
		return "", err
	}
	name := strconv.FormatInt(time.Now().UnixNano(), 36) + ".profiles"
	return name, os.Rename(w.file.Name(), filepath.Join(w.store.dir, name))
}
