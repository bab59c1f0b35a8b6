//go:build unix

package tests

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestDatagramSocketFileIsKeptLikeAListeners(t *testing.T) {
	leakcheck.Start(t)
	defer syscall.Umask(syscall.Umask(0o077))
	name := newPath(t)
	leaveStale(t, name)
	c := listenDatagram(t, name) // the stale one is replaced
	requireMode := func(want fs.FileMode) {
		info, err := os.Lstat(name.String())
		require.NoError(t, err)
		require.Equal(t, want, info.Mode()&(fs.ModePerm|fs.ModeSocket))
	}
	requireMode(fs.ModeSocket | 0o600)
	_, err := ipc.ListenDatagram(name)
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	require.ErrorContains(t, err, "listen ipc "+name.String())
	requireInUse(t, name)
	require.NoError(t, c.Close())
	require.NoFileExists(t, name.String())
	require.NoFileExists(t, name.String()+".lock")
	require.ErrorIs(t, c.Close(), net.ErrClosed)

	lc := ipc.ListenConfig{Mode: 0o667}
	c, err = lc.ListenDatagram(t.Context(), name)
	require.NoError(t, err)
	requireMode(fs.ModeSocket | 0o667)
	c.SetUnlinkOnClose(false)
	require.NoError(t, c.Close())
	require.FileExists(t, name.String())
	c = listenDatagram(t, name)
	c.SetUnlinkOnClose(false)
	c.SetUnlinkOnClose(true)
	require.NoError(t, c.Close())
	c.SetUnlinkOnClose(true) // has nothing to do
	require.NoFileExists(t, name.String())

	for what, lc := range map[string]ipc.ListenConfig{"Mode": {Mode: 0o1777}, "Backlog": {Backlog: -1}} {
		_, err = lc.ListenDatagram(t.Context(), newPath(t))
		require.ErrorIs(t, err, syscall.EINVAL)
		require.ErrorContains(t, err, what)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = lc.ListenDatagram(ended, newPath(t))
	require.ErrorIs(t, err, context.Canceled)
	_, err = ipc.ListenDatagram(ipc.Path(filepath.Join(leakcheck.Dir(t), "no such directory", "s")))
	require.ErrorIs(t, err, fs.ErrNotExist)
	_, err = ipc.ListenDatagram(ipc.Path(strings.Repeat("x", 2000)))
	require.ErrorIs(t, err, syscall.ENAMETOOLONG)
	var zero ipc.DatagramConn
	zero.SetUnlinkOnClose(true)
	require.ErrorIs(t, zero.Connect(ipc.Path("s")), syscall.EINVAL)
	require.ErrorIs(t, zero.SendTo(nil, ipc.Path("s")), syscall.EINVAL)
	_, _, err = zero.ReceiveFrom(nil)
	require.ErrorIs(t, err, syscall.EINVAL)
}

func TestForgottenDatagramSocketIsClosed(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	func() {
		c, err := ipc.ListenDatagram(name)
		require.NoError(t, err)
		require.NoError(t, c.SendTo(nil, name)) // to itself
	}()
	collect(t, func() bool { _, err := os.Lstat(name.String() + ".lock"); return errors.Is(err, fs.ErrNotExist) })
	require.NoFileExists(t, name.String())
}

func TestFileDatagramConnTakesDatagramSocketsAlone(t *testing.T) {
	leakcheck.Start(t)
	server, client := listenDatagram(t, newPath(t)), listenDatagram(t, newPath(t))
	require.NoError(t, client.Connect(nameOf(t, server.LocalAddr())))
	f, err := client.File()
	require.NoError(t, err)
	defer f.Close()
	again, err := ipc.FileDatagramConn(f)
	require.NoError(t, err)
	defer again.Close()
	require.Equal(t, client.LocalAddr(), again.LocalAddr())
	require.Equal(t, server.LocalAddr(), again.RemoteAddr())
	requireCloseOnExec(t, again)
	require.NoError(t, again.Send([]byte("again")))
	requireDatagram(t, server, "again", nameOf(t, client.LocalAddr()))
	again.SetUnlinkOnClose(true) // it has made no file
	require.NoError(t, again.Close())
	require.FileExists(t, client.LocalAddr().String())

	a, _ := pair(t)
	stream, err := a.File()
	require.NoError(t, err)
	defer stream.Close()
	for what, f := range map[string]*os.File{"stream": stream, "file": os.Stdin} {
		_, err := ipc.FileDatagramConn(f)
		require.ErrorIs(t, err, syscall.ENOTSOCK, what)
	}
	_, err = ipc.FileConn(f)
	require.ErrorIs(t, err, syscall.ENOTSOCK)
	_, err = ipc.FileDatagramConn(nil)
	require.ErrorIs(t, err, os.ErrInvalid)
}

func TestCloseLeavesTheNameOfAPassedSocketToTheChild(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	theirs, err := ipc.ListenDatagram(name)
	require.NoError(t, err)
	p := startWith(t, func(c *exec.Cmd) { require.NoError(t, theirs.PassTo(c, "work")) }, "heir")
	require.NoError(t, theirs.Close())
	p.order("datagrams work")
	p.expect("taken")
	require.NoError(t, openDatagram(t).SendTo(nil, name)) // the end
	p.expect("ended")
	require.NoError(t, listenDatagram(t, name).Close()) // nobody has the name any more
}
