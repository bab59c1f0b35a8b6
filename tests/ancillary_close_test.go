//go:build unix

package tests

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// ancillaryWaits returns the ways to wait for ancillary data, on an end that is empty and on one that is full.
func ancillaryWaits(empty, full anyConn) map[string]func() error {
	b := make([]byte, 1000)
	r, w := ipc.NewControlReader(make([]byte, ipc.ControlSize)), ipc.NewControlWriter(make([]byte, 100))
	return map[string]func() error{
		"receiveMessage": func() error {
			_, err := empty.ReceiveMessage(&ipc.Message{Buffers: [][]byte{b}, MaxFiles: 1})
			return err
		},
		"receiveControl": func() error { _, err := empty.ReceiveControl(b, r); return err },
		"sendMessage":    func() error { _, err := full.SendMessage(&ipc.Message{Buffers: [][]byte{b}}); return err },
		"sendControl":    func() error { _, err := full.SendControl(b, w); return err },
	}
}

func TestWaitsForAncillaryDataEndWithDeadlinesContextsAndClose(t *testing.T) {
	leakcheck.Start(t)
	eachKind(t, func(t *testing.T, k kind) {
		empty, _ := k.newPair(t)
		full, _ := k.newPair(t)
		fillConn(t, full)
		deadline := func(at time.Time) {
			require.NoError(t, empty.SetDeadline(at))
			require.NoError(t, full.SetDeadline(at))
		}
		for method, wait := range ancillaryWaits(empty, full) {
			deadline(time.Now().Add(-time.Second))
			require.ErrorIs(t, wait(), os.ErrDeadlineExceeded, method)
			deadline(time.Now().Add(5 * time.Millisecond))
			require.ErrorIs(t, wait(), os.ErrDeadlineExceeded, method)
			deadline(time.Time{})

			ended := make(chan error)
			ctx, cancel := context.WithCancel(t.Context())
			past := make(chan bool)
			context.AfterFunc(ctx, func() {
				empty.SetDeadline(time.Unix(1, 0))
				full.SetDeadline(time.Unix(1, 0))
				close(past)
			})
			go func() { ended <- wait() }()
			waitsIn(t, method)
			cancel()
			require.ErrorIs(t, <-ended, os.ErrDeadlineExceeded, method)
			<-past
			deadline(time.Time{})

			closing, _ := k.newPair(t)
			if strings.HasPrefix(method, "send") {
				fillConn(t, closing)
			}
			go func() { ended <- ancillaryWaits(closing, closing)[method]() }()
			waitsIn(t, method)
			require.NoError(t, closing.Close())
			require.ErrorIs(t, <-ended, net.ErrClosed, method)
		}
	})
}

func TestReceiveThatMeetsADeadlineReturnsNothingOfTheOneBefore(t *testing.T) {
	leakcheck.Start(t)
	eachKind(t, func(t *testing.T, k kind) {
		a, b := k.newPair(t)
		f := numbered(t, 1)[0]
		_, err := a.SendFiles([]byte("payload"), f, f)
		require.NoError(t, err)
		m := ipc.Message{Buffers: [][]byte{make([]byte, 100)}, MaxFiles: 1}
		n, err := b.ReceiveMessage(&m)
		require.ErrorIs(t, err, ipc.ErrFilesLost)
		require.Equal(t, 7, n)
		require.NoError(t, b.SetReadDeadline(time.Unix(1, 0)))
		n, err = b.ReceiveMessage(&m)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.Zero(t, n)
		require.NoError(t, b.Close())
		n, err = b.ReceiveMessage(&m)
		require.ErrorIs(t, err, net.ErrClosed)
		require.Zero(t, n)
	})
}

func TestClosedAndZeroConnectionsRefuseAncillaryData(t *testing.T) {
	leakcheck.Start(t)
	f := numbered(t, 1)[0]
	b := make([]byte, 10)
	eachKind(t, func(t *testing.T, k kind) {
		closed, _ := k.newPair(t)
		require.NoError(t, closed.Close())
		for c, want := range map[anyConn]error{closed: net.ErrClosed, k.zero: syscall.EINVAL} {
			_, _, receiveErr := c.ReceiveFiles(b, nil)
			for what, err := range map[string]error{
				"write: message": second(c.SendMessage(&ipc.Message{Buffers: [][]byte{b}})),
				"write: empty":   second(c.SendMessage(new(ipc.Message))),
				"write: files":   second(c.SendFiles(b, f)),
				"write: control": second(c.SendControl(b, ipc.NewControlWriter(nil))),
				"read: message":  second(c.ReceiveMessage(&ipc.Message{Buffers: [][]byte{b}, MaxFiles: 1})),
				"read: nothing":  second(c.ReceiveMessage(new(ipc.Message))),
				"read: files":    receiveErr,
				"read: control":  second(c.ReceiveControl(b, ipc.NewControlReader(make([]byte, 100)))),
				"set: cred":      c.SetPassCredentials(true),
				"set: pidfd":     c.SetPassPIDFD(true),
				"get: pidfd":     second(c.PeerPIDFD()),
			} {
				if errors.Is(err, errors.ErrUnsupported) && !onLinux {
					continue
				}
				require.ErrorIs(t, err, want, what)
				var op *net.OpError
				require.ErrorAs(t, err, &op, what)
				operation, _, _ := strings.Cut(what, ":")
				require.Equal(t, operation, op.Op, what)
			}
		}
	})
	var l ipc.Listener
	require.ErrorIs(t, l.SetPassCredentials(true), syscall.EINVAL)
	require.ErrorIs(t, l.SetPassPIDFD(true), syscall.EINVAL)
}

func TestCloseIsSafeWhileAncillaryDataIsSentAndReceived(t *testing.T) {
	leakcheck.Start(t)
	files := numbered(t, 2)
	eachKind(t, func(t *testing.T, k kind) {
		for range 100 {
			a, b, err := k.pair()
			require.NoError(t, err)
			r := ipc.NewControlReader(make([]byte, ipc.ControlSize))
			var group sync.WaitGroup
			for _, work := range []func() error{
				func() error {
					return second(a.SendMessage(&ipc.Message{Buffers: [][]byte{make([]byte, 50_000)}, Files: files}))
				},
				func() error {
					m := ipc.Message{Buffers: [][]byte{make([]byte, 50_000)}, MaxFiles: 2}
					_, err := b.ReceiveMessage(&m)
					closeAll(m.Files)
					return err
				},
				func() error {
					_, err := b.ReceiveControl(make([]byte, 50_000), r)
					return errors.Join(err, r.Close())
				},
				func() error { return second(a.SendFiles([]byte("x"), files...)) },
				func() error { a.SetPassCredentials(true); return nil },
				func() error { return a.SetDeadline(time.Now().Add(time.Hour)) },
				a.Close, b.Close,
			} {
				group.Go(func() {
					err := work()
					for _, expected := range []error{net.ErrClosed, syscall.EPIPE, syscall.ECONNREFUSED,
						syscall.ENOTCONN, syscall.ECONNRESET, io.EOF} {
						if errors.Is(err, expected) {
							return
						}
					}
					if err != nil {
						t.Errorf("%v", err)
					}
				})
			}
			group.Wait()
		}
	})
}

func TestWhatWasSentBeforeTheEndIsReceivedBeforeIt(t *testing.T) {
	leakcheck.Start(t)
	f := numbered(t, 1)[0]
	eachKind(t, func(t *testing.T, k kind) {
		if k.name == "datagram" {
			return // has no end
		}
		for range 2000 {
			a, b, err := k.pair()
			require.NoError(t, err)
			ended := make(chan error)
			go func() {
				_, err := a.SendFiles([]byte("x"), f)
				ended <- errors.Join(err, a.Close())
			}()
			m := ipc.Message{Buffers: [][]byte{make([]byte, 10)}, MaxFiles: 1}
			n, err := b.ReceiveMessage(&m)
			require.NoError(t, err)
			require.Equal(t, 1, n)
			requireNumbered(t, m.Files, 1)
			_, err = b.ReceiveMessage(&m)
			require.True(t, err == io.EOF, "%v", err)
			require.NoError(t, <-ended)
			require.NoError(t, b.Close())
		}
	})
}

func TestReceiveOnAClosedConnectionReturnsNothingOfTheOneBefore(t *testing.T) {
	leakcheck.Start(t)
	file := numbered(t, 1)[0]
	eachKind(t, func(t *testing.T, k kind) {
		a, b := k.newPair(t)
		receive := func() (int, ipc.Message, error) {
			m := ipc.Message{Buffers: [][]byte{make([]byte, 3)}, Credentials: new(ipc.Credentials)}
			n, err := b.ReceiveMessage(&m)
			return n, m, err
		}
		requireNothing := func(n int, m ipc.Message, err error) {
			t.Helper()
			require.ErrorIs(t, err, net.ErrClosed)
			require.Zero(t, n)
			require.Equal(t, ipc.Credentials{PID: -1, UID: -1, GID: -1}, *m.Credentials)
			require.Zero(t, m.Peer)
		}
		if onLinux {
			require.NoError(t, b.SetPassCredentials(true))
		}
		_, err := a.SendFiles([]byte("payload"), file) // nobody asks for the file, and the payload does not fit a message
		require.NoError(t, err)
		n, _, err := receive()
		require.Equal(t, 3, n)
		if k.name != "stream" {
			require.ErrorIs(t, err, ipc.ErrTruncated)
		}
		require.NoError(t, b.Close())
		requireNothing(receive())
	})
	// Only datagrams have the name of their sender.
	a, b := listenDatagram(t, newPath(t)), listenDatagram(t, newPath(t))
	require.NoError(t, a.SendTo([]byte("payload"), nameOf(t, b.LocalAddr())))
	_, from, err := b.ReceiveFrom(make([]byte, 3))
	require.ErrorIs(t, err, ipc.ErrTruncated)
	require.Equal(t, nameOf(t, a.LocalAddr()), from)
	require.NoError(t, b.Close())
	n, from, err := b.ReceiveFrom(make([]byte, 3))
	require.ErrorIs(t, err, net.ErrClosed)
	require.Zero(t, n)
	require.Zero(t, from)
}
