package tests

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestDialOfABusyPipeWaitsForTheContextOrAnInstance(t *testing.T) {
	leakcheck.Start(t)
	for _, limit := range []int{2, 1} {
		t.Run(fmt.Sprint(limit), func(t *testing.T) {
			l, name := listenAs(t, ipc.SysListen{InstanceLimit: limit})
			clients, servers := make([]*ipc.Conn, limit), make([]*ipc.Conn, limit)
			for i := range limit {
				clients[i] = dial(t, name)
				var err error
				servers[i], err = l.AcceptConn(t.Context())
				require.NoError(t, err)
				defer servers[i].Close()
			}
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			_, err := ipc.Dial(ctx, name)
			require.ErrorIs(t, err, context.DeadlineExceeded)

			accepted := make(chan error, 1)
			go func() {
				c, err := l.AcceptConn(t.Context())
				if err == nil {
					_, err = c.Write([]byte("x"))
					c.Close()
				}
				accepted <- err
			}()
			dialled := make(chan string)
			go func() { dialled <- dialAndRead(name) }()
			require.NoError(t, clients[0].Close())
			require.NoError(t, servers[0].Close())
			require.Equal(t, "data", <-dialled)
			require.NoError(t, <-accepted)
		})
	}
}

// No host has the address 192.0.2.1, RFC 5737. Windows waits for many seconds for an answer where the network drops
// what goes there; Wine refuses such names at once.
func TestDialOfAnotherMachineEndsWithTheContext(t *testing.T) {
	leakcheck.Start(t)
	name := ipc.Path(`\\192.0.2.1\pipe\ipc-test`)
	for _, d := range []ipc.Dialer{{}, {Timeout: 50 * time.Millisecond}} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		if d.Timeout > 0 {
			ctx = t.Context()
		}
		dialled := make(chan error, 1)
		go func() { dialled <- second(d.Dial(ctx, name)) }()
		select {
		case err := <-dialled:
			if !errors.Is(err, context.DeadlineExceeded) { // or the answer was quicker
				require.ErrorIs(t, err, fs.ErrNotExist)
			}
			require.ErrorContains(t, err, "dial ipc "+name.String())
		case <-time.After(patience):
			t.Fatal("Dial waits on")
		}
		cancel()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, second(ipc.Dial(ctx, name)), context.Canceled)
}

func TestClientForMessagesThatFoundBytesIsNotAccepted(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l := listen(t, name)
	for range 10 {
		for range 3 {
			require.ErrorIs(t, second(ipc.DialMessage(t.Context(), name)), syscall.EPROTOTYPE)
		}
		quitter := dial(t, name)
		_, err := quitter.Write([]byte("bye"))
		require.NoError(t, err)
		require.NoError(t, quitter.Close())
		client := dial(t, name)
		server := accept(t, l)
		got, err := io.ReadAll(server)
		require.NoError(t, err)
		require.Equal(t, "bye", string(got), "what a client wrote before it left is not lost")
		requireByteArrives(t, client, accept(t, l))
	}
}

func TestClientsThatVanishStopNoListener(t *testing.T) {
	leakcheck.Start(t)
	for _, sys := range []ipc.SysListen{{}, {InstanceLimit: 3}} {
		l, name := listenAs(t, sys)
		go serveEcho(l)
		for range 3 {
			vandals := []*process{start(t, "flood", name.String()), start(t, "flood", name.String())}
			for _, v := range vandals {
				v.expect("flooding")
			}
			for range 20 {
				require.NoError(t, echoOnce(name))
			}
			vandals[0].kill()
			vandals[1].end()
		}
		require.NoError(t, echoOnce(name))
		require.NoError(t, l.Close())
	}
}
