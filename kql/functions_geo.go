package kql

import (
	"errors"
	"fmt"
)

// geoFunctions are the functions over points, lines and polygons of the earth,
// and where an address is.
func geoFunctions() []function {
	fs := []function{
		// The great circle by the haversine formula, on a sphere of 6371.01 km.
		fn("geo_distance_2points", low(Real, func(c *call) (string, error) {
			if len(c.args) == 5 {
				spheroid, ok := c.args[4].lit.(bool)
				if !ok {
					return "", errors.New("geo_distance_2points(): use_spheroid must be a constant, true or false")
				}
				if spheroid {
					return expand("kql_geo('geo_distance_2points', '', '', "+numberArgs(1, 4)+")::DOUBLE", c.args), nil
				}
			}
			return expand("CASE WHEN abs($1) <= 180 AND abs($2) <= 90 AND abs($3) <= 180 AND abs($4) <= 90 THEN "+haversine+" END", c.args), nil
		}, Real, Real, Real, Real, Bool).from(4)),
		fn("geo_point_in_circle", tpl(Bool, "CASE WHEN abs($1) <= 180 AND abs($2) <= 90 AND abs($3) <= 180 AND abs($4) <= 90 AND $5 >= 0 THEN "+haversine+" <= $5 END", Real, Real, Real, Real, Real)),
		fn("geo_info_from_ip_address", tpl(Dynamic, "kql_geo_info($1)::JSON", String)),
		fn("geo_point_to_geohash", low(String, func(c *call) (string, error) {
			sql := "coalesce(kql_geo('geo_point_to_geohash', '', '', $1::VARCHAR || ',' || $2::VARCHAR || ',' || %s), '')"
			if len(c.args) == 3 {
				return expand(fmt.Sprintf(sql, "$3::VARCHAR"), c.args), nil
			}
			return expand(fmt.Sprintf(sql, "'5'"), c.args), nil
		}, Real, Real, Long).from(2)),
		fn("geo_azimuth", tpl(Real, "kql_geo('geo_azimuth', '', '', "+numberArgs(1, 4)+")::DOUBLE", Real, Real, Real, Real)),
		fn("geo_angle", tpl(Real, "kql_geo('geo_angle', '', '', "+numberArgs(1, 6)+")::DOUBLE", Real, Real, Real, Real, Real, Real)),
		fn("geo_line_interpolate_point", tpl(Dynamic, "kql_geo('geo_line_interpolate_point', $1::VARCHAR, '', $2::VARCHAR)::JSON", Dynamic, Real)),
		fn("geo_line_locate_point", low(Real, func(c *call) (string, error) {
			if len(c.args) == 4 && c.args[3].lit != false {
				return "", errors.New("geo_line_locate_point(): the spheroid is not supported, only the sphere; leave out use_spheroid")
			}
			return expand("kql_geo('geo_line_locate_point', $1::VARCHAR, '', "+numberArgs(2, 2)+")::DOUBLE", c.args), nil
		}, Dynamic, Real, Real, Bool).from(3)),
	}
	for _, f := range [...]struct {
		name, cast string
		result     Type
	}{
		{"geo_point_in_polygon", "BOOLEAN", Bool}, {"geo_distance_point_to_line", "DOUBLE", Real}, {"geo_distance_point_to_polygon", "DOUBLE", Real},
		{"geo_closest_point_on_line", "JSON", Dynamic}, {"geo_closest_point_on_polygon", "JSON", Dynamic},
	} {
		fs = append(fs, fn(f.name, tpl(f.result, fmt.Sprintf("kql_geo('%s', $3::VARCHAR, '', %s)::%s", f.name, numberArgs(1, 2), f.cast), Real, Real, Dynamic)))
	}
	for _, name := range [...]string{"geo_from_wkt", "geo_geohash_to_central_point", "geo_geohash_to_polygon", "geo_geohash_neighbors"} {
		fs = append(fs, fn(name, tpl(Dynamic, "kql_geo('"+name+"', $1, '', '')::JSON", String)))
	}
	for _, name := range [...]string{"geo_intersects_2lines", "geo_intersects_2polygons", "geo_intersects_line_with_polygon"} {
		fs = append(fs, fn(name, tpl(Bool, "kql_geo('"+name+"', $1::VARCHAR, $2::VARCHAR, '')::BOOLEAN", Dynamic, Dynamic)))
	}
	for _, name := range [...]string{"geo_line_length", "geo_polygon_area", "geo_polygon_perimeter"} {
		fs = append(fs, fn(name, tpl(Real, "kql_geo('"+name+"', $1::VARCHAR, '', '')::DOUBLE", Dynamic)))
	}
	for _, name := range [...]string{"geo_line_centroid", "geo_polygon_centroid"} {
		fs = append(fs, fn(name, tpl(Dynamic, "kql_geo('"+name+"', $1::VARCHAR, '', '')::JSON", Dynamic)))
	}
	for _, name := range [...]string{"geo_line_densify", "geo_polygon_densify"} {
		fs = append(fs, fn(name, low(Dynamic, func(c *call) (string, error) {
			tolerance, crossing := "'10'", "'false'"
			if len(c.args) > 1 {
				tolerance = "$2::VARCHAR"
			}
			if len(c.args) > 2 {
				crossing = "$3::VARCHAR"
			}
			return expand(fmt.Sprintf("kql_geo('%s', $1::VARCHAR, %s, %s)::JSON", name, crossing, tolerance), c.args), nil
		}, Dynamic, Real, Bool).from(1)))
	}
	return fs
}

// numberArgs is the template of n numeric arguments from the given one on, as
// kql_geo takes them.
func numberArgs(first, n int) string {
	sql := fmt.Sprintf("$%d::VARCHAR", first)
	for i := first + 1; i < first+n; i++ {
		sql += fmt.Sprintf(" || ',' || $%d::VARCHAR", i)
	}
	return sql
}

const haversine = "2 * 6371010 * asin(sqrt(least(1, pow(sin(radians($4 - $2) / 2), 2) + cos(radians($2)) * cos(radians($4)) * pow(sin(radians($3 - $1) / 2), 2))))"
