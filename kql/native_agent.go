package kql

import (
	"encoding/json"
	"strings"
	"sync"

	"github.com/ua-parser/uap-go/uaparser"
)

const (
	// agentCache is how many answers are remembered: logs have the same few user
	// agents again and again, and a new one costs milliseconds.
	agentCache = 1 << 13
	// agentBytes is how much of a user agent is looked at. A thousand patterns may
	// go over all of it.
	agentBytes = 2 << 10
	// agentStates is the size of all patterns together, as the guard of regular
	// expressions counts it.
	agentStates = 5000
)

// userAgents are the patterns of the ua-parser project, by which the service
// tells user agents, too. To compile them takes a third of a second, so only a
// query that asks does. (Later versions of the module bring a cache under the
// Mozilla Public License along.)
var userAgents = sync.OnceValue(uaparser.NewFromSaved)

// agentParser is parse_user_agent(). It may be used by several goroutines.
type agentParser struct {
	mu   sync.Mutex
	seen map[[2]string]string // the answers to agent and what
}

// agentParts is what parse_user_agent() yields, in the order of its page.
type agentParts struct {
	Browser         *agentBrowser `json:",omitempty"`
	OperatingSystem *agentSystem  `json:",omitempty"`
	Device          *agentDevice  `json:",omitempty"`
}

type agentBrowser struct{ Family, MajorVersion, MinorVersion, Patch string }

type agentSystem struct {
	agentBrowser
	PatchMinor string
}

type agentDevice struct{ Family, Brand, Model string }

// parse lowers parse_user_agent(agent, what); what is a JSON string or array
// of browser, os and device.
func (p *agentParser) parse(agent, what string) (string, bool) {
	if len(agent) > agentBytes {
		agent = strings.ToValidUTF8(agent[:agentBytes], "")
	}
	key := [2]string{agent, what}
	p.mu.Lock()
	answer, ok := p.seen[key]
	p.mu.Unlock()
	if ok {
		return answer, answer != "{}"
	}
	answer = agentAnswer(agent, what)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen == nil || len(p.seen) >= agentCache {
		p.seen = map[[2]string]string{}
	}
	p.seen[[2]string{strings.Clone(agent), strings.Clone(what)}] = answer
	return answer, answer != "{}"
}

// agentAnswer is what the patterns say of an agent, as JSON.
func agentAnswer(agent, what string) string {
	var out agentParts
	if strings.Contains(what, `"browser"`) {
		b := userAgents().ParseUserAgent(agent)
		out.Browser = &agentBrowser{b.Family, b.Major, b.Minor, b.Patch}
	}
	if strings.Contains(what, `"os"`) {
		s := userAgents().ParseOs(agent)
		out.OperatingSystem = &agentSystem{agentBrowser{s.Family, s.Major, s.Minor, s.Patch}, s.PatchMinor}
	}
	if strings.Contains(what, `"device"`) {
		d := userAgents().ParseDevice(agent)
		out.Device = &agentDevice{d.Family, d.Brand, d.Model}
	}
	b, err := json.Marshal(out)
	if err != nil { // texts alone cannot fail
		return "{}"
	}
	return string(b)
}

// lowerParseUserAgent lowers parse_user_agent(agent[, what]), in pieces between
// which a query can end where the agents of a step are many.
func lowerParseUserAgent(c *call) (string, error) {
	look := `'["browser","os","device"]'`
	if len(c.args) == 2 {
		look = jsonOf(c.args[1]) + "::VARCHAR"
	}
	return bindArgs(c.args[:1], func(args []expr) (string, error) {
		return guardStates(args[0], agentStates, 0, func(text expr) (string, error) {
			return nativeCall("kql_user_agent", text.sql, look) + "::JSON", nil
		})
	})
}
