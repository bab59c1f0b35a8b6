package tests

import (
	"net"
	"strings"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestLocationIsThePathOfThePipe(t *testing.T) {
	leakcheck.Start(t)
	for name, want := range map[ipc.Name]string{
		ipc.Path(`\\.\pipe\app`):    `\\.\pipe\app`,
		ipc.Namespaced(`lipc\app`):  `\\.\pipe\lipc\app`,
		ipc.UserName("app"):         `\\.\pipe\lipc-` + ownSID(t) + `\app`,
		ipc.SystemName("app"):       `\\.\pipe\ProtectedPrefix\Administrators\app`,
		ipc.UserName("two\tthings"): `\\.\pipe\lipc-` + ownSID(t) + "\\two\tthings",
	} {
		location, err := name.Location()
		require.NoError(t, err)
		require.Equal(t, want, location)
		require.Equal(t, "pipe", name.Network())
	}
}

// As credentials/local of google.golang.org/grpc decides it.
func TestAddressesOfConnectionsAreLocalInTheEyesOfOthers(t *testing.T) {
	leakcheck.Start(t)
	for _, name := range []ipc.Name{newUserName(t), newNamespaced(t), newPath(t)} {
		l := listen(t, name)
		c := dial(t, name)
		accepted, err := l.AcceptConn(t.Context())
		require.NoError(t, err)
		for _, end := range []net.Conn{c, accepted} {
			for _, addr := range []net.Addr{end.LocalAddr(), end.RemoteAddr()} {
				require.Equal(t, "pipe", addr.Network())
				require.True(t, strings.HasPrefix(addr.String(), `\\.\pipe\`), addr)
				require.Equal(t, name, nameOf(t, addr))
			}
		}
		require.NoError(t, accepted.Close())
	}
}

func TestPipeOfAUserNameIsFoundAtItsLocation(t *testing.T) {
	leakcheck.Start(t)
	name := newUserName(t)
	go serveEcho(listen(t, name))
	location, err := name.Location()
	require.NoError(t, err)
	require.NoError(t, echoOnce(ipc.Path(location)))
}
