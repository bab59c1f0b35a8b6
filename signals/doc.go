// Package signals watches signals, with who sent them, and sends signals, with values.
//
//	w, err := signals.Watch(syscall.SIGHUP, signals.RealTime(0))
//	…
//	defer w.Close()
//	for info, err := range w.All(ctx) {
//		…
//		log.Printf("%v from process %d of user %d", info.Signal, info.PID, info.UID)
//	}
//
// Unlike package os/signal it says which process sent a signal, of which user, and why. It loses no real-time signal
// while there is room for it, and counts those that it loses. It has the real-time signals that the C library gives to
// programs, [RealTime]. It needs cgo and a C compiler.
//
// # Which signals arrive
//
// The system merges ordinary signals: of several that come before the first is delivered, only the first is. So at
// least one of a burst arrives. The system queues real-time signals, and each of them arrives once. Several threads of a Go
// program take signals at the same time, so signals that were sent one shortly after the other can arrive in another
// order, in a few of a thousand cases. Where the order matters, put a number into the value.
//
// While a signal is watched, its default action does not happen: SIGTERM, say, does not end the process. A program that
// watches nothing has no handlers but those of the Go runtime. Processes that the program starts have the default
// handling of signals.
//
// # Beside os/signal
//
// To package os/signal a Watcher is like one more channel that was passed to [signal.Notify]. If both watch a signal,
// both get it, in whatever order they began:
//
//   - [signal.Notify] and [signal.Stop] change nothing for a Watcher. A signal that a Watcher watches does not have its
//     default action after Stop.
//   - [signal.Reset] ends what a Watcher asked for, as it does for channels: the Go runtime handles the signal as if
//     nobody watched it, so that SIGTERM ends the process. The Watcher still gets the signals that do not end the
//     process.
//   - [signal.Ignore] makes the system drop the signal, so that a Watcher gets no more of it until another Watcher
//     watches the signal.
//   - A Watcher that was created after Reset or Ignore gets the signal.
//
// With SIGPIPE watched, a write to a standard output or standard error that nobody reads returns EPIPE and does not end
// the program, as with Notify. On Windows a console event that is watched goes to Watchers alone, and not to os/signal.
//
// # Windows
//
// Windows has no signals. The events of consoles take their place: [os.Interrupt] stands for Ctrl-C, and [ConsoleEvent]
// has the others. All else is [errors.ErrUnsupported].
//
// # Errors
//
// Errors name the signal, and match the sentinels of the standard library:
//
//   - [net.ErrClosed]: the Watcher was closed.
//   - [errors.ErrUnsupported]: the system has no such thing, or the signal cannot be watched, for the reason that the
//     error says.
//   - [syscall.EINVAL]: there is no such signal, or an argument is invalid.
//   - [fs.ErrNotExist], on Unix also [syscall.ESRCH]: there is no such process.
//   - [fs.ErrPermission]: this process may not send that process a signal.
//   - [syscall.EAGAIN]: too many signals are queued. On Linux RLIMIT_SIGPENDING limits them for all processes of the
//     receiver's user.
package signals
