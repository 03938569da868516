package kql

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// maxXML is the longest text that parse_xml() reads.
const maxXML = 1 << 20

// xmlNode is an element while it is turned into JSON.
type xmlNode struct {
	name string
	text strings.Builder
	keys []string // attributes with @, and children, as they first come
	vals map[string][]json.RawMessage
}

// add gives the node a value under key.
func (n *xmlNode) add(key string, v json.RawMessage) {
	if n.vals == nil {
		n.vals = map[string][]json.RawMessage{}
	}
	if _, ok := n.vals[key]; !ok {
		n.keys = append(n.keys, key)
	}
	n.vals[key] = append(n.vals[key], v)
}

// parseXML turns XML into JSON as the page "parse_xml()" lays down: attributes
// become "@name", text among other content "#text", repeated elements an array.
func parseXML(s string) (string, bool) {
	if len(s) > maxXML {
		return "", false
	}
	root := &xmlNode{}
	stack := []*xmlNode{root}
	d := xml.NewDecoder(strings.NewReader(s))
	d.CharsetReader = func(_ string, r io.Reader) (io.Reader, error) { return r, nil } // the text is UTF-8 whatever it says
	for {
		t, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return "", false
		}
		top := stack[len(stack)-1]
		switch t := t.(type) {
		case xml.StartElement:
			if len(stack) > 256 || len(stack) == 1 && len(root.keys) > 0 {
				return "", false
			}
			n := &xmlNode{name: xmlName(t.Name)}
			for _, a := range t.Attr {
				n.add("@"+xmlName(a.Name), jsonString(a.Value))
			}
			stack = append(stack, n)
		case xml.EndElement:
			if len(stack) == 1 || top.name != xmlName(t.Name) {
				return "", false
			}
			stack = stack[:len(stack)-1]
			stack[len(stack)-1].add(top.name, top.json())
		case xml.CharData:
			top.text.Write(t)
		}
	}
	if len(stack) != 1 || len(root.keys) == 0 || strings.TrimSpace(root.text.String()) != "" {
		return "", false
	}
	return string(root.json()), true
}

func xmlName(n xml.Name) string {
	if n.Space != "" {
		return n.Space + ":" + n.Local
	}
	return n.Local
}

// json writes the node's content.
func (n *xmlNode) json() json.RawMessage {
	text := strings.TrimSpace(n.text.String())
	if n.keys == nil {
		if text == "" {
			return json.RawMessage("null")
		}
		return jsonString(text)
	}
	if text != "" {
		n.add("#text", jsonString(text))
	}
	var b bytes.Buffer
	b.WriteByte('{')
	for i, k := range n.keys {
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(jsonString(k))
		b.WriteByte(':')
		v := n.vals[k]
		if len(v) == 1 {
			b.Write(v[0])
			continue
		}
		b.WriteByte('[')
		b.Write(bytes.Join(toBytes(v), []byte(",")))
		b.WriteByte(']')
	}
	b.WriteByte('}')
	return b.Bytes()
}

func toBytes(list []json.RawMessage) [][]byte {
	out := make([][]byte, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}
