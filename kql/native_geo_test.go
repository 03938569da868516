package kql

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
)

// The shapes of Microsoft's pages.
const (
	centralPark  = `dynamic({"type":"Polygon","coordinates":[[[-73.9495,40.7969],[-73.95807266235352,40.80068603561921],[-73.98201942443848,40.76825672305777],[-73.97317886352539,40.76455136505513],[-73.9495,40.7969]]]})`
	twoParks     = `dynamic({"type":"MultiPolygon","coordinates":[[[[-73.9495,40.7969],[-73.95807266235352,40.80068603561921],[-73.98201942443848,40.76825672305777],[-73.97317886352539,40.76455136505513],[-73.9495,40.7969]]],[[[-73.94262313842773,40.775991804565585],[-73.98107528686523,40.791849155467695],[-73.99600982666016,40.77092185281977],[-73.96150588989258,40.75609977566361],[-73.94262313842773,40.775991804565585]]]]})`
	northLasVega = `dynamic({"type":"LineString","coordinates":[[-115.115385,36.229195],[-115.136995,36.200366],[-115.140252,36.192470],[-115.143558,36.188523],[-115.144076,36.181954],[-115.154662,36.174483],[-115.166431,36.176388],[-115.183289,36.175007],[-115.192612,36.176736],[-115.202485,36.173439],[-115.225355,36.174365]]})`
	parkLine     = `dynamic({"type":"LineString","coordinates":[[-73.95796,40.80042],[-73.97317,40.764486]]})`
	parkRound    = `dynamic({"type":"LineString","coordinates":[[-73.95807266235352,40.800426144169315],[-73.94966125488281,40.79691751000055],[-73.97317886352539,40.764486356930334],[-73.98210525512695,40.76786669510221],[-73.96004676818848,40.7980870753293]]})`
	parkHole     = `dynamic({"type":"Polygon","coordinates":[[[-73.92597198486328,40.87821814104651],[-73.94691467285156,40.85069618625578],[-73.94691467285156,40.841865966890786],[-74.01008605957031,40.7519385984599],[-74.01866912841797,40.704586878965245],[-74.01214599609375,40.699901911003046],[-73.99772644042969,40.70875101828792],[-73.97747039794922,40.71083299030839],[-73.97026062011719,40.7290474687069],[-73.97506713867186,40.734510840309376],[-73.970947265625,40.74543623770158],[-73.94210815429688,40.77586181063573],[-73.9434814453125,40.78080140115127],[-73.92974853515625,40.79691751000055],[-73.93077850341797,40.804454347291006],[-73.93489837646484,40.80965166748853],[-73.93524169921875,40.837190668541105],[-73.92288208007812,40.85770758108904],[-73.9101791381836,40.871728144624974],[-73.92597198486328,40.87821814104651]],[[-73.95824432373047,40.80071852197889],[-73.98206233978271,40.76815921628347],[-73.97309303283691,40.76422632379533],[-73.94914627075195,40.796949998204596],[-73.95824432373047,40.80071852197889]]]})`
)

// TestGeoFigures holds the figures of Microsoft's pages of the functions, and of
// shapes whose measures follow from the sphere's.
func TestGeoFigures(t *testing.T) {
	db := openDuckDB(t)
	const octant = 4 * math.Pi * earthRadius * earthRadius / 8
	for _, c := range []struct {
		expr string
		want []float64
	}{
		{"geo_distance_point_to_line(-115.199625, 36.210419, " + northLasVega + ")", []float64{3797.88887253334}},
		{"geo_distance_point_to_polygon(-73.9839, 40.7705, " + centralPark + ")", []float64{259.940756070596}},
		{"geo_distance_point_to_polygon(-73.96, 40.79, " + centralPark + ")", []float64{0}},
		{"geo_closest_point_on_line(-115.199625, 36.210419, " + northLasVega + ").coordinates", []float64{-115.192612, 36.176736}},
		{"geo_closest_point_on_polygon(-73.9839, 40.7705, " + centralPark + ").coordinates", []float64{-73.981205580153926, 40.769359452843211}},
		{"geo_closest_point_on_polygon(-73.96, 40.79, " + centralPark + ").coordinates", []float64{-73.96, 40.79}},
		{`geo_line_length(dynamic({"type":"LineString","coordinates":[[-73.95807266235352,40.800426144169315],[-73.94966125488281,40.79691751000055],[-73.97317886352539,40.764486356930334]]}))`, []float64{4922.48016992081}},
		{`geo_line_length(dynamic({"type":"MultiLineString","coordinates":[[[-73.95798683166502,40.800556090021466],[-73.98193359375,40.76819171855746]],[[-73.94940376281738,40.79691751000055],[-73.97317886352539,40.76435634049001]]]}))`, []float64{8262.24339753741}},
		{`geo_line_length(dynamic({"type":"MultiLineString","coordinates":[[[0,0],[90,0]],[[90,0],[0,0]]]}))`, []float64{math.Pi / 2 * earthRadius}},
		{"geo_polygon_area(" + centralPark + ")", []float64{3475207.28346606}},
		{"geo_polygon_area(" + twoParks + ")", []float64{10889971.5343487}},
		{`geo_polygon_area(dynamic({"type":"Polygon","coordinates":[[[0,0],[90,0],[0,90],[0,0]]]}))`, []float64{octant}},
		{`geo_polygon_area(dynamic({"type":"Polygon","coordinates":[[[0,0],[0,90],[90,0],[0,0]]]}))`, []float64{octant}},
		{`geo_polygon_area(dynamic({"type":"MultiPolygon","coordinates":[[[[0,0],[90,0],[0,90],[0,0]]],[[[-90,0],[0,0],[0,90],[-90,0]]]]}))`, []float64{2 * octant}},
		{"geo_polygon_perimeter(" + centralPark + ")", []float64{9930.30149604938}},
		{"geo_polygon_perimeter(" + twoParks + ")", []float64{15943.5384578745}},
		{`geo_polygon_perimeter(dynamic({"type":"MultiPolygon","coordinates":[[[[0,0],[90,0],[0,90],[0,0]]],[[[-90,0],[0,0],[0,90],[-90,0]]]]}))`, []float64{2 * math.Pi * earthRadius}},
		{"geo_line_centroid(" + parkLine + ").coordinates", []float64{-73.965567057230942, 40.782453249627416}},
		{"geo_line_centroid(" + parkRound + ").coordinates[0]", []float64{-73.9660675626837}},
		{"geo_polygon_centroid(" + centralPark + ").coordinates", []float64{-73.965735689907618, 40.782550538057812}},
		{"geo_polygon_centroid(" + twoParks + ").coordinates", []float64{-73.968569587829577, 40.776310752555119}},
		{"geo_line_interpolate_point(" + parkLine + ", 0.25).coordinates", []float64{-73.961764043218281, 40.791436687257232}},
		{"geo_line_interpolate_point(" + parkRound + ", 0.9).coordinates[0]", []float64{-73.96556545832799}},
		{"geo_line_locate_point(" + parkLine + ", -73.965, 40.792)", []float64{0.25560135100307552}},
		{"geo_angle(0, 10, 0, 5, 3, -10)", []float64{2.94493843406882}},
		{"geo_azimuth(5, 10, 10, -40)", []float64{3.05459939796449}},
		{"geo_azimuth(0, 0, -10, 0)", []float64{1.5 * math.Pi}},
	} {
		got, err := runText(db, "print "+c.expr)
		if err != nil {
			t.Fatalf("%s: %v", c.expr, err)
		}
		fields := strings.Split(strings.Trim(got, "[]"), ",")
		if len(fields) != len(c.want) {
			t.Errorf("%s: got %s, want %v", c.expr, got, c.want)
			continue
		}
		for i, f := range fields {
			if v, err := strconv.ParseFloat(f, 64); err != nil || math.Abs(v-c.want[i]) > 1e-9*math.Abs(c.want[i]) {
				t.Errorf("%s: got %s, want %v", c.expr, got, c.want)
			}
		}
	}
}

// TestGeoInvalid is null for every function and every kind of bad input.
func TestGeoInvalid(t *testing.T) {
	db := openDuckDB(t)
	line, poly := `dynamic({"type":"LineString","coordinates":[[1,1],[2,2]]})`, `dynamic({"type":"Polygon","coordinates":[[[0,0],[10,10],[10,1],[0,0]]]})`
	badLines := []string{
		`dynamic({"type":"LineString"})`, `dynamic({"type":"LineString","coordinates":[[1,1]]})`, `dynamic({"type":"LineString","coordinates":[[300,1],[1,1]]})`,
		`dynamic({"type":"LineString","coordinates":[[0,0],[180,0]]})`, `dynamic({"type":"LineString","coordinates":["a"]})`, `dynamic({"type":"MultiLineString","coordinates":[]})`,
		`dynamic(null)`, `dynamic([1])`, poly,
	}
	badPolygons := []string{
		`dynamic({"type":"Polygon"})`, `dynamic({"type":"Polygon","coordinates":[]})`, `dynamic({"type":"Polygon","coordinates":[[[0,0],[10,10],[10,10],[0,0]]]})`,
		`dynamic({"type":"Polygon","coordinates":[[[0,0],[10,10],[10,1]]]})`, `dynamic({"type":"Polygon","coordinates":[[[0,0],[10,10],[10,0],[0,10],[0,0]]]})`,
		`dynamic({"type":"Polygon","coordinates":[[[10,900],[11,10],[11,11],[10,900]]]})`, line,
	}
	var exprs []string
	for _, bad := range badLines {
		for _, f := range []string{"geo_line_length(%s)", "geo_line_centroid(%s)", "geo_line_densify(%s)", "geo_line_interpolate_point(%s, 0.5)", "geo_line_locate_point(%s, 1, 1)", "geo_distance_point_to_line(1, 1, %s)",
			"geo_closest_point_on_line(1, 1, %s)", "geo_intersects_2lines(%s, " + line + ")", "geo_intersects_2lines(" + line + ", %s)", "geo_intersects_line_with_polygon(%s, " + poly + ")"} {
			exprs = append(exprs, fmt.Sprintf(f, bad))
		}
	}
	for _, bad := range badPolygons {
		for _, f := range []string{"geo_polygon_area(%s)", "geo_polygon_perimeter(%s)", "geo_polygon_centroid(%s)", "geo_polygon_densify(%s)", "geo_point_in_polygon(1, 1, %s)", "geo_distance_point_to_polygon(1, 1, %s)",
			"geo_closest_point_on_polygon(1, 1, %s)", "geo_intersects_2polygons(%s, " + poly + ")", "geo_intersects_2polygons(" + poly + ", %s)", "geo_intersects_line_with_polygon(" + line + ", %s)"} {
			exprs = append(exprs, fmt.Sprintf(f, bad))
		}
	}
	for _, wkt := range []string{"", "LINESTRING", "POINT (1)", "POINT (1 2", "POINT (1 2) x", "POINT (1 2 3)", "POINT EMPTY", "POINT (200 1)", "POINT (1 2, 3 4)", "CIRCLE (1 2)", "POLYGON (0 0, 1 1)",
		"MULTIPOINT ((1 1, 2 2))", "GEOMETRYCOLLECTION (POINT (1 1)", strings.Repeat("GEOMETRYCOLLECTION (", 40) + "POINT (1 1)" + strings.Repeat(")", 40)} {
		exprs = append(exprs, fmt.Sprintf("geo_from_wkt(%q)", wkt))
	}
	exprs = append(exprs, "geo_line_densify("+line+", 0)", "geo_line_densify("+line+", 10001)", "geo_polygon_densify("+poly+", 0)",
		`geo_line_densify(dynamic({"type":"LineString","coordinates":[[0,60],[170,60],[0,61],[170,61],[0,62],[170,62],[0,63],[170,63],[0,64],[170,64],[0,65],[170,65],[0,66],[170,66]]}), 0.1)`, // beyond a dynamic value's size
		"geo_distance_point_to_line(300, 3, "+line+")", "geo_distance_point_to_polygon(500, 1, "+poly+")", "geo_point_in_polygon(real(null), 1, "+poly+")", "geo_point_in_polygon(1, -91, "+poly+")",
		"geo_closest_point_on_line(300, 3, "+line+")", "geo_closest_point_on_polygon(500, 1, "+poly+")", "geo_line_interpolate_point("+line+", 1.5)", "geo_line_locate_point("+line+", 181, 0)",
		"geo_angle(0, 10, 0, 10, 3, -10)", "geo_angle(0, 10, 0, 5, 0, 5)", "geo_angle(0, 10, 180, -10, 3, 3)", "geo_azimuth(5, 10, 5, 10)", "geo_azimuth(0, 0, 180, 0)", "geo_azimuth(0, 91, 1, 1)",
		`geo_geohash_to_central_point("a")`, `geo_geohash_to_polygon("")`, `geo_geohash_neighbors("0123456789012345678")`)
	got, err := runText(db, "print "+strings.Join(exprs, ", "))
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range strings.Split(got, " | ") {
		if v != "null" {
			t.Errorf("%s: got %s, want null", exprs[i], v)
		}
	}
}

// TestGeohashRoundTrip finds the cell of each of its corners' insides again.
func TestGeohashRoundTrip(t *testing.T) {
	for n := 1; n <= 18; n++ {
		for _, at := range [][2]float64{{-180, -90}, {180, 90}, {0, 0}, {-0.1, 0.1}, {139.806115, 35.554128}} {
			s, ok := geohash(at[0], at[1], n)
			c, ok2 := parseGeohash(s)
			if !ok || !ok2 || c.String() != s || len(s) != n {
				t.Fatalf("%v of %d: %q, read as %q", at, n, s, c.String())
			}
			lo, hi := c.corner(0, 0), c.corner(1, 1)
			if at[0] < lo[0] || at[0] > hi[0] || at[1] < lo[1] || at[1] > hi[1] {
				t.Errorf("%v of %d is not in %v to %v", at, n, lo, hi)
			}
		}
	}
}

// FuzzGeometry reads texts as GeoJSON and asks everything of them: nothing may
// panic, and what comes out is JSON.
func FuzzGeometry(f *testing.F) {
	for _, s := range []string{centralPark, twoParks, northLasVega, parkHole, `dynamic({"type":"Polygon","coordinates":[[[0,0],[10,10],[10,0],[0,10],[0,0]]]})`,
		`dynamic({"type":"Polygon","coordinates":[[[0,90],[10,90],[0,-90],[0,90]]]})`, `dynamic({"type":"LineString","coordinates":[[0,0],[180,0]]})`} {
		f.Add(strings.TrimSuffix(strings.TrimPrefix(s, "dynamic("), ")"), "sunny", 1.0, 0.5)
	}
	f.Add("GEOMETRYCOLLECTION (POINT (1 1),LINESTRING (2 2, 3 3, 4 4),POLYGON ((10 10, 12 10, 12 12, 10 10)))", "MULTIPOINT ((1 1), 2 2)", 10.0, 1000.0)
	geo := geoNative()
	f.Fuzz(func(t *testing.T, a, b string, x, y float64) {
		for _, name := range []string{"geo_point_in_polygon", "geo_distance_point_to_line", "geo_distance_point_to_polygon", "geo_closest_point_on_line", "geo_closest_point_on_polygon", "geo_line_locate_point",
			"geo_geohash_to_polygon", "geo_geohash_neighbors", "geo_intersects_2lines", "geo_intersects_2polygons", "geo_intersects_line_with_polygon", "geo_line_length", "geo_polygon_perimeter",
			"geo_polygon_area", "geo_line_centroid", "geo_polygon_centroid", "geo_line_interpolate_point", "geo_line_densify", "geo_polygon_densify", "geo_from_wkt"} {
			for _, numbers := range []string{"", fmt.Sprint(y), fmt.Sprint(x, ",", y)} {
				for _, shapes := range [][2]string{{a, b}, {b, a}, {a, a}} {
					out, ok, err := geo([]string{name, shapes[0], shapes[1], strings.ReplaceAll(numbers, " ", "")})
					if err != nil || ok && !json.Valid([]byte(out)) {
						t.Errorf("%s(%q, %q, %s): %q, %v", name, shapes[0], shapes[1], numbers, out, err)
					}
				}
			}
		}
	})
}
