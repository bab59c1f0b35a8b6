package signals

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"os"
	"slices"

	"github.com/lipc/ipc/internal/core"
	"github.com/lipc/ipc/internal/poll"
)

// Config holds the options of a [Watcher]. The zero value is the default.
type Config struct {
	// ChildStops is whether SIGCHLD also reports children that stop or continue. By default it reports only children that
	// end. If SIGCHLD is watched, and no Watcher of it has ChildStops, os/signal does not get stops either.
	ChildStops bool

	// Interrupts is whether system calls of C code in the program fail with EINTR when a watched signal interrupts them.
	// By default the system restarts them where it can. Go's standard library goes on in either case.
	Interrupts bool

	// QueueSize is how many signals can wait to be taken, at most 1<<24. It is rounded up to a power of two. Zero means
	// 16384, or 131072 if a real-time signal is watched. Each place takes 56 bytes from its first use on. A signal that
	// finds no place is lost, and counted in Info.Dropped.
	QueueSize int
}

// realTimeQueue is the default QueueSize of a Watcher of real-time signals, because senders queue bursts of them.
const realTimeQueue = 1 << 17

// A Watcher collects signals. Several Watchers may watch the same signal: each gets every one. A process can have 64
// Watchers. Multiple goroutines may call methods of a Watcher at the same time; each signal is returned to one of them.
// The zero Watcher is not open.
type Watcher struct {
	watch poll.SignalWatch
	system
}

// Watch watches signals with the default options, see [Config.Watch].
func Watch(sigs ...os.Signal) (*Watcher, error) { return new(Config).Watch(sigs...) }

// Watch watches signals until the Watcher is closed. The Watcher gets the signals that come after Watch has returned. A
// signal that comes during the call may be delivered or dropped. A signal is a [syscall.Signal] or a [ConsoleEvent],
// and at least one is needed. If any of them cannot be watched, Watch fails and watches none.
//
// These signals cannot be watched. The error gives the reason:
//
//   - SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP and SIGSYS, because they report faults, which the Go runtime turns into
//     panics, and SIGURG and SIGPROF, with which it preempts goroutines and profiles: [errors.ErrUnsupported].
//   - SIGKILL and SIGSTOP, which the system delivers to no program, and those that the C library keeps for itself, on
//     Linux 32 and 33, with musl also 34: [syscall.EINVAL].
//   - On Windows all but [os.Interrupt] and those of type [ConsoleEvent]: [errors.ErrUnsupported].
//   - On all other systems those of type [ConsoleEvent]: [errors.ErrUnsupported].
func (c *Config) Watch(sigs ...os.Signal) (*Watcher, error) {
	numbers := make([]int32, len(sigs))
	for i, sig := range sigs {
		n, err := number(sig)
		if err == nil {
			err = refused(n)
		}
		if err != nil {
			return nil, watchError(err, sig)
		}
		numbers[i] = int32(n)
	}
	w, err := c.open(sigs, numbers)
	if err != nil {
		return nil, watchError(err, sigs...)
	}
	return w, nil
}

func watchError(err error, sigs ...os.Signal) error {
	call := "signals: watch"
	for _, sig := range sigs {
		call += " " + Name(sig)
	}
	return fmt.Errorf("%s: %w", call, err)
}

func (c *Config) open(sigs []os.Signal, numbers []int32) (*Watcher, error) {
	if len(sigs) == 0 {
		return nil, core.Invalidf("no signals are given")
	}
	if c.QueueSize < 0 || c.QueueSize > core.SignalQueueMax {
		return nil, core.Invalidf("QueueSize %d is not from 0 to %d", c.QueueSize, core.SignalQueueMax)
	}
	o := core.SignalOptions{ChildStops: c.ChildStops, Interrupts: c.Interrupts, Queue: c.QueueSize}
	if c.QueueSize == 0 && slices.ContainsFunc(sigs, isRealTime) {
		o.Queue = realTimeQueue
	}
	w := new(Watcher)
	o.Forwards = w.notify(sigs)
	if err := w.watch.Open(numbers, o); err != nil {
		w.stop()
		return nil, err
	}
	return w, nil
}

// Next waits for a signal, and takes it. If the context ends first, Next fails with an error that matches the
// context's; if it has ended before the call, Next does so even if a signal is there. Next allocates nothing if a signal
// is there, or if the context never ends.
func (w *Watcher) Next(ctx context.Context) (Info, error) {
	i, err := w.watch.Next(ctx)
	if err != nil {
		return Info{}, fmt.Errorf("signals: next: %w", err)
	}
	return Info{
		Signal: signalOf(i.Signal), Code: Code(i.Code), PID: i.PID, UID: i.UID,
		Value: i.Value, Status: i.Status, Dropped: i.Dropped,
	}, nil
}

// All returns an iterator over the signals as they come. It ends without an error when the Watcher is closed or the
// context ends. It yields any other error with a zero Info, and then ends. It does not close the Watcher.
func (w *Watcher) All(ctx context.Context) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for {
			info, err := w.Next(ctx)
			if errors.Is(err, net.ErrClosed) || err != nil && ctx.Err() != nil {
				return
			}
			if !yield(info, err) || err != nil {
				return
			}
		}
	}
}

// Close ends the watch; calls of Next that are under way fail with [net.ErrClosed]. Signals that were not taken are lost.
// Closing the last Watcher of a signal restores the handling from before the first, except what [os/signal.Stop] does
// not restore either: a signal that was passed to [os/signal.Ignore] before is not ignored any more, and SIGTSTP,
// SIGTTIN and SIGTTOU do not stop the process any more. A Watcher that is not closed goes on watching for ever. A second
// Close fails with [net.ErrClosed].
func (w *Watcher) Close() error {
	if err := w.watch.Close(); err != nil {
		return fmt.Errorf("signals: close: %w", err)
	}
	w.stop()
	return nil
}
