package kql

import (
	"slices"
	"strconv"
	"strings"
)

// maxNodes is how many nodes of a graph components takes.
const maxNodes = 1 << 24

// components finds the connected components of a graph of n nodes, 0 to n-1.
// edges lists the ends of edges, two numbers each, with blanks between. The
// result is a JSON array with the component of each node; components are numbered
// by their first node. Kind is weak or strong.
func components(kind, n, edges string) (string, bool) {
	count, err := strconv.Atoi(n)
	if err != nil || count < 0 || count > maxNodes {
		return "", false
	}
	ends := make([]int32, 0, 1+len(edges)/4)
	for f := range strings.FieldsSeq(edges) {
		v, err := strconv.Atoi(f)
		if err != nil || v < 0 || v >= count {
			return "", false
		}
		ends = append(ends, int32(v))
	}
	if len(ends)%2 != 0 {
		return "", false
	}
	var group []int32
	if kind == "strong" {
		group = strongComponents(count, ends)
	} else {
		group = weakComponents(count, ends)
	}
	number := slices.Repeat([]int32{-1}, count)
	next := int32(0)
	out := []byte{'['}
	for i, g := range group {
		if number[g] < 0 {
			number[g] = next
			next++
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = strconv.AppendInt(out, int64(number[g]), 10)
	}
	return string(append(out, ']')), true
}

// weakComponents returns a representative of each node's component, by union
// and find.
func weakComponents(n int, ends []int32) []int32 {
	parent := make([]int32, n)
	for i := range parent {
		parent[i] = int32(i)
	}
	root := func(v int32) int32 {
		for parent[v] != v {
			parent[v] = parent[parent[v]]
			v = parent[v]
		}
		return v
	}
	for i := 0; i < len(ends); i += 2 {
		if a, b := root(ends[i]), root(ends[i+1]); a != b {
			parent[max(a, b)] = min(a, b)
		}
	}
	for i := range parent {
		parent[i] = root(int32(i))
	}
	return parent
}

// strongComponents is Tarjan's algorithm, with a stack of its own: a chain of a
// million nodes is not too deep for it.
func strongComponents(n int, ends []int32) []int32 {
	first := make([]int32, n+1) // where a node's targets begin in to
	for i := 0; i < len(ends); i += 2 {
		first[ends[i]+1]++
	}
	for i := range n {
		first[i+1] += first[i]
	}
	to, fill := make([]int32, len(ends)/2), slices.Clone(first)
	for i := 0; i < len(ends); i += 2 {
		to[fill[ends[i]]] = ends[i+1]
		fill[ends[i]]++
	}
	group, order, low := make([]int32, n), make([]int32, n), make([]int32, n)
	done, at := make([]bool, n), slices.Clone(first[:n])
	var stack, path []int32
	next := int32(1) // order 0 is a node not yet seen
	for v := range n {
		if order[v] != 0 {
			continue
		}
		path = append(path, int32(v))
		for len(path) > 0 {
			u := path[len(path)-1]
			if order[u] == 0 {
				order[u], low[u] = next, next
				next++
				stack = append(stack, u)
			}
			if at[u] < first[u+1] {
				w := to[at[u]]
				at[u]++
				if order[w] == 0 {
					path = append(path, w)
				} else if !done[w] {
					low[u] = min(low[u], order[w])
				}
				continue
			}
			path = path[:len(path)-1]
			if len(path) > 0 {
				p := path[len(path)-1]
				low[p] = min(low[p], low[u])
			}
			if low[u] != order[u] {
				continue
			}
			for w := int32(-1); w != u; {
				w = stack[len(stack)-1]
				stack = stack[:len(stack)-1]
				done[w], group[w] = true, u
			}
		}
	}
	return group
}
