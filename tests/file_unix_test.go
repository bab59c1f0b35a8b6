//go:build unix

package tests

import (
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestFilesCarryConnectionsAndListeners(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l := listen(t, name)
	f, err := l.File()
	require.NoError(t, err)
	again, err := ipc.FileListener(f)
	require.NoError(t, err)
	require.Equal(t, name, again.Addr())
	stdlib, err := net.FileListener(f) // and in the standard library
	require.NoError(t, err)
	require.NoError(t, f.Close())
	for _, acceptor := range []net.Listener{l, again, stdlib} {
		c := dial(t, name)
		accepted, err := acceptor.Accept()
		require.NoError(t, err)
		f, err := c.File()
		require.NoError(t, err)
		require.NoError(t, c.Close())
		c, err = ipc.FileConn(f)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		require.Equal(t, name, c.RemoteAddr())
		go func() {
			defer accepted.Close()
			io.Copy(accepted, accepted)
		}()
		requireEcho(t, c)
		require.NoError(t, c.Close())
	}
	stdlib.(*net.UnixListener).SetUnlinkOnClose(false)
	require.NoError(t, stdlib.Close())
	require.NoError(t, again.Close())
	require.FileExists(t, name.String(), "an adopted listener removes nothing")
	require.NoError(t, l.Close())
	require.NoFileExists(t, name.String())
}

func TestFilesThatAreNotOfTheKindAreRefused(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	listening, err := listen(t, name).File()
	require.NoError(t, err)
	defer listening.Close()
	a, _ := pair(t)
	connected, err := a.File()
	require.NoError(t, err)
	defer connected.Close()
	plain, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer plain.Close()
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer tcp.Close()
	foreign, err := tcp.(*net.TCPListener).File()
	require.NoError(t, err)
	defer foreign.Close()
	closed, err := os.Open(os.DevNull)
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	files := map[string]*os.File{"listener": listening, "file": plain, "pipe": r, "tcp": foreign, "closed": closed}
	for what, f := range files {
		_, err := ipc.FileConn(f)
		require.ErrorContains(t, err, "file ipc", what)
		want := map[bool]error{true: os.ErrClosed, false: syscall.ENOTSOCK}[what == "closed"]
		require.ErrorIs(t, err, want, what)
	}
	files["listener"] = connected
	for what, f := range files {
		_, err := ipc.FileListener(f)
		require.ErrorContains(t, err, "file ipc", what)
	}
	_, err = ipc.FileConn(nil)
	require.ErrorIs(t, err, os.ErrInvalid)
}
