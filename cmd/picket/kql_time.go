package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"picket/kql/syntax"
)

// stopwatch tells how long the stages of a query took.
type stopwatch struct {
	on    bool
	last  time.Time
	parts []string
	sum   time.Duration
}

func newStopwatch(on bool) *stopwatch { return &stopwatch{on: on, last: time.Now()} }

// parse measures parsing alone: the compiler does it together with binding.
func (w *stopwatch) parse(src string) {
	if w.on {
		syntax.Parse(src)
		w.lap("parse")
	}
}

func (w *stopwatch) lap(stage string) {
	now := time.Now()
	d := now.Sub(w.last)
	w.last = now
	w.sum += d
	w.parts = append(w.parts, fmt.Sprintf("%s %s", stage, milliseconds(d)))
}

func (w *stopwatch) tell(out io.Writer, rows int) {
	if w.on {
		fmt.Fprintf(out, "%s; %s in all, %d row%s\n", strings.Join(w.parts, ", "), milliseconds(w.sum), rows, plural(rows))
	}
}

func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000)
}
