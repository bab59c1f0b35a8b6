//go:build unix

package tests

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/pprof"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lipc/ipc"
	"github.com/lipc/ipc/signals"
	"github.com/lipc/ipc/tests/facility"
	"github.com/lipc/ipc/tests/leakcheck"
	"github.com/stretchr/testify/require"
)

// senders start processes that send signals to this one, and returns them by their ids.
func senders(t *testing.T, count int) map[int]*process {
	t.Helper()
	all := map[int]*process{}
	for range count {
		p := start(t, "signal sender")
		all[p.cmd.Process.Pid] = p
	}
	return all
}

// requireEachOnce has processes queue signals, with the values from 0 to count-1 each, and requires that each comes once.
func requireEachOnce(t *testing.T, w *signals.Watcher, from map[int]*process, sig syscall.Signal, count int) {
	t.Helper()
	came := map[int][]bool{}
	for pid, p := range from {
		came[pid] = make([]bool, count)
		p.order("queue %s %d", signals.Name(sig), count)
	}
	for range count * len(from) {
		info := next(t, w)
		values, known := came[info.PID]
		require.True(t, known, "%v", info)
		require.False(t, values[info.Value], "twice: %v", info)
		values[info.Value] = true
		require.Equal(t, signals.Info{Signal: sig, Code: signals.CodeQueue, PID: info.PID, UID: os.Getuid(),
			Value: info.Value}, info)
	}
	for _, p := range from {
		p.expect("sent")
	}
}

func TestEachQueuedSignalArrivesOnceFromTenProcesses(t *testing.T) {
	leakcheck.Start(t)
	if !queues(t) {
		return
	}
	sig := signals.RealTime(2)
	requireEachOnce(t, watch(t, sig), senders(t, 10), sig, 10_000)
}

func TestBurstOfSignalsIsDeliveredAtLeastOnce(t *testing.T) {
	leakcheck.Start(t)
	w := watch(t, syscall.SIGUSR1)
	from := senders(t, 10)
	for range 10 {
		for _, p := range from {
			p.order("send SIGUSR1 100")
		}
		for _, p := range from {
			p.expect("sent")
		}
		info := next(t, w)
		require.Contains(t, from, info.PID)
		require.Equal(t, os.Getuid(), info.UID)
		require.Zero(t, info.Dropped)
	}
}

func TestSignalsThatAreLostAreCounted(t *testing.T) {
	leakcheck.Start(t)
	if !queues(t) {
		return
	}
	const queued, room = 1000, 16
	sig := signals.RealTime(2)
	small, large := watchWith(t, signals.Config{QueueSize: room}, sig), watch(t, sig)
	for i := range queued {
		require.NoError(t, signals.Queue(os.Getpid(), sig, i))
	}
	for range queued { // the handler stores each for the other Watcher first
		require.Zero(t, next(t, large).Dropped)
	}
	info := next(t, small)
	require.Equal(t, queued-room, info.Dropped)
	require.Contains(t, info.String(), fmt.Sprintf(", value %d, %d dropped before", info.Value, queued-room))
	for range room - 1 {
		require.Zero(t, next(t, small).Dropped)
	}
	require.NoError(t, signals.Queue(os.Getpid(), sig, -1))
	require.Equal(t, -1, next(t, small).Value)
}

// signalSeconds is for how long signals come under load: SIGNAL_SECONDS says more.
func signalSeconds(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("SIGNAL_SECONDS")
	if text == "" {
		return time.Second
	}
	seconds, err := strconv.Atoi(text)
	require.NoError(t, err)
	return time.Duration(seconds) * time.Second
}

// TestWatcherLosesNothingWhateverTheProgramDoes queues signals while the program allocates memory, collects garbage,
// calls C, waits on the poller, starts other programs, is profiled, and opens and closes other watchers.
func TestWatcherLosesNothingWhateverTheProgramDoes(t *testing.T) {
	leakcheck.Start(t)
	if !queues(t) {
		return
	}
	if !onLinux {
		facility.Missing(t, "/proc/self/status")
	}
	require.NoError(t, pprof.StartCPUProfile(io.Discard))
	defer pprof.StopCPUProfile()
	ended := make(chan struct{})
	var busy sync.WaitGroup
	defer busy.Wait()
	defer close(ended)
	repeat := func(work func() error) {
		busy.Go(func() {
			for {
				select {
				case <-ended:
					return
				default:
				}
				if err := work(); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}

	sig := signals.RealTime(0) // one that the Go runtime does not handle
	w := watch(t, sig)
	handling := handlingOfGrep(t)
	var memory [1024][]byte
	count := 0
	repeat(func() error {
		memory[count%len(memory)] = make([]byte, count%10_000)
		if count++; count%10_000 == 0 {
			runtime.GC()
		}
		return nil
	})
	repeat(func() error {
		a, b, err := ipc.Pair()
		if err != nil {
			return err
		}
		defer a.Close()
		defer b.Close()
		done := make(chan error)
		go func() { done <- second(io.ReadFull(b, make([]byte, 100_000))) }()
		if _, err := a.Write(make([]byte, 100_000)); err != nil {
			return err
		}
		return <-done
	})
	repeat(func() error {
		now, err := grepHandling()
		if err == nil && now != handling {
			err = fmt.Errorf("a program that was started handles signals otherwise: %s", now)
		}
		return err
	})
	repeat(func() error {
		other, err := signals.Watch(sig, syscall.SIGUSR1)
		if err != nil {
			return err
		}
		if err := signals.Send(os.Getpid(), syscall.SIGUSR1); err != nil {
			return err
		}
		for info, err := range other.All(t.Context()) {
			if err != nil {
				return err
			}
			if info.Signal == syscall.SIGUSR1 {
				break
			}
		}
		return other.Close()
	})
	from := senders(t, 4)
	for end := time.Now().Add(signalSeconds(t)); time.Now().Before(end); {
		requireEachOnce(t, w, from, sig, 2000)
	}
}
