package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// How commands answer when they are called wrongly, or asked for help.
func TestCommandLine(t *testing.T) {
	dir := t.TempDir()
	absent := filepath.Join(dir, "absent")
	f := func(code int, onOut, onErr string, args ...string) {
		t.Helper()
		out, errs, got := runPicket(t, "", args...)
		if got != code || !strings.Contains(out, onOut) || !strings.Contains(errs, onErr) {
			t.Errorf("picket %s: exit code %d, want %d\nstdout: %s\nstderr: %s", strings.Join(args, " "), got, code, out, errs)
		}
		if (onOut == "" && out != "") || (onErr == "" && errs != "") {
			t.Errorf("picket %s: also says\n%s%s", strings.Join(args, " "), out, errs)
		}
		if n := strings.Count(errs, onErr); onErr != "" && n != 1 {
			t.Errorf("picket %s: says %d times %q", strings.Join(args, " "), n, onErr)
		}
	}
	f(2, "", "which command?")
	f(2, "", `unknown command "nope"`, "nope")
	for _, c := range []string{"help", "--help", "key --help", "reputation -h", "incident help"} {
		f(0, "Usage:", "", strings.Fields(c)...)
	}
	for _, c := range []string{"demo", "serve", "query", "kql", "key create", "key list", "key revoke", "reputation import", "incident list"} {
		f(0, "Flags of picket "+c, "", append(strings.Fields(c), "--help")...)
		f(2, "", "provided but not defined: -nope", append(strings.Fields(c), "--nope")...)
	}
	f(2, "", "want create, list, rotate, revoke or shared", "key")
	f(2, "", `unknown "make"`, "key", "make")
	f(2, "", "takes 1 operand", "key", "revoke", "--data", dir)
	// A wrong format is told before anything is asked.
	f(2, "", `unknown format "xml"`, "query", "--data", absent, "--format", "xml", "Syslog")
	f(2, "", `unknown format "xml"`, "incident", "list", "--data", absent, "--format", "xml")
	// Only what is meant to make a folder makes one.
	f(1, "", "no Picket server is running", "query", "--data", absent, "print 1")
	f(1, "", "no Picket server is running", "key", "revoke", "--data", absent, "pk_x")
	f(1, "", "no Picket server is running", "key", "list", "--data", absent)
	if _, err := os.Stat(absent); err == nil {
		t.Error("a mistyped folder was made")
	}
	f(0, "pk_", "only time the key is shown", "key", "create", "--data", dir)
	f(0, "1 row", "", "key", "list", "--data", dir)
	f(0, "pk_", "only time the key is shown", "key", "create", "--data", dir, "--expires", "90d")
	f(0, "valid until 2", "", "key", "list", "--data", dir)
	f(0, "pk_", "only time the key is shown", "key", "create", "--data", dir, "--per-day", "100", "--per-second", "2.5")
	f(0, "100/day, 2.5/s", "", "key", "list", "--data", dir)
	f(1, "", "limits of a key are not negative", "key", "create", "--data", dir, "--per-day", "-1")
	f(2, "", "is no time", "key", "create", "--data", dir, "--expires", "soon")
	f(1, "", "no API key has the id", "key", "rotate", "--data", dir, "pk_x")
	f(1, "", "no API key has the id", "key", "revoke", "--data", dir, "../x")
}

func TestServerURL(t *testing.T) {
	t.Setenv("PICKET_URL", "localhost:8480")
	if _, err := connect(""); err == nil || !strings.Contains(err.Error(), "http://127.0.0.1:8480") {
		t.Errorf("a URL without a scheme: %v", err)
	}
}

// An answer that could not be written is no success.
func TestFullOutput(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip(err)
	}
	defer full.Close()
	for _, args := range [][]string{{"kql"}, {"kql", "--batch"}, {"key", "create", "--data", t.TempDir()}} {
		cmd := command(t, args...)
		cmd.Stdout = full
		cmd.Stdin = strings.NewReader(map[bool]string{true: `{"id":1,"query":"print 1"}`, false: "print 1"}[len(args) == 2])
		if err := cmd.Run(); cmd.ProcessState.ExitCode() != 1 {
			t.Errorf("picket %s > /dev/full: %v, want exit code 1", strings.Join(args, " "), err)
		}
	}
}

// What is not declared is a warning where nothing is run, and an error else.
func TestCompileOnly(t *testing.T) {
	schema := filepath.Join(t.TempDir(), "schema.json")
	if err := os.WriteFile(schema, []byte(`{"Syslog":[["Computer","string"]]}`), 0o600); err != nil {
		t.Fatal(err)
	}
	in := `{"id":1,"query":"Syslog | where Computr == 'x' | distinct Computer","compile_only":true}` + "\n" +
		`{"id":2,"query":"Syslog | where Computr == 'x' | distinct Computer"}` + "\n" +
		`{"id":3,"query":"Syslog | where Computer > 3","compile_only":true}` + "\n" +
		`{"id":4,"query":"Syslog","compile_only":true}` + "\n"
	out, errs, code := runPicket(t, in, "kql", "--batch", "--schema", schema)
	if code != 0 {
		t.Fatal(errs)
	}
	lines := strings.Split(out, "\n")
	for i, want := range []string{
		`{"id":1,"columns":[{"name":"Computer","type":"string"}],"rows":[],"warnings":["1:16: table Syslog has no column named \"Computr\" (did you mean Computer?)"]}`,
		`{"id":2,"error":"1:16: there is no column named`,
		`{"id":3,"error":"1:25: cannot compare string with long`,
		`{"id":4,"columns":[{"name":"Computer","type":"string"}],"rows":[]}`,
	} {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d: got %s, want %s", i+1, lines[i], want)
		}
	}
}

// A batch names the line it cannot take, without Go's types.
func TestBatchMistakes(t *testing.T) {
	out, _, code := runPicket(t, "[1]\n{\"id\":7,\"query\":5}\n{\"id\":8,\"query\":\"print 1\"}\n", "kql", "--batch")
	if code != 0 || !strings.Contains(out, "line 1: want") || !strings.Contains(out, `{"id":8,"columns"`) || strings.Contains(out, "RawMessage") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
	_, errs, code := runPicket(t, "\n"+strings.Repeat("x", maxBatchLine+1), "kql", "--batch")
	if code != 1 || !strings.Contains(errs, "line 2, of at most 64 MiB") {
		t.Errorf("a line without end: exit code %d: %s", code, errs)
	}
}
