package app

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"picket"
)

// contentDirs are the folders of shipped content that a data folder gets a copy of.
var contentDirs = []string{"rules", "automation", "playbooks"}

// installContent copies the shipped rules, automation rules and playbooks into
// a data folder that has none yet. What is there is the user's and stays.
func installContent(data string) error {
	for _, dir := range contentDirs {
		to := filepath.Join(data, dir)
		if _, err := os.Stat(to); err == nil {
			continue
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
		// Under another name first: a folder that is there is whole.
		part := to + ".part"
		if err := os.RemoveAll(part); err != nil {
			return err
		}
		sub, err := fs.Sub(picket.Content, dir)
		if err != nil {
			return err
		}
		if err := os.CopyFS(part, sub); err != nil {
			return fmt.Errorf("install %s: %w", dir, err)
		}
		if err := os.Rename(part, to); err != nil {
			return fmt.Errorf("install %s: %w", dir, err)
		}
	}
	return nil
}
