package tests

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

func TestSpinOutOfRangeIsRefused(t *testing.T) {
	leakcheck.Start(t)
	a, _ := pair(t)
	r, w, err := ipc.Pipe()
	require.NoError(t, err)
	defer w.Close()
	defer r.Close()
	for _, spin := range []time.Duration{-1, time.Millisecond + 1} {
		_, dialErr := (&ipc.Dialer{Spin: spin}).Dial(t.Context(), newPath(t))
		_, listenErr := (&ipc.ListenConfig{Spin: spin}).Listen(t.Context(), newPath(t))
		for _, err := range []error{dialErr, listenErr, a.SetSpin(spin), r.SetSpin(spin)} {
			require.ErrorIs(t, err, syscall.EINVAL)
			require.ErrorContains(t, err, "Spin "+spin.String()+" is not between 0 and 1ms")
		}
	}
	require.NoError(t, a.SetSpin(0))
	require.NoError(t, r.SetSpin(time.Millisecond))
	require.ErrorIs(t, new(ipc.Conn).SetSpin(0), syscall.EINVAL)
}

// Both sides poll. The answer comes while the client polls, or later.
func TestSpinDeliversWhatComesWhileItPollsAndAfter(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l, err := (&ipc.ListenConfig{Spin: 50 * time.Microsecond}).Listen(context.Background(), name)
	require.NoError(t, err)
	defer l.Close()
	served := make(chan error)
	go func() {
		c, err := l.Accept()
		if err == nil {
			defer c.Close()
			_, err = io.Copy(&slowly{w: c}, c)
		}
		served <- err
	}()
	c, err := (&ipc.Dialer{Spin: 50 * time.Microsecond}).Dial(t.Context(), name)
	require.NoError(t, err)
	got := make([]byte, 2)
	for i := range 600 {
		sent := []byte{byte(i), byte(i >> 8)}
		_, err := c.Write(sent)
		require.NoError(t, err)
		_, err = io.ReadFull(c, got)
		require.NoError(t, err)
		require.Equal(t, sent, got)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 1000 {
		c.Write(got)
		io.ReadFull(c, got)
	}
	runtime.ReadMemStats(&after) // testing.AllocsPerRun uses one processor, and then nothing polls
	require.Less(t, after.Mallocs-before.Mallocs, uint64(100))
	require.NoError(t, c.Close())
	require.NoError(t, <-served)
}

// A long write to a reader that keeps pace polls all the time, and must meet its deadline all the same.
func TestSpinDoesNotHoldUpTheDeadlineOfALongWrite(t *testing.T) {
	leakcheck.Start(t)
	a, b := pair(t)
	require.NoError(t, a.SetSpin(time.Millisecond))
	read := make(chan error)
	go func() {
		piece := make([]byte, 64<<10)
		for {
			if _, err := b.Read(piece); err != nil {
				read <- err
				return
			}
			for begin := time.Now(); time.Since(begin) < 50*time.Microsecond; {
			}
		}
	}()
	require.NoError(t, a.SetWriteDeadline(time.Now().Add(5*time.Millisecond)))
	n, err := a.Write(make([]byte, 128<<20)) // the reader takes 100 milliseconds for that
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.Less(t, n, 128<<20)
	require.NoError(t, a.Close())
	require.ErrorIs(t, <-read, io.EOF)
}

// slowly writes every third piece after a millisecond.
type slowly struct {
	w       io.Writer
	written int
}

func (s *slowly) Write(b []byte) (int, error) {
	if s.written++; s.written%3 == 0 {
		time.Sleep(time.Millisecond)
	}
	return s.w.Write(b)
}

// spinningPair returns two connected ends that poll, which are closed when the test ends.
func spinningPair(t *testing.T) (a, b *ipc.Conn) {
	t.Helper()
	name := newPath(t)
	const spin = 20 * time.Microsecond
	l, err := (&ipc.ListenConfig{Spin: spin}).Listen(t.Context(), name)
	require.NoError(t, err)
	defer l.Close()
	a, err = (&ipc.Dialer{Spin: spin}).Dial(t.Context(), name)
	require.NoError(t, err)
	t.Cleanup(func() { a.Close() })
	b, err = l.AcceptConn(t.Context())
	require.NoError(t, err)
	t.Cleanup(func() { b.Close() })
	return a, b
}

func TestDeadlinesOfSpinningConnection(t *testing.T) {
	leakcheck.Start(t)
	a, b := spinningPair(t)
	one := make([]byte, 1)
	_, err := b.Write(one)
	require.NoError(t, err)
	require.NoError(t, a.SetDeadline(time.Now().Add(-time.Second))) // data is there
	require.ErrorIs(t, second(a.Read(one)), os.ErrDeadlineExceeded)
	require.ErrorIs(t, second(a.Write(one)), os.ErrDeadlineExceeded)
	require.NoError(t, a.SetReadDeadline(time.Time{}))
	require.NoError(t, second(a.Read(one)))
	require.ErrorIs(t, second(a.Write(one)), os.ErrDeadlineExceeded)
	require.NoError(t, a.SetWriteDeadline(time.Time{}))
	require.NoError(t, second(a.Write(one)))
	for _, deadline := range []time.Duration{time.Millisecond, 10 * time.Millisecond} {
		require.NoError(t, a.SetReadDeadline(time.Now().Add(deadline)))
		require.ErrorIs(t, second(a.Read(one)), os.ErrDeadlineExceeded)
	}
	require.NoError(t, a.SetReadDeadline(time.Now().Add(time.Hour)))
	ended := make(chan error)
	go func() { ended <- second(a.Read(one)) }()
	require.NoError(t, a.SetReadDeadline(time.Now().Add(5*time.Millisecond))) // moved while it waits
	require.ErrorIs(t, <-ended, os.ErrDeadlineExceeded)
	require.NoError(t, a.SetReadDeadline(time.Now().Add(5*time.Millisecond)))
	go func() { ended <- second(a.Read(one)) }()
	require.NoError(t, a.SetReadDeadline(time.Time{}))
	require.NoError(t, second(b.Write(one)))
	require.NoError(t, <-ended)
}

func TestSpinningConnectionIsSafeAgainstClose(t *testing.T) {
	leakcheck.Start(t)
	for round := range 200 {
		a, b := spinningPair(t)
		use := func(operation func([]byte) (int, error)) func() error {
			return func() error {
				for buffer := make([]byte, 1000); ; {
					if _, err := operation(buffer); err != nil {
						return err
					}
				}
			}
		}
		setDeadlines := func() error {
			for {
				if err := a.SetDeadline(time.Now().Add(time.Hour)); err != nil {
					return err
				}
			}
		}
		closeLater := func() error {
			time.Sleep(time.Duration(round%20) * 20 * time.Microsecond)
			return a.Close()
		}
		answer := func() error {
			_, err := io.Copy(b, b)
			if errors.Is(err, syscall.EPIPE) {
				err = nil
			}
			return err
		}
		errs := race(use(a.Read), use(a.Read), use(a.Write), use(a.Write), setDeadlines, closeLater, answer)
		for _, err := range errs[:5] {
			require.ErrorIs(t, err, net.ErrClosed)
		}
		require.NoError(t, errors.Join(errs[5:]...))
		require.NoError(t, b.Close())
	}
}
