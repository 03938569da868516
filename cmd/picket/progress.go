package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// progress shows on a terminal how far a run is, how fast, and what it has cost.
// Elsewhere it shows nothing.
type progress struct {
	w     io.Writer // nil shows nothing
	total int
	run   *enrichment
	start time.Time

	mu    sync.Mutex
	done  int
	shown time.Time
}

func newProgress(w io.Writer, total int, run *enrichment) *progress {
	p := &progress{total: total, run: run, start: time.Now()}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.w = w
	}
	return p
}

// step says that n more are done.
func (p *progress) step(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	if p.w == nil || time.Since(p.shown) < 100*time.Millisecond {
		return
	}
	p.shown = time.Now()
	rate := float64(p.done) / max(time.Since(p.start).Seconds(), 0.001)
	const width = 30
	filled := width * p.done / max(p.total, 1)
	fmt.Fprintf(p.w, "\r\x1b[K%s %d of %d addresses, %.0f/s, $%.2f", bar(filled, width), p.done, p.total, rate, p.run.spent())
}

func bar(filled, width int) string {
	b := make([]rune, width)
	for i := range b {
		if b[i] = '░'; i < filled {
			b[i] = '█'
		}
	}
	return string(b)
}

// end takes the bar away.
func (p *progress) end() {
	if p.w != nil {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}

// spent is what the run has cost so far, in US dollars.
func (e *enrichment) spent() float64 {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.cost
}

// fetchBar shows on a terminal how much of a file has come.
type fetchBar struct {
	w     io.Writer // nil shows nothing
	name  string
	shown time.Time
}

func newFetchBar(w io.Writer, name string) *fetchBar {
	b := &fetchBar{name: name}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		b.w = w
	}
	return b
}

// step says how many bytes of a file have come, of how many.
func (b *fetchBar) step(file string, done, total int64) {
	if b.w == nil || time.Since(b.shown) < 100*time.Millisecond {
		return
	}
	b.shown = time.Now()
	const width = 30
	if total > 0 {
		fmt.Fprintf(b.w, "\r\x1b[K%-28s %s %.1f of %.1f MB  %s", b.name, bar(int(width*done/total), width), float64(done)/1e6, float64(total)/1e6, file)
	} else {
		fmt.Fprintf(b.w, "\r\x1b[K%-28s %.1f MB  %s", b.name, float64(done)/1e6, file)
	}
}

func (b *fetchBar) end() {
	if b.w != nil {
		fmt.Fprint(b.w, "\r\x1b[K")
	}
}
