package tests

import (
	"io"
	"io/fs"
	"os"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/windows"
)

func TestReadyMadePoliciesAdmitWhomTheySay(t *testing.T) {
	leakcheck.Start(t)
	const guest = "S-1-5-21-1-2-3-501"
	of := func(sid string) ipc.Credentials { return ipc.Credentials{PID: os.Getpid(), UID: -1, GID: -1, SID: sid} }
	require.NoError(t, ipc.SameUser(of(ownSID(t))))
	require.NoError(t, ipc.SameUserOrAdmin(of(ownSID(t))))
	for _, sid := range []string{system, administrators} {
		require.NoError(t, ipc.Admin(of(sid)))
		require.NoError(t, ipc.SameUserOrAdmin(of(sid)))
	}
	for _, sid := range []string{guest, authenticated, everyone, "", "no SID"} {
		for _, policy := range []ipc.PeerPolicy{ipc.SameUser, ipc.SameUserOrAdmin, ipc.Admin} {
			require.ErrorIs(t, policy(of(sid)), fs.ErrPermission, sid)
		}
	}
	require.ErrorIs(t, ipc.AnyOf(0, 1000)(of(ownSID(t))), fs.ErrPermission, "users have no such IDs here")
	err := ipc.SameUser(of(guest))
	require.EqualError(t, err, "expected user "+ownSID(t)+": permission denied")
	require.EqualError(t, ipc.Admin(of(guest)), "expected SYSTEM or an administrator: permission denied")
}

func TestClientThatIsRefusedKeepsNoInstance(t *testing.T) {
	leakcheck.Start(t)
	name, refused := newPath(t), make(chan error, 1)
	turn := 0
	lc := ipc.ListenConfig{
		Sys: &ipc.SysListen{InstanceLimit: 1},
		Client: func(ipc.Credentials) error {
			if turn++; turn == 1 {
				return fs.ErrPermission
			}
			return nil
		},
		Refused: func(_ ipc.Credentials, err error) { refused <- err },
	}
	l, err := lc.Listen(t.Context(), name)
	require.NoError(t, err)
	defer l.Close()
	first := dial(t, name) // which keeps its end open
	accepted := make(chan *ipc.Conn)
	go func() {
		c, err := l.AcceptConn(t.Context())
		assert.NoError(t, err)
		accepted <- c
	}()
	require.ErrorIs(t, <-refused, fs.ErrPermission)
	second := dial(t, name)
	server := <-accepted
	defer server.Close()
	requireByteArrives(t, second, server)
	_, err = first.Read(make([]byte, 1))
	require.Equal(t, io.EOF, err)
}

func TestElevatedClientIsAnAdministrator(t *testing.T) {
	leakcheck.Start(t)
	if !windows.GetCurrentProcessToken().IsElevated() {
		facility.Missing(t, "elevation of this process")
	}
	name := newPath(t)
	lc := ipc.ListenConfig{Client: ipc.Admin}
	l, err := lc.Listen(t.Context(), name)
	require.NoError(t, err)
	defer l.Close()
	client := dial(t, name)
	server := accept(t, l)
	requireByteArrives(t, client, server)
}
