package kql

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"picket/kql/syntax"
)

// kustoBinder is the folder in which Microsoft's binder runs under Node.
var kustoBinder = filepath.Join("syntax", "testdata", "kusto")

// runKusto runs a script there, or skips the test where it is not installed.
func runKusto(t testing.TB, in []byte, script string, args ...string) []byte {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Skip("no node: make setup installs it")
	}
	if _, err := os.Stat(filepath.Join(kustoBinder, "node_modules", "@kusto")); err != nil {
		t.Skipf("Microsoft's binder is not installed (make setup does it): %v", err)
	}
	cmd := exec.Command(node, append([]string{script}, args...)...)
	cmd.Dir, cmd.Stdin, cmd.Stderr = kustoBinder, bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("node %s: %v", script, err)
	}
	return out
}

// binding is what Microsoft's binder says of a query.
type binding struct {
	Columns [][2]string // name, type
	Error   string
}

// bindKusto binds queries over the tables of cat.
func bindKusto(t testing.TB, cat testCatalog, queries []string) []binding {
	t.Helper()
	schema := map[string][][2]string{}
	for name, tab := range cat {
		for _, c := range tab.Columns {
			schema[name] = append(schema[name], [2]string{c.Name, c.Type.String()})
		}
	}
	b, err := json.Marshal(schema)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "schema.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	var in bytes.Buffer
	enc := json.NewEncoder(&in)
	for _, q := range queries {
		if err := enc.Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	var all []binding
	sc := bufio.NewScanner(bytes.NewReader(runKusto(t, in.Bytes(), "bind.js", file)))
	sc.Buffer(nil, 1<<20)
	for sc.Scan() {
		var x binding
		if err := json.Unmarshal(sc.Bytes(), &x); err != nil {
			t.Fatalf("%s: %v", sc.Bytes(), err)
		}
		all = append(all, x)
	}
	if err := sc.Err(); err != nil || len(all) != len(queries) {
		t.Fatalf("%d answers to %d queries: %v", len(all), len(queries), err)
	}
	return all
}

// bindOurs is bindKusto by Compile.
func bindOurs(cat testCatalog, query string) binding {
	q, err := Compile(query, cat, Options{Now: testNow})
	if err != nil {
		var d syntax.Diagnostics
		if errors.As(err, &d) {
			return binding{Error: d[0].Msg}
		}
		return binding{Error: err.Error()}
	}
	var out binding
	for _, c := range q.Columns {
		out.Columns = append(out.Columns, [2]string{c.Name, c.Type.String()})
	}
	return out
}

// kustoFunction is a function, aggregate or plugin that Microsoft's binder knows.
type kustoFunction struct {
	Kind, Name string
	Hidden     bool
	Signatures [][]kustoParameter
}

type kustoParameter struct {
	Types    []string // where Kind says that they are declared
	Kind     int      // ParameterTypeKind
	Min, Max int
	Literal  bool
	Values   []string
}

func kustoFunctions(t testing.TB) []kustoFunction {
	var all []kustoFunction
	if err := json.Unmarshal(runKusto(t, nil, "functions.js"), &all); err != nil {
		t.Fatal(err)
	}
	if len(all) < 400 {
		t.Fatalf("only %d functions", len(all))
	}
	return all
}

// TestEveryNameIsKnown holds every documented function, aggregate and plugin to
// be there, or to be refused with a reason: none is an unknown name.
func TestEveryNameIsKnown(t *testing.T) {
	// What stands in a query of its own kind, or is no call.
	elsewhere := map[string]string{
		"cluster": `cluster("c").database("d").T`, "database": `database("d").T`,
	}
	for _, f := range kustoFunctions(t) {
		if f.Hidden {
			continue
		}
		src := "print " + f.Name + "()"
		switch {
		case elsewhere[f.Name] != "":
			src = elsewhere[f.Name]
		case f.Kind == "aggregate":
			src = "print x = 1 | summarize " + f.Name + "()"
		case f.Kind == "plugin":
			src = "print x = 1 | evaluate " + f.Name + "()"
		}
		_, err := Compile(src, noTables{}, Options{Now: testNow})
		if err != nil && (strings.Contains(err.Error(), "no function named") || strings.Contains(err.Error(), "no plugin named")) {
			t.Errorf("%s %s: %v", f.Kind, f.Name, err)
		}
	}
	for name := range refusedFunctions {
		if _, ok := lookupScalar(name); ok {
			t.Errorf("%s() is refused and in the function table", name)
		}
	}
}
