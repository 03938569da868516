package kql

import (
	"math"

	"github.com/golang/geo/s2"
)

// densify adds points to lines that are straight in longitude and latitude until
// the geodesics between points are within tolerance, in metres, of them. Edges
// over the antimeridian go the long way round, as GeoJSON draws them, unless
// crossing is set. False means that the result would be too long.
func (g *geometry) densify(tolerance float64, crossing bool) (string, bool) {
	out := make([][][][2]float64, len(g.planar))
	left := maxGeometry / len("[0,0],") // points beyond that cannot be written
	for i, rings := range g.planar {
		for _, ring := range rings {
			dense := [][2]float64{ring[0]}
			for j := range len(ring) - 1 {
				a, b := ring[j], ring[j+1]
				if crossing && math.Abs(b[0]-a[0]) > 180 {
					b[0] += math.Copysign(360, a[0])
				}
				if dense = densifyEdge(dense, a, b, tolerance/earthRadius, left); len(dense) > left {
					return "", false
				}
				dense[len(dense)-1] = ring[j+1]
			}
			left -= len(dense)
			out[i] = append(out[i], dense)
		}
	}
	switch g.kind {
	case "LineString":
		return geoJSON(g.kind, out[0][0])
	case "MultiLineString", "Polygon":
		return geoJSON(g.kind, out[0])
	}
	return geoJSON(g.kind, out)
}

// densifyEdge appends the points after a up to b, halving the edge while it is
// farther than tolerance, in radians, from the geodesic; it gives up when there
// are more than most.
func densifyEdge(out [][2]float64, a, b [2]float64, tolerance float64, most int) [][2]float64 {
	if len(out) > most {
		return out
	}
	if planarError(a, b) <= tolerance {
		return append(out, [2]float64{wrapLongitude(b[0]), b[1]})
	}
	middle := between(a, b, 0.5)
	out = densifyEdge(out, a, middle, tolerance, most)
	return densifyEdge(out, middle, b, tolerance, most)
}

// planarError is how far the straight edge is from the geodesic, in radians. It
// is measured at three places, for at the equator the error's sign may change
// in the middle.
func planarError(a, b [2]float64) float64 {
	from, to := pointAt(a[0], a[1]), pointAt(b[0], b[1])
	if a == b {
		return 0
	}
	var most float64
	for _, t := range [...]float64{0.25, 0.5, 0.75} {
		p := between(a, b, t)
		most = max(most, float64(s2.DistanceFromSegment(pointAt(p[0], p[1]), from, to)))
	}
	return most
}

func between(a, b [2]float64, t float64) [2]float64 {
	return [2]float64{a[0] + (b[0]-a[0])*t, a[1] + (b[1]-a[1])*t}
}

// wrapLongitude is the same longitude within [-180, 180].
func wrapLongitude(x float64) float64 {
	switch {
	case x > 180:
		return x - 360
	case x < -180:
		return x + 360
	}
	return x
}
