package main

import (
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
)

// rawHandle is the handle of a connection.
func rawHandle(t *testing.T, c *ipc.Conn) (handle windows.Handle) {
	t.Helper()
	raw, err := c.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(number uintptr) { handle = windows.Handle(number) }))
	return handle
}

func TestReceiverRefusesHandlesThatCouldEndIt(t *testing.T) {
	leakcheck.Start(t)
	x := newTransfer(t, "-keep")
	event, err := windows.CreateEvent(nil, 1, 0, nil)
	require.NoError(t, err)
	defer windows.CloseHandle(event)
	a, b, err := ipc.Pair()
	require.NoError(t, err)
	defer a.Close()
	defer b.Close()
	for _, handle := range []windows.Handle{event, windows.CurrentProcess(), 3, rawHandle(t, a)} {
		c := dial(t, x.name)
		line, err := offer{Name: "file", Size: -1, Mode: 0o600, Handle: uint64(handle)}.line()
		require.NoError(t, err)
		_, err = c.Write(line)
		require.NoError(t, err)
		require.NoError(t, c.SetReadDeadline(time.Now().Add(patience)))
		answers, err := io.ReadAll(c)
		require.NoError(t, err, "it gives up this sender")
		require.Empty(t, answers)
		require.NoError(t, c.Close())
	}
	require.NoError(t, x.sendFromHere(t, write(t, x.from, "decent", "content")))
	requireFile(t, "content", filepath.Join(x.to, "decent"))
}
