package server

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed docs.html
var docsTemplate string

// docsPage renders an OpenAPI document as one page of HTML that loads nothing.
func docsPage(document []byte) ([]byte, error) {
	var root yaml.MapSlice
	if err := yaml.UnmarshalWithOptions(document, &root, yaml.UseOrderedMap()); err != nil {
		return nil, err
	}
	t, err := template.New("docs").Parse(docsTemplate)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	err = t.Execute(&out, docsOf(node{root}))
	return out.Bytes(), err
}

// A node is a value of the document: a yaml.MapSlice, []any, or a scalar.
type node struct{ v any }

// at follows names; what is not there is a node of nil.
func (n node) at(names ...string) node {
	for _, name := range names {
		next := node{}
		for _, e := range n.entries() {
			if e.key == name {
				next = e.node
			}
		}
		n = next
	}
	return n
}

type entry struct {
	key string
	node
}

// entries are those of a mapping, in their order.
func (n node) entries() (out []entry) {
	m, _ := n.v.(yaml.MapSlice)
	for _, item := range m {
		if inner, ok := item.Value.(yaml.MapSlice); ok && item.Key == "<<" {
			out = append(out, node{inner}.entries()...)
			continue
		}
		out = append(out, entry{fmt.Sprint(item.Key), node{item.Value}})
	}
	return out
}

func (n node) items() (out []node) {
	list, _ := n.v.([]any)
	for _, v := range list {
		out = append(out, node{v})
	}
	return out
}

func (n node) text() string {
	if n.v == nil {
		return ""
	}
	return strings.TrimSpace(fmt.Sprint(n.v))
}

// The page, as its template wants it.
type (
	docs struct {
		Title, Version, Summary, Description string
		Auth                                 []docsField
		Groups                               []*docsGroup
		Schemas                              []docsSchema
	}
	docsGroup struct {
		Name, Description string
		Operations        []docsOperation
	}
	docsOperation struct {
		ID, Method, Path, Summary, Description, Curl string
		Open                                         bool // needs no key
		Parameters                                   []docsField
		Body                                         []docsMedia
		Responses                                    []docsResponse
	}
	docsResponse struct {
		Status, Class, Description string
		Headers                    []docsField
		Media                      []docsMedia
	}
	docsMedia struct {
		Type    string
		Of      docsType
		Example string
	}
	docsSchema struct {
		Name, Description string
		Of                docsType
		Fields            []docsField
	}
	docsField struct {
		Name, Where, Description string
		Required                 bool
		Of                       docsType
		Fields                   []docsField // of an object without a name
	}
	// docsType is a type in words, of which one may be a link to a schema.
	docsType struct{ Before, Link, After string }
)

func docsOf(root node) docs {
	d := docs{Title: root.at("info", "title").text(), Version: root.at("info", "version").text(), Summary: root.at("info", "summary").text(),
		Description: root.at("info", "description").text()}
	for _, e := range root.at("components", "securitySchemes").entries() {
		d.Auth = append(d.Auth, docsField{Name: e.key, Description: e.at("description").text()})
	}
	groups := map[string]*docsGroup{}
	for _, tag := range root.at("tags").items() {
		g := &docsGroup{Name: tag.at("name").text(), Description: tag.at("description").text()}
		groups[g.Name] = g
		d.Groups = append(d.Groups, g)
	}
	for _, path := range root.at("paths").entries() {
		for _, method := range path.entries() {
			for _, tag := range method.at("tags").items() {
				if g := groups[tag.text()]; g != nil {
					g.Operations = append(g.Operations, operationOf(root, path.key, method))
				}
			}
		}
	}
	for _, e := range root.at("components", "schemas").entries() {
		d.Schemas = append(d.Schemas, docsSchema{e.key, e.at("description").text(), typeOf(e.node), fieldsOf(e.node)})
	}
	return d
}

// follow returns what a reference into the document leads to.
func follow(root, n node) node {
	if ref, ok := strings.CutPrefix(n.at("$ref").text(), "#/"); ok {
		return root.at(strings.Split(ref, "/")...)
	}
	return n
}

func operationOf(root node, path string, e entry) docsOperation {
	o := docsOperation{ID: e.at("operationId").text(), Method: strings.ToUpper(e.key), Path: path, Summary: e.at("summary").text(), Description: e.at("description").text()}
	open, isList := e.at("security").v.([]any)
	o.Open = isList && len(open) == 0
	url, header := path, ""
	for _, p := range e.at("parameters").items() {
		p = follow(root, p)
		f := docsField{Name: p.at("name").text(), Where: p.at("in").text(), Description: p.at("description").text(),
			Required: p.at("required").text() == "true", Of: typeOf(p.at("schema"))}
		o.Parameters = append(o.Parameters, f)
		switch example := p.at("example").text(); {
		case f.Where == "path":
			url = strings.ReplaceAll(url, "{"+f.Name+"}", example)
		case f.Where == "query" && f.Required:
			url += "?" + f.Name + "=" + example
		}
	}
	if !o.Open {
		header = ` -H "x-api-key: $KEY"`
	}
	o.Body = mediaOf(root, e.at("requestBody", "content"))
	o.Curl = "curl"
	if o.Method != "GET" {
		o.Curl += " -X " + o.Method
	}
	o.Curl += header
	if len(o.Body) > 0 {
		o.Curl += " -H 'Content-Type: " + o.Body[0].Type + "' --data-binary @FILE"
	}
	o.Curl += ` "$PICKET` + url + `"`
	for _, r := range e.at("responses").entries() {
		answer := follow(root, r.node)
		response := docsResponse{Status: r.key, Class: r.key[:1], Description: answer.at("description").text(), Media: mediaOf(root, answer.at("content"))}
		for _, h := range answer.at("headers").entries() {
			response.Headers = append(response.Headers, docsField{Name: h.key, Description: h.at("description").text(), Of: typeOf(h.at("schema"))})
		}
		o.Responses = append(o.Responses, response)
	}
	return o
}

func mediaOf(root, content node) (out []docsMedia) {
	for _, m := range content.entries() {
		media := docsMedia{Type: m.key, Of: typeOf(m.at("schema"))}
		example := m.at("example").v
		if of := follow(root, m.at("schema")).at("examples").items(); example == nil && len(of) > 0 {
			example = of[0].v
		}
		switch example := example.(type) {
		case nil:
		case string:
			media.Example = strings.TrimSpace(example)
		default:
			media.Example = pretty(example)
		}
		out = append(out, media)
	}
	return out
}

// typeOf says in words what a schema allows.
func typeOf(s node) docsType {
	if name, ok := strings.CutPrefix(s.at("$ref").text(), "#/components/schemas/"); ok {
		return docsType{Link: name}
	}
	kind := s.at("type").text()
	if several := s.at("type").items(); len(several) > 0 { // [array, "null"]
		kind = several[0].text()
	}
	switch properties := s.at("properties").entries(); {
	case kind == "array":
		of := typeOf(s.at("items"))
		of.Before = "array of " + of.Before
		return of
	case kind == "object" && len(properties) == 1:
		of := typeOf(properties[0].node)
		return docsType{`{"` + properties[0].key + `": ` + of.Before, of.Link, of.After + "}"}
	case s.at("const").v != nil:
		return docsType{Before: pretty(s.at("const").v)}
	}
	var one []string
	for _, v := range append(s.at("enum").items(), s.at("oneOf").items()...) {
		if t := typeOf(v); t.Link != "" {
			one = append(one, t.Link)
			continue
		}
		one = append(one, v.text())
	}
	words := []string{kind}
	if len(one) > 0 {
		words = []string{strings.Join(one, " | ")}
	}
	if f := s.at("format").text(); f != "" {
		words = []string{f}
	}
	if low, high := s.at("minimum").text(), s.at("maximum").text(); low != "" && high != "" {
		words = append(words, low+"–"+high)
	}
	if v := s.at("default"); v.v != nil {
		words = append(words, "(default "+v.text()+")")
	}
	return docsType{Before: strings.TrimSpace(strings.Join(words, " "))}
}

// fieldsOf are the properties of an object, or of the objects in an array.
func fieldsOf(s node) (out []docsField) {
	if s.at("type").text() == "array" {
		s = s.at("items")
	}
	required := map[string]bool{}
	for _, name := range s.at("required").items() {
		required[name.text()] = true
	}
	for _, p := range s.at("properties").entries() {
		out = append(out, docsField{Name: p.key, Description: p.at("description").text(), Required: required[p.key], Of: typeOf(p.node), Fields: fieldsOf(p.node)})
	}
	return out
}

// pretty is a value of the document as JSON.
func pretty(v any) string {
	text, err := yaml.MarshalWithOptions(v, yaml.JSON())
	if err != nil {
		return fmt.Sprint(v)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, bytes.TrimSpace(text), "", "  "); err != nil {
		return string(text)
	}
	return out.String()
}
