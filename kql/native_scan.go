package kql

import (
	"encoding/json"
	"fmt"
	"strconv"
	"sync/atomic"
)

// scanProgram is what scan does with each row, for the native function kql_scan.
// What depends on the row alone SQL has computed before: the leaves.
type scanProgram struct {
	Leaves []scanKind
	Slots  []scanSlot
	Steps  []scanStep
}

// scanKind is how a value is held: whole numbers and ticks, doubles, texts, truth.
type scanKind string

const (
	scanWhole scanKind = "i"
	scanReal  scanKind = "f"
	scanText  scanKind = "s"
	scanBool  scanKind = "b"
)

// scanSlot is a column of a step that some expression reads: what it is before
// the step has matched, and what the matching row makes of it.
type scanSlot struct {
	Step      int
	Kind      scanKind
	Init, Now *scanNode
}

type scanStep struct {
	Cond *scanNode
	Set  []*scanNode // the assigned columns, as they are put out
}

// scanNode is an expression: leaf and slot N, or Op over Args.
type scanNode struct {
	Op   string      `json:"o"`
	Kind scanKind    `json:"k"`
	N    int         `json:"n,omitempty"`
	Args []*scanNode `json:"a,omitempty"`
}

// scanValue is a value of one kind; truth is whole, 0 or 1.
type scanValue struct {
	null bool
	i    int64
	f    float64
	s    string
}

// scanState is what a row leaves for the next one.
type scanState struct {
	Active []bool
	Match  []int64
	Next   int64
	Vals   [][]*string // of each step, its slots
}

// scanNative returns kql_scan(program, state, rows): the state behind the rows,
// empty at first, and in a second line, as JSON, of every row at which a step
// matched its number from 1 and, for each step, whether it did, the match and the
// assigned columns. Rows are arrays of the leaves as texts.
func scanNative() func(a []string) (string, bool, error) {
	type parsed struct {
		text string
		p    *scanProgram
	}
	var last atomic.Pointer[parsed] // all rows of a query have one program
	return func(a []string) (string, bool, error) {
		c := last.Load()
		if c == nil || c.text != a[0] {
			c = &parsed{text: a[0], p: &scanProgram{}}
			if err := json.Unmarshal([]byte(a[0]), c.p); err != nil {
				return "", false, fmt.Errorf("scan: program: %w", err)
			}
			last.Store(c)
		}
		var rows [][]*string
		if err := json.Unmarshal([]byte(a[2]), &rows); err != nil {
			return "", false, fmt.Errorf("scan: rows: %w", err)
		}
		w, err := newScanWalk(c.p, a[1])
		if err != nil {
			return "", false, err
		}
		out := []byte{'['}
		leaves := make([]scanValue, len(c.p.Leaves))
		for n, row := range rows {
			for i, k := range c.p.Leaves {
				if leaves[i], err = k.parse(row[i]); err != nil {
					return "", false, err
				}
			}
			out = w.row(n+1, leaves, out)
		}
		state, err := w.state()
		return state + "\n" + string(append(out, ']')), true, err
	}
}

// parse reads a value as SQL wrote it.
func (k scanKind) parse(s *string) (v scanValue, err error) {
	if s == nil {
		return scanValue{null: true}, nil
	}
	switch k {
	case scanWhole:
		v.i, err = strconv.ParseInt(*s, 10, 64)
	case scanReal:
		v.f, err = strconv.ParseFloat(*s, 64)
	case scanBool:
		v = scanTruth(*s == "true")
	default:
		v.s = *s
	}
	if err != nil {
		err = fmt.Errorf("scan: value: %w", err)
	}
	return v, err
}

// text is what parse reads.
func (k scanKind) text(v scanValue) *string {
	var s string
	switch {
	case v.null:
		return nil
	case k == scanWhole:
		s = strconv.FormatInt(v.i, 10)
	case k == scanReal:
		s = strconv.FormatFloat(v.f, 'g', -1, 64)
	case k == scanBool:
		s = strconv.FormatBool(v.i != 0)
	default:
		s = v.s
	}
	return &s
}

// scanWalk goes over the rows of one part.
type scanWalk struct {
	p                  *scanProgram
	active, next       []bool
	match, nextMatch   []int64
	fresh              int64
	vals, nextVals     [][]scanValue
	takes, stays, hits []bool
	init               []scanValue
	taken              [][]scanValue
}

func newScanWalk(p *scanProgram, state string) (*scanWalk, error) {
	n := len(p.Steps)
	w := &scanWalk{p: p, active: make([]bool, n), next: make([]bool, n), match: make([]int64, n), nextMatch: make([]int64, n),
		takes: make([]bool, n+1), stays: make([]bool, n), hits: make([]bool, n), init: make([]scanValue, len(p.Slots))}
	for range n {
		w.vals, w.nextVals = append(w.vals, make([]scanValue, len(p.Slots))), append(w.nextVals, make([]scanValue, len(p.Slots)))
		w.taken = append(w.taken, make([]scanValue, len(p.Slots)))
	}
	if state == "" {
		w.fresh = -1 // what the columns are at first only a row can tell
		return w, nil
	}
	var s scanState
	if err := json.Unmarshal([]byte(state), &s); err != nil {
		return nil, fmt.Errorf("scan: state: %w", err)
	}
	w.active, w.match, w.fresh = s.Active, s.Match, s.Next
	for k, vals := range s.Vals {
		for i, v := range vals {
			var err error
			if w.vals[k][i], err = p.Slots[i].Kind.parse(v); err != nil {
				return nil, err
			}
		}
	}
	return w, nil
}

// state is the state as text.
func (w *scanWalk) state() (string, error) {
	s := scanState{Active: w.active, Match: w.match, Next: w.fresh}
	for _, vals := range w.vals {
		texts := make([]*string, len(vals))
		for i, v := range vals {
			texts[i] = w.p.Slots[i].Kind.text(v)
		}
		s.Vals = append(s.Vals, texts)
	}
	b, err := json.Marshal(s)
	return string(b), err
}

// row looks at one row, as the page "scan operator" (Matching logic) has it, and
// appends to out what it puts out. Each step sees what the row before left.
func (w *scanWalk) row(n int, leaves []scanValue, out []byte) []byte {
	for i, s := range w.p.Slots {
		w.init[i] = s.Init.eval(leaves, nil)
	}
	if w.fresh < 0 {
		w.fresh = 0
		for k := range w.vals {
			copy(w.vals[k], w.init)
		}
	}
	last := len(w.p.Steps) - 1
	for k := 1; k <= last; k++ { // which steps match behind the step before them
		w.takes[k] = false
		if w.active[k-1] {
			for i, s := range w.p.Slots {
				if w.taken[k][i] = w.vals[k-1][i]; s.Step >= k {
					w.taken[k][i] = w.init[i]
				}
			}
			w.takes[k] = w.p.Steps[k].Cond.eval(leaves, w.taken[k]).yes()
		}
	}
	any := false
	for k := range w.p.Steps {
		vals := w.nextVals[k]
		w.nextMatch[k] = w.match[k]
		switch {
		case w.takes[k]:
			copy(vals, w.taken[k])
			w.nextMatch[k] = w.match[k-1]
		case w.takes[k+1]:
			copy(vals, w.init)
		default:
			copy(vals, w.vals[k])
		}
		w.stays[k] = w.takes[k] || w.active[k] && !w.takes[k+1]
		w.hits[k] = w.takes[k] || (k == 0 || w.stays[k]) && w.p.Steps[k].Cond.eval(leaves, vals).yes()
		w.next[k] = w.stays[k] || w.hits[k]
		any = any || w.hits[k]
	}
	if w.hits[0] && !w.stays[0] {
		w.nextMatch[0] = w.fresh
		w.fresh++
	}
	if any {
		out = w.put(n, leaves, out)
	}
	for k := range w.p.Steps {
		if w.hits[k] {
			w.keep(k, leaves)
		}
	}
	w.active, w.next = w.next, w.active
	w.match, w.nextMatch = w.nextMatch, w.match
	w.vals, w.nextVals = w.nextVals, w.vals
	return out
}

// keep notes the row as that at which step k matched last.
func (w *scanWalk) keep(k int, leaves []scanValue) {
	now := w.taken[k] // no longer needed
	for i, s := range w.p.Slots {
		if s.Step == k {
			now[i] = s.Now.eval(leaves, w.nextVals[k])
		}
	}
	for i, s := range w.p.Slots {
		if s.Step == k {
			w.nextVals[k][i] = now[i]
		}
	}
}

// put appends what row n puts out.
func (w *scanWalk) put(n int, leaves []scanValue, out []byte) []byte {
	if len(out) > 1 {
		out = append(out, ',')
	}
	out = strconv.AppendInt(append(out, '['), int64(n), 10)
	for k, s := range w.p.Steps {
		out = strconv.AppendBool(append(out, ','), w.hits[k])
		out = strconv.AppendInt(append(out, ','), w.nextMatch[k], 10)
		for _, x := range s.Set {
			out = append(out, ',')
			var v scanValue
			if w.hits[k] {
				v = x.eval(leaves, w.nextVals[k])
			}
			switch {
			case v.null || !w.hits[k]:
				out = append(out, "null"...)
			case x.Kind == scanText:
				out = append(out, jsonString(v.s)...)
			default: // quoted, for JSON has no NaN
				out = strconv.AppendQuote(out, *x.Kind.text(v))
			}
		}
	}
	return append(out, ']')
}
