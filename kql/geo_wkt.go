package kql

import (
	"encoding/json"
	"strconv"
	"strings"
)

// wktKind tells of a geometry of Well-known Text (OGC Simple Feature Access,
// part 1, 7.2) its GeoJSON type and how deep its coordinates nest.
func wktKind(word string) (kind string, depth int) {
	switch strings.ToUpper(word) {
	case "POINT":
		return "Point", 0
	case "MULTIPOINT":
		return "MultiPoint", 1
	case "LINESTRING":
		return "LineString", 1
	case "MULTILINESTRING":
		return "MultiLineString", 2
	case "POLYGON":
		return "Polygon", 2
	case "MULTIPOLYGON":
		return "MultiPolygon", 3
	case "GEOMETRYCOLLECTION":
		return "GeometryCollection", 0
	}
	return "", 0
}

// wktReader reads Well-known Text; what it has not read yet is s.
type wktReader struct{ s string }

// wktToGeoJSON turns Well-known Text into GeoJSON; false means that it is not
// valid, not on the earth, empty or has more dimensions than two.
func wktToGeoJSON(s string) (string, bool) {
	if len(s) > maxGeometry {
		return "", false
	}
	r := &wktReader{s}
	v, ok := r.geometry(0)
	if !ok || strings.TrimSpace(r.s) != "" {
		return "", false
	}
	b, err := json.Marshal(v)
	return string(b), err == nil
}

// geometry reads a geometry within that many collections.
func (r *wktReader) geometry(depth int) (any, bool) {
	r.space()
	n := 0
	for n < len(r.s) && (r.s[n]|0x20 >= 'a' && r.s[n]|0x20 <= 'z') {
		n++
	}
	kind, nest := wktKind(r.s[:n])
	r.s = r.s[n:]
	switch kind {
	case "":
		return nil, false
	case "GeometryCollection":
		const deepest = 32
		if depth == deepest {
			return nil, false
		}
		parts, ok := r.list(func() (any, bool) { return r.geometry(depth + 1) })
		return struct {
			Type       string `json:"type"`
			Geometries []any  `json:"geometries"`
		}{kind, parts}, ok
	case "Point":
		parts, ok := r.list(r.position)
		if !ok || len(parts) != 1 {
			return nil, false
		}
		return geoObject{kind, parts[0]}, true
	case "MultiPoint":
		parts, ok := r.list(r.pointOfMany)
		return geoObject{kind, parts}, ok
	}
	parts, ok := r.nested(nest)
	return geoObject{kind, parts}, ok
}

// nested reads lists of positions in lists of that depth.
func (r *wktReader) nested(depth int) ([]any, bool) {
	if depth == 1 {
		return r.list(r.position)
	}
	return r.list(func() (any, bool) { return r.nested(depth - 1) })
}

// list reads items with commas between, in parentheses.
func (r *wktReader) list(item func() (any, bool)) ([]any, bool) {
	if !r.take('(') {
		return nil, false
	}
	var out []any
	for {
		v, ok := item()
		if !ok {
			return nil, false
		}
		out = append(out, v)
		if !r.take(',') {
			return out, r.take(')')
		}
	}
}

// position reads longitude and latitude.
func (r *wktReader) position() (any, bool) {
	var at [2]float64
	for i := range at {
		r.space()
		n := strings.IndexAny(r.s, " \t\r\n,()")
		if n <= 0 {
			return nil, false
		}
		f, err := strconv.ParseFloat(r.s[:n], 64)
		if err != nil {
			return nil, false
		}
		at[i], r.s = f, r.s[n:]
	}
	return at, onEarth(at[0], at[1])
}

// pointOfMany reads a position of a MULTIPOINT, which may have parentheses.
func (r *wktReader) pointOfMany() (any, bool) {
	open := r.take('(')
	at, ok := r.position()
	return at, ok && (!open || r.take(')'))
}

func (r *wktReader) space() { r.s = strings.TrimLeft(r.s, " \t\r\n") }

// take reads c, after white space, if it is next.
func (r *wktReader) take(c byte) bool {
	r.space()
	if r.s == "" || r.s[0] != c {
		return false
	}
	r.s = r.s[1:]
	return true
}
