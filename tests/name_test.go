package tests

import (
	"context"
	"io/fs"
	"math"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// A badName is refused with an error that has that number and that text.
type badName struct {
	name   ipc.Name
	number syscall.Errno
	text   string
}

func TestBadNamesAreRefusedEverywhere(t *testing.T) {
	leakcheck.Start(t)
	for _, c := range append([]badName{
		{ipc.Name{}, syscall.EINVAL, "empty name"},
		{ipc.Path(""), syscall.EINVAL, "empty name"},
		{ipc.Namespaced(""), syscall.EINVAL, "empty name"},
		{ipc.UserName(""), syscall.EINVAL, "empty name"},
		{ipc.SystemName(""), syscall.EINVAL, "empty name"},
		{ipc.UserName(strings.Repeat("x", 1<<20)), syscall.ENAMETOOLONG, "at most"},
		{ipc.SystemName(strings.Repeat("x", 1<<20)), syscall.ENAMETOOLONG, "at most"},
	}, append(unportableNames(), systemBadNames...)...) {
		l, err := ipc.Listen(c.name)
		require.Nil(t, l)
		require.ErrorIs(t, err, c.number)
		require.ErrorContains(t, err, c.text)
		require.ErrorContains(t, err, strings.TrimSpace("listen ipc "+c.name.String()))
		conn, err := ipc.Dial(t.Context(), c.name)
		require.Nil(t, conn)
		require.ErrorIs(t, err, c.number)
		require.ErrorContains(t, err, c.text)
		require.ErrorContains(t, err, strings.TrimSpace("dial ipc "+c.name.String()))
		_, err = ipc.ParseName(c.name.String())
		require.ErrorContains(t, err, strings.TrimSpace("parse ipc "+c.name.String()))
		require.ErrorIs(t, err, c.number)
		require.ErrorContains(t, err, c.text)
	}
}

// unportableNames are those whose text one of the systems would take for something else.
func unportableNames() []badName {
	var bad []badName
	for _, text := range []string{"a/b", "/a", `a\b`, "a\x00b", ".", "..", ".a", "a.", "a ", "a.lock", ".lock"} {
		for _, name := range []ipc.Name{ipc.UserName(text), ipc.SystemName(text)} {
			bad = append(bad, badName{name, syscall.EINVAL, `name contains "/", "\" or a NUL byte, begins with "."`})
		}
	}
	return bad
}

func TestLongestNamesWork(t *testing.T) {
	leakcheck.Start(t)
	for _, name := range systemLongestNames(t) {
		l := listen(t, name)
		go serveEcho(l)
		require.NoError(t, echoOnce(name))
		require.Equal(t, name, l.Addr())
	}
}

func TestNameOfAKilledServerIsTakenOverAtOnce(t *testing.T) {
	leakcheck.Start(t)
	for _, name := range []ipc.Name{newNamespaced(t), newPath(t)} {
		server := startEcho(t, name)
		requireInUse(t, name)
		server.kill()
		go serveEcho(listen(t, name))
		require.NoError(t, echoOnce(name))
	}
}

func TestOptionsOutOfRangeAreNamed(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	for text, lc := range map[string]ipc.ListenConfig{
		"Mode":    {Mode: fs.ModeSetuid | 0o600},
		"Backlog": {Backlog: -1},
	} {
		_, err := lc.Listen(t.Context(), name)
		require.ErrorIs(t, err, syscall.EINVAL)
		require.ErrorContains(t, err, text)
	}
	l, err := (&ipc.ListenConfig{Backlog: math.MaxInt}).Listen(t.Context(), name) // the system lowers it
	require.NoError(t, err)
	require.NoError(t, l.Close())
}

func TestConnectionsKnowTheirNames(t *testing.T) {
	leakcheck.Start(t)
	for _, name := range []ipc.Name{newPath(t), newNamespaced(t)} {
		l := listen(t, name)
		c := dial(t, name)
		accepted, err := l.AcceptConn(t.Context())
		require.NoError(t, err)
		unnamed := ipc.Name{} // an end that is bound to no name
		if runtime.GOOS == "windows" {
			unnamed = name
		}
		require.Equal(t, name, nameOf(t, c.RemoteAddr()))
		require.Equal(t, unnamed, nameOf(t, c.LocalAddr()))
		require.Equal(t, name, nameOf(t, accepted.LocalAddr()))
		require.Equal(t, unnamed, nameOf(t, accepted.RemoteAddr()))
		require.NoError(t, accepted.Close())
		require.Equal(t, name, nameOf(t, accepted.LocalAddr()), "after Close, too")
	}
	a, b := pair(t)
	require.Equal(t, ipc.Name{}, nameOf(t, a.LocalAddr()))
	require.Equal(t, ipc.Name{}, nameOf(t, b.RemoteAddr()))
}

func TestNameOfAnAddressThatIsNotLocalIsUnknown(t *testing.T) {
	leakcheck.Start(t)
	for _, addr := range []net.Addr{nil, &net.TCPAddr{}, (*net.UnixAddr)(nil)} {
		_, known := ipc.NameOf(addr)
		require.False(t, known, "%T", addr)
	}
	for _, name := range []ipc.Name{newPath(t), newNamespaced(t)} {
		require.Equal(t, name, nameOf(t, name))
		require.Equal(t, name, nameOf(t, &net.UnixAddr{Name: name.String()}))
	}
}

func TestAbsentNamesAreErrorsAtOnce(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	_, err := ipc.Dial(context.Background(), name)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.ErrorContains(t, err, "dial ipc "+name.String())
	_, err = ipc.Dial(context.Background(), newNamespaced(t))
	require.Error(t, err)
	require.ErrorContains(t, err, "dial ipc @")
}

func TestTwoProcessesRaceForOneNameAndOneWins(t *testing.T) {
	leakcheck.Start(t)
	for _, name := range []ipc.Name{newPath(t), newNamespaced(t)} {
		children := [2]*process{start(t, "listener"), start(t, "listener")}
		for round := range 200 {
			for _, child := range children {
				child.order("listen %s", name)
			}
			answers := [2]string{children[0].answer(), children[1].answer()}
			require.ElementsMatch(t, []string{"won", "in use"}, answers[:], "round %d", round)
			require.NoError(t, echoOnce(name), "round %d", round)
			winner := children[0]
			if answers[1] == "won" {
				winner = children[1]
			}
			winner.order("close")
			winner.expect("closed")
			requireNameGone(t, name)
		}
	}
}
