package tests

import (
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

func TestPipeOfAUserNameIsFoundAtItsLocation(t *testing.T) {
	leakcheck.Start(t)
	name := newUserName(t)
	go serveEcho(listen(t, name))
	location, err := name.Location()
	require.NoError(t, err)
	require.NoError(t, echoOnce(ipc.Path(location)))
}
