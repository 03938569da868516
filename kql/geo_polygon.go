package kql

import (
	"math"
	"slices"

	"github.com/golang/geo/s2"
)

// polygon is a shell without its holes. All loops enclose the smaller of the two
// regions that they bound, whichever way they were written.
type polygon struct {
	shell *s2.Loop
	holes []*s2.Loop
}

// newPolygon makes a polygon of rings, the first of them the shell. Rings are
// closed, have at least three distinct points and do not cross.
func newPolygon(rings [][][2]float64) (polygon, bool) {
	var p polygon
	for i, ring := range rings {
		l, ok := newLoop(ring)
		if !ok {
			return polygon{}, false
		}
		if i == 0 {
			p.shell = l
		} else {
			p.holes = append(p.holes, l)
		}
	}
	return p, p.shell != nil && !p.crossesItself()
}

func newLoop(ring [][2]float64) (*s2.Loop, bool) {
	n := len(ring) - 1
	if n < 3 || ring[0] != ring[n] {
		return nil, false
	}
	points := make([]s2.Point, n)
	seen := make(map[s2.Point]bool, n)
	for i, c := range ring[:n] {
		points[i] = pointAt(c[0], c[1])
		if seen[points[i]] {
			return nil, false
		}
		seen[points[i]] = true
	}
	for i, p := range points {
		if antipodal(p, points[(i+1)%n]) {
			return nil, false
		}
	}
	l := s2.LoopFromPoints(points)
	l.Normalize()
	l.ContainsPoint(l.Vertex(0)) // builds its index now, for it is read by several goroutines
	return l, true
}

// loops are the shell and the holes.
func (p polygon) loops() []*s2.Loop { return append([]*s2.Loop{p.shell}, p.holes...) }

// crossesItself tells whether edges cross or are shared.
func (p polygon) crossesItself() bool {
	index := s2.NewShapeIndex()
	edges := map[s2.Edge]bool{}
	for _, l := range p.loops() {
		index.Add(l)
		for i := range l.NumEdges() {
			e := l.Edge(i)
			if edges[e] || edges[e.Reversed()] {
				return true
			}
			edges[e] = true
		}
	}
	q := s2.NewCrossingEdgeQuery(index)
	for e := range edges {
		if len(q.CrossingsEdgeMap(e.V0, e.V1, s2.CrossingTypeInterior)) > 0 {
			return true
		}
	}
	return false
}

// contains tells whether x is in p; a point on the boundary is in one of the
// polygons that share it.
func (p polygon) contains(x s2.Point) bool {
	return p.shell.ContainsPoint(x) && !slices.ContainsFunc(p.holes, func(h *s2.Loop) bool { return h.ContainsPoint(x) })
}

// area is in steradians.
func (p polygon) area() float64 {
	a := p.shell.Area()
	for _, h := range p.holes {
		a -= h.Area()
	}
	return a
}

// edges are the edges of p with its inside on the left.
func (p polygon) edges() []s2.Edge {
	var out []s2.Edge
	for i, l := range p.loops() {
		for j := range l.NumEdges() {
			e := l.Edge(j)
			if i > 0 {
				e = e.Reversed()
			}
			out = append(out, e)
		}
	}
	return out
}

// contains tells whether one of the polygons contains x.
func (g *geometry) contains(x s2.Point) bool {
	return slices.ContainsFunc(g.polygons, func(p polygon) bool { return p.contains(x) })
}

// intersects tells whether g and o have a point in common.
func (g *geometry) intersects(o *geometry) bool {
	q := s2.NewCrossingEdgeQuery(o.index)
	for _, e := range g.allEdges() {
		if len(q.CrossingsEdgeMap(e.V0, e.V1, s2.CrossingTypeAll)) > 0 {
			return true
		}
	}
	// Without crossings either is wholly inside of the other, or they are apart.
	return slices.ContainsFunc(o.starts(), g.contains) || slices.ContainsFunc(g.starts(), o.contains)
}

// starts is a point of each connected part.
func (g *geometry) starts() []s2.Point {
	var out []s2.Point
	for _, l := range g.lines {
		out = append(out, l[0])
	}
	for _, p := range g.polygons {
		out = append(out, p.shell.Vertex(0))
	}
	return out
}

// allEdges are the edges of g.
func (g *geometry) allEdges() []s2.Edge {
	var out []s2.Edge
	for _, l := range g.lines {
		for i := range l.NumEdges() {
			out = append(out, l.Edge(i))
		}
	}
	for _, p := range g.polygons {
		out = append(out, p.edges()...)
	}
	return out
}

// union are the edges of the union: of lines each edge once, of polygons the
// boundary of what they cover together, with the inside on the left. overlap
// tells whether polygons have more in common than corners.
func (g *geometry) union() (edges []s2.Edge, overlap bool) {
	all := g.allEdges()
	seen := make(map[s2.Edge]bool, len(all))
	for _, e := range all {
		seen[e] = true
	}
	if len(g.polygons) < 2 {
		for _, e := range all {
			if seen[e] && !(g.lines != nil && seen[e.Reversed()] && !firstOf(e)) {
				edges = append(edges, e)
				delete(seen, e)
			}
		}
		return edges, false
	}
	q := s2.NewCrossingEdgeQuery(g.index)
	done := map[s2.Edge]bool{}
	for i, p := range g.polygons {
		for _, e := range p.edges() {
			if done[e] || seen[e.Reversed()] { // shared: by polygons on one side of it, or on both
				overlap = overlap || done[e]
				continue
			}
			done[e] = true
			for _, part := range split(e, q) {
				if g.coveredByOther(i, part) {
					overlap = true
					continue
				}
				edges = append(edges, part)
			}
		}
	}
	return edges, overlap
}

// firstOf picks one of an edge and its reverse.
func firstOf(e s2.Edge) bool { return e.V0.Cmp(e.V1.Vector) < 0 }

// split cuts e where edges of the index cross it.
func split(e s2.Edge, q *s2.CrossingEdgeQuery) []s2.Edge {
	cuts := []s2.Point{e.V0}
	for shape, ids := range q.CrossingsEdgeMap(e.V0, e.V1, s2.CrossingTypeInterior) {
		for _, id := range ids {
			o := shape.Edge(id)
			cuts = append(cuts, s2.Intersection(e.V0, e.V1, o.V0, o.V1))
		}
	}
	slices.SortFunc(cuts[1:], func(a, b s2.Point) int {
		if s2.CompareDistances(e.V0, a, b) < 0 {
			return -1
		}
		return 1
	})
	cuts = append(cuts, e.V1)
	var out []s2.Edge
	for i := range len(cuts) - 1 {
		out = append(out, s2.Edge{V0: cuts[i], V1: cuts[i+1]})
	}
	return out
}

// coveredByOther tells whether an edge is inside of a polygon other than i, and
// not just along its boundary: places of some millimetres to either side decide.
func (g *geometry) coveredByOther(i int, e s2.Edge) bool {
	const aside = 1e-9 // radians
	middle := e.V0.Add(e.V1.Vector).Normalize()
	across := e.V0.PointCross(e.V1).Normalize().Mul(aside)
	left, right := s2.Point{Vector: middle.Add(across).Normalize()}, s2.Point{Vector: middle.Sub(across).Normalize()}
	for j, p := range g.polygons {
		if j != i && p.contains(left) && p.contains(right) {
			return true
		}
	}
	return false
}

// length is that of the lines together, or of the boundary of the polygons
// together, in radians.
func (g *geometry) length() float64 {
	edges, _ := g.union()
	var sum float64
	for _, e := range edges {
		sum += float64(e.V0.Distance(e.V1))
	}
	return sum
}

// area is that of the polygons together, in steradians.
func (g *geometry) area() float64 {
	edges, overlap := g.union()
	var sum float64
	if !overlap {
		for _, p := range g.polygons {
			sum += p.area()
		}
		return sum
	}
	// The signed triangles from any one point to the edges of a boundary sum up
	// to what it encloses, but for whole spheres.
	origin := middleOf(edges)
	for _, e := range edges {
		sum += s2.SignedArea(origin, e.V0, e.V1)
	}
	if sum = math.Mod(sum, 4*math.Pi); sum < 0 {
		sum += 4 * math.Pi
	}
	return sum
}

// centroid is the centre of mass of lines or polygons together, on the sphere;
// false where there is none, as for a great circle.
func (g *geometry) centroid() (s2.Point, bool) {
	edges, _ := g.union()
	var sum s2.Point
	origin := middleOf(edges)
	for _, e := range edges {
		c := s2.EdgeTrueCentroid(e.V0, e.V1)
		if g.polygons != nil {
			c = s2.TrueCentroid(origin, e.V0, e.V1)
		}
		sum = s2.Point{Vector: sum.Add(c.Vector)}
	}
	if sum.Norm() == 0 {
		return s2.Point{}, false
	}
	return s2.Point{Vector: sum.Normalize()}, true
}

// middleOf is a point amid edges.
func middleOf(edges []s2.Edge) s2.Point {
	var sum s2.Point
	for _, e := range edges {
		sum = s2.Point{Vector: sum.Add(e.V0.Vector)}
	}
	if sum.Norm() == 0 {
		return s2.OriginPoint()
	}
	return s2.Point{Vector: sum.Normalize()}
}

// closest is the point of g that is nearest to x: x itself within a polygon.
func (g *geometry) closest(x s2.Point) s2.Point {
	if g.contains(x) {
		return x
	}
	best, least := x, math.Inf(1)
	for _, e := range g.allEdges() {
		p := s2.Project(x, e.V0, e.V1)
		if d := float64(p.Distance(x)); d < least {
			best, least = p, d
		}
	}
	return best
}
