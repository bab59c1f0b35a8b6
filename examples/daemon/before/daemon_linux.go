package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

func ownUser() (string, error) { return strconv.Itoa(os.Geteuid()), nil }

// location returns the path of a socket, in a directory that no other user can enter.
func location(name string) (string, error) {
	dir := fmt.Sprintf("/tmp/daemon-%d", os.Geteuid())
	if runtime := os.Getenv("XDG_RUNTIME_DIR"); runtime != "" {
		dir = filepath.Join(runtime, "daemon")
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	// Another user may have been first.
	if !info.IsDir() || info.Mode().Perm() != 0o700 || info.Sys().(*syscall.Stat_t).Uid != uint32(os.Geteuid()) {
		return "", fmt.Errorf("%s: %w", dir, fs.ErrPermission)
	}
	return filepath.Join(dir, filepath.Base(name)), nil
}

// A locked listener holds the lock that says that its server lives.
type locked struct {
	net.Listener
	lock *os.File
}

func (l locked) Close() error {
	err := l.Listener.Close() // removes the socket file, while the lock is held
	l.lock.Close()
	return err
}

func listen(name string) (net.Listener, error) {
	path, err := location(name)
	if err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600) // stays: removing it would be a race
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		return nil, fmt.Errorf("%s: %w", path, syscall.EADDRINUSE)
	}
	os.Remove(path) // the file of a server that crashed
	l, err := net.Listen("unix", path)
	if err == nil {
		err = os.Chmod(path, 0o600) // until then the mode is what the umask leaves
		if err != nil {
			l.Close()
		}
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return locked{l, lock}, nil
}

func dial(ctx context.Context, name string) (net.Conn, error) {
	path, err := location(name)
	if err != nil {
		return nil, err
	}
	for {
		c, err := new(net.Dialer).DialContext(ctx, "unix", path)
		if !errors.Is(err, syscall.EAGAIN) {
			return c, err
		}
		select { // until there is room in the server's backlog
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func clientOf(c net.Conn) (peer, error) { return peerOf(c) }
func serverOf(c net.Conn) (peer, error) { return peerOf(c) }

func peerOf(c net.Conn) (peer, error) {
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return peer{}, err
	}
	var cred *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err = errors.Join(err, failed); err != nil {
		return peer{}, err
	}
	return peer{int(cred.Pid), strconv.Itoa(int(cred.Uid))}, nil
}
