package app

import (
	"os"
	"os/exec"
	"testing"
)

func TestNodeClients(t *testing.T) {
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed")
	}
	if _, err := os.Stat("testdata/npm/node_modules"); err != nil {
		t.Skip("the npm packages are not installed: make setup")
	}
	const kusto = `"types": [true, -5, 9007199254740991, 1.5, "1.25", "q\"\\ü", "2026-01-02T03:04:05.1234567Z", "1.02:03:04.5000000", "74be27de-1e4e-49d9-b579-fe0b331d3642", {"a":[1,"x"]}, null, ""],
		"parameters": ["it's", 42], "v1": [[1], ["PrimaryResult", "QueryProperties", "QueryCompletionInformation", "TableOfContents"]],
		"tables": [["Syslog"]], "cut": true, "syntax": [400, "Kusto.Data.Exceptions.SyntaxException"]`
	l := newLab(t)
	l.run(t, `{
		"uploads": ["done", 400, "InvalidStream"],
		"types": [true, -5, 9007199254740991, 1.5, "1.25", "q\"\\ü", "2026-01-02T03:04:05.123Z", "1.02:03:04.5000000", "74be27de-1e4e-49d9-b579-fe0b331d3642", {"a":[1,"x"]}, null, ""],
		"columns": "bool int long real decimal string datetime timespan guid dynamic long string", "statistics": 1, "render": "piechart", "timespan": 2,
		"cut": ["PartialFailure", 20000, "PartialError"], "batch": [["Success", 1], ["PartialFailure", null]], "syntax": [400, "BadArgumentError"], "late": 504,
		"https": {`+kusto+`}, "http": {`+kusto+`}}`, "node", "testdata/npm/clients.mjs")
	l.uploaded(t, "node")
}

func TestPythonClients(t *testing.T) {
	// Debian's own Python has Debian's packages.
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import azure.monitor.query, azure.monitor.ingestion, azure.kusto.data, azure.identity").Run(); err != nil {
		t.Skip("python3-azure and python3-azure-kusto-data are not installed: make setup")
	}
	const kusto = `"types": ["True", "-5", "9007199254740991", "1.5", "1.25", "q\"\\ü", "2026-01-02 03:04:05.123456+00:00", "1 day, 2:03:04.500000", "74be27de-1e4e-49d9-b579-fe0b331d3642", "{'a': [1, 'x']}", "None", ""],
		"parameters": ["it's", 42], "tables": [["Syslog"]], "cut": [20000, true], "syntax": "Kusto.Data.Exceptions.SyntaxException", "streamed": 20000, "late": 504`
	l := newLab(t)
	l.run(t, `{
		"uploads": ["done", 400, "InvalidStream"],
		"types": ["True", "-5", "9007199254740991", "1.5", "1.25", "q\"\\ü", "2026-01-02 03:04:05.123456+00:00", "1.02:03:04.5000000", "74be27de-1e4e-49d9-b579-fe0b331d3642", "{\"a\":[1,\"x\"]}", "None", ""],
		"columns": "bool int long real decimal string datetime timespan guid dynamic long string", "statistics": 1, "render": "piechart", "timespan": 2,
		"cut": ["PartialError", 20000, "PartialError"], "batch": [1, "BadArgumentError"], "syntax": 400, "late": 504,
		"https": {`+kusto+`}, "http": {`+kusto+`}}`, python, "testdata/clients.py")
	l.uploaded(t, "python")
}
