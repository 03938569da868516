package kql

import (
	"encoding/csv"
	"encoding/json"
	"strings"
)

// jsonTexts is a JSON array of texts.
func jsonTexts(list []string) string {
	raw := make([]json.RawMessage, len(list))
	for i, s := range list {
		raw[i] = jsonString(s)
	}
	b, err := json.Marshal(raw)
	if err != nil { // what jsonString writes is JSON
		return "[]"
	}
	return string(b)
}

// csvRecord splits the first record of s by RFC 4180. A quote where it does not
// belong is a character as any other.
func csvRecord(s string) []string {
	if s == "" || s[0] == '\n' || s[0] == '\r' { // the reader would look for the next line
		return []string{""}
	}
	r := csv.NewReader(strings.NewReader(s))
	r.LazyQuotes = true
	record, err := r.Read()
	if err != nil {
		return []string{s}
	}
	return record
}

// commandLine splits a command line as CommandLineToArgvW of Windows does: the
// first argument is a path, which may stand in quotes; in the others, a
// backslash means itself unless backslashes come before a quote, which 2n of
// them leave and 2n+1 make a character; and of three quotes in a row the last
// is a character.
func commandLine(s string) []string {
	args := []string{}
	if s = strings.TrimLeft(s, " \t"); s == "" {
		return args
	}
	program, rest := "", ""
	if s[0] == '"' {
		program, rest, _ = strings.Cut(s[1:], `"`)
	} else if i := strings.IndexAny(s, " \t"); i >= 0 {
		program, rest = s[:i], s[i:]
	} else {
		program = s
	}
	args = append(args, program)
	for rest = strings.TrimLeft(rest, " \t"); rest != ""; rest = strings.TrimLeft(rest, " \t") {
		var arg string
		arg, rest = nextArgument(rest)
		args = append(args, arg)
	}
	return args
}

// nextArgument takes one argument after the first off a command line.
func nextArgument(s string) (arg, rest string) {
	var b strings.Builder
	quotes, i := 0, 0 // quotes is 1 within quotes
	for i < len(s) && (quotes > 0 || s[i] != ' ' && s[i] != '\t') {
		slashes := len(s[i:]) - len(strings.TrimLeft(s[i:], `\`))
		i += slashes
		if i >= len(s) || s[i] != '"' {
			b.WriteString(s[i-slashes : i])
			if slashes == 0 {
				b.WriteByte(s[i])
				i++
			}
			continue
		}
		b.WriteString(strings.Repeat(`\`, slashes/2))
		if slashes%2 == 1 {
			b.WriteByte('"')
		} else {
			quotes++
		}
		for i++; i < len(s) && s[i] == '"'; i++ {
			if quotes++; quotes == 3 {
				b.WriteByte('"')
				quotes = 0
			}
		}
		if quotes == 2 {
			quotes = 0
		}
	}
	return b.String(), s[i:]
}
