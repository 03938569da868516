package kql

import (
	"encoding/json"
	"strings"
)

// A geohash cell: the index of its column and row, counted from the south-west,
// and how many bits each has.
type hashCell struct {
	x, y         uint64
	xBits, yBits int
}

// The digits of a geohash, which leave out a, i, l and o.
const hashDigits = "0123456789bcdefghjkmnpqrstuvwxyz"

// geohash is the geohash of n characters of a place.
func geohash(long, lat float64, n int) (string, bool) {
	if !onEarth(long, lat) || n < 1 || n > 18 {
		return "", false
	}
	c := hashCell{xBits: (n*5 + 1) / 2, yBits: n * 5 / 2}
	c.x = halve(long, -180, 180, c.xBits)
	c.y = halve(lat, -90, 90, c.yBits)
	return c.String(), true
}

// halve is the number of the part of [lo, hi] that v is in, of 2^bits parts.
func halve(v, lo, hi float64, bits int) uint64 {
	var out uint64
	for range bits {
		mid := (lo + hi) / 2
		out <<= 1
		if v >= mid {
			out, lo = out|1, mid
		} else {
			hi = mid
		}
	}
	return out
}

// String is the geohash: the bits of both coordinates in turn, longitude first.
func (c hashCell) String() string {
	var b strings.Builder
	digit, x, y := 0, c.xBits, c.yBits
	for i := range c.xBits + c.yBits {
		bit := uint64(0)
		if i%2 == 0 {
			x--
			bit = c.x >> x & 1
		} else {
			y--
			bit = c.y >> y & 1
		}
		digit = digit<<1 | int(bit)
		if i%5 == 4 {
			b.WriteByte(hashDigits[digit])
			digit = 0
		}
	}
	return b.String()
}

// parseGeohash reads a geohash of 1 to 18 characters.
func parseGeohash(s string) (hashCell, bool) {
	var c hashCell
	if len(s) < 1 || len(s) > 18 {
		return c, false
	}
	for i := range len(s) {
		digit := strings.IndexByte(hashDigits, s[i])
		if digit < 0 {
			return c, false
		}
		for bit := 4; bit >= 0; bit-- {
			v := uint64(digit) >> bit & 1
			if c.xBits == c.yBits {
				c.x, c.xBits = c.x<<1|v, c.xBits+1
			} else {
				c.y, c.yBits = c.y<<1|v, c.yBits+1
			}
		}
	}
	return c, true
}

// corner is the place at a part of the cell's width and height.
func (c hashCell) corner(right, up float64) [2]float64 {
	width, height := 360/float64(uint64(1)<<c.xBits), 180/float64(uint64(1)<<c.yBits)
	return [2]float64{-180 + (float64(c.x)+right)*width, -90 + (float64(c.y)+up)*height}
}

// polygon is the cell as GeoJSON.
func (c hashCell) polygon() (string, bool) {
	return geoJSON("Polygon", [][][2]float64{{c.corner(0, 0), c.corner(1, 0), c.corner(1, 1), c.corner(0, 1), c.corner(0, 0)}})
}

// neighbors are the cells around, in the order of the page
// "geo_geohash_neighbors()"; at a pole there are five.
func (c hashCell) neighbors() (string, bool) {
	out := []string{}
	for _, d := range [...][2]int64{{-1, -1}, {-1, 1}, {1, -1}, {0, 1}, {-1, 0}, {1, 1}, {1, 0}, {0, -1}} {
		n := c
		n.x = uint64(int64(c.x)+d[0]) & (1<<c.xBits - 1)
		n.y = uint64(int64(c.y) + d[1])
		if n.y < 1<<c.yBits { // else it is beyond a pole
			out = append(out, n.String())
		}
	}
	b, err := json.Marshal(out)
	return string(b), err == nil
}
