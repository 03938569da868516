package analytics

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"picket"
)

// maxFile is the size a rule's file may have. The largest of the Azure-Sentinel
// repository has 60 kB.
const maxFile = 1 << 20

// reader walks the tree of one YAML file and collects what is wrong in it.
type reader struct {
	file     string
	problems picket.Problems
	warnings picket.Problems
	lines    []string // of the file, without their ends
	anchors  map[string]ast.Node
}

// parse returns the file's one document, or nil after noting why there is none.
func (r *reader) parse(data []byte) ast.Node {
	if len(data) > maxFile {
		r.problems = append(r.problems, picket.Problem{File: r.file, Msg: fmt.Sprintf("the file has %d bytes; expected at most %d", len(data), maxFile)})
		return nil
	}
	if !utf8.Valid(data) {
		r.problems = append(r.problems, picket.Problem{File: r.file, Msg: "the file is not UTF-8 text"})
		return nil
	}
	text := strings.TrimPrefix(string(data), "\ufeff")
	r.lines = strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "\n")
	f, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		p := picket.Problem{File: r.file, Line: 1, Column: 1, Msg: err.Error()}
		var syntax yaml.Error
		if errors.As(err, &syntax) {
			p.Msg = "not valid YAML: " + syntax.GetMessage()
			if t := syntax.GetToken(); t != nil && t.Position != nil {
				p.Line, p.Column = t.Position.Line, max(t.Position.Column, 1)
			}
		}
		r.problems = append(r.problems, p)
		return nil
	}
	docs := f.Docs[:0:0]
	for _, d := range f.Docs {
		if d.Body != nil && d.Body.Type() != ast.CommentType {
			docs = append(docs, d)
		}
	}
	r.anchors = map[string]ast.Node{}
	if len(docs) > 0 {
		ast.Walk(r, docs[0].Body)
	}
	if len(docs) == 0 || r.plain(docs[0].Body) == nil {
		r.problems = append(r.problems, picket.Problem{File: r.file, Line: 1, Column: 1, Msg: "the file is empty; expected a rule"})
		return nil
	}
	if len(docs) > 1 {
		r.problem(docs[1].Body, "a second document begins here; expected one rule to a file")
	}
	return r.plain(docs[0].Body)
}

// Visit implements [ast.Visitor]: it remembers what anchors stand for.
func (r *reader) Visit(n ast.Node) ast.Visitor {
	if a, ok := n.(*ast.AnchorNode); ok && a.Name != nil && a.Value != nil {
		r.anchors[a.Name.GetToken().Value] = a.Value
	}
	return r
}

// plain looks through anchors, aliases and tags. A null is no node.
func (r *reader) plain(n ast.Node) ast.Node {
	for range 10 { // an alias may name an alias, but not for ever
		switch v := n.(type) {
		case *ast.AnchorNode:
			n = v.Value
		case *ast.TagNode:
			n = v.Value
		case *ast.AliasNode:
			n = r.anchors[v.Value.GetToken().Value]
		case *ast.NullNode, *ast.CommentGroupNode:
			return nil
		default:
			return n
		}
	}
	return nil
}

func position(n ast.Node) (line, column int) {
	// A mapping's own token is a colon; its first key is where the eye looks.
	switch v := n.(type) {
	case *ast.MappingNode:
		if len(v.Values) > 0 && !v.IsFlowStyle {
			return position(v.Values[0])
		}
	case *ast.MappingValueNode:
		return position(v.Key)
	}
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 1, 1
	}
	p := n.GetToken().Position
	return max(p.Line, 1), max(p.Column, 1)
}

func (r *reader) problem(n ast.Node, format string, args ...any) {
	line, column := position(n)
	r.problems = append(r.problems, picket.Problem{File: r.file, Line: line, Column: column, Msg: fmt.Sprintf(format, args...)})
}

func (r *reader) warn(n ast.Node, format string, args ...any) {
	line, column := position(n)
	r.warnings = append(r.warnings, picket.Problem{File: r.file, Line: line, Column: column, Msg: fmt.Sprintf(format, args...)})
}

// object is a mapping of the file.
type object struct {
	r      *reader
	node   ast.Node
	path   string // of the object within the file, with a dot at its end; "" for the rule
	keys   []string
	names  map[string]ast.Node // the keys themselves
	values map[string]ast.Node // nulls left out
}

// object returns n as a mapping; path tells the user which. Keys that are not
// known are worth a warning; with no known keys every key is welcome.
func (r *reader) object(n ast.Node, path string, known ...string) *object {
	o := &object{r: r, node: n, path: path, names: map[string]ast.Node{}, values: map[string]ast.Node{}}
	var entries []*ast.MappingValueNode
	switch v := r.plain(n).(type) {
	case *ast.MappingNode:
		entries = v.Values
	case *ast.MappingValueNode:
		entries = []*ast.MappingValueNode{v}
	default:
		what := strings.TrimSuffix(path, ".")
		if what == "" {
			what = "the file"
		}
		r.problem(n, "%s: found %s; expected a mapping (key: value)", what, found(r.plain(n)))
		return nil
	}
	for _, e := range entries {
		key := e.Key.GetToken().Value
		o.keys = append(o.keys, key)
		o.names[key] = e.Key
		if v := r.plain(e.Value); v != nil {
			o.values[key] = v
		}
		if len(known) > 0 && !contains(known, key) {
			msg := "unknown field, left alone"
			if k, ok := oneOf(key, known); ok {
				msg = "unknown field, left alone; did you mean " + k + "?"
			}
			r.warn(e.Key, "%s%s: %s", path, key, msg)
		}
	}
	return o
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}

// oneOf finds s in list without regard to case and returns it as list spells it.
func oneOf(s string, list []string) (string, bool) {
	for _, v := range list {
		if strings.EqualFold(v, s) {
			return v, true
		}
	}
	return "", false
}

// missing notes that a required field is not there.
func (o *object) missing(key, expected string) {
	n := o.node
	if k, ok := o.names[key]; ok {
		n = k // it is there and null
	}
	o.r.problem(n, "%s%s: missing; expected %s", o.path, key, expected)
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
	s, ok := scalar(n)
	if !ok || (required && strings.TrimSpace(s) == "") {
		o.r.problem(n, "%s%s: found %s; expected %s", o.path, key, found(n), expected)
		return ""
	}
	return s
}

// choice returns a field that holds one of some words, in their spelling.
func (o *object) choice(key string, words []string, or string) string {
	n, ok := o.values[key]
	if !ok {
		return or
	}
	s, ok := scalar(n)
	if ok {
		if w, ok := oneOf(strings.TrimSpace(s), words); ok {
			return w
		}
	}
	o.r.problem(n, "%s%s: found %s; expected %s", o.path, key, found(n), wordList(words))
	return or
}

// boolean returns a field that holds true or false.
func (o *object) boolean(key string, or bool) bool {
	n, ok := o.values[key]
	if !ok {
		return or
	}
	s, _ := scalar(n)
	switch strings.ToLower(s) {
	case "true":
		return true
	case "false":
		return false
	}
	o.r.problem(n, "%s%s: found %s; expected true or false", o.path, key, found(n))
	return or
}

// integer returns a field that holds a whole number from lo to hi.
func (o *object) integer(key string, lo, hi int, required bool) int {
	expected := fmt.Sprintf("a whole number from %d to %d", lo, hi)
	n, ok := o.values[key]
	if !ok {
		if required {
			o.missing(key, expected)
		}
		return lo
	}
	s, _ := scalar(n)
	i, err := strconv.Atoi(s)
	if err != nil || i < lo || i > hi {
		o.r.problem(n, "%s%s: found %s; expected %s", o.path, key, found(n), expected)
		return lo
	}
	return i
}

// list returns the items of a field that holds a sequence, without nulls.
func (o *object) list(key string) []ast.Node {
	n, ok := o.values[key]
	if !ok {
		return nil
	}
	seq, ok := n.(*ast.SequenceNode)
	if !ok {
		o.r.problem(n, "%s%s: found %s; expected a list", o.path, key, found(n))
		return nil
	}
	var items []ast.Node
	for _, v := range seq.Values {
		if v = o.r.plain(v); v != nil {
			items = append(items, v)
		}
	}
	return items
}

// words returns the texts of a field that holds a list of them. check returns
// a text in its proper spelling, or false when it is none of the expected.
func (o *object) words(key, expected string, check func(string) (string, bool)) []string {
	var words []string
	for _, n := range o.list(key) {
		s, ok := scalar(n)
		if ok {
			s, ok = check(strings.TrimSpace(s))
		}
		if !ok {
			o.r.problem(n, "%s%s: found %s; expected %s", o.path, key, found(n), expected)
			continue
		}
		if !contains(words, s) {
			words = append(words, s)
		}
	}
	return words
}

// scalar returns the text of a scalar node. Numbers and truth values are given
// as they are written: a version 1.10 is no number.
func scalar(n ast.Node) (string, bool) {
	switch v := n.(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.LiteralNode:
		return v.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// found describes what stands at a node, for messages.
func found(n ast.Node) string {
	switch n.(type) {
	case nil:
		return "nothing"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	}
	if s, ok := scalar(n); ok {
		return quote(s)
	}
	return "something else"
}

// quote quotes s, cut to what a message bears.
func quote(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:60]) + "…"
	}
	return strconv.Quote(s)
}

// wordList returns the words as a sentence has them: A, B or C.
func wordList(words []string) string {
	if len(words) == 1 {
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}
