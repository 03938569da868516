package playbook

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// formatTime writes t in a .NET format ("Standard date and time format
// strings", "Custom date and time format strings"; invariant culture).
func formatTime(t time.Time, format string) string {
	if len(format) == 1 {
		if f, utc := standardFormat(format[0]); f != "" {
			format = f
			if utc {
				t = t.UTC()
			}
		}
	}
	format = strings.TrimPrefix(format, "%")
	var b strings.Builder
	for i := 0; i < len(format); {
		c := format[i]
		switch c {
		case '\'', '"':
			end := strings.IndexByte(format[i+1:], c)
			if end < 0 {
				end = len(format) - i - 1
			}
			b.WriteString(format[i+1 : i+1+end])
			i += end + 2
			continue
		case '\\':
			if i+1 < len(format) {
				b.WriteByte(format[i+1])
			}
			i += 2
			continue
		}
		n := 1
		for i+n < len(format) && format[i+n] == c {
			n++
		}
		timeField(&b, t, c, n)
		i += n
	}
	return b.String()
}

func standardFormat(c byte) (format string, utc bool) {
	switch c {
	case 'o', 'O':
		return "yyyy-MM-ddTHH:mm:ss.fffffffK", false
	case 's':
		return "yyyy-MM-ddTHH:mm:ss", false
	case 'u':
		return "yyyy-MM-dd HH:mm:ss'Z'", true
	case 'r', 'R':
		return "ddd, dd MMM yyyy HH:mm:ss 'GMT'", true
	case 'd':
		return "MM/dd/yyyy", false
	case 'D':
		return "dddd, dd MMMM yyyy", false
	case 't':
		return "HH:mm", false
	case 'T':
		return "HH:mm:ss", false
	case 'f':
		return "dddd, dd MMMM yyyy HH:mm", false
	case 'F', 'U':
		return "dddd, dd MMMM yyyy HH:mm:ss", c == 'U'
	case 'g':
		return "MM/dd/yyyy HH:mm", false
	case 'G':
		return "MM/dd/yyyy HH:mm:ss", false
	case 'm', 'M':
		return "MMMM dd", false
	case 'y', 'Y':
		return "yyyy MMMM", false
	}
	return "", false
}

// timeField writes n times the format character c.
func timeField(b *strings.Builder, t time.Time, c byte, n int) {
	switch c {
	case 'y':
		if n <= 2 {
			fmt.Fprintf(b, "%0*d", n, t.Year()%100)
			return
		}
		fmt.Fprintf(b, "%0*d", n, t.Year())
	case 'M':
		name(b, n, int(t.Month()), t.Month().String())
	case 'd':
		name(b, n, t.Day(), t.Weekday().String())
	case 'H':
		fmt.Fprintf(b, "%0*d", min(n, 2), t.Hour())
	case 'h':
		fmt.Fprintf(b, "%0*d", min(n, 2), (t.Hour()+11)%12+1)
	case 'm':
		fmt.Fprintf(b, "%0*d", min(n, 2), t.Minute())
	case 's':
		fmt.Fprintf(b, "%0*d", min(n, 2), t.Second())
	case 'f', 'F':
		frac := fmt.Sprintf("%09d", t.Nanosecond())[:min(n, 7)]
		if c == 'F' {
			frac = strings.TrimRight(frac, "0")
		}
		b.WriteString(frac)
	case 't':
		b.WriteString(t.Format("PM")[:min(n, 2)])
	case 'K':
		zone := t.Format("Z07:00")
		for range n {
			b.WriteString(zone)
		}
	case 'z':
		switch zone := t.Format("-07:00"); n {
		case 1:
			h, _ := strconv.Atoi(zone[1:3])
			fmt.Fprintf(b, "%c%d", zone[0], h)
		case 2:
			b.WriteString(zone[:3])
		default:
			b.WriteString(zone)
		}
	default:
		for range n {
			b.WriteByte(c)
		}
	}
}

// name writes a day or month: as a number, short (3) or in full (4).
func name(b *strings.Builder, n, value int, full string) {
	switch {
	case n <= 2:
		fmt.Fprintf(b, "%0*d", n, value)
	case n == 3:
		b.WriteString(full[:3])
	default:
		b.WriteString(full)
	}
}
