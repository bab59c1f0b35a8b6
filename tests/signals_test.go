package tests

import (
	"context"
	"net"
	"os"
	"strconv"
	"syscall"
	"testing"

	"github.com/lipc/ipc/signals"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// watch returns a Watcher, which is closed when the test ends.
func watch(t *testing.T, sigs ...os.Signal) *signals.Watcher {
	t.Helper()
	return watchWith(t, signals.Config{}, sigs...)
}

func watchWith(t *testing.T, c signals.Config, sigs ...os.Signal) *signals.Watcher {
	t.Helper()
	w, err := c.Watch(sigs...)
	require.NoError(t, err)
	t.Cleanup(func() { w.Close() })
	return w
}

func TestNamesOfSignalsAreRead(t *testing.T) {
	leakcheck.Start(t)
	for text, sig := range map[string]os.Signal{
		"SIGINT": os.Interrupt, "INT": syscall.SIGINT, "int": syscall.SIGINT, "SIGTERM": syscall.SIGTERM,
		"BREAK": signals.Break, "LOGOFF": signals.Logoff,
	} {
		parsed, err := signals.Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, sig, parsed)
		again, err := signals.Parse(signals.Name(sig))
		require.NoError(t, err)
		require.Equal(t, sig, again)
	}
	for _, text := range []string{"", "SIG", "0", "-1", "99999", "SIGNOTHING", "RTMIN-1", "RTMIN+1000", "RTMIN+", "RTMIN5",
		"RTMIN++5", "RTMIN+-5", "RTMAX+1", "RTMAX-", "RTMAX-1000", "RTMAX1", "RT", "+1", "SIG1"} {
		_, err := signals.Parse(text)
		require.ErrorIs(t, err, syscall.EINVAL, text)
	}
}

func TestWhatIsNoSignalIsRefused(t *testing.T) {
	leakcheck.Start(t)
	_, err := signals.Watch()
	require.ErrorIs(t, err, syscall.EINVAL)
	require.EqualError(t, err, "signals: watch: no signals are given")
	_, err = signals.Watch(nil)
	require.ErrorIs(t, err, syscall.EINVAL)
	_, err = signals.Watch(otherSignal{})
	require.ErrorContains(t, err, "signals: watch other: it is of type tests.otherSignal")
	require.ErrorIs(t, signals.Send(os.Getpid(), otherSignal{}), syscall.EINVAL)
	none := []os.Signal{signals.ConsoleEvent(syscall.SIGTERM), signals.ConsoleEvent(0), signals.Break + 100}
	if strconv.IntSize == 64 {
		wide := int64(1) << 32 // the lower 32 bits of these are SIGTERM and 0
		none = append(none, syscall.SIGTERM+syscall.Signal(wide), syscall.Signal(wide))
		require.Equal(t, syscall.Signal(-1), signals.RealTime(int(wide)))
	}
	for _, sig := range none {
		require.ErrorIs(t, signals.Send(os.Getpid(), sig), syscall.EINVAL, sig)
		_, err = signals.Watch(sig)
		require.ErrorIs(t, err, syscall.EINVAL, sig)
	}
	for _, size := range []int{-1, 1<<24 + 1} {
		_, err = (&signals.Config{QueueSize: size}).Watch(os.Interrupt)
		require.ErrorIs(t, err, syscall.EINVAL, size)
	}
}

type otherSignal struct{}

func (otherSignal) String() string { return "other" }
func (otherSignal) Signal()        {}

func TestZeroWatcherIsAnError(t *testing.T) {
	leakcheck.Start(t)
	w := new(signals.Watcher)
	_, err := w.Next(t.Context())
	require.ErrorIs(t, err, syscall.EINVAL)
	require.ErrorContains(t, err, "signals: next: ")
	err = w.Close()
	require.ErrorIs(t, err, syscall.EINVAL)
	require.ErrorContains(t, err, "signals: close: ")
	for _, err := range w.All(t.Context()) {
		require.ErrorIs(t, err, syscall.EINVAL)
	}
}

func TestCloseWakesAllThatWaitForASignal(t *testing.T) {
	leakcheck.Start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for range 50 {
		w := watch(t, os.Interrupt)
		const waiting = 8
		ended := make(chan error)
		for i := range waiting {
			go func() {
				waits := ctx
				if i%2 == 0 {
					waits = context.Background()
				}
				_, err := w.Next(waits)
				ended <- err
			}()
		}
		require.NoError(t, w.Close())
		for range waiting {
			require.ErrorIs(t, <-ended, net.ErrClosed)
		}
		require.ErrorIs(t, w.Close(), net.ErrClosed)
		for range w.All(ctx) {
			t.Fatal("a closed Watcher has signals")
		}
	}
}

func TestContextEndsTheWaitForASignal(t *testing.T) {
	leakcheck.Start(t)
	w := watch(t, os.Interrupt)
	for range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		ended, other := make(chan error), make(chan error)
		go func() { ended <- second(w.Next(ctx)) }()
		go func() { other <- second(w.Next(ctx)) }()
		cancel()
		require.ErrorIs(t, <-ended, context.Canceled)
		require.ErrorIs(t, <-other, context.Canceled)
		for range w.All(ctx) {
			t.Fatal("it has signals although the context has ended")
		}
	}
}

func TestOneProcessHasManyWatchers(t *testing.T) {
	leakcheck.Start(t)
	var last *signals.Watcher
	for range 64 {
		last = watch(t, os.Interrupt)
	}
	_, err := signals.Watch(os.Interrupt)
	require.ErrorIs(t, err, syscall.EMFILE)
	require.NoError(t, last.Close())
	watch(t, os.Interrupt)
}
