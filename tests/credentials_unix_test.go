//go:build unix

package tests

import (
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestPeerCredentialsAreThoseOfThePeerProcess(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	server := startEcho(t, name)
	c := dial(t, name)
	credentials, err := c.PeerCredentials()
	require.NoError(t, err)
	require.Equal(t, server.cmd.Process.Pid, credentials.PID)
	require.Equal(t, os.Geteuid(), credentials.UID)
	require.Equal(t, os.Getegid(), credentials.GID)
	require.Empty(t, credentials.SID)
	groups, err := os.Getgroups()
	require.NoError(t, err)
	if onLinux || runtime.GOOS == "darwin" || runtime.GOOS == "freebsd" {
		require.Subset(t, append(groups, os.Getegid()), credentials.Groups)
	}
	if onLinux {
		slices.Sort(groups)
		require.ElementsMatch(t, groups, credentials.Groups)
	}

	a, _ := pair(t)
	credentials, err = a.PeerCredentials()
	require.NoError(t, err)
	require.Equal(t, os.Getpid(), credentials.PID)
	require.NoError(t, a.Close())
	_, err = a.PeerCredentials()
	require.ErrorIs(t, err, net.ErrClosed)
}

func TestPeerCredentialsOfAnotherUser(t *testing.T) {
	leakcheck.Start(t)
	user := anotherUser(t)
	user.Groups = make([]uint32, 100) // more than the first call to the kernel has room for
	for i := range user.Groups {
		user.Groups[i] = uint32(70_000 + i)
	}
	name := newPath(t)
	require.NoError(t, os.Chmod(strings.TrimSuffix(name.String(), "/s"), 0o755))
	lc := ipc.ListenConfig{Mode: 0o666}
	l, err := lc.Listen(t.Context(), name)
	require.NoError(t, err)
	defer l.Close()
	client := startAs(t, user, "dial and read")
	client.order("%s", name)
	c, err := l.AcceptConn(t.Context())
	require.NoError(t, err)
	credentials, err := c.PeerCredentials()
	require.NoError(t, err)
	require.NoError(t, c.Close())
	client.expect("EOF")
	require.Equal(t, client.cmd.Process.Pid, credentials.PID)
	require.Equal(t, int(user.Uid), credentials.UID)
	require.Equal(t, int(user.Gid), credentials.GID)
	if onLinux {
		require.Len(t, credentials.Groups, 100)
		require.Equal(t, 70_000, slices.Min(credentials.Groups))
	}
}
