package ingest

import (
	"io"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestTailRotation(t *testing.T) {
	f := func(name string, rotate func(*bench)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t)
				b.write(3)
				stop := b.start()
				step := func(when string) {
					t.Helper()
					time.Sleep(20 * time.Second)
					b.check(when)
				}
				step("at first")
				b.write(1) // not read yet when the rotation comes
				rotate(b)
				step("right after the rotation")
				b.write(2)
				step("new lines")
				rotate(b)
				b.write(2)
				step("a second rotation")
				rotate(b)
				b.write(1)
				rotate(b) // two within one poll
				b.write(2)
				step("two rotations at once")
				stop()

				// While nobody looks.
				b.write(2)
				rotate(b)
				b.write(3)
				stop = b.start()
				step("a rotation while stopped")
				stop()
				b.write(1)
				rotate(b)
				b.write(2)
				rotate(b)
				b.write(2)
				rotate(b)
				stop = b.start()
				step("three rotations while stopped")
				b.write(2)
				step("the end")
				stop()
			})
		})
	}
	f("rename", (*bench).rename)
	f("copytruncate", (*bench).copyTruncate)
}

// TestTailRotationSlowWriter has a program that goes on writing to the renamed
// file for a while, as they do until they are told.
func TestTailRotationSlowWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.write(3)
		stop := b.start()
		time.Sleep(time.Second)
		old, err := os.OpenFile(b.path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer old.Close()
		b.rename()
		slow := func(s string) {
			t.Helper()
			if _, err := io.WriteString(old, s); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(time.Minute) // the new file is empty: the writer has not moved
		slow(b.line() + "\n")
		time.Sleep(time.Second)
		b.check("the writer stayed with the old file")
		// The new file has lines already, of somebody else, and still the
		// writer has some to say, the last without a line end.
		last := []string{b.line() + "\n", b.line()}
		b.write(2)
		for _, s := range last {
			time.Sleep(time.Second)
			slow(s)
		}
		time.Sleep(20 * time.Second)
		b.check("the writer moved")
		stop()
	})
}

// TestTailTruncation holds what becomes of a file that is emptied by hand.
func TestTailTruncation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.write(5)
		stop := b.start()
		time.Sleep(2 * time.Second)
		if err := os.Truncate(b.path, 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		b.write(2)
		time.Sleep(2 * time.Second)
		b.check("new lines after the truncation")
		// Written anew to more than its old length, within one poll.
		if err := os.Truncate(b.path, 0); err != nil {
			t.Fatal(err)
		}
		b.write(50)
		time.Sleep(2 * time.Second)
		b.check("a longer file in its place")
		// And deleted.
		if err := os.Remove(b.path); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		b.write(2)
		time.Sleep(20 * time.Second)
		b.check("a new file after a deletion")
		stop()
	})
}

// TestTailLost holds that a rotation out of reach is said, and the new file read.
func TestTailLost(t *testing.T) {
	b := newBench(t)
	b.write(3)
	b.once()
	if err := os.Remove(b.path); err != nil {
		t.Fatal(err)
	}
	b.write(2)
	b.once()
	b.check("a new file")
	if !strings.Contains(b.log.String(), "the log file was replaced") {
		t.Errorf("log: %s", b.log.String())
	}
}

// TestTailNameless holds that other files beside the log are none of its business.
func TestTailNameless(t *testing.T) {
	b := newBench(t)
	b.write(3)
	b.once()
	b.rename()
	for _, name := range []string{".gz", ".1.gz", ".bak", "x", "-old", "."} {
		if err := os.WriteFile(b.path+name, []byte("Nov 23 03:12:59 h a: foreign\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		b.touch(b.path + name)
	}
	b.write(2)
	b.once()
	b.check("after a rotation")
}

// TestTailReplacedWhileReading replaces the content between the look at the
// file and the reading: what is read then is of two lives, and must not be used.
func TestTailReplacedWhileReading(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		b.write(5)
		steps := 0
		b.opts.Now = func() time.Time {
			if steps++; steps == 2 {
				other := "a longer line to begin with, so that nothing lies where it was\n" + strings.Repeat("x\n", 200)
				if err := os.WriteFile(b.path, []byte(other), 0o600); err != nil {
					t.Error(err)
				}
			}
			return testNow
		}
		stop := b.start()
		time.Sleep(time.Second)
		b.raw("this line is lost to the truncation\n")
		time.Sleep(5 * time.Second)
		stop()
		want := b.written
		want = append(want, "a longer line to begin with, so that nothing lies where it was")
		for range 200 {
			want = append(want, "x")
		}
		if diff := cmp.Diff(want, b.store.column("SyslogMessage")); diff != "" {
			t.Error(diff)
		}
	})
}

// TestTailRotatedBeforeFirstLine stops a Tail that has seen the file and no
// line of it.
func TestTailRotatedBeforeFirstLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		whole := b.line()
		b.raw(whole[:10])
		stop := b.start()
		time.Sleep(time.Second)
		stop()
		b.raw(whole[10:] + "\n")
		b.rename()
		b.write(2)
		stop = b.start()
		time.Sleep(10 * time.Second)
		stop()
		b.check("after the rotation")
	})
}
