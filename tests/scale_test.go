package tests

import (
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestTenThousandIdleConnectionsTakeNoThreadEach(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	server := start(t, "idle", name.String(), fmt.Sprint(idleConnections))
	server.expect("listening")
	const count = idleConnections
	conns := make([]*ipc.Conn, count)
	// The errors of the ends that close first, and of the others.
	ended := [2]chan error{make(chan error, count), make(chan error, count)}
	for i := range conns {
		c, err := ipc.Dial(t.Context(), name)
		require.NoError(t, err)
		conns[i] = c
		go func() { // each has a reader that waits
			_, err := c.Read(make([]byte, 1))
			ended[i%2] <- err
		}()
	}
	var threads int
	_, err := fmt.Sscanf(server.answer(), "threads %d", &threads)
	require.NoError(t, err)
	require.LessOrEqual(t, threads, 64, "threads of the server") // the runtime keeps some, not one for each connection
	for i := 0; i < count; i += 2 {                              // half of them end on this side
		require.NoError(t, conns[i].Close())
		require.ErrorIs(t, <-ended[0], net.ErrClosed)
	}
	server.order("end %d", count/2)
	server.expect(fmt.Sprint("ended ", count/2))
	server.end()
	for i := 1; i < count; i += 2 { // and half on the other
		require.Equal(t, io.EOF, <-ended[1])
	}
	for i := 1; i < count; i += 2 {
		require.NoError(t, conns[i].Close())
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
		clients[i].order("dial %s 50", name) // the clients find it full, again and again
	}
	go serveEcho(l)
	for _, client := range clients {
		client.expect("served 50")
	}
}
