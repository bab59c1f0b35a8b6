//go:build unix

package tests

import (
	"fmt"
	"io"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestTenThousandIdleConnectionsTakeNoThreadEach(t *testing.T) {
	leakcheck.Start(t)
	const count = 10_000
	name := newPath(t)
	server := start(t, "holder", name.String(), fmt.Sprint(count))
	server.expect("listening")
	conns := make([]*ipc.Conn, count)
	ended := make(chan error, count)
	for i := range conns {
		c, err := ipc.Dial(t.Context(), name)
		require.NoError(t, err)
		conns[i] = c
		go func() { // each has a reader that waits
			_, err := c.Read(make([]byte, 1))
			ended <- err
		}()
	}
	var threads int
	_, err := fmt.Sscanf(server.answer(), "threads %d", &threads)
	require.NoError(t, err)
	require.LessOrEqual(t, threads, 12, "threads of the server")
	for _, c := range conns {
		require.NoError(t, c.CloseWrite())
	}
	server.order("end")
	server.expect("all ended")
	server.end()
	for range conns {
		require.Equal(t, io.EOF, <-ended)
	}
	for _, c := range conns {
		require.NoError(t, c.Close())
	}
}

func TestTwoHundredClientsAreServedThroughABacklogOfOne(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	lc := ipc.ListenConfig{Backlog: 1}
	l, err := lc.Listen(t.Context(), name)
	require.NoError(t, err)
	defer l.Close()
	fillBacklog(t, name)
	clients := make([]*process, 4)
	for i := range clients {
		clients[i] = start(t, "dialer")
		clients[i].order("dial %s 50", name) // they find it full, and again and again from then on
	}
	go serveEcho(l)
	for _, client := range clients {
		client.expect("served 50")
	}
}
