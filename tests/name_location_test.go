//go:build unix

package tests

import (
	"fmt"
	"net/http"
	"os"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/lipc/ipc/tests/project"
	"github.com/stretchr/testify/require"
)

// otherPrograms connect to a path, and print what they receive. docs/names-and-security.md has these lines.
var otherPrograms = map[string]func(path string) []string{
	"socat":   func(path string) []string { return []string{"-u", "UNIX-CONNECT:" + path, "STDOUT"} },
	"node":    func(path string) []string { return []string{"-e", nodeReads, path} },
	"python3": func(path string) []string { return []string{"-c", pythonReads, path} },
}

const nodeReads = `require("net").connect(process.argv[1]).pipe(process.stdout)`

const pythonReads = `
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
print(s.makefile().read(), end="")`

// eachDirectory calls a test with a name in each directory for names that this process can use.
func eachDirectory(t *testing.T, test func(t *testing.T, name ipc.Name)) {
	t.Helper()
	text := fmt.Sprintf("location-%d", os.Getpid())
	t.Run("the runtime directory", func(t *testing.T) {
		t.Setenv("XDG_RUNTIME_DIR", leakcheck.Dir(t))
		test(t, ipc.UserName(text))
	})
	t.Run("without XDG_RUNTIME_DIR", func(t *testing.T) {
		t.Setenv("XDG_RUNTIME_DIR", "")
		test(t, ipc.UserName(text))
	})
	t.Run("of the machine", func(t *testing.T) {
		if os.Geteuid() != 0 {
			facility.Missing(t, "root, which alone may listen on a name of the machine")
		}
		test(t, ipc.SystemName(text))
	})
}

// locationOf returns the location of a name, where no file may be when the test ends.
func locationOf(t *testing.T, name ipc.Name) string {
	t.Helper()
	location, err := name.Location()
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoFileExists(t, location)
		require.NoFileExists(t, location+".lock")
	})
	return location
}

func TestOtherProgramsReachANameByItsLocation(t *testing.T) {
	leakcheck.Start(t)
	for program, args := range otherPrograms {
		t.Run(program, func(t *testing.T) {
			project.Need(t, program)
			eachDirectory(t, func(t *testing.T, name ipc.Name) {
				location := locationOf(t, name)
				l := listen(t, name)
				lines := startPeer(t, program, args(location)...)
				c := accept(t, l)
				_, err := c.Write([]byte("to " + program + "\n"))
				require.NoError(t, err)
				require.NoError(t, c.Close())
				expectLine(t, lines, "to "+program)
				require.NoError(t, l.Close())
			})
		})
	}
}

func TestCurlReachesANameByItsLocation(t *testing.T) {
	leakcheck.Start(t)
	project.Need(t, "curl")
	eachDirectory(t, func(t *testing.T, name ipc.Name) {
		location := locationOf(t, name)
		l := listen(t, name)
		server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			fmt.Fprintln(w, "asked for", r.URL.Path)
		})}
		ended := make(chan error)
		go func() { ended <- server.Serve(l) }()
		lines := startPeer(t, "curl", "-sS", "--unix-socket", location, "http://local/tea")
		expectLine(t, lines, "asked for /tea")
		require.NoError(t, server.Close())
		require.ErrorIs(t, <-ended, http.ErrServerClosed)
	})
}
