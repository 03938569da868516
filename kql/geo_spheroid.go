package kql

import "math"

// The spheroid of the World Geodetic System 1984: its radius at the equator, in
// metres, and how much it is flattened.
const (
	wgs84Radius     = 6378137.0
	wgs84Flattening = 1 / 298.257223563
)

// spheroidDistance is the length of the shortest way between two places on the
// spheroid, in metres, by the iteration of Vincenty ("Direct and Inverse
// Solutions of Geodesics on the Ellipsoid", 1975). It reports false for places
// almost opposite each other, where that finds no end.
func spheroidDistance(lng1, lat1, lng2, lat2 float64) (float64, bool) {
	const f, b = wgs84Flattening, wgs84Radius * (1 - wgs84Flattening)
	rad := math.Pi / 180
	l := (lng2 - lng1) * rad
	sinU1, cosU1 := math.Sincos(math.Atan((1 - f) * math.Tan(lat1*rad)))
	sinU2, cosU2 := math.Sincos(math.Atan((1 - f) * math.Tan(lat2*rad)))
	for lambda, i := l, 0; i < 200; i++ {
		sinL, cosL := math.Sincos(lambda)
		sinS := math.Hypot(cosU2*sinL, cosU1*sinU2-sinU1*cosU2*cosL)
		if sinS == 0 {
			return 0, true
		}
		cosS := sinU1*sinU2 + cosU1*cosU2*cosL
		sigma := math.Atan2(sinS, cosS)
		sinA := cosU1 * cosU2 * sinL / sinS
		cos2A := 1 - sinA*sinA
		cos2M := 0.0 // both on the equator
		if cos2A > 0 {
			cos2M = cosS - 2*sinU1*sinU2/cos2A
		}
		c := f / 16 * cos2A * (4 + f*(4-3*cos2A))
		before := lambda
		lambda = l + (1-c)*f*sinA*(sigma+c*sinS*(cos2M+c*cosS*(2*cos2M*cos2M-1)))
		if math.Abs(lambda-before) > 1e-12 {
			continue
		}
		u := cos2A * (wgs84Radius*wgs84Radius - b*b) / (b * b)
		big := 1 + u/16384*(4096+u*(-768+u*(320-175*u)))
		small := u / 1024 * (256 + u*(-128+u*(74-47*u)))
		delta := small * sinS * (cos2M + small/4*(cosS*(2*cos2M*cos2M-1)-small/6*cos2M*(4*sinS*sinS-3)*(4*cos2M*cos2M-3)))
		return b * big * (sigma - delta), true
	}
	return 0, false
}
