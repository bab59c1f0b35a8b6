//go:build unix

package tests

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestOtherUsersAreAdmittedByMode(t *testing.T) {
	leakcheck.Start(t)
	user := anotherUser(t)
	eacces, served := fmt.Sprintf("dial errno %d", int(syscall.EACCES)), "data"
	sameGroup := *user
	sameGroup.Gid = uint32(os.Getegid())
	stranger, member := startAs(t, user, "dial and read"), startAs(t, &sameGroup, "dial and read")
	sameGroupLater := *user
	sameGroupLater.Groups = []uint32{5, uint32(os.Getegid())}
	supplementary := startAs(t, &sameGroupLater, "dial and read")
	for _, c := range []struct {
		mode             fs.FileMode
		stranger, member bool
	}{{0, false, false}, {0o660, false, true}, {0o666, true, true}, {0o606, true, false}} {
		for _, name := range []ipc.Name{newPath(t), newNamespaced(t)} {
			refused := eacces
			if name.Type() == ipc.NamespacedNames {
				if !abstract() {
					continue // a directory of the user's own keeps others out
				}
				refused = "EOF" // the connection is closed before anybody gets it
				if c.mode == 0o606 {
					c.member = true // a file can shut out a group alone; for credentials, other is everybody
				}
			} else {
				require.NoError(t, os.Chmod(filepath.Dir(name.String()), 0o755))
			}
			lc := ipc.ListenConfig{Mode: c.mode}
			l, err := lc.Listen(t.Context(), name)
			require.NoError(t, err)
			go func() {
				for c := range l.Incoming(context.Background()) {
					c.Write([]byte{1})
					c.Close()
				}
			}()
			want := map[bool]string{true: served, false: refused}
			for _, client := range []*process{stranger, member, supplementary} {
				client.order("%s", name)
			}
			require.Equal(t, want[c.stranger], stranger.answer(), "%s %o, stranger", name, c.mode)
			require.Equal(t, want[c.member], member.answer(), "%s %o, member", name, c.mode)
			require.Equal(t, want[c.member], supplementary.answer(), "%s %o, supplementary member", name, c.mode)
			require.Equal(t, served, dialAndRead(name), "%s %o, owner", name, c.mode)
			require.NoError(t, l.Close())
		}
	}
}

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
	c, err := l.AcceptConn(t.Context())
	require.NoError(t, err)
	defer c.Close()
	_, err = waiting.Write([]byte("x"))
	require.NoError(t, err)
	_, err = c.Read(make([]byte, 1))
	require.NoError(t, err)
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

func TestAdoptedAbstractListenerIsItsOwnersAloneToo(t *testing.T) {
	leakcheck.Start(t)
	user := anotherUser(t)
	if !abstract() {
		return // a file's mode does it
	}
	name := newNamespaced(t)
	f, err := listen(t, name).File()
	require.NoError(t, err)
	defer f.Close()
	stranger := startAs(t, user, "dial and read")
	for mode, want := range map[fs.FileMode]string{0: "EOF", 0o666: "data"} {
		lc := ipc.ListenConfig{Mode: mode}
		l, err := lc.FileListener(f)
		require.NoError(t, err)
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
	_, err = (&ipc.ListenConfig{Mode: fs.ModeDir}).FileListener(f)
	require.ErrorIs(t, err, syscall.EINVAL)
}

func TestRefusedClientsDelayNobody(t *testing.T) {
	leakcheck.Start(t)
	user := anotherUser(t)
	if !abstract() {
		return // a file's mode turns them away
	}
	name := newNamespaced(t)
	l := listen(t, name)
	flood := startAs(t, user, "flood", name.String())
	flood.expect("flooding")
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
	accepted := make(chan error)
	go func() { _, err := l.Accept(); accepted <- err }()
	require.NoError(t, l.Close())
	require.ErrorIs(t, <-accepted, net.ErrClosed)
}
