//go:build unix

package tests

import (
	"context"
	"errors"
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
	racers := [2]*process{start(t, "racer"), start(t, "racer")}
	for round := range 200 {
		leaveStale(t, name)
		for _, racer := range racers {
			racer.order("listen %s", name)
		}
		answers := [2]string{racers[0].answer(), racers[1].answer()}
		require.ElementsMatch(t, []string{"won", "in use"}, answers[:], "round %d", round)
		require.NoError(t, echoOnce(name), "round %d", round)
		winner := racers[0]
		if answers[1] == "won" {
			winner = racers[1]
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

func TestOtherUsersAreAdmittedByMode(t *testing.T) {
	leakcheck.Start(t)
	user := anotherUser(t)
	eacces, served := fmt.Sprintf("dial errno %d", int(syscall.EACCES)), "data"
	sameGroup := *user
	sameGroup.Gid = uint32(os.Getegid())
	stranger, member := startAs(t, user, "stat"), startAs(t, &sameGroup, "stat")
	sameGroupLater := *user
	sameGroupLater.Groups = []uint32{5, uint32(os.Getegid())}
	supplementary := startAs(t, &sameGroupLater, "stat")
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
	stranger := startAs(t, user, "stat")
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

func TestThoseWhoAreTurnedAwayHoldNobodyUp(t *testing.T) {
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
