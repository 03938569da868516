package kql

import (
	"cmp"
	"encoding/json"
	"math/bits"
	"slices"
)

// patternQuery is what the plugins autocluster, basket and diffpatterns ask of
// their rows.
type patternQuery struct {
	Kind      string  // autocluster, basket or diff
	Threshold float64 // least share of the rows (basket), or difference of shares (diff)
	Weight    float64 // of coverage against detail (autocluster)
	Seeds     int     // autocluster
	Depth     int     // most columns that are chosen freely, 0 for any number
}

// foundPattern is a row of their result: the weight of its rows in the two sets,
// and of each column the number of a row (from 1) with the value, or 0 for any.
type foundPattern struct {
	A    float64 `json:"a"`
	B    float64 `json:"b"`
	V    []int   `json:"v"`
	rows bitset
	size int // columns that have a value
}

// maxPatternWork bounds the work of a search, in words of bitsets; beyond it a
// search ends without a result.
const maxPatternWork = 1 << 30

// findPatterns searches rows, a JSON array of arrays of texts, whose weights in
// two sets are a and b. It returns false when there is too much to look at.
func findPatterns(query, rows, a, b string) (string, bool) {
	var q patternQuery
	m := &patternMiner{}
	var cells [][]*string
	if json.Unmarshal([]byte(query), &q) != nil || json.Unmarshal([]byte(rows), &cells) != nil ||
		json.Unmarshal([]byte(a), &m.a) != nil || json.Unmarshal([]byte(b), &m.b) != nil || !m.read(cells) {
		return "", false
	}
	var found []*foundPattern
	switch q.Kind {
	case "autocluster":
		found = m.cluster(q)
	case "basket":
		found = m.basket(q)
	default:
		found = m.differences(q)
	}
	if m.work > maxPatternWork {
		return "", false
	}
	if found == nil {
		found = []*foundPattern{}
	}
	out, err := json.Marshal(found)
	return string(out), err == nil
}

type bitset []uint64

func (s bitset) and(t bitset) bitset {
	out := make(bitset, len(s))
	for i := range s {
		out[i] = s[i] & t[i]
	}
	return out
}

// within reports whether every element of s is in t.
func (s bitset) within(t bitset) bool {
	for i := range s {
		if s[i]&^t[i] != 0 {
			return false
		}
	}
	return true
}

func (s bitset) each(f func(i int)) {
	for w, word := range s {
		for ; word != 0; word &= word - 1 {
			f(w*64 + bits.TrailingZeros64(word))
		}
	}
}

// item is a value of a column and the rows that have it.
type item struct {
	col, row int // row is the first with the value
	rows     bitset
	a, b     float64
}

// patternMiner holds the rows: those with equal values are one, with a weight.
type patternMiner struct {
	a, b           []float64
	totalA, totalB float64
	cols           int
	items          []item
	of             [][]int // of[row][col] is an index of items
	all            bitset
	work           int
	seen           map[string]bool
}

func (m *patternMiner) read(cells [][]*string) bool {
	if len(m.a) != len(cells) || len(m.b) != len(cells) {
		return false
	}
	words := (len(cells) + 63) / 64
	type key struct {
		col  int
		null bool
		text string
	}
	index := map[key]int{}
	m.all = make(bitset, words)
	m.of = make([][]int, len(cells))
	for r, row := range cells {
		if r == 0 {
			m.cols = len(row)
		}
		if len(row) != m.cols {
			return false
		}
		m.all[r/64] |= 1 << (r % 64)
		m.totalA, m.totalB = m.totalA+m.a[r], m.totalB+m.b[r]
		m.of[r] = make([]int, m.cols)
		for c, text := range row {
			k := key{col: c, null: text == nil}
			if text != nil {
				k.text = *text
			}
			i, ok := index[k]
			if !ok {
				i = len(m.items)
				index[k] = i
				m.items = append(m.items, item{col: c, row: r})
			}
			m.of[r][c] = i
			m.items[i].a, m.items[i].b = m.items[i].a+m.a[r], m.items[i].b+m.b[r]
		}
	}
	return true
}

// keep drops the items that do not matter and gives the others their rows.
func (m *patternMiner) keep(matters func(a, b float64) bool) []item {
	var out []item
	at := make([]int, len(m.items))
	for i, it := range m.items {
		at[i] = -1
		if matters(it.a, it.b) {
			at[i] = len(out)
			it.rows = make(bitset, len(m.all))
			out = append(out, it)
		}
	}
	m.work += len(out) * len(m.all)
	for r, row := range m.of {
		for _, i := range row {
			if k := at[i]; k >= 0 {
				out[k].rows[r/64] |= 1 << (r % 64)
			}
		}
	}
	return out
}

// weigh sums the weights of rows.
func (m *patternMiner) weigh(rows bitset) (a, b float64) {
	m.work += len(rows)
	rows.each(func(i int) { a, b = a+m.a[i], b+m.b[i] })
	return a, b
}

// closed finds the sets of values that matter and cannot be made larger without
// losing rows. Depth bounds how many values are chosen before those that follow
// from them are added.
func (m *patternMiner) closed(items []item, depth int, matters func(a, b float64) bool) []*foundPattern {
	slices.SortStableFunc(items, func(x, y item) int { return cmp.Compare(y.a+y.b, x.a+x.b) })
	m.seen = map[string]bool{}
	var out []*foundPattern
	var grow func(from int, chosen int, rows bitset)
	grow = func(from, chosen int, rows bitset) {
		for i := from; i < len(items) && m.work <= maxPatternWork; i++ {
			more := rows.and(items[i].rows)
			m.work += len(rows)
			a, b := m.weigh(more)
			if !matters(a, b) {
				continue
			}
			p := &foundPattern{A: a, B: b, V: make([]int, m.cols), rows: more}
			key := make([]byte, 0, len(items))
			for k, it := range items { // what all of the rows have
				m.work += len(rows)
				if p.V[it.col] == 0 && more.within(it.rows) {
					p.V[it.col] = it.row + 1
					p.size++
					key = append(key, byte(k), byte(k>>8), byte(k>>16))
				}
			}
			if !m.seen[string(key)] {
				m.seen[string(key)] = true
				out = append(out, p)
			}
			if depth == 0 || chosen < depth {
				grow(i+1, chosen+1, more)
			}
		}
	}
	grow(0, 1, m.all)
	return out
}

// basket finds the sets of values that a share of the rows has.
func (m *patternMiner) basket(q patternQuery) []*foundPattern {
	least := q.Threshold * m.totalA
	matters := func(a, _ float64) bool { return a >= least && a > 0 }
	found := m.closed(m.keep(matters), q.Depth, matters)
	slices.SortStableFunc(found, func(x, y *foundPattern) int { return cmp.Or(cmp.Compare(y.A, x.A), cmp.Compare(x.size, y.size)) })
	return found
}

// differences finds sets of values whose shares in the two sets differ. Of sets
// where one holds the other, the one stays that differs most.
func (m *patternMiner) differences(q patternQuery) []*foundPattern {
	share := func(v, of float64) float64 {
		if of == 0 {
			return 0
		}
		return v / of
	}
	diff := func(p *foundPattern) float64 {
		d := share(p.A, m.totalA) - share(p.B, m.totalB)
		return max(d, -d)
	}
	matters := func(a, b float64) bool { return max(share(a, m.totalA), share(b, m.totalB)) >= q.Threshold }
	all := m.closed(m.keep(matters), q.Depth, matters)
	slices.SortStableFunc(all, func(x, y *foundPattern) int {
		return cmp.Or(cmp.Compare(diff(y), diff(x)), cmp.Compare(x.size, y.size))
	})
	var out []*foundPattern
	for _, p := range all {
		if diff(p) >= q.Threshold && !slices.ContainsFunc(out, func(o *foundPattern) bool { return p.rows.within(o.rows) || o.rows.within(p.rows) }) {
			out = append(out, p)
		}
	}
	return out
}
