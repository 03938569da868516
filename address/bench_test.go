package address

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// logSize is the size of the log that BenchmarkRipgrep reads, in bytes.
const logSize = 500 << 20

// writeLog writes an auth.log: three lines of four have an address, one address
// of twenty is IPv6.
func writeLog(w io.Writer, size int) error {
	r := rand.New(rand.NewPCG(1, 2))
	out := bufio.NewWriterSize(w, 1<<20)
	for n := 0; n < size; {
		ip := fmt.Sprintf("%d.%d.%d.%d", 1+r.IntN(223), r.IntN(256), r.IntN(256), r.IntN(256))
		if r.IntN(20) == 0 {
			ip = fmt.Sprintf("2001:db8:%x:%x::%x", r.IntN(1<<16), r.IntN(1<<16), 1+r.IntN(1<<16))
		}
		line := fmt.Sprintf("Nov %2d %02d:%02d:%02d web%d sshd[%d]: ", 1+r.IntN(28), r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(9), r.IntN(1<<16))
		switch r.IntN(8) {
		case 0:
			line += "pam_unix(sshd:auth): check pass; user unknown"
		case 1:
			line += fmt.Sprintf("pam_unix(cron:session): session opened for user root(uid=0) by (uid=%d)", r.IntN(1000))
		case 2:
			line += fmt.Sprintf("pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=%s  user=root", ip)
		case 3:
			line += fmt.Sprintf("Received disconnect from %s: 11: Bye Bye [preauth]", ip)
		case 4:
			line += fmt.Sprintf("Connection closed by invalid user admin%d %s port %d [preauth]", r.IntN(99), ip, r.IntN(1<<16))
		default:
			line += fmt.Sprintf("Failed password for invalid user admin%d from %s port %d ssh2", r.IntN(99), ip, r.IntN(1<<16))
		}
		n += len(line) + 1
		if _, err := out.WriteString(line + "\n"); err != nil {
			return err
		}
	}
	return out.Flush()
}

// extract prints the addresses of a file, one a line.
func extract(path string, w io.Writer) (found int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var out []byte
	err = Each(f, Options{}, func(text []byte, matches []Match) error {
		found += len(matches)
		out = out[:0]
		for _, m := range matches {
			out = append(append(out, m.Text(text)...), '\n')
		}
		_, err := w.Write(out)
		return err
	})
	return found, err
}

// processorTime is the processor time this process has used: what others do on the
// machine does not count.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkRipgrep extracts all addresses, of IPv4 and IPv6, with one core, and
// tells how many times faster that is than ripgrep -o with a pattern for IPv4.
func BenchmarkRipgrep(b *testing.B) {
	rg, err := exec.LookPath("rg")
	if err != nil {
		b.Skip("ripgrep is not installed")
	}
	path := filepath.Join(b.TempDir(), "auth.log")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	if err := writeLog(f, logSize); err != nil {
		b.Fatal(err)
	}
	f.Close()
	null, err := os.OpenFile(filepath.Join(b.TempDir(), "out"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var ours, theirs time.Duration
	b.SetBytes(logSize)
	for b.Loop() {
		null.Truncate(0)
		null.Seek(0, 0)
		start := processorTime()
		if _, err := extract(path, null); err != nil {
			b.Fatal(err)
		}
		ours += processorTime() - start
		null.Truncate(0)
		null.Seek(0, 0)
		cmd := exec.Command(rg, "-oN", `\b(?:\d{1,3}\.){3}\d{1,3}\b`, path)
		cmd.Stdout = null
		if err := cmd.Run(); err != nil {
			b.Fatal(err)
		}
		theirs += cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	}
	b.ReportMetric(float64(theirs)/float64(ours), "x-ripgrep")
	b.ReportMetric(logSize/1e6*float64(b.N)/ours.Seconds(), "MB/s-picket")
	b.ReportMetric(logSize/1e6*float64(b.N)/theirs.Seconds(), "MB/s-ripgrep")
}

// BenchmarkAppend is the scanner alone.
func BenchmarkAppend(b *testing.B) {
	var log bytesBuffer
	if err := writeLog(&log, 8<<20); err != nil {
		b.Fatal(err)
	}
	var dst []Match
	b.SetBytes(int64(len(log)))
	start := processorTime()
	for b.Loop() {
		dst = Append(dst[:0], log, Options{})
	}
	b.ReportMetric(float64(len(log))*float64(b.N)/1e6/(processorTime()-start).Seconds(), "MB/cpu-s")
	b.ReportMetric(float64(len(log))/float64(len(dst)), "B/address")
}

type bytesBuffer []byte

func (b *bytesBuffer) Write(p []byte) (int, error) { *b = append(*b, p...); return len(p), nil }
