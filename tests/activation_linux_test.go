package tests

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// passed is the state of a descriptor that a service manager passed.
type passed struct{ own, shared, credentials int }

func statesOf(t *testing.T, fds ...int) (states []passed) {
	t.Helper()
	for _, fd := range fds {
		own, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		require.NoError(t, err)
		shared, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		require.NoError(t, err)
		credentials, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PASSCRED)
		if err != nil {
			require.ErrorIs(t, err, unix.ENOTSOCK)
		}
		states = append(states, passed{own, shared, credentials})
	}
	return states
}

func TestActivationThatFailsHalfwayChangesNothing(t *testing.T) {
	leakcheck.Start(t)
	names := []ipc.Name{newPath(t), newPath(t), newPath(t)}
	passes := func(cmd *exec.Cmd) {
		messages, err := ipc.ListenMessage(names[1])
		require.NoError(t, err)
		t.Cleanup(func() { messages.Close() })
		r, w, err := os.Pipe()
		require.NoError(t, err)
		files := []*os.File{r}
		t.Cleanup(func() { closeAll(append(files, w)) })
		for i, c := range []interface{ File() (*os.File, error) }{
			messages, listen(t, names[0]), listenDatagram(t, names[2]), listen(t, newPath(t)),
		} {
			f, err := c.File()
			require.NoError(t, err)
			files = append(files, f)
			if i < 3 { // as most service managers do
				require.NoError(t, syscall.SetNonblock(int(f.Fd()), false))
			}
		}
		activating(files, "LISTEN_FDS=5", "LISTEN_FDNAMES=pipe:messages:stream:datagrams:stream")(cmd)
	}
	if !aloneWith(t, passes) {
		return
	}
	fds := []int{3, 4, 5, 6, 7}
	before := statesOf(t, fds...)
	variables := []string{os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")}
	for last := 1; last < len(fds); last++ { // by its number or by that of its duplicate; the first is no socket
		free := freeDescriptors(t, len(fds))
		refuse(t, syscall.ENOSPC, fds[last], free[last])
		_, err := ipc.Activated()
		require.ErrorIs(t, err, syscall.ENOSPC)
		require.ErrorContains(t, err, fmt.Sprintf("activate ipc: descriptor %d, ", fds[last]))
		require.Equal(t, before, statesOf(t, fds...))
		require.Equal(t, variables,
			[]string{os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS"), os.Getenv("LISTEN_FDNAMES")})
		require.Equal(t, free, freeDescriptors(t, len(fds)), "it leaves nothing open")
		occupy(t, free[last])
	}
	a, err := ipc.Activated()
	require.NoError(t, err)
	require.Equal(t, `1 datagram sockets "datagrams", 1 files "pipe", 1 message listeners "messages", `+
		`2 stream listeners "stream"`, summary(a))
	require.Empty(t, os.Getenv("LISTEN_FDS"))
	require.Equal(t, fds, freeDescriptors(t, len(fds)))
	for _, fd := range fds[1:] { // their numbers are still refused
		occupy(t, fd)
	}
	l := a.Listeners["stream"][0]
	c := dial(t, l.Addr().(ipc.Name))
	go serveGreeting(l, "served")
	greeting, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Equal(t, "served", string(greeting))
	require.NoError(t, closeActivated(a))
	require.NoError(t, a.Files["pipe"][0].Close())
}
