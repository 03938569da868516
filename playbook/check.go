package playbook

import "strings"

// check finds references to what is not there or has not run by then.
func (l *loader) check() {
	for _, key := range sortedKeys(l.p.actions) {
		a := l.p.actions[key]
		for _, u := range a.uses {
			l.checkUse(a, u)
		}
		switch s := a.spec.(type) {
		case *variableChange:
			l.checkChange(a, s)
		case *initialize:
			if a.parent != nil {
				l.bad(a.line, "action '%s': a variable is initialized on the top level, not inside '%s'", a.name, a.parent.name)
			}
		case *terminate:
			if in := enclosingLoop(a); in != nil {
				l.bad(a.line, "action '%s': Terminate cannot stand inside the loop '%s'", a.name, in.name)
			}
		}
	}
}

func (l *loader) checkChange(a *action, s *variableChange) {
	typ, ok := l.vars[strings.ToLower(s.name)]
	if !ok {
		l.bad(a.line, "action '%s': variable '%s' is not initialized anywhere", a.name, s.name)
		return
	}
	switch {
	case s.op == "append" && strings.EqualFold(a.typ, "AppendToArrayVariable") && typ != "array",
		s.op == "append" && strings.EqualFold(a.typ, "AppendToStringVariable") && typ != "string",
		s.op == "add" && typ != "integer" && typ != "float":
		l.bad(a.line, "action '%s': %s does not fit variable '%s' of type %s", a.name, a.typ, s.name, typ)
	}
	s.typ = typ
}

func (l *loader) checkUse(a *action, u use) {
	if u.call.fn.ref == refCallback {
		l.bad(u.line, "action '%s': %s() belongs to the inputs of a trigger", a.name, u.call.fn.name)
		return
	}
	if u.call.fn.ref == refItem {
		if !u.item && enclosingLoop(a) == nil {
			l.bad(u.line, "action '%s': item() has no meaning outside a loop, Select or Query", a.name)
		}
		return
	}
	lit, ok := u.call.args[0].(*literal)
	if !ok {
		l.bad(u.line, "action '%s': %s() takes a name in quotes, not an expression", a.name, u.call.fn.name)
		return
	}
	name := text(lit.v)
	target := l.p.actions[strings.ToLower(name)]
	switch u.call.fn.ref {
	case refParameter:
		if l.p.parameters[strings.ToLower(name)] == nil {
			l.bad(u.line, "action '%s': parameter '%s' is not declared in 'parameters'", a.name, name)
		}
	case refVariable:
		if _, ok := l.vars[strings.ToLower(name)]; !ok {
			l.bad(u.line, "action '%s': variable '%s' is not initialized anywhere", a.name, name)
		}
	case refLoop:
		for p := a.parent; ; p = p.parent {
			if p == nil {
				l.bad(u.line, "action '%s': items('%s') must name a loop around the action", a.name, name)
				return
			}
			if _, ok := p.spec.(*loop); (ok || p.spec == nil) && p == target {
				return
			}
		}
	case refAction, refScope:
		if target == nil {
			l.bad(u.line, "action '%s': %s('%s') names an action that does not exist", a.name, u.call.fn.name, name)
			return
		}
		if msg := visible(a, target); msg != "" {
			l.bad(u.line, "action '%s': %s('%s'): %s", a.name, u.call.fn.name, name, msg)
			return
		}
		if u.call.fn.ref == refScope {
			switch target.spec.(type) {
			case *scope, *loop, *condition:
				target.resultUsed = true
			default:
				l.bad(u.line, "action '%s': result('%s') must name a Scope, Foreach or If", a.name, name)
			}
		}
	}
}

func enclosingLoop(a *action) *action {
	for p := a.parent; p != nil; p = p.parent {
		if strings.EqualFold(p.typ, "Foreach") {
			return p
		}
	}
	return nil
}

// visible says why a may not refer to target, or "": target, or an action
// around it on the level of a or of one around a, must come before in runAfter.
func visible(a, target *action) string {
	for at := a; at != nil; at = at.parent {
		top, through := target, (*action)(nil)
		for top != nil && top.level != at.level {
			top = top.parent
			if top != nil && strings.EqualFold(top.typ, "Foreach") {
				through = top
			}
		}
		if top == nil {
			continue
		}
		if top == at {
			return "it has no result yet, because this action is it or a part of it"
		}
		if !before(at, top, map[*action]bool{}) {
			return "it must come before in 'runAfter' of '" + at.name + "', directly or over others"
		}
		if through != nil {
			return "it has a result for every iteration of '" + through.name + "'; collect them in an array variable, or use result('" + through.name + "')"
		}
		return ""
	}
	return "it must come before in 'runAfter'"
}

// before reports whether b is reached from a along runAfter.
func before(a, b *action, seen map[*action]bool) bool {
	for _, d := range a.runAfter {
		if d.on == nil || seen[d.on] {
			continue
		}
		seen[d.on] = true
		if d.on == b || before(d.on, b, seen) {
			return true
		}
	}
	return false
}
