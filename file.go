package picket

import (
	"errors"
	"os"
	"path/filepath"
)

// WriteFile replaces a file as a whole: it is the old one, or all of the new one,
// also after a power cut. What it writes first has the ending .part; one that a
// crash has left is written over. A file is for one writer at a time.
func WriteFile(path string, data []byte, mode os.FileMode) error {
	part := path + ".part"
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part))
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
