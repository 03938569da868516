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
	*os.File
	info fs.FileInfo
	head []byte // at most headSize first bytes, as first seen
	at   checkpoint
}

// openLog opens a log file for a new life that begins at its first byte.
func openLog(path string) (*logfile, error) {
	f, info, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	return &logfile{File: f, info: info, at: checkpoint{Life: rand.Text()}}, nil
}

// openRegular opens a file and refuses what cannot be read twice.
func openRegular(path string) (*os.File, fs.FileInfo, error) {
	// A FIFO would make a blocking open wait for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrPermission) {
		return nil, nil, fmt.Errorf("%w (log files are often readable by the group adm: add the user to it)", err)
	}
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("open %s: not a regular file, but %s", path, info.Mode())
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// rejoin opens a file if it is the one that c speaks of. With byContent the
// first bytes decide, for a copy, and otherwise the inode must be the same, too.
func rejoin(path string, c *checkpoint, byContent bool) *logfile {
	f, info, err := openRegular(path)
	if err != nil {
		return nil
	}
	g := &logfile{File: f, info: info, at: *c}
	device, inode := identity(info)
	same := device == c.Device && inode == c.Inode || byContent && c.HeadSize > 0
	if same && info.Size() >= max(c.Offset, int64(c.HeadSize)) {
		if head, err := g.readHead(); err == nil && len(head) >= c.HeadSize && hash(head[:c.HeadSize]) == c.HeadHash {
			g.head = head
			return g
		}
	}
	f.Close()
	return nil
}

// verify reports errReplaced if the file does not begin as it did, and
// otherwise notes what more there is of its beginning.
func (g *logfile) verify() error {
	info, err := g.Stat()
	if err != nil {
		return err
	}
	head, err := g.readHead()
	if err != nil {
		return err
	}
	if info.Size() < g.at.Offset || !bytes.HasPrefix(head, g.head) {
		return errReplaced
	}
	g.info, g.head = info, head
	return nil
}

// identify notes in the checkpoint how to find the file again.
func (g *logfile) identify() {
	g.at.Device, g.at.Inode = identity(g.info)
	g.at.HeadSize, g.at.HeadHash = len(g.head), hash(g.head)
}

func (g *logfile) readHead() ([]byte, error) {
	b := make([]byte, headSize)
	n, err := g.ReadAt(b, 0)
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
