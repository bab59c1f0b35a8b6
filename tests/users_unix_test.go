//go:build unix

package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// startAs runs a role as another user (nil: as this one).
func startAs(t *testing.T, user *syscall.Credential, role string, args ...string) *process {
	t.Helper()
	return startWith(t, as(t, user), role, args...)
}

// as completes a command so that it runs as another user (nil: as this one).
func as(t *testing.T, user *syscall.Credential) func(*exec.Cmd) {
	t.Helper()
	return func(cmd *exec.Cmd) {
		if user == nil {
			return
		}
		path := filepath.Join(leakcheck.Dir(t), "program") // they may not be able to read the program where it is
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

// anotherUser returns credentials to run a process with, which takes root. In CI that must be there.
func anotherUser(t *testing.T) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		require.Empty(t, os.Getenv("CI"), "this test needs root, to become another user")
		t.Skip("needs root, to become another user")
	}
	return &syscall.Credential{Uid: 65534, Gid: 65534}
}
