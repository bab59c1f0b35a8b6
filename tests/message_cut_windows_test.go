package tests

import (
	"io"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// cutListener listens for messages, with pipes that hold cutBuffer bytes, until the test ends.
func cutListener(t *testing.T) (*ipc.MessageListener, ipc.Name) {
	t.Helper()
	name := newPath(t)
	lc := ipc.ListenConfig{Sys: &ipc.SysListen{InboundBuffer: cutBuffer, OutboundBuffer: cutBuffer}}
	l, err := lc.ListenMessage(t.Context(), name)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l, name
}

// cutConns returns a function that makes connections of messages which hold cutBuffer bytes.
func cutConns(t *testing.T) func() (from, to *ipc.MessageConn) {
	t.Helper()
	l, name := cutListener(t)
	return func() (from, to *ipc.MessageConn) {
		from, err := ipc.DialMessage(t.Context(), name)
		require.NoError(t, err)
		to, err = l.AcceptConn(t.Context())
		require.NoError(t, err)
		return from, to
	}
}

// readAPart returns the ends of a connection. from sends a message that is larger than the pipe's buffer, and to, which
// reads bytes, has read a part of it. sent gets the error of sending.
func readAPart(t *testing.T) (from *ipc.MessageConn, to *ipc.Conn, sent chan error) {
	t.Helper()
	l, name := cutListener(t)
	to = dial(t, name)
	from, err := l.AcceptConn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { from.Close() })
	sent = sendAside(from, make([]byte, 3*cutBuffer))
	_, err = io.ReadFull(to, make([]byte, 100))
	require.NoError(t, err)
	return from, to, sent
}

func TestSendThatADeadlineCutHalfwayIsTheLast(t *testing.T) {
	leakcheck.Start(t)
	for range 20 {
		from, to, sent := readAPart(t)
		require.NoError(t, from.SetWriteDeadline(time.Now().Add(-time.Second)))
		require.NoError(t, from.SetWriteDeadline(time.Time{})) // perhaps before the sender is awake
		require.ErrorIs(t, <-sent, os.ErrDeadlineExceeded)
		for range 2 {
			require.ErrorIs(t, from.Send([]byte("x")), syscall.EPIPE)
			n, err := from.SendBatch([][]byte{nil, nil})
			require.ErrorIs(t, err, syscall.EPIPE)
			require.Zero(t, n)
			_, err = from.SendMessage(&ipc.Message{Buffers: [][]byte{[]byte("x"), []byte("y")}})
			require.ErrorIs(t, err, syscall.EPIPE)
		}
		_, err := to.Write([]byte("back")) // the other way goes on
		require.NoError(t, err)
		got, err := from.ReceiveAppend(nil)
		require.NoError(t, err)
		require.Equal(t, "back", string(got))
		require.NoError(t, from.Close())
		_, err = to.Read(make([]byte, 1))
		require.Equal(t, io.EOF, err, "neither the rest nor another message")
	}
}

func TestCloseThatCutsASendHalfwayIsTheEnd(t *testing.T) {
	leakcheck.Start(t)
	from, to, sent := readAPart(t)
	require.NoError(t, from.Close())
	require.ErrorIs(t, <-sent, net.ErrClosed)
	_, err := to.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)
}

func TestDeadlineThatPassedBeforeASendCutsNothing(t *testing.T) {
	leakcheck.Start(t)
	from, to := cutConns(t)()
	defer from.Close()
	defer to.Close()
	large := make([]byte, 3*cutBuffer)
	require.NoError(t, from.SetWriteDeadline(time.Now().Add(-time.Second)))
	require.ErrorIs(t, from.Send(large), os.ErrDeadlineExceeded)
	require.NoError(t, from.SetWriteDeadline(time.Time{}))
	sent := sendAside(from, large)
	got, err := to.ReceiveAppend(nil)
	require.NoError(t, err)
	require.Len(t, got, len(large))
	require.NoError(t, <-sent)
}

func TestSendThatFitsThePipesBufferIsCutWithoutATrace(t *testing.T) {
	leakcheck.Start(t)
	from, to := cutConns(t)()
	defer from.Close()
	defer to.Close()
	require.NoError(t, from.Send([]byte("first")))
	for range 20 {
		sent := sendAside(from, make([]byte, cutBuffer)) // there is no room for it
		waitsIn(t, "perform")
		require.NoError(t, from.SetWriteDeadline(time.Now().Add(-time.Second)))
		require.ErrorIs(t, <-sent, os.ErrDeadlineExceeded)
		require.NoError(t, from.SetWriteDeadline(time.Time{}))
	}
	require.NoError(t, from.Send([]byte("second")))
	for _, want := range []string{"first", "second"} {
		got, err := to.ReceiveAppend(nil)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
}

func TestDisconnectedMessagesAreAtTheirEnd(t *testing.T) {
	leakcheck.Start(t)
	from, to := cutConns(t)() // the one that dialled, and the one that was accepted
	defer from.Close()
	defer to.Close()
	require.NoError(t, from.Send([]byte("lost")))
	require.NoError(t, to.Send([]byte("lost")))
	require.NoError(t, to.Disconnect())
	for _, c := range []*ipc.MessageConn{from, to} {
		for _, form := range cutForms {
			err := form.receive(c, &cutReceiver{}, make([]byte, 4*cutBuffer))
			require.Equal(t, io.EOF, err, form.name)
		}
		require.ErrorIs(t, c.Send([]byte("x")), syscall.EPIPE)
	}
}
