package picket

import (
	"fmt"
	"strings"
)

// A Problem is something wrong in a file that a user wrote: a rule, an
// automation rule, a playbook, a configuration.
type Problem struct {
	File   string
	Line   int // from 1; 0 when the whole file is meant
	Column int // from 1, in characters
	Msg    string
}

// Place returns file:line:column, the form that editors and terminals turn
// into a link, or the file alone when the whole of it is meant.
func (p Problem) Place() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// String returns the problem as file:line:column: message.
func (p Problem) String() string { return p.Place() + ": " + p.Msg }

// Problems are all the problems of one file, in its order. It is an error.
type Problems []Problem

// Error returns one problem a line.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, q := range p {
		lines[i] = q.String()
	}
	return strings.Join(lines, "\n")
}
