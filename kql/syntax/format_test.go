package syntax

import (
	"slices"
	"strings"
	"testing"
)

// TestFormat compares formatted queries.
func TestFormat(t *testing.T) {
	golden(t, "testdata/format.txtar", func(t *testing.T, name, src string) string {
		checkFormat(t, src)
		out, err := Format(src)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		return out
	})
	if _, err := Format("T | wher x"); err == nil {
		t.Error("a broken query is formatted")
	}
}

// TestFormatCorpus formats every query of the corpora.
func TestFormatCorpus(t *testing.T) {
	for _, file := range corpusFiles() {
		for _, c := range corpus(t, file) {
			checkFormat(t, c.Query)
			if t.Failed() {
				t.Fatalf("made of %s", c.ID)
			}
		}
	}
}

// FuzzFormat: what parses is formatted without changing what it means.
func FuzzFormat(f *testing.F) {
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(checkFormat)
}

// checkFormat tests that formatting keeps the tree and the comments of a query,
// and that formatted text stays as it is.
func checkFormat(t *testing.T, src string) {
	t.Helper()
	q, ds := Parse(src)
	once, err := Format(src)
	if (err != nil) != (len(ds) > 0) {
		t.Fatalf("%q: %v", src, err)
	}
	if err != nil {
		return
	}
	q2, ds := Parse(once)
	if len(ds) > 0 {
		t.Fatalf("%s\nis formatted as\n%s\nwhich does not parse:\n%s", src, once, ds.Render(once))
	}
	// Some nodes hold their text as written, space included.
	space := strings.NewReplacer(" ", "", `\n`, "", `\r`, "", `\t`, "")
	if a, b := space.Replace(shape(q)), space.Replace(shape(q2)); a != b {
		t.Fatalf("%s\nis formatted as\n%s\nwith tree\n%s\ninstead of\n%s", src, once, b, a)
	}
	if twice, err := Format(once); twice != once || err != nil {
		t.Fatalf("%s\nis formatted as\n%s\nand then as\n%s%v", src, once, twice, err)
	}
	if a, b := commentsOf(src), commentsOf(once); !slices.Equal(a, b) {
		t.Fatalf("%s\nis formatted as\n%s\nwith comments\n%q\ninstead of\n%q", src, once, b, a)
	}
	for line := range strings.Lines(once) {
		if strings.TrimRight(line, " \n") != strings.TrimRight(line, "\n") && !strings.Contains(once, "```") && !strings.Contains(once, "~~~") {
			t.Fatalf("%s\nis formatted with blanks at the end of the line %q", src, line)
		}
	}
}

// commentsOf returns the comments of a query in order.
func commentsOf(src string) []string {
	f := &formatter{src: src, toks: lex(src)}
	f.comments()
	var list []string
	for i := range f.toks {
		for _, c := range f.gaps[i] {
			list = append(list, c.text)
		}
	}
	return list
}
