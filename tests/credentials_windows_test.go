package tests

import (
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
)

// ownSID returns the SID of the user of this process.
func ownSID(t *testing.T) string {
	t.Helper()
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	require.NoError(t, err)
	return user.User.Sid.String()
}

// session returns the session of a process.
func session(t *testing.T, process int) int {
	t.Helper()
	var session uint32
	require.NoError(t, windows.ProcessIdToSessionId(uint32(process), &session))
	return int(session)
}

func TestPeerCredentialsAreProcessAndUser(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	server := startEcho(t, name)
	c := dial(t, name)
	credentials, err := c.PeerCredentials()
	require.NoError(t, err)
	want := ipc.Credentials{PID: server.cmd.Process.Pid, UID: -1, GID: -1, SID: ownSID(t)}
	require.Equal(t, want, credentials)

	own := newPath(t)
	l := listen(t, own)
	client := startClient(t, own)
	accepted := accept(t, l)
	want.PID = client.cmd.Process.Pid
	credentials, err = accepted.PeerCredentials() // before the client sent anything
	require.NoError(t, err)
	want.Administrator = windows.GetCurrentProcessToken().IsElevated()
	require.Equal(t, want, credentials)

	a, _ := pair(t)
	want.PID = os.Getpid()
	credentials, err = a.PeerCredentials()
	require.NoError(t, err)
	require.Equal(t, want, credentials)
	require.NoError(t, a.Close())
	require.ErrorIs(t, second(a.PeerCredentials()), net.ErrClosed)
}

func TestBothEndsKnowTheProcessesAndTheirSessions(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l := listen(t, name)
	client := startClient(t, name)
	accepted := accept(t, l)
	there := start(t, "echo", newPath(t).String())
	there.expect("listening")
	dialled := dial(t, ipc.Path(there.cmd.Args[1]))
	this, child, server := os.Getpid(), client.cmd.Process.Pid, there.cmd.Process.Pid
	for _, c := range []struct {
		get  func() (int, error)
		want int
	}{
		{accepted.ClientProcessID, child}, {accepted.ServerProcessID, this},
		{accepted.ClientSessionID, session(t, child)}, {accepted.ServerSessionID, session(t, this)},
		{dialled.ClientProcessID, this}, {dialled.ServerProcessID, server},
		{dialled.ClientSessionID, session(t, this)}, {dialled.ServerSessionID, session(t, server)},
	} {
		got, err := c.get()
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
	for c, want := range map[*ipc.Conn]bool{accepted: true, dialled: false} {
		is, err := c.IsServer()
		require.NoError(t, err)
		require.Equal(t, want, is)
	}
	require.NoError(t, accepted.Close())
	require.ErrorIs(t, second(accepted.IsServer()), net.ErrClosed)
	require.ErrorIs(t, second(accepted.ClientProcessID()), net.ErrClosed)
	require.ErrorIs(t, second(new(ipc.Conn).ServerProcessID()), syscall.EINVAL)
}

// threadIdentity returns the user and the impersonation level that the thread acts with. It is an error if the thread
// acts as its process does.
func threadIdentity() (sid string, level uint32, err error) {
	var token windows.Token
	if err := windows.OpenThreadToken(windows.CurrentThread(), windows.TOKEN_QUERY, true, &token); err != nil {
		return "", 0, err
	}
	defer token.Close()
	user, err := token.GetTokenUser()
	if err != nil {
		return "", 0, err
	}
	var size uint32
	err = windows.GetTokenInformation(token, windows.TokenImpersonationLevel, (*byte)(unsafe.Pointer(&level)), 4, &size)
	return user.User.Sid.String(), level, err
}

func TestImpersonateActsAsTheClientAllows(t *testing.T) {
	leakcheck.Start(t)
	for asked, want := range map[ipc.ImpersonationLevel]uint32{
		ipc.DefaultImpersonation:     windows.SecurityIdentification,
		ipc.ImpersonationIdentify:    windows.SecurityIdentification,
		ipc.ImpersonationImpersonate: windows.SecurityImpersonation,
	} {
		client, server := connectAs(t, ipc.SysListen{}, ipc.SysDial{Impersonation: asked})
		requireByteArrives(t, client, server)
		called := false
		require.NoError(t, server.Impersonate(func() {
			called = true
			require.ErrorIs(t, server.Impersonate(func() { t.Error("it acts as somebody already") }), syscall.EINVAL)
			sid, level, err := threadIdentity()
			require.NoError(t, err)
			require.Equal(t, ownSID(t), sid)
			if onWine {
				want = windows.SecurityImpersonation // Wine 8 does not keep to what the client allows
			}
			require.Equal(t, want, level, "asked for %d", asked)
		}))
		require.True(t, called)
		require.PanicsWithValue(t, "stop", func() { server.Impersonate(func() { panic("stop") }) })
		runtime.LockOSThread()
		_, _, err := threadIdentity()
		runtime.UnlockOSThread()
		require.ErrorIs(t, err, windows.ERROR_NO_TOKEN, "it ended with the function")

		require.Error(t, client.Impersonate(func() { t.Error("a client has none to impersonate") }))
		require.NoError(t, server.Close())
		require.ErrorIs(t, server.Impersonate(func() { t.Error("called on what is closed") }), net.ErrClosed)
	}
}

func TestUserOfAClientThatAskedForNothingIsKnownOnceItWasReadFrom(t *testing.T) {
	leakcheck.Start(t)
	l, name := listenAs(t, ipc.SysListen{})
	client, err := os.OpenFile(name.String(), os.O_RDWR, 0)
	require.NoError(t, err)
	defer client.Close()
	server := accept(t, l)
	want := ipc.Credentials{PID: os.Getpid(), UID: -1, GID: -1}
	credentials, err := server.PeerCredentials()
	if !onWine { // which asks for the process at the other end, at any time
		require.ErrorIs(t, err, syscall.EAGAIN)
		require.ErrorContains(t, err, "get ipc")
		require.Equal(t, want, credentials)
		require.ErrorIs(t, server.Impersonate(func() { t.Error("called in vain") }), syscall.EAGAIN)
	}
	requireByteArrives(t, client, server)
	want.SID, want.Administrator = ownSID(t), windows.GetCurrentProcessToken().IsElevated()
	credentials, err = server.PeerCredentials()
	require.NoError(t, err)
	require.Equal(t, want, credentials)
}

func TestServerIsTheOwnerOfItsPipe(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	lc := ipc.ListenConfig{Sys: &ipc.SysListen{SecurityDescriptor: "O:BAD:P(A;;GA;;;WD)"}}
	l, err := lc.Listen(t.Context(), name)
	if err != nil { // only administrators can make their group the owner
		require.ErrorIs(t, err, windows.ERROR_INVALID_OWNER)
		return
	}
	defer l.Close()
	credentials, err := dial(t, name).PeerCredentials()
	require.NoError(t, err)
	want := ipc.Credentials{PID: os.Getpid(), UID: -1, GID: -1, SID: administrators, Administrator: true}
	require.Equal(t, want, credentials)
}
