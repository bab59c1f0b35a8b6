package tests

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// These tests are of behaviours that the tests of package net require of its connections.

// netListeners are the ways to listen for what a dialer connects to.
var netListeners = map[string]func(ipc.Name) (net.Listener, error){
	"unix":       func(name ipc.Name) (net.Listener, error) { return ipc.Listen(name) },
	"unixpacket": func(name ipc.Name) (net.Listener, error) { return ipc.ListenMessage(name) },
}

// eachNetwork runs a test with a listener of each kind.
func eachNetwork(t *testing.T, test func(t *testing.T, network string, l net.Listener)) {
	t.Helper()
	for network, listen := range netListeners {
		for _, name := range []ipc.Name{newPath(t), newNamespaced(t)} {
			t.Run(network, func(t *testing.T) {
				if network == "unixpacket" {
					messagePair(t) // or it says that there are none
				}
				l, err := listen(name)
				require.NoError(t, err)
				t.Cleanup(func() { l.Close() })
				test(t, network, l)
			})
		}
	}
}

func TestSeveralGoroutinesAcceptFromOneListener(t *testing.T) {
	leakcheck.Start(t)
	eachNetwork(t, func(t *testing.T, network string, l net.Listener) {
		const acceptors, clients = 8, 100
		ended := make(chan error, acceptors)
		for range acceptors {
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						ended <- err
						return
					}
					go func() {
						defer c.Close()
						b := make([]byte, 100)
						n, err := c.Read(b)
						if err == nil {
							c.Write(b[:n])
						}
					}()
				}
			}()
		}
		answered := make(chan error, clients)
		for i := range clients {
			go func() {
				answered <- func() error {
					c, err := new(ipc.Dialer).DialContext(t.Context(), network, l.Addr().String())
					if err != nil {
						return err
					}
					defer c.Close()
					if _, err := c.Write([]byte{byte(i)}); err != nil {
						return err
					}
					b := make([]byte, 100)
					if n, err := c.Read(b); err != nil || n != 1 || b[0] != byte(i) {
						return errors.Join(errors.New("another answer"), err)
					}
					return nil
				}()
			}()
		}
		for range clients {
			require.NoError(t, <-answered)
		}
		require.NoError(t, l.Close())
		for range acceptors {
			require.ErrorIs(t, <-ended, net.ErrClosed)
		}
	})
}

func TestEndOfTheDialsContextLeavesTheConnectionAlone(t *testing.T) {
	leakcheck.Start(t)
	eachNetwork(t, func(t *testing.T, network string, l net.Listener) {
		ctx, cancel := context.WithCancel(t.Context())
		client, err := (&ipc.Dialer{Timeout: patience}).DialContext(ctx, network, l.Addr().String())
		require.NoError(t, err)
		defer client.Close()
		server, err := l.Accept()
		require.NoError(t, err)
		defer server.Close()
		cancel()
		requireByteArrives(t, client, server)
		requireByteArrives(t, server, client)
	})
}

func TestTimeFarAwayHasNotPassed(t *testing.T) {
	leakcheck.Start(t)
	eachNetwork(t, func(t *testing.T, network string, l net.Listener) {
		for _, far := range []time.Time{
			time.Now().Add(math.MaxInt64), time.Unix(1<<40, 0), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC),
		} {
			ctx, cancel := context.WithDeadline(t.Context(), far)
			defer cancel()
			client, err := (&ipc.Dialer{Timeout: math.MaxInt64}).DialContext(ctx, network, l.Addr().String())
			require.NoError(t, err)
			defer client.Close()
			require.NoError(t, l.(interface{ SetDeadline(time.Time) error }).SetDeadline(far))
			server, err := l.Accept()
			require.NoError(t, err)
			defer server.Close()
			require.NoError(t, client.SetDeadline(far))
			require.NoError(t, server.SetDeadline(far))
			arrived := make(chan error)
			go func() {
				_, err := server.Read(make([]byte, 1))
				arrived <- err
			}()
			waitsIn(t, "read|receive")
			_, err = client.Write([]byte("x"))
			require.NoError(t, err)
			require.NoError(t, <-arrived)
		}
	})
}

func TestDeadlinesThatPassAgainAndAgainLeaveTheConnectionUsable(t *testing.T) {
	leakcheck.Start(t)
	eachNetwork(t, func(t *testing.T, network string, l net.Listener) {
		c, err := new(ipc.Dialer).DialContext(t.Context(), network, l.Addr().String())
		require.NoError(t, err)
		defer c.Close()
		accepted, err := l.Accept()
		require.NoError(t, err)
		defer accepted.Close()
		deadline := l.(interface{ SetDeadline(time.Time) error })
		for range 50 {
			soon := time.Now().Add(time.Millisecond)
			require.NoError(t, c.SetReadDeadline(soon))
			n, err := c.Read(make([]byte, 1))
			requireTimeout(t, err)
			require.Zero(t, n)
			require.NoError(t, deadline.SetDeadline(soon))
			_, err = l.Accept()
			requireTimeout(t, err)
		}
		require.NoError(t, c.SetReadDeadline(time.Time{}))
		requireByteArrives(t, accepted, c)
		require.NoError(t, deadline.SetDeadline(time.Time{}))
		again, err := new(ipc.Dialer).DialContext(t.Context(), network, l.Addr().String())
		require.NoError(t, err)
		defer again.Close()
		second, err := l.Accept()
		require.NoError(t, err)
		require.NoError(t, second.Close())
	})
}

func requireTimeout(t *testing.T, err error) {
	t.Helper()
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout(), "%v", err)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
}

func TestDeadlinesThatAreMovedOnEndNoTransfer(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	var movers sync.WaitGroup
	done := make(chan struct{})
	for _, setDeadline := range []func(time.Time) error{a.SetDeadline, a.SetWriteDeadline, b.SetReadDeadline} {
		movers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					if err := setDeadline(time.Now().Add(patience)); err != nil {
						t.Error(err)
						return
					}
				}
			}
		})
	}
	echoed := make(chan error)
	go func() {
		_, err := io.CopyN(b, b, 2<<20)
		echoed <- err
	}()
	for range 2 {
		requireEcho(t, a)
	}
	require.NoError(t, <-echoed)
	close(done)
	movers.Wait()
}

func TestErrorsAreThoseOfNet(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l := listen(t, name)
	waiting, _ := pair(t)
	require.NoError(t, waiting.SetDeadline(time.Unix(1, 0)))
	closed, alone := pair(t)
	require.NoError(t, closed.Close())
	gone := listen(t, newPath(t))
	require.NoError(t, gone.Close())
	require.NoError(t, l.SetDeadline(time.Unix(1, 0)))
	ended, end := context.WithCancel(t.Context())
	end()
	b := make([]byte, 1)
	for _, one := range []struct {
		op      string
		err     error
		is      error
		timeout bool
	}{
		{"read", second(waiting.Read(b)), os.ErrDeadlineExceeded, true},
		{"write", second(waiting.Write(b)), os.ErrDeadlineExceeded, true},
		{"accept", second(l.Accept()), os.ErrDeadlineExceeded, true},
		{"dial", second((&ipc.Dialer{Timeout: -1}).Dial(t.Context(), name)), context.DeadlineExceeded, true},
		{"dial", second(ipc.Dial(ended, name)), context.Canceled, false},
		{"dial", second(ipc.Dial(t.Context(), newPath(t))), os.ErrNotExist, false},
		{"listen", second(ipc.Listen(name)), syscall.EADDRINUSE, false},
		{"write", second(alone.Write(b)), syscall.EPIPE, false},
		{"read", second(closed.Read(b)), net.ErrClosed, false},
		{"write", second(closed.Write(b)), net.ErrClosed, false},
		{"set", closed.SetDeadline(time.Time{}), net.ErrClosed, false},
		{"file", second(closed.File()), net.ErrClosed, false},
		{"close", closed.Close(), net.ErrClosed, false},
		{"accept", second(gone.Accept()), net.ErrClosed, false},
		{"set", gone.SetDeadline(time.Time{}), net.ErrClosed, false},
		{"close", gone.Close(), net.ErrClosed, false},
	} {
		var op *net.OpError
		require.True(t, errors.As(one.err, &op) && op == one.err, "%s: %v", one.op, one.err)
		require.Equal(t, one.op, op.Op, "%v", one.err)
		require.ErrorIs(t, one.err, one.is, one.op)
		require.Equal(t, one.timeout, op.Timeout(), "%v", one.err)
		require.Equal(t, one.timeout, op.Temporary(), "%v", one.err)
	}
	_, err := alone.Read(b)
	require.True(t, err == io.EOF, "%v", err) // as it is: many programs compare it so
}

func TestBuffersOfNetAreWrittenInOrder(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	sent := random(1 << 20)
	for what, write := range map[string]func(*net.Buffers) (int64, error){
		"WriteTo": func(buffers *net.Buffers) (int64, error) { return buffers.WriteTo(a) },
		"Copy":    func(buffers *net.Buffers) (int64, error) { return io.Copy(a, buffers) },
	} {
		buffers := net.Buffers(slices.Collect(slices.Chunk(sent, 3000)))
		written := make(chan error)
		go func() {
			n, err := write(&buffers)
			if n != int64(len(sent)) {
				err = errors.Join(err, io.ErrShortWrite)
			}
			written <- err
		}()
		got := make([]byte, len(sent))
		_, err := io.ReadFull(b, got)
		require.NoError(t, err, what)
		require.NoError(t, <-written, what)
		require.True(t, bytes.Equal(sent, got), what)
		require.Empty(t, buffers, what)
	}
}

func TestFilesAreTakenOfConnectionsThatAreBeingClosed(t *testing.T) {
	leakcheck.Start(t)
	for range 100 {
		a, b, err := ipc.Pair()
		require.NoError(t, err)
		var both sync.WaitGroup
		both.Go(func() {
			if f, err := a.File(); err == nil {
				f.Close()
			} else if !errors.Is(err, net.ErrClosed) {
				t.Error(err)
			}
		})
		both.Go(func() {
			if err := a.Close(); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
		require.NoError(t, b.Close())
	}
}

func TestWriterWithoutEndStopsWhenItsReaderCloses(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	ended := make(chan error)
	go func() {
		for {
			if _, err := a.Write(make([]byte, 1<<16)); err != nil {
				ended <- err
				return
			}
		}
	}()
	_, err := b.Read(make([]byte, 1))
	require.NoError(t, err)
	require.NoError(t, b.Close())
	require.ErrorIs(t, <-ended, syscall.EPIPE)
}
