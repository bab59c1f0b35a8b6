//go:build unix

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// newName returns a name that nobody else uses. Nothing may be left of it.
func newName(t *testing.T) string {
	t.Helper()
	return filepath.Join(leakcheck.Dir(t), "s")
}

func startsAtTimes(error) bool { return false }

// requireNothingLeft wants a listener to have removed its files.
func requireNothingLeft(t *testing.T, name string) {
	t.Helper()
	requireFiles(t, filepath.Dir(name))
}

// interrupt is Ctrl-C, for the process alone.
func (p *process) interrupt() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(os.Interrupt))
}

// anotherUser completes a command to run as nobody, which takes root. In CI that must be there.
func anotherUser(t *testing.T) func(*exec.Cmd) {
	t.Helper()
	if os.Geteuid() != 0 {
		facility.Missing(t, "root, to become another user: setuid(2)")
	}
	path := filepath.Join(leakcheck.Dir(t), "program") // nobody may not be able to read the program where it is
	require.NoError(t, os.Chmod(filepath.Dir(path), 0o755))
	return func(cmd *exec.Cmd) {
		content, err := os.ReadFile(cmd.Path)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, content, 0o755))
		cmd.Path = path
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
}

// needs finds a program, which CI must have.
func needs(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		facility.Missing(t, "the program "+program)
	}
	return path
}

// newUserName returns a user's name that nobody else uses, in a directory of the test's own.
func newUserName(t *testing.T) string {
	t.Helper()
	t.Setenv("XDG_RUNTIME_DIR", leakcheck.Dir(t))
	return "user:x"
}
