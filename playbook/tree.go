package playbook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// node is a value of a definition file that knows its line.
type node struct {
	line   int
	scalar any // nil, bool, int64, float64, string
	kind   kind
	keys   []string // of an object, in the file's order
	values []*node  // of an object, or items of an array
}

// get returns the member of an object, whatever its case, or nil.
func (n *node) get(key string) *node {
	if n == nil || n.kind != kObject {
		return nil
	}
	for i, k := range n.keys {
		if strings.EqualFold(k, key) {
			return n.values[i]
		}
	}
	return nil
}

// str returns a string, and "" for anything else.
func (n *node) str() string {
	if n == nil {
		return ""
	}
	s, _ := n.scalar.(string)
	return s
}

// value returns n as a plain value.
func (n *node) value() any {
	if n == nil {
		return nil
	}
	switch n.kind {
	case kArray:
		out := make([]any, len(n.values))
		for i, v := range n.values {
			out[i] = v.value()
		}
		return out
	case kObject:
		out := make(map[string]any, len(n.values))
		for i, v := range n.values {
			out[n.keys[i]] = v.value()
		}
		return out
	}
	return n.scalar
}

// problem is a fault in a file, at a line (0: of the file as a whole).
type problem struct {
	line int
	msg  string
}

// maxFileDepth bounds the nesting of a definition file.
const maxFileDepth = 500

// parseTree reads JSON, or YAML when the text does not start as a JSON object.
func parseTree(data []byte) (*node, *problem) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	trimmed := bytes.TrimLeft(data, " \t\r\n")
	if len(trimmed) == 0 {
		return nil, &problem{1, "the file is empty; expected a workflow definition"}
	}
	if trimmed[0] != '{' && trimmed[0] != '[' {
		return parseYAML(data)
	}
	p := &jsonParser{dec: json.NewDecoder(bytes.NewReader(data))}
	p.dec.UseNumber()
	for i, c := range data {
		if c == '\n' {
			p.lines = append(p.lines, i)
		}
	}
	n, err := p.value(0)
	if err == nil {
		if _, e := p.dec.Token(); !errors.Is(e, io.EOF) {
			return nil, &problem{p.line(p.dec.InputOffset()), "there is more text after the JSON object"}
		}
		return n, nil
	}
	var prob *problem
	if errors.As(err, &prob) {
		return nil, prob
	}
	at := p.dec.InputOffset()
	var syn *json.SyntaxError
	if errors.As(err, &syn) {
		at = syn.Offset
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		at, err = int64(len(data)), errors.New("the file ends in the middle of a value")
	}
	return nil, &problem{p.line(at), "bad JSON: " + err.Error()}
}

func (p *problem) Error() string { return p.msg }

type jsonParser struct {
	dec   *json.Decoder
	lines []int // offsets of the line ends
}

func (p *jsonParser) line(off int64) int {
	return sort.SearchInts(p.lines, int(off)) + 1
}

func (p *jsonParser) value(depth int) (*node, error) {
	tok, err := p.dec.Token()
	if err != nil {
		return nil, err
	}
	n := &node{line: p.line(p.dec.InputOffset() - 1)}
	if depth > maxFileDepth {
		return nil, &problem{n.line, fmt.Sprintf("nested deeper than %d levels", maxFileDepth)}
	}
	switch t := tok.(type) {
	case json.Delim:
		return n, p.container(n, t, depth)
	case json.Number:
		if n.scalar, err = number(string(t)); err != nil {
			return nil, &problem{n.line, err.Error()}
		}
	default:
		n.scalar = t
	}
	n.kind = kindOf(n.scalar)
	return n, nil
}

func (p *jsonParser) container(n *node, open json.Delim, depth int) error {
	n.kind = kArray
	if open == '{' {
		n.kind = kObject
	}
	for p.dec.More() {
		if n.kind == kObject {
			tok, err := p.dec.Token()
			if err != nil {
				return err
			}
			key, _ := tok.(string)
			if slices.Contains(n.keys, key) {
				return &problem{p.line(p.dec.InputOffset() - 1), fmt.Sprintf("the name %q stands twice in one object", key)}
			}
			n.keys = append(n.keys, key)
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return err
		}
		n.values = append(n.values, v)
	}
	_, err := p.dec.Token()
	return err
}

func parseYAML(data []byte) (n *node, prob *problem) {
	// The parser is not ours: whatever a file does to it must stop that file only.
	defer func() {
		if r := recover(); r != nil {
			n, prob = nil, &problem{1, fmt.Sprintf("bad YAML: the parser gives up: %v", r)}
		}
	}()
	f, err := parser.ParseBytes(data, 0)
	if err != nil {
		line, msg := 1, err.Error()
		var syn yaml.Error
		if errors.As(err, &syn) {
			msg = syn.GetMessage()
			if t := syn.GetToken(); t != nil && t.Position != nil {
				line = t.Position.Line
			}
		}
		return nil, &problem{line, "bad YAML: " + msg}
	}
	if len(f.Docs) != 1 || f.Docs[0].Body == nil {
		return nil, &problem{1, "expected one YAML document"}
	}
	return fromYAML(f.Docs[0].Body, 0)
}

func fromYAML(a ast.Node, depth int) (*node, *problem) {
	n := &node{line: 1}
	if t := a.GetToken(); t != nil && t.Position != nil {
		n.line = t.Position.Line
	}
	if depth > maxFileDepth {
		return nil, &problem{n.line, fmt.Sprintf("nested deeper than %d levels", maxFileDepth)}
	}
	switch a := a.(type) {
	case *ast.MappingNode:
		n.kind = kObject
		for _, v := range a.Values {
			if p := n.member(v, depth); p != nil {
				return nil, p
			}
		}
		return n, nil
	case *ast.MappingValueNode:
		n.kind = kObject
		return n, n.member(a, depth)
	case *ast.SequenceNode:
		n.kind = kArray
		for _, v := range a.Values {
			c, p := fromYAML(v, depth+1)
			if p != nil {
				return nil, p
			}
			n.values = append(n.values, c)
		}
		return n, nil
	case *ast.NullNode:
		n.kind = kNull
		return n, nil
	case *ast.LiteralNode:
		n.kind, n.scalar = kString, a.Value.Value
		return n, nil
	case *ast.StringNode:
		n.kind, n.scalar = kString, a.Value
		return n, nil
	case *ast.BoolNode:
		n.kind, n.scalar = kBool, a.Value
		return n, nil
	case *ast.IntegerNode, *ast.FloatNode:
		v, err := number(a.String())
		if err != nil {
			return nil, &problem{n.line, fmt.Sprintf("%q is not a decimal number; put quotes around text", a.String())}
		}
		n.kind, n.scalar = kindOf(v), v
		return n, nil
	}
	return nil, &problem{n.line, "anchors, aliases, tags and other special YAML are not supported; write the value out"}
}

// member adds a key and value of a YAML mapping.
func (n *node) member(m *ast.MappingValueNode, depth int) *problem {
	key := ""
	switch k := m.Key.(type) {
	case *ast.StringNode:
		key = k.Value
	default:
		if t := m.Key.GetToken(); t != nil {
			key = t.Value
		}
	}
	v, p := fromYAML(m.Value, depth+1)
	if p != nil {
		return p
	}
	if slices.Contains(n.keys, key) {
		return &problem{v.line, fmt.Sprintf("the name %q stands twice in one object", key)}
	}
	n.keys, n.values = append(n.keys, key), append(n.values, v)
	return nil
}
