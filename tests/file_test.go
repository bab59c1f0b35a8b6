package tests

import (
	"errors"
	"io"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestDescriptorsAreCloseOnExec(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	l := listen(t, newPath(t))
	duplicate, err := a.File()
	require.NoError(t, err)
	defer duplicate.Close()
	client := dial(t, l.Addr().(ipc.Name))
	server := accept(t, l)
	for _, conn := range append([]syscall.Conn{a, b, duplicate, client, server}, listening(l)...) {
		requireCloseOnExec(t, conn)
	}
}

func TestFilesCarryConnections(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l := listen(t, name)
	for range 3 {
		c := dial(t, name)
		accepted, err := l.AcceptConn(t.Context())
		require.NoError(t, err)
		f, err := c.File()
		require.NoError(t, err)
		require.NoError(t, c.Close())
		c, err = ipc.FileConn(f)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		served := make(chan error)
		go func() {
			_, err := io.Copy(accepted, accepted)
			served <- errors.Join(err, accepted.Close())
		}()
		requireEcho(t, c)
		require.NoError(t, c.SetDeadline(time.Now().Add(5*time.Millisecond)))
		_, err = c.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, c.Close())
		require.NoError(t, <-served)
	}
}

func TestBothOwnersOfADuplicateReadAndWrite(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	f, err := a.File()
	require.NoError(t, err)
	defer f.Close()
	again, err := ipc.FileConn(f)
	require.NoError(t, err)
	defer again.Close()
	for _, c := range []*ipc.Conn{a, again, a, again} {
		_, err := c.Write([]byte("from one"))
		require.NoError(t, err)
		got := make([]byte, 8)
		_, err = io.ReadFull(b, got)
		require.NoError(t, err)
		require.Equal(t, "from one", string(got))
		_, err = b.Write([]byte("to one"))
		require.NoError(t, err)
		_, err = io.ReadFull(c, got[:6])
		require.NoError(t, err)
		require.Equal(t, "to one", string(got[:6]))
	}
	require.NoError(t, a.Close())
	_, err = again.Write([]byte("still there"))
	require.NoError(t, err)
	require.NoError(t, again.Close())
	require.NoError(t, f.Close())
	got, err := io.ReadAll(b)
	require.NoError(t, err)
	require.Equal(t, "still there", string(got))
}

func TestFileThatIsClosedOrNilIsNoConnection(t *testing.T) {
	leakcheck.Start(t)
	closed, err := os.Open(os.DevNull)
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	_, err = ipc.FileConn(closed)
	require.ErrorIs(t, err, os.ErrClosed)
	require.ErrorContains(t, err, "file ipc")
	_, err = ipc.FileConn(nil)
	require.ErrorIs(t, err, os.ErrInvalid)
	file, err := os.Open(numbered(t, 1)[0].Name())
	require.NoError(t, err)
	defer file.Close()
	_, err = ipc.FileConn(file)
	require.ErrorIs(t, err, syscall.ENOTSOCK)
	require.ErrorContains(t, err, "file ipc")
}
