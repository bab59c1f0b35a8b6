//go:build unix

package tests

import (
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// largest returns the size of the largest message that a connection sends, which the error of a larger one says.
func largest(t *testing.T, c interface{ Send([]byte) error }) int {
	t.Helper()
	err := c.Send(make([]byte, 64<<20))
	require.ErrorIs(t, err, syscall.EMSGSIZE)
	_, text, found := strings.Cut(err.Error(), "at most ")
	require.True(t, found, "%v", err)
	var limit int
	_, err = fmt.Sscan(text[:strings.Index(text, ":")], &limit)
	require.NoError(t, err)
	return limit
}

func TestMessageSocketsKeepToTheirKind(t *testing.T) {
	leakcheck.Start(t)
	a, _ := messagePair(t)
	stream, message := newPath(t), newPath(t)
	listen(t, stream)
	l, err := ipc.ListenMessage(message)
	require.NoError(t, err)
	defer l.Close()
	_, err = ipc.DialMessage(t.Context(), stream)
	require.ErrorIs(t, err, syscall.EPROTOTYPE)
	require.ErrorContains(t, err, "what listens there is not for messages")
	_, err = ipc.Dial(t.Context(), message)
	require.ErrorIs(t, err, syscall.EPROTOTYPE)
	require.ErrorContains(t, err, "what listens there is not for bytes")
	_, err = ipc.DialDatagram(message)
	require.ErrorIs(t, err, syscall.EPROTOTYPE)
	require.ErrorContains(t, err, "what listens there is not for datagrams")
	requireInUse(t, message)
	_, err = ipc.ListenMessage(stream)
	require.ErrorIs(t, err, syscall.EADDRINUSE)

	f, err := a.File()
	require.NoError(t, err)
	defer f.Close()
	_, err = ipc.FileConn(f)
	require.ErrorIs(t, err, syscall.ENOTSOCK)
	lf, err := l.File()
	require.NoError(t, err)
	defer lf.Close()
	_, err = ipc.FileListener(lf)
	require.ErrorIs(t, err, syscall.ENOTSOCK)
	_, err = ipc.FileMessageConn(lf)
	require.ErrorIs(t, err, syscall.ENOTSOCK)

	again, err := ipc.FileMessageListener(lf)
	require.NoError(t, err)
	require.Equal(t, message, nameOf(t, again.Addr()))
	defer again.Close()
	c, err := ipc.DialMessage(t.Context(), message)
	require.NoError(t, err)
	defer c.Close()
	accepted := accept(t, again)
	cf, err := c.File()
	require.NoError(t, err)
	defer cf.Close()
	adopted, err := ipc.FileMessageConn(cf)
	require.NoError(t, err)
	defer adopted.Close()
	require.NoError(t, accepted.Send(nil))
	n, err := adopted.Receive(make([]byte, 1))
	require.NoError(t, err)
	require.Zero(t, n)
	credentials, err := adopted.PeerCredentials()
	require.NoError(t, err)
	require.Equal(t, os.Geteuid(), credentials.UID)
}

func TestMessageOverTheLimitIsRefusedWhole(t *testing.T) {
	leakcheck.Start(t)
	a, b := messagePair(t)
	limit := largest(t, a)
	if onLinux {
		raw, err := a.SyscallConn()
		require.NoError(t, err)
		require.NoError(t, raw.Control(func(fd uintptr) {
			size, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_SNDBUF)
			require.NoError(t, err)
			require.Equal(t, size-32, limit)
		}))
	}
	require.NoError(t, a.Send(make([]byte, limit)))
	n, err := b.Receive(make([]byte, limit))
	require.NoError(t, err)
	require.Equal(t, limit, n)
	err = a.Send(make([]byte, limit+1))
	require.ErrorIs(t, err, syscall.EMSGSIZE)
	require.ErrorContains(t, err, fmt.Sprintf("write ipc: %d bytes, at most %d", limit+1, limit))
	n, err = a.SendBatch([][]byte{[]byte("one"), nil, []byte("three"), make([]byte, limit+1), []byte("five")})
	require.Equal(t, 3, n)
	require.ErrorIs(t, err, syscall.EMSGSIZE)
	require.ErrorContains(t, err, fmt.Sprint("at most ", limit))
	require.NoError(t, a.Close())
	for _, want := range []string{"one", "", "three"} {
		got, err := b.ReceiveAppend(nil)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
	_, err = b.Receive(make([]byte, 1))
	require.Equal(t, io.EOF, err, "nothing of the message that was too large was sent")
}

func TestEmptyMessageBeforeAHalfCloseIsNotEOF(t *testing.T) {
	leakcheck.Start(t)
	a, b := messagePair(t)
	require.NoError(t, a.Send(nil))
	require.NoError(t, a.CloseWrite())
	_, err := b.Receive(nil)
	require.NoError(t, err)
	for range 2 {
		_, err = b.Receive(make([]byte, 1))
		require.Equal(t, io.EOF, err)
		_, err = b.Peek(nil)
		require.Equal(t, io.EOF, err)
		_, err = b.ReceiveAppend(nil)
		require.Equal(t, io.EOF, err)
		_, err = b.ReceiveBatch([][]byte{nil, nil})
		require.Equal(t, io.EOF, err)
	}
	require.NoError(t, b.Send([]byte("the other direction still works")))
	_, err = a.ReceiveAppend(nil)
	require.NoError(t, err)
}

// This happens when a service manager starts a process for a client, which has connected by then.
func TestEmptyMessageIsNotEOFForAClientThatConnectedBeforeAdoption(t *testing.T) {
	leakcheck.Start(t)
	messagePair(t) // leaves out systems without messages
	name := newPath(t)
	plain, err := net.ListenUnix("unixpacket", &net.UnixAddr{Name: name.String(), Net: "unixpacket"})
	require.NoError(t, err)
	defer plain.Close()
	client, err := ipc.DialMessage(t.Context(), name)
	require.NoError(t, err)
	for _, message := range []string{"one", "", "two"} {
		require.NoError(t, client.Send([]byte(message)))
	}
	require.NoError(t, client.Close())
	file, err := plain.File()
	require.NoError(t, err)
	defer file.Close()
	l, err := ipc.FileMessageListener(file)
	require.NoError(t, err)
	defer l.Close()
	c := accept(t, l)
	for _, message := range []string{"one", "", "two"} {
		got := make([]byte, 10)
		n, err := c.Receive(got)
		require.NoError(t, err)
		require.Equal(t, message, string(got[:n]))
	}
	require.ErrorIs(t, second(c.Receive(make([]byte, 10))), io.EOF)
}

// cutConns returns a function that makes connections which hold a few messages of cutBuffer bytes.
func cutConns(t *testing.T) func() (from, to *ipc.MessageConn) {
	t.Helper()
	messagePair(t) // where there are any
	return func() (from, to *ipc.MessageConn) {
		from, to, err := ipc.MessagePair()
		require.NoError(t, err)
		require.NoError(t, from.SetWriteBuffer(4*cutBuffer))
		return from, to
	}
}
