package incident

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"picket"
)

const (
	maxFile  = 1 << 20 // bytes of an automation file
	maxDepth = 50
)

// node is a JSON value with its place in the file.
type node struct {
	offset int
	value  any // nil, bool, json.Number, string; *object; []*node
}

// object is a JSON object.
type object struct {
	r      *reader
	at     *node
	path   string // within the file, with a dot at its end
	keys   []string
	places map[string]*node // of the keys
	values map[string]*node // nulls left out
}

// reader reads one JSON file and collects what is wrong in it.
type reader struct {
	file     string
	data     []byte
	problems picket.Problems
	warnings picket.Problems
}

// parse returns the file's value, or nil after noting why there is none.
func (r *reader) parse() *node {
	if len(r.data) > maxFile {
		r.problems = append(r.problems, picket.Problem{File: r.file, Msg: fmt.Sprintf("the file has %d bytes; expected at most %d", len(r.data), maxFile)})
		return nil
	}
	r.data = bytes.TrimPrefix(r.data, []byte("\ufeff"))
	dec := json.NewDecoder(bytes.NewReader(r.data))
	dec.UseNumber()
	n, err := r.node(dec, 0)
	if err == nil {
		if _, more := dec.Token(); more != io.EOF {
			r.problem(&node{offset: r.start(dec)}, "something follows the JSON value; expected the end of the file")
		}
		return n
	}
	offset := int(dec.InputOffset())
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		if at := int(syntax.Offset); at != offset {
			offset = at - 1 // of an error within a value, Offset is where reading stopped
		}
	}
	msg := err.Error()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		msg, offset = "the file ends too early", len(r.data)
	}
	r.problem(&node{offset: offset}, "not valid JSON: %s", msg)
	return nil
}

// start is where the decoder's next token begins.
func (r *reader) start(dec *json.Decoder) int {
	i := int(dec.InputOffset())
	for i < len(r.data) && strings.IndexByte(" \t\r\n,:", r.data[i]) >= 0 {
		i++
	}
	return i
}

func (r *reader) node(dec *json.Decoder, depth int) (*node, error) {
	n := &node{offset: r.start(dec)}
	if depth > maxDepth {
		return nil, fmt.Errorf("more than %d levels deep", maxDepth)
	}
	t, err := dec.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		o := &object{r: r, at: n, places: map[string]*node{}, values: map[string]*node{}}
		for dec.More() {
			at := &node{offset: r.start(dec)}
			k, err := dec.Token()
			if err != nil {
				return nil, err
			}
			key, _ := k.(string) // the decoder takes nothing else here
			v, err := r.node(dec, depth+1)
			if err != nil {
				return nil, err
			}
			if o.places[key] != nil {
				r.problem(at, "%s: given twice", key)
			}
			o.keys, o.places[key] = append(o.keys, key), at
			if v.value != nil {
				o.values[key] = v
			}
		}
		n.value = o
	case json.Delim('['):
		items := []*node{}
		for dec.More() {
			v, err := r.node(dec, depth+1)
			if err != nil {
				return nil, err
			}
			items = append(items, v)
		}
		n.value = items
	default:
		n.value = t
		return n, nil
	}
	_, err = dec.Token() // the closing bracket
	return n, err
}

// place returns line and column of a node, from 1.
func (r *reader) place(n *node) (line, column int) {
	before := r.data[:min(max(n.offset, 0), len(r.data))]
	last := bytes.LastIndexByte(before, '\n')
	return bytes.Count(before, []byte{'\n'}) + 1, utf8.RuneCount(before[last+1:]) + 1
}

func (r *reader) problem(n *node, format string, args ...any) {
	line, column := r.place(n)
	r.problems = append(r.problems, picket.Problem{File: r.file, Line: line, Column: column, Msg: fmt.Sprintf(format, args...)})
}

// object returns n as an object; path tells the user which. Keys that are not
// known are worth a warning.
func (r *reader) object(n *node, path string, known ...string) *object {
	o, ok := n.value.(*object)
	if !ok {
		what := strings.TrimSuffix(path, ".")
		if what == "" {
			what = "the file"
		}
		r.problem(n, "%s: found %s; expected an object", what, found(n))
		return nil
	}
	o.path = path
	for _, k := range o.keys {
		if slices.Contains(known, k) {
			continue
		}
		line, column := r.place(o.places[k])
		msg := path + k + ": unknown field, left alone"
		if w, ok := oneOf(k, known); ok {
			msg += "; did you mean " + w + "?"
		}
		r.warnings = append(r.warnings, picket.Problem{File: r.file, Line: line, Column: column, Msg: msg})
	}
	return o
}

// missing notes that a required field is not there.
func (o *object) missing(key, expected string) {
	at := o.at
	if k, ok := o.places[key]; ok {
		at = k // it is there and null
	}
	o.r.problem(at, "%s%s: missing; expected %s", o.path, key, expected)
}

// text returns a field that holds text, "" when it is absent.
func (o *object) text(key, expected string, required bool) string {
	n, ok := o.values[key]
	if !ok {
		if required {
			o.missing(key, expected)
		}
		return ""
	}
	s, ok := n.value.(string)
	if !ok || required && strings.TrimSpace(s) == "" {
		o.r.problem(n, "%s%s: found %s; expected %s", o.path, key, found(n), expected)
		return ""
	}
	return s
}

// choice returns a field that holds one of some words, in their spelling.
func (o *object) choice(key string, words []string, required bool) string {
	n, ok := o.values[key]
	if !ok {
		if required {
			o.missing(key, wordList(words))
		}
		return ""
	}
	s, ok := n.value.(string)
	if ok {
		if w, ok := oneOf(s, words); ok {
			return w
		}
	}
	o.r.problem(n, "%s%s: found %s; expected %s", o.path, key, found(n), wordList(words))
	return ""
}

// boolean returns a field that holds true or false.
func (o *object) boolean(key string, or bool) bool {
	n, ok := o.values[key]
	if !ok {
		return or
	}
	b, ok := n.value.(bool)
	if !ok {
		o.r.problem(n, "%s%s: found %s; expected true or false", o.path, key, found(n))
		return or
	}
	return b
}

// integer returns a field that holds a whole number from lo to hi.
func (o *object) integer(key string, lo, hi, or int) int {
	n, ok := o.values[key]
	if !ok {
		return or
	}
	num, _ := n.value.(json.Number)
	i, err := strconv.Atoi(num.String())
	if err != nil || i < lo || i > hi {
		o.r.problem(n, "%s%s: found %s; expected a whole number from %d to %d", o.path, key, found(n), lo, hi)
		return or
	}
	return i
}

// list returns the items of a field that holds an array.
func (o *object) list(key string, required bool) []*node {
	n, ok := o.values[key]
	if !ok {
		if required {
			o.missing(key, "a list")
		}
		return nil
	}
	items, ok := n.value.([]*node)
	if !ok {
		o.r.problem(n, "%s%s: found %s; expected a list", o.path, key, found(n))
	}
	return items
}

// found describes a value, for messages.
func found(n *node) string {
	switch v := n.value.(type) {
	case nil:
		return "null"
	case *object:
		return "an object"
	case []*node:
		return "a list"
	case string:
		if r := []rune(v); len(r) > 60 {
			v = string(r[:60]) + "…"
		}
		return strconv.Quote(v)
	default:
		return fmt.Sprint(v)
	}
}
