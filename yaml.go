package picket

import (
	"bytes"
	"errors"
	"io"

	"github.com/goccy/go-yaml"
)

// ReadYAML reads a file that a user wrote, YAML or JSON, into v. An empty file
// sets nothing. The error is a [Problems] that names the place; a field that v
// does not have is one.
func ReadYAML(file string, text []byte, v any) error {
	err := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict()).Decode(v)
	if err == nil || errors.Is(err, io.EOF) {
		return nil
	}
	p := Problem{File: file, Msg: err.Error()}
	var wrong yaml.Error
	if errors.As(err, &wrong) {
		p.Msg = wrong.GetMessage()
		if t := wrong.GetToken(); t != nil && t.Position != nil {
			p.Line, p.Column = t.Position.Line, max(t.Position.Column, 1)
		}
	}
	return Problems{p}
}
