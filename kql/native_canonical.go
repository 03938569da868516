package kql

import (
	"encoding/json"
	"strings"
)

// canonicalJSON writes a dynamic value as dynamic_to_json() does: the slots of
// bags in the order of their names, without blanks.
func canonicalJSON(s string) (string, bool) {
	d := json.NewDecoder(strings.NewReader(s))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return "", false
	}
	text, err := encodeJSON(v)
	return string(text), err == nil
}
