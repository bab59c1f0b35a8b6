//go:build unix

package tests

import (
	"context"
	"io/fs"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestAcceptSurvivesRunningOutOfDescriptors(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l := listen(t, name)
	waiting := dial(t, name)
	used := useUpDescriptors(t)
	_, err := l.AcceptConn(t.Context())
	release(used)
	require.ErrorIs(t, err, syscall.EMFILE)
	var op *net.OpError
	require.ErrorAs(t, err, &op)
	require.True(t, op.Temporary()) // so net/http goes on serving
	require.Equal(t, "accept", op.Op)
	c := accept(t, l)
	requireByteArrives(t, waiting, c)
}

func TestIncomingGoesOnAfterRunningOutOfDescriptors(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l := listen(t, name)
	dial(t, name)
	used := useUpDescriptors(t)
	failures, served := 0, 0
	closed := make(chan error)
	for c, err := range l.Incoming(t.Context()) {
		if err != nil {
			require.ErrorIs(t, err, syscall.EMFILE)
			if failures++; failures == 2 {
				release(used)
			}
			continue
		}
		served++
		c.Close()
		go func() { closed <- l.Close() }() // which ends the sequence
	}
	require.NoError(t, <-closed)
	require.Equal(t, 2, failures)
	require.Equal(t, 1, served)
}

func TestAbstractListenersAdmitOtherUsersAsTheirModeSays(t *testing.T) {
	leakcheck.Start(t)
	user := anotherUser(t)
	if !abstract() {
		return // the mode of a file does it
	}
	stranger := startAs(t, user, "dial and read")
	requireAdmission := func(l *ipc.Listener, want string) {
		t.Helper()
		name := l.Addr().(ipc.Name)
		go func() {
			for c := range l.Incoming(context.Background()) {
				c.Write([]byte{1})
				c.Close()
			}
		}()
		stranger.order("%s", name)
		stranger.expect(want)
		require.Equal(t, "data", dialAndRead(name))
		require.NoError(t, l.Close())
	}
	for mode, want := range map[fs.FileMode]string{0: "EOF", 0o666: "data"} { // EOF: nobody accepts the connection
		lc := ipc.ListenConfig{Mode: mode}
		l, err := lc.Listen(t.Context(), newNamespaced(t))
		require.NoError(t, err)
		requireAdmission(l, want)

		f, err := listen(t, newNamespaced(t)).File()
		require.NoError(t, err)
		l, err = lc.FileListener(f)
		require.NoError(t, err)
		requireAdmission(l, want)
		_, err = (&ipc.ListenConfig{Mode: fs.ModeDir}).FileListener(f)
		require.ErrorIs(t, err, syscall.EINVAL)
		require.NoError(t, f.Close())
	}
}

// requireDeadlinesOfAccept requires that a deadline and a context end accepting, although clients come and are refused.
func requireDeadlinesOfAccept(t *testing.T, l *ipc.Listener) {
	t.Helper()
	for range 20 {
		require.NoError(t, l.SetDeadline(time.Now().Add(5*time.Millisecond)))
		_, err := l.Accept()
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, l.SetDeadline(time.Time{}))
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		_, err = l.AcceptConn(ctx)
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
}

func TestRefusedClientsDelayNobody(t *testing.T) {
	leakcheck.Start(t)
	user := anotherUser(t)
	if !abstract() {
		return // the mode of a file refuses them
	}
	name := newNamespaced(t)
	l := listen(t, name)
	flood := startAs(t, user, "flood", name.String())
	flood.expect("flooding")
	requireDeadlinesOfAccept(t, l)
	accepted := make(chan error)
	go func() { _, err := l.Accept(); accepted <- err }()
	require.NoError(t, l.Close())
	require.ErrorIs(t, <-accepted, net.ErrClosed)
}

func TestLockFileThatAnotherUserTookIsNamed(t *testing.T) {
	leakcheck.Start(t)
	user := anotherUser(t)
	name := newPath(t)
	lock := name.String() + ".lock"
	require.NoError(t, os.WriteFile(lock, nil, 0o600))
	require.NoError(t, os.Chown(lock, int(user.Uid), int(user.Gid)))
	_, err := ipc.Listen(name)
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, "a file of another user")
	require.NoError(t, os.Remove(lock))
}
