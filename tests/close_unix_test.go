//go:build unix

package tests

import (
	"net"
	"syscall"
	"testing"
	"time"

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

func TestZeroDatagramSocketSaysThatItIsOne(t *testing.T) {
	leakcheck.Start(t)
	c := new(ipc.DatagramConn)
	name := newPath(t)
	_, from, err := c.ReceiveFrom(nil)
	require.Zero(t, from)
	errs := map[string]error{
		"read":        err,
		"read:packet": second(c.Receive(nil)),
		"write":       c.SendTo(nil, name),
		"write:peer":  c.Send(nil),
		"connect":     c.Connect(name),
		"set":         c.SetDeadline(time.Now()),
		"set:limit":   c.SetMaxMessage(1),
		"file":        second(c.File()),
		"close":       c.Close(),
	}
	requireErrors(t, syscall.EINVAL, errs)
	for what, err := range errs {
		require.ErrorContains(t, err, "it is a zero value", what)
	}
	c.SetUnlinkOnClose(true) // has nothing to do
	require.Empty(t, c.LocalAddr().String())
}
