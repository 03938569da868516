package main

import (
	"fmt"
	"io"
	"os"
	"syscall"
)

// readable says why a log file cannot be read, before anything is done.
func readable(path string) error {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO would wait for its writer
	if err != nil {
		return err
	}
	defer f.Close()
	// Read as text it would be a log in which nothing happened.
	if head := make([]byte, 2); isRegular(f) {
		if _, err := io.ReadFull(f, head); err == nil && head[0] == 0x1f && head[1] == 0x8b {
			return fmt.Errorf("%s is compressed: unpack it first, for example with zcat", path)
		}
	}
	return nil
}

func isRegular(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode().IsRegular()
}
