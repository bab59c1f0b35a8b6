package tests

import (
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
)

func TestWriteThatADeadlineCutIsNotMadeAgain(t *testing.T) {
	leakcheck.Start(t)
	for range 20 {
		client, server := connectAs(t, ipc.SysListen{InboundBuffer: 1, OutboundBuffer: 1}, ipc.SysDial{})
		written := make(chan error)
		go func() {
			_, err := server.Write(make([]byte, 4000)) // waits until all of it is read
			written <- err
		}()
		_, err := io.ReadFull(client, make([]byte, 100))
		require.NoError(t, err)
		require.NoError(t, server.SetWriteDeadline(time.Now().Add(-time.Second)))
		require.NoError(t, server.SetWriteDeadline(time.Time{})) // perhaps before the writer is awake
		require.ErrorIs(t, <-written, os.ErrDeadlineExceeded)
		_, err = server.Write([]byte("x"))
		require.ErrorIs(t, err, syscall.EPIPE, "it would follow a part of which nobody knows how long it is")
		require.NoError(t, server.Close())
		rest, err := io.ReadAll(client)
		require.NoError(t, err)
		require.LessOrEqual(t, len(rest), 3900)
	}
}

func TestClientOfBytesReadsAMessagePipe(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l, err := ipc.ListenMessage(name)
	require.NoError(t, err)
	defer l.Close()
	client := dial(t, name)
	server := accept(t, l)
	for _, message := range []string{"one", "two", "three"} {
		require.NoError(t, server.Send([]byte(message)))
	}
	got := make([]byte, 11)
	_, err = io.ReadFull(client, got[:2]) // a part of a message
	require.NoError(t, err)
	_, err = io.ReadFull(client, got[2:])
	require.NoError(t, err)
	require.Equal(t, "onetwothree", string(got))
	raw, err := client.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(handle uintptr) {
		mode := uint32(windows.PIPE_READMODE_MESSAGE)
		err = windows.SetNamedPipeHandleState(windows.Handle(handle), &mode, nil, nil)
	}))
	require.NoError(t, err)
	require.NoError(t, server.Send([]byte("a message is bytes all the same")))
	got = make([]byte, 31)
	n, err := client.Read(got[:1])
	require.NoError(t, err)
	require.Equal(t, 1, n)
	_, err = io.ReadFull(client, got[1:])
	require.NoError(t, err)
	require.Equal(t, "a message is bytes all the same", string(got))
	_, err = client.Write([]byte("each write is a message"))
	require.NoError(t, err)
	message, err := server.ReceiveAppend(nil)
	require.NoError(t, err)
	require.Equal(t, "each write is a message", string(message))
	require.NoError(t, server.Close())
	_, err = client.Read(got)
	require.Equal(t, io.EOF, err)
}
