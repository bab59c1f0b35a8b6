//go:build unix

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/lipc/ipc/tests/project"
	"github.com/stretchr/testify/require"
)

// patience ends what hangs.
const patience = 30 * time.Second

// build builds the program. Every user can run it.
func build(t *testing.T) (program string) {
	t.Helper()
	program = filepath.Join(leakcheck.Dir(t), "greeter")
	project.MustRun(t, filepath.Join(project.Root(t), "examples/service"), nil, "go", "build", "-o", program, ".")
	return program
}

// A process is a program that runs, and what it prints on its standard error.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner
}

func start(t *testing.T, cmd *exec.Cmd) *process {
	t.Helper()
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	timer := time.AfterFunc(patience, func() { cmd.Process.Kill() })
	t.Cleanup(func() { timer.Stop(); cmd.Process.Kill(); cmd.Wait() })
	return &process{t, cmd, bufio.NewScanner(stderr)}
}

// expect passes over lines until one begins so, and returns it.
func (p *process) expect(beginning string) string {
	p.t.Helper()
	var before []string
	for p.lines.Scan() {
		if strings.HasPrefix(p.lines.Text(), beginning) {
			return p.lines.Text()
		}
		before = append(before, p.lines.Text())
	}
	require.Fail(p.t, "it ended", "before %q, with:\n%s", beginning, strings.Join(before, "\n"))
	return ""
}

// end waits for the process to end by itself, and requires that it succeeds.
func (p *process) end() {
	p.t.Helper()
	var last []string
	for p.lines.Scan() {
		last = append(last, p.lines.Text())
	}
	require.NoError(p.t, p.cmd.Wait(), strings.Join(last, "\n"))
}

// A request is one whose body the server does not have yet.
type request struct {
	t *testing.T
	c *ipc.Conn
	r *bufio.Reader
}

// ask sends the head of a request.
func ask(t *testing.T, name ipc.Name) request {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := ipc.Dial(ctx, name)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	_, err = io.WriteString(c, "POST / HTTP/1.1\r\nHost: local\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
	require.NoError(t, err)
	return request{t, c, bufio.NewReader(c)}
}

// begun waits until the server reads the body.
func (r request) begun() {
	r.t.Helper()
	response, err := http.ReadResponse(r.r, nil)
	require.NoError(r.t, err)
	require.Equal(r.t, http.StatusContinue, response.StatusCode)
}

func begin(t *testing.T, name ipc.Name) request {
	t.Helper()
	r := ask(t, name)
	r.begun()
	return r
}

// finish sends the body, and requires that the server knows this process.
func (r request) finish() {
	r.t.Helper()
	_, err := io.WriteString(r.c, "12345")
	require.NoError(r.t, err)
	response, err := http.ReadResponse(r.r, nil)
	require.NoError(r.t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(r.t, err)
	require.Equal(r.t, fmt.Sprintf("hello, process %d of user %d, group %d: 5 bytes, error: <nil>\n",
		os.Getpid(), os.Getuid(), os.Getgid()), string(body))
	require.NoError(r.t, r.c.Close())
}

// A manager receives what services send to NOTIFY_SOCKET.
type manager struct {
	t    *testing.T
	c    *net.UnixConn
	path string
}

func newManager(t *testing.T) manager {
	t.Helper()
	path := filepath.Join(leakcheck.Dir(t), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	require.NoError(t, err)
	t.Cleanup(func() { c.Close(); os.Remove(path) })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	return manager{t, c, path}
}

// next returns the next notification.
func (m manager) next() string {
	m.t.Helper()
	b := make([]byte, 4096)
	n, err := m.c.Read(b)
	require.NoError(m.t, err)
	return string(b[:n])
}

// terminate asks the process to end.
func (p *process) terminate() {
	p.t.Helper()
	require.NoError(p.t, p.cmd.Process.Signal(syscall.SIGTERM))
}
