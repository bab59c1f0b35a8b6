//go:build unix

// Package packaging tests what is built, installed and documented: none of it depends on how the Go package is compiled,
// so it is apart from the tests that are run in several builds.
package packaging

import (
	"cmp"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// repository is the root of this repository.
func repository(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	return root
}

// run runs a program in a directory, with more environment, and returns what it printed.
func run(t *testing.T, dir string, env []string, program string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	output, err := cmd.CombinedOutput()
	return string(output), err
}

// mustRun is run for what has to succeed.
func mustRun(t *testing.T, dir string, env []string, program string, args ...string) string {
	t.Helper()
	output, err := run(t, dir, env, program, args...)
	require.NoError(t, err, "%s %s\n%s", program, strings.Join(args, " "), output)
	return output
}

// need reports whether a program is there; in CI on Linux it must be.
func need(t *testing.T, program string) {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		if runtime.GOOS == "linux" {
			require.Empty(t, os.Getenv("CI"), "%s is not installed", program)
		}
		t.Skipf("%s is not installed", program)
	}
}

// maker and compiler are the programs that "make test" was told to use.
func maker() string    { return cmp.Or(os.Getenv("MAKE"), "make") }
func compiler() string { return cmp.Or(os.Getenv("CC"), "cc") }

// filesIn lists what is below a directory, folders left out.
func filesIn(t *testing.T, dir string) (files []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			files = append(files, strings.TrimPrefix(path, dir+"/"))
		}
		return err
	}))
	return files
}
