package ingest

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// headSize is how many first bytes tell one life of a log file from another.
const headSize = 256

// errReplaced says that a file's content is not the one that was being read:
// it was truncated, and perhaps written anew.
var errReplaced = errors.New("the content was replaced")

// A logfile is one life of a log: an open file, and how far it was read.
type logfile struct {
	file *os.File
	text io.ReaderAt // the lines: file, or unpack
	info fs.FileInfo
	head []byte // at most headSize first bytes, as first seen
	at   checkpoint

	unpack *unpacker // nil unless the file is compressed
	rested bool      // it was rotated a while ago: nobody writes to it any more

	format *Format // of its lines; nil until they are read
	rows   rowFunc
}

// openLog opens a log file for a new life that begins at its first byte.
func openLog(path string) (*logfile, error) {
	g, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	g.at.Life = rand.Text()
	return g, nil
}

// openRegular opens a file and refuses what cannot be read twice.
func openRegular(path string) (*logfile, error) {
	// A FIFO would make a blocking open wait for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("%w (log files are often readable by the group adm: add the user to it)", err)
	}
	if err != nil {
		return nil, err
	}
	g := &logfile{file: f, text: f}
	g.info, err = f.Stat()
	if err == nil && !g.info.Mode().IsRegular() {
		err = fmt.Errorf("open %s: not a regular file, but %s", path, g.info.Mode())
	}
	if ext := packed(path); err == nil && ext != "" {
		if g.unpack, err = newUnpacker(f, ext); err != nil {
			err = fmt.Errorf("open %s: %w", path, err)
		}
		g.text = g.unpack
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return g, nil
}

// close lets the file go.
func (g *logfile) close() {
	if g.unpack != nil {
		g.unpack.Close()
	}
	g.file.Close()
}

// rejoin opens a file if it is the one that c speaks of. With byContent the
// first bytes decide, for a copy, and otherwise the inode must be the same, too.
func rejoin(path string, c *checkpoint, byContent bool) *logfile {
	g, err := openRegular(path)
	if err != nil {
		return nil
	}
	g.at = *c
	device, inode := identity(g.info)
	same := device == c.Device && inode == c.Inode || byContent && c.HeadSize > 0
	if same && g.reaches(max(c.Offset, int64(c.HeadSize))) {
		if head, err := g.readHead(); err == nil && len(head) >= c.HeadSize && hash(head[:c.HeadSize]) == c.HeadHash {
			g.head = head
			return g
		}
	}
	g.close()
	return nil
}

// reaches reports whether the file has that many bytes of lines.
func (g *logfile) reaches(size int64) bool {
	if g.unpack == nil {
		return g.info.Size() >= size
	}
	if size == 0 {
		return true
	}
	n, _ := g.text.ReadAt(make([]byte, 1), size-1)
	return n == 1
}

// lag is how many bytes are not read yet; of a compressed file it is not known,
// and 0.
func (g *logfile) lag() int64 {
	if g.unpack != nil {
		return 0
	}
	return max(0, g.info.Size()-g.at.Offset)
}

// verify reports errReplaced if the file does not begin as it did, and
// otherwise notes what more there is of its beginning. A compressed file is not
// written to, but it may be replaced.
func (g *logfile) verify() error {
	info, err := g.file.Stat()
	if err != nil {
		return err
	}
	if g.unpack != nil && g.head != nil {
		if info.Size() != g.info.Size() || !info.ModTime().Equal(g.info.ModTime()) {
			return errReplaced
		}
		return nil
	}
	head, err := g.readHead()
	if err != nil {
		return err
	}
	if g.unpack == nil && info.Size() < g.at.Offset || !bytes.HasPrefix(head, g.head) {
		return errReplaced
	}
	g.info, g.head = info, head
	return nil
}

// identify notes in the checkpoint how to find the file again.
func (g *logfile) identify() {
	g.at.Device, g.at.Inode = identity(g.info)
	g.at.HeadSize, g.at.HeadHash = len(g.head), hash(g.head)
	g.at.Changed = g.info.ModTime()
}

func (g *logfile) readHead() ([]byte, error) {
	b := make([]byte, headSize)
	n, err := g.text.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return b[:n], nil
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func identity(info fs.FileInfo) (device, inode uint64) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Dev), st.Ino
	}
	return 0, 0
}
