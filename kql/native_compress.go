package kql

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/binary"
	"errors"
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

// gzipOf packs s as RFC 1952 has it, with the least of headers: no time, and
// no operating system told.
func gzipOf(s string) (string, bool) {
	b, ok := deflate([]byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}, s)
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE([]byte(s)))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(s)))
	return base64.StdEncoding.EncodeToString(b), ok
}

// zlibOf packs s as RFC 1950 has it.
func zlibOf(s string) (string, bool) {
	b, ok := deflate([]byte{0x78, 1}, s)
	b = binary.BigEndian.AppendUint32(b, adler32.Checksum([]byte(s)))
	return base64.StdEncoding.EncodeToString(b), ok
}

// deflate appends s as RFC 1951 has it. Where packing does not make it shorter
// than it is, s stands in one block as it is (section 3.2.4), which is what
// the examples of gzip_compress_to_base64_string() and its sister print.
func deflate(head []byte, s string) ([]byte, bool) {
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.DefaultCompression)
	if err != nil {
		return nil, false
	}
	_, err = io.WriteString(w, s)
	if errors.Join(err, w.Close()) != nil {
		return nil, false
	}
	if n := len(s); n > 0 && n <= 0xffff && b.Len() >= n {
		stored := append(head, 1, byte(n), byte(n>>8), byte(^n), byte(^n>>8))
		return append(stored, s...), true
	}
	return append(head, b.Bytes()...), true
}
