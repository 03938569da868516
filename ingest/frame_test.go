package ingest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

const testMax = 20 // bytes of a message in these tests

// frames reads all messages; a cut one gets a ! before it.
func frames(t *testing.T, r io.Reader, max int) []string {
	t.Helper()
	f := NewFramer(r, max)
	var got []string
	for {
		line, truncated, err := f.Next()
		if err != nil {
			if !errors.Is(err, io.EOF) {
				t.Errorf("error %v, want EOF", err)
			}
			if line != nil {
				t.Errorf("the error came with %q", line)
			}
			return got
		}
		s := string(line)
		if truncated {
			s = "!" + s
		}
		got = append(got, s)
	}
}

func TestFramer(t *testing.T) {
	f := func(stream string, want ...string) {
		t.Helper()
		// However the bytes arrive, the messages are the same.
		for name, r := range map[string]io.Reader{
			"whole":     strings.NewReader(stream),
			"bytewise":  iotest.OneByteReader(strings.NewReader(stream)),
			"with EOF":  iotest.DataErrReader(strings.NewReader(stream)),
			"half-wise": iotest.HalfReader(strings.NewReader(stream)),
		} {
			if diff := cmp.Diff(want, frames(t, r, testMax)); diff != "" {
				t.Errorf("%s %q: (-want +got)\n%s", name, stream, diff)
			}
		}
	}
	f("")
	// Line ends.
	f("<1>a\n<2>b\n", "<1>a", "<2>b")
	f("<1>a\r\n<2>b\r\n", "<1>a", "<2>b")
	f("<1>a\x00<2>b\x00", "<1>a", "<2>b")
	f("<1>a\n\x00\n\r\n<2>b", "<1>a", "<2>b")
	f("no end", "no end")
	// Octet counting, and both on one connection.
	f("4 <1>a4 <2>b", "<1>a", "<2>b")
	f("4 <1>a<2>b\n5 <3>cc<4>d\n", "<1>a", "<2>b", "<3>cc", "<4>d")
	f("4 <1>a\n4 <2>b\n", "<1>a", "<2>b") // a line end after the count, which some send
	f("5 <1>a\n4 <2>b", "<1>a", "<2>b")   // and in it
	f("8 <1>a\nb\nc4 <2>d", "<1>a\nb\nc", "<2>d")
	f("4 <1>\x004 <2>b", "<1>", "<2>b")
	// Numbers that are no counts.
	f("12 text\n4 <1>a", "12 text", "<1>a")
	f("4<1>a\n", "4<1>a")
	f("2026-11-23 x\n", "2026-11-23 x")
	f("5\n4 \n<1>a\n", "5", "4 ", "<1>a")
	f("04 <1>a\n", "04 <1>a")
	f("0 <1>a\n", "0 <1>a")
	f("4", "4")
	f("4 ", "4 ")
	// Too long by count: cut, and the next one is whole. 300 is still believed, 999999999 is not.
	f("25 <1>"+strings.Repeat("a", 22)+"4 <2>b", "!<1>"+strings.Repeat("a", 17)+CutMarker, "<2>b")
	f("300 <1>"+strings.Repeat("a", 297)+"4 <2>b", "!<1>"+strings.Repeat("a", 17)+CutMarker, "<2>b")
	f("999999999 <1>a\n<2>b\n", "999999999 <1>a", "<2>b")
	f("99999999999999999999 <1>a\n<2>b\n", "!99999999999999999999"+CutMarker, "<2>b")
	// Too long by line.
	f(strings.Repeat("a", 20)+"\n<2>b\n", strings.Repeat("a", 20), "<2>b")
	f(strings.Repeat("a", 21)+"\n<2>b\n", "!"+strings.Repeat("a", 20)+CutMarker, "<2>b")
	f(strings.Repeat("a", 500)+"\r\n<2>b\n", "!"+strings.Repeat("a", 20)+CutMarker, "<2>b")
	f(strings.Repeat("a", 500), "!"+strings.Repeat("a", 20)+CutMarker)
	f(strings.Repeat("a", 40000)+"\n<2>b\n", "!"+strings.Repeat("a", 20)+CutMarker, "<2>b") // more than one buffer
	// Characters are not cut in two.
	f(strings.Repeat("a", 19)+"é\n<2>b\n", "!"+strings.Repeat("a", 19)+CutMarker, "<2>b")
	f(strings.Repeat("a", 18)+"é\n<2>b\n", strings.Repeat("a", 18)+"é", "<2>b")
	f(strings.Repeat("a", 18)+"日本\n", "!"+strings.Repeat("a", 18)+CutMarker)
	f(strings.Repeat("a", 19)+"\xff\xff\n", "!"+strings.Repeat("a", 19)+"\xff"+CutMarker)
	// The stream breaks off within a count.
	f("10 <1>a", "!<1>a")
}

func TestFramerLargeMessages(t *testing.T) {
	line := "<1>" + strings.Repeat("x", 60000)
	stream := line + "\n" + fmt.Sprintf("%d %s", len(line), line) + line + "\n"
	if diff := cmp.Diff([]string{line, line, line}, frames(t, strings.NewReader(stream), 0)); diff != "" {
		t.Error("a message larger than the buffer came out wrong")
	}
}

// TestFramerMemory sends what a hostile sender would, and sees what it costs.
func TestFramerMemory(t *testing.T) {
	for name, head := range map[string]string{"line": "", "count": "999999999 <1>", "believed count": "1048576 <1>", "digits": "1"} {
		stream := io.MultiReader(strings.NewReader(head), io.LimitReader(endless('7'), 8<<20), strings.NewReader("\n<2>b\n"))
		f := NewFramer(stream, 64<<10)
		var last string
		for {
			line, _, err := f.Next()
			if err != nil {
				break
			}
			last = string(line[:min(len(line), 10)])
		}
		if cap(f.buf) > 256<<10 {
			t.Errorf("%s: the buffer grew to %d bytes", name, cap(f.buf))
		}
		if last != "<2>b" {
			t.Errorf("%s: the message after it was lost; the last was %q", name, last)
		}
	}
}

// endless is a reader of one byte for ever.
type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

// TestFramerError holds that what was read before an error is given away first.
func TestFramerError(t *testing.T) {
	broken := errors.New("broken")
	f := NewFramer(io.MultiReader(strings.NewReader("<1>a\n<2>b"), iotest.ErrReader(broken)), 0)
	for _, want := range []string{"<1>a", "<2>b"} {
		if line, _, err := f.Next(); string(line) != want || err != nil {
			t.Fatalf("got %q, %v; want %q", line, err, want)
		}
	}
	for range 2 {
		if line, _, err := f.Next(); line != nil || !errors.Is(err, broken) {
			t.Fatalf("got %q, %v; want the reader's error", line, err)
		}
	}
}

func FuzzFrame(f *testing.F) {
	for _, s := range []string{
		"<1>a\n<2>b\r\n\x00<3>c", "4 <1>a5 <2>bb<3>c\n", "999999999 <1>a\n", "25 <1>0123456789012345678901234567890", "12 text\n9 <1>é",
	} {
		f.Add([]byte(s), uint8(testMax))
	}
	f.Fuzz(func(t *testing.T, stream []byte, limit uint8) {
		if bytes.IndexByte(stream, '!') >= 0 {
			t.Skip("! is the mark of frames")
		}
		most := int(limit) + 1
		whole := frames(t, bytes.NewReader(stream), most)
		slow := frames(t, iotest.OneByteReader(bytes.NewReader(stream)), most)
		if diff := cmp.Diff(whole, slow); diff != "" {
			t.Fatalf("depends on how the bytes arrive (-whole +bytewise):\n%s", diff)
		}
		total := 0
		for _, s := range whole {
			s, cut := strings.CutPrefix(s, "!")
			kept := strings.TrimSuffix(s, CutMarker)
			total += len(kept)
			if len(kept) > most {
				t.Fatalf("%q is longer than %d", kept, most)
			}
			if !bytes.Contains(stream, []byte(kept)) {
				t.Fatalf("%q is not in the stream", kept)
			}
			// A count may end within a character; the limit must not.
			if cut && bytes.IndexByte(stream, '<') < 0 && utf8.Valid(stream) && !utf8.ValidString(kept) {
				t.Fatalf("%q was cut within a character", kept)
			}
		}
		// Nothing but framing is lost when nothing is cut and nothing counted.
		if bytes.IndexByte(stream, '<') < 0 && len(stream) <= most {
			framing := bytes.Count(stream, []byte{'\n'}) + bytes.Count(stream, []byte{0}) + bytes.Count(stream, []byte{'\r'})
			if total < len(stream)-framing {
				t.Fatalf("%d bytes of %q are lost", len(stream)-framing-total, stream)
			}
		}
	})
}

func BenchmarkFramer(b *testing.B) {
	const line = "<86>Nov 23 03:12:59 web1 sshd[4242]: Failed password for invalid user admin from 203.0.113.7 port 51022 ssh2\n"
	stream := strings.Repeat(line, 1000)
	b.SetBytes(int64(len(stream)))
	b.ReportAllocs()
	for b.Loop() {
		f := NewFramer(strings.NewReader(stream), 0)
		for {
			if _, _, err := f.Next(); err != nil {
				break
			}
		}
	}
}
