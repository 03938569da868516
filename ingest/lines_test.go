package ingest

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// cutLines reads all spans of a file and returns its lines, a cut one with a ! before it.
func cutLines(t *testing.T, content []byte, s span, chunk int) (lines []string, rest int) {
	t.Helper()
	for {
		end, skip, err := readLines(bytes.NewReader(content), s, make([]byte, chunk), func(line []byte, cut bool) {
			text := string(line)
			if cut {
				text = "!" + text
			}
			lines = append(lines, text)
		})
		if err != nil {
			t.Fatal(err)
		}
		if end == s.from {
			return lines, len(content) - int(end)
		}
		if end < s.from || end > int64(len(content)) {
			t.Fatalf("a span from %d ends at %d", s.from, end)
		}
		s.from, s.skip = end, skip
	}
}

func TestReadLines(t *testing.T) {
	f := func(content string, s span, rest int, want ...string) {
		t.Helper()
		if s.maxRows == 0 {
			s.maxRows = 100
		}
		if s.maxBytes == 0 {
			s.maxBytes = 1000
		}
		s.maxLine = 10
		for _, chunk := range []int{1, 3, 64} {
			lines, left := cutLines(t, []byte(content), s, chunk)
			if diff := cmp.Diff(want, lines); diff != "" || left != rest {
				t.Errorf("%q in chunks of %d: %d bytes left, want %d; (-want +got)\n%s", content, chunk, left, rest, diff)
			}
		}
	}
	x := strings.Repeat("x", 50)
	f("", span{}, 0)
	f("a\nb\n", span{}, 0, "a", "b")
	f("a\nb", span{}, 1, "a")
	f("a\nb", span{last: true}, 0, "a", "b")
	f("\n\na\n", span{}, 0, "", "", "a")
	f("a\nb\nc\n", span{maxRows: 1}, 0, "a", "b", "c")
	f("aaa\nbbb\nccc\n", span{maxBytes: 5}, 0, "aaa", "bbb", "ccc")
	f("0123456789\nb\n", span{}, 0, "0123456789", "b")
	f("0123456789x\nb\n", span{}, 0, "!0123456789"+CutMarker, "b")
	// Too long and not finished: taken at once, and never again.
	f(x, span{}, 0, "!xxxxxxxxxx"+CutMarker)
	f(x+"\nb\n", span{maxBytes: 5}, 0, "!xxxxxxxxxx"+CutMarker, "b")
	f("a\n"+x+x+"\nb", span{maxBytes: 5}, 1, "a", "!xxxxxxxxxx"+CutMarker)
	// A place in the middle of a line that was cut.
	f("xx\nb\n", span{skip: true}, 0, "b")
	f("xx", span{skip: true}, 0)
	f("a\nxx\nb\n", span{from: 2, skip: true}, 0, "b")
	// Exactly a range, whatever the limits.
	f("a\nb\nc\nd\n", span{until: 4, maxRows: 1}, 4, "a", "b")
	f("a\nbbbb", span{until: 4}, 2, "a", "bb")
}

func TestReadRecords(t *testing.T) {
	f := func(content string, s span, rest int, want ...string) {
		t.Helper()
		if s.maxRows == 0 {
			s.maxRows = 100
		}
		if s.maxLine == 0 {
			s.maxLine = 20
		}
		s.maxBytes = 1000
		if s.comma == "" {
			s.comma = ","
		}
		for _, chunk := range []int{1, 3, 64} {
			lines, left := cutLines(t, []byte(content), s, chunk)
			if diff := cmp.Diff(want, lines); diff != "" || left != rest {
				t.Errorf("%q in chunks of %d: %d bytes left, want %d; (-want +got)\n%s", content, chunk, left, rest, diff)
			}
		}
	}
	f("a,b\n1,2\n", span{}, 0, "a,b", "1,2")
	f("\"x\ny\",2\n3,4\n", span{}, 0, "\"x\ny\",2", "3,4")
	f("\"x\r\n\r\ny\",2\r\n3,4\n", span{maxRows: 1}, 0, "\"x\r\n\r\ny\",2\r", "3,4")
	f("1,\"a \"\"b\"\"\nc\"\n3,4\n", span{}, 0, "1,\"a \"\"b\"\"\nc\"", "3,4")
	f("1,\"\"\"\n\"\"\",\"x\"\n3,4\n", span{}, 0, "1,\"\"\"\n\"\"\",\"x\"", "3,4")
	// A quote within a field, or after its end, opens nothing.
	f("1,19\" rack\n\"a\"b\",2\n3,4\n", span{}, 0, "1,19\" rack", "\"a\"b\",2", "3,4")
	f("1\t\"x\ny\"\n1,\"x\ny\"\n", span{comma: "\t"}, 0, "1\t\"x\ny\"", "1,\"x", "y\"")
	f("1§\"x\ny\"\n", span{comma: "§"}, 0, "1§\"x\ny\"")
	f(bom+"\"x\ny\",2\n", span{}, 0, bom+"\"x\ny\",2")
	// Not complete: it is left until it is, or nothing will follow.
	f("1,2\n3,\"x\ny\n", span{}, 7, "1,2")
	f("1,2\n3,\"x\ny\nz,\"\"", span{last: true}, 0, "1,2", "3,\"x", "y", "z,\"\"")
	f("1,\"x\ny\"", span{}, 7)
	f("1,\"x\ny\"", span{last: true}, 0, "1,\"x\ny\"")
	// Too long: no record. What follows is read as if it were not there.
	f("1,\"x\n"+strings.Repeat("y\n", 20)+"2,\"a\nb\"\n", span{maxRows: 3}, 0,
		append(append([]string{"1,\"x"}, strings.Split(strings.Repeat("y ", 20), " ")[:20]...), "2,\"a\nb\"")...)
	f("1,\"x\n"+strings.Repeat("y", 30)+"\n3,4\n", span{}, 0, "1,\"x", "!"+strings.Repeat("y", 20)+CutMarker, "3,4")
	// A line that is too long is cut, whatever is in it.
	f("1,\""+strings.Repeat("y", 30)+"\n3,4\n", span{}, 0, "!1,\""+strings.Repeat("y", 17)+CutMarker, "3,4")
}

// FuzzReadLines reads the same file in different portions, as restarts with
// other limits would, and again by the ranges of the first time.
func FuzzReadLines(f *testing.F) {
	f.Add([]byte("a\nbb\n\nccc"), uint8(3), uint8(2), uint8(5))
	f.Add([]byte(strings.Repeat("x", 100)+"\nb"), uint8(10), uint8(1), uint8(7))
	f.Fuzz(func(t *testing.T, content []byte, maxLine, maxRows, maxBytes uint8) {
		readAgain(t, content, span{last: true, maxLine: int(maxLine) + 1, maxRows: int(maxRows) + 1, maxBytes: int64(maxBytes) + 1})
	})
}

// FuzzReadRecords does the same for CSV.
func FuzzReadRecords(f *testing.F) {
	f.Add([]byte("a,b\n\"x\ny\",2\n3,\"\"\"\n\"\n\"z"), uint8(30), uint8(2), uint8(5))
	f.Add([]byte("\"a\n"+strings.Repeat("x\n", 50)+"1,\"b\nc\"\n"), uint8(10), uint8(1), uint8(7))
	f.Fuzz(func(t *testing.T, content []byte, maxLine, maxRows, maxBytes uint8) {
		readAgain(t, content, span{last: true, comma: ",", maxLine: int(maxLine) + 1, maxRows: int(maxRows) + 1, maxBytes: int64(maxBytes) + 1})
	})
}

func readAgain(t *testing.T, content []byte, limits span) {
	t.Helper()
	var first, again []string
	collect := func(to *[]string) func([]byte, bool) {
		return func(line []byte, cut bool) { *to = append(*to, string(line)) }
	}
	s := limits
	for {
		n, m := len(first), len(again)
		end, skip, err := readLines(bytes.NewReader(content), s, make([]byte, 7), collect(&first))
		if err != nil {
			t.Fatal(err)
		}
		if end == s.from {
			break
		}
		// After a crash exactly this range is read again.
		redo := span{from: s.from, skip: s.skip, until: end, maxLine: limits.maxLine, comma: limits.comma}
		end2, skip2, err := readLines(bytes.NewReader(content), redo, make([]byte, 5), collect(&again))
		if err != nil || end2 != end || skip2 != skip {
			t.Fatalf("range %d-%d again: end %d, skip %t, %v; at first skip %t", s.from, end, end2, skip2, err, skip)
		}
		if diff := cmp.Diff(first[n:], again[m:]); diff != "" {
			t.Fatalf("range %d-%d again: %s", s.from, end, diff)
		}
		s.from, s.skip = end, skip
	}
	if s.from != int64(len(content)) {
		t.Fatalf("%d bytes left", len(content)-int(s.from))
	}
	if limits.maxLine > 200 && len(content) < 200 && len(content) > 0 { // nothing is cut
		if diff := cmp.Diff(strings.TrimSuffix(string(content), "\n"), strings.Join(first, "\n")); diff != "" {
			t.Fatal(diff)
		}
		if limits.comma == "" && len(first) != len(strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")) {
			t.Fatalf("%d lines", len(first))
		}
	}
}
