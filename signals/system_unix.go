//go:build unix

package signals

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/lipc/ipc/internal/core"
)

// system is what a Watcher needs on Unix: a channel that is registered with os/signal for the Watcher's signals.
// Nothing receives from it. It keeps os/signal from changing their handlers. The watch forwards each signal to the Go
// runtime's handler, which would end the process if no channel were registered for the signal. The channel is nil if
// os/signal knows none of the signals: signal.Stop could wait for ever then.
type system struct{ notified chan os.Signal }

// notifiable is the number of the first signal that os/signal does not know: numSig in os/signal/signal_unix.go of Go.
const notifiable = 65

// notify prepares for the watch, and reports whether the watch is to forward signals.
func (s *system) notify(sigs []os.Signal) bool {
	if slices.ContainsFunc(sigs, func(sig os.Signal) bool { return sig.(syscall.Signal) < notifiable }) {
		s.notified = make(chan os.Signal, 1)
		signal.Notify(s.notified, sigs...)
	}
	return true
}

// stop undoes notify. The watch must have ended.
func (s *system) stop() {
	if s.notified != nil {
		signal.Stop(s.notified)
	}
}

const (
	fault       = "it reports a fault of the thread that it interrupts, which the Go runtime turns into a panic"
	undelivered = "the system delivers it to no program"
)

// The signals that cannot be watched: see runtime/sigtab_linux_generic.go and runtime/signal_unix.go of Go.
var (
	unsupported = map[syscall.Signal]string{
		syscall.SIGSEGV: fault,
		syscall.SIGBUS:  fault,
		syscall.SIGFPE:  fault,
		syscall.SIGILL:  fault,
		syscall.SIGTRAP: fault,
		syscall.SIGSYS:  fault,
		syscall.SIGURG:  "the Go runtime preempts goroutines with it",
		syscall.SIGPROF: "the Go runtime profiles with it",
	}
	invalid = map[syscall.Signal]string{
		syscall.SIGKILL: undelivered,
		syscall.SIGSTOP: undelivered,
	}
)

// refused returns an error with the reason why a signal cannot be watched, or nil if it can.
func refused(n int) error {
	sig := syscall.Signal(n)
	if reason, is := unsupported[sig]; is {
		return fmt.Errorf("%w: %s", errors.ErrUnsupported, reason)
	}
	if reason, is := invalid[sig]; is {
		return core.Invalidf("%s", reason)
	}
	if runtime.GOOS == "linux" && n >= 32 && n < int(RealTime(0)) {
		return core.Invalidf("the C library keeps it for itself")
	}
	return known(n)
}

// known returns an error if there is no such signal.
func known(n int) error {
	switch {
	case n >= core.SignalBreak:
		return fmt.Errorf("%w: only consoles of Windows have it", errors.ErrUnsupported)
	case n == -1 && RealTime(0) < 0:
		return fmt.Errorf("%w: there are no real-time signals", core.Unsupported())
	case n < 0:
		return core.Invalidf("there is no such signal")
	default:
		return nil
	}
}

// explain returns the error of a call that sends a signal.
func explain(n int, r core.Result) error {
	if r < 0 {
		if err := known(n); err != nil {
			return err
		}
	}
	return r.Err()
}

func isChild(sig os.Signal) bool { return sig == syscall.SIGCHLD }

var systemNames = map[syscall.Signal]string{
	syscall.SIGHUP: "SIGHUP", syscall.SIGINT: "SIGINT", syscall.SIGQUIT: "SIGQUIT", syscall.SIGILL: "SIGILL",
	syscall.SIGTRAP: "SIGTRAP", syscall.SIGABRT: "SIGABRT", syscall.SIGBUS: "SIGBUS", syscall.SIGFPE: "SIGFPE",
	syscall.SIGKILL: "SIGKILL", syscall.SIGUSR1: "SIGUSR1", syscall.SIGSEGV: "SIGSEGV", syscall.SIGUSR2: "SIGUSR2",
	syscall.SIGPIPE: "SIGPIPE", syscall.SIGALRM: "SIGALRM", syscall.SIGTERM: "SIGTERM", syscall.SIGCHLD: "SIGCHLD",
	syscall.SIGCONT: "SIGCONT", syscall.SIGSTOP: "SIGSTOP", syscall.SIGTSTP: "SIGTSTP", syscall.SIGTTIN: "SIGTTIN",
	syscall.SIGTTOU: "SIGTTOU", syscall.SIGURG: "SIGURG", syscall.SIGXCPU: "SIGXCPU", syscall.SIGXFSZ: "SIGXFSZ",
	syscall.SIGVTALRM: "SIGVTALRM", syscall.SIGPROF: "SIGPROF", syscall.SIGWINCH: "SIGWINCH", syscall.SIGIO: "SIGIO",
	syscall.SIGSYS: "SIGSYS",
}

// localNames are the names that not every system has, by GOOS. Source: signalList in golang.org/x/sys/unix.
var localNames = map[string]map[syscall.Signal]string{
	"linux":      {16: "SIGSTKFLT", 30: "SIGPWR"},
	"linux/mips": {7: "SIGEMT", 19: "SIGPWR"}, // of all kinds of MIPS
	"darwin":     {7: "SIGEMT", 29: "SIGINFO"},
	"dragonfly":  {7: "SIGEMT", 29: "SIGINFO", 32: "SIGTHR", 33: "SIGCKPT", 34: "SIGCKPTEXIT"},
	"freebsd":    {7: "SIGEMT", 29: "SIGINFO", 32: "SIGTHR", 33: "SIGLIBRT"},
	"netbsd":     {7: "SIGEMT", 29: "SIGINFO", 32: "SIGPWR"},
	"openbsd":    {7: "SIGEMT", 29: "SIGINFO", 32: "SIGTHR"},
}

func init() {
	system := runtime.GOOS
	if system == "linux" && strings.HasPrefix(runtime.GOARCH, "mips") {
		system = "linux/mips"
	}
	maps.Copy(systemNames, localNames[system])
}
