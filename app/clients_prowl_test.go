package app

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"picket/reputation"
)

// The clients of Lupovis Prowl are small programs around the HTTP libraries axios and
// requests. Those of testdata ask with these libraries as the clients do, and read the
// answers as these do; see the comments there.

// prowlLab is a server that knows one bad address, for a key of the scope lookup.
func prowlLab(t *testing.T) lab {
	t.Helper()
	cfg := testConfig(t)
	cfg.NoProviders = true
	a, _ := start(t, cfg)
	known := `{"ip":"51.89.153.112","ttps":["known-apache-attack","known-ssh-attack"],"as_organization":"None & \"True\"","sources":["snare"]}`
	if _, err := a.Reputation.Import(t.Context(), strings.NewReader(known), "known"); err != nil {
		t.Fatal(err)
	}
	_, key, err := a.Reputation.CreateKey(t.Context(), reputation.NewKey{Name: "prowl", Scopes: []string{reputation.ScopeLookup}})
	if err != nil {
		t.Fatal(err)
	}
	return lab{a, key.Reveal(), cfg.Data}
}

func TestProwlNodeClient(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed")
	}
	if _, err := os.Stat("testdata/npm/node_modules/axios"); err != nil {
		t.Skip("the npm packages are not installed: make setup")
	}
	const want = `{"bad": ["51.89.153.112", ["known-ssh-attack", "known-apache-attack"]], "clean": {"ip": "8.8.8.8", "ttps": []}, "ipv6": {"ip": "2a00::1", "ttps": []},
		"private": {"ip": "10.0.0.1", "ttps": []}, "invalid": [400, "Invalid IP address"], "empty": [400, "Invalid IP address"], "wrong key": [403, "Forbidden"]}`
	prowlLab(t).run(t, `{"base": `+want+`, "base/": `+want+`}`, "node", "testdata/npm/prowl.mjs")
}

func TestProwlPythonClients(t *testing.T) {
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import requests").Run(); err != nil {
		t.Skip("python3-requests is not installed: make setup")
	}
	prowlLab(t).run(t, `{
		"batch": [["51.89.153.112", true], ["8.8.8.8", true], ["", false], ["2a00::1", true], ["nonsense", false], ["", false]],
		"analyzer": [["malicious", "known-ssh-attack"], ["safe", "No known malicious activity"], 400, ["safe", "No known malicious activity"], 400, 400],
		"blocker": [["known-ssh-attack", "known-apache-attack"], [], [], "KeyError"],
		"plugin": ["known-ssh-attack, known-apache-attack", "", ""]}`, python, "testdata/prowl.py")
}
