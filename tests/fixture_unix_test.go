//go:build unix

package tests

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// newPath returns a name in a directory of the test's own.
func newPath(t *testing.T) ipc.Name {
	t.Helper()
	return ipc.Path(filepath.Join(leakcheck.Dir(t), "s"))
}

// passesFiles reports whether messages can have files.
const passesFiles = true

// onWine is for Windows.
const onWine = false

// startsAtTimes reports whether a process that did not start is worth another attempt.
func startsAtTimes(error) bool { return false }

// idleConnections is how many connections are kept at a time.
const idleConnections = 10_000

// systemChildren are the children that only this system can run.
var systemChildren = map[string]child{
	"ancillary":   ancillaryChild,
	"in flight":   inFlightChild,
	"receiver":    receiverChild,
	"signals":     signalsChild,
	"fifo writer": fifoWriterChild,
	"activated":   activatedChild,
	"policies":    policiesChild,
	"squatter":    squatterChild,
}

// requireNameGone requires that nothing is left of a name.
func requireNameGone(t *testing.T, name ipc.Name) {
	t.Helper()
	if name.Type() == ipc.PathNames {
		require.NoFileExists(t, name.String())
		require.NoFileExists(t, name.String()+".lock")
	}
}

// systemWaits returns the ways to wait that only this system has, for waits.
func systemWaits(t *testing.T) map[string]wait {
	t.Helper()
	f, err := listen(t, newPath(t)).File()
	require.NoError(t, err)
	defer f.Close()
	adopted, err := ipc.FileListener(f)
	require.NoError(t, err)
	t.Cleanup(func() { adopted.Close() })
	return map[string]wait{"accept ipc": {
		func() error { _, err := adopted.AcceptConn(context.Background()); return err }, adopted.SetDeadline, adopted.Close,
	}}
}

// plainRead reads as any program does, from a descriptor that it was given.
func plainRead(fd uint64, b []byte) (int, error) { return syscall.Read(int(fd), b) }

// plainWrite writes as any program does.
func plainWrite(fd uint64, b []byte) (int, error) { return syscall.Write(int(fd), b) }

// fill writes until the connection takes no more.
func fill(t *testing.T, c *ipc.Conn) {
	t.Helper()
	raw, err := c.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) {
		for err == nil {
			_, err = syscall.Write(int(fd), make([]byte, 4096))
		}
	}))
	require.ErrorIs(t, err, syscall.EAGAIN)
}

func requireCloseOnExec(t *testing.T, conn syscall.Conn) {
	t.Helper()
	raw, err := conn.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) {
		flags, _, errno := syscall.Syscall(syscall.SYS_FCNTL, fd, syscall.F_GETFD, 0)
		if errno != 0 || flags&syscall.FD_CLOEXEC == 0 {
			t.Errorf("%T is not close-on-exec: %v", conn, errno)
		}
	}))
}

// descriptorOf returns a file's descriptor.
func descriptorOf(t *testing.T, f *os.File) (number int) {
	t.Helper()
	raw, err := f.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) { number = int(fd) }))
	return number
}

// fillPipe writes until the pipe takes no more.
func fillPipe(t *testing.T, w *ipc.PipeWriter) {
	t.Helper()
	raw, err := w.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) {
		for err == nil {
			_, err = syscall.Write(int(fd), make([]byte, 4096))
		}
	}))
	require.ErrorIs(t, err, syscall.EAGAIN)
}

// statusFlags returns a descriptor, and its flags as fcntl(2) has them, such as O_NONBLOCK.
func statusFlags(t *testing.T, c syscall.Conn) (fd, flags int) {
	t.Helper()
	raw, err := c.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(number uintptr) {
		got, _, errno := syscall.Syscall(syscall.SYS_FCNTL, number, syscall.F_GETFL, 0)
		require.Zero(t, errno)
		fd, flags = int(number), int(got)
	}))
	return fd, flags
}

// listening returns what of a listener has a descriptor.
func listening(l *ipc.Listener) []syscall.Conn { return []syscall.Conn{l} }

// startAs runs a child as another user (nil: as this one).
func startAs(t *testing.T, user *syscall.Credential, name string, args ...string) *process {
	t.Helper()
	return startWith(t, as(t, user), name, args...)
}

// as returns a function that has a command run as another user (nil: as this one).
func as(t *testing.T, user *syscall.Credential) func(*exec.Cmd) {
	t.Helper()
	return func(cmd *exec.Cmd) {
		if user == nil {
			return
		}
		path := filepath.Join(leakcheck.Dir(t), "program") // the user may not be able to read the program where it is
		copyFile(t, cmd.Path, path)
		require.NoError(t, os.Chmod(filepath.Dir(path), 0o755))
		cmd.Path = path
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: user}
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, content, 0o755))
}

// anotherUser returns credentials to run a process with. The test needs root for that.
func anotherUser(t *testing.T) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		facility.Missing(t, "root, to become another user: setuid(2)")
	}
	return &syscall.Credential{Uid: 65534, Gid: 65534}
}

// unprivileged returns another user if this one is root, and nil otherwise, which stands for this one.
func unprivileged(t *testing.T) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	return anotherUser(t)
}

// privateRuntimeDirectory gives this process a runtime directory of its own, which goes with the test.
func privateRuntimeDirectory(t *testing.T) (dir string) {
	t.Helper()
	dir = leakcheck.Dir(t)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	return dir
}

// setRealUser makes the effective user of this process its real and saved one. Returns the real user.
func setRealUser() int {
	if err := syscall.Setreuid(os.Geteuid(), os.Geteuid()); err != nil {
		panic(err)
	}
	return os.Getuid()
}
