//go:build unix

package tests

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/lipc/ipc/tests/project"
	"github.com/stretchr/testify/require"
)

// startPeer runs another program, and returns its output. The program must end by itself and succeed.
func startPeer(t *testing.T, program string, args ...string) *bufio.Scanner {
	t.Helper()
	project.Need(t, program)
	cmd := exec.Command(program, args...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { require.NoError(t, cmd.Wait()) })
	return bufio.NewScanner(stdout)
}

// expectLine waits for a line of a peer.
func expectLine(t *testing.T, lines *bufio.Scanner, want string) {
	t.Helper()
	require.True(t, lines.Scan(), "the peer ended before it printed %q", want)
	require.Equal(t, want, lines.Text())
}

func TestPythonEchoesStreams(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l := listen(t, name)
	peer := startPeer(t, "python3", "peers/echo.py", "connect", "stream", name.String())
	c := accept(t, l)
	expectLine(t, peer, "connected")
	requireEcho(t, c)
	require.NoError(t, c.CloseWrite())
	expectLine(t, peer, "ended")
	_, err := c.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)

	name = newPath(t)
	peer = startPeer(t, "python3", "peers/echo.py", "listen", "stream", name.String())
	expectLine(t, peer, "listening")
	c = dial(t, name)
	requireEcho(t, c)
	require.NoError(t, c.Close())
	expectLine(t, peer, "ended")
}

func TestPythonEchoesMessages(t *testing.T) {
	leakcheck.Start(t)
	if runtime.GOOS == "darwin" {
		facility.Missing(t, "SOCK_SEQPACKET")
	}
	name := newPath(t)
	l, err := ipc.ListenMessage(name)
	require.NoError(t, err)
	defer l.Close()
	peer := startPeer(t, "python3", "peers/echo.py", "connect", "message", name.String())
	c, err := l.AcceptConn(t.Context())
	require.NoError(t, err)
	expectLine(t, peer, "connected")
	requireMessagesBack(t, c)
	expectLine(t, peer, "ended")

	name = newPath(t)
	peer = startPeer(t, "python3", "peers/echo.py", "listen", "message", name.String())
	expectLine(t, peer, "listening")
	c, err = ipc.DialMessage(t.Context(), name)
	require.NoError(t, err)
	requireMessagesBack(t, c)
	expectLine(t, peer, "ended")
}

// requireMessagesBack sends messages, requires the same ones back, and closes the connection.
func requireMessagesBack(t *testing.T, c *ipc.MessageConn) {
	t.Helper()
	defer c.Close()
	for _, size := range []int{1, 4096, 100_000} {
		sent := random(size)
		require.NoError(t, c.Send(sent))
		got, err := c.ReceiveAppend(nil)
		require.NoError(t, err)
		require.True(t, bytes.Equal(sent, got), "%d bytes: got %d", size, len(got))
	}
}

func TestSocatConnectsAndListens(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l := listen(t, name)
	lines := startPeer(t, "socat", "-u", "UNIX-CONNECT:"+name.String(), "STDOUT")
	c, err := l.AcceptConn(t.Context())
	require.NoError(t, err)
	_, err = c.Write([]byte("to socat\n"))
	require.NoError(t, err)
	require.NoError(t, c.Close())
	expectLine(t, lines, "to socat")

	name = newPath(t)
	lines = startPeer(t, "socat", "-u", "UNIX-LISTEN:"+name.String(), "STDOUT")
	require.Eventually(t, func() bool {
		c, err = ipc.Dial(t.Context(), name)
		return err == nil
	}, patience, tick, "%v", err)
	_, err = c.Write([]byte("to socat again\n"))
	require.NoError(t, err)
	require.NoError(t, c.Close())
	expectLine(t, lines, "to socat again")
	require.Eventually(t, func() bool { // socat removes its socket when it ends
		_, err := os.Lstat(name.String())
		return os.IsNotExist(err)
	}, patience, tick)
}

func TestPythonPassesFiles(t *testing.T) {
	leakcheck.Start(t)
	files := numbered(t, 3)
	accept := map[string]func(t *testing.T, name ipc.Name) (accept func() (anyConn, error)){
		"stream": func(t *testing.T, name ipc.Name) func() (anyConn, error) {
			l := listen(t, name)
			return func() (anyConn, error) { return l.AcceptConn(t.Context()) }
		},
		"message": func(t *testing.T, name ipc.Name) func() (anyConn, error) {
			l, err := ipc.ListenMessage(name)
			require.NoError(t, err)
			t.Cleanup(func() { l.Close() })
			return func() (anyConn, error) { return l.AcceptConn(t.Context()) }
		},
	}
	eachKind(t, func(t *testing.T, k kind) {
		if k.name == "datagram" {
			return // has nothing to accept; see socat's
		}
		name := newPath(t)
		accept := accept[k.name](t, name)
		args := []string{"peers/files.py", "send", k.name, name.String()}
		for _, f := range files {
			args = append(args, f.Name())
		}
		startPeer(t, "python3", args...)
		c, err := accept()
		require.NoError(t, err)
		defer c.Close()
		m := ipc.Message{Buffers: [][]byte{make([]byte, 100)}, MaxFiles: 5}
		n, err := c.ReceiveMessage(&m)
		require.NoError(t, err)
		require.Equal(t, "from python", string(m.Buffers[0][:n]))
		requireNumbered(t, m.Files, 3)

		lines := startPeer(t, "python3", "peers/files.py", "receive", k.name, name.String())
		c, err = accept()
		require.NoError(t, err)
		defer c.Close()
		_, err = c.SendFiles([]byte("to python"), files...)
		require.NoError(t, err)
		for _, line := range []string{"to python", "0", "1", "2"} {
			expectLine(t, lines, line)
		}
	})
}

func TestSocatSendsAndReceivesDatagrams(t *testing.T) {
	leakcheck.Start(t)
	ours, theirs := newPath(t), newPath(t)
	c := listenDatagram(t, ours)
	startPeer(t, "socat", "-u", "EXEC:echo from socat", "UNIX-SENDTO:"+ours.String())
	requireDatagram(t, c, "from socat\n", ipc.Name{})

	lines := startPeer(t, "socat", "-u", "UNIX-RECVFROM:"+theirs.String(), "STDOUT")
	require.Eventually(t, func() bool { return c.SendTo([]byte("to socat\n"), theirs) == nil }, patience, tick)
	expectLine(t, lines, "to socat")
	gone := func() bool { // socat removes its socket when it ends
		_, err := os.Lstat(theirs.String())
		return os.IsNotExist(err)
	}
	require.Eventually(t, gone, patience, tick)

	startPeer(t, "socat", "UNIX-RECVFROM:"+theirs.String(), "EXEC:cat") // it answers the sender
	require.Eventually(t, func() bool { return c.SendTo([]byte("there and back"), theirs) == nil }, patience, tick)
	requireDatagram(t, c, "there and back", theirs)
	require.Eventually(t, gone, patience, tick)
}

func TestNodeEndsItsHalfFirst(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l := listen(t, name)
	n := startNode(t, "half", name)
	c := accept(t, l)
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	_, err = c.Write(got)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	n.expect("connected", "same")
	n.end()
}
