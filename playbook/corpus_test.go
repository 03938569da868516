package playbook

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"picket"
)

// TestTemplatesOfOthers loads the real templates beside the repository: each
// loads, or is refused with a place and a reason.
func TestTemplatesOfOthers(t *testing.T) {
	files, _ := filepath.Glob("../../shared/playbooks/*.json")
	if len(files) == 0 {
		t.Skip("the templates ../../shared/playbooks are not here")
	}
	loaded := 0
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		_, err = Load(filepath.Base(f), data)
		if err == nil {
			loaded++
			t.Logf("loads: %s", filepath.Base(f))
			continue
		}
		if picket.CodeOf(err) != picket.Invalid {
			t.Errorf("%s: code %q", f, picket.CodeOf(err))
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if !strings.HasPrefix(line, filepath.Base(f)+":") || len(line) > 600 {
				t.Errorf("a problem without its place, or a long one: %s", line)
			}
			t.Log(line)
		}
	}
	t.Logf("%d of %d load", loaded, len(files))
}
