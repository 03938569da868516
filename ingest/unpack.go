package ingest

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// packed returns the ending of a compressed file's name, "" if it has none.
func packed(path string) string {
	switch ext := filepath.Ext(path); strings.ToLower(ext) {
	case ".gz", ".zst":
		return ext
	}
	return ""
}

// unpackWindow is how far back in a compressed file can be read without
// beginning anew: more than what [readLines] reads beyond the end of a span.
const unpackWindow = 1 << 20

// zstdMemory bounds the window that a file of Zstandard may ask for (RFC 8878
// §3.1.1.1.2 recommends to take 8 MB).
const zstdMemory = 8 << 20

// An unpacker reads a compressed file at any offset of what it holds. Reading on
// is cheap, going back further than the window is not.
type unpacker struct {
	file io.ReadSeeker
	ext  string

	in     io.ReadCloser
	pos    int64  // of in
	window []byte // the last bytes before pos

	// broken is why the file ends where it does, nil if that is its end.
	broken error
	size   int64 // of what it holds, once its end was reached; else -1
}

func newUnpacker(file io.ReadSeeker, ext string) (*unpacker, error) {
	u := &unpacker{file: file, ext: strings.ToLower(ext), size: -1}
	return u, u.rewind()
}

func (u *unpacker) rewind() error {
	u.Close()
	if _, err := u.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	var err error
	u.pos, u.window = 0, u.window[:0]
	switch u.ext {
	case ".gz":
		var z *gzip.Reader
		if z, err = gzip.NewReader(u.file); err == nil {
			u.in = z
		}
	default:
		var z *zstd.Decoder
		if z, err = zstd.NewReader(u.file, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdMemory)); err == nil {
			u.in = z.IOReadCloser()
		}
	}
	if err != nil {
		return fmt.Errorf("unpack %s: %w", u.ext[1:], err)
	}
	return nil
}

// ReadAt is that of [io.ReaderAt], except that the end of a damaged file is
// io.EOF, too; broken is set then.
func (u *unpacker) ReadAt(b []byte, off int64) (n int, err error) {
	if off < u.pos-int64(len(u.window)) {
		if err := u.rewind(); err != nil {
			return 0, err
		}
	}
	for off > u.pos {
		if err := u.fill(); err != nil {
			return 0, err
		}
	}
	for {
		n += copy(b[n:], u.window[int64(len(u.window))-(u.pos-off-int64(n)):])
		if n == len(b) {
			return n, nil
		}
		if err := u.fill(); err != nil {
			return n, err
		}
	}
}

// fill reads on.
func (u *unpacker) fill() error {
	if u.size == u.pos {
		return io.EOF
	}
	if len(u.window)+readChunk > 2*unpackWindow {
		u.window = append(u.window[:0], u.window[len(u.window)-unpackWindow:]...)
	}
	start := len(u.window)
	u.window = append(u.window, make([]byte, readChunk)...)
	n, err := u.in.Read(u.window[start:])
	u.window = u.window[:start+n]
	u.pos += int64(n)
	var trouble *fs.PathError // of the disk, not of the data
	switch {
	case n > 0 || err == nil:
		return nil
	case errors.As(err, &trouble):
		return err
	case !errors.Is(err, io.EOF):
		u.broken = err
	}
	u.size = u.pos
	return io.EOF
}

func (u *unpacker) Close() {
	if u.in != nil {
		_ = u.in.Close() // it holds memory only
		u.in = nil
	}
}
