package tests

import (
	"strings"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestUserNamesServeStreams(t *testing.T) {
	leakcheck.Start(t)
	name := newUserName(t)
	l := listen(t, name)
	require.Equal(t, name, l.Addr())
	requireInUse(t, name)
	go serveEcho(l)
	require.NoError(t, echoOnce(name))
	c := dial(t, name)
	require.Equal(t, name, nameOf(t, c.RemoteAddr()))
	require.NoError(t, c.Close())
}

func TestUserNamesServeMessages(t *testing.T) {
	leakcheck.Start(t)
	messagePair(t)
	name := newUserName(t)
	messages, err := ipc.ListenMessage(name)
	require.NoError(t, err)
	defer messages.Close()
	require.Equal(t, name, nameOf(t, messages.Addr()))
	m, err := ipc.DialMessage(t.Context(), name)
	require.NoError(t, err)
	defer m.Close()
	require.Equal(t, name, nameOf(t, m.RemoteAddr()))
	require.NoError(t, m.Send([]byte("whole")))
	got, err := accept(t, messages).ReceiveAppend(nil)
	require.NoError(t, err)
	require.Equal(t, "whole", string(got))
}

func TestUserNameOfAKilledServerIsTakenOverAtOnce(t *testing.T) {
	leakcheck.Start(t)
	name := newUserName(t)
	server := startEcho(t, name)
	requireInUse(t, name)
	require.NoError(t, echoOnce(name))
	server.kill()
	go serveEcho(listen(t, name))
	require.NoError(t, echoOnce(name))
}

func TestNamesOfEachTypeAreAsLongAsTheirLimit(t *testing.T) {
	leakcheck.Start(t)
	privateRuntimeDirectory(t)
	for _, c := range []struct {
		of   ipc.NameTypes
		name func(string) ipc.Name
	}{{ipc.UserNames, ipc.UserName}, {ipc.SystemNames, ipc.SystemName}, {ipc.NamespacedNames, ipc.Namespaced}} {
		limit, err := ipc.NameLimit(c.of)
		require.NoError(t, err)
		longest := c.name(strings.Repeat("x", limit))
		parsed, err := ipc.ParseName(longest.String())
		require.NoError(t, err)
		require.Equal(t, longest, parsed)
		_, err = longest.Location()
		require.NoError(t, err)
		_, err = c.name(strings.Repeat("x", limit+1)).Location()
		require.ErrorIs(t, err, syscall.ENAMETOOLONG)
		require.ErrorContains(t, err, "at most")
	}
	limit, err := ipc.NameLimit(ipc.UserNames)
	require.NoError(t, err)
	name := ipc.UserName(strings.Repeat("x", limit))
	go serveEcho(listen(t, name))
	require.NoError(t, echoOnce(name))
}

func TestLimitIsThatOfOneTypeOfName(t *testing.T) {
	leakcheck.Start(t)
	for _, of := range []ipc.NameTypes{0, ipc.PathNames | ipc.UserNames, ipc.UserNames | ipc.SystemNames, 16, 255} {
		_, err := ipc.NameLimit(of)
		require.ErrorIs(t, err, syscall.EINVAL, of)
	}
}

func TestNameThatTheSystemCannotHaveHasNoLocation(t *testing.T) {
	leakcheck.Start(t)
	for _, name := range []ipc.Name{{}, ipc.UserName(""), ipc.UserName("a/b"), ipc.SystemName(".."), ipc.Path("")} {
		location, err := name.Location()
		require.ErrorIs(t, err, syscall.EINVAL)
		require.Empty(t, location)
	}
}
