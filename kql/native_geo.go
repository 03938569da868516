package kql

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// earthRadius is that of the sphere that distances are measured on, in metres.
const earthRadius = 6371010

// geoNative makes the native of the geo_* functions: the function's name, a
// geometry or text, a second one, and numbers with commas between.
func geoNative() func(a []string) (string, bool, error) {
	var first, second geoReader
	return func(a []string) (result string, ok bool, err error) {
		defer func() {
			if r := recover(); r != nil { // of the geometry library
				err = fmt.Errorf("%s(): %v", a[0], r)
			}
		}()
		numbers, ok := parseNumbers(a[3])
		if !ok {
			return "", false, nil
		}
		switch len(numbers) {
		case 2, 3:
			result, ok = geoOfPoint(&first, a[0], a[1], numbers)
		case 4, 6:
			result, ok = geoDirection(a[0], numbers)
		default:
			result, ok = geoOfShape(&first, &second, a[0], a[1], a[2], numbers)
		}
		return result, ok, nil
	}
}

// parseNumbers reads numbers with commas between.
func parseNumbers(s string) ([]float64, bool) {
	if s == "" {
		return nil, true
	}
	var out []float64
	for part := range strings.SplitSeq(s, ",") {
		f, err := strconv.ParseFloat(part, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) || len(out) == 6 {
			return nil, false
		}
		out = append(out, f)
	}
	return out, true
}

func realText(f float64) (string, bool) {
	return strconv.FormatFloat(f, 'g', -1, 64), !math.IsNaN(f) && !math.IsInf(f, 0)
}

func boolText(b bool) (string, bool) { return strconv.FormatBool(b), true }

// geoOfPoint computes what is asked of a place and maybe a geometry.
func geoOfPoint(r *geoReader, name, shape string, at []float64) (string, bool) {
	if !onEarth(at[0], at[1]) {
		return "", false
	}
	if name == "geo_point_to_geohash" && len(at) == 3 {
		return geohash(at[0], at[1], int(max(min(at[2], 99), 0)))
	}
	read := r.line
	if strings.HasSuffix(name, "polygon") {
		read = r.polygon
	}
	g, ok := read(shape)
	if !ok {
		return "", false
	}
	x := pointAt(at[0], at[1])
	switch name {
	case "geo_point_in_polygon":
		return boolText(g.contains(x))
	case "geo_distance_point_to_line", "geo_distance_point_to_polygon":
		return realText(float64(g.closest(x).Distance(x)) * earthRadius)
	case "geo_closest_point_on_line", "geo_closest_point_on_polygon":
		if g.contains(x) {
			return pointJSON([2]float64{at[0], at[1]})
		}
		return pointJSON(degreesOf(g.closest(x)))
	case "geo_line_locate_point":
		if len(g.lines) != 1 {
			return "", false
		}
		return realText(g.lines[0].Uninterpolate(g.lines[0].Project(x)))
	}
	return "", false
}

// geoOfShape computes what is asked of a text, a geometry, or two.
func geoOfShape(first, second *geoReader, name, a, b string, numbers []float64) (string, bool) {
	switch name {
	case "geo_from_wkt":
		return wktToGeoJSON(a)
	case "geo_geohash_to_central_point", "geo_geohash_to_polygon", "geo_geohash_neighbors":
		c, ok := parseGeohash(a)
		switch {
		case !ok:
			return "", false
		case name == "geo_geohash_to_polygon":
			return c.polygon()
		case name == "geo_geohash_neighbors":
			return c.neighbors()
		}
		return pointJSON(c.corner(0.5, 0.5))
	case "geo_intersects_2lines", "geo_intersects_2polygons", "geo_intersects_line_with_polygon":
		readA, readB := first.line, second.polygon
		if name == "geo_intersects_2lines" {
			readB = second.line
		}
		if name == "geo_intersects_2polygons" {
			readA = first.polygon
		}
		g, ok := readA(a)
		o, ok2 := readB(b)
		if !ok || !ok2 {
			return "", false
		}
		return boolText(g.intersects(o))
	}
	read := first.line
	if strings.HasPrefix(name, "geo_polygon") {
		read = first.polygon
	}
	g, ok := read(a)
	if !ok {
		return "", false
	}
	switch name {
	case "geo_line_length", "geo_polygon_perimeter":
		return realText(g.length() * earthRadius)
	case "geo_polygon_area":
		return realText(g.area() * earthRadius * earthRadius)
	case "geo_line_centroid", "geo_polygon_centroid":
		c, ok := g.centroid()
		if !ok {
			return "", false
		}
		return pointJSON(degreesOf(c))
	case "geo_line_densify", "geo_polygon_densify":
		if len(numbers) != 1 || numbers[0] < 0.1 || numbers[0] > 10000 {
			return "", false
		}
		return g.densify(numbers[0], b == "true")
	case "geo_line_interpolate_point":
		if len(g.lines) != 1 || len(numbers) != 1 || numbers[0] < 0 || numbers[0] > 1 {
			return "", false
		}
		p, _ := g.lines[0].Interpolate(numbers[0])
		return pointJSON(degreesOf(p))
	}
	return "", false
}

// geoDirection computes geo_azimuth() of two places and geo_angle() of three.
func geoDirection(name string, at []float64) (string, bool) {
	if name == "geo_distance_2points" {
		d, ok := spheroidDistance(at[0], at[1], at[2], at[3])
		if !ok || !onEarth(at[0], at[1]) || !onEarth(at[2], at[3]) {
			return "", false
		}
		return realText(d)
	}
	for i := 0; i < len(at); i += 2 {
		if !onEarth(at[i], at[i+1]) {
			return "", false
		}
		if i > 0 {
			a, b := pointAt(at[i-2], at[i-1]), pointAt(at[i], at[i+1])
			if a.Distance(b) < 1e-15 || antipodal(a, b) {
				return "", false
			}
		}
	}
	switch {
	case name == "geo_azimuth" && len(at) == 4:
		return realText(turn(azimuth(at[0], at[1], at[2], at[3])))
	case name == "geo_angle" && len(at) == 6:
		return realText(turn(azimuth(at[2], at[3], at[4], at[5]) - azimuth(at[2], at[3], at[0], at[1])))
	}
	return "", false
}

// azimuth is the direction of the second place from the first, clockwise from
// north, in radians.
func azimuth(long1, lat1, long2, lat2 float64) float64 {
	const degree = math.Pi / 180
	sinD, cosD := math.Sincos((long2 - long1) * degree)
	sin1, cos1 := math.Sincos(lat1 * degree)
	sin2, cos2 := math.Sincos(lat2 * degree)
	return math.Atan2(sinD*cos2, cos1*sin2-sin1*cos2*cosD)
}

// turn is the angle within [0, 2π).
func turn(a float64) float64 {
	if a = math.Mod(a, 2*math.Pi); a < 0 {
		a += 2 * math.Pi
	}
	if a >= 2*math.Pi {
		return 0
	}
	return a
}
