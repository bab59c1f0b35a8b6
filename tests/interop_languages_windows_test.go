package tests

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// The languages that have an opener for Windows. The openers in Python and Rust are for Unix.
var languages = []string{"Go", "C", "C++"}

// builtOpeners returns a folder with the openers: OPENER_PROGRAMS if that is set, since there are no compilers under
// Wine. Otherwise it builds them.
var builtOpeners = sync.OnceValues(func() (string, error) {
	if dir := os.Getenv("OPENER_PROGRAMS"); dir != "" {
		return dir, nil
	}
	dir, err := filepath.Abs("../build/windows/openers")
	if err != nil {
		return "", err
	}
	object, system := filepath.Join(dir, "lipc.o"), []string{"-ladvapi32", "-lntdll"}
	for _, command := range [][]string{
		{"go", "build", "-o", filepath.Join(dir, "Go.exe"), "./examples/opener"},
		{"gcc", "-std=c11", "-O2", "-Iinclude", "-c", "csrc/all.c", "-o", object},
		append([]string{"gcc", "-std=c11", "-O2", "-Iinclude", "examples/c/opener.c", object, "-o",
			filepath.Join(dir, "C.exe")},
			system...),
		append([]string{"g++", "-std=c++17", "-static", "-O2", "-Iinclude", "examples/cpp/opener.cpp", object,
			"-o", filepath.Join(dir, "C++.exe")}, system...),
	} {
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Dir = ".."
		cmd.Stderr = os.Stderr
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return "", err
		}
		if err := cmd.Run(); err != nil {
			return "", err
		}
	}
	return dir, nil
})

// opener returns a command that runs the opener of a language.
func opener(t *testing.T, language string, args ...string) *exec.Cmd {
	t.Helper()
	dir, err := builtOpeners()
	require.NoError(t, err)
	return exec.Command(filepath.Join(dir, language+".exe"), args...)
}

// ask runs a reader, and returns what it printed and its exit code.
func ask(t *testing.T, language string, name ipc.Name, file string) (output string, code int) {
	t.Helper()
	for range 4 {
		cmd := opener(t, language, "read", name.String(), file)
		b, err := cmd.CombinedOutput()
		if err != nil && startsAtTimes(err) {
			continue
		}
		if cmd.ProcessState == nil {
			require.NoError(t, err)
		}
		output, code = strings.ReplaceAll(string(b), "\r", ""), cmd.ProcessState.ExitCode()
		break
	}
	return output, code
}

// serveFiles runs a server of the files in dir, until the test ends or the function that it returns is called.
func serveFiles(t *testing.T, language string, name ipc.Name, dir string) (stop func()) {
	t.Helper()
	var cmd *exec.Cmd
	var stdout io.ReadCloser
	for range 4 {
		cmd = opener(t, language, "serve", name.String(), dir)
		cmd.Stderr = os.Stderr
		var err error
		stdout, err = cmd.StdoutPipe()
		require.NoError(t, err)
		if err = cmd.Start(); err == nil || !startsAtTimes(err) {
			require.NoError(t, err)
			break
		}
	}
	stop = sync.OnceFunc(func() { // Windows has no signals
		cmd.Process.Kill()
		io.Copy(io.Discard, stdout)
		cmd.Wait()
	})
	t.Cleanup(stop)
	lines := bufio.NewScanner(stdout)
	require.True(t, lines.Scan(), "the server ended: %v", lines.Err())
	require.Equal(t, "listening on "+name.String(), lines.Text())
	return stop
}

func TestOpenersOfAllLanguagesPassFilesToEachOther(t *testing.T) {
	leakcheck.Start(t)
	dir := leakcheck.Dir(t)
	content := strings.Repeat("what is in it\n", 10_000)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), []byte(content), 0o600))
	for _, server := range languages {
		for kind, name := range map[string]ipc.Name{"path": newPath(t), "namespaced": newNamespaced(t)} {
			stop := serveFiles(t, server, name, dir)
			for _, reader := range languages {
				what := server + " serves " + reader + ", " + kind
				output, code := ask(t, reader, name, "secret")
				require.True(t, output == "the opener says: here it is\n"+content, "%s: %.200q", what, output)
				require.Zero(t, code, what)
				for _, file := range []string{"missing", `..\secret`, "../secret", ""} {
					output, code := ask(t, reader, name, file)
					require.Contains(t, output, "the opener says: cannot open it: ", what)
					require.Contains(t, output, "opener: no file came", what)
					require.Equal(t, 1, code, what)
				}
			}
			stop()
			for _, reader := range languages {
				output, code := ask(t, reader, name, "secret")
				require.Regexp(t, "^opener: .*\n$", output, reader)
				require.Contains(t, output, name.String(), reader)
				require.Equal(t, 1, code, reader)
			}
		}
	}
}

func TestOpenersRefuseDevicesAndStreams(t *testing.T) {
	leakcheck.Start(t)
	dir := leakcheck.Dir(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "secret"), nil, 0o600))
	for _, server := range []string{"C", "C++"} {
		name := newPath(t)
		stop := serveFiles(t, server, name, dir)
		for _, file := range []string{"nul", "con", "secret:stream", ".", ".."} {
			output, code := ask(t, "C", name, file)
			require.Contains(t, output, "the opener says: cannot open it: ", file)
			require.Equal(t, 1, code, file)
		}
		stop()
	}
}
