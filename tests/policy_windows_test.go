package tests

import (
	"io/fs"
	"os"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
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
