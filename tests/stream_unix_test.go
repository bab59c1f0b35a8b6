//go:build unix

package tests

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"os"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// useUpDescriptors lets the process open no more descriptors until release, or until the test ends.
func useUpDescriptors(t *testing.T) *used {
	t.Helper()
	u := new(used)
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &u.limit))
	few := u.limit
	few.Cur = 256
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few))
	t.Cleanup(func() { release(u) })
	for {
		fd, err := syscall.Dup(0)
		if err != nil {
			require.ErrorIs(t, err, syscall.EMFILE)
			return u
		}
		u.fds = append(u.fds, fd)
	}
}

type used struct {
	limit    syscall.Rlimit
	fds      []int
	released sync.Once
}

func release(u *used) {
	u.released.Do(func() {
		syscall.Setrlimit(syscall.RLIMIT_NOFILE, &u.limit)
		for _, fd := range u.fds {
			syscall.Close(fd)
		}
	})
}

func TestHalfCloses(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	_, err := a.Write([]byte("last"))
	require.NoError(t, err)
	require.NoError(t, a.CloseWrite())
	got, err := io.ReadAll(b)
	require.NoError(t, err)
	require.Equal(t, "last", string(got))
	_, err = a.Write([]byte("x"))
	require.ErrorIs(t, err, syscall.EPIPE)
	_, err = b.Write([]byte("answer")) // the other direction still works
	require.NoError(t, err)
	require.NoError(t, a.CloseRead())
	got, err = io.ReadAll(a)
	require.NoError(t, err)
	if onLinux { // elsewhere data may be discarded that arrived before or arrives now
		require.Equal(t, "answer", string(got))
		_, err = b.Write([]byte("x"))
		require.ErrorIs(t, err, syscall.EPIPE)
	}
}

func TestBufferSizesAreSet(t *testing.T) {
	leakcheck.Start(t)
	a, _ := pair(t)
	require.NoError(t, a.SetReadBuffer(50_000))
	require.NoError(t, a.SetWriteBuffer(50_000))
	raw, err := a.SyscallConn()
	require.NoError(t, err)
	require.NoError(t, raw.Control(func(fd uintptr) {
		for _, option := range []int{syscall.SO_RCVBUF, syscall.SO_SNDBUF} {
			size, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, option)
			if err != nil || size < 50_000 || size > 200_000 {
				t.Errorf("option %d: %d, %v", option, size, err)
			}
		}
	}))
	require.ErrorIs(t, a.SetReadBuffer(0), syscall.EINVAL)
	require.ErrorIs(t, a.SetWriteBuffer(-1), syscall.EINVAL)
	require.NoError(t, a.SetWriteBuffer(math.MaxInt)) // the system lowers it
}

func TestSyscallConnReadsAndWritesAndReportsClose(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	raw, err := a.SyscallConn()
	require.NoError(t, err)
	_, err = b.Write([]byte("x"))
	require.NoError(t, err)
	got := make([]byte, 1)
	require.NoError(t, raw.Read(func(fd uintptr) bool {
		_, err := syscall.Read(int(fd), got)
		return err != syscall.EAGAIN
	}))
	require.Equal(t, "x", string(got))
	require.NoError(t, raw.Write(func(fd uintptr) bool { return true }))
	require.NoError(t, a.Close())
	for name, err := range map[string]error{
		"control": raw.Control(func(uintptr) {}),
		"read":    raw.Read(func(uintptr) bool { return true }),
		"write":   raw.Write(func(uintptr) bool { return true }),
	} {
		require.ErrorIs(t, err, net.ErrClosed, name)
		require.ErrorContains(t, err, "raw-"+name+" ipc")
	}
	require.NoError(t, b.SetReadDeadline(time.Now()))
	raw, err = b.SyscallConn()
	require.NoError(t, err)
	err = raw.Read(func(uintptr) bool { return false })
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	var op *net.OpError
	require.ErrorAs(t, err, &op)
	require.True(t, op.Timeout())
}

func TestContextDoesNotEndARawRead(t *testing.T) {
	leakcheck.Start(t)
	spinning, peer := spinningPair(t)
	a, b := pair(t)
	for _, ends := range [][2]*ipc.Conn{{a, b}, {spinning, peer}} {
		raw, err := ends[0].SyscallConn()
		require.NoError(t, err)
		waits, ended := make(chan bool), make(chan error, 1)
		go func() {
			first := true
			ended <- raw.Read(func(uintptr) bool {
				if !first {
					return true
				}
				first = false
				close(waits)
				return false
			})
		}()
		<-waits
		ctx, end := context.WithTimeout(t.Context(), time.Millisecond)
		_, err = ends[0].ReadContext(ctx, make([]byte, 1))
		end()
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Empty(t, ended)
		require.NoError(t, second(ends[1].Write([]byte("x"))))
		require.NoError(t, <-ended)
	}
}

func TestSyscallConnOfListenerIsNeitherReadNorWritten(t *testing.T) {
	leakcheck.Start(t)
	l := listen(t, newPath(t))
	raw, err := l.SyscallConn()
	require.NoError(t, err)
	called := func(uintptr) bool { t.Error("called"); return true }
	require.ErrorIs(t, raw.Read(called), syscall.EINVAL)
	require.ErrorIs(t, raw.Write(called), syscall.EINVAL)
	require.NoError(t, raw.Control(func(fd uintptr) {
		listening, err := syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_ACCEPTCONN)
		if onLinux && (err != nil || listening == 0) {
			t.Errorf("descriptor %d: %d, %v", fd, listening, err)
		}
	}))
	require.NoError(t, l.Close())
	require.ErrorIs(t, raw.Control(func(uintptr) {}), net.ErrClosed)
}

func TestCloseIsSafeDuringHalfCloses(t *testing.T) {
	leakcheck.Start(t)
	for range 300 {
		a, b, err := ipc.Pair()
		require.NoError(t, err)
		var group sync.WaitGroup
		for _, work := range []func() error{
			func() error { return second(a.Read(make([]byte, 10))) },
			func() error { return second(a.Write(make([]byte, 1<<20))) },
			a.CloseRead, a.CloseWrite, b.CloseRead, b.CloseWrite, a.Close, b.Close,
		} {
			group.Go(func() {
				err := work()
				if err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, syscall.EPIPE) && err != io.EOF {
					t.Errorf("%v", err)
				}
			})
		}
		group.Wait()
	}
}

func TestWhatWasSentBeforeCloseReadIsReceivedFirst(t *testing.T) {
	leakcheck.Start(t)
	if !onLinux {
		facility.Missing(t, "shutdown(2) that keeps what has arrived")
	}
	// Stopping the world again and again delays readers where they return from a call.
	ended := make(chan bool)
	var group sync.WaitGroup
	defer group.Wait()
	defer close(ended)
	group.Go(func() {
		var stats runtime.MemStats
		for {
			select {
			case <-ended:
				return
			default:
				runtime.ReadMemStats(&stats)
			}
		}
	})
	for round := range 20 * rounds {
		a, b, err := ipc.DatagramPair()
		require.NoError(t, err)
		got := make([]byte, 1)
		errs := race(
			func() error { return second(a.Receive(got)) },
			func() error { return errors.Join(b.Send([]byte("x")), a.CloseRead()) },
		)
		require.NoError(t, errs[1])
		require.NoError(t, errs[0], "round %d", round)
		require.NoError(t, a.Close())
		require.NoError(t, b.Close())
	}
}
