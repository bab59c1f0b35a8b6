// Package project runs programs on this repository for tests: its own builds, compilers, other languages.
package project

import (
	"cmp"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lipc/ipc/tests/facility"
	"github.com/stretchr/testify/require"
)

// Root returns the root of this repository.
func Root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd() // of the package under test
	require.NoError(t, err)
	for {
		if _, err := os.Stat(filepath.Join(dir, "include", "lipc.h")); err == nil {
			return dir
		}
		require.NotEqual(t, filepath.Dir(dir), dir, "tests run within the repository")
		dir = filepath.Dir(dir)
	}
}

// Run runs a program in a directory, with more environment, and returns what it printed.
func Run(t *testing.T, dir string, env []string, program string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.Env = append(append(os.Environ(), "GOFLAGS=", "GOWORK=off"), env...)
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// MustRun is Run of a program that has to succeed.
func MustRun(t *testing.T, dir string, env []string, program string, args ...string) string {
	t.Helper()
	output, err := Run(t, dir, env, program, args...)
	require.NoError(t, err, "%s %s\n%s", program, strings.Join(args, " "), output)
	return output
}

// InRoot is MustRun in the root of the repository.
func InRoot(t *testing.T, program string, args ...string) string {
	t.Helper()
	return MustRun(t, Root(t), nil, program, args...)
}

// Need skips a test if a program that it needs is missing, see facility.Missing.
func Need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		facility.Missing(t, "the program "+program)
	}
}

// Make and Compiler are the programs that "make test" was told to use.
func Make() string     { return cmp.Or(os.Getenv("MAKE"), "make") }
func Compiler() string { return cmp.Or(os.Getenv("CC"), "cc") }

// FilesIn lists the files below a directory, without folders.
func FilesIn(t *testing.T, dir string) (files []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	}))
	return files
}
