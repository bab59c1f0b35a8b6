//go:build unix

package tests

import (
	"io/fs"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// leaveStale makes a socket file that nobody listens on.
func leaveStale(t *testing.T, name ipc.Name) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name.String(), Net: "unix"})
	require.NoError(t, err)
	l.SetUnlinkOnClose(false)
	require.NoError(t, l.Close())
}

func TestSocketFileHasTheModeThatWasAskedFor(t *testing.T) {
	leakcheck.Start(t)
	defer syscall.Umask(syscall.Umask(0o077))
	for _, mode := range []fs.FileMode{0, 0o600, 0o660, 0o777, 0o200} {
		want := mode
		if mode == 0 {
			want = 0o600
		}
		name := newPath(t)
		l, err := (&ipc.ListenConfig{Mode: mode}).Listen(t.Context(), name)
		require.NoError(t, err)
		info, err := os.Stat(name.String())
		require.NoError(t, err)
		require.Equal(t, fs.ModeSocket|want, info.Mode())
		require.NoError(t, l.Close())
	}
}

func TestUnlinkOnCloseCanBeTurnedOff(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l := listen(t, name)
	l.SetUnlinkOnClose(false)
	require.NoError(t, l.Close())
	require.FileExists(t, name.String())
	l.SetUnlinkOnClose(true) // too late, and harmless
	require.NoError(t, listen(t, name).Close())
	require.NoFileExists(t, name.String())
	require.NoFileExists(t, name.String()+".lock")
}
