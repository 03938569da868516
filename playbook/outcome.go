package playbook

import (
	"fmt"
	"time"
)

// Status is what became of a run or of an action, in Logic Apps' spelling.
type Status string

// The statuses.
const (
	Waiting   Status = "Waiting" // enqueued, not started; of runs only
	Running   Status = "Running"
	Succeeded Status = "Succeeded"
	Failed    Status = "Failed"
	Skipped   Status = "Skipped"
	TimedOut  Status = "TimedOut"
	Cancelled Status = "Cancelled"
)

// outcome is what one action came to.
type outcome struct {
	Name    string
	Status  Status
	Code    string // OK, ActionFailed, ActionSkipped, the name of an HTTP status, …
	Message string // of the error; no secret in it
	Inputs  any
	Outputs any
	Start   time.Time
	End     time.Time
	Change  *change // to a variable
}

// object is the outcome as actions() shows it.
func (o *outcome) object() map[string]any {
	m := map[string]any{
		"name": o.Name, "status": string(o.Status), "code": o.Code,
		"startTime": formatTime(o.Start.UTC(), "o"), "endTime": formatTime(o.End.UTC(), "o"),
		"inputs": o.Inputs, "outputs": o.Outputs,
	}
	if o.Message != "" {
		m["error"] = map[string]any{"code": o.Code, "message": o.Message}
	}
	return m
}

// fail makes an outcome that failed.
func fail(code, message string) *outcome {
	return &outcome{Status: Failed, Code: code, Message: message}
}

// done makes an outcome that succeeded.
func done(outputs any) *outcome { return &outcome{Status: Succeeded, Code: "OK", Outputs: outputs} }

// change is what an action did to a variable. Changes are replayed, in the
// order of a loop's iterations, so that every run of a run agrees.
type change struct {
	Name  string
	Op    string // set, add, append
	Value any
}

// variables holds the variables of a run, or an iteration's view of them.
type variables struct {
	values  map[string]any // by lower-case name
	changes []change
}

// apply makes a change; the value has been checked to fit.
func (v *variables) apply(c change) {
	v.changes = append(v.changes, c)
	old := v.values[c.Name]
	switch c.Op {
	case "set":
		v.values[c.Name] = c.Value
	case "append":
		switch old := old.(type) {
		case []any:
			// Full slice: iterations that start from the same array must not share its tail.
			v.values[c.Name] = append(old[:len(old):len(old)], c.Value)
		case string:
			v.values[c.Name] = old + text(c.Value)
		}
	case "add":
		if x, y, ok := ints([]any{old, c.Value}); ok {
			v.values[c.Name] = x + y
		} else {
			v.values[c.Name] = toFloat(old) + toFloat(c.Value)
		}
	}
}

// view returns a copy to change apart from v.
func (v *variables) view() *variables {
	out := &variables{values: make(map[string]any, len(v.values))}
	for k, x := range v.values {
		out.values[k] = x
	}
	return out
}

// encode writes an outcome for the store, decodeOutcome reads it back; secrets
// are placeholders there.
func (o *outcome) encode(m *mask) string {
	v := map[string]any{"name": o.Name, "status": string(o.Status), "code": o.Code, "message": o.Message,
		"inputs": m.seal(o.Inputs), "outputs": m.seal(o.Outputs), "start": o.Start.UTC().Format(time.RFC3339Nano), "end": o.End.UTC().Format(time.RFC3339Nano)}
	if o.Change != nil {
		v["change"] = m.seal(o.Change.value())
	}
	return encodeJSON(v)
}

func decodeOutcome(s string, m *mask) (*outcome, error) {
	v, err := decodeJSON([]byte(s))
	if err != nil {
		return nil, fmt.Errorf("read the stored result of an action: %w", err)
	}
	o := &outcome{Name: text(path(v, "name")), Status: Status(text(path(v, "status"))), Code: text(path(v, "code")), Message: text(path(v, "message")),
		Inputs: m.unseal(path(v, "inputs")), Outputs: m.unseal(path(v, "outputs"))}
	if c := path(v, "change"); c != nil {
		ch := changeOf(m.unseal(c))
		o.Change = &ch
	}
	o.Start, _ = time.Parse(time.RFC3339Nano, text(path(v, "start"))) // as encode wrote them
	o.End, _ = time.Parse(time.RFC3339Nano, text(path(v, "end")))
	return o, nil
}

func (c change) value() map[string]any {
	return map[string]any{"name": c.Name, "op": c.Op, "value": c.Value}
}

func changeOf(v any) change {
	return change{text(path(v, "name")), text(path(v, "op")), path(v, "value")}
}
