package ingest

import (
	"bytes"
	"strings"
	"time"
)

// detectSize is how much of a file is looked at to tell its format.
const detectSize = 64 << 10

// DetectFormat tells the format of a log file by its first lines: the access
// and error logs of web servers, or CEF, where most lines are such, else syslog,
// whose parser takes any line. It does not tell json, csv and text, which need a table.
func DetectFormat(path string, head []byte) string {
	var lines, access, apache, nginx, cef int
	for l := range bytes.Lines(head) {
		s := clean(l)
		if s == "" {
			continue
		}
		lines++
		var w webLine
		switch {
		case w.access(s, time.UTC):
			access++
		case w.nginxError(s, time.UTC):
			nginx++
		case w.apacheError(s, time.UTC):
			apache++
		case strings.Contains(s, cefPrefix):
			if m := Parse(l, time.Now(), time.UTC); m.cef() != "" {
				cef++
			}
		}
	}
	switch web := access + apache + nginx; {
	case lines > 0 && cef*5 >= lines*4:
		return "cef"
	case lines == 0 || web*5 < lines*4:
		return "syslog"
	case nginx > apache, access > 0 && apache == 0 && strings.Contains(strings.ToLower(path), "nginx"):
		return "nginx"
	}
	return "apache"
}
