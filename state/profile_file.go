package state

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
	"runtime"
	"sort"
	"time"

	"golang.org/x/exp/mmap"
)

// A profileFile holds profiles of addresses and is never changed. It is mapped, not
// read: what is in memory of it is the kernel's to drop. It has, in this order, the
// profiles as they came, the texts and the lists of texts that many of them share, an
// index sorted by address, and a foot that says where each begins:
//
//	profile  length of what follows, verdict, confidence, indicator, country, AS number,
//	         AS organization, ttps, techniques, sources, first seen, last seen
//	index    address (16 bytes, IPv4 as IPv4-mapped), offset of its profile (8 bytes)
//	foot     offsets of texts, lists and index, how many addresses, CRC-32, magic
//
// Numbers are varints (encoding/binary), those of the index and the foot big-endian.
// A shared text or list is its number plus one; 0 says that it follows as it is.
type profileFile struct {
	name  string
	data  *mmap.ReaderAt
	count int
	index int64      // offset
	fence []fenceKey // every fenceEvery-th address of the index
	texts []string
	lists [][]string
}

const (
	profileMagic = "picket profiles 1\n"
	indexEntry   = 24
	footSize     = 4*8 + 4 + len(profileMagic)
	// fenceEvery is how many entries are read at once; the fence is 1/96 of the index.
	fenceEvery = 64
	// maxShared is how many texts, and lists, a file shares; later ones stand in the
	// profiles themselves.
	maxShared = 1 << 16
)

// fenceKey is an address, in two numbers.
type fenceKey struct{ high, low uint64 }

func fenceKeyOf(ip []byte) fenceKey {
	return fenceKey{binary.BigEndian.Uint64(ip), binary.BigEndian.Uint64(ip[8:])}
}

func (k fenceKey) less(o fenceKey) bool { return k.high < o.high || k.high == o.high && k.low < o.low }

var profileVerdicts = [...]string{"", "malicious", "suspicious", "benign", "unknown"}

var errProfileFile = errors.New("it is damaged: remove it and import again")

func openProfileFile(name string) (*profileFile, error) {
	data, err := mmap.Open(name)
	if err != nil {
		return nil, err
	}
	f := &profileFile{name: name, data: data}
	if err := f.readFoot(); err != nil {
		_ = data.Close()
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return f, nil
}

func (f *profileFile) readFoot() error {
	size := int64(f.data.Len())
	foot := make([]byte, footSize)
	if size < int64(footSize) {
		return errProfileFile
	}
	if _, err := f.data.ReadAt(foot, size-int64(footSize)); err != nil {
		return err
	}
	if string(foot[36:]) != profileMagic || crc32.ChecksumIEEE(foot[:32]) != binary.BigEndian.Uint32(foot[32:]) {
		return errProfileFile
	}
	at := func(i int) int64 { return int64(binary.BigEndian.Uint64(foot[8*i:])) }
	texts, lists, index, count := at(0), at(1), at(2), at(3)
	if texts < 0 || lists < texts || index < lists || count < 0 || count > size/indexEntry || index+count*indexEntry != size-int64(footSize) {
		return errProfileFile
	}
	f.index, f.count = index, int(count)
	shared := make([]byte, index-texts)
	if _, err := f.data.ReadAt(shared, texts); err != nil {
		return err
	}
	r := profileReader{b: shared[:lists-texts]}
	for n := r.length(); n > 0; n-- {
		f.texts = append(f.texts, r.string())
	}
	l := profileReader{b: shared[lists-texts:]}
	for n := l.length(); n > 0; n-- {
		f.lists = append(f.lists, l.list())
	}
	if r.bad || l.bad {
		return errProfileFile
	}
	f.fence = make([]fenceKey, 0, f.count/fenceEvery+1)
	for i := 0; i < f.count; i += fenceEvery {
		e, err := f.entry(i)
		if err != nil {
			return err
		}
		f.fence = append(f.fence, fenceKeyOf(e))
	}
	return nil
}

// entry reads entry i of the index.
func (f *profileFile) entry(i int) ([]byte, error) {
	e := make([]byte, indexEntry)
	_, err := f.data.ReadAt(e, f.index+int64(i)*indexEntry)
	return e, err
}

// find returns where the profile of an address is, and whether there is one.
func (f *profileFile) find(ip [16]byte) (offset int64, ok bool) {
	defer runtime.KeepAlive(f.data) // it is unmapped when nobody refers to it
	key := fenceKeyOf(ip[:])
	block := sort.Search(len(f.fence), func(i int) bool { return key.less(f.fence[i]) }) - 1
	if block < 0 {
		return 0, false
	}
	var space [fenceEvery * indexEntry]byte
	entries := space[:min(fenceEvery, f.count-block*fenceEvery)*indexEntry]
	if _, err := f.data.ReadAt(entries, f.index+int64(block)*fenceEvery*indexEntry); err != nil {
		return 0, false
	}
	at := func(i int) []byte { return entries[i*indexEntry : (i+1)*indexEntry] }
	n := len(entries) / indexEntry
	i := sort.Search(n, func(i int) bool { return !fenceKeyOf(at(i)).less(key) })
	if i == n || fenceKeyOf(at(i)) != key {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(at(i)[16:])), true
}

// profile reads the profile at an offset.
func (f *profileFile) profile(ip netip.Addr, offset int64) (Profile, error) {
	defer runtime.KeepAlive(f.data)
	if offset < 0 || offset >= f.index {
		return Profile{}, fmt.Errorf("%s: %w", f.name, errProfileFile)
	}
	var space [192]byte
	b := space[:min(int64(len(space)), f.index-offset)]
	if _, err := f.data.ReadAt(b, offset); err != nil {
		return Profile{}, fmt.Errorf("%s: %w", f.name, err)
	}
	length, n := binary.Uvarint(b)
	if n <= 0 || length > uint64(f.index-offset) {
		return Profile{}, fmt.Errorf("%s: %w", f.name, errProfileFile)
	}
	if total := n + int(length); total > len(b) {
		b = make([]byte, total)
		if _, err := f.data.ReadAt(b, offset); err != nil {
			return Profile{}, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	r := profileReader{b: b[n : n+int(length)], texts: f.texts, lists: f.lists}
	p := Profile{IP: ip}
	if v := r.number(); v < uint64(len(profileVerdicts)) {
		p.Verdict = profileVerdicts[v]
	} else {
		r.bad = true
	}
	p.Confidence = int(r.number())
	p.IndicatorOfIntelligence, p.CountryCode = r.shared(), r.shared()
	p.Asn, p.AsOrganization = int64(r.number()), r.shared()
	p.Ttps, p.Techniques, p.Sources = r.sharedList(), r.sharedList(), r.sharedList()
	p.FirstSeen, p.LastSeen = r.time(), r.time()
	if r.bad {
		return Profile{}, fmt.Errorf("%s: %w", f.name, errProfileFile)
	}
	return p, nil
}

// A profileReader reads what a profileWriter wrote. bad says that it could not.
type profileReader struct {
	b     []byte
	texts []string
	lists [][]string
	bad   bool
}

func (r *profileReader) number() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

// length is a number that is not above the bytes that are left.
func (r *profileReader) length() int {
	n := r.number()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return 0
	}
	return int(n)
}

func (r *profileReader) string() string {
	n := r.length()
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

func (r *profileReader) list() []string {
	n := r.length()
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = r.string()
	}
	return list
}

func (r *profileReader) shared() string {
	n := r.number()
	switch {
	case n == 0:
		return r.string()
	case n > uint64(len(r.texts)):
		r.bad = true
		return ""
	}
	return r.texts[n-1]
}

func (r *profileReader) sharedList() []string {
	n := r.number()
	switch {
	case n == 0:
		return r.list()
	case n > uint64(len(r.lists)):
		r.bad = true
		return nil
	}
	return r.lists[n-1]
}

func (r *profileReader) time() time.Time { return fromMillis(int64(r.number())) }

// profileCodec writes profiles, and collects what they share.
type profileCodec struct {
	texts, lists       map[string]int
	textList, listList []byte // encoded, in the order of their numbers
	b, key             []byte // reused
}

func newProfileCodec() *profileCodec {
	return &profileCodec{texts: map[string]int{}, lists: map[string]int{}}
}

// encode returns a profile as the file has it, until the next call.
func (c *profileCodec) encode(p *Profile) ([]byte, error) {
	verdict := -1
	for i, v := range profileVerdicts {
		if v == p.Verdict {
			verdict = i
		}
	}
	if verdict < 0 || p.Confidence < 0 || p.Asn < 0 || millis(p.FirstSeen) < 0 || millis(p.LastSeen) < 0 {
		return nil, fmt.Errorf("the profile of %s cannot be stored: %+v", p.IP, *p)
	}
	b := binary.AppendUvarint(c.b[:0], uint64(verdict))
	b = binary.AppendUvarint(b, uint64(p.Confidence))
	b = c.text(c.text(b, p.IndicatorOfIntelligence), p.CountryCode)
	b = c.text(binary.AppendUvarint(b, uint64(p.Asn)), p.AsOrganization)
	b = c.list(c.list(c.list(b, p.Ttps), p.Techniques), p.Sources)
	b = binary.AppendUvarint(b, uint64(millis(p.FirstSeen)))
	b = binary.AppendUvarint(b, uint64(millis(p.LastSeen)))
	c.b = b
	return b, nil
}

func (c *profileCodec) text(b []byte, s string) []byte {
	n, ok := c.texts[s]
	if !ok && len(c.texts) < maxShared {
		n, ok = len(c.texts), true
		c.texts[s] = n
		c.textList = appendString(c.textList, s)
	}
	if ok {
		return binary.AppendUvarint(b, uint64(n)+1)
	}
	return appendString(append(b, 0), s)
}

func (c *profileCodec) list(b []byte, list []string) []byte {
	c.key = appendList(c.key[:0], list)
	n, ok := c.lists[string(c.key)]
	if !ok && len(c.lists) < maxShared {
		n, ok = len(c.lists), true
		c.lists[string(c.key)] = n
		c.listList = append(c.listList, c.key...)
	}
	if ok {
		return binary.AppendUvarint(b, uint64(n)+1)
	}
	return append(append(b, 0), c.key...)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendList(b []byte, list []string) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, s := range list {
		b = appendString(b, s)
	}
	return b
}

// shared returns what follows the profiles.
func (c *profileCodec) shared() (texts, lists []byte) {
	return append(binary.AppendUvarint(nil, uint64(len(c.texts))), c.textList...), append(binary.AppendUvarint(nil, uint64(len(c.lists))), c.listList...)
}

// profileEntry is an entry of the index while a file is written.
type profileEntry struct {
	ip     [16]byte
	offset int64
	line   uint32 // of the imported file
}

func (e profileEntry) compare(o profileEntry) int {
	return cmp.Or(bytes.Compare(e.ip[:], o.ip[:]), cmp.Compare(e.line, o.line))
}
