package kql

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"hash/adler32"
	"hash/crc32"
	"io"
	"unicode/utf8"
)

// maxUnpacked bounds what a few compressed bytes may become.
const maxUnpacked = 16 << 20

func decompress(s string, open func(io.Reader) (io.Reader, error)) (string, bool) {
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return "", false
	}
	r, err := open(bytes.NewReader(b))
	if err != nil {
		return "", false
	}
	out, err := io.ReadAll(io.LimitReader(r, maxUnpacked+1))
	if err != nil || len(out) > maxUnpacked || !utf8.Valid(out) {
		return "", false
	}
	return string(out), true
}

func unzlibText(s string) (string, bool) {
	return decompress(s, func(r io.Reader) (io.Reader, error) { return zlib.NewReader(r) })
}

func ungzipText(s string) (string, bool) {
	return decompress(s, func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) })
}

// zlibText compresses s in the format of RFC 1950, with a window of 32 KB.
func zlibText(s string) (string, bool) {
	b, ok := deflate([]byte{0x78, 0x01}, s)
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(b, adler32.Checksum([]byte(s)))), ok
}

// gzipText compresses s in the format of RFC 1952, of no time and no system.
func gzipText(s string) (string, bool) {
	b, ok := deflate([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}, s)
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE([]byte(s)))
	return base64.StdEncoding.EncodeToString(binary.LittleEndian.AppendUint32(b, uint32(len(s)))), ok
}

// deflate appends s to head in the format of RFC 1951. What compression would
// make no shorter is stored, in one block where it fits: so the pages print it.
func deflate(head []byte, s string) ([]byte, bool) {
	packed := bytes.NewBuffer(bytes.Clone(head))
	w, err := flate.NewWriter(packed, flate.DefaultCompression)
	if err != nil {
		return nil, false
	}
	if _, err := io.WriteString(w, s); err != nil || w.Close() != nil {
		return nil, false
	}
	if packed.Len() < len(head)+len(s) {
		return packed.Bytes(), true
	}
	const most = 1<<16 - 1
	for out := head; ; s = s[most:] {
		n, last := min(len(s), most), byte(0)
		if n == len(s) {
			last = 1
		}
		out = append(out, last)
		out = binary.LittleEndian.AppendUint16(out, uint16(n))
		out = binary.LittleEndian.AppendUint16(out, ^uint16(n))
		out = append(out, s[:n]...)
		if last == 1 {
			return out, true
		}
	}
}
