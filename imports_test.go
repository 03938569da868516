package picket

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// layers is the dependency rule: a package imports only packages of earlier
// lines; packages of one line never import each other.
var layers = [][]string{
	{"picket", "picket/address", "picket/kql/syntax"},
	{"picket/kql"},
	{"picket/workspace", "picket/state"},
	{"picket/ingest", "picket/collection", "picket/analytics", "picket/incident", "picket/playbook", "picket/reputation", "picket/deception", "picket/response", "picket/library"},
	{"picket/server", "picket/agent"},
	{"picket/app"},
	{"picket/cmd/picket"},
}

// The test reads the files itself rather than asking the go command, so that
// the test cache sees its inputs.
func TestImports(t *testing.T) {
	layer := map[string]int{}
	for i, line := range layers {
		for _, p := range line {
			layer[p] = i
		}
	}
	err := filepath.WalkDir(".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); name != "." && (strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules" || base == "bin") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		pkg := path.Join("picket", filepath.ToSlash(filepath.Dir(name)))
		from, ok := layer[pkg]
		if !ok {
			t.Errorf("%s: package %s is in no layer: place it, or fold it into a neighbour", name, pkg)
			return nil
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imp := range f.Imports {
			to, err := strconv.Unquote(imp.Path.Value)
			if err != nil {
				return err
			}
			if l, ours := layer[to]; ours && l >= from {
				t.Errorf("%s: %s must not import %s", name, pkg, to)
			} else if !ours && (to == "picket" || strings.HasPrefix(to, "picket/")) {
				t.Errorf("%s: imports %s, which is in no layer", name, to)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
