//go:build unix

package tests

import (
	"context"
	"net"
	"os"
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

func init() {
	if abstract() {
		return
	}
	systemBadNames = append(systemBadNames, badName{ipc.Namespaced("a\x00b"), syscall.EINVAL, "NUL"})
	for _, text := range []string{"a/b", "/a", "..", "."} { // these would leave the directory of such names
		systemBadNames = append(systemBadNames, badName{ipc.Namespaced(text), syscall.EINVAL, `contains "/"`})
	}
}

func TestNamesSurviveTheirText(t *testing.T) {
	leakcheck.Start(t)
	for text, want := range map[string]ipc.Name{
		"/tmp/s":     ipc.Path("/tmp/s"),
		"s":          ipc.Path("s"),
		"@s":         ipc.Namespaced("s"),
		"@@s":        ipc.Namespaced("@s"),
		"./@s":       ipc.Path("@s"),
		"user:s":     ipc.UserName("s"),
		"system:s":   ipc.SystemName("s"),
		"user:user:": ipc.UserName("user:"),
		"./user:s":   ipc.Path("user:s"),
		"./system:s": ipc.Path("system:s"),
		"./user:":    ipc.Path("user:"),
		"users:s":    ipc.Path("users:s"),
		"@user:s":    ipc.Namespaced("user:s"),
		"a b\nc\xff": ipc.Path("a b\nc\xff"),
	} {
		got, err := ipc.ParseName(text)
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.True(t, want == got, "names are comparable")
		require.Equal(t, text, got.String())
		require.Equal(t, "unix", got.Network())
	}
	require.Empty(t, ipc.Name{}.String())
	require.Zero(t, ipc.Name{}.Type())
	require.Equal(t, ipc.PathNames, ipc.Path("x").Type())
	require.Equal(t, ipc.NamespacedNames, ipc.Namespaced("x").Type())
	require.Equal(t, ipc.UserNames, ipc.UserName("x").Type())
	require.Equal(t, ipc.SystemNames, ipc.SystemName("x").Type())
	require.Equal(t, ipc.PathNames|ipc.NamespacedNames|ipc.UserNames|ipc.SystemNames, ipc.SupportedNames())
}

// systemLongestNames returns names of each type that are as long as the system allows.
func systemLongestNames(t *testing.T) []ipc.Name {
	t.Helper()
	t.Chdir(leakcheck.Dir(t))
	names := []ipc.Name{ipc.Path(strings.Repeat("p", pathLimit))}
	if abstract() { // which may have any bytes
		names = append(names, ipc.Namespaced(strings.Repeat("n", pathLimit-1)))
		names = append(names, ipc.Namespaced("lipc\x00"+newNamespaced(t).String()))
	}
	return names
}

// abstract reports whether namespaced names are those of Linux's abstract namespace. Otherwise they are files: also on
// Linux, if the library was built as for other systems.
func abstract() bool {
	_, err := ipc.ParseName("@a\x00b")
	return err == nil
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

func TestNameOfABoundClientIsReported(t *testing.T) {
	leakcheck.Start(t)
	name, client := newPath(t), newPath(t)
	l := listen(t, name)
	c, err := net.DialUnix("unix", &net.UnixAddr{Name: client.String()}, &net.UnixAddr{Name: name.String()})
	require.NoError(t, err)
	defer os.Remove(client.String())
	defer c.Close()
	accepted := accept(t, l)
	require.Equal(t, client, accepted.RemoteAddr())
}
