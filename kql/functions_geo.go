package kql

// geoFunctions are the functions over points of the earth, and where an
// address is.
func geoFunctions() []function {
	return []function{
		// The great circle by the haversine formula, on a sphere of 6371.01 km.
		fn("geo_distance_2points", tpl(Real, "CASE WHEN abs($1) <= 180 AND abs($2) <= 90 AND abs($3) <= 180 AND abs($4) <= 90 THEN "+haversine+" END", Real, Real, Real, Real)),
		fn("geo_point_in_circle", tpl(Bool, "CASE WHEN abs($1) <= 180 AND abs($2) <= 90 AND abs($3) <= 180 AND abs($4) <= 90 THEN "+haversine+" <= $5 END", Real, Real, Real, Real, Real)),
		fn("geo_info_from_ip_address", tpl(Dynamic, "kql_geo_info($1)::JSON", String)),
	}
}

const haversine = "2 * 6371010 * asin(sqrt(least(1, pow(sin(radians($4 - $2) / 2), 2) + cos(radians($2)) * cos(radians($4)) * pow(sin(radians($3 - $1) / 2), 2))))"
