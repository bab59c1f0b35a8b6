package tests

import (
	"context"
	"io"
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

// Both sides poll. Whether the answer comes while the client does, or later, it is the same.
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
	require.Zero(t, testing.AllocsPerRun(100, func() {
		c.Write(got)
		io.ReadFull(c, got)
	}))
	require.NoError(t, c.Close())
	require.NoError(t, <-served)
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
