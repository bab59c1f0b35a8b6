//go:build unix

package tests

import (
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// newUser returns a user that nobody has, and that has left no directory.
func newUser(t *testing.T) *syscall.Credential {
	t.Helper()
	user := anotherUser(t)
	user.Uid = 1_000_000 + uint32(os.Getpid())
	user.Gid = user.Uid
	t.Cleanup(func() { os.RemoveAll(lastDirectory(user)) })
	return user
}

// lastDirectory is where the names of a user are who has no runtime directory.
func lastDirectory(user *syscall.Credential) string { return fmt.Sprintf("/tmp/lipc-%d", user.Uid) }

// usualDirectory is where the names of this process's user are without XDG_RUNTIME_DIR.
func usualDirectory() string {
	usual := fmt.Sprintf("/run/user/%d", os.Geteuid())
	if info, err := os.Lstat(usual); err == nil && onLinux && info.IsDir() && info.Mode()&0o022 == 0 &&
		int(info.Sys().(*syscall.Stat_t).Uid) == os.Geteuid() {
		return usual + "/lipc"
	}
	return fmt.Sprintf("/tmp/lipc-%d", os.Geteuid())
}

func TestUserNameIsAFileInTheRuntimeDirectory(t *testing.T) {
	leakcheck.Start(t)
	dir := privateRuntimeDirectory(t)
	name := ipc.UserName("app")
	location, err := name.Location()
	require.NoError(t, err)
	require.Equal(t, dir+"/lipc/app", location)
	require.NoDirExists(t, dir+"/lipc", "nothing is created")
	_, err = ipc.Dial(t.Context(), name)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NoDirExists(t, dir+"/lipc", "only a listener creates it")

	defer syscall.Umask(syscall.Umask(0o777))
	l := listen(t, name)
	info, err := os.Lstat(dir + "/lipc")
	require.NoError(t, err)
	require.Equal(t, fs.ModeDir|0o700, info.Mode())
	info, err = os.Lstat(location)
	require.NoError(t, err)
	require.Equal(t, fs.ModeSocket|0o600, info.Mode())
	require.NoError(t, l.Close())
	require.NoFileExists(t, location)
	require.NoFileExists(t, location+".lock")
}

func TestLocationIsThePathOfTheSocket(t *testing.T) {
	leakcheck.Start(t)
	directory := "/run/lipc"
	if !onLinux {
		directory = "/var/run/lipc"
	}
	want := map[ipc.Name]string{
		ipc.Path("/tmp/s"):             "/tmp/s",
		ipc.Path("s"):                  "s",
		ipc.Path("user:s"):             "./user:s",
		ipc.SystemName("org.lipc.app"): directory + "/org.lipc.app",
	}
	if abstract() {
		want[ipc.Namespaced("s")] = "@s"
		want[ipc.Namespaced("a\x00b")] = "@a\x00b"
	}
	for name, path := range want {
		location, err := name.Location()
		require.NoError(t, err)
		require.Equal(t, path, location)
	}
}

func TestRuntimeDirectoryCountsOnlyIfItIsTheUsersAlone(t *testing.T) {
	leakcheck.Start(t)
	dir := leakcheck.Dir(t)
	newDirectory := func(name string, mode fs.FileMode) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.Mkdir(path, 0o700))
		require.NoError(t, os.Chmod(path, mode))
		return path
	}
	own, open, group := newDirectory("own", 0o700), newDirectory("open", 0o777|fs.ModeSticky), newDirectory("group", 0o770)
	readable := newDirectory("readable", 0o755)
	require.NoError(t, os.WriteFile(dir+"/file", nil, 0o600))
	require.NoError(t, os.Symlink(own, dir+"/link"))
	directories := map[string]string{
		own:              own + "/lipc",
		readable:         readable + "/lipc", // the directory in it is the one that keeps others out
		open:             usualDirectory(),
		group:            usualDirectory(),
		dir + "/file":    usualDirectory(),
		dir + "/link":    usualDirectory(),
		dir + "/missing": usualDirectory(),
		"own":            usualDirectory(),
		"":               usualDirectory(),
	}
	if os.Geteuid() == 0 { // as after sudo, which may keep the variable
		others := newDirectory("others", 0o700)
		require.NoError(t, os.Chown(others, int(anotherUser(t).Uid), -1))
		directories[others] = usualDirectory()
	}
	t.Chdir(dir)
	for value, want := range directories {
		t.Setenv("XDG_RUNTIME_DIR", value)
		location, err := ipc.UserName("app").Location()
		require.NoError(t, err)
		require.Equal(t, want+"/app", location, "XDG_RUNTIME_DIR=%s", value)
	}
	require.NoError(t, os.Unsetenv("XDG_RUNTIME_DIR"))
	location, err := ipc.UserName("app").Location()
	require.NoError(t, err)
	require.Equal(t, usualDirectory()+"/app", location)
}

func TestSendToAReceiverOfSomebodyElseBlamesNoDirectory(t *testing.T) {
	leakcheck.Start(t)
	privateRuntimeDirectory(t)
	receiver, peer := listenDatagram(t, ipc.UserName("receiver")), listenDatagram(t, ipc.UserName("peer"))
	require.NoError(t, receiver.Connect(ipc.UserName("peer")))
	err := openDatagram(t).SendTo([]byte("x"), ipc.UserName("receiver"))
	require.ErrorIs(t, err, fs.ErrPermission)
	require.NotContains(t, err.Error(), "directory")
	require.NoError(t, peer.SendTo([]byte("x"), ipc.UserName("receiver")))
}

func TestEnvironmentMayChangeWhileNamesAreUsed(t *testing.T) {
	leakcheck.Start(t)
	const variables = 10_000
	dirs := []string{privateRuntimeDirectory(t), privateRuntimeDirectory(t)}
	done := make(chan struct{})
	go func() { // getenv(3) beside it would read the list of the variables, which the C library moves as it grows
		defer close(done)
		for i := range variables {
			_ = os.Setenv("XDG_RUNTIME_DIR", dirs[i%2])
			_ = os.Setenv(fmt.Sprint("LIPC_TEST_", i), "")
		}
		for i := range variables {
			_ = os.Unsetenv(fmt.Sprint("LIPC_TEST_", i))
		}
	}()
	var readers sync.WaitGroup
	for range 4 {
		readers.Go(func() {
			for running := true; running; {
				select {
				case <-done:
					running = false
				default:
				}
				location, err := ipc.UserName("app").Location()
				assert.NoError(t, err)
				assert.Contains(t, []string{dirs[0] + "/lipc/app", dirs[1] + "/lipc/app"}, location)
				_, err = ipc.Activated()
				assert.NoError(t, err)
			}
		})
	}
	readers.Wait()
	location, err := ipc.UserName("app").Location()
	require.NoError(t, err)
	require.Equal(t, dirs[1]+"/lipc/app", location)
}

func TestRuntimeDirectoryThatLeavesNoRoomIsNamed(t *testing.T) {
	leakcheck.Start(t)
	dir := filepath.Join(leakcheck.Dir(t), strings.Repeat("x", pathLimit))
	require.NoError(t, os.Mkdir(dir, 0o700))
	t.Setenv("XDG_RUNTIME_DIR", dir)
	_, err := ipc.NameLimit(ipc.UserNames)
	require.ErrorIs(t, err, syscall.ENAMETOOLONG)
	_, err = ipc.Listen(ipc.UserName("x"))
	require.ErrorIs(t, err, syscall.ENAMETOOLONG)
	require.ErrorContains(t, err, "the runtime directory's path is too long")
}

func TestUserOfAnotherUsersRuntimeDirectoryGetsADirectoryOfItsOwn(t *testing.T) {
	leakcheck.Start(t)
	user := newUser(t)
	dir := privateRuntimeDirectory(t)
	child := startWith(t, asUserWith(t, user, dir), "names")
	child.order("location user:app")
	child.expect(lastDirectory(user) + "/app")

	require.NoError(t, os.Chown(dir, int(user.Uid), int(user.Gid))) // now it is the other one's
	child.order("location user:app")
	child.expect(dir + "/lipc/app")
	location, err := ipc.UserName("app").Location()
	require.NoError(t, err)
	require.Equal(t, usualDirectory()+"/app", location)
	require.NoError(t, os.Chown(dir, os.Geteuid(), os.Getegid()))
}

func TestTwoUsersHaveEachTheirOwnNames(t *testing.T) {
	leakcheck.Start(t)
	user := newUser(t)
	dir := privateRuntimeDirectory(t)
	name := ipc.UserName("app")
	l := listen(t, name)
	go serveEcho(l)
	other := startWith(t, asUserWith(t, user, dir), "names")
	other.order("dial %s", name)
	require.Contains(t, other.answer(), "dial ipc user:app: no such file or directory")
	other.order("listen %s", name)
	other.expect("listening")
	other.order("dial %s", name)
	other.expect("connected")
	require.NoError(t, echoOnce(name), "which the other's server would not answer")
	path := ipc.Path(lastDirectory(user) + "/app")
	c := dial(t, path) // root can, and finds out whom it has there
	credentials, err := c.PeerCredentials()
	require.NoError(t, err)
	require.Equal(t, int(user.Uid), credentials.UID)
}

// requireNameUnsafe requires that nothing uses a name, and that all errors name the directory, and say how it must be.
func requireNameUnsafe(t *testing.T, name ipc.Name, texts ...string) {
	t.Helper()
	conn := openDatagram(t)
	errs := map[string]error{
		"listen":          second(ipc.Listen(name)),
		"listen:datagram": second(ipc.ListenDatagram(name)),
		"dial":            second(ipc.Dial(t.Context(), name)),
		"dial:datagram":   second(ipc.DialDatagram(name)),
		"write":           conn.SendTo([]byte("x"), name),
		"connect":         conn.Connect(name),
	}
	if runtime.GOOS != "darwin" {
		errs["listen:messages"] = second(ipc.ListenMessage(name))
		errs["dial:messages"] = second(ipc.DialMessage(t.Context(), name))
	}
	requireErrors(t, fs.ErrPermission, errs)
	for what, err := range errs {
		for _, text := range texts {
			require.ErrorContains(t, err, text, what)
		}
	}
	require.NoError(t, conn.Close())
}

func TestDirectoryThatIsNotSafeIsRefusedByName(t *testing.T) {
	leakcheck.Start(t)
	name := ipc.UserName("app")
	refused := func(prepare func(directory string)) {
		t.Helper()
		directory := privateRuntimeDirectory(t) + "/lipc"
		prepare(directory)
		requireNameUnsafe(t, name, directory+" must be a directory of user "+fmt.Sprint(os.Geteuid())+" with mode 0700")
	}
	for _, mode := range []fs.FileMode{0o755, 0o770, 0o701, 0o777 | fs.ModeSticky} {
		refused(func(directory string) {
			require.NoError(t, os.Mkdir(directory, 0o700))
			require.NoError(t, os.Chmod(directory, mode))
		})
	}
	refused(func(directory string) { require.NoError(t, os.WriteFile(directory, nil, 0o700)) })
	refused(func(directory string) { require.NoError(t, os.Symlink(leakcheck.Dir(t), directory)) })
	if os.Geteuid() == 0 {
		refused(func(directory string) {
			require.NoError(t, os.Mkdir(directory, 0o700))
			require.NoError(t, os.Chown(directory, int(anotherUser(t).Uid), -1))
		})
	}
}

func TestDirectoryThatAnotherUserTookFirstIsRefusedByName(t *testing.T) {
	leakcheck.Start(t)
	user := newUser(t)
	directory := lastDirectory(user)
	child := startWith(t, asUserWith(t, user, ""), "names")
	want := fmt.Sprintf("%s must be a directory of user %d with mode 0700, which no other user can replace: ",
		directory, user.Uid)
	refused := func() {
		t.Helper()
		child.order("listen user:app")
		require.Contains(t, child.answer(), "listen ipc user:app: "+want)
		child.order("dial user:app")
		require.Contains(t, child.answer(), "dial ipc user:app: "+want)
	}
	require.NoError(t, os.Mkdir(directory, 0o700)) // this user is the attacker
	refused()
	require.NoError(t, os.Chmod(directory, 0o777))
	refused()
	require.NoError(t, os.Remove(directory))
	trap := leakcheck.Dir(t)
	require.NoError(t, os.Chown(trap, int(user.Uid), int(user.Gid)))
	require.NoError(t, os.Symlink(trap, directory))
	refused()
	require.NoError(t, os.Remove(directory))
	child.order("listen user:app")
	child.expect("listening")
}

// newSystemName returns a name of the machine that nobody else uses. The directory goes with the test if it was made in
// it.
func newSystemName(t *testing.T) (name ipc.Name, location string) {
	t.Helper()
	name = ipc.SystemName(fmt.Sprintf("lipc-%d-%d", os.Getpid(), time.Now().UnixNano()))
	location, err := name.Location()
	require.NoError(t, err)
	directory := filepath.Dir(location)
	if _, err := os.Lstat(directory); err != nil {
		t.Cleanup(func() { os.Remove(directory) })
	}
	return name, location
}

func TestSystemNameIsRootsAndServesOthers(t *testing.T) {
	leakcheck.Start(t)
	user := anotherUser(t)
	name, location := newSystemName(t)
	l, err := (&ipc.ListenConfig{Mode: 0o666}).Listen(t.Context(), name)
	require.NoError(t, err)
	defer l.Close()
	info, err := os.Lstat(filepath.Dir(location))
	require.NoError(t, err)
	require.Equal(t, fs.ModeDir|0o755, info.Mode())
	require.FileExists(t, location)
	require.Equal(t, name, l.Addr())
	go serveEcho(l)
	require.NoError(t, echoOnce(name))
	client := startAs(t, user, "names")
	client.order("dial %s", name)
	client.expect("connected")
	require.NoError(t, l.Close())
	require.NoFileExists(t, location)

	listen(t, name) // with mode 0600
	client.order("dial %s", name)
	require.Contains(t, client.answer(), fmt.Sprintf("dial ipc %s: this user may not connect, or %s is not a directory "+
		"that only root can write to: ", name, filepath.Dir(location)))
}

func TestSystemNameIsRefusedToPlainUsersWithWhatToDo(t *testing.T) {
	leakcheck.Start(t)
	name, location := newSystemName(t)
	plain := startAs(t, unprivileged(t), "names")
	for range 2 { // with and without the directory
		plain.order("listen %s", name)
		answer := plain.answer()
		for _, text := range []string{"listen ipc " + name.String() + ": only root can listen in " + filepath.Dir(location),
			"ListenStream=" + location, "Activated", "RuntimeDirectory=", "tmpfiles.d"} {
			require.Contains(t, answer, text)
		}
		if os.Geteuid() != 0 {
			return
		}
		require.NoError(t, listen(t, name).Close())
	}
}

func TestServerOfASystemNameMustBeRoot(t *testing.T) {
	leakcheck.Start(t)
	user := anotherUser(t)
	name, location := newSystemName(t)
	require.NoError(t, listen(t, name).Close()) // the directory is there
	squatter := startAs(t, user, "names")
	dir := leakcheck.Dir(t)
	require.NoError(t, os.Chmod(dir, 0o777|fs.ModeSticky))
	squatter.order("listen %s/s", dir)
	squatter.expect("listening")
	require.NoError(t, os.Symlink(dir+"/s", location)) // as root would have to do by mistake
	defer os.Remove(location)
	requireStrangerRefused(t, name, squatter, user, "root")
}

// This test stands for a directory that fails to protect the user: root's link leads to a stranger's socket.
func TestServerOfAUserNameMustBeTheUser(t *testing.T) {
	leakcheck.Start(t)
	user := anotherUser(t)
	dir := leakcheck.Dir(t)
	require.NoError(t, os.Chmod(dir, 0o777|fs.ModeSticky))
	squatter := startAs(t, user, "names")
	squatter.order("listen %s/s", dir)
	squatter.expect("listening")
	name := ipc.UserName("app")
	directory := privateRuntimeDirectory(t) + "/lipc"
	require.NoError(t, os.Mkdir(directory, 0o700))
	require.NoError(t, os.Symlink(dir+"/s", directory+"/app"))
	requireStrangerRefused(t, name, squatter, user, fmt.Sprint("user ", os.Geteuid()))
}

// requireStrangerRefused requires that a dial says that the server is the squatter, and whom it expected. A policy of
// the caller's own takes the place of the default.
func requireStrangerRefused(t *testing.T, name ipc.Name, squatter *process, user *syscall.Credential, expected string) {
	t.Helper()
	_, err := ipc.Dial(t.Context(), name)
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, fmt.Sprintf("the server is process %d of user %d, group %d: expected %s: ",
		squatter.cmd.Process.Pid, user.Uid, user.Gid, expected))
	squatter.expect("nothing")
	d := ipc.Dialer{Server: ipc.AnyOf(int(user.Uid))}
	c, err := d.Dial(t.Context(), name)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	squatter.expect("nothing")
	squatter.end()
}

func TestNamesOfAdoptedListenersAndOfSendersAreTheirPaths(t *testing.T) {
	leakcheck.Start(t)
	dir := privateRuntimeDirectory(t)
	f, err := listen(t, ipc.UserName("stream")).File()
	require.NoError(t, err)
	defer f.Close()
	adopted, err := ipc.FileListener(f)
	require.NoError(t, err)
	defer adopted.Close()
	require.Equal(t, ipc.Path(dir+"/lipc/stream"), adopted.Addr())

	server, client := listenDatagram(t, ipc.UserName("server")), listenDatagram(t, ipc.UserName("client"))
	require.NoError(t, client.SendTo([]byte("x"), ipc.UserName("server")))
	requireDatagram(t, server, "x", ipc.Path(dir+"/lipc/client"))
	require.NoError(t, server.SendTo([]byte("y"), ipc.Path(dir+"/lipc/client")))
	requireDatagram(t, client, "y", ipc.Path(dir+"/lipc/server"))
}

func TestNetworksAreThoseOfPackageNet(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l := listen(t, name)
	c := dial(t, name)
	require.Equal(t, "unix", l.Addr().Network())
	require.Equal(t, "unix", c.RemoteAddr().Network())
	require.Equal(t, "unix", c.LocalAddr().Network())
	d := listenDatagram(t, newPath(t))
	require.Equal(t, "unixgram", d.LocalAddr().Network())
	require.Equal(t, "unixgram", d.RemoteAddr().Network())
}

func TestNetworkOfMessagesIsThatOfPackageNet(t *testing.T) {
	leakcheck.Start(t)
	messagePair(t)
	name := newPath(t)
	ml, err := ipc.ListenMessage(name)
	require.NoError(t, err)
	defer ml.Close()
	m, err := ipc.DialMessage(t.Context(), name)
	require.NoError(t, err)
	defer m.Close()
	for _, addr := range []net.Addr{ml.Addr(), m.RemoteAddr(), m.LocalAddr(), accept(t, ml).LocalAddr()} {
		require.Equal(t, "unixpacket", addr.Network())
	}
}
