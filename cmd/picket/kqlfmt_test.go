package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestKQLFmt(t *testing.T) {
	dir := t.TempDir()
	ugly, neat := filepath.Join(dir, "ugly.kql"), filepath.Join(dir, "neat.kql")
	broken := filepath.Join(dir, "broken.kql")
	const want = "T // all\n| where x == 1\n| count\n"
	write := func(file, text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
	}
	read := func(file string) string {
		t.Helper()
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	fmtKQL := func(in string, args ...string) (code int, out, errs string) {
		var o, e bytes.Buffer
		code = run(t.Context(), append([]string{"kql", "fmt"}, args...), stdio{strings.NewReader(in), &o, &e})
		return code, o.String(), e.String()
	}
	write(ugly, "T // all\n|where x==1|count")
	write(neat, want)
	write(broken, "T\n| wher x")

	if code, out, errs := fmtKQL("T // all\n|where x==1|count"); code != 0 || out != want {
		t.Errorf("standard input: %d, %q, %s", code, out, errs)
	}
	if code, out, errs := fmtKQL("", ugly, neat); code != 0 || out != want+want {
		t.Errorf("files: %d, %q, %s", code, out, errs)
	}
	if code, out, errs := fmtKQL("", "--check", ugly, neat); code != 1 || out != ugly+"\n" || !strings.Contains(errs, "1 of 2 not formatted") {
		t.Errorf("--check: %d, %q, %s", code, out, errs)
	}
	if code, _, errs := fmtKQL("", broken, ugly); code != 1 || !strings.Contains(errs, "broken.kql: 2:3: 'wher' is not a query operator") {
		t.Errorf("a broken query: %d, %s", code, errs)
	}
	if code, _, errs := fmtKQL("", "-w", broken, ugly); code != 1 || read(ugly) != want || read(broken) != "T\n| wher x" {
		t.Errorf("-w: %d, %q, %s", code, read(ugly), errs)
	}
	if info, err := os.Stat(ugly); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("-w: mode %v, %v", info.Mode(), err)
	}
	if code, _, errs := fmtKQL("", "--check", ugly, neat); code != 0 {
		t.Errorf("--check after -w: %d, %s", code, errs)
	}
	if code, _, _ := fmtKQL("", "-w"); code != 2 {
		t.Errorf("-w of standard input: %d", code)
	}
	if code, _, errs := fmtKQL("", filepath.Join(dir, "none")); code != 1 || !strings.Contains(errs, "no such file") {
		t.Errorf("no file: %d, %s", code, errs)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".picket*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
