package playbook

// The functions that read the run: trigger, actions, loops, parameters, variables.
var referenceFunctions = []function{
	{name: "trigger", ret: kObject, call: func(e *env, _ []any) (any, error) { return e.trigger, nil }},
	{name: "triggerOutputs", ret: kAny, call: func(e *env, _ []any) (any, error) { return path(e.trigger, "outputs"), nil }},
	{name: "triggerBody", ret: kAny, call: func(e *env, _ []any) (any, error) { return path(e.trigger, "outputs", "body"), nil }},
	{name: "workflow", ret: kObject, call: func(e *env, _ []any) (any, error) { return e.workflow, nil }},
	{name: "listCallbackUrl", ret: kString, ref: refCallback, call: func(*env, []any) (any, error) {
		return nil, evalFail("a run has no callback URL")
	}},

	{name: "actions", params: []kind{kString}, min: 1, ret: kAny, ref: refAction, call: func(e *env, a []any) (any, error) {
		o, err := e.ran(a[0])
		if o == nil {
			return nil, err
		}
		return o.object(), nil
	}},
	{name: "outputs", params: []kind{kString}, min: 1, ret: kAny, ref: refAction, call: func(e *env, a []any) (any, error) {
		o, err := e.ran(a[0])
		if o == nil {
			return nil, err
		}
		return o.Outputs, nil
	}},
	{name: "body", params: []kind{kString}, min: 1, ret: kAny, ref: refAction, call: func(e *env, a []any) (any, error) {
		o, err := e.ran(a[0])
		if o == nil {
			return nil, err
		}
		return path(o.Outputs, "body"), nil
	}},
	{name: "result", params: []kind{kString}, min: 1, ret: kAny, ref: refScope, call: func(e *env, a []any) (any, error) {
		return e.results(text(a[0])), nil
	}},
	{name: "items", params: []kind{kString}, min: 1, ret: kAny, ref: refLoop, call: func(e *env, a []any) (any, error) {
		v, ok := e.loop(text(a[0]))
		if !ok {
			return nil, evalFail("there is no loop '%s' here", text(a[0]))
		}
		return v, nil
	}},
	{name: "item", ret: kAny, ref: refItem, call: func(e *env, _ []any) (any, error) {
		if n := len(e.item); n > 0 {
			return e.item[n-1], nil
		}
		v, ok := e.loop("")
		if !ok {
			return nil, evalFail("there is no loop here")
		}
		return v, nil
	}},
	{name: "variables", params: []kind{kString}, min: 1, ret: kAny, ref: refVariable, call: func(e *env, a []any) (any, error) {
		v, ok := e.variable(text(a[0]))
		if !ok {
			return nil, evalFail("variable '%s' is not initialized yet", text(a[0]))
		}
		return v, nil
	}},
	{name: "parameters", params: []kind{kString}, min: 1, ret: kAny, ref: refParameter, call: func(e *env, a []any) (any, error) {
		v, ok := property(e.params, text(a[0]))
		if !ok {
			return nil, evalFail("parameter '%s' has no value", text(a[0]))
		}
		return v, nil
	}},
}

// ran returns the outcome of an action, nil when it has none yet.
func (e *env) ran(name any) (*outcome, error) {
	o, ok := e.action(text(name))
	if !ok {
		return nil, evalFail("there is no action '%s'", text(name))
	}
	return o, nil
}
