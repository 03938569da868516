package kql

import (
	"encoding/json"
	"sync/atomic"

	"github.com/golang/geo/s2"
)

// maxGeometry is the longest GeoJSON or WKT that is read or written, in bytes:
// what a dynamic value of Kusto may have.
const maxGeometry = 1 << 20

// geometry is a line or polygon in GeoJSON (RFC 7946), as the geo_* functions
// take it. Edges are geodesics on a sphere.
type geometry struct {
	kind     string // the GeoJSON type
	text     string // what it was read from
	lines    []s2.Polyline
	polygons []polygon
	planar   [][][][2]float64 // longitude and latitude as given: polygons of rings, or one polygon of lines

	index *s2.ShapeIndex // all edges of it
}

// geoObject is a GeoJSON object with coordinates.
type geoObject struct {
	Type        string `json:"type"`
	Coordinates any    `json:"coordinates"`
}

// geoReader reads GeoJSON and keeps what it read last: most queries ask of many
// points whether they are in one polygon.
type geoReader struct{ last atomic.Pointer[geometry] }

// line reads a LineString or MultiLineString.
func (r *geoReader) line(text string) (*geometry, bool) {
	g, ok := r.read(text)
	return g, ok && g.lines != nil
}

// polygon reads a Polygon or MultiPolygon.
func (r *geoReader) polygon(text string) (*geometry, bool) {
	g, ok := r.read(text)
	return g, ok && g.polygons != nil
}

// read reads a geometry; false means that it is not valid.
func (r *geoReader) read(text string) (*geometry, bool) {
	if g := r.last.Load(); g != nil && g.text == text {
		return g, g.kind != ""
	}
	g := &geometry{text: text}
	ok := g.parse()
	if !ok {
		g = &geometry{text: text}
	}
	r.last.Store(g)
	return g, ok
}

// parse reads g.text.
func (g *geometry) parse() bool {
	if len(g.text) > maxGeometry {
		return false
	}
	var o struct {
		Type        string          `json:"type"`
		Coordinates json.RawMessage `json:"coordinates"`
	}
	if json.Unmarshal([]byte(g.text), &o) != nil {
		return false
	}
	g.kind = o.Type
	read := func(into any) bool { return json.Unmarshal(o.Coordinates, into) == nil }
	var line [][]float64
	var lines [][][]float64
	var polygons [][][][]float64
	switch o.Type {
	case "LineString":
		if !read(&line) {
			return false
		}
		polygons = [][][][]float64{{line}}
	case "MultiLineString", "Polygon":
		if !read(&lines) {
			return false
		}
		polygons = [][][][]float64{lines}
	case "MultiPolygon":
		if !read(&polygons) {
			return false
		}
	default:
		return false
	}
	return g.keepPlanar(polygons) && g.build()
}

// keepPlanar keeps the coordinates if all are on the earth.
func (g *geometry) keepPlanar(polygons [][][][]float64) bool {
	for _, rings := range polygons {
		var keptRings [][][2]float64
		for _, ring := range rings {
			var kept [][2]float64
			for _, p := range ring {
				if len(p) < 2 || !onEarth(p[0], p[1]) {
					return false
				}
				kept = append(kept, [2]float64{p[0], p[1]})
			}
			keptRings = append(keptRings, kept)
		}
		g.planar = append(g.planar, keptRings)
	}
	return true
}

// build makes the lines or polygons of the coordinates, with their index.
func (g *geometry) build() bool {
	g.index = s2.NewShapeIndex()
	for _, rings := range g.planar {
		if g.kind == "LineString" || g.kind == "MultiLineString" {
			for _, ring := range rings {
				line, ok := newLine(ring)
				if !ok {
					return false
				}
				g.lines = append(g.lines, line)
				g.index.Add(&line)
			}
			continue
		}
		p, ok := newPolygon(rings)
		if !ok {
			return false
		}
		g.polygons = append(g.polygons, p)
		for _, l := range p.loops() {
			g.index.Add(l)
		}
	}
	g.index.Build() // now, for it is read by several goroutines
	return g.lines != nil || g.polygons != nil
}

// newLine makes a line of at least two points. Points that repeat the one
// before are left out; edges must be shorter than 180 degrees.
func newLine(coordinates [][2]float64) (s2.Polyline, bool) {
	var line s2.Polyline
	for _, c := range coordinates {
		p := pointAt(c[0], c[1])
		if n := len(line); n > 0 {
			if p == line[n-1] {
				continue
			}
			if antipodal(p, line[n-1]) {
				return nil, false
			}
		}
		line = append(line, p)
	}
	return line, len(line) >= 2
}

// onEarth tells whether the degrees are those of a place.
func onEarth(long, lat float64) bool {
	return long >= -180 && long <= 180 && lat >= -90 && lat <= 90
}

func pointAt(long, lat float64) s2.Point {
	return s2.PointFromLatLng(s2.LatLngFromDegrees(lat, long))
}

// antipodal tells whether no single geodesic joins a and b.
func antipodal(a, b s2.Point) bool {
	return a.Add(b.Vector).Norm() < 1e-15
}

// degreesOf is longitude and latitude of a point.
func degreesOf(p s2.Point) [2]float64 {
	l := s2.LatLngFromPoint(p)
	return [2]float64{l.Lng.Degrees(), l.Lat.Degrees()}
}

// pointJSON is a point as GeoJSON.
func pointJSON(p [2]float64) (string, bool) { return geoJSON("Point", p) }

// geoJSON writes a geometry.
func geoJSON(kind string, coordinates any) (string, bool) {
	b, err := json.Marshal(geoObject{kind, coordinates})
	return string(b), err == nil && len(b) <= maxGeometry
}
