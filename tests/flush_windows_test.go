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

func TestFlushWaitsForThePeerToRead(t *testing.T) {
	leakcheck.Start(t)
	client, server := connectAs(t, ipc.SysListen{}, ipc.SysDial{}) // a client's flush waits for nothing on Wine 8
	require.NoError(t, server.Flush())
	_, err := server.Write([]byte("unread"))
	require.NoError(t, err)
	require.NoError(t, server.SetWriteDeadline(time.Now().Add(-time.Second)))
	require.ErrorIs(t, server.Flush(), os.ErrDeadlineExceeded)
	require.NoError(t, server.SetWriteDeadline(time.Now().Add(20*time.Millisecond)))
	err = server.Flush()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.ErrorContains(t, err, "flush ipc")
	require.NoError(t, server.SetWriteDeadline(time.Time{}))
	flushed := make(chan error)
	go func() { flushed <- server.Flush() }()
	_, err = io.ReadFull(client, make([]byte, 6))
	require.NoError(t, err)
	require.NoError(t, <-flushed)

	_, err = server.Write([]byte("unread"))
	require.NoError(t, err)
	go func() { flushed <- server.Flush() }()
	require.NoError(t, server.Close())
	require.ErrorIs(t, <-flushed, net.ErrClosed)
	require.ErrorIs(t, server.Flush(), net.ErrClosed)
	require.ErrorIs(t, new(ipc.Conn).Flush(), syscall.EINVAL)
}

func TestFlushOfAPipeWaitsForItsReader(t *testing.T) {
	leakcheck.Start(t)
	r, w := newPipe(t, new(ipc.PipeConfig))
	require.NoError(t, w.Flush())
	_, err := w.Write([]byte("unread"))
	require.NoError(t, err)
	require.NoError(t, w.SetDeadline(time.Now().Add(-time.Second)))
	err = w.Flush()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.ErrorContains(t, err, "flush ipc")
	if !onWine { // on Wine the flush of the end that connected waits for nothing
		require.NoError(t, w.SetDeadline(time.Now().Add(20*time.Millisecond)))
		require.ErrorIs(t, w.Flush(), os.ErrDeadlineExceeded)
	}
	require.NoError(t, w.SetDeadline(time.Time{}))
	flushed := make(chan error)
	go func() { flushed <- w.Flush() }()
	_, err = io.ReadFull(r, make([]byte, 6))
	require.NoError(t, err)
	require.NoError(t, <-flushed)
	require.NoError(t, w.Close())
	require.ErrorIs(t, w.Flush(), net.ErrClosed)
	require.ErrorIs(t, new(ipc.PipeWriter).Flush(), syscall.EINVAL)
}

func TestFlushEndsWhenThePeerIsGone(t *testing.T) {
	leakcheck.Start(t)
	for range 20 {
		client, server := connectAs(t, ipc.SysListen{}, ipc.SysDial{})
		_, err := server.Write([]byte("never read"))
		require.NoError(t, err)
		errs := race(server.Flush, client.Close)
		if errs[0] != nil { // if the peer was gone before, nothing is left to be read
			require.ErrorIs(t, errs[0], syscall.EPIPE)
		}
		require.NoError(t, errs[1])
	}
}

func TestDisconnectEndsTheConnectionAtOnce(t *testing.T) {
	leakcheck.Start(t)
	client, server := connectAs(t, ipc.SysListen{}, ipc.SysDial{})
	_, err := server.Write([]byte("lost"))
	require.NoError(t, err)
	require.Error(t, client.Disconnect(), "clients close")
	require.NoError(t, server.Disconnect())
	_, err = client.Read(make([]byte, 10))
	require.Equal(t, io.EOF, err)
	_, err = client.Write([]byte("x"))
	require.ErrorIs(t, err, syscall.EPIPE)
	_, err = server.Read(make([]byte, 10))
	require.Equal(t, io.EOF, err)
	_, err = server.Write([]byte("x"))
	require.ErrorIs(t, err, syscall.EPIPE)
	require.NoError(t, server.Close())
	require.ErrorIs(t, server.Disconnect(), net.ErrClosed)
}
