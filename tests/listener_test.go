package tests

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// requireInUse requires that Listen fails since the name is in use.
func requireInUse(t *testing.T, name ipc.Name) {
	t.Helper()
	l, err := ipc.Listen(name)
	if err == nil {
		l.Close()
	}
	require.ErrorIs(t, err, syscall.EADDRINUSE)
	require.ErrorContains(t, err, "listen ipc "+name.String())
}

func TestLiveServerKeepsItsName(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	startEcho(t, name)
	requireInUse(t, name)
	require.NoError(t, echoOnce(name))
}

// fillBacklog dials until the listener takes no more. The connections are closed when the test ends.
func fillBacklog(t *testing.T, name ipc.Name) {
	t.Helper()
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		c, err := ipc.Dial(ctx, name)
		cancel()
		if err != nil {
			require.ErrorIs(t, err, context.DeadlineExceeded)
			return
		}
		t.Cleanup(func() { c.Close() })
	}
}

func TestIncomingEndsWithItsContext(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	l := listen(t, name)
	dial(t, name)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for c, err := range l.Incoming(ctx) {
		require.NoError(t, err)
		c.Close()
		cancel()
	}
	require.Error(t, ctx.Err())
	dial(t, name)
	c, err := l.AcceptConn(t.Context()) // the listener itself goes on
	require.NoError(t, err)
	c.Close()
}

func TestIncomingThatWaitsEndsWithItsContext(t *testing.T) {
	leakcheck.Start(t)
	l := listen(t, newPath(t))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan int)
	go func() {
		yielded := 0
		for range l.Incoming(ctx) {
			yielded++
		}
		ended <- yielded
	}()
	cancel()
	require.Zero(t, <-ended)
}

func TestDeadlineSetDuringACancelledAcceptStillCounts(t *testing.T) {
	leakcheck.Start(t)
	l := listen(t, newPath(t))
	for range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error)
		go func() { _, err := l.AcceptConn(ctx); ended <- err }()
		go cancel()
		require.NoError(t, l.SetDeadline(time.Now().Add(-time.Second)))
		err := <-ended
		require.True(t, errors.Is(err, context.Canceled) || errors.Is(err, os.ErrDeadlineExceeded), "%v", err)
		_, err = l.Accept()
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.NoError(t, l.SetDeadline(time.Time{}))
	}
}

func TestIncomingYieldsADeadlineAndEnds(t *testing.T) {
	leakcheck.Start(t)
	l := listen(t, newPath(t))
	require.NoError(t, l.SetDeadline(time.Now().Add(10*time.Millisecond)))
	var errs []error
	for _, err := range l.Incoming(t.Context()) {
		errs = append(errs, err)
	}
	require.Len(t, errs, 1)
	require.ErrorIs(t, errs[0], os.ErrDeadlineExceeded)
}

func TestForgottenListenerFreesItsName(t *testing.T) {
	leakcheck.Start(t)
	name := newPath(t)
	func() {
		_, err := ipc.Listen(name)
		require.NoError(t, err)
	}()
	collect(t, func() bool {
		c, err := ipc.Dial(t.Context(), name)
		if err == nil {
			c.Close()
		}
		return errors.Is(err, fs.ErrNotExist) // on Unix, once its file is removed
	})
	collect(t, func() bool { _, err := os.Lstat(name.String() + ".lock"); return err != nil }) // the last to go
}
