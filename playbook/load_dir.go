package playbook

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// LoadDir reads every .json, .yaml and .yml file of dir, sorted by name. A file
// that is no good stops only itself: its problems are in the error, joined with
// those of the others. Of two playbooks with one name the second is refused.
func LoadDir(fsys fs.FS, dir string) ([]*Playbook, error) {
	entries, err := fs.ReadDir(fsys, dir)
	if err != nil {
		return nil, fmt.Errorf("read the playbooks: %w", err)
	}
	var playbooks []*Playbook
	var errs []error
	byName := map[string]string{}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); e.IsDir() || ext != ".json" && ext != ".yaml" && ext != ".yml" {
			continue
		}
		file := dir + "/" + e.Name() // as fs wants it
		data, err := fs.ReadFile(fsys, file)
		if err != nil {
			errs = append(errs, fmt.Errorf("read the playbooks: %w", err))
			continue
		}
		p, err := Load(file, data)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		if other, ok := byName[strings.ToLower(p.Name)]; ok {
			errs = append(errs, fmt.Errorf("%s: there is a playbook of this name already, %s; expected a file name of its own", file, other))
			continue
		}
		byName[strings.ToLower(p.Name)] = file
		playbooks = append(playbooks, p)
	}
	return playbooks, errors.Join(errs...)
}
