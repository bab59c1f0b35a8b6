package tests

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/lipc/ipc/tests/project"
	"github.com/stretchr/testify/require"
)

// Node.js needs no binding: its own module net uses local sockets and named pipes.

// A node is a process of Node.js.
type node struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

// startNode runs a task of peers/net.js, which must end by itself and succeed. NODE_PROGRAM is the program if it is not
// on the PATH, as under Wine.
func startNode(t *testing.T, task string, name ipc.Name) *node {
	t.Helper()
	program := cmp.Or(os.Getenv("NODE_PROGRAM"), "node")
	project.Need(t, program)
	var n *node
	for range 4 {
		n = &node{t: t, cmd: exec.Command(program, "peers/net.js", task, name.String())}
		n.cmd.Stderr = os.Stderr
		n.cmd.Env = append(os.Environ(), "NODE_SKIP_PLATFORM_CHECK=1") // Wine's Windows is older than it wants
		stdout, err := n.cmd.StdoutPipe()
		require.NoError(t, err)
		n.lines = bufio.NewScanner(stdout)
		err = n.cmd.Start()
		if err == nil || !startsAtTimes(err) {
			require.NoError(t, err)
			break
		}
	}
	t.Cleanup(func() {
		if n.cmd.ProcessState == nil {
			n.cmd.Process.Kill()
			n.cmd.Wait()
		}
	})
	return n
}

// expect waits for lines.
func (n *node) expect(lines ...string) {
	n.t.Helper()
	for _, line := range lines {
		require.True(n.t, n.lines.Scan(), "node ended before it printed %q", line)
		require.Equal(n.t, line, n.lines.Text())
	}
}

// end waits until node ends, with no more lines.
func (n *node) end() {
	n.t.Helper()
	for n.lines.Scan() {
		require.Fail(n.t, "node printed more", "%s", n.lines.Text())
	}
	require.NoError(n.t, n.cmd.Wait())
}

// megabyte is what net.js sends.
func megabyte() []byte {
	return bytes.Repeat([]byte("a megabyte of this. "), 1<<20/20+1)[:1<<20]
}

// halfCloses reports whether one direction can end before the other.
const halfCloses = runtime.GOOS != "windows"

func TestNodeServesConnections(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	n := startNode(t, "echo", name)
	n.expect("listening")
	c := dial(t, name)
	requireEcho(t, c)
	if halfCloses {
		require.NoError(t, c.CloseWrite())
		_, err := c.Read(make([]byte, 1))
		require.Equal(t, io.EOF, err)
	}
	require.NoError(t, c.Close())
	n.expect("ended")
	n.end()
	requireNameGone(t, name)

	name = newPath(t)
	n = startNode(t, "source", name)
	n.expect("listening")
	c = dial(t, name)
	got, err := io.ReadAll(c) // it ends first
	require.NoError(t, err)
	require.True(t, bytes.Equal(megabyte(), got), "%d bytes", len(got))
	require.NoError(t, c.Close())
	n.expect("closed")
	n.end()
}

func TestNodeConnects(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	n := startNode(t, "error", name)
	n.expect("ENOENT")
	n.end()

	l := listen(t, name)
	n = startNode(t, "client", name)
	c := accept(t, l)
	n.expect("connected")
	_, err := io.CopyN(c, c, 1<<20)
	require.NoError(t, err)
	if halfCloses {
		require.NoError(t, c.CloseWrite())
		_, err = c.Read(make([]byte, 1))
		require.Equal(t, io.EOF, err)
	}
	require.NoError(t, c.Close())
	n.expect("same", "ended")
	n.end()
}

func TestNodeTalksHTTP(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	n := startNode(t, "http server", name)
	n.expect("listening")
	client := &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext:       func(ctx context.Context, _, _ string) (net.Conn, error) { return ipc.Dial(ctx, name) },
	}}
	response, err := client.Post("http://local/path", "text/plain", bytes.NewReader(megabyte()))
	require.NoError(t, err)
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, "POST /path 1048576", string(body))
	n.end()

	name = newPath(t)
	l := listen(t, name)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Equal(megabyte(), body) {
			w.WriteHeader(http.StatusBadRequest)
		}
		io.WriteString(w, r.Method+" "+r.URL.Path)
	})}
	served := make(chan error)
	go func() { served <- server.Serve(l) }()
	n = startNode(t, "http client", name)
	n.expect("200 POST /path")
	n.end()
	require.NoError(t, server.Shutdown(t.Context()))
	require.Equal(t, http.ErrServerClosed, <-served)
}
