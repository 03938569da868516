package ingest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"syscall"
)

// listenUnix makes a datagram socket that every program of this host may write
// to, as syslog(3) does to /dev/log. A socket that nobody receives from any more
// is replaced.
func listenUnix(path string) (*net.UnixConn, error) {
	addr := &net.UnixAddr{Name: path, Net: "unixgram"}
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	case info.Mode().Type() != fs.ModeSocket:
		return nil, fmt.Errorf("%s is there and is no socket; remove it, or name another path", path)
	default:
		c, err := net.DialUnix("unixgram", nil, addr)
		if err == nil {
			c.Close()
			return nil, fmt.Errorf("another program receives from %s; stop it, or name another path", path)
		}
		if !errors.Is(err, syscall.ECONNREFUSED) {
			return nil, fmt.Errorf("%s is there, and whether a program receives from it cannot be told: %w", path, err)
		}
		if err := os.Remove(path); err != nil {
			return nil, fmt.Errorf("replace the socket that the last run has left: %w", err)
		}
	}
	c, err := net.ListenUnixgram("unixgram", addr)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(path, 0o666); err != nil {
		return nil, errors.Join(err, c.Close(), os.Remove(path))
	}
	return c, nil
}

// closeUnix closes the socket and removes its file, unless that is another's by now.
func (s *Server) closeUnix() error {
	mine, err := os.Lstat(s.opts.Socket)
	if err == nil && os.SameFile(mine, s.socketFile) {
		err = os.Remove(s.opts.Socket)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, s.socket.Close())
}

// readUnix receives from the socket until the stop. While the workspace is
// slow, writers to the socket wait, as they do for any syslog daemon.
func (s *Server) readUnix(ctx context.Context) {
	defer func() {
		if err := s.closeUnix(); err != nil && !errors.Is(err, net.ErrClosed) {
			s.opts.Log.Warn("close the syslog socket", "error", err)
		}
	}()
	got := s.newBurst(overUnix, &origin{collector: s.opts.Host, host: s.opts.Host, address: "", facility: User, severity: Notice})
	buf := make([]byte, s.opts.MaxMessage+1)
	for {
		n, err := s.socket.Read(buf)
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed) {
				return
			}
			s.opts.Log.Warn("read from the syslog socket", "error", err)
			if wait(ctx, readPause) != nil {
				return
			}
			continue
		}
		line, cut := cutDatagram(buf[:n], s.opts.MaxMessage)
		if line = trimFrame(line); len(line) > 0 {
			got.at(s.opts.Now())
			got.take(ctx, line, cut)
			got.hand(ctx) // whether more waits cannot be told
		}
	}
}
