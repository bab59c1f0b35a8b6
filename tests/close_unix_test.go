//go:build unix

package tests

import (
	"net"
	"strings"
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
		for what, err := range map[string]error{
			"set: read buffer":  c.SetReadBuffer(1000),
			"set: write buffer": c.SetWriteBuffer(1000),
			"close: reading":    c.CloseRead(),
			"close: writing":    c.CloseWrite(),
			"file: listener":    second(l.File()),
		} {
			require.ErrorIs(t, err, want, what)
			operation, _, _ := strings.Cut(what, ":")
			require.ErrorContains(t, err, operation+" ipc", what)
		}
	}
	_, err := new(ipc.Listener).SyscallConn()
	require.ErrorIs(t, err, syscall.EINVAL)
}
