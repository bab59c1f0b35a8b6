package tests

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// These tests close connections and listeners that are in use, again and again.

const rounds = 1000

// race runs some calls at the same time, and returns their errors when all have returned.
func race(calls ...func() error) []error {
	errs := make([]error, len(calls))
	begin := make(chan bool)
	var group sync.WaitGroup
	for i, call := range calls {
		group.Go(func() {
			<-begin
			errs[i] = call()
		})
	}
	close(begin)
	group.Wait()
	return errs
}

func TestAcceptIsSafeAgainstClose(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	for range rounds {
		l, err := ipc.Listen(name)
		require.NoError(t, err)
		errs := race(func() error { return second(l.Accept()) }, func() error { return second(l.Accept()) }, l.Close)
		require.ErrorIs(t, errs[0], net.ErrClosed)
		require.ErrorIs(t, errs[1], net.ErrClosed)
		require.NoError(t, errs[2])
	}
}

func TestReadIsSafeAgainstClose(t *testing.T) {
	leakcheck.Start(t)
	for range rounds {
		a, b, err := ipc.Pair()
		require.NoError(t, err)
		errs := race(
			func() error { return second(a.Read(make([]byte, 10))) },
			func() error { return second(b.Write([]byte("x"))) },
			a.Close,
		)
		if errs[0] != nil {
			require.ErrorIs(t, errs[0], net.ErrClosed)
		}
		if errs[1] != nil {
			require.ErrorIs(t, errs[1], syscall.EPIPE)
		}
		require.NoError(t, errs[2])
		require.NoError(t, b.Close())
	}
}

func TestWriteIsSafeAgainstClose(t *testing.T) {
	leakcheck.Start(t)
	large := make([]byte, 1<<20) // waits for a reader, and there is none
	for range rounds {
		a, b, err := ipc.Pair()
		require.NoError(t, err)
		errs := race(func() error { return second(a.Write(large)) }, a.Close)
		require.ErrorIs(t, errs[0], net.ErrClosed)
		require.NoError(t, errs[1])
		require.NoError(t, b.Close())
	}
}

func TestReadAndWriteAreSafeAgainstCloseOfThePeer(t *testing.T) {
	leakcheck.Start(t)
	large := make([]byte, 1<<20)
	for range rounds {
		a, b, err := ipc.Pair()
		require.NoError(t, err)
		errs := race(
			func() error { return second(a.Read(make([]byte, 10))) },
			func() error { return second(a.Write(large)) },
			b.Close,
		)
		require.Equal(t, io.EOF, errs[0])
		require.ErrorIs(t, errs[1], syscall.EPIPE)
		require.NoError(t, errs[2])
		require.NoError(t, a.Close())
	}
}

func TestListenerIsClosedAgainstClientsThatDial(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	other := start(t, "flood", name.String())
	other.expect("flooding")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var clients sync.WaitGroup
	defer clients.Wait()
	defer cancel()
	for range 3 {
		clients.Go(func() {
			for ctx.Err() == nil {
				c, err := ipc.Dial(ctx, name)
				switch {
				case err == nil:
					if _, err := c.Read(make([]byte, 1)); err != io.EOF {
						t.Errorf("read: %v", err)
					}
					c.Close()
				case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) && ctx.Err() == nil:
					t.Errorf("dial: %v", err)
				}
			}
		})
	}
	for round := range 50 {
		var l *ipc.Listener
		require.Eventually(t, func() (listening bool) {
			var err error
			if l, err = ipc.Listen(name); err != nil { // on Windows clients that have not closed yet keep the name in use
				require.ErrorIs(t, err, syscall.EADDRINUSE)
			}
			return err == nil
		}, patience, tick)
		for range round % 5 {
			c, err := l.AcceptConn(t.Context())
			require.NoError(t, err)
			require.NoError(t, c.Close())
		}
		require.NoError(t, l.Close())
	}
}

func TestClosedConnectionsRefuseEverything(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l := listen(t, name)
	c := dial(t, name)
	require.NoError(t, c.Close())
	require.NoError(t, l.Close())
	for what, err := range map[string]error{
		"read":       second(c.Read(make([]byte, 1))),
		"read empty": second(c.Read(nil)),
		"write":      second(c.Write([]byte("x"))),
		"vectored":   second(c.WriteBuffers([][]byte{{1}})),
		"close":      c.Close(),
		"set":        c.SetDeadline(time.Now()),
		"file":       second(c.File()),
		"get":        second(c.PeerCredentials()),
	} {
		require.ErrorIs(t, err, net.ErrClosed, what)
		operation, _, _ := strings.Cut(what, " ")
		if what == "vectored" {
			operation = "write"
		}
		require.ErrorContains(t, err, operation+" ipc "+name.String())
	}
	for what, err := range map[string]error{
		"accept": second(l.Accept()), "set": l.SetDeadline(time.Now()), "close": l.Close(),
	} {
		require.ErrorIs(t, err, net.ErrClosed, what)
		require.ErrorContains(t, err, what+" ipc "+name.String())
	}
	var op *net.OpError
	require.True(t, errors.As(c.Close(), &op))
}

func TestZeroValuesFailInsteadOfHanging(t *testing.T) {
	leakcheck.Start(t)
	var c ipc.Conn
	var m ipc.MessageConn
	var l ipc.Listener
	for what, err := range map[string]error{
		"read":        second(c.Read(make([]byte, 1))),
		"read empty":  second(c.Read(nil)),
		"write":       second(c.Write([]byte("x"))),
		"vectored":    second(c.WriteBuffers([][]byte{{1}})),
		"close":       c.Close(),
		"deadline":    c.SetDeadline(time.Now()),
		"file":        second(c.File()),
		"credentials": second(c.PeerCredentials()),
		"raw":         second(c.SyscallConn()),
		"send":        m.Send(nil),
		"receive":     second(m.Receive(nil)),
		"batch":       second(m.SendBatch(nil)),
		"accept":      second(l.Accept()),
		"listener":    l.Close(),
		"of listener": l.SetDeadline(time.Now()),
		"messages":    second(new(ipc.MessageListener).AcceptConn(t.Context())),
		"close them":  new(ipc.MessageListener).Close(),
	} {
		require.ErrorIs(t, err, syscall.EINVAL, what)
		require.ErrorContains(t, err, "it is a zero value", what)
		var op *net.OpError
		require.ErrorAs(t, err, &op, what)
	}
	l.SetUnlinkOnClose(true) // has nothing to do
}
