// Package signals watches signals and reports who sent them, and sends signals, with values.
//
//	w, err := signals.Watch(syscall.SIGHUP, signals.RealTime(0))
//	…
//	defer w.Close()
//	for info, err := range w.All(ctx) {
//		…
//		log.Printf("%v from process %d of user %d", info.Signal, info.PID, info.UID)
//	}
//
// Unlike package os/signal it reports which process sent a signal, of which user, and why. It has the real-time signals
// that the C library leaves to programs, see [RealTime]. It loses none of them while a [Watcher] has room, and counts
// those that it loses. It needs cgo and a C compiler.
//
// # Which signals arrive
//
// The system merges standard signals, such as SIGHUP: if several come before the first is delivered, only the first is
// delivered. So at least one of a burst arrives. The system queues real-time signals, and each of them arrives once.
// Several threads of a Go program take signals at the same time. So signals that are sent shortly after one another
// can arrive in another order, which happens to a few in a thousand. Where the order matters, put a number into the
// value.
//
// While a signal is watched, its default action does not happen: SIGTERM, say, does not end the process. A program that
// watches nothing has no handlers but those of the Go runtime. Signals that are watched have their default action in
// programs that the program starts.
//
// # Children
//
// SIGCHLD is a standard signal, so one may stand for several children. A Watcher does not wait for children: one that
// has ended stays a zombie until the program waits for it, with [os/exec.Cmd.Wait], say. To find out which of several
// children have ended, call [syscall.Wait4] with WNOHANG for each of them after every SIGCHLD.
//
// # Beside os/signal
//
// To package os/signal a Watcher is like one more channel that was passed to [signal.Notify]. If both watch a signal,
// both get it, in whatever order they began:
//
//   - [signal.Notify] and [signal.Stop] change nothing for a Watcher. After Stop the default action of a signal that a
//     Watcher watches still does not happen.
//   - [signal.Reset] ends what a Watcher asked for, as it does for channels: the Go runtime handles the signal as if
//     nothing watched it, so that SIGTERM ends the process. The Watcher still gets the signals that do not end the
//     process. Two cases are like Ignore for the Watcher, which gets no more of the signal: SIGHUP or SIGINT if the
//     program began with that signal ignored, as nohup(1) begins programs; and any signal if the program is a C program
//     with Go code built by -buildmode c-archive or c-shared.
//   - [signal.Ignore] makes the system drop the signal. A Watcher gets no more of it until another Watcher is created
//     that watches the signal.
//   - A Watcher that is created after Reset or Ignore gets the signal.
//
// While SIGPIPE is watched, a write to a standard output or standard error that nothing reads returns EPIPE and does
// not end the program, as with Notify. On Windows a console event that is watched goes only to Watchers, and not to
// os/signal.
//
// # Windows
//
// Windows has events of consoles in place of signals. [os.Interrupt] stands for Ctrl-C there, and the other events are
// of type [ConsoleEvent]. Everything else fails with [errors.ErrUnsupported].
//
// # Errors
//
// The errors name the call, and those of Watch and of the functions that send also the signal. Errors match the
// sentinels of the standard library, with [errors.Is]:
//
//   - [net.ErrClosed]: the Watcher was closed.
//   - [errors.ErrUnsupported]: the system does not have this, or the signal cannot be watched; the error gives the
//     reason.
//   - [syscall.EINVAL]: there is no such signal, an argument is invalid, or the Watcher is the zero Watcher.
//   - [syscall.EMFILE]: the process has 64 Watchers, or too many open files.
//   - [io/fs.ErrNotExist], on Unix also [syscall.ESRCH]: there is no such process.
//   - [io/fs.ErrPermission]: this process may not send that process a signal.
//   - [syscall.EAGAIN]: too many signals are queued. On Linux RLIMIT_SIGPENDING limits them for all processes of the
//     receiver's user.
package signals
