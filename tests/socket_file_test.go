//go:build unix

package tests

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// leaveStale leaves a socket file that nobody listens on.
func leaveStale(t *testing.T, name ipc.Name) {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name.String(), Net: "unix"})
	require.NoError(t, err)
	l.SetUnlinkOnClose(false)
	require.NoError(t, l.Close())
}

func TestTwoProcessesRaceForOneStaleSocketAndOneWins(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	children := [2]*process{start(t, "listener"), start(t, "listener")}
	for round := range 200 {
		leaveStale(t, name)
		for _, child := range children {
			child.order("listen %s", name)
		}
		answers := [2]string{children[0].answer(), children[1].answer()}
		require.ElementsMatch(t, []string{"won", "in use"}, answers[:], "round %d", round)
		require.NoError(t, echoOnce(name), "round %d", round)
		winner := children[0]
		if answers[1] == "won" {
			winner = children[1]
		}
		winner.order("close")
		winner.expect("closed")
		require.NoFileExists(t, name.String())
		require.NoFileExists(t, name.String()+".lock")
	}
}

func TestNameOfAKilledServerIsTakenOver(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	for range 5 {
		server := start(t, "echo", name.String())
		server.expect("listening")
		require.NoError(t, echoOnce(name))
		server.kill()
		require.FileExists(t, name.String())
		_, err := ipc.Dial(t.Context(), name)
		require.ErrorIs(t, err, syscall.ECONNREFUSED)
		require.ErrorContains(t, err, "dial ipc "+name.String())
	}
	l := listen(t, name)
	go serveEcho(l)
	require.NoError(t, echoOnce(name))
}

func TestLiveServerOfNetKeepsItsNameWithAFullBacklog(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	require.NoError(t, err)
	defer os.Remove(name.String())
	defer syscall.Close(fd)
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrUnix{Name: name.String()}))
	requireInUse(t, name) // between bind and listen it lives, too
	require.NoError(t, syscall.Listen(fd, 1))
	fillBacklog(t, name)
	requireInUse(t, name)
}

func TestWhatIsNoSocketIsRefusedAndUntouched(t *testing.T) {
	leakcheck.Start(t)
	dir := leakcheck.Dir(t)
	file, folder, stale := filepath.Join(dir, "file"), filepath.Join(dir, "folder"), filepath.Join(dir, "stale")
	require.NoError(t, os.WriteFile(file, []byte("precious"), 0o640))
	require.NoError(t, os.Mkdir(folder, 0o750))
	leaveStale(t, ipc.Path(stale))
	defer os.Remove(stale)
	paths := []string{file, folder, stale + "-link", file + "-link", folder + "-link", "dangling"}
	for _, path := range paths[:2] {
		require.NoError(t, os.Symlink(path, path+"-link"))
	}
	require.NoError(t, os.Symlink(stale, stale+"-link"))
	paths[5] = filepath.Join(dir, "dangling")
	require.NoError(t, os.Symlink(filepath.Join(dir, "absent"), paths[5]))
	for _, path := range paths {
		before, err := os.Lstat(path)
		require.NoError(t, err)
		requireInUse(t, ipc.Path(path))
		after, err := os.Lstat(path)
		require.NoError(t, err)
		require.True(t, os.SameFile(before, after), path)
		require.Equal(t, before.Mode(), after.Mode(), path)
		require.Equal(t, before.ModTime(), after.ModTime(), path)
		require.NoFileExists(t, path+".lock")
	}
	content, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "precious", string(content))
}

func TestStaleSocketOfAnotherUserIsRefused(t *testing.T) {
	leakcheck.Start(t)
	user := anotherUser(t)
	name := newPath(t)
	leaveStale(t, name)
	defer os.Remove(name.String())
	require.NoError(t, os.Chown(name.String(), int(user.Uid), int(user.Gid)))
	requireInUse(t, name)
	require.FileExists(t, name.String())
}

func TestSocketFileHasTheModeThatWasAskedFor(t *testing.T) {
	leakcheck.Start(t)
	for _, umask := range []int{0, 0o022, 0o077, 0o777} {
		for _, mode := range []fs.FileMode{0, 0o600, 0o660, 0o666, 0o777, 0o200} {
			want := mode
			if mode == 0 {
				want = 0o600
			}
			name := newPath(t)
			before := syscall.Umask(umask)
			lc := ipc.ListenConfig{Mode: mode}
			l, err := lc.Listen(t.Context(), name)
			syscall.Umask(before)
			require.NoError(t, err)
			info, err := os.Stat(name.String())
			require.NoError(t, err)
			require.Equal(t, fs.ModeSocket|want, info.Mode(), "umask %o", umask)
			require.NoError(t, l.Close())
		}
	}
}

func TestCloseRemovesItsOwnFileOnly(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l := listen(t, name)
	require.NoError(t, os.Remove(name.String()))
	other, err := net.Listen("unix", name.String())
	require.NoError(t, err)
	require.NoError(t, l.Close())
	require.FileExists(t, name.String())
	require.NoError(t, other.Close())
	require.NoFileExists(t, name.String())
}

func TestCloseFindsItsFileAfterChangeOfDirectory(t *testing.T) {
	leakcheck.Start(t)
	t.Chdir(leakcheck.Dir(t))
	l := listen(t, ipc.Path("s"))
	require.FileExists(t, "s")
	before, err := os.Getwd()
	require.NoError(t, err)
	require.NoError(t, os.Chdir("/"))
	require.NoError(t, l.Close())
	require.NoFileExists(t, filepath.Join(before, "s"))
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

func TestForgottenListenerIsCleanedUp(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	func() {
		_, err := ipc.Listen(name)
		require.NoError(t, err)
	}()
	collect(t, func() bool {
		_, err := os.Lstat(name.String())
		return errors.Is(err, fs.ErrNotExist)
	})
}
