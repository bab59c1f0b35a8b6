//go:build unix

package programs

import (
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/lipc/ipc/tests/project"
	"github.com/stretchr/testify/require"
)

// peers are how programs in other languages are run.
var peers = map[string][]string{"Java": {"java", "peers/Peer.java"}, "asyncio": {"python3", "peers/peer.py"}}

// eachPeer runs a test with each peer, which gets a role and a socket's path.
func eachPeer(t *testing.T, test func(t *testing.T, peer func(role, path string) *program)) {
	t.Helper()
	for language, command := range peers {
		t.Run(language, func(t *testing.T) {
			test(t, func(role, path string) *program {
				args := append(slices.Clone(command[1:]), role, path)
				return start(t, syscall.SIGKILL, exec.Command(command[0], args...))
			})
		})
	}
}

func TestPeersConnectAndEndTheirHalfFirst(t *testing.T) {
	leakcheck.Start(t)
	t.Setenv("XDG_RUNTIME_DIR", leakcheck.Dir(t))
	eachPeer(t, func(t *testing.T, peer func(role, path string) *program) {
		name := ipc.UserName("peer")
		l := listen(t, name)
		path, err := name.Location()
		require.NoError(t, err)
		p := peer("connect", path)
		c, err := l.AcceptConn(t.Context())
		require.NoError(t, err)
		defer c.Close()
		p.expect("connected")
		credentials, err := c.PeerCredentials()
		require.NoError(t, err)
		require.Equal(t, p.cmd.Process.Pid, credentials.PID)
		n, err := io.Copy(c, c)
		require.NoError(t, err)
		require.EqualValues(t, 1<<20, n)
		require.NoError(t, c.Close())
		p.expect("same")
		p.end()
	})
}

func TestPeersListenAndSeeTheEnd(t *testing.T) {
	leakcheck.Start(t)
	eachPeer(t, func(t *testing.T, peer func(role, path string) *program) {
		name := newPath(t)
		p := peer("listen", name.String())
		defer os.Remove(name.String()) // some leave it there
		p.expect("listening")
		c, err := ipc.Dial(t.Context(), name)
		require.NoError(t, err)
		defer c.Close()
		requireEcho(t, c)
		require.NoError(t, c.CloseWrite())
		p.expect("ended")
		_, err = c.Read(make([]byte, 1))
		require.Equal(t, io.EOF, err)
		p.end()
	})
}

func TestCurlUploadsAndDownloads(t *testing.T) {
	leakcheck.Start(t)
	eachName(t, func(t *testing.T, name ipc.Name) {
		project.Need(t, "curl")
		location, err := name.Location()
		require.NoError(t, err)
		option := "--unix-socket"
		if location[0] == '@' {
			option, location = "--abstract-unix-socket", location[1:]
		}
		server := http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			w.Write(body)
		})}
		served := make(chan error, 1)
		l := listen(t, name)
		go func() { served <- server.Serve(l) }()
		cmd := exec.Command("curl", "-sS", option, location, "-T", "-", "http://local/", "--next",
			"-sS", option, location, "-d", "and this", "http://local/")
		cmd.Stdin = bytes.NewReader(megabyte)
		got, err := cmd.Output()
		require.NoError(t, err)
		require.True(t, string(megabyte)+"and this" == string(got))
		require.NoError(t, server.Shutdown(t.Context()))
		require.Equal(t, http.ErrServerClosed, <-served)
	})
}
