package kql

import (
	"encoding/json"
	"regexp"
	"strings"
)

// agentPattern recognises one family of browsers or systems; its groups are the
// version's parts.
type agentPattern struct {
	family string
	re     *regexp.Regexp
}

// agentParser reads User-Agent headers.
type agentParser struct{ browsers, systems []agentPattern }

func newAgentParser() *agentParser {
	const v = `[/ ]?(\d+)?(?:[._](\d+))?(?:[._](\d+))?`
	compile := func(list ...string) []agentPattern {
		var out []agentPattern
		for i := 0; i+1 < len(list); i += 2 {
			out = append(out, agentPattern{list[i], regexp.MustCompile(list[i+1])})
		}
		return out
	}
	return &agentParser{
		// What poses as another comes first.
		browsers: compile(
			"Googlebot", `Googlebot`+v, "bingbot", `bingbot`+v, "Edge Mobile", `Edg(?:A|iOS)`+v, "Edge", `Edge?`+v, "Opera", `(?:OPR|Opera)`+v, "Samsung Internet", `SamsungBrowser`+v,
			"Vivaldi", `Vivaldi`+v, "Yandex Browser", `YaBrowser`+v, "Firefox iOS", `FxiOS`+v, "Chrome Mobile iOS", `CriOS`+v, "HeadlessChrome", `HeadlessChrome`+v, "Electron", `Electron`+v,
			"Firefox", `Firefox`+v, "Chrome Mobile", `Chrome/(\d+)(?:\.(\d+))?(?:\.(\d+))?.* Mobile`, "Chrome", `Chrome`+v,
			"Mobile Safari", `Version/(\d+)(?:\.(\d+))?(?:\.(\d+))? Mobile/.*Safari`, "Android", `Android`+v+`.*Version/`, "Safari", `Version/(\d+)(?:\.(\d+))?(?:\.(\d+))?.*Safari`,
			"IE", `MSIE`+v, "IE", `Trident/.*rv:(\d+)(?:\.(\d+))?()`,
			"curl", `^curl`+v, "Wget", `^Wget`+v, "Python Requests", `python-requests`+v, "Python-urllib", `Python-urllib`+v, "aiohttp", `aiohttp`+v, "Go-http-client", `Go-http-client`+v,
			"okhttp", `okhttp`+v, "Java", `^Java`+v, "PowerShell", `PowerShell`+v, "axios", `axios`+v, "PostmanRuntime", `PostmanRuntime`+v),
		systems: compile(
			"Windows Phone", `Windows Phone(?: OS)?`+v, "Windows", `Windows NT`+v, "Windows", `Windows (\d+|XP|Vista)()()`, "iOS", `(?:iPhone|iPad|iPod).*? OS`+v, "iOS", `iPhone|iPad|iPod`,
			"Mac OS X", `Mac OS X`+v, "Android", `Android`+v, "Chrome OS", `CrOS \S+`+v, "Ubuntu", `Ubuntu`+v, "Fedora", `Fedora`+v, "FreeBSD", `FreeBSD`+v, "Linux", `Linux`),
	}
}

// agentPart is a family with its version, as parse_user_agent() gives it.
type agentPart struct {
	Family       string
	MajorVersion string
	MinorVersion string
	Patch        string
}

type agentSystem struct {
	agentPart
	PatchMinor string
}

type agentDevice struct{ Family, Brand, Model string }

func match(list []agentPattern, s string) agentPart {
	for _, p := range list {
		if m := p.re.FindStringSubmatch(s); m != nil {
			m = append(m, "", "", "")
			return agentPart{p.family, m[1], m[2], m[3]}
		}
	}
	return agentPart{Family: "Other"}
}

// windows are the names of the versions of Windows NT.
var windowsNames = [...][2]string{{"10.0", "10"}, {"6.3", "8.1"}, {"6.2", "8"}, {"6.1", "7"}, {"6.0", "Vista"}, {"5.1", "XP"}, {"5.2", "XP"}}

// parse lowers parse_user_agent(agent, what); what is a JSON string or array
// of browser, os and device.
func (p *agentParser) parse(agent, what string) (string, bool) {
	out := map[string]any{}
	if strings.Contains(what, `"browser"`) {
		out["Browser"] = match(p.browsers, agent)
	}
	if strings.Contains(what, `"os"`) {
		s := agentSystem{agentPart: match(p.systems, agent)}
		if s.Family == "Windows" {
			for _, n := range windowsNames {
				if s.MajorVersion+"."+s.MinorVersion == n[0] {
					s.MajorVersion, s.MinorVersion, _ = strings.Cut(n[1], ".")
				}
			}
		}
		out["OperatingSystem"] = s
	}
	if strings.Contains(what, `"device"`) {
		d := agentDevice{Family: "Other"}
		switch {
		case strings.Contains(agent, "iPhone"):
			d = agentDevice{"iPhone", "Apple", "iPhone"}
		case strings.Contains(agent, "iPad"):
			d = agentDevice{"iPad", "Apple", "iPad"}
		case strings.Contains(agent, "Macintosh"):
			d = agentDevice{"Mac", "Apple", "Mac"}
		case strings.Contains(agent, "bot") || strings.Contains(agent, "spider"):
			d = agentDevice{"Spider", "Spider", "Desktop"}
		}
		out["Device"] = d
	}
	b, err := json.Marshal(out)
	return string(b), err == nil && len(out) > 0
}
