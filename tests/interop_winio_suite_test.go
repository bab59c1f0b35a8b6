package tests

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"syscall"
	"testing"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// These tests are of behaviours that the tests of go-winio require of its pipes. They hold on every system.

// closeAccepted lets serve have each connection, and closes it. The channel gets the error that ends the listener.
func closeAccepted(l *ipc.Listener, serve func(net.Conn)) (ended chan error) {
	ended = make(chan error)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				ended <- err
				return
			}
			serve(c)
			c.Close()
		}
	}()
	return ended
}

func TestEveryDialSucceedsWhileTheServerClosesWhatItAccepts(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l := listen(t, name)
	ended := closeAccepted(l, func(net.Conn) {})
	for range 1000 {
		c, err := ipc.Dial(t.Context(), name)
		require.NoError(t, err)
		require.NoError(t, c.Close())
	}
	require.NoError(t, l.Close())
	require.ErrorIs(t, <-ended, net.ErrClosed)
}

func TestListeningSucceedsWhileClientsDial(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	for range 50 {
		var client sync.WaitGroup
		client.Go(func() {
			c, err := ipc.Dial(t.Context(), name)
			if err == nil {
				c.Close()
			} else if !errors.Is(err, os.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED) {
				t.Error(err)
			}
		})
		l, err := ipc.Listen(name)
		if err == nil {
			err = l.Close()
		}
		client.Wait()
		require.NoError(t, err)
	}
}

func TestCloseEndsAcceptWhileAClientConnects(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	for i := range 200 {
		l, err := ipc.Listen(name)
		require.NoError(t, err)
		dialled, begun := make(chan error), make(chan struct{})
		ended := closeAccepted(l, func(net.Conn) {})
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			close(begun)
			c, err := ipc.Dial(ctx, name)
			if err == nil {
				err = c.Close()
			}
			dialled <- err
		}()
		if i%2 == 0 {
			<-begun
		}
		require.NoError(t, l.Close())
		require.ErrorIs(t, <-ended, net.ErrClosed)
		if err := <-dialled; err != nil && !errors.Is(err, syscall.ECONNREFUSED) {
			require.ErrorIs(t, err, os.ErrNotExist)
		}
	}
}

func TestOneOfManyClosesSucceeds(t *testing.T) {
	leakcheck.Start(t)
	c, _ := pair(t)
	r, w, err := ipc.Pipe()
	require.NoError(t, err)
	all := map[string]io.Closer{"listener": listen(t, newPath(t)), "connection": c, "reader": r, "writer": w}
	for what, one := range all {
		errs := make(chan error)
		for range 10 {
			go func() { errs <- one.Close() }()
		}
		succeeded := 0
		for range 10 {
			if err := <-errs; err == nil {
				succeeded++
			} else {
				require.ErrorIs(t, err, net.ErrClosed, what)
			}
		}
		require.Equal(t, 1, succeeded, what)
	}
}

func TestServersOfOneNameFollowOneAnotherWithoutAPause(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	for range 200 {
		l, err := ipc.Listen(name)
		require.NoError(t, err)
		ended := closeAccepted(l, func(c net.Conn) { io.CopyN(c, c, 5) })
		c, err := ipc.Dial(t.Context(), name)
		require.NoError(t, err)
		_, err = c.Write([]byte("hello"))
		require.NoError(t, err)
		got, err := io.ReadAll(c)
		require.NoError(t, err)
		require.Equal(t, "hello", string(got))
		require.NoError(t, c.Close())
		require.NoError(t, l.Close())
		require.ErrorIs(t, <-ended, net.ErrClosed)
	}
}
