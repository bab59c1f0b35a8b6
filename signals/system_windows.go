package signals

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/lipc/ipc/internal/core"
)

// system is empty: events are not forwarded to the Go runtime, which has no signals for them but SIGINT and SIGTERM.
type system struct{}

func (system) notify([]os.Signal) bool { return false }
func (system) stop()                   {}

// refused returns an error with the reason why a signal cannot be watched, or nil if it can.
func refused(n int) error {
	if _, is := eventNames[ConsoleEvent(n)]; is || n == int(syscall.SIGINT) {
		return nil
	}
	return fmt.Errorf("%w: Windows has no signals but os.Interrupt and ConsoleEvent", errors.ErrUnsupported)
}

// explain returns the error of a call that sends a signal.
func explain(n int, r core.Result) error {
	if !r.Unsupported() {
		return r.Err()
	}
	return fmt.Errorf("%w: Windows sends only Break to groups, and os.Interrupt to group 0", errors.ErrUnsupported)
}

func isChild(os.Signal) bool { return false }

var systemNames = map[syscall.Signal]string{
	syscall.SIGHUP: "SIGHUP", syscall.SIGINT: "SIGINT", syscall.SIGQUIT: "SIGQUIT", syscall.SIGILL: "SIGILL",
	syscall.SIGTRAP: "SIGTRAP", syscall.SIGABRT: "SIGABRT", syscall.SIGBUS: "SIGBUS", syscall.SIGFPE: "SIGFPE",
	syscall.SIGKILL: "SIGKILL", syscall.SIGSEGV: "SIGSEGV", syscall.SIGPIPE: "SIGPIPE", syscall.SIGALRM: "SIGALRM",
	syscall.SIGTERM: "SIGTERM",
}
