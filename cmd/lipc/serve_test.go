package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestEachConnectionHasAProgramOfItsOwn(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	server := begin(t, words("serve", name, "--", self(t, "program:copy"))...)
	var all []*ipc.Conn
	for i := range 5 {
		c := dial(t, name)
		all = append(all, c)
		require.NoError(t, stream{c}.exchange(fmt.Append(nil, i), make([]byte, 1)))
	}
	for i, c := range all { // they run at the same time
		got := make([]byte, 1)
		require.NoError(t, stream{c}.exchange(fmt.Append(nil, i), got))
		require.Equal(t, fmt.Append(nil, i), got)
		require.NoError(t, c.Close())
	}
	if interrupts {
		server.interrupt()
		server.ends(0)
		requireNothingLeft(t, name)
	}
	require.Empty(t, server.said.String())
}

func TestProgramFindsWhoConnected(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	variables := []string{"LIPC_NAME", "LIPC_PEER_PID", "LIPC_PEER_UID", "LIPC_PEER_GID", "LIPC_PEER_SID"}
	begin(t, words("serve", name, "--", self(t, "program:environment", variables...))...)
	c := dial(t, name)
	b, err := io.ReadAll(c)
	require.NoError(t, err)
	peer, err := c.PeerCredentials()
	require.NoError(t, err)
	number := func(id int) string { // that of another process of this user is the same
		if id < 0 {
			return ""
		}
		return fmt.Sprint(id)
	}
	want := "LIPC_NAME=%s\nLIPC_PEER_PID=%d\nLIPC_PEER_UID=%s\nLIPC_PEER_GID=%s\nLIPC_PEER_SID=%s\n"
	require.Equal(t, fmt.Sprintf(want, name, os.Getpid(), number(peer.UID), number(peer.GID), peer.SID), string(b))
}

func TestFailureOfAProgramIsTold(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	server := begin(t, words("serve", name, "--", self(t, "program:exit", "7"))...)
	_, err := io.ReadAll(dial(t, name))
	require.NoError(t, err)
	server.says("program:exit 7: exit status 7\n")

	name = newName(t)
	server = begin(t, words("serve", name, "-quiet", "--", self(t, "program:exit", "7"))...)
	for range 3 {
		_, err := io.ReadAll(dial(t, name))
		require.NoError(t, err)
	}
	require.Empty(t, server.said.String())
}

func TestNoMoreProgramsRunThanAllowed(t *testing.T) {
	leakcheck.Start(t)
	name := newName(t)
	begin(t, words("serve", name, "-max=1", "--", self(t, "program:wait"))...)
	pid := make([]byte, 32)
	first, second := dial(t, name), dial(t, name)
	_, err := first.Read(pid)
	require.NoError(t, err)
	answered := make(chan error, 1)
	go func() {
		_, err := second.Read(pid)
		answered <- err
	}()
	select {
	case <-answered:
		t.Fatal("a second program runs")
	default:
	}
	require.NoError(t, first.Close())
	require.NoError(t, <-answered)
	require.NoError(t, second.Close())
}

func TestManyConnectionsAreServed(t *testing.T) {
	leakcheck.Start(t)
	count := 60
	if slower() {
		count = 10
	}
	name := newName(t)
	server := begin(t, words("serve", name, "-max=4", "--", self(t, "program:copy"))...)
	results := make(chan error, count)
	for i := range count {
		go func() {
			c, err := (&dialer{timeout: patience}).dial(t.Context(), kind{}, parse(t, name))
			if err == nil {
				defer c.Close()
				sent, got := fmt.Appendf(nil, "%4d", i), make([]byte, 4)
				if err = c.exchange(sent, got); err == nil && string(sent) != string(got) {
					err = fmt.Errorf("%q for %q", got, sent)
				}
			}
			results <- err
		}()
	}
	for range count {
		require.NoError(t, <-results)
	}
	require.Empty(t, server.said.String())
}

func TestServedProgramReadsTheEndAndGoesOn(t *testing.T) {
	leakcheck.Start(t)
	if !halves {
		facility.Missing(t, "half-closes, shutdown(2)")
	}
	name := newName(t)
	begin(t, words("serve", name, "--", self(t, "program:sum"))...)
	require.Contains(t, passes(t, "abc", "connect", name, soon),
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
}

func TestServedMessagesAreReads(t *testing.T) {
	leakcheck.Start(t)
	needsMessages(t)
	name := newName(t)
	line := words("serve", name, "-message", "--", self(t, "program:reads"))
	if !passesConnections {
		fails(t, 1, "serve -message: ", line...)
		return
	}
	begin(t, line...)
	c, err := (&dialer{timeout: patience}).dial(t.Context(), kind{message: true}, parse(t, name))
	require.NoError(t, err)
	defer c.Close()
	for _, size := range []int{1, 1000, 60_000} {
		m := c.(*messages)
		require.NoError(t, m.Send(make([]byte, size)))
		answer, err := m.ReceiveAppend(nil)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(size, " bytes"), string(answer))
	}
}

func TestClientThatIsGoneIsNoFailureOfTheProgram(t *testing.T) {
	leakcheck.Start(t)
	if !halves {
		facility.Missing(t, "SIGPIPE, by which a program ends whose client is gone")
	}
	name := newName(t)
	server := begin(t, "serve", name, "-max=1", "--", "sh", "-c", "while :; do echo y; done")
	for range 3 {
		c := dial(t, name)
		_, err := io.ReadFull(c, make([]byte, 100))
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}
	_, err := dial(t, name).Read(make([]byte, 1)) // the others have ended: one may run at a time
	require.NoError(t, err)
	require.NotContains(t, strings.ToLower(server.said.String()), "lipc:")
}
