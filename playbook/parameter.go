package playbook

import (
	"encoding/json"
	"fmt"
	"strings"

	"picket"
)

// Check says what is wrong with values for the playbook's parameters: missing,
// of the wrong type. The error has code invalid; no value stands in it.
func (p *Playbook) Check(given map[string]any) error {
	_, err := p.bind(given, newMask(""))
	return err
}

// bind gives every parameter its value and hides the secret ones in m. Values
// for parameters that the playbook does not declare are ignored.
func (p *Playbook) bind(given map[string]any, m *mask) (map[string]any, error) {
	out := map[string]any{}
	var faults []string
	for _, key := range sortedKeys(p.parameters) {
		d := p.parameters[key]
		v, ok := d.value, d.filled
		secret := d.secure()
		if g, has := property(given, d.name); has {
			if s, isSecret := g.(picket.Secret); isSecret {
				g, secret = s.Reveal(), true
			}
			n, err := plain(g)
			if err != nil {
				faults = append(faults, fmt.Sprintf("parameter '%s' cannot be read as JSON", d.name))
				continue
			}
			v, ok = n, true
		}
		t := parameterTypes[d.typ]
		switch {
		case d.name == "$connections":
		case !ok:
			faults = append(faults, fmt.Sprintf("parameter '%s' (%s) has no value: set it in the configuration, or give it a defaultValue", d.name, t.name))
		case kindOf(v)&t.kind == 0:
			faults = append(faults, fmt.Sprintf("parameter '%s' must be %s (%s), not %s", d.name, t.kind, t.name, kindOf(v)))
		}
		out[d.name] = v
		if secret {
			hideParameter(m, d.name, v)
		}
	}
	if len(faults) > 0 {
		return nil, &picket.Error{Code: picket.Invalid, Msg: "playbook '" + p.Name + "': " + strings.Join(faults, "; ")}
	}
	return out, nil
}

// hideParameter hides every text in a secret parameter's value.
func hideParameter(m *mask, name string, v any) {
	switch v := v.(type) {
	case string:
		m.add(name, v)
	case []any:
		for i, x := range v {
			hideParameter(m, fmt.Sprintf("%s.%d", name, i), x)
		}
	case map[string]any:
		for _, k := range sortedKeys(v) {
			hideParameter(m, name+"."+k, v[k])
		}
	}
}

// plain turns a Go value into a value of the expression language, secrets in
// clear.
func plain(v any) (any, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case picket.Secret:
		return v.Reveal(), nil
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			n, err := plain(x)
			if err != nil {
				return nil, err
			}
			out[i] = n
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			n, err := plain(x)
			if err != nil {
				return nil, err
			}
			out[k] = n
		}
		return out, nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return decodeJSON(data)
}
