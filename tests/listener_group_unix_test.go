//go:build unix

package tests

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestGroupOfAListenerMayConnectAndNoOther(t *testing.T) {
	leakcheck.Start(t)
	user := anotherUser(t)
	member := startAs(t, user, "dial and read")
	stranger := startAs(t, &syscall.Credential{Uid: user.Uid, Gid: user.Gid - 1}, "dial and read")
	dir := leakcheck.Dir(t)
	require.NoError(t, os.Chmod(dir, 0o755))
	refused := fmt.Sprintf("dial errno %d", int(syscall.EACCES))
	names := map[ipc.Name]string{ipc.Path(filepath.Join(dir, "s")): refused}
	if abstract() {
		names[newNamespaced(t)] = "EOF" // the listener closes the connection
	}
	for name, turnedAway := range names {
		for _, group := range []string{fmt.Sprint(user.Gid), "nogroup"} {
			told := make(chan error, 10)
			lc := ipc.ListenConfig{Mode: 0o660, Group: group, Refused: func(c ipc.Credentials, err error) {
				if c.UID != int(user.Uid) || c.GID != int(user.Gid)-1 {
					err = fmt.Errorf("not of %v: %w", c, err)
				}
				told <- err
			}}
			l, err := lc.Listen(t.Context(), name)
			require.NoError(t, err)
			go func() {
				for c := range l.Incoming(context.Background()) {
					c.Write([]byte{1})
					c.Close()
				}
			}()
			member.order("%s", name)
			member.expect("data")
			stranger.order("%s", name)
			stranger.expect(turnedAway)
			if turnedAway == "EOF" {
				err := <-told
				require.ErrorIs(t, err, fs.ErrPermission)
				require.ErrorContains(t, err, fmt.Sprintf("user %d, group %d: the listener's Mode does not admit it",
					user.Uid, user.Gid-1))
				require.NotContains(t, err.Error(), "not of")
			}
			require.Equal(t, "data", dialAndRead(name))
			require.NoError(t, l.Close())
			require.Empty(t, told)
		}
	}
}

func TestGroupThatDoesNotExistIsInvalid(t *testing.T) {
	leakcheck.Start(t)
	for _, group := range []string{"no such group, is there?", "-1", "4294967295", "4294967296"} {
		lc := ipc.ListenConfig{Mode: 0o660, Group: group}
		_, err := lc.Listen(t.Context(), newPath(t))
		require.ErrorIs(t, err, syscall.EINVAL, group)
		_, err = lc.ListenDatagram(t.Context(), newPath(t))
		require.ErrorIs(t, err, syscall.EINVAL, group)
	}
}

func TestErrorOfANameInUseSaysWhatIsInTheWay(t *testing.T) {
	leakcheck.Start(t)
	dir := leakcheck.Dir(t)
	requireInTheWay := func(name ipc.Name, what string) {
		t.Helper()
		_, err := ipc.Listen(name)
		require.ErrorIs(t, err, syscall.EADDRINUSE)
		require.ErrorContains(t, err, what)
	}
	directory, file := filepath.Join(dir, "d"), filepath.Join(dir, "f")
	require.NoError(t, os.Mkdir(directory, 0o700))
	requireInTheWay(ipc.Path(directory), "a directory has the name")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	requireInTheWay(ipc.Path(file), "a file that is not a socket has the name")
	notes := filepath.Join(dir, "l.lock")
	require.NoError(t, os.WriteFile(notes, []byte("notes"), 0o600))
	requireInTheWay(ipc.Path(filepath.Join(dir, "l")), "the lock file beside the name")
	require.NoError(t, os.Remove(notes))

	server := start(t, "listener")
	for _, name := range []ipc.Name{newPath(t), newNamespaced(t)} {
		server.order("listen %s", name)
		server.expect("won")
		what := "a living server has the name"
		if abstract() && name.Type() == ipc.PathNames { // otherwise the core does not ask who holds the lock
			what += fmt.Sprintf(", process %d", server.cmd.Process.Pid)
		}
		requireInTheWay(name, what)
		server.order("close")
		server.expect("closed")
	}
}
