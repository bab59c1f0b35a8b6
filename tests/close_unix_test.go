//go:build unix

package tests

import (
	"net"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestClosedAndZeroSocketsRefuseWhatUnixAloneHas(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l := listen(t, name)
	c := dial(t, name)
	require.NoError(t, c.Close())
	require.NoError(t, l.Close())
	for want, sockets := range map[error]struct {
		c *ipc.Conn
		l *ipc.Listener
	}{net.ErrClosed: {c, l}, syscall.EINVAL: {new(ipc.Conn), new(ipc.Listener)}} {
		c, l := sockets.c, sockets.l
		requireErrors(t, want, map[string]error{
			"set: read buffer":  c.SetReadBuffer(1000),
			"set: write buffer": c.SetWriteBuffer(1000),
			"close: reading":    c.CloseRead(),
			"close: writing":    c.CloseWrite(),
			"file: listener":    second(l.File()),
		})
	}
	_, err := new(ipc.Listener).SyscallConn()
	require.ErrorIs(t, err, syscall.EINVAL)
}
