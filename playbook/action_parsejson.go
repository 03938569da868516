package playbook

import (
	"context"
	"encoding/base64"
	"fmt"
	"math"
	"slices"
	"strings"
)

// parseJSON is the ParseJson action: content checked against a JSON schema.
type parseJSON struct {
	content template
	schema  any
}

func (l *loader) parseJSON(a *action, in *node) *parseJSON {
	s := &parseJSON{content: l.required(a, in, "content")}
	schema := in.get("schema")
	if schema == nil {
		l.missing(a, a.line, "schema")
		return s
	}
	if schema.kind != kObject {
		l.bad(schema.line, "action '%s': 'schema' must be an object, not %s", a.name, schema.kind)
		return s
	}
	s.schema = schema.value()
	return s
}

func (s *parseJSON) run(_ context.Context, x *step) *outcome {
	v, bad := x.value(s.content)
	if bad != nil {
		return bad
	}
	if m, ok := v.(map[string]any); ok && m["$content"] != nil { // binary content
		b, err := base64.StdEncoding.DecodeString(text(m["$content"]))
		if err != nil {
			return fail("ValidationFailed", "the content is not base64")
		}
		v = string(b)
	}
	if v == nil {
		return fail("InvalidTemplate", "'content' is null; expected JSON")
	}
	if t, ok := v.(string); ok {
		var err error
		if v, err = decodeJSON([]byte(t)); err != nil {
			return fail("ValidationFailed", x.env.mask.hide("the content is not JSON: "+err.Error()))
		}
	}
	if msg := conform(v, s.schema, "the answer", 0); msg != "" {
		return fail("SchemaValidationFailed", x.env.mask.hide(msg))
	}
	return done(map[string]any{"body": v})
}

// conform says where v departs from a JSON schema, or "". Known are type,
// properties, items and required; other keywords are ignored.
func conform(v, schema any, at string, depth int) string {
	m, ok := schema.(map[string]any)
	if !ok || depth > maxDepth {
		return ""
	}
	if want := typesOf(m["type"]); len(want) > 0 && !slices.ContainsFunc(want, func(t string) bool { return isType(v, t) }) {
		return fmt.Sprintf("%s is %s; expected %s", at, kindOf(v), strings.Join(want, " or "))
	}
	switch v := v.(type) {
	case map[string]any:
		if req, ok := m["required"].([]any); ok {
			for _, r := range req {
				if _, ok := v[text(r)]; !ok {
					return fmt.Sprintf("%s lacks the property '%s'", at, text(r))
				}
			}
		}
		props, _ := m["properties"].(map[string]any)
		for _, k := range sortedKeys(props) {
			if x, ok := v[k]; ok {
				if msg := conform(x, props[k], at+"."+k, depth+1); msg != "" {
					return msg
				}
			}
		}
	case []any:
		if _, ok := m["items"].(map[string]any); !ok {
			return ""
		}
		for i, x := range v {
			if msg := conform(x, m["items"], fmt.Sprintf("%s[%d]", at, i), depth+1); msg != "" {
				return msg
			}
		}
	}
	return ""
}

func typesOf(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case []any:
		var out []string
		for _, t := range v {
			out = append(out, text(t))
		}
		return out
	}
	return nil
}

func isType(v any, t string) bool {
	switch t {
	case "null":
		return v == nil
	case "boolean":
		return kindOf(v) == kBool
	case "integer":
		f, ok := v.(float64)
		return kindOf(v) == kInt || ok && f == math.Trunc(f)
	case "number":
		return kindOf(v)&kNumber != 0
	case "string":
		return kindOf(v) == kString
	case "array":
		return kindOf(v) == kArray
	case "object":
		return kindOf(v) == kObject
	}
	return true // not a type of JSON schema: nothing to hold against the value
}
