//go:build unix

package tests

import (
	"context"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// pathLimit is the size of sun_path.
const pathLimit = int(unsafe.Sizeof(syscall.RawSockaddrUnix{}.Path))

var systemBadNames = []badName{
	{ipc.Path("a\x00b"), syscall.EINVAL, "NUL"},
	{ipc.Path(strings.Repeat("x", pathLimit+1)), syscall.ENAMETOOLONG, "at most"},
	{ipc.Namespaced(strings.Repeat("x", pathLimit+1)), syscall.ENAMETOOLONG, "at most"},
	{ipc.Path(strings.Repeat("x", 1<<20)), syscall.ENAMETOOLONG, "at most"},
}

func TestNamesSurviveTheirText(t *testing.T) {
	leakcheck.Start(t)
	for text, want := range map[string]ipc.Name{
		"/tmp/s":     ipc.Path("/tmp/s"),
		"s":          ipc.Path("s"),
		"@s":         ipc.Namespaced("s"),
		"@@s":        ipc.Namespaced("@s"),
		"./@s":       ipc.Path("@s"),
		"a b\nc\xff": ipc.Path("a b\nc\xff"),
	} {
		got, err := ipc.ParseName(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.True(t, want == got, "names are comparable")
		require.Equal(t, text, got.String())
		require.Equal(t, "ipc", got.Network())
	}
	require.Empty(t, ipc.Name{}.String())
	require.Zero(t, ipc.Name{}.Type())
	require.Equal(t, ipc.PathNames, ipc.Path("x").Type())
	require.Equal(t, ipc.NamespacedNames, ipc.Namespaced("x").Type())
	require.Equal(t, ipc.PathNames|ipc.NamespacedNames, ipc.SupportedNames())
}

func TestPathMayFillSunPath(t *testing.T) {
	leakcheck.Start(t)
	t.Chdir(leakcheck.Dir(t))
	longest := ipc.Path(strings.Repeat("p", pathLimit))
	l := listen(t, longest)
	go serveEcho(l)
	require.NoError(t, echoOnce(longest))
	require.Equal(t, longest, l.Addr())
	require.FileExists(t, longest.String())
	f, err := l.File()
	require.NoError(t, err)
	defer f.Close()
	again, err := ipc.FileListener(f)
	require.NoError(t, err)
	require.Equal(t, longest, again.Addr(), "as the system reports it")
	require.NoError(t, again.Close())
}

// abstract reports whether namespaced names are those of Linux's abstract namespace; otherwise they are files. The
// library can be built without it on Linux, too, to test how it is elsewhere.
func abstract() bool {
	_, err := ipc.ParseName("@a\x00b")
	return err == nil
}

func TestNamespacedNamesOfFilesStayInTheirDirectory(t *testing.T) {
	leakcheck.Start(t)
	if abstract() {
		return // the next test is for this system
	}
	for _, text := range []string{"a/b", "/a", "..", ".", "a\x00b"} {
		_, err := ipc.Listen(ipc.Namespaced(text))
		require.ErrorIs(t, err, syscall.EINVAL)
		require.ErrorContains(t, err, "listen ipc @"+text)
	}
	dir := leakcheck.Dir(t)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	name := newNamespaced(t)
	_, err := ipc.Dial(t.Context(), name)
	require.ErrorIs(t, err, fs.ErrNotExist, "there is no directory yet")
	l := listen(t, name)
	info, err := os.Stat(filepath.Join(dir, "lipc"))
	require.NoError(t, err)
	require.Equal(t, fs.ModeDir|0o700, info.Mode())
	go serveEcho(l)
	require.NoError(t, echoOnce(name))
	require.NoError(t, os.Chmod(filepath.Join(dir, "lipc"), 0o750)) // a directory that others may enter is not trusted
	_, err = ipc.Dial(t.Context(), name)
	require.ErrorIs(t, err, fs.ErrPermission)
	_, err = ipc.Listen(newNamespaced(t))
	require.ErrorIs(t, err, fs.ErrPermission)
}

func TestAbstractNamesHaveTheirExactLength(t *testing.T) {
	leakcheck.Start(t)
	if !abstract() {
		return // the previous test is for this system
	}
	longest := ipc.Namespaced(strings.Repeat("n", pathLimit-1))
	nul := ipc.Namespaced("lipc\x00" + newNamespaced(t).String())
	for _, name := range []ipc.Name{newNamespaced(t), longest, nul} {
		go serveEcho(listen(t, name))
		require.NoError(t, echoOnce(name))
		requireInUse(t, name)
		c, err := net.Dial("unix", name.String()) // which sends the exact length, too
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}
	_, err := ipc.Dial(t.Context(), ipc.Namespaced("lipc"))
	require.ErrorIs(t, err, syscall.ECONNREFUSED, "the name up to the NUL is another name")
}

func TestFileThatNobodyListensOnIsAnErrorAtOnce(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	leaveStale(t, name)
	defer os.Remove(name.String())
	_, err := ipc.Dial(context.Background(), name)
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	require.ErrorContains(t, err, "dial ipc "+name.String())
}

func TestBadDirectoriesAreNamed(t *testing.T) {
	leakcheck.Start(t)
	missing := ipc.Path(filepath.Join(leakcheck.Dir(t), "missing", "s"))
	_, err := ipc.Listen(missing)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "listen ipc "+missing.String())
	file := filepath.Join(leakcheck.Dir(t), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	_, err = ipc.Listen(ipc.Path(filepath.Join(file, "s")))
	require.ErrorIs(t, err, syscall.ENOTDIR)
}

func TestDirectoryThatIsNotWritableIsAPermissionError(t *testing.T) {
	leakcheck.Start(t)
	dir := leakcheck.Dir(t)
	require.NoError(t, os.Chmod(dir, 0o555))
	name := ipc.Path(filepath.Join(dir, "s"))
	if os.Geteuid() == 0 { // who may write everywhere
		other := startAs(t, anotherUser(t), "listener")
		other.order("listen %s", name)
		require.Equal(t, "listener: listen ipc "+name.String()+": permission denied", other.answer())
		other.cmd.Wait()
		other.ended = true
		require.NoError(t, os.Chmod(dir, 0o755))
		listen(t, name)
		other = startAs(t, anotherUser(t), "listener")
		other.order("listen %s", name)
		other.expect("in use") // which comes before the question of who may write
		return
	}
	_, err := ipc.Listen(name)
	require.ErrorIs(t, err, fs.ErrPermission)
	require.ErrorContains(t, err, "listen ipc "+name.String())
}

func TestNameOfABoundClientIsReported(t *testing.T) {
	leakcheck.Start(t)
	name, client := newPath(t), newPath(t)
	l := listen(t, name)
	c, err := net.DialUnix("unix", &net.UnixAddr{Name: client.String()}, &net.UnixAddr{Name: name.String()})
	require.NoError(t, err)
	defer os.Remove(client.String())
	defer c.Close()
	accepted, err := l.AcceptConn(t.Context())
	require.NoError(t, err)
	defer accepted.Close()
	require.Equal(t, client, accepted.RemoteAddr())
}
