package kql

import (
	"encoding/json"
	"strconv"
	"strings"
)

// shape is what is known of the values at one place: their scalar types, the
// shape of array elements and that of each key of bags.
type shape struct {
	types []string
	items *shape
	keys  []string
	bags  map[string]*shape
}

// buildSchema lowers buildschema() over the JSON array of all values.
func buildSchema(list string) (string, bool) {
	d := json.NewDecoder(strings.NewReader(list))
	d.UseNumber()
	var root shape
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return "", false
	}
	for d.More() {
		if !root.read(d, 0) {
			return "", false
		}
	}
	b, err := json.Marshal(&root)
	return string(b), err == nil
}

// read adds the next value of d to s; the order of keys is kept.
func (s *shape) read(d *json.Decoder, depth int) bool {
	t, err := d.Token()
	if err != nil || depth > 100 {
		return false
	}
	switch t := t.(type) {
	case json.Delim:
		ok := true
		for d.More() && ok {
			sub := s.items
			if t == '{' {
				k, err := d.Token()
				if err != nil {
					return false
				}
				sub = s.key(k.(string))
			} else if sub == nil {
				s.items = &shape{}
				sub = s.items
			}
			ok = sub.read(d, depth+1)
		}
		if t == '[' && s.items == nil {
			s.items = &shape{}
		}
		if t == '{' && s.bags == nil {
			s.bags = map[string]*shape{}
		}
		_, err := d.Token()
		return ok && err == nil
	case string:
		s.add("string")
	case json.Number:
		if _, err := strconv.ParseInt(t.String(), 10, 64); err == nil {
			s.add("long")
		} else {
			s.add("double")
		}
	case bool:
		s.add("bool")
	}
	return true
}

func (s *shape) add(typ string) {
	for _, t := range s.types {
		if t == typ {
			return
		}
	}
	s.types = append(s.types, typ)
}

func (s *shape) key(k string) *shape {
	if s.bags == nil {
		s.bags = map[string]*shape{}
	}
	if s.bags[k] == nil {
		s.bags[k] = &shape{}
		s.keys = append(s.keys, k)
	}
	return s.bags[k]
}

// MarshalJSON writes one type as it is, several as an array.
func (s *shape) MarshalJSON() ([]byte, error) {
	var all []any
	for _, t := range s.types {
		all = append(all, t)
	}
	if s.items != nil || s.bags != nil {
		var b strings.Builder
		b.WriteByte('{')
		if s.items != nil {
			v, err := json.Marshal(s.items)
			if err != nil {
				return nil, err
			}
			b.WriteString("\"`indexer`\":" + string(v))
		}
		for i, k := range s.keys {
			if i > 0 || s.items != nil {
				b.WriteByte(',')
			}
			v, err := json.Marshal(s.bags[k])
			if err != nil {
				return nil, err
			}
			b.WriteString(string(jsonString(k)) + ":" + string(v))
		}
		all = append(all, json.RawMessage(b.String()+"}"))
	}
	if len(all) == 1 {
		return json.Marshal(all[0])
	}
	if all == nil {
		return []byte("null"), nil
	}
	return json.Marshal(all)
}

// treePath lowers treepath(): the paths of what a dynamic value holds, each
// once. All elements of an array have the path [0].
func treePath(value string) (string, bool) {
	d := json.NewDecoder(strings.NewReader(value))
	d.UseNumber()
	var root shape
	if !root.read(d, 0) || root.items == nil && root.bags == nil {
		return "", false
	}
	b, err := json.Marshal(root.paths(nil, ""))
	return string(b), err == nil
}

// paths appends the paths below s, which lies at path: keys of bags that hold
// no bag themselves, arrays, and their elements.
func (s *shape) paths(out []string, path string) []string {
	if s.items != nil {
		if path != "" {
			out = append(out, path)
		}
		if len(s.items.types) > 0 || s.items.items != nil || s.items.bags != nil {
			path += "[0]"
			if len(s.items.types) > 0 && s.items.items == nil { // else the array within says it
				out = append(out, path)
			}
			out = s.items.paths(out, path)
		}
	}
	for _, k := range s.keys {
		sub := s.bags[k]
		at := path + "['" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(k) + "']"
		if sub.items == nil && sub.bags == nil {
			out = append(out, at)
			continue
		}
		out = sub.paths(out, at)
	}
	return out
}
