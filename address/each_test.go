package address

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestEach(t *testing.T) {
	long := strings.Repeat("x", maxLine-20) + " 198.51.100.200 " + strings.Repeat("y ", maxLine) + "2001:db8::9"
	text := "a 198.51.100.1\nb 198.51.100.2\n" + long + "\nlast 198.51.100.3"
	want := "198.51.100.1 198.51.100.2 198.51.100.200 2001:db8::9 198.51.100.3 "
	for name, r := range map[string]io.Reader{
		"whole": strings.NewReader(text), "halves": iotest.HalfReader(strings.NewReader(text)), "late EOF": iotest.DataErrReader(strings.NewReader(text)),
	} {
		var got, all bytes.Buffer
		err := Each(r, Options{}, func(text []byte, found []Match) error {
			all.Write(text)
			for _, m := range found {
				got.WriteString(m.Addr.String() + " ")
			}
			return nil
		})
		if err != nil || got.String() != want {
			t.Errorf("%s: %v, %q, want %q", name, err, got.String(), want)
		}
		if all.String() != text {
			t.Errorf("%s: the pieces are not the text", name)
		}
	}
}

func TestEachErrors(t *testing.T) {
	broken := errors.New("broken")
	if err := Each(iotest.ErrReader(broken), Options{}, func([]byte, []Match) error { return nil }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if err := Each(strings.NewReader("x\n"), Options{}, func([]byte, []Match) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if err := Each(strings.NewReader(""), Options{}, func([]byte, []Match) error { return nil }); err != nil {
		t.Errorf("%v", err)
	}
}
