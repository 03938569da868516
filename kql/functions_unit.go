package kql

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

// conversionFunctions are convert_angle() and its kin. Each unit is given by
// its size in the unit of the International System; one that is not known gives
// null, as the pages have it.
func conversionFunctions() []function {
	fs := []function{fn("convert_temperature", low(Real, lowerConvertTemperature, Real, String, String))}
	for name, units := range conversions() {
		fs = append(fs, fn(name, low(Real, func(c *call) (string, error) {
			return lowerConvert(c, units)
		}, Real, String, String)))
	}
	slices.SortFunc(fs, func(a, b function) int { return strings.Compare(a.name, b.name) })
	return fs
}

func lowerConvert(c *call, units map[string]float64) (string, error) {
	var size [2]float64
	for i := range size {
		u, err := c.constString(i + 1)
		if err != nil {
			return "", err
		}
		s, ok := units[u]
		if !ok {
			return "NULL::DOUBLE", nil
		}
		size[i] = s
	}
	f := strconv.FormatFloat(size[0]/size[1], 'g', -1, 64)
	return expand("($1 * "+f+"::DOUBLE)", c.args), nil
}

// lowerConvertTemperature goes over kelvins: K = (x + add) * mul.
func lowerConvertTemperature(c *call) (string, error) {
	type scale struct{ add, mul float64 }
	scales := map[string]scale{
		"Kelvin": {0, 1}, "DegreeCelsius": {273.15, 1}, "DegreeFahrenheit": {459.67, 5.0 / 9}, "DegreeRankine": {0, 5.0 / 9},
		"DegreeReaumur": {273.15 * 0.8, 1.25}, "DegreeNewton": {273.15 * 0.33, 100.0 / 33}, "DegreeDelisle": {-559.725, -2.0 / 3},
		"DegreeRoemer": {273.15*21/40 - 7.5, 40.0 / 21}, "MillidegreeCelsius": {273150, 1e-3}, "SolarTemperature": {0, 5778},
	}
	var s [2]scale
	for i := range s {
		u, err := c.constString(i + 1)
		if err != nil {
			return "", err
		}
		var ok bool
		if s[i], ok = scales[u]; !ok {
			return "NULL::DOUBLE", nil
		}
	}
	f := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) + "::DOUBLE" }
	if s[1].mul == 0 {
		return "", errors.New("convert_temperature(): a scale has no size")
	}
	return expand("(($1 + ("+f(s[0].add)+")) * ("+f(s[0].mul)+") / ("+f(s[1].mul)+") - ("+f(s[1].add)+"))", c.args), nil
}

// prefixed adds unit with the decimal prefixes named to units.
func prefixed(units map[string]float64, unit string, size float64, prefixes ...string) {
	si := map[string]float64{
		"Nano": 1e-9, "Micro": 1e-6, "Milli": 1e-3, "Centi": 1e-2, "Deci": 1e-1, "Deca": 10, "Hecto": 100,
		"Kilo": 1e3, "Mega": 1e6, "Giga": 1e9, "Tera": 1e12, "Peta": 1e15,
	}
	units[unit] = size
	for _, p := range prefixes {
		units[p+strings.ToLower(unit[:1])+unit[1:]] = si[p] * size
	}
}

// conversions returns the units of every convert_…() but the temperature's.
func conversions() map[string]map[string]float64 {
	const pi = 3.14159265358979323846
	angle := map[string]float64{
		"Radian": 1, "Degree": pi / 180, "Arcminute": pi / 10800, "Arcsecond": pi / 648000, "Gradian": pi / 200,
		"Revolution": 2 * pi, "Tilt": 1, "NatoMil": 2 * pi / 6400,
	}
	delete(angle, "Tilt") // not linear
	prefixed(angle, "Radian", 1, "Nano", "Micro", "Milli", "Centi", "Deci")
	prefixed(angle, "Degree", pi/180, "Nano", "Micro", "Milli")
	energy := map[string]float64{
		"BritishThermalUnit": 1055.05585262, "Calorie": 4.184, "ElectronVolt": 1.602176634e-19, "Erg": 1e-7, "FootPound": 1.355817948331,
		"ThermEc": 1.05505585262e8, "ThermImperial": 1.05505585257348e8, "ThermUs": 1.054804e8, "HorsepowerHour": 2.6845195376862e6, "FoeEnergy": 1e44,
	}
	prefixed(energy, "Joule", 1, "Nano", "Micro", "Milli", "Kilo", "Mega", "Giga", "Tera", "Peta")
	prefixed(energy, "WattHour", 3600, "Kilo", "Mega", "Giga", "Tera")
	prefixed(energy, "WattDay", 86400, "Kilo", "Mega", "Giga", "Tera")
	prefixed(energy, "Calorie", 4.184, "Kilo", "Mega")
	force := map[string]float64{
		"Dyn": 1e-5, "KilogramForce": 9.80665, "KiloPond": 9.80665, "OunceForce": 0.27801385095378125, "PoundForce": 4.4482216152605,
		"Poundal": 0.138254954376, "ShortTonForce": 8896.443230521, "TonneForce": 9806.65, "KilopoundForce": 4448.2216152605,
	}
	prefixed(force, "Newton", 1, "Micro", "Milli", "Deca", "Kilo", "Mega")
	return map[string]map[string]float64{
		"convert_angle": angle, "convert_energy": energy, "convert_force": force,
		"convert_length": lengthUnits(), "convert_mass": massUnits(), "convert_speed": speedUnits(), "convert_volume": volumeUnits(),
	}
}

func lengthUnits() map[string]float64 {
	m := map[string]float64{
		"Inch": 0.0254, "Foot": 0.3048, "Yard": 0.9144, "Mile": 1609.344, "NauticalMile": 1852, "Microinch": 2.54e-8, "Mil": 2.54e-5,
		"Angstrom": 1e-10, "AstronomicalUnit": 149597870700, "LightYear": 9460730472580800, "Parsec": 3.0856775814913673e16,
		"Fathom": 1.8288, "Chain": 20.1168, "Hand": 0.1016, "Shackle": 27.432, "UsSurveyFoot": 1200.0 / 3937, "SolarRadius": 6.957e8,
		"KilolightYear": 9460730472580800e3, "MegalightYear": 9460730472580800e6,
		"Kiloparsec": 3.0856775814913673e19, "Megaparsec": 3.0856775814913673e22,
	}
	prefixed(m, "Meter", 1, "Nano", "Micro", "Milli", "Centi", "Deci", "Hecto", "Kilo")
	return m
}

func massUnits() map[string]float64 {
	m := map[string]float64{
		"Pound": 0.45359237, "Ounce": 0.028349523125, "Stone": 6.35029318, "Grain": 6.479891e-5, "Slug": 14.593902937206365,
		"LongTon": 1016.0469088, "ShortTon": 907.18474, "LongHundredweight": 50.80234544, "ShortHundredweight": 45.359237,
		"Kilopound": 453.59237, "Megapound": 453592.37, "EarthMass": 5.9722e24, "SolarMass": 1.98847e30,
	}
	prefixed(m, "Gram", 1e-3, "Nano", "Micro", "Milli", "Centi", "Deci", "Deca", "Hecto", "Kilo")
	prefixed(m, "Tonne", 1e3, "Kilo", "Mega")
	return m
}

func speedUnits() map[string]float64 {
	m := map[string]float64{"Knot": 1852.0 / 3600, "Mach": 340.29}
	for per, seconds := range map[string]float64{"Second": 1, "Minute": 60, "Hour": 3600} {
		prefixed(m, "MeterPer"+per, 1/seconds, "Nano", "Micro", "Milli", "Centi", "Deci", "Kilo")
		m["FootPer"+per] = 0.3048 / seconds
		m["InchPer"+per] = 0.0254 / seconds
		m["YardPer"+per] = 0.9144 / seconds
		m["UsSurveyFootPer"+per] = 1200.0 / 3937 / seconds
	}
	m["MilePerHour"] = 1609.344 / 3600
	return m
}

func volumeUnits() map[string]float64 {
	m := map[string]float64{
		"CubicMeter": 1, "CubicDecimeter": 1e-3, "CubicCentimeter": 1e-6, "CubicMillimeter": 1e-9, "CubicMicrometer": 1e-18, "CubicKilometer": 1e9,
		"CubicHectometer": 1e6, "CubicFoot": 0.028316846592, "CubicInch": 1.6387064e-5, "CubicYard": 0.764554857984, "CubicMile": 4168181825.440579584,
		"UsGallon": 0.003785411784, "ImperialGallon": 0.00454609, "UsQuart": 0.000946352946, "UsPint": 0.000473176473, "ImperialPint": 0.00056826125,
		"UsOunce": 2.95735295625e-5, "ImperialOunce": 2.84130625e-5, "OilBarrel": 0.158987294928, "UsBeerBarrel": 0.117347765304, "ImperialBeerBarrel": 0.16365924,
		"UsTablespoon": 1.478676478125e-5, "UsTeaspoon": 4.92892159375e-6, "MetricCup": 0.00025, "MetricTeaspoon": 5e-6, "UsCustomaryCup": 0.0002365882365,
		"UsLegalCup": 0.00024, "AcreFoot": 1233.48183754752, "BoardFoot": 0.002359737216,
	}
	prefixed(m, "Liter", 1e-3, "Nano", "Micro", "Milli", "Centi", "Deci", "Hecto", "Kilo", "Mega")
	return m
}
