//go:build unix

// Package programs has connections of package ipc talk to servers and clients that nobody here wrote. It is a module of
// its own, so that the package itself does not depend on the libraries of these programs.
package programs

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/lipc/ipc/tests/project"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// How long, and how often, a test looks for a state that nothing announces.
const (
	patience = 30 * time.Second
	tick     = 10 * time.Millisecond
)

// A program is a child process.
type program struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines *bufio.Scanner // its output
	log   *tail
	ended bool
}

// start starts a program. When the test ends, the program gets that signal and must end.
func start(t *testing.T, stop syscall.Signal, cmd *exec.Cmd) *program {
	t.Helper()
	project.Need(t, cmd.Args[0])
	p := &program{t: t, cmd: cmd, log: new(tail)}
	output, input, err := os.Pipe()
	require.NoError(t, err)
	cmd.Stdout, cmd.Stderr = input, p.log
	p.lines = bufio.NewScanner(io.TeeReader(output, p.log))
	err = cmd.Start()
	input.Close()
	t.Cleanup(func() {
		defer output.Close()
		if cmd.Process != nil && !p.ended {
			cmd.Process.Signal(stop)
			impatient := time.AfterFunc(patience, func() { cmd.Process.Kill() })
			for p.lines.Scan() {
			}
			if err := cmd.Wait(); !impatient.Stop() {
				t.Errorf("%s had to be killed: %v", cmd.Path, err)
			}
		}
		if t.Failed() {
			t.Logf("%s printed:\n%s", cmd.Path, p.log)
		}
	})
	require.NoError(t, err)
	return p
}

// expect waits for lines.
func (p *program) expect(lines ...string) {
	p.t.Helper()
	for _, line := range lines {
		require.Equal(p.t, line, p.line())
	}
}

// line waits for a line.
func (p *program) line() string {
	p.t.Helper()
	require.True(p.t, p.lines.Scan(), "%s ended", p.cmd.Path)
	return p.lines.Text()
}

// end waits until the program ends, successfully and with no more lines.
func (p *program) end() {
	p.t.Helper()
	for p.lines.Scan() {
		require.Fail(p.t, "one line too many", "%s", p.lines.Text())
	}
	p.ended = true
	require.NoError(p.t, p.cmd.Wait())
}

// A tail keeps what was written to it last.
type tail struct {
	mu   sync.Mutex
	last []byte
}

func (l *tail) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last = append(l.last, b...)
	l.last = l.last[max(0, len(l.last)-10_000):]
	return len(b), nil
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.last)
}

// newPath returns a name in a directory of the test's own.
func newPath(t *testing.T) ipc.Name {
	t.Helper()
	return ipc.Path(filepath.Join(leakcheck.Dir(t), "s"))
}

// newNames returns a path, a name of the user's own, and a namespaced name: in Linux's abstract namespace, or a file.
func newNames(t *testing.T) map[string]ipc.Name {
	t.Helper()
	t.Setenv("XDG_RUNTIME_DIR", leakcheck.Dir(t))
	name := "lipc-programs-" + rand.Text()
	return map[string]ipc.Name{"path": newPath(t), "user": ipc.UserName(name), "namespaced": ipc.Namespaced(name)}
}

// eachName runs a test with each kind of name.
func eachName(t *testing.T, test func(t *testing.T, name ipc.Name)) {
	t.Helper()
	for kind, name := range newNames(t) {
		t.Run(kind, func(t *testing.T) { test(t, name) })
	}
}

// listen returns a listener, which is closed when the test ends.
func listen(t *testing.T, name ipc.Name) *ipc.Listener {
	t.Helper()
	l, err := ipc.Listen(name)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// listening waits until a program listens on a name.
func listening(t *testing.T, name ipc.Name) {
	t.Helper()
	require.EventuallyWithT(t, func(collect *assert.CollectT) {
		c, err := ipc.Dial(t.Context(), name)
		if assert.NoError(collect, err) {
			c.Close()
		}
	}, patience, tick)
}

// megabyte is what programs send.
var megabyte = bytes.Repeat([]byte("a megabyte of this. "), 1<<20/20+1)[:1<<20]

// requireEcho sends a megabyte, and requires the same one back.
func requireEcho(t *testing.T, c net.Conn) {
	t.Helper()
	written := make(chan error, 1)
	go func() {
		_, err := c.Write(megabyte)
		written <- err
	}()
	got := make([]byte, 1<<20)
	_, err := io.ReadFull(c, got)
	require.NoError(t, err)
	require.NoError(t, <-written)
	require.True(t, bytes.Equal(megabyte, got))
}
