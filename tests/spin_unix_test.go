//go:build unix

package tests

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestSyscallConnOfSpinningConnectionWaits(t *testing.T) {
	leakcheck.Start(t)
	a, b := spinningPair(t)
	raw, err := a.SyscallConn()
	require.NoError(t, err)
	buffer := make([]byte, 10)
	receive := func() (n int, err error) {
		rawErr := raw.Read(func(fd uintptr) bool {
			n, err = syscall.Read(int(fd), buffer)
			return err != syscall.EAGAIN
		})
		if rawErr != nil {
			return 0, rawErr
		}
		return n, err
	}
	for i := range 100 {
		got := make(chan int)
		go func() {
			n, err := receive()
			if err != nil {
				n = -1
			}
			got <- n
		}()
		if i%10 == 0 {
			time.Sleep(time.Millisecond)
		}
		_, err := b.Write([]byte("data"))
		require.NoError(t, err)
		require.Equal(t, 4, <-got)
	}
	fill(t, a)
	written := make(chan error)
	go func() {
		var err error
		rawErr := raw.Write(func(fd uintptr) bool {
			_, err = syscall.Write(int(fd), []byte("x"))
			return err != syscall.EAGAIN
		})
		written <- errors.Join(rawErr, err)
	}()
	for drained := false; !drained; {
		require.NoError(t, second(b.Read(make([]byte, 1<<20))))
		select {
		case err := <-written:
			require.NoError(t, err)
			drained = true
		default:
		}
	}
	require.NoError(t, a.SetReadDeadline(time.Now().Add(-time.Second)))
	_, err = receive()
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NoError(t, a.Close())
	_, err = receive()
	require.ErrorIs(t, err, net.ErrClosed)
}

// Without descriptors to spare a connection that polls waits as any other does.
func TestSpinningConnectionDoesWithOneDescriptor(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l := listen(t, name)
	spare, err := os.Open(os.DevNull)
	require.NoError(t, err)
	limit := useUpDescriptors(t)
	spare.Close()
	c, err := (&ipc.Dialer{Spin: time.Millisecond}).Dial(t.Context(), name)
	release(limit)
	require.NoError(t, err)
	defer c.Close()
	s, err := l.AcceptConn(t.Context())
	require.NoError(t, err)
	defer s.Close()
	ended := make(chan error)
	go func() { ended <- second(c.Read(make([]byte, 1))) }()
	require.NoError(t, second(s.Write([]byte("x"))))
	require.NoError(t, <-ended)
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Millisecond)))
	require.ErrorIs(t, second(c.Read(make([]byte, 1))), os.ErrDeadlineExceeded)
}
