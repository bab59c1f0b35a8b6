package tests

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestClosedConnectionsRefuseEverything(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l := listen(t, name)
	c := dial(t, name)
	require.NoError(t, c.Close())
	require.NoError(t, l.Close())
	for what, err := range map[string]error{
		"read":       second(c.Read(make([]byte, 1))),
		"read empty": second(c.Read(nil)),
		"write":      second(c.Write([]byte("x"))),
		"vectored":   second(c.WriteBuffers([][]byte{{1}})),
		"close":      c.Close(),
		"set":        c.SetDeadline(time.Now()),
		"file":       second(c.File()),
		"get":        second(c.PeerCredentials()),
	} {
		require.ErrorIs(t, err, net.ErrClosed, what)
		operation, _, _ := strings.Cut(what, " ")
		if what == "vectored" {
			operation = "write"
		}
		require.ErrorContains(t, err, operation+" ipc "+name.String())
	}
	for what, err := range map[string]error{
		"accept": second(l.Accept()), "set": l.SetDeadline(time.Now()), "close": l.Close(),
	} {
		require.ErrorIs(t, err, net.ErrClosed, what)
		require.ErrorContains(t, err, what+" ipc "+name.String())
	}
	var op *net.OpError
	require.True(t, errors.As(c.Close(), &op))
}

func TestZeroValuesFailInsteadOfHanging(t *testing.T) {
	leakcheck.Start(t)
	var c ipc.Conn
	var m ipc.MessageConn
	var l ipc.Listener
	for what, err := range map[string]error{
		"read":        second(c.Read(make([]byte, 1))),
		"read empty":  second(c.Read(nil)),
		"write":       second(c.Write([]byte("x"))),
		"vectored":    second(c.WriteBuffers([][]byte{{1}})),
		"close":       c.Close(),
		"deadline":    c.SetDeadline(time.Now()),
		"file":        second(c.File()),
		"credentials": second(c.PeerCredentials()),
		"raw":         second(c.SyscallConn()),
		"send":        m.Send(nil),
		"receive":     second(m.Receive(nil)),
		"batch":       second(m.SendBatch(nil)),
		"accept":      second(l.Accept()),
		"listener":    l.Close(),
		"of listener": l.SetDeadline(time.Now()),
	} {
		require.ErrorIs(t, err, syscall.EINVAL, what)
		var op *net.OpError
		require.ErrorAs(t, err, &op, what)
	}
	l.SetUnlinkOnClose(true) // has nothing to do
}
