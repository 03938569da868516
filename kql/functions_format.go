package kql

import (
	"fmt"
	"strings"
)

// lowerFormatDatetime lowers format_datetime(t, format).
func lowerFormatDatetime(c *call) (string, error) {
	return lowerFormat(c, func(letter byte, n int) string {
		switch {
		case letter == 'd' && n <= 2:
			return padded("day("+dateOf+")", n)
		case letter == 'M' && n <= 2:
			return padded("month("+dateOf+")", n)
		case letter == 'y' && n == 4:
			return padded("year("+dateOf+")", 4)
		case letter == 'y' && n <= 2:
			return padded("(year("+dateOf+") % 100)", n)
		case letter == 'H' && n <= 2:
			return padded("($1 // "+hour+" % 24)", n)
		case letter == 'h' && n <= 2:
			return padded("(($1 // "+hour+" + 11) % 12 + 1)", n)
		case letter == 't' && n <= 2:
			return fmt.Sprintf("left(CASE WHEN $1 // %s %% 24 < 12 THEN 'AM' ELSE 'PM' END, %d)", hour, n)
		}
		return clockPart(letter, n)
	}, "d, dd, M, MM, y, yy, yyyy, h, hh, H, HH, m, mm, s, ss, f to fffffff, F to FFFFFFF, tt")
}

// lowerFormatTimespan lowers format_timespan(span, format).
func lowerFormatTimespan(c *call) (string, error) {
	c.args[0].sql = "abs(" + c.args[0].sql + ")"
	return lowerFormat(c, func(letter byte, n int) string {
		switch {
		case letter == 'd' && n <= 8:
			return padded("($1 // "+day+")", n)
		case (letter == 'H' || letter == 'h') && n <= 2:
			return padded("($1 // "+hour+" % 24)", n)
		}
		return clockPart(letter, n)
	}, "d to dddddddd, h, hh, H, HH, m, mm, s, ss, f to fffffff, F to FFFFFFF")
}

// clockPart is a minute, second or fraction of n places.
func clockPart(letter byte, n int) string {
	switch {
	case letter == 'm' && n <= 2:
		return padded("($1 // "+minute+" % 60)", n)
	case letter == 's' && n <= 2:
		return padded("($1 // "+second+" % 60)", n)
	case letter == 'f' && n <= 7:
		return fmt.Sprintf("left(%s, %d)", padded("($1 % "+second+")", 7), n)
	case letter == 'F' && n <= 7:
		return fmt.Sprintf("rtrim(left(%s, %d), '0')", padded("($1 % "+second+")", 7), n)
	}
	return ""
}

// padded is a number of at least n digits.
func padded(num string, n int) string {
	if n == 1 {
		return num + "::VARCHAR"
	}
	return fmt.Sprintf("format('{:0%dd}', %s)", n, num)
}

// lowerFormat reads a format as runs of letters, each written by part, and
// what stands between them.
func lowerFormat(c *call, part func(letter byte, n int) string, known string) (string, error) {
	format, err := c.constString(1)
	if err != nil {
		return "", err
	}
	parts := []string{"''"}
	for i := 0; i < len(format); {
		ch := format[i]
		n := 1
		for i+n < len(format) && format[i+n] == ch {
			n++
		}
		switch isLetter := ch|0x20 >= 'a' && ch|0x20 <= 'z'; {
		case isLetter && (ch != 'T' && ch != 'Z'):
			p := part(ch, n)
			if p == "" {
				return "", fmt.Errorf("%s(): the format has %q; known are %s", c.name, format[i:i+n], known)
			}
			parts = append(parts, p)
		default:
			parts = append(parts, quoteString(format[i:i+n]))
		}
		i += n
	}
	return expand("coalesce("+strings.Join(parts, " || ")+", '')", c.args[:1]), nil
}
