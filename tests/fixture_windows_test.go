package tests

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/lipc/ipc"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
)

// pathNumber makes each path another.
var pathNumber atomic.Int64

// newPath returns a pipe's path that nobody else uses.
func newPath(t *testing.T) ipc.Name {
	t.Helper()
	return ipc.Path(fmt.Sprintf(`\\.\pipe\lipc-%d-path-%d`, os.Getpid(), pathNumber.Add(1)))
}

// onWine reports whether this is Wine.
var onWine = windows.NewLazySystemDLL("ntdll.dll").NewProc("wine_get_version").Find() == nil

// startsAtTimes reports whether a process that did not start is worth another attempt: on Wine 8 one of a thousand
// fails with ERROR_INTERNAL_ERROR.
func startsAtTimes(err error) bool { return onWine && errors.Is(err, windows.ERROR_INTERNAL_ERROR) }

// passesFiles reports whether messages can have files.
const passesFiles = false

// idleConnections is how many connections are kept at a time.
const idleConnections = 10_000

// systemChildren are the children that only this system can run.
var systemChildren = map[string]child{"keeper": keeperChild, "sharer": sharerChild}

// requireNameGone requires that nothing is left of a name.
func requireNameGone(t *testing.T, name ipc.Name) {
	t.Helper()
	_, err := ipc.Dial(context.Background(), name)
	require.ErrorIs(t, err, os.ErrNotExist)
}

// systemWaits returns the ways to wait that only this system has, for waits.
func systemWaits(t *testing.T) map[string]wait {
	t.Helper()
	return nil
}

// plainRead reads as any program does, from a handle that it was given.
func plainRead(handle uint64, b []byte) (int, error) { return syscall.Read(syscall.Handle(handle), b) }

// plainWrite writes as any program does.
func plainWrite(handle uint64, b []byte) (int, error) {
	return syscall.Write(syscall.Handle(handle), b)
}

// fill writes until the connection takes no more. The write that has to wait is cancelled, and leaves nothing there.
func fill(t *testing.T, c *ipc.Conn) {
	t.Helper()
	fillUp(t, c.Write, c.SetWriteDeadline)
}

// fillPipe writes until the pipe takes no more.
func fillPipe(t *testing.T, w *ipc.PipeWriter) {
	t.Helper()
	fillUp(t, w.Write, w.SetDeadline)
}

func fillUp(t *testing.T, write func([]byte) (int, error), setDeadline func(time.Time) error) {
	t.Helper()
	for _, size := range []int{4096, 1} {
		for {
			require.NoError(t, setDeadline(time.Now().Add(50*time.Millisecond)))
			if _, err := write(make([]byte, size)); err != nil {
				require.ErrorIs(t, err, os.ErrDeadlineExceeded)
				break
			}
		}
	}
	require.NoError(t, setDeadline(time.Time{}))
}

// handleOf returns a connection's handle.
func handleOf(t *testing.T, conn syscall.Conn) (handle windows.Handle) {
	t.Helper()
	raw, err := conn.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(number uintptr) { handle = windows.Handle(number) }))
	return handle
}

// requireCloseOnExec requires that child processes do not inherit a handle.
func requireCloseOnExec(t *testing.T, conn syscall.Conn) {
	t.Helper()
	requireInherit(t, conn, false)
}

var getHandleInformation = windows.NewLazySystemDLL("kernel32.dll").NewProc("GetHandleInformation")

// requireInherit requires that child processes inherit a handle, or that they do not.
func requireInherit(t *testing.T, conn syscall.Conn, want bool) {
	t.Helper()
	var flags uint32
	ok, _, err := getHandleInformation.Call(uintptr(handleOf(t, conn)), uintptr(unsafe.Pointer(&flags)))
	require.NotZero(t, ok, "%v", err)
	require.Equal(t, want, flags&windows.HANDLE_FLAG_INHERIT != 0, "%T", conn)
}

// largest returns the size of a large message. Only memory limits it.
func largest(t *testing.T, _ interface{ Send([]byte) error }) int {
	t.Helper()
	return 1 << 20
}

// listening returns what of a listener has a handle. There is nothing: each instance of its pipe that waits has one.
func listening(*ipc.Listener) []syscall.Conn { return nil }

// listenAs returns a listener with options of Windows on a name of its own. It is closed when the test ends.
func listenAs(t *testing.T, sys ipc.SysListen) (*ipc.Listener, ipc.Name) {
	t.Helper()
	name := newPath(t)
	l, err := (&ipc.ListenConfig{Sys: &sys}).Listen(t.Context(), name)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l, name
}

// connectAs returns a connection with options of Windows. Both ends are closed when the test ends.
func connectAs(t *testing.T, listenSys ipc.SysListen, dialSys ipc.SysDial) (client, server *ipc.Conn) {
	t.Helper()
	l, name := listenAs(t, listenSys)
	client, err := (&ipc.Dialer{Sys: &dialSys}).Dial(t.Context(), name)
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	server, err = l.AcceptConn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { server.Close() })
	return client, server
}

// startClient starts a client, which keeps its connection.
func startClient(t *testing.T, name ipc.Name) *process {
	t.Helper()
	client := start(t, "client")
	client.order("%s", name)
	client.expect("connected")
	return client
}

// privateRuntimeDirectory is for Unix: there is no such directory.
func privateRuntimeDirectory(*testing.T) string { return "" }

func setRealUser() int { panic("there are no set-user-ID programs on Windows") }
