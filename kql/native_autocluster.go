package kql

import (
	"cmp"
	"math"
	"slices"
)

// cluster is the Seed-Expand algorithm that the page "autocluster plugin" names.
// From each seed, a common row, a pattern grows by the value of the row that
// makes the best of coverage and detail: the geometric mean of the share of rows
// that it covers and of the share of columns that it tells, weighted. Of what
// the seeds give, the patterns stay that cover rows of their own.
func (m *patternMiner) cluster(q patternQuery) []*foundPattern {
	type scored struct {
		*foundPattern
		score float64
	}
	order := make([]int, len(m.of))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(x, y int) int { return cmp.Compare(m.a[y], m.a[x]) })
	var found []scored
	for _, seed := range m.seeds(order, q.Seeds) {
		best := scored{score: -1}
		rows, v := order, make([]int, m.cols)
		for told := 1; told <= m.cols && m.work <= maxPatternWork; told++ {
			next, most := m.widest(seed, rows, v)
			rows, v = m.having(seed, next, rows), slices.Clone(v)
			v[next] = m.items[m.of[seed][next]].row + 1
			score := math.Pow(most/m.totalA, q.Weight) * math.Pow(float64(told)/float64(m.cols), 1-q.Weight)
			if score > best.score {
				best = scored{&foundPattern{A: most, V: v, rows: m.setOf(rows), size: told}, score}
			}
		}
		if best.foundPattern != nil {
			found = append(found, best)
		}
	}
	slices.SortStableFunc(found, func(x, y scored) int { return cmp.Compare(y.score, x.score) })
	covered := make(bitset, len(m.all))
	var out []*foundPattern
	for _, p := range found {
		fresh := make(bitset, len(covered))
		for i := range fresh {
			fresh[i] = p.rows[i] &^ covered[i]
			covered[i] |= p.rows[i]
		}
		if a, _ := m.weigh(fresh); a*2 > p.A && p.A > 1 {
			out = append(out, p.foundPattern)
		}
	}
	return out
}

// widest is the column, among those without a value in v, whose value in row seed
// has the most weight among rows, and that weight.
func (m *patternMiner) widest(seed int, rows, v []int) (col int, most float64) {
	sums := make([]float64, m.cols)
	m.work += len(rows) * m.cols
	for _, r := range rows {
		for c, i := range m.of[seed] {
			if m.of[r][c] == i {
				sums[c] += m.a[r]
			}
		}
	}
	col = -1
	for c, sum := range sums {
		if v[c] == 0 && (col < 0 || sum > most) {
			col, most = c, sum
		}
	}
	return col, most
}

// having returns the rows that agree with row seed in a column.
func (m *patternMiner) having(seed, col int, rows []int) []int {
	var out []int
	for _, r := range rows {
		if m.of[r][col] == m.of[seed][col] {
			out = append(out, r)
		}
	}
	return out
}

func (m *patternMiner) setOf(rows []int) bitset {
	out := make(bitset, len(m.all))
	for _, r := range rows {
		out[r/64] |= 1 << (r % 64)
	}
	return out
}

// seeds picks up to n rows, the most common of each value of each column first,
// so that rare parts of the data are looked at as well.
func (m *patternMiner) seeds(order []int, n int) []int {
	var out []int
	used, taken := map[int]bool{}, map[int]bool{}
	for pass := range 2 {
		for _, r := range order {
			fresh := pass == 1
			for _, i := range m.of[r] {
				fresh = fresh || !used[i]
			}
			if len(out) < n && fresh && !taken[r] && m.a[r] > 0 {
				taken[r] = true
				out = append(out, r)
				for _, i := range m.of[r] {
					used[i] = true
				}
			}
		}
	}
	return out
}
