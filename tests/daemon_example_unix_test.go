//go:build unix

package tests

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/lipc/ipc/tests/project"
	"github.com/stretchr/testify/require"
)

// daemons builds the example daemon as it was with package net, and as it is with this package. Every user can run them.
func daemons(t *testing.T) map[string]string {
	t.Helper()
	if !onLinux {
		facility.Missing(t, "SO_PEERCRED, unix(7), which the daemon that uses package net asks for")
	}
	before := filepath.Join(leakcheck.Dir(t), "before")
	project.MustRun(t, filepath.Join(project.Root(t), "examples/daemon/before"), nil, "go", "build", "-o", before, ".")
	after := buildExample(t, "daemon")
	for _, program := range []string{before, after} {
		require.NoError(t, os.Chmod(filepath.Dir(program), 0o755))
	}
	return map[string]string{"before": before, "after": after}
}

// socketsIn returns the socket files below a directory.
func socketsIn(t *testing.T, dir string) (sockets []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type() == fs.ModeSocket {
			sockets = append(sockets, path)
		}
		return err
	}))
	return sockets
}

func TestDaemonDoesTheSameWithNetAndWithThisPackage(t *testing.T) {
	leakcheck.Start(t)
	for what, program := range daemons(t) {
		dir := privateRuntimeDirectory(t)
		start := func() *process {
			server := startExample(t, program, "serve", "app")
			server.expect("listening")
			return server
		}
		requireAnswer := func() {
			client := exec.Command(program, "ask", "app", "a question")
			output, err := client.Output()
			require.NoError(t, err, what)
			require.Equal(t, "hello, process "+strconv.Itoa(client.Process.Pid)+": a question\n", string(output), what)
		}
		mask := syscall.Umask(0)
		server := start()
		syscall.Umask(mask)
		requireAnswer()
		for path := socketsIn(t, dir)[0]; path != dir; path = filepath.Dir(path) {
			info, err := os.Stat(path)
			require.NoError(t, err)
			require.Zero(t, info.Mode().Perm()&0o077, "%s: %s", what, path)
		}
		second, err := exec.Command(program, "serve", "app").CombinedOutput()
		require.Error(t, err, what)
		require.Contains(t, string(second), "in use", what)
		requireAnswer()

		server.kill()
		require.Len(t, socketsIn(t, dir), 1, "%s: a crash leaves the file behind", what)
		require.Error(t, exec.Command(program, "ask", "app", "a question").Run(), what)
		server = start()
		requireAnswer()
		server.terminate()
		require.Empty(t, socketsIn(t, dir), what)
		os.Remove(filepath.Join(dir, "daemon/app.lock")) // which the one with package net leaves
	}
}

func TestDaemonAnswersNoOtherUserWithNetNorWithThisPackage(t *testing.T) {
	leakcheck.Start(t)
	user := anotherUser(t)
	for what, program := range daemons(t) {
		dir := privateRuntimeDirectory(t)
		require.NoError(t, os.Chown(dir, int(user.Uid), int(user.Gid)))
		cmd := exec.Command(program, "serve", "app")
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: user}
		server := startCommand(t, cmd)
		server.expect("listening")
		c, err := net.Dial("unix", socketsIn(t, dir)[0]) // root passes any mode
		require.NoError(t, err)
		require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
		c.Write([]byte("a question\n"))
		answer, err := io.ReadAll(c)
		require.True(t, err == nil || errors.Is(err, syscall.ECONNRESET), "%s: %v", what, err)
		require.Empty(t, answer, what)
		require.NoError(t, c.Close())
		server.terminate()
		os.Remove(filepath.Join(dir, "daemon/app.lock"))
	}
}
